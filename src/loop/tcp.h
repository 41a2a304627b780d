/* Listening on TCP.
 *
 * Descriptors are CLOEXEC and non-blocking. Runs on: any thread; names are looked up, which may take time. */
#pragma once
#include "base/err.h"

enum { TCP_TEXT_MAX = 64 };

struct tcp_place {
    char text[TCP_TEXT_MAX]; /* "127.0.0.1:2746", "[::1]:2746": as it is listened at */
    bool loopback;           /* only this machine gets there */
};

/* Listens at the first address of `host` (a name or an address) and `port` (0: any). The descriptor, or -1: ERR_CONFLICT when
 * somebody else listens there. */
int tcp_listen(const char *host, int port, struct tcp_place *out, struct err *e);
