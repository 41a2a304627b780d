/* Who has how many connections: one address, or network (os/sender.h), must not take them all. Runs on: the loop thread. */
#pragma once
#include "base/map.h"

struct sockaddr_storage;
struct peer; /* an address that has connections */

struct peers {
    struct map by_address;
};

/* Counts one more connection. Never NULL. */
struct peer *peer_add(struct peers *p, const struct sockaddr_storage *addr);
void peer_drop(struct peers *p, struct peer *one); /* one less; NULL is fine */
unsigned peer_connections(const struct peers *p, const struct sockaddr_storage *addr);
void peers_fini(struct peers *p); /* none may be left */
