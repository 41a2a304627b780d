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
    assert_false(logs_follow_add(w, &(struct logs_source){"/nonexistent/main.log", false}, &i, &f->e));
    assert_int_equal(f->e.code, ERR_IO);
    logs_follow_close(w);
    assert_null(logs_follow_open(&(struct logs_query){.grep = STR("[")}, &f->e));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_appear_when_they_are_whole), TEST(files_may_come_later),
        TEST(finished_and_missing_files_end_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
