/* A server and its clients over raw sockets, in one thread: the clients are watches of the same loop. For test programs. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/server_p.h"
#include "loop/socket.h"

enum { GUARD_S = 120, KEPT = 300 };

struct watcher {
    struct world *w;
    struct http_stream *stream; /* NULL: ended */
};

struct world {
    struct arena a;
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_hook *commit;
    bool late;
    char dir[32];
    const char *path;
    struct http_server *server;
    struct http_req *held;         /* by /later */
    struct watcher watchers[KEPT]; /* by /watch */
    unsigned watching, gone, handled, answers;
    int answered; /* the last status that the owner was told */
    bool uncommitted; /* a handler did something that no commit hook has seen yet */
    struct client *peek;
};

struct client {
    struct world *w;
    int fd;
    struct loop_fd *watch;
    struct buf in;
    bool eof;
};

static inline void on_client(void *user, unsigned events)
{
    struct client *c = user;
    (void)events;
    char *to = buf_room(&c->in, 64 << 10);
    assert_non_null(to);
    ssize_t n = recv(c->fd, to, 64 << 10, MSG_DONTWAIT);
    if (n > 0) {
        buf_added(&c->in, (size_t)n);
        c->in.p[c->in.n] = 0;
    } else if (n == 0 || errno != EAGAIN) {
        c->eof = true;
        loop_fd_watch(c->watch, 0);
    }
}

static inline struct client client_of(struct world *w, int fd)
{
    assert_true(fd >= 0);
    struct client c = {.w = w, .fd = fd};
    buf_init(&c.in, 64 << 20);
    buf_str(&c.in, STR(""));
    return c;
}

/* Watched only while waiting, so a client may also be slow. */
static inline bool client_wait(struct client *c, const char *text)
{
    c->watch = loop_fd_new(c->w->loop, c->fd, on_client, c, NULL);
    loop_fd_watch(c->watch, LOOP_READ);
    while (!c->eof && !c->w->late && !(text && str_find(buf_view(&c->in), str_of(text), 0) >= 0))
        loop_turn(c->w->loop, true);
    loop_fd_free(c->watch);
    assert_false(c->w->late);
    return !text || str_find(buf_view(&c->in), str_of(text), 0) >= 0;
}

static inline void client_send(struct client *c, const char *text)
{
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void client_close(struct client *c)
{
    close(c->fd);
    buf_fini(&c->in);
}

static inline struct client client_new(struct world *w, const char *text)
{
    struct client c = client_of(w, unix_connect(w->path, NULL));
    client_send(&c, text);
    return c;
}

/* Sends a request and reads until the server closes. */
static inline struct str exchange(struct world *w, const char *text)
{
    struct client c = client_new(w, text);
    client_wait(&c, NULL);
    struct str got = buf_dup(&w->a, &c.in);
    client_close(&c);
    return got;
}

static inline bool has(struct str s, const char *text) { return str_find(s, str_of(text), 0) >= 0; }

#define HEAD " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
#define GET(target) "GET " target HEAD "\r\n"

static inline void handle_hello(struct http_req *r, void *user)
{
    struct world *w = user;
    w->handled++;
    w->uncommitted = true;
    if (w->watchers[0].stream) assert_true(http_stream_write(w->watchers[0].stream, STR("tick")));
    http_reply(r, 200, "text/plain", STR("hello"));
}

static inline void handle_item(struct http_req *r, void *user)
{
    struct buf b;
    (void)user;
    buf_init(&b, 10000);
    buf_printf(&b, "[%.*s|%.*s|%.*s|%.*s|%.*s]", STR_ARG(http_req_param(r, "ns")),
               STR_ARG(http_req_param(r, "name")),
               STR_ARG(http_req_query(r, "listOptions.labelSelector")),
               STR_ARG(http_req_header(r, "x-test")), STR_ARG(http_req_target(r)));
    assert_false(str_set(http_req_param(r, "other")));
    assert_false(str_set(http_req_query(r, "other")));
    assert_false(str_set(http_req_header(r, "other")));
    assert_true(http_reply_header(r, "X-Made", STR("yes")));
    assert_false(http_reply_header(r, "X-Bad", STR("a\r\nb")));
    http_reply_buf(r, 201, "text/plain", &b);
}

static inline void handle_echo(struct http_req *r, void *user)
{
    struct world *w = user;
    w->handled++;
    http_reply(r, 200, "application/octet-stream", http_req_body(r));
}

static inline void held_is_gone(void *user) { ((struct world *)user)->gone++; }

static inline void handle_later(struct http_req *r, void *user)
{
    struct world *w = user;
    http_req_on_gone(r, held_is_gone, w);
    w->held = r;
}

static inline void handle_file(struct http_req *r, void *user)
{
    struct world *w = user;
    struct http_file f = {.fd = open(w->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), .offset = 2, .size = 5};
    assert_int_equal(write(f.fd, "0123456789", 10), 10);
    http_reply_file(r, 206, "application/octet-stream", &f);
}

static inline void handle_err(struct http_req *r, void *user)
{
    struct err e = {0};
    (void)user;
    err_set(&e, ERR_NOT_FOUND, "no workflow \"x\"");
    http_reply_err(r, &e);
}

static inline void stream_gone(void *user)
{
    struct watcher *x = user;
    x->w->gone++;
    assert_false(http_stream_write(x->stream, STR("x")));
    http_stream_end(x->stream);
    x->stream = NULL;
}

static inline void handle_watch(struct http_req *r, void *user)
{
    struct world *w = user;
    struct watcher *x = &w->watchers[w->watching++];
    x->w = w;
    http_req_on_gone(r, stream_gone, x);
    x->stream = http_stream_begin(r, http_req_wants_sse(r) ? "text/event-stream" : "application/x-ndjson");
}

static inline void on_guard(void *user) { ((struct world *)user)->late = true; }

/* What a handler did is committed here: before that, nothing may have reached the client. */
static inline void on_commit(void *user)
{
    struct world *w = user;
    char c;
    if (w->uncommitted && w->peek)
        assert_int_equal(recv(w->peek->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT), -1);
    w->uncommitted = false;
}

/* {"text":"aaa…"} of as many bytes as the query asks for. */
static inline void handle_json(struct http_req *r, void *user)
{
    int64_t n = 0;
    struct buf b;
    (void)user;
    assert_true(str_to_i64(http_req_query(r, "n"), &n));
    buf_init(&b, 64 << 20);
    buf_str(&b, STR("{\"text\":\""));
    while ((int64_t)b.n < n - 2) buf_char(&b, (char)('a' + b.n % 23));
    buf_str(&b, STR("\"}"));
    if (str_set(http_req_query(r, "copy"))) {
        http_reply(r, 200, "application/json", buf_view(&b));
        buf_fini(&b);
    } else {
        http_reply_buf(r, 200, "application/json", &b);
    }
}

static inline struct http_route *routes_of(struct world *w)
{
    const struct http_route rows[] = {
        {"GET", "/hello", handle_hello, w},    {"GET", "/items/{ns}/{name}", handle_item, w},
        {"POST", "/echo", handle_echo, w},     {"GET", "/later", handle_later, w},
        {"GET", "/file", handle_file, w},      {"GET", "/err", handle_err, w},
        {"GET", "/watch", handle_watch, w},    {"GET", "/json", handle_json, w},
    };
    struct http_route *routes = arena_alloc(&w->a, sizeof rows);
    memcpy(routes, rows, sizeof rows);
    return routes;
}

static inline void serve(struct world *w, struct http_server_opts o)
{
    struct err e = {0};
    if (!o.listen_fd) o.unix_path = w->path;
    o.routes = routes_of(w);
    o.route_count = 8;
    w->server = http_server_new(w->loop, &o, &e);
    if (!w->server) fail_msg("%s", e.text);
}

static inline int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    arena_init(&w->a);
    memcpy(w->dir, "/tmp/skiff-http-XXXXXX", 23);
    if (!mkdtemp(w->dir)) return -1;
    w->path = str_fmt(&w->a, "%s/s", w->dir).p;
    w->loop = loop_new(NULL);
    w->guard = loop_timer_new(w->loop, on_guard, w);
    loop_timer_arm_us(w->guard, GUARD_S * 1000000LL);
    w->commit = loop_hook_new(w->loop, LOOP_HOOK_COMMIT, on_commit, w);
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    http_server_free(w->server);
    loop_hook_free(w->commit);
    loop_timer_free(w->guard);
    loop_free(w->loop);
    int rc = rmdir(w->dir); /* the socket's name is gone */
    arena_fini(&w->a);
    free(w);
    return rc;
}

static inline void watching(struct world *w, unsigned n)
{
    while (w->watching < n && !w->late) loop_turn(w->loop, true);
    assert_false(w->late);
}

#define HTTP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
