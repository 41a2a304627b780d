/* HTTP/1.1 server: a table of routes, requests, replies and streams. Knows no product noun.
 *
 * The protocol library (libmicrohttpd) is opened with the first connection. What it leaves open
 * is closed here: deadlines, contradicting lengths, vanished clients, limits (gate.h, conn.c).
 *
 * A handler is called on the loop thread with the whole body read. It answers with exactly one
 * http_reply*, or http_stream_begin and later http_stream_end; at once or at any later time. Until
 * then the request is the handler's, whatever happens to the client or even to the server.
 * Runs on: the loop thread. */
#pragma once
#include "base/str.h"
#include "base/err.h"
#include "loop/loop.h"

struct http_server;
struct http_req;
struct http_stream;

typedef void http_handler(struct http_req *r, void *user);

/* Pattern: "/api/v1/workflows/{namespace}/{name}", last part also "{key...}" for all that is left
 * with its slashes. Of several that fit, the one with a literal at the first difference wins.
 * Method "*" means any; GET routes answer HEAD too. A parameter may be empty. */
struct http_route {
    const char *method;
    const char *pattern;
    http_handler *handle;
    void *user;
    /* The body goes into an unnamed file in this directory, and may have LIMIT_UPLOAD_MIB; NULL: it is kept in memory. */
    const char *spool_dir;
    bool secret_query; /* the log leaves the query out */
};

/* An answer that is given in a handler's place. */
struct http_verdict {
    int status;       /* 0: none, the request goes on */
    int code;         /* of gRPC */
    const char *text; /* NULL: an empty body; lives as long as the request */
};

/* A request that is over. */
struct http_done {
    struct str method;
    const char *pattern; /* of its route; NULL: none fitted */
    unsigned status;     /* 0: no answer was made */
    bool stream;
    int64_t us;          /* from its first byte until its answer was sent */
};

struct http_server_opts {
    const char *unix_path;           /* listens here; peers must be this user or root */
    int listen_fd;                   /* without unix_path: a listening socket, taken over */
    const struct http_route *routes; /* must outlive the server */
    size_t route_count;
    /* Looks at each well-formed request before its body is read and before its handler, also at one that no route fits
     * (http_req_route is NULL then); may add header fields to what will be answered. May be NULL. */
    void (*admit)(struct http_req *r, void *user, struct http_verdict *out);
    /* Told of each answer as it is made: of handlers, of admit, of 404 and 405; also of what is refused before it has
     * arrived as a whole (no method then when its head has not). May be NULL. */
    void (*answered)(const struct http_req *r, int status, void *user);
    void *user; /* of both */
    const char *tls_cert, *tls_key;  /* PEM texts (a chain, its own certificate first); NULL: no TLS. Must outlive the server */
    void (*on_done)(void *user, const struct http_done *d); /* may be NULL */
    void *done_user;
    size_t max_body_bytes;           /* this and below: 0 = the value in limits.h */
    size_t max_stream_bytes;
    unsigned max_connections, max_address_connections; /* of one address; not on a Unix socket */
    unsigned max_kept; /* with more connections than these, answers end theirs */
    unsigned header_ms, idle_ms, body_grace_ms, drain_ms;
};

/* With TLS the protocol library is opened at once: ERR_USAGE when certificate and key do not fit. */
struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o, struct err *e);
/* Another certificate, of a server with TLS, for connections from now on; those that there are go on with theirs. The texts are copied.
 * USAGE: it and its key cannot be used or do not fit: nothing has changed. */
bool http_server_certificate(struct http_server *s, const char *cert, const char *key, struct err *e);
/* Orderly stop: no new connections, the socket's name removed, streams ended, requests that are
 * still held answered with 503, output flushed for at most drain_ms. Holders of requests are told
 * by on_gone and still owe their reply or end, which then does nothing. Not from inside a handler
 * or on_gone. NULL is allowed. */
void http_server_free(struct http_server *s);

unsigned http_server_connections(const struct http_server *s);

/* The request. Texts live until the reply or the end of the stream. */
/* Its X-Request-Id, or one that was made: stands in the answer and in the log. */
struct str http_req_id(const struct http_req *r);
struct arena *http_req_arena(struct http_req *r);
const struct http_route *http_req_route(const struct http_req *r); /* NULL: none fits */
struct str http_req_peer(const struct http_req *r); /* the client's address, "unix" for a Unix socket; "" once it is gone */
/* What `admit` leaves for handlers: a pointer of its own. */
void http_req_set_note(struct http_req *r, void *note);
void *http_req_note(const struct http_req *r);
struct str http_req_method(const struct http_req *r);
struct str http_req_target(const struct http_req *r); /* as received, with the query */
struct str http_req_path(const struct http_req *r);   /* as received, without the query */
struct str http_req_param(const struct http_req *r, const char *name); /* decoded; absent if none */
/* Decoded; the first of that key; absent if there is none. */
struct str http_req_query(const struct http_req *r, const char *key);
bool http_req_query_at(const struct http_req *r, size_t i, struct str *key, struct str *value);
struct str http_req_header(const struct http_req *r, const char *name); /* any case; first one */
bool http_req_header_at(const struct http_req *r, size_t i, struct str *name, struct str *value);
struct str http_req_body(const struct http_req *r);
int http_req_spooled(struct http_req *r); /* of a route with spool_dir: the file, once, to be closed */
bool http_req_wants_sse(const struct http_req *r); /* Accept: text/event-stream */
/* Called at most once, when the client has closed its side (or the server stops) before the answer
 * was complete. A stream then takes no more; a held request may still be answered. */
void http_req_on_gone(struct http_req *r, loop_fn *fn, void *user);

/* A JSON body from LIMIT_HTTP_GZIP_BYTES on goes out compressed to who takes gzip: by and by, as the client takes it.
 * Replies: each ends the request, which must not be used after. Whatever a handler or anything
 * else answers in a loop turn is sent by the next send hook, so after what was done is committed. */
/* Before replying. False (nothing added) when the value has control characters. */
bool http_reply_header(struct http_req *r, const char *name, struct str value);
void http_reply(struct http_req *r, int status, const char *content_type, struct str body);
/* As http_reply, but takes the buffer's memory instead of copying, and empties it. */
void http_reply_buf(struct http_req *r, int status, const char *content_type, struct buf *body);
struct http_file {
    int fd; /* taken over */
    uint64_t offset, size;
};
void http_reply_file(struct http_req *r, int status, const char *content_type, const struct http_file *f);
/* 200 with the whole file, or what the request's Range asks for: 206, 416. etag: quoted, of content that never changes under
 * it; absent: a Range with If-Range gets the whole. */
void http_reply_range(struct http_req *r, const char *content_type, int fd, uint64_t size, struct str etag);
void http_reply_err(struct http_req *r, const struct err *e); /* {"code":5,"message":"…"} */

/* Streams: 200, chunked. */
struct http_stream *http_stream_begin(struct http_req *r, const char *content_type);
/* False when the client is gone, or has so much to catch up with that with this it would be more than
 * max_stream_bytes (whatever its size, it is taken once nothing else waits). */
bool http_stream_write(struct http_stream *s, struct str bytes);
/* As max_stream_bytes, for this stream alone; only less counts. */
void http_stream_limit(struct http_stream *s, size_t max_bytes);
/* Called each time that all has been taken after something was refused for want of room. It comes while the
 * server is sending, so it may only arm a timer or the like. */
void http_stream_on_room(struct http_stream *s, loop_fn *fn, void *user);
/* For what is written anyway where a client takes it: fn is asked, while the server is sending, whenever all that was written has been
 * taken, and at once after http_stream_more. What it writes is sent without waiting for the commit hooks. It may not end the stream. */
void http_stream_source(struct http_stream *s, loop_fn *fn, void *user);
void http_stream_more(struct http_stream *s);
/* One JSON document as one event, framed as the content type says: text/event-stream with the id
 * and event name (each may be absent), else one line. */
bool http_stream_event(struct http_stream *s, struct str id, struct str event, struct str json);
void http_stream_end(struct http_stream *s); /* the stream must not be used after */
