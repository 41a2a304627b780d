/* Certificates that come while the server runs. libmicrohttpd's daemon keeps the one that it began with, so each new connection is
 * given the newest before it shakes hands, and has that one until it is closed. GnuTLS is opened with the first of them: the
 * library that libmicrohttpd itself has loaded. Runs on: the loop thread. */
#pragma once
#include <sys/queue.h>

#include "base/err.h"

struct cert;
LIST_HEAD(certs, cert); /* the newest first; none: the daemon's own counts */

/* PEM texts, copied. USAGE: they cannot be used, or do not belong together; nothing has changed then. */
bool certs_add(struct certs *c, const char *cert, const char *key, struct err *e);
/* The newest, for a connection's session; NULL: the daemon's own stays. */
struct cert *certs_take(struct certs *c, void *session);
void certs_leave(struct cert *one); /* the connection will be closed; NULL is fine */
/* Frees what is old and nobody's. Not while libmicrohttpd runs: it still has the session of a connection that it says is closed. */
void certs_sweep(struct certs *c);
void certs_fini(struct certs *c); /* no connection may be left */
