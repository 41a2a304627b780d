/* The HTTP client against a server on the loopback that answers as it is told, and mostly badly. Each
 * request is made waiting and on a loop, and both must say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/web_lines.h"

enum { HEAD_MAX = 16 << 10, GUARD_S = 240 };

static int listener, port;
static atomic_int accepted;

/* ---- the server ---- */

struct page {
    const char *path, *reply; /* `%d` in it is the port */
};

static const struct page pages[] = {
    {"/hello", "HTTP/1.1 200 OK\r\ncontent-TYPE: text/plain\r\nX-Two: a\r\nx-two:  b \r\nContent-Length: 2\r\n\r\nhi"},
    {"/absent", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"},
    {"/no-length", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"},
    {"/truncated", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"},
    {"/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"},
    {"/cut-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
    {"/lines", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\none\n\ntwo\n\r\n2\r\nth\r\n4\r\nree\n\r\n4\r\nrest\r\n0\r\n\r\n"},
    {"/cut-lines", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\none\ntwo\n\r\n"},
    {"/negative", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"},
    {"/huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"},
    {"/garbage", "SSH-2.0-OpenSSH\r\n"},
    {"/nothing", ""},
    {"/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"},
    {"/away", "HTTP/1.1 302 Found\r\nLocation: http://localhost:%d/echo\r\nContent-Length: 0\r\n\r\n"},
    {"/found", "HTTP/1.1 302 Found\r\nLocation: echo\r\nContent-Length: 0\r\n\r\n"},
    {"/moved", "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://localhost:%d/echo\r\nContent-Length: 5\r\n\r\nmoved"},
    {"/again", "HTTP/1.1 307 Temporary Redirect\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n"},
    {"/file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"},
    {"/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nwhere"},
    {"/interim", "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
};

static void send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0) return;
        p += k;
        n -= (size_t)k;
    }
}

/* The head, and as much of the body as Content-Length says. */
static size_t request_read(int fd, char *head)
{
    size_t n = 0, want = 0;
    head[0] = 0;
    while (n < HEAD_MAX - 1) {
        ssize_t k = recv(fd, head + n, HEAD_MAX - 1 - n, 0);
        if (k <= 0) return n;
        n += (size_t)k;
        head[n] = 0;
        const char *end = strstr(head, "\r\n\r\n"), *length = strstr(head, "Content-Length: ");
        if (head[0] == 0x16) return n; /* a TLS handshake */
        if (!end) continue;
        if (length && length < end) want = strtoul(length + 16, NULL, 10);
        if (n >= (size_t)(end + 4 - head) + want) return n;
    }
    return n;
}

static void echo(int fd, const char *request, size_t n)
{
    char head[128];
    int k = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    send_all(fd, head, (size_t)k);
    send_all(fd, request, n);
}

static void many_fields(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n", field[] = "X-Field: 0123456789\r\n", end[] = "\r\n";
    send_all(fd, head, sizeof head - 1);
    for (int i = 0; i < 10000; i++) send_all(fd, field, sizeof field - 1);
    send_all(fd, end, 2);
}

static void endless(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk[] = "4\r\nabcd\r\n";
    send_all(fd, head, sizeof head - 1);
    for (int i = 0; i < 1000000; i++) {
        if (send(fd, chunk, sizeof chunk - 1, MSG_NOSIGNAL) <= 0) return;
    }
}

static void wait_gone(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) continue;
}

static void gzipped(int fd)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\xc8\x04\x00\xac\x2a\x93\xd8\x02\x00\x00\x00";
    send_all(fd, reply, sizeof reply - 1);
}

static void answer(int fd, const char *request, size_t n)
{
    char path[256] = "", text[512];
    if (request[0] == 0x16) send_all(fd, pages[0].reply, strlen(pages[0].reply));
    sscanf(request, "%*s %255s", path);
    if (!strcmp(path, "/many")) many_fields(fd);
    else if (!strcmp(path, "/endless")) endless(fd);
    else if (!strcmp(path, "/gzip")) gzipped(fd);
    else if (!strcmp(path, "/silent")) wait_gone(fd);
    else if (!strcmp(path, "/drip")) send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", 39), wait_gone(fd);
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (strcmp(path, pages[i].path)) continue;
        const char *reply = pages[i].reply, *at = strstr(reply, "%d");
        if (at) snprintf(text, sizeof text, "%.*s%d%s", (int)(at - reply), reply, port, at + 2);
        send_all(fd, at ? text : reply, strlen(at ? text : reply));
        return;
    }
    if (strstr(path, "echo")) echo(fd, request, n);
}

static void *serve_one(void *user)
{
    int fd = (int)(intptr_t)user;
    char *head = mem_alloc(HEAD_MAX);
    size_t n = request_read(fd, head);
    if (n) answer(fd, head, n);
    close(fd);
    free(head);
    return NULL;
}

static void *serve(void *user)
{
    (void)user;
    for (;;) {
        pthread_t t;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) return NULL;
        atomic_fetch_add(&accepted, 1);
        if (pthread_create(&t, NULL, serve_one, (void *)(intptr_t)fd) == 0) pthread_detach(t);
    }
}

/* ---- the client, both ways ---- */

struct got {
    bool ended, led_away;
    int status;
    char body[HEAD_MAX], fields[2048], text[1000];
    enum err_code code;
};

static void keep(struct got *g, const struct web_reply *r, const struct err *e)
{
    g->ended = true;
    if (e) {
        g->code = e->code;
        snprintf(g->text, sizeof g->text, "%s", e->text);
        return;
    }
    g->status = r->status;
    g->led_away = r->led_away;
    snprintf(g->body, sizeof g->body, "%.*s", STR_ARG(r->body));
    for (size_t i = 0, n = 0; i < r->n_fields && n < sizeof g->fields; i++)
        n += (size_t)snprintf(g->fields + n, sizeof g->fields - n, "%.*s=%.*s|", STR_ARG(r->fields[i].name),
                              STR_ARG(r->fields[i].value));
}

static void on_done(void *user, const struct web_reply *r, const struct err *e) { keep(user, r, e); }

static void on_loop(const struct web_request *r, struct got *g)
{
    struct err e = {0};
    struct loop *l = loop_new(NULL);
    struct web_client *c = web_client_new(l, &e);
    assert_non_null(c);
    if (!web_call_new(c, r, on_done, g, &e)) keep(g, NULL, &e);
    else assert_false(g->ended); /* never from within */
    while (!g->ended && loop_turn(l, true)) continue;
    web_client_free(c);
    loop_free(l);
}

static struct got ask(const char *path, struct web_request r)
{
    struct arena a CLEANUP(arena_fini);
    struct web_reply reply;
    struct err e = {0};
    struct got waiting = {0}, looping = {0};
    arena_init(&a);
    if (!r.url.p) r.url = str_fmt(&a, "http://127.0.0.1:%d%s", port, path);
    if (web_fetch(&a, &r, &reply, &e)) keep(&waiting, &reply, NULL);
    else keep(&waiting, NULL, &e);
    on_loop(&r, &looping);
    assert_true(looping.ended);
    assert_int_equal(waiting.status, looping.status);
    assert_int_equal(waiting.code, looping.code);
    if (waiting.code != ERR_TIMEOUT) assert_string_equal(waiting.text, looping.text); /* how far it came by then is up to the machine */
    assert_string_equal(waiting.body, looping.body);
    assert_string_equal(waiting.fields, looping.fields);
    return waiting;
}

/* ---- what must come of it ---- */

static void good_replies(void **state)
{
    (void)state;
    struct got g = ask("/hello", (struct web_request){0});
    assert_int_equal(g.status, 200);
    assert_string_equal(g.body, "hi");
    assert_string_equal(g.fields, "Content-Type=text/plain|X-Two=a|X-Two=b|Content-Length=2|");
    g = ask("/absent", (struct web_request){0});
    assert_int_equal(g.status, 404);
    assert_string_equal(g.body, "gone");
    assert_string_equal(ask("/no-length", (struct web_request){0}).body, "until the end");
    assert_string_equal(ask("/gzip", (struct web_request){0}).body, "hi");
    g = ask("/interim", (struct web_request){0});
    assert_string_equal(g.body, "hi");
    assert_null(strstr(g.fields, "Early"));
    g = ask("/hello", (struct web_request){.method = STR("HEAD")});
    assert_int_equal(g.status, 200);
    assert_string_equal(g.body, "");
}

/* Nothing is sent that Go would not send, but the name of the program. */
static void what_is_sent(void **state)
{
    (void)state;
    struct web_field f[] = {{STR("X-One"), STR("1")}, {STR("X-Empty"), STR("")}, {STR("hOst"), STR("other.example")},
                            {STR("Content-Length"), STR("7")}};
    struct got g = ask("/echo", (struct web_request){.fields = f, .n_fields = 4});
    assert_ptr_equal(strstr(g.body, "GET /echo HTTP/1.1\r\n"), g.body);
    assert_non_null(strstr(g.body, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(g.body, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(g.body, "other.example\r\n"));
    assert_null(strstr(g.body, "127.0.0.1"));
    assert_null(strstr(g.body, "\r\nAccept:"));
    assert_null(strstr(g.body, "Content-"));
    g = ask("/echo", (struct web_request){.method = STR("POST")});
    assert_non_null(strstr(g.body, "\r\nContent-Length: 0\r\n"));
    assert_null(strstr(g.body, "Content-Type"));
    g = ask("/echo", (struct web_request){.method = STR("DELETE"), .body = STR("{\"a\":1}")});
    assert_ptr_equal(strstr(g.body, "DELETE /echo"), g.body);
    assert_non_null(strstr(g.body, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(g.body, "\r\n\r\n{\"a\":1}"));
    g = ask("/echo", (struct web_request){.user = STR("u"), .password = STR("p")});
    assert_non_null(strstr(g.body, "Authorization: Basic dTpw\r\n"));
    g = ask("/echo?q=a b&\xc3\xa9#part", (struct web_request){0});
    assert_non_null(strstr(g.body, "GET /echo?q=a%20b&%C3%A9 HTTP/1.1"));
    g = ask("/a/b/../echo/..", (struct web_request){0});
    assert_non_null(strstr(g.body, "GET /a/b/../echo/.. HTTP/1.1"));
}

static void redirects(void **state)
{
    (void)state;
    struct web_field f[] = {{STR("Authorization"), STR("secret-token")}, {STR("X-One"), STR("1")}};
    struct web_request post = {.method = STR("POST"), .body = STR("payload"), .fields = f, .n_fields = 2};
    struct got g = ask("/found", post);
    assert_ptr_equal(strstr(g.body, "GET /echo"), g.body);
    assert_null(strstr(g.body, "payload"));
    assert_non_null(strstr(g.body, "Authorization: secret-token"));
    assert_non_null(strstr(g.body, "Referer: http://127.0.0.1"));
    g = ask("/again", post);
    assert_ptr_equal(strstr(g.body, "POST /echo"), g.body);
    assert_non_null(strstr(g.body, "\r\n\r\npayload"));
    g = ask("/away", post); /* to another host: credentials stay here */
    assert_null(strstr(g.body, "secret-token"));
    assert_non_null(strstr(g.body, "X-One: 1"));
    struct web_field more[] = {{STR("X-Key"), STR("secret-token")}, {STR("Range"), STR("bytes=1-")}};
    g = ask("/away", (struct web_request){.fields = more, .n_fields = 2, .same_origin = true});
    assert_null(strstr(g.body, "secret-token")); /* whatever its name is */
    assert_non_null(strstr(g.body, "Range: bytes=1-"));
    g = ask("/away", (struct web_request){.user = STR("u"), .password = STR("p")});
    assert_null(strstr(g.body, "Authorization"));
    assert_true(g.led_away);
    g = ask("/moved", (struct web_request){.method = STR("POST"), .body = STR("token=1"), .same_origin = true});
    assert_int_equal(g.code, ERR_AUTH); /* a body may have secrets, too */
    g = ask("/again", (struct web_request){.method = STR("POST"), .body = STR("token=1"), .same_origin = true});
    assert_true(g.status == 200 && !g.led_away);
    g = ask("/moved", (struct web_request){.same_host = true});
    assert_true(g.status == 307 && !strcmp(g.body, "moved"));
    g = ask("/found", (struct web_request){.same_host = true});
    assert_int_equal(g.status, 200);
    g = ask("/nowhere", (struct web_request){0}); /* no Location: a reply like others */
    assert_int_equal(g.status, 302);
    assert_string_equal(g.body, "where");
    int before = atomic_load(&accepted);
    g = ask("/loop", (struct web_request){0});
    assert_int_equal(g.code, ERR_LIMIT);
    assert_non_null(strstr(g.text, "stopped after 10 redirects"));
    assert_int_equal(atomic_load(&accepted) - before, 20); /* both ways */
    g = ask("/file", (struct web_request){0});
    assert_int_equal(g.code, ERR_SPEC);
    assert_non_null(strstr(g.text, "unsupported protocol scheme \"file\""));
}

static void hostile_replies(void **state)
{
    static const struct {
        const char *path;
        enum err_code code;
        const char *text;
    } rows[] = {
        {"/truncated", ERR_UNREACHABLE, "unexpected EOF"},
        {"/bad-chunk", ERR_UNREACHABLE, ""},
        {"/cut-chunk", ERR_UNREACHABLE, ""},
        {"/negative", ERR_UNREACHABLE, ""},
        {"/garbage", ERR_UNREACHABLE, "Get \"http://127.0.0.1"},
        {"/nothing", ERR_UNREACHABLE, "EOF"},
        {"/huge", ERR_LIMIT, "larger than 1000 bytes"}, /* by its own word */
        {"/endless", ERR_LIMIT, "larger than 1000 bytes"},
        {"/many", ERR_LIMIT, "header exceeds"},
        {"/silent", ERR_TIMEOUT, "context deadline exceeded"},
        {"/drip", ERR_TIMEOUT, "context deadline exceeded"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool waits = rows[i].code == ERR_TIMEOUT;
        struct got g = ask(rows[i].path, (struct web_request){.max_bytes = 1000, .timeout_ms = waits ? 200 : 20000});
        if (g.code != rows[i].code || !strstr(g.text, rows[i].text))
            fail_msg("%s: status %d, code %d, %s", rows[i].path, g.status, g.code, g.text);
    }
}

static bool on_any_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    (void)user, (void)head, (void)piece, (void)e;
    return true;
}

static void a_stall_is_no_failed_connection(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct web_reply reply;
    struct err e;
    (void)state;
    arena_init(&a);
    struct web_request r = {.url = str_fmt(&a, "http://127.0.0.1:%d/drip", port), .on_piece = on_any_piece, .stall_s = 1};
    assert_false(web_fetch(&a, &r, &reply, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_string_equal(e.text, "read tcp: i/o timeout");
}

static void no_server(void **state)
{
    (void)state;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    char url[64], text[200];
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&at, &n), 0); /* bound, so nobody listens there */
    snprintf(url, sizeof url, "http://u:pw@127.0.0.1:%d/", ntohs(at.sin_port));
    snprintf(text, sizeof text, "Get \"http://u:***@127.0.0.1:%d/\": dial tcp 127.0.0.1:%d: connect: connection refused",
             ntohs(at.sin_port), ntohs(at.sin_port));
    struct got g = ask("", (struct web_request){.url = str_of(url)});
    assert_int_equal(g.code, ERR_UNREACHABLE);
    assert_string_equal(g.text, text);
    close(s);
}

static void bad_requests(void **state)
{
    static const struct {
        const char *method, *url, *text;
    } rows[] = {
        {"GET", "ftp://127.0.0.1/x", "unsupported protocol scheme \"ftp\""},
        {"GET", "file:///etc/passwd", "unsupported protocol scheme \"file\""},
        {"GET", "", "not a valid address"},
        {"GET", "http://", ""},
        {"GET", "http://127.0.0.1/\r\nX: y", "invalid control character"},
        {"GET /x HTTP/1.1\r\nX:", "http://127.0.0.1/", "invalid method"},
        {"PO ST", "http://127.0.0.1/", "invalid method"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct got g = ask("", (struct web_request){.method = str_of(rows[i].method), .url = str_of(rows[i].url)});
        if (!g.code || g.code == ERR_TIMEOUT || !strstr(g.text, rows[i].text))
            fail_msg("%s %s: status %d, code %d, %s", rows[i].method, rows[i].url, g.status, g.code, g.text);
    }
    struct web_field bad[] = {{STR("X\r\nY"), STR("1")}, {STR("X"), STR("secret\r\nY: 2")}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct got g = ask("/hello", (struct web_request){.fields = &bad[i], .n_fields = 1});
        assert_int_equal(g.code, ERR_SPEC);
        assert_null(strstr(g.text, "secret"));
    }
}

static void bad_tls(void **state)
{
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "https://127.0.0.1:%d/hello", port); /* it speaks no TLS */
    for (int insecure = 0; insecure < 2; insecure++) {
        struct got g = ask("", (struct web_request){.url = str_of(url), .insecure = insecure, .timeout_ms = 20000});
        assert_int_equal(g.code, ERR_UNREACHABLE);
    }
}

static void files(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct web_reply reply;
    char text[HEAD_MAX] = "";
    FILE *in = tmpfile(), *out = tmpfile();
    (void)state;
    arena_init(&a);
    fputs("content of a file", in);
    fflush(in);
    struct web_request r = {.method = STR("PUT"), .from_file = true, .source_fd = fileno(in), .to_file = true,
                            .sink_fd = fileno(out), .url = str_fmt(&a, "http://127.0.0.1:%d/again", port)};
    assert_true(web_fetch(&a, &r, &reply, NULL)); /* sent twice: 307 repeats it */
    assert_int_equal(reply.body.n, 0);
    assert_true(pread(fileno(out), text, sizeof text - 1, 0) > 0);
    assert_ptr_equal(strstr(text, "PUT /echo"), text);
    assert_non_null(strstr(text, "\r\n\r\ncontent of a file"));
    r.url = str_fmt(&a, "http://127.0.0.1:%d/absent", port);
    assert_int_equal(ftruncate(fileno(out), 0), 0);
    assert_true(web_fetch(&a, &r, &reply, NULL)); /* what a 404 says is not the file */
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.body.p, "gone");
    assert_int_equal(lseek(fileno(out), 0, SEEK_END), 0);
    r.max_bytes = 1; /* of the file: a refusal may need more words */
    assert_true(web_fetch(&a, &r, &reply, NULL));
    assert_string_equal(reply.body.p, "gone");
    fclose(in);
    fclose(out);
}

static void cancelled(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct loop *l = loop_new(NULL);
    struct web_client *c = web_client_new(l, NULL);
    struct got g = {0}, other = {0};
    atomic_bool yes = true;
    struct web_reply reply;
    struct err e = {0};
    (void)state;
    arena_init(&a);
    struct web_request r = {.url = str_fmt(&a, "http://127.0.0.1:%d/silent", port)};
    struct web_request hello = {.url = str_fmt(&a, "http://127.0.0.1:%d/hello", port)};
    struct web_call *first = web_call_new(c, &r, on_done, &g, NULL), *silent = web_call_new(c, &r, on_done, &g, NULL);
    assert_non_null(web_call_new(c, &hello, on_done, &other, NULL));
    web_call_cancel(first); /* before it began */
    while (!other.ended && loop_turn(l, true)) continue;
    web_call_cancel(silent); /* while it waits */
    assert_false(g.ended);
    assert_int_equal(other.status, 200);
    web_client_free(c);
    loop_free(l);
    r.cancelled = &yes;
    assert_false(web_fetch(&a, &r, &reply, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
}

/* ---- a Unix socket ---- */

struct line {
    int listener;
    sem_t told; /* the client has been told of the head */
    struct buf got;
    size_t calls;
};

/* What follows the head waits until that has been told. */
static void *serve_line(void *user)
{
    struct line *l = user;
    char *head = mem_alloc(HEAD_MAX);
    int fd = accept(l->listener, NULL, NULL);
    request_read(fd, head);
    send_all(fd, "HTTP/1.1 200 OK\r\nX-Path: ", 25);
    send_all(fd, head, strcspn(head, "\r"));
    send_all(fd, "\r\n\r\n", 4);
    sem_wait(&l->told);
    send_all(fd, "until the end", 13);
    close(fd);
    free(head);
    return NULL;
}

static bool on_line_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    struct line *l = user;
    assert_int_equal(head->status, 200);
    if (!l->calls++) {
        assert_int_equal(piece.n, 0);
        sem_post(&l->told);
    }
    buf_str(&l->got, piece);
    return true;
}

static void unix_sockets(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct line l = {.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct web_reply reply;
    struct err e;
    pthread_t t;
    (void)state;
    arena_init(&a);
    buf_init(&l.got, 100);
    sem_init(&l.told, 0, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/web-test-%d.sock", (int)getpid());
    assert_int_equal(bind(l.listener, (struct sockaddr *)&at, sizeof at) | listen(l.listener, 1), 0);
    assert_int_equal(pthread_create(&t, NULL, serve_line, &l), 0);
    struct web_request r = {.url = STR("http://localhost/a?b=c"), .socket = at.sun_path, .on_piece = on_line_piece, .piece_user = &l, .tell_head = true};
    assert_true(web_fetch(&a, &r, &reply, &e));
    assert_string_equal(reply.fields[0].value.p, "GET /a?b=c HTTP/1.1");
    assert_true(str_is(buf_view(&l.got), "until the end"));
    pthread_join(t, NULL);
    close(l.listener);
    unlink(at.sun_path);
    assert_false(web_fetch(&a, &r, &reply, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    buf_fini(&l.got);
}

/* ---- lines ---- */

struct lines_got {
    struct web_lines *lines;
    struct buf told;
    int left; /* lines until it is cancelled from within; < 0: never */
    struct got end;
};

static void on_stream_line(void *user, struct str line)
{
    struct lines_got *g = user;
    buf_printf(&g->told, "%.*s|", STR_ARG(line));
    if (--g->left) return;
    web_lines_cancel(g->lines);
    g->end.ended = true;
}

static void on_stream_done(void *user, const struct web_reply *r, const struct err *e) { keep(&((struct lines_got *)user)->end, r, e); }

static void lines_are(const char *path, int left, const char *told, int status, enum err_code code)
{
    struct arena a CLEANUP(arena_fini);
    struct lines_got g = {.left = left};
    struct err e = {0};
    arena_init(&a);
    buf_init(&g.told, 1000);
    struct loop *l = loop_new(NULL);
    struct web_client *c = web_client_new(l, &e);
    struct web_request r = {.url = str_fmt(&a, "http://127.0.0.1:%d%s", port, path)};
    struct web_lines_opts o = {.request = &r, .on_line = on_stream_line, .on_done = on_stream_done, .user = &g};
    g.lines = web_lines_new(l, c, &o, &e);
    assert_non_null(g.lines);
    while (!g.end.ended && loop_turn(l, true)) continue;
    assert_string_equal(buf_dup(&a, &g.told).p, told);
    assert_int_equal(g.end.status, status);
    assert_int_equal(g.end.code, code);
    if (status) assert_non_null(strstr(g.end.fields, status == 200 ? "Transfer-Encoding=chunked" : "Content-Length=4"));
    web_client_free(c);
    loop_free(l);
    buf_fini(&g.told);
}

static void streams_of_lines(void **state)
{
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    lines_are("/lines", -1, "one||two|three|", 200, ERR_NONE); /* what is no line is none */
    lines_are("/cut-lines", -1, "one|two|", 0, ERR_UNREACHABLE);
    lines_are("/lines", 2, "one||", 0, ERR_NONE);
    lines_are("/absent", -1, "", 404, ERR_NONE);
    assert_string_equal(web_escape(&a, STR("a/b c?%\xc3\xa4-._~")).p, "a%2Fb%20c%3F%25%C3%A4-._~");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_replies), cmocka_unit_test(what_is_sent),    cmocka_unit_test(redirects),
        cmocka_unit_test(no_server),    cmocka_unit_test(hostile_replies), cmocka_unit_test(bad_requests),
        cmocka_unit_test(bad_tls),      cmocka_unit_test(files),           cmocka_unit_test(cancelled),
        cmocka_unit_test(unix_sockets), cmocka_unit_test(streams_of_lines), cmocka_unit_test(a_stall_is_no_failed_connection),
    };
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    pthread_t t;
    unsetenv("http_proxy");
    alarm(GUARD_S);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&at, &n) || pthread_create(&t, NULL, serve, NULL))
        return 1;
    port = ntohs(at.sin_port);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
