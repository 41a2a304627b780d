/* Connections: deadlines and vanished clients.
 *
 * libmicrohttpd's own timeout starts again with every byte, and it does not look at suspended
 * connections at all; so each connection has one timer here, and one watch for the hang-up while a
 * handler or a stream holds it. A deadline shuts the socket down; libmicrohttpd sees that and
 * closes it. */
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "http/server_p.h"

struct http_conn *conn_of(const struct http_server *s, struct MHD_Connection *c)
{
    return s->mhd->get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static bool body_too_slow(const struct http_conn *c)
{
    int64_t us = loop_now_us() - c->body_start_us;
    return (int64_t)c->body_bytes < us / 1000 * LIMIT_HTTP_BODY_BYTES_PER_S / 1000;
}

void conn_refuse(struct http_conn *c, int status, int code, const char *text)
{
    if (c->req) req_told(c->req, status);
    if (!c->server->opts.tls_cert) reply_raw(c->fd, status, code, text);
}

static void on_deadline(void *user)
{
    struct http_conn *c = user;
    if (c->wait == CONN_BODY && !body_too_slow(c)) {
        loop_timer_arm_us(c->timer, 1000000);
        return;
    }
    if (c->wait != CONN_IDLE) conn_refuse(c, 408, 4, "the request took too long to arrive");
    shutdown(c->fd, SHUT_RDWR);
}

void conn_wait(struct http_conn *c, enum conn_wait wait)
{
    const struct http_server_opts *o = &c->server->opts;
    unsigned ms = wait == CONN_HEAD ? o->header_ms : wait == CONN_BODY ? o->body_grace_ms : o->idle_ms;
    c->wait = wait;
    c->body_bytes = 0;
    c->body_start_us = loop_now_us();
    if (wait == CONN_BUSY) loop_timer_disarm(c->timer);
    else loop_timer_arm_us(c->timer, (int64_t)ms * 1000);
}

/* Told once per request: the level-triggered watch would not stop telling. */
static void on_hang_up(void *user, unsigned events)
{
    struct http_conn *c = user;
    (void)events;
    conn_unwatch_gone(c);
    if (c->req) req_gone(c->req);
}

/* Without a watch (no memory) a vanished client is noticed by the next write. */
void conn_watch_gone(struct http_conn *c)
{
    if (c->gone_watch) return;
    c->gone_watch = loop_fd_new(c->server->loop, c->fd, on_hang_up, c, NULL);
    if (c->gone_watch) loop_fd_watch(c->gone_watch, LOOP_GONE);
}

void conn_unwatch_gone(struct http_conn *c)
{
    loop_fd_free(c->gone_watch);
    c->gone_watch = NULL;
}

static void peer_describe(const struct sockaddr_storage *at, socklen_t n, char text[PEER_TEXT])
{
    static const char mapped[] = "::ffff:";
    if (at->ss_family == AF_UNIX) snprintf(text, PEER_TEXT, "unix");
    else if (getnameinfo((const struct sockaddr *)at, n, text, PEER_TEXT, NULL, 0, NI_NUMERICHOST) != 0) text[0] = 0;
    if (strncmp(text, mapped, sizeof mapped - 1) == 0 && strchr(text, '.'))
        memmove(text, text + sizeof mapped - 1, strlen(text) - sizeof mapped + 2);
}

static struct http_conn *conn_new(struct http_server *s, struct MHD_Connection *mhd)
{
    struct http_conn *c = mem_zalloc(sizeof *c);
    struct sockaddr_storage at = {0};
    socklen_t n = sizeof at;
    c->server = s;
    c->mhd = mhd;
    c->fd = s->mhd->get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (getpeername(c->fd, (struct sockaddr *)&at, &n) != 0) at.ss_family = AF_UNSPEC; /* it has gone already */
    peer_describe(&at, n, c->peer);
    c->timer = loop_timer_new(s->loop, on_deadline, c);
    if (!s->is_unix) c->from = peer_add(&s->peers, &at);
    const union MHD_ConnectionInfo *tls = s->mhd->get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (tls) c->cert = certs_take(&s->certs, tls->tls_session);
    TAILQ_INSERT_TAIL(&s->conns, c, link);
    s->connections++;
    conn_wait(c, CONN_HEAD);
    return c;
}

/* libmicrohttpd closes the socket right after this. */
static void conn_free(struct http_conn *c)
{
    if (c->req) req_detach(c->req);
    conn_unwatch_gone(c);
    loop_timer_free(c->timer);
    TAILQ_REMOVE(&c->server->conns, c, link);
    c->server->connections--;
    peer_drop(&c->server->peers, c->from);
    certs_leave(c->cert);
    free(c);
}

void conn_notify(void *server, struct MHD_Connection *mhd, void **conn,
                 enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *conn = conn_new(server, mhd);
    } else if (*conn) {
        conn_free(*conn);
        *conn = NULL;
    }
}
