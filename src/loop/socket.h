/* Unix stream sockets with names of any length and a check of who is at the other end.
 *
 * A name longer than sockaddr_un allows is reached through /proc/self/fd/<directory>/<name>.
 * Descriptors are CLOEXEC and non-blocking. Runs on: any thread. Reference: unix(7). */
#pragma once
#include "base/err.h"

/* Listens at `path`, mode 0600, in place of a socket that nobody listens at any more. A live one
 * is ERR_CONFLICT; anything that is no socket is left alone. Returns the descriptor or -1. */
int unix_listen(const char *path, struct err *e);
/* Connects, or -1: ERR_UNREACHABLE when nobody listens. */
int unix_connect(const char *path, struct err *e);
/* True when the process at the other end runs as this user or root. */
bool unix_peer_trusted(int fd);
