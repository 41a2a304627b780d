/* The reply parser: every row whole, then byte by byte; both must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "net/http_reply.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const struct row {
    const char *bytes;
    const char *want; /* "STATUS TYPE [BODY]", or "more" (not complete), or "bad" */
} rows[] = {
    {OK "Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello", "200 text/plain [hello]"},
    {OK "content-length:0\r\n\r\n", "200  []"},
    {OK "CONTENT-TYPE:  a \r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n",
     "200 a [abc0123456789]"},
    {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: 1\r\n\r\n", "200  [x]"},
    {"HTTP/1.1 204 No Content\r\n\r\n", "204  []"},
    {"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx", "404  [x]"},
    {"HTTP/1.1 503 \r\nContent-Length: 1\r\n\r\nx", "503  [x]"},
    {"", "more"},
    {"HTTP/1.1 200", "more"},
    {OK "Content-Length: 5\r\n\r\nhell", "more"},
    {OK "Content-Length: 5\r\n", "more"},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "more"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "more"},
    {"HTTP/1.0 200 OK\r\n", "bad"},
    {"HTTP/1.1 100 Continue\r\n", "bad"},
    {"HTTP/1.1 2000 OK\r\n", "bad"},
    {"HTTP/1.1 20\r\n", "bad"},
    {"HTTP/1.1 +20 OK\r\n", "bad"},
    {"HTTP/1.1 700 OK\r\n", "bad"},
    {"\r\n", "bad"},
    {"HTTP/1.1 200 OK\n", "bad"},
    {OK "\r\n", "bad"},
    {OK "no colon\r\n", "bad"},
    {OK ": x\r\n", "bad"},
    {OK "Content-Length: +5\r\n", "bad"},
    {OK "Content-Length: 5x\r\n", "bad"},
    {OK "Content-Length: \r\n", "bad"},
    {OK "Content-Length: 0x5\r\n", "bad"},
    {OK "Content-Length: 9999999999999999999\r\n", "bad"},
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n", "bad"},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "bad"},
    {OK "Transfer-Encoding: gzip\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\n1g\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\n1;ext\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\n:\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "bad"},
    {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", "bad"},
    {OK "Content-Length: 1\r\n\r\nxy", "bad"},
    {OK "Content-Length: 0\r\n\r\n\r\n", "bad"},
};

static bool collect(void *user, struct str piece)
{
    assert_true(piece.n > 0);
    buf_str(user, piece);
    return true;
}

static void parse(struct str bytes, size_t step, struct buf *got)
{
    struct reply_parser p;
    struct buf body CLEANUP(buf_fini);
    struct err e = {0};
    bool ok = true;
    buf_init(&body, 1 << 20);
    reply_parser_init(&p, collect, &body);
    for (size_t i = 0; ok && i < bytes.n; i += step) ok = reply_parser_feed(&p, str_sub(bytes, i, step), &e);
    buf_reset(got);
    if (!ok) buf_str(got, STR("bad"));
    else if (!reply_parser_done(&p)) buf_str(got, STR("more"));
    else
        buf_printf(got, "%d %.*s [%.*s]", p.status, STR_ARG(buf_view(&p.content_type)),
                   STR_ARG(buf_view(&body)));
    assert_true(ok || (e.code == ERR_UNREACHABLE && e.text[0]));
    reply_parser_fini(&p);
}

static void replies_are_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    struct buf got CLEANUP(buf_fini);
    buf_init(&got, 10000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step < 100; step += 11) {
            parse(str_of(rows[i].bytes), step, &got);
            if (strcmp(got.p, rows[i].want)) fail_msg("row %zu: %s", i, got.p);
        }
        parse(str_of(rows[i].bytes), 10000, &got);
        assert_string_equal(got.p, rows[i].want);
    }
}

static void a_head_without_end_is_refused(void **state)
{
    (void)state;
    static const char *const starts[] = {"", OK "X: ", OK "Transfer-Encoding: chunked\r\n\r\n",
                                         OK "Transfer-Encoding: chunked\r\n\r\n0\r\n"};
    char block[1000];
    memset(block, '0', sizeof block);
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct reply_parser p;
        struct err e = {0};
        size_t n = 0;
        reply_parser_init(&p, collect, NULL);
        assert_true(reply_parser_feed(&p, str_of(starts[i]), &e));
        while (n < 2 * LIMIT_HTTP_HEAD_BYTES && reply_parser_feed(&p, str_n(block, sizeof block), &e)) n += 1000;
        assert_true(n <= LIMIT_HTTP_HEAD_BYTES);
        assert_int_equal(e.code, ERR_LIMIT);
        reply_parser_fini(&p);
    }
}

static bool stop(void *user, struct str piece)
{
    (void)piece;
    ++*(int *)user;
    return false;
}

static void the_reader_of_a_body_may_stop(void **state)
{
    (void)state;
    struct reply_parser p;
    struct err e = {0};
    int calls = 0;
    reply_parser_init(&p, stop, &calls);
    assert_false(reply_parser_feed(&p, STR(OK "Content-Length: 5\r\n\r\nhello"), &e));
    assert_int_equal(e.code, ERR_NONE);
    assert_false(reply_parser_feed(&p, STR("more"), &e));
    assert_int_equal(calls, 1);
    reply_parser_fini(&p);
}

static void a_reply_to_head_has_no_body(void **state)
{
    (void)state;
    struct reply_parser p;
    reply_parser_init(&p, collect, NULL);
    reply_parser_no_body(&p);
    assert_true(reply_parser_feed(&p, STR(OK "Content-Length: 5\r\n\r\n"), NULL));
    assert_true(reply_parser_done(&p));
    reply_parser_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read_in_pieces_of_any_size),
        cmocka_unit_test(a_head_without_end_is_refused),
        cmocka_unit_test(the_reader_of_a_body_may_stop),
        cmocka_unit_test(a_reply_to_head_has_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
