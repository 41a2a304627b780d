/* Whom a network address is counted to: an IPv4 address to itself, an IPv6 address to its network of 64 bits, since whoever has one of
 * those has them all. An IPv4 address that came over an IPv6 socket is the IPv4 address. Pure. Runs on: any thread. */
#pragma once
#include "base/str.h"

struct sockaddr_storage;

enum { SENDER_BYTES = 9 }; /* the kind, then the address or the network */

/* The same bytes for addresses that are counted together; views `key`. Of what is no IP address: one for all of them. */
struct str sender_of(const struct sockaddr_storage *a, char key[SENDER_BYTES]);
/* The same of an address as it is written, with its interface or without. Absent: it is none. */
struct str sender_of_text(struct str text, char key[SENDER_BYTES]);
