/* The server and its clients over TCP: who may have how many connections; ids, compression, certificates. */
#include <poll.h>
#include <zlib.h>

#include "http/server_test_p.h"
#include "http/waiting.h"

static int tcp_listener(struct sockaddr_in *at)
{
    socklen_t n = sizeof *at;
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)at, n), 0);
    assert_int_equal(listen(fd, 10), 0);
    getsockname(fd, (struct sockaddr *)at, &n);
    return fd;
}

/* A client whose own address is 127.0.0.`last`. */
static struct client client_from(struct world *w, const struct sockaddr_in *to, unsigned last, const char *text)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffu) | last)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(connect(s, (const struct sockaddr *)to, sizeof *to), 0);
    struct client c = client_of(w, s);
    client_send(&c, text);
    return c;
}

/* What one address may have too much of, another one still gets; and it comes back. */
static void one_address_cannot_take_all(void **state)
{
    struct world *w = *state;
    struct sockaddr_in at;
    int fd = tcp_listener(&at);
    serve(w, (struct http_server_opts){.listen_fd = fd, .max_address_connections = 2});
    struct client a = client_from(w, &at, 2, GET("/watch")), b = client_from(w, &at, 2, GET("/watch"));
    watching(w, 2);
    struct client refused = client_from(w, &at, 2, "");
    client_wait(&refused, NULL);
    assert_true(has(buf_view(&refused.in), " 503 ") && has(buf_view(&refused.in), "LIMIT_HTTP_ADDRESS_CONNECTIONS"));
    struct client other = client_from(w, &at, 3, GET("/hello"));
    assert_true(client_wait(&other, "hello"));
    client_close(&other);
    client_close(&a);
    while (w->server->connections > 1 && !w->late) loop_turn(w->loop, true);
    struct client again = client_from(w, &at, 2, GET("/hello"));
    assert_true(client_wait(&again, "hello"));
    client_close(&again);
    client_close(&refused);
    client_close(&b);
}

/* A connection that is kept has memory of its own; with many of them each is ended by its answer. */
static void only_so_many_are_kept(void **state)
{
    struct world *w = *state;
    serve(w, (struct http_server_opts){.max_kept = 1});
    struct client first = client_new(w, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client_wait(&first, "hello") && !has(buf_view(&first.in), "Connection: close"));
    struct client second = client_new(w, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    client_wait(&second, NULL);
    assert_true(has(buf_view(&second.in), "Connection: close\r\n") && has(buf_view(&second.in), "hello"));
    client_close(&second);
    while (w->server->connections > 1 && !w->late) loop_turn(w->loop, true);
    buf_reset(&first.in);
    client_send(&first, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client_wait(&first, "hello") && !first.eof);
    client_close(&first);
}

static void requests_have_an_id(void **state)
{
    struct world *w = *state;
    serve(w, (struct http_server_opts){0});
    assert_true(has(exchange(w, "GET /hello" HEAD "X-Request-Id: my-own.id/7\r\n\r\n"), "X-Request-Id: my-own.id/7\r\n"));
    struct str one = exchange(w, GET("/hello")), two = exchange(w, GET("/hello"));
    ptrdiff_t at = str_find(one, STR("X-Request-Id: "), 0);
    assert_true(at > 0);
    assert_false(has(two, str_z(&w->a, str_sub(one, (size_t)at, 14 + 16))));
    assert_true(has(exchange(w, GET("/nothing")), "X-Request-Id: "));
    struct str odd = exchange(w, "GET /hello" HEAD "X-Request-Id: two words\r\n\r\n");
    assert_true(has(odd, "X-Request-Id: ") && !has(odd, "two words"));
    struct str longest = str_fmt(&w->a, "GET /hello" HEAD "X-Request-Id: %0*d\r\n\r\n", LIMIT_HTTP_REQUEST_ID_BYTES + 1, 0);
    assert_false(has(exchange(w, longest.p), "X-Request-Id: 00000000000000000"));
}

/* The bytes of a chunked answer. */
static struct str unchunk(struct arena *a, struct str answer)
{
    struct buf b;
    ptrdiff_t at = str_find(answer, STR("\r\n\r\n"), 0);
    struct str rest = str_from(answer, (size_t)at + 4);
    buf_init(&b, 64 << 20);
    for (size_t n; (n = strtoul(rest.p, NULL, 16)) > 0;) {
        rest = str_from(rest, (size_t)str_find(rest, STR("\r\n"), 0) + 2);
        buf_str(&b, str_sub(rest, 0, n));
        rest = str_from(rest, n + 2);
    }
    struct str out = buf_dup(a, &b);
    buf_fini(&b);
    return out;
}

static struct str gunzip(struct arena *a, struct str in)
{
    enum { OUT = 8 << 20 };
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    char *out = arena_alloc_bytes(a, OUT);
    z.next_out = (Bytef *)out;
    z.avail_out = OUT;
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    struct str got = str_n(out, z.total_out);
    inflateEnd(&z);
    return got;
}

static void large_json_is_compressed_for_who_takes_it(void **state)
{
    struct world *w = *state;
    serve(w, (struct http_server_opts){0});
    static const char *const targets[] = {"/json?n=1024", "/json?n=5000000", "/json?n=5000000&copy=1"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct str plain = exchange(w, str_fmt(&w->a, "GET %s" HEAD "\r\n", targets[i]).p);
        struct str packed = exchange(w, str_fmt(&w->a, "GET %s" HEAD "Accept-Encoding: br, gzip\r\n\r\n", targets[i]).p);
        assert_true(has(packed, "Content-Encoding: gzip\r\n") && has(packed, "Vary: Accept-Encoding\r\n"));
        assert_true(has(plain, "Vary: Accept-Encoding\r\n") && !has(plain, "Content-Encoding"));
        struct str body = str_from(plain, (size_t)str_find(plain, STR("\r\n\r\n"), 0) + 4);
        assert_true(str_eq(gunzip(&w->a, unchunk(&w->a, packed)), body));
        assert_true(packed.n < plain.n);
    }
    assert_false(has(exchange(w, "GET /json?n=1023" HEAD "Accept-Encoding: gzip\r\n\r\n"), "Content-Encoding"));
    assert_false(has(exchange(w, "GET /hello" HEAD "Accept-Encoding: gzip\r\n\r\n"), "Content-Encoding"));
    struct str head = exchange(w, "HEAD /json?n=5000000" HEAD "Accept-Encoding: gzip\r\n\r\n");
    assert_true(has(head, "Content-Encoding: gzip") && str_ends(head, STR("\r\n\r\n")));
    struct client gone = client_new(w, "GET /json?n=5000000" HEAD "Accept-Encoding: gzip\r\n\r\n");
    client_wait(&gone, "Content-Encoding"); /* the rest is given up with the client */
    client_close(&gone);
    while (w->server->connections && !w->late) loop_turn(w->loop, true);
}

static void a_bad_certificate_is_refused_at_once(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    struct http_server_opts o = {.unix_path = w->path, .routes = routes_of(w), .tls_cert = "no", .tls_key = "pem"};
    assert_null(http_server_new(w->loop, &o, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_true(has(str_of(e.text), "certificate and key cannot be used: "));
}

static void tcp_works_too(void **state)
{
    struct world *w = *state;
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    int fd = tcp_listener(&in);
    serve(w, (struct http_server_opts){.listen_fd = fd});
    for (int i = 0; i < 3; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(s, (struct sockaddr *)&in, n), 0);
        struct client c = client_of(w, s);
        client_send(&c, i ? GET("/watch") : GET("/hello"));
        assert_true(client_wait(&c, i ? "chunked\r\n" : "hello"));
        client_close(&c);
    }
    while (w->server->connections && !w->late) loop_turn(w->loop, true);
    assert_int_equal(w->gone, 2);
}

/* Whoever comes before the server is told to wait; whoever comes after that waits for it. */
static void before_the_server_somebody_says_so(void **state)
{
    struct world *w = *state;
    struct sockaddr_in at;
    struct err e = {0};
    int fd = tcp_listener(&at);
    struct http_waiting *waiting = http_waiting_begin(fd, &e);
    assert_non_null(waiting);
    for (int i = 0; i < 3; i++) {
        struct client c = client_from(w, &at, 2, i ? GET("/readyz") : "GET ");
        client_wait(&c, NULL);
        assert_true(has(buf_view(&c.in), "HTTP/1.1 503 ") && has(buf_view(&c.in), "\"code\":14,\"message\":\"the state is being loaded\""));
        client_close(&c);
    }
    struct client slow = client_from(w, &at, 2, "GET /"); /* never ends its request */
    struct pollfd answer = {.fd = slow.fd, .events = POLLIN};
    int sent = 0;
    for (; sent < 500 && poll(&answer, 1, 20) == 0; sent++) client_send(&slow, "x");
    assert_in_range(sent, 1, 499);
    client_close(&slow);
    http_waiting_end(waiting);
    http_waiting_end(NULL);
    struct client early = client_from(w, &at, 2, GET("/hello"));
    serve(w, (struct http_server_opts){.listen_fd = fd});
    assert_true(client_wait(&early, "hello"));
    client_close(&early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(tcp_works_too),
        HTTP_TEST(before_the_server_somebody_says_so),
        HTTP_TEST(one_address_cannot_take_all),
        HTTP_TEST(only_so_many_are_kept),
        HTTP_TEST(requests_have_an_id),
        HTTP_TEST(large_json_is_compressed_for_who_takes_it),
        HTTP_TEST(a_bad_certificate_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
