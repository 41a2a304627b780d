/* Networks of pods: network namespaces, made before they are needed.
 *
 * A keeper, a child of the launcher, makes them; it ends with the engine. A namespace lives as long as a process is in
 * it or somebody holds its descriptor, and so does what belongs to it: there is nothing to clean up. As root each has a
 * device on the bridge NETS_BRIDGE with an address of its own; the names of those devices, of which a machine has each
 * once, are the list of addresses that are taken, for all engines of the machine and after any crash. Without root
 * a namespace has its loopback device and nothing else, and belongs to a user namespace of the keeper's: only who is in
 * that one may enter, so slots are opened in it. Runs on: the thread of the launcher. */
#pragma once
#include "step/launcher.h"

#define NETS_BRIDGE "skiff0"

struct nets;

struct subnet {
    uint32_t base; /* host byte order */
    unsigned bits; /* of the network's part */
};
/* "10.171.0.0/16", 8 to 28 bits. */
bool subnet_parse(struct str text, struct subnet *out, struct err *e);
struct str subnet_address(struct arena *a, const struct subnet *s, uint32_t number);

struct net {
    int fd; /* the caller's */
    char address[16]; /* "": only a loopback device */
};

/* `s` NULL: namespaces with only a loopback device. */
struct nets *nets_open(struct launcher *l, const struct subnet *s, struct err *e);
void nets_close(struct nets *n); /* NULL is fine */
/* Nobody is in it any more: takes net->fd. It is used again, unless a socket of it is left somewhere. */
void nets_give_back(struct nets *n, const struct net *net);
/* The user namespace that a network belongs to, the caller's to close; -1: no other than this process'. `id` tells it from
 * others while anything of it lives; 0: no other. */
int net_user_ns(int net_fd, uint64_t *id);
/* Waits for one to be made when none is ready. After a failure no other will come. */
bool nets_take(struct nets *n, struct net *out, struct err *e);
