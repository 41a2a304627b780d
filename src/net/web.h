/* A client of HTTP servers anywhere: http:// and https:// through libcurl, which is opened with the
 * first request.
 *
 * What is asked and how redirects are followed is as Go's net/http does it, because Argo's agent and
 * artifact drivers use that: at most 10 requests in a row; 301, 302 and 303 become GET without a body,
 * 307 and 308 repeat the request; credentials go to the first host and those below it only; gzip is
 * undone. Proxies come from the environment (http_proxy, https_proxy, all_proxy, no_proxy), but never
 * for this machine itself. Certificates are checked unless `insecure`, against the system's or those that
 * SSL_CERT_FILE and SSL_CERT_DIR name. Neither .netrc nor cookies.
 * Error texts are worded like Go's: `Get "http://…": dial tcp …: connection refused`.
 *
 * Errors: UNREACHABLE (no complete reply), TIMEOUT, LIMIT (the reply is too large), SPEC (not a
 * request that can be sent), AUTH (same_origin: a body would go elsewhere), UNSUPPORTED (no library). A reply of any status is no error.
 * Reference: RFC 9110; Go net/http client.go. */
#pragma once
#include <stdatomic.h>

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

struct web_field {
    struct str name, value;
};

/* Connections that stay open for the next request of web_fetch; one request at a time has them, another meanwhile has its own. */
struct web_kept;
struct web_kept *web_kept_new(void);
void web_kept_free(struct web_kept *k); /* NULL is fine */

struct web_reply;
struct web_request {
    struct str method; /* absent or "": GET */
    struct str url;
    const char *socket; /* a Unix socket to connect to, whatever host and port the url names; NULL: none */
    const struct web_field *fields; /* request headers, in order; Host replaces the address's */
    size_t n_fields;
    struct str body;
    struct str user, password;  /* basic authentication, when either is set */
    struct str cert, key;       /* PEM: the client's certificate, when both are set */
    struct str ca_file;         /* PEM: who vouches for the server; absent or "": see above */
    struct str proxy;           /* its address, then for every host; absent or "": see above */
    int64_t timeout_ms;         /* of everything together; 0: none */
    int64_t connect_timeout_ms; /* 0: LIMIT_WEB_CONNECT_MS */
    uint64_t max_bytes;         /* of the reply's body; 0: LIMIT_WEB_BODY_BYTES. In memory no more than LIMIT_WEB_ANSWER_BYTES */
    bool insecure;              /* do not check the server's certificate */
    bool http2;                 /* from the first byte on (prior knowledge), as gRPC without TLS */
    bool same_origin;           /* stricter than Go: a body, and header fields that may be credentials, go to the first scheme, host and port only */
    bool same_host;             /* a redirect to another host is not followed: it is the reply */
    /* Of a transfer in pieces or files in which nothing moves; 0: LIMIT_WEB_STALL_S; -1: for ever, while the server is there. */
    int64_t stall_s;
    bool to_file;   /* web_fetch only: the body of a 2xx reply goes to sink_fd instead of reply.body */
    int sink_fd;
    /* The body of a 2xx reply comes piece by piece, with the head as it is by then (without a body); false stops. */
    bool (*on_piece)(void *user, const struct web_reply *head, struct str piece, struct err *e);
    void *piece_user;
    bool tell_head; /* and once an empty one, as soon as that head is complete */
    bool from_file; /* the body is this file, sent from its start */
    int source_fd;
    struct web_kept *kept;        /* web_fetch only; may be NULL */
    const atomic_bool *cancelled; /* web_fetch only: ends the transfer with TIMEOUT soon after it becomes true; may be NULL */
};

struct web_reply {
    int status;
    struct str status_text;         /* "404 Not Found" */
    const struct web_field *fields; /* names in canonical form ("Content-Type"), in order */
    size_t n_fields;
    struct str body;
    bool led_away; /* by redirects, to where credentials do not go: not the word of whoever was asked */
};

/* Requests on a loop. Runs on: the loop thread. */
struct web_client;
struct web_call;
struct web_client *web_client_new(struct loop *l, struct err *e);
void web_client_free(struct web_client *c); /* no call may be left; NULL is fine */

/* Called exactly once, from the loop and never from within web_call_new, unless the call is cancelled:
 * reply or error, both gone afterwards, as is the call. */
typedef void web_done_fn(void *user, const struct web_reply *reply, const struct err *e);
/* The request is copied. NULL (e set): it cannot be sent. */
struct web_call *web_call_new(struct web_client *c, const struct web_request *r, web_done_fn *done, void *user,
                              struct err *e);
void web_call_cancel(struct web_call *call); /* NULL is fine */

/* The same, waiting. The reply lives in the arena. Runs on: any thread. */
bool web_fetch(struct arena *a, const struct web_request *r, struct web_reply *out, struct err *e);

/* A part of a path, query or form as it stands in an address. */
void web_escape_to(struct buf *b, struct str s);
struct str web_escape(struct arena *a, struct str s);

/* `Content-Type` for "content-type", as Go's CanonicalMIMEHeaderKey. */
struct str web_field_name(struct arena *a, struct str name);
