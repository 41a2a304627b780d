/* The frames of a container's output: however they are cut, the same comes out; and nothing else passes for frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "container/frames.h"

struct got {
    struct buf text; /* "1:a 2:bc " */
    int last;
    bool stop;
};

static bool take(void *user, int stream, struct str piece)
{
    struct got *g = user;
    if (stream != g->last) buf_printf(&g->text, "%s%d:", g->last ? " " : "", stream);
    g->last = stream;
    buf_str(&g->text, piece);
    return !g->stop;
}

static const char two[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2de\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1f";

static void pieces_of_any_size(void **state)
{
    struct str all = str_n(two, sizeof two - 1);
    for (size_t step = 1; step <= all.n; step++) {
        struct frames f = {0};
        struct got g = {0};
        struct err e = {0};
        buf_init(&g.text, 1000);
        for (size_t i = 0; i < all.n; i += step) assert_true(frames_feed(&f, str_sub(all, i, step), take, &g, &e));
        assert_true(frames_whole(&f));
        assert_true(str_is(buf_view(&g.text), "1:abc 2:de 1:f"));
        buf_fini(&g.text);
    }
}

static void what_is_cut_is_not_whole(void **state)
{
    struct str all = str_n(two, sizeof two - 1);
    const size_t ends[] = {11, 21, 29};
    for (size_t n = 1; n < all.n; n++) {
        struct frames f = {0};
        struct got g = {0};
        struct err e = {0};
        bool end = false;
        buf_init(&g.text, 1000);
        for (size_t i = 0; i < ARRAY_LEN(ends); i++) end |= n == ends[i];
        assert_true(frames_feed(&f, str_sub(all, 0, n), take, &g, &e));
        assert_int_equal(frames_whole(&f), end);
        buf_fini(&g.text);
    }
}

static void other_streams_are_refused(void **state)
{
    static const struct { const char *bytes; size_t n; } rows[] = {
        {"HTTP/1.1", 8}, {"\4\0\0\0\0\0\0\1x", 9}, {"\1\0\1\0\0\0\0\1x", 9}, {"hello, world", 12}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct frames f = {0};
        struct got g = {0};
        struct err e = {0};
        buf_init(&g.text, 1000);
        assert_false(frames_feed(&f, str_n(rows[i].bytes, rows[i].n), take, &g, &e));
        assert_string_equal(e.text, "the output of the container is no stream of frames");
        assert_int_equal(g.text.n, 0);
        buf_fini(&g.text);
    }
}

static void the_taker_may_stop(void **state)
{
    struct frames f = {0};
    struct got g = {.stop = true};
    struct err e = {0};
    buf_init(&g.text, 1000);
    assert_false(frames_feed(&f, str_n(two, sizeof two - 1), take, &g, &e));
    assert_int_equal(e.code, ERR_NONE);
    assert_true(str_is(buf_view(&g.text), "1:abc"));
    buf_fini(&g.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(what_is_cut_is_not_whole),
        cmocka_unit_test(other_streams_are_refused),
        cmocka_unit_test(the_taker_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
