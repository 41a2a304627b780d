/* What the files of this folder share: server, connections, requests, streams.
 *
 * A request has two holders: the connection (until libmicrohttpd says it is completed) and the
 * handler's side (until its reply or the end of its stream); it is freed when both let go.
 *
 * A connection is suspended from the handler's call until the answer is released, and whenever a
 * stream has nothing to send. Only the send hook releases (server_release), so nothing leaves
 * before the commit hooks of its turn have run. A connection suspends only itself, from inside
 * libmicrohttpd's call for it. Runs on: the loop thread. */
#pragma once
#include <sys/queue.h>

#include "base/sm.h"
#include "base/vec.h"
#include "http/certs.h"
#include "http/gate.h"
#include "http/mhd.h"
#include "http/peer.h"
#include "http/route.h"
#include "http/server.h"

enum req_state {
    REQ_HEAD,     /* headers are not complete */
    REQ_BODY,     /* the body is being read */
    REQ_HELD,     /* the handler's turn */
    REQ_ANSWERED, /* `response` is made */
    REQ_QUEUED,   /* and given to libmicrohttpd */
};

struct http_stream {
    struct http_req *req;
    struct buf out;  /* bytes [at, out.n) are to be sent */
    size_t at;
    size_t visible;  /* released up to here */
    size_t limit; /* 0: the server's */
    bool sse;
    bool refused;  /* something, for want of room */
    loop_fn *on_room;
    void *room_user;
    loop_fn *source;
    void *source_user;
    bool sourcing; /* it is being asked */
    size_t used;   /* the most that was written at once to the library's buffer since pages of it were given back */
    bool ended;    /* nothing more is written */
    bool finished; /* and that is released too */
};

struct http_req {
    struct http_server *server; /* NULL: the server is gone */
    struct http_conn *conn;     /* NULL: the connection has let go */
    bool held;                  /* the handler's side has not let go */
    enum req_state state;
    struct arena arena;
    struct str method;
    struct str id; /* absent until the head is read */
    struct target target;
    struct http_field *fields;
    size_t field_count;
    struct buf body;
    int spool_fd; /* >= 0: the body goes there instead */
    uint64_t spooled;
    bool closing; /* the answer says Connection: close */
    struct route_match match;
    VEC(struct http_field) reply_fields;
    struct MHD_Response *response;
    unsigned status;
    int64_t start_us;
    struct http_stream stream;
    bool streaming;
    bool suspended;
    bool gone; /* on_gone was due */
    loop_fn *on_gone;
    void *gone_user;
    struct http_verdict verdict; /* admit's */
    void *note; /* and what it left */
    bool ready; /* is in server.ready */
    TAILQ_ENTRY(http_req) ready_link;
};

enum { PEER_TEXT = 64 /* an address; IPv6 ones with their interface */ };

/* What a connection's timer stands for. */
enum conn_wait { CONN_HEAD, CONN_BODY, CONN_BUSY, CONN_IDLE };

struct http_conn {
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd; /* libmicrohttpd's; open until conn_notify hears of the close */
    char peer[PEER_TEXT];
    struct peer *from; /* whom it is counted to; NULL on a Unix socket */
    struct cert *cert; /* NULL: the daemon's own, or none */
    enum conn_wait wait;
    struct loop_timer *timer;
    struct loop_fd *gone_watch;
    struct http_req *req;
    int64_t body_start_us;
    size_t body_bytes;
    TAILQ_ENTRY(http_conn) link;
};

struct http_server {
    struct loop *loop;
    struct http_server_opts opts; /* defaults filled in */
    char *unix_path;
    struct router *router;
    int listen_fd;
    bool is_unix;
    struct loop_fd *listen_watch;
    struct loop_timer *listen_pause;
    struct loop_hook *hook;
    const struct mhd_api *mhd;
    struct MHD_Daemon *daemon;
    struct loop_fd *epoll_watch;
    struct loop_timer *timer;
    bool dirty;    /* libmicrohttpd has something to do before the loop sleeps */
    bool handled;  /* a handler was called since the last commit hooks */
    bool running;  /* inside libmicrohttpd */
    bool stopping;
    unsigned connections, requests;
    unsigned most; /* connections since memory was given back */
    struct peers peers;
    struct certs certs; /* that came while it runs */
    struct str said; /* by the library while it started */
    struct arena arena;
    TAILQ_HEAD(, http_conn) conns;
    TAILQ_HEAD(, http_req) ready; /* released by the next send hook */
};

/* server.c */
bool server_daemon(struct http_server *s, struct err *e); /* opens the library on first use */

/* listen.c */
bool listen_start(struct http_server *s, struct err *e);
void listen_stop(struct http_server *s);

/* conn.c */
void conn_notify(void *server, struct MHD_Connection *c, void **conn,
                 enum MHD_ConnectionNotificationCode code);
struct http_conn *conn_of(const struct http_server *s, struct MHD_Connection *c);
void conn_wait(struct http_conn *c, enum conn_wait wait);
/* Answers past libmicrohttpd, which cannot here; with TLS nothing can be said. */
void conn_refuse(struct http_conn *c, int status, int code, const char *text);
void conn_watch_gone(struct http_conn *c);
void conn_unwatch_gone(struct http_conn *c);

/* serve.c: libmicrohttpd's callbacks for a request */
void *serve_target(void *server, const char *uri, struct MHD_Connection *c);
enum MHD_Result serve_request(void *server, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **req);
void serve_completed(void *server, struct MHD_Connection *c, void **req,
                     enum MHD_RequestTerminationCode code);

/* req.c */
struct http_req *req_new(struct http_conn *c, struct str target);
void req_move(struct http_req *r, enum req_state to);
void req_suspend(struct http_req *r); /* only inside libmicrohttpd's call for it */
void req_ready(struct http_req *r);   /* the next send hook releases it */
void req_release(struct http_req *r);
void req_gone(struct http_req *r);    /* tells the holder, once */
void req_detach(struct http_req *r);  /* the connection lets go */
void req_unhold(struct http_req *r);  /* the handler's side lets go */

/* gzip.c */
bool gzip_wanted(struct str accept_encoding);
/* An answer that compresses `body` (taken over) as it is read. */
struct MHD_Response *gzip_response(const struct mhd_api *mhd, struct buf *body);

/* reply.c */
void req_told(struct http_req *r, int status); /* what its client is told, or would be if TLS let that: for the owner of the server */
bool req_answer(struct http_req *r, int status, const char *content_type, struct MHD_Response *m);
void req_refuse(struct http_req *r, int status, int code, const char *text); /* no handler's reply; text NULL: no body */
/* A whole error reply written to a plain socket itself, where libmicrohttpd cannot answer. */
void reply_raw(int fd, int status, int code, const char *text);

/* stream.c */
ssize_t stream_read(void *req, uint64_t pos, char *to, size_t max);
