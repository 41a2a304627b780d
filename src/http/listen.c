/* The listening socket: who may connect, and how many. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_p.h"
#include "loop/socket.h"

enum { ACCEPT_BATCH = 64, PAUSE_MS = 100 };

/* With TLS nobody has shaken hands yet: nothing can be said. */
static void refuse(struct http_server *s, int fd, int status, int code, const char *text)
{
    if (!s->opts.tls_cert) reply_raw(fd, status, code, text);
    close(fd);
}

static void conn_accept(struct http_server *s, int fd)
{
    struct err e = {0};
    struct sockaddr_storage addr = {.ss_family = AF_UNIX};
    socklen_t n = sizeof addr;
    getpeername(fd, (struct sockaddr *)&addr, &n);
    if (s->is_unix && !unix_peer_trusted(fd)) {
        refuse(s, fd, 403, 7, "this socket is for its owner only");
    } else if (s->connections >= s->opts.max_connections) {
        refuse(s, fd, 503, 14, "too many connections (LIMIT_HTTP_CONNECTIONS)");
    } else if (!s->is_unix && peer_connections(&s->peers, &addr) >= s->opts.max_address_connections) {
        refuse(s, fd, 503, 14, "too many connections from one address (LIMIT_HTTP_ADDRESS_CONNECTIONS)");
    } else if (!server_daemon(s, &e)) {
        refuse(s, fd, err_http_status(e.code), err_grpc_code(e.code), e.text);
    } else {
        s->mhd->add_connection(s->daemon, fd, (struct sockaddr *)&addr, MIN(n, (socklen_t)sizeof addr));
        s->dirty = true;
    }
}

/* Without descriptors the socket stays readable: look again later instead of spinning. */
static void on_listen(void *user, unsigned events)
{
    struct http_server *s = user;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            conn_accept(s, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN) {
            loop_fd_watch(s->listen_watch, 0);
            loop_timer_arm_us(s->listen_pause, PAUSE_MS * 1000);
        }
        return;
    }
}

static void on_pause_end(void *user)
{
    struct http_server *s = user;
    loop_fd_watch(s->listen_watch, LOOP_READ);
}

bool listen_start(struct http_server *s, struct err *e)
{
    s->listen_fd = s->unix_path ? unix_listen(s->unix_path, e) : s->opts.listen_fd;
    if (s->listen_fd < 0) return false;
    int domain = 0;
    socklen_t n = sizeof domain;
    if (getsockopt(s->listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &n))
        return err_sys(e, "not a listening socket");
    s->is_unix = domain == AF_UNIX;
    s->listen_watch = loop_fd_new(s->loop, s->listen_fd, on_listen, s, e);
    if (!s->listen_watch) return false;
    s->listen_pause = loop_timer_new(s->loop, on_pause_end, s);
    loop_fd_watch(s->listen_watch, LOOP_READ);
    return true;
}

void listen_stop(struct http_server *s)
{
    loop_timer_free(s->listen_pause);
    loop_fd_free(s->listen_watch);
    if (s->listen_fd < 0) return;
    if (s->unix_path) unlink(s->unix_path);
    close(s->listen_fd);
    s->listen_fd = -1;
}
