/* The client of net against this server: two ends of one protocol, in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server.h"
#include "loop/socket.h"
#include "net/unix_client.h"

enum { GUARD_S = 120 };

struct world {
    struct arena a;
    struct loop *loop;
    struct loop_timer *guard;
    bool late;
    char dir[32];
    const char *path;
    struct http_server *server;
    struct http_stream *stream;
    struct unix_call *call;
    struct loop_channel *channel;
    bool done, cancel_at_line;
    int status, lines;
    enum err_code code;
    struct buf got; /* lines with '|', then the body */
};

static void handle_echo(struct http_req *r, void *user)
{
    (void)user;
    struct str type = http_req_header(r, "Content-Type");
    http_reply(r, 200, type.p ? type.p : "none", http_req_body(r));
}

static void on_gone(void *user)
{
    struct world *w = user;
    http_stream_end(w->stream);
    w->stream = NULL;
}

static void handle_watch(struct http_req *r, void *user)
{
    struct world *w = user;
    http_req_on_gone(r, on_gone, w);
    w->stream = http_stream_begin(r, "application/x-ndjson");
}

static void on_guard(void *user) { ((struct world *)user)->late = true; }

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    arena_init(&w->a);
    buf_init(&w->got, 32 << 20);
    buf_str(&w->got, STR(""));
    memcpy(w->dir, "/tmp/skiff-call-XXXXXX", 23);
    if (!mkdtemp(w->dir)) return -1;
    w->path = str_fmt(&w->a, "%s/s", w->dir).p;
    w->loop = loop_new(NULL);
    w->guard = loop_timer_new(w->loop, on_guard, w);
    loop_timer_arm_us(w->guard, GUARD_S * 1000000LL);
    struct http_route *routes = ARENA_ARRAY(&w->a, struct http_route, 2);
    routes[0] = (struct http_route){"*", "/echo", handle_echo, w};
    routes[1] = (struct http_route){"GET", "/watch", handle_watch, w};
    struct http_server_opts o = {.unix_path = w->path, .routes = routes, .route_count = 2};
    w->server = http_server_new(w->loop, &o, NULL);
    *state = w;
    return w->server ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_server_free(w->server);
    loop_timer_free(w->guard);
    loop_free(w->loop);
    rmdir(w->dir);
    buf_fini(&w->got);
    arena_fini(&w->a);
    free(w);
    return 0;
}

static void on_line(void *user, struct str line)
{
    struct world *w = user;
    w->lines++;
    buf_str(&w->got, line);
    buf_char(&w->got, '|');
    if (w->cancel_at_line) unix_call_cancel(w->call);
}

static void on_done(void *user, const struct unix_reply *reply, const struct err *e)
{
    struct world *w = user;
    assert_false(w->done);
    w->done = true;
    w->status = reply->status;
    w->code = e ? e->code : ERR_NONE;
    buf_str(&w->got, reply->body);
}

static void call(struct world *w, struct unix_call_opts o)
{
    struct err e = {0};
    o.path = w->path;
    o.on_done = on_done;
    o.user = w;
    w->done = false;
    w->lines = 0;
    buf_reset(&w->got);
    w->call = unix_call_new(w->loop, &o, &e);
    if (!w->call) fail_msg("%s", e.text);
    assert_false(w->done);
}

#define WAIT(w, cond)                                                                              \
    do {                                                                                           \
        while (!(cond) && !(w)->late) loop_turn((w)->loop, true);                                  \
        assert_false((w)->late);                                                                   \
    } while (0)

static void a_call_brings_the_reply(void **state)
{
    struct world *w = *state;
    call(w, (struct unix_call_opts){.method = "POST", .target = "/echo", .body = STR("{\"a\":1}")});
    WAIT(w, w->done);
    assert_int_equal(w->status, 200);
    assert_string_equal(w->got.p, "{\"a\":1}");
    call(w, (struct unix_call_opts){.method = "GET", .target = "/nothing", .on_line = on_line});
    WAIT(w, w->done);
    assert_int_equal(w->status, 404);
    assert_int_equal(w->lines, 0);
    assert_int_equal(w->code, ERR_NONE);
    assert_true(str_starts(buf_view(&w->got), STR("{\"code\":5,")));
    call(w, (struct unix_call_opts){.method = "HEAD", .target = "/echo"});
    WAIT(w, w->done);
    assert_int_equal(w->status, 200);
}

static void large_bodies_pass(void **state)
{
    struct world *w = *state;
    size_t n = 10 << 20;
    char *big = mem_alloc(n);
    for (size_t i = 0; i < n; i++) big[i] = (char)('a' + i % 26);
    call(w, (struct unix_call_opts){.method = "PUT", .target = "/echo", .body = str_n(big, n)});
    WAIT(w, w->done);
    assert_int_equal(w->status, 200);
    assert_true(str_eq(buf_view(&w->got), str_n(big, n)));
    call(w, (struct unix_call_opts){.method = "PUT", .target = "/echo", .body = str_n(big, n), .max_body_bytes = 1000});
    WAIT(w, w->done);
    assert_int_equal(w->code, ERR_LIMIT);
    free(big);
}

static void lines_arrive_as_they_are_written(void **state)
{
    struct world *w = *state;
    call(w, (struct unix_call_opts){.method = "GET", .target = "/watch", .on_line = on_line});
    WAIT(w, w->stream);
    assert_true(http_stream_write(w->stream, STR("one\ntw")));
    WAIT(w, w->lines == 1);
    assert_true(http_stream_write(w->stream, STR("o\n\nfo")));
    WAIT(w, w->lines == 3);
    assert_true(http_stream_write(w->stream, STR("ur")));
    http_stream_end(w->stream);
    w->stream = NULL;
    WAIT(w, w->done);
    assert_int_equal(w->code, ERR_NONE);
    assert_string_equal(w->got.p, "one|two||four|");
}

static void a_call_may_be_cancelled(void **state)
{
    struct world *w = *state;
    call(w, (struct unix_call_opts){.method = "GET", .target = "/watch", .on_line = on_line});
    WAIT(w, w->stream);
    unix_call_cancel(w->call);
    WAIT(w, !w->stream);
    w->cancel_at_line = true;
    call(w, (struct unix_call_opts){.method = "GET", .target = "/watch", .on_line = on_line});
    WAIT(w, w->stream);
    assert_true(http_stream_write(w->stream, STR("one\ntwo\nthree\n")));
    WAIT(w, !w->stream);
    assert_int_equal(w->lines, 1);
    assert_false(w->done);
}

static void the_end_of_the_engine_is_seen_at_once(void **state)
{
    struct world *w = *state;
    call(w, (struct unix_call_opts){.method = "GET", .target = "/watch", .on_line = on_line});
    WAIT(w, w->stream);
    assert_true(http_stream_write(w->stream, STR("last\n")));
    http_server_free(w->server);
    w->server = NULL;
    WAIT(w, w->done);
    assert_string_equal(w->got.p, "last|");
    struct err e = {0};
    struct unix_call_opts o = {.path = w->path, .method = "GET", .target = "/echo", .on_done = on_done};
    assert_null(unix_call_new(w->loop, &o, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
}

/* An engine that dies says nothing: here a listener that takes the connection and closes it. */
static void a_dead_engine_is_an_error(void **state)
{
    struct world *w = *state;
    http_server_free(w->server);
    w->server = NULL;
    int fd = unix_listen(w->path, NULL);
    static const char *const says[] = {"", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\none\nha\r\n"};
    for (int i = 0; i < 2; i++) {
        call(w, (struct unix_call_opts){.method = "GET", .target = "/watch", .on_line = on_line});
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(send(peer, says[i], strlen(says[i]), MSG_NOSIGNAL), strlen(says[i]));
        shutdown(peer, SHUT_RDWR);
        WAIT(w, w->done);
        assert_int_equal(w->code, ERR_UNREACHABLE);
        assert_int_equal(w->lines, i);
        close(peer);
    }
    close(fd);
    unlink(w->path);
}

static void bad_requests_are_not_sent(void **state)
{
    struct world *w = *state;
    static const char *const targets[] = {"", "echo", "/a b", "/a\r\nX: y", "/\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct err e = {0};
        struct unix_call_opts o = {.path = w->path, .method = "GET", .target = targets[i], .on_done = on_done};
        assert_null(unix_call_new(w->loop, &o, &e));
        assert_int_equal(e.code, ERR_USAGE);
    }
}

static void *request_thread(void *user)
{
    struct world *w = user;
    struct unix_reply reply;
    struct unix_call_opts o = {.path = w->path, .method = "POST", .target = "/echo", .body = STR("abc"),
                               .content_type = "text/x"};
    struct arena a;
    arena_init(&a);
    bool ok = unix_request(&a, &o, &reply, NULL) && reply.status == 200 && str_is(reply.body, "abc")
              && str_is(reply.content_type, "text/x");
    arena_fini(&a);
    loop_channel_send(w->channel, ok ? w : NULL);
    return NULL;
}

static void on_thread_end(void *user, void *message)
{
    struct world *w = user;
    w->done = true;
    w->status = message != NULL;
}

static void a_request_may_wait_for_its_reply(void **state)
{
    struct world *w = *state;
    pthread_t t;
    w->channel = loop_channel_new(w->loop, on_thread_end, w, NULL);
    assert_int_equal(pthread_create(&t, NULL, request_thread, w), 0);
    WAIT(w, w->done);
    pthread_join(t, NULL);
    loop_channel_free(w->channel, NULL);
    assert_int_equal(w->status, 1);
}

#define CALL_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CALL_TEST(a_call_brings_the_reply),
        CALL_TEST(large_bodies_pass),
        CALL_TEST(lines_arrive_as_they_are_written),
        CALL_TEST(a_call_may_be_cancelled),
        CALL_TEST(the_end_of_the_engine_is_seen_at_once),
        CALL_TEST(a_dead_engine_is_an_error),
        CALL_TEST(bad_requests_are_not_sent),
        CALL_TEST(a_request_may_wait_for_its_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
