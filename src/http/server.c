/* The server: libmicrohttpd's daemon in our loop, and the orderly stop. */
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "base/log.h"
#include "http/server_p.h"

/* Lets libmicrohttpd do what is ready. Returns when it wants to run again without an event: its
 * epoll descriptor does not tell of connections that it has more to do for, this does (0). */
static int64_t server_run_us(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms = LIMIT_HTTP_STALL_MS;
    s->dirty = false;
    s->running = true;
    s->mhd->run(s->daemon);
    s->running = false;
    certs_sweep(&s->certs);
    if (s->mhd->get_timeout(s->daemon, &ms) != MHD_YES || ms > LIMIT_HTTP_STALL_MS)
        ms = LIMIT_HTTP_STALL_MS;
    return (int64_t)ms * 1000;
}

static void server_pump(struct http_server *s)
{
    int64_t us = server_run_us(s);
    if (us == 0) s->dirty = true;
    if (us && s->connections) loop_timer_arm_us(s->timer, us);
    else loop_timer_disarm(s->timer);
}

static void on_epoll(void *user, unsigned events)
{
    (void)events;
    server_pump(user);
}

static void on_timer(void *user) { server_pump(user); }

static void server_release(struct http_server *s)
{
    struct http_req *r;
    while ((r = TAILQ_FIRST(&s->ready))) {
        req_release(r);
        s->dirty = true;
    }
}

/* After many connections have gone, what they held goes back to the system: the allocator alone would keep most of it. */
static void memory_return(struct http_server *s)
{
    enum { MANY = 1024, PART = 64 };
    s->most = MAX(s->most, s->connections);
    if (s->most < MANY || s->connections > s->most / PART) return;
    malloc_trim(0);
    s->most = s->connections;
}

/* What a handler did inside this has to pass the commit hooks before it is sent: one turn more.
 * So too when libmicrohttpd is not ready yet; a timer would cost a millisecond. */
static void on_send(void *user)
{
    struct http_server *s = user;
    s->handled = false;
    server_release(s);
    if (s->dirty) server_pump(s);
    memory_return(s);
    if (s->dirty || s->handled || !TAILQ_EMPTY(&s->ready)) loop_again(s->loop);
}

/* Paths and queries are decoded by target.c. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *s)
{
    (void)cls, (void)c;
    return strlen(s);
}

/* What the library has to say goes to the log; the first of it says why it does not start. */
static void on_said(void *server, const char *fmt, va_list ap)
{
    enum { SAID_BYTES = 500 };
    struct http_server *s = server;
    char text[SAID_BYTES];
    if (s->daemon && !log_on(LOG_DEBUG)) return;
    vsnprintf(text, sizeof text, fmt, ap);
    if (!s->daemon && !s->said.n) s->said = str_trim(str_dup(&s->arena, str_of(text)));
    log_line(LOG_DEBUG, "libmicrohttpd: %.*s", STR_ARG(str_trim(str_of(text))));
}

static bool daemon_start(struct http_server *s, struct err *e)
{
    bool tls = s->opts.tls_cert;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG |
                     (tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)s->opts.tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)s->opts.tls_key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    s->daemon = s->mhd->start_daemon(
        flags, 0, NULL, NULL, serve_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, on_said, s,
        MHD_OPTION_ARRAY, tls ? tls_options : tls_options + ARRAY_LEN(tls_options) - 1,
        MHD_OPTION_URI_LOG_CALLBACK, serve_target, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, s,
        MHD_OPTION_NOTIFY_CONNECTION, conn_notify, s,
        MHD_OPTION_NOTIFY_COMPLETED, serve_completed, s,
        MHD_OPTION_CONNECTION_LIMIT, s->opts.max_connections + 1,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)LIMIT_HTTP_STALL_MS / 1000,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_HTTP_HEAD_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, /* else no sendfile */
        MHD_OPTION_END);
    if (s->daemon) return true;
    const char *what = tls ? "certificate and key cannot be used" : "cannot start the HTTP library";
    return err_set(e, tls ? ERR_USAGE : ERR_IO, "%s: %.*s", what, STR_ARG(s->said));
}

bool server_daemon(struct http_server *s, struct err *e)
{
    if (s->daemon) return true;
    s->mhd = mhd_open(e);
    if (!s->mhd || !daemon_start(s, e)) return false;
    int fd = s->mhd->get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    s->epoll_watch = loop_fd_new(s->loop, fd, on_epoll, s, e);
    if (!s->epoll_watch) {
        s->mhd->stop_daemon(s->daemon);
        s->daemon = NULL;
        return false;
    }
    loop_fd_watch(s->epoll_watch, LOOP_READ);
    struct sigaction sa;
    if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    return true;
}

/* Steps and files need descriptors, too. */
static unsigned connections_most(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0) return LIMIT_HTTP_CONNECTIONS;
    return (unsigned)MIN(MAX(r.rlim_cur / 2, (rlim_t)1), (rlim_t)LIMIT_HTTP_CONNECTIONS);
}

static void opts_default(struct http_server_opts *o)
{
    if (!o->max_body_bytes) o->max_body_bytes = LIMIT_HTTP_BODY_BYTES;
    if (!o->max_stream_bytes) o->max_stream_bytes = LIMIT_HTTP_STREAM_BYTES;
    if (!o->max_connections) o->max_connections = connections_most();
    if (!o->max_kept) o->max_kept = LIMIT_HTTP_KEPT_CONNECTIONS;
    if (!o->max_address_connections) o->max_address_connections = LIMIT_HTTP_ADDRESS_CONNECTIONS;
    if (!o->header_ms) o->header_ms = LIMIT_HTTP_HEADER_MS;
    if (!o->idle_ms) o->idle_ms = LIMIT_HTTP_IDLE_MS;
    if (!o->body_grace_ms) o->body_grace_ms = LIMIT_HTTP_BODY_GRACE_MS;
    if (!o->drain_ms) o->drain_ms = LIMIT_HTTP_DRAIN_MS;
}

struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o, struct err *e)
{
    struct http_server *s = mem_zalloc(sizeof *s);
    s->loop = l;
    s->opts = *o;
    s->listen_fd = -1;
    s->unix_path = o->unix_path ? mem_strdup(o->unix_path) : NULL;
    opts_default(&s->opts);
    arena_init(&s->arena);
    TAILQ_INIT(&s->conns);
    TAILQ_INIT(&s->ready);
    s->router = router_new(o->routes, o->route_count);
    s->timer = loop_timer_new(l, on_timer, s);
    s->hook = loop_hook_new(l, LOOP_HOOK_SEND, on_send, s);
    if (listen_start(s, e) && (!o->tls_cert || server_daemon(s, e))) return s;
    http_server_free(s);
    return NULL;
}

bool http_server_certificate(struct http_server *s, const char *cert, const char *key, struct err *e)
{
    ASSERT(s->opts.tls_cert && !s->running);
    return certs_add(&s->certs, cert, key, e);
}

/* Ends what is held: streams end, requests get 503. The list of connections does not change here:
 * only libmicrohttpd's run changes it. */
static void server_end_all(struct http_server *s)
{
    struct http_conn *c;
    TAILQ_FOREACH(c, &s->conns, link) {
        struct http_req *r = c->req;
        if (!r || !r->held) continue;
        r->stream.ended = true;
        if (r->state == REQ_HELD) {
            r->closing = true;
            req_refuse(r, 503, 14, "the server stops");
        }
        req_ready(r);
        req_gone(r);
    }
}

/* Runs until every answer is out or time is up; every connection is resumed then, as
 * MHD_stop_daemon demands. */
static void server_drain(struct http_server *s)
{
    int fd = s->mhd->get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int64_t end_us = loop_now_us() + (int64_t)s->opts.drain_ms * 1000;
    for (;;) {
        server_end_all(s);
        server_release(s);
        int64_t wait_us = server_run_us(s), left_us = end_us - loop_now_us();
        if (!TAILQ_EMPTY(&s->ready)) continue;
        if (s->requests == 0 || left_us <= 0) return;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, (int)((MIN(wait_us, left_us) + 999) / 1000));
    }
}

void http_server_free(struct http_server *s)
{
    if (!s) return;
    ASSERT(!s->running);
    s->stopping = true;
    listen_stop(s);
    loop_hook_free(s->hook);
    loop_timer_free(s->timer);
    loop_fd_free(s->epoll_watch);
    if (s->daemon) {
        server_drain(s);
        s->mhd->stop_daemon(s->daemon);
    }
    ASSERT(TAILQ_EMPTY(&s->conns));
    peers_fini(&s->peers);
    certs_fini(&s->certs);
    router_free(s->router);
    arena_fini(&s->arena);
    free(s->unix_path);
    free(s);
}

unsigned http_server_connections(const struct http_server *s) { return s->connections; }
