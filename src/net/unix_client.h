/* A small HTTP/1.1 client over a Unix socket: followers and the command line talk to the engine.
 *
 * One connection per call. It understands what our own server sends (Content-Length and chunked)
 * and refuses the rest; the parser is http_reply.h. Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

struct unix_call;

struct unix_reply {
    int status; /* 0: no reply came */
    struct str content_type;
    struct str body; /* empty for a reply whose lines went to on_line */
};

struct unix_call_opts {
    const char *path;         /* of the socket */
    const char *method;       /* "GET" */
    const char *target;       /* "/api/v1/…", already escaped */
    const char *content_type; /* of the body; NULL = application/json */
    const char *accept;       /* NULL = application/json */
    struct str body;
    size_t max_body_bytes;    /* 0 = LIMIT_HTTP_BODY_BYTES */
    /* When set: the body of a 200 reply line by line, without the line end, as it arrives. */
    void (*on_line)(void *user, struct str line);
    /* Called exactly once, unless the call is cancelled: e == NULL when the reply is complete,
     * else why it is not (ERR_UNREACHABLE: the engine left). The call is gone afterwards. */
    void (*on_done)(void *user, const struct unix_reply *reply, const struct err *e);
    void *user;
};

/* NULL (e set) when nobody listens. Callbacks come from the loop, never from inside this. */
struct unix_call *unix_call_new(struct loop *l, const struct unix_call_opts *o, struct err *e);
void unix_call_cancel(struct unix_call *c); /* not after on_done; NULL is allowed */

/* The same, waiting for the whole reply; on_done is not used. True: a complete reply, any status. */
bool unix_request(struct arena *a, const struct unix_call_opts *o, struct unix_reply *out, struct err *e);
