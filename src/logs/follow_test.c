/* following: lines appear as they are written, through one descriptor, and the end is known. */
#include <poll.h>

#include "logs/logs_test_p.h"

static bool readable(struct logs_follow *w, int timeout_ms)
{
    struct pollfd p = {logs_follow_fd(w), POLLIN, 0};
    return poll(&p, 1, timeout_ms) == 1;
}

/* What comes after an event; fails when none comes. */
static const char *next(struct fixture *f, struct logs_follow *w)
{
    assert_true(readable(w, 5000));
    OK(logs_follow_read(w, note, f, &f->e));
    assert_false(readable(w, 0)); /* all events are taken */
    return seen(f);
}

static void lines_appear_when_they_are_whole(void **state)
{
    struct fixture *f = *state;
    size_t i;
    const char *path = append(f, "a", STR(T("01") "stdout F one\n" T("02") "stdout F two\n"));
    struct logs_follow *w = logs_follow_open(&(struct logs_query){.tail = 1}, &f->e);
    OK(logs_follow_add(w, &(struct logs_source){path, false}, &i, &f->e));
    OK(logs_follow_read(w, note, f, &f->e));
    assert_string_equal(seen(f), "0:two|");
    OK(logs_follow_read(w, note, f, &f->e));
    assert_string_equal(seen(f), "");
    append(f, "a", STR(T("03") "stdout F th"));
    assert_string_equal(next(f, w), "");
    append(f, "a", STR("ree\n" T("04") "stdout P fo\n"));
    assert_string_equal(next(f, w), "0:three|");
    append(f, "a", STR(T("05") "stdout F ur\n"));
    assert_string_equal(next(f, w), "0:four|");

    append(f, "a", STR(T("06") "stderr P five\n" T("07") "stdout F six"));
    logs_follow_finish(w, i);
    assert_string_equal(next(f, w), "0:six|0:five|");
    logs_follow_close(w);
}

static void files_may_come_later(void **state)
{
    struct fixture *f = *state;
    size_t a, b;
    struct logs_follow *w = logs_follow_open(&(struct logs_query){.grep = STR("x")}, &f->e);
    const char *pa = str_fmt(&f->a, "%s/a", f->dir).p, *pb = str_fmt(&f->a, "%s/b", f->dir).p;
    OK(logs_follow_add(w, &(struct logs_source){pa, false}, &a, &f->e));
    OK(logs_follow_add(w, &(struct logs_source){pb, false}, &b, &f->e));
    OK(logs_follow_read(w, note, f, &f->e));
    assert_false(readable(w, 0));
    append(f, "b", STR(T("01") "stdout F x1\n" T("01") "stdout F y\n"));
    assert_string_equal(next(f, w), "1:x1|");
    append(f, "b", STR(T("02") "stdout F x2\n"));
    assert_string_equal(next(f, w), "1:x2|");
    append(f, "a", STR(T("05") "stdout F x5\n"));
    append(f, "b", STR(T("04") "stdout F x4\n"));
    assert_string_equal(next(f, w), "1:x4|0:x5|");
    logs_follow_finish(w, b);
    OK(logs_follow_read(w, note, f, &f->e));
    logs_follow_finish(w, a);
    OK(logs_follow_read(w, note, f, &f->e));
    assert_string_equal(seen(f), "");
    logs_follow_close(w);
}

static void finished_and_missing_files_end_at_once(void **state)
{
    struct fixture *f = *state;
    size_t i;
    struct logs_follow *w = logs_follow_open(&(struct logs_query){0}, &f->e);
    OK(logs_follow_add(w, &(struct logs_source){append(f, "a", STR(T("01") "stdout F x\n")), true}, &i, &f->e));
    OK(logs_follow_add(w, &(struct logs_source){"/nonexistent/main.log", true}, &i, &f->e));
    assert_int_equal(i, 1);
    OK(logs_follow_read(w, note, f, &f->e));
    assert_string_equal(seen(f), "0:x|");
    logs_follow_close(w);
    assert_null(logs_follow_open(&(struct logs_query){.grep = STR("[")}, &f->e));
}

static void directories_may_come_later(void **state)
{
    struct fixture *f = *state;
    size_t i;
    struct logs_follow *w = logs_follow_open(&(struct logs_query){0}, &f->e);
    OK(logs_follow_add(w, &(struct logs_source){str_fmt(&f->a, "%s/steps/7/main.log", f->dir).p, false}, &i, &f->e));
    OK(logs_follow_read(w, note, f, &f->e));
    assert_int_equal(mkdir(str_fmt(&f->a, "%s/steps", f->dir).p, 0700), 0);
    assert_string_equal(next(f, w), "");
    assert_int_equal(mkdir(str_fmt(&f->a, "%s/steps/7", f->dir).p, 0700), 0);
    append(f, "steps/7/main.log", STR(T("01") "stdout F x\n")); /* before its directory is looked at */
    assert_string_equal(next(f, w), "0:x|");
    append(f, "steps/7/main.log", STR(T("02") "stdout F y\n"));
    assert_string_equal(next(f, w), "0:y|");
    logs_follow_close(w);
}

/* Takes two lines, and refuses the third. */
struct two {
    struct fixture *f;
    struct logs_follow *w;
    int n;
};

static bool take_two(void *ctx, const struct logs_line *line, struct err *e)
{
    struct two *t = ctx;
    if (t->n++ < 2) return note(t->f, line, e);
    logs_follow_hold(t->w);
    return true;
}

static void pieces_go_on_where_they_ended(void **state)
{
    struct fixture *f = *state;
    static const char *const want[] = {"0:one|1:two|", "0:three|1:four|", "0:five|"};
    size_t i;
    bool more = true;
    struct logs_follow *w = logs_follow_open(&(struct logs_query){.still = true}, &f->e);
    assert_int_equal(logs_follow_fd(w), -1);
    OK(logs_follow_add(w, &(struct logs_source){append(f, "a", STR(T("01") "stdout F one\n" T("03") "stdout F three\n" T("05") "stdout F five\n")), true}, &i, &f->e));
    OK(logs_follow_add(w, &(struct logs_source){append(f, "b", STR(T("02") "stdout F two\n" T("04") "stdout F four\n")), true}, &i, &f->e));
    for (size_t k = 0; k < ARRAY_LEN(want); k++) {
        struct two t = {f, w, 0};
        assert_true(more);
        OK(logs_follow_piece(w, 1 << 20, take_two, &t, &more, &f->e));
        assert_string_equal(seen(f), want[k]);
    }
    assert_false(more);
    logs_follow_close(w);
}

/* A pattern that matches nowhere must not read all of a file in one go. */
static void pieces_are_bounded(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 20000, PIECE = 128 << 10 };
    struct buf b CLEANUP(buf_fini);
    size_t i, pieces = 0;
    bool more = true;
    buf_init(&b, 16 << 20);
    for (int k = 0; k < LINES; k++) buf_str(&b, STR(T("01") "stdout F nothing of interest\n"));
    buf_str(&b, STR(T("02") "stdout P the e\n" T("03") "stdout F nd\n"));
    struct logs_follow *w = logs_follow_open(&(struct logs_query){.grep = STR("end"), .still = true}, &f->e);
    OK(logs_follow_add(w, &(struct logs_source){append(f, "a", buf_view(&b)), true}, &i, &f->e));
    for (; more; pieces++) OK(logs_follow_piece(w, PIECE, note, f, &more, &f->e));
    assert_string_equal(seen(f), "0:the end|");
    assert_in_range(pieces, b.n / PIECE, b.n / PIECE + 2);
    logs_follow_close(w);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_appear_when_they_are_whole), TEST(files_may_come_later),
        TEST(finished_and_missing_files_end_at_once),
        TEST(directories_may_come_later), TEST(pieces_go_on_where_they_ended), TEST(pieces_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
