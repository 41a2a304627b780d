/* following: lines appear as they are written, the loop says when, and the end is known. */
#include "logs/logs_test_p.h"

struct following {
    struct loop *loop;
    struct logs_follow *files;
    int ready;
};

static void on_ready(void *user) { ((struct following *)user)->ready++; }

static struct following *follow(struct fixture *f, const struct logs_query *q)
{
    struct following *w = mem_zalloc(sizeof *w);
    w->loop = loop_new(NULL);
    OK((w->files = logs_follow_open(w->loop, q, on_ready, w, &f->e)) != NULL);
    return w;
}

static void follow_end(struct following *w)
{
    logs_follow_close(w->files);
    loop_free(w->loop);
    free(w);
}

static size_t add(struct fixture *f, struct following *w, const char *path)
{
    size_t i;
    OK(logs_follow_add(w->files, &(struct logs_source){path, false}, &i, &f->e));
    return i;
}

static const char *news(struct fixture *f, struct following *w)
{
    OK(logs_follow_read(w->files, note, f, &f->e));
    return seen(f);
}

/* Whether the loop says that there is something. */
static bool told(struct following *w)
{
    w->ready = 0;
    loop_turn(w->loop, false);
    assert_in_range(w->ready, 0, 1);
    return w->ready;
}

/* What comes after an event; fails when none comes. */
static const char *next(struct fixture *f, struct following *w)
{
    assert_true(told(w));
    const char *text = news(f, w);
    assert_false(told(w));
    return text;
}

static void lines_appear_when_they_are_whole(void **state)
{
    struct fixture *f = *state;
    const char *path = append(f, "a", STR(T("01") "stdout F one\n" T("02") "stdout F two\n"));
    struct following *w = follow(f, &(struct logs_query){.tail = 1});
    size_t i = add(f, w, path);
    assert_string_equal(news(f, w), "0:two|");
    assert_string_equal(news(f, w), "");
    append(f, "a", STR(T("03") "stdout F th"));
    assert_string_equal(next(f, w), "");
    append(f, "a", STR("ree\n" T("04") "stdout P fo\n"));
    assert_string_equal(next(f, w), "0:three|");
    append(f, "a", STR(T("05") "stdout F ur\n"));
    assert_string_equal(next(f, w), "0:four|");

    append(f, "a", STR(T("06") "stderr P five\n" T("07") "stdout F six"));
    logs_follow_finish(w->files, i);
    assert_false(told(w)); /* whoever finishes reads */
    assert_string_equal(news(f, w), "0:six|0:five|");
    follow_end(w);
}

static void files_may_come_later(void **state)
{
    struct fixture *f = *state;
    struct following *w = follow(f, &(struct logs_query){.grep = STR("x")});
    const char *pa = str_fmt(&f->a, "%s/a", f->dir).p, *pb = str_fmt(&f->a, "%s/b", f->dir).p;
    size_t a = add(f, w, pa), b = add(f, w, pb);
    assert_string_equal(news(f, w), "");
    append(f, "c", STR(T("01") "stdout F x of another step\n"));
    assert_false(told(w));
    append(f, "b", STR(T("01") "stdout F x1\n" T("01") "stdout F y\n"));
    assert_string_equal(next(f, w), "1:x1|");
    append(f, "b", STR(T("02") "stdout F x2\n"));
    assert_string_equal(next(f, w), "1:x2|");
    append(f, "a", STR(T("05") "stdout F x5\n"));
    append(f, "b", STR(T("04") "stdout F x4\n"));
    assert_string_equal(next(f, w), "1:x4|0:x5|");
    logs_follow_finish(w->files, b);
    assert_string_equal(news(f, w), "");
    logs_follow_finish(w->files, a);
    assert_string_equal(news(f, w), "");
    follow_end(w);
}

static void finished_and_missing_files_end_at_once(void **state)
{
    struct fixture *f = *state;
    size_t i;
    struct following *w = follow(f, &(struct logs_query){0});
    OK(logs_follow_add(w->files, &(struct logs_source){append(f, "a", STR(T("01") "stdout F x\n")), true}, &i, &f->e));
    OK(logs_follow_add(w->files, &(struct logs_source){"/nonexistent/main.log", true}, &i, &f->e));
    assert_int_equal(i, 1);
    assert_string_equal(news(f, w), "0:x|");
    assert_null(logs_follow_open(w->loop, &(struct logs_query){.grep = STR("[")}, on_ready, w, &f->e));
    follow_end(w);
}

static void directories_may_come_later(void **state)
{
    struct fixture *f = *state;
    struct following *w = follow(f, &(struct logs_query){0});
    add(f, w, str_fmt(&f->a, "%s/steps/7/main.log", f->dir).p);
    assert_string_equal(news(f, w), "");
    assert_int_equal(mkdir(str_fmt(&f->a, "%s/steps", f->dir).p, 0700), 0);
    assert_string_equal(next(f, w), "");
    assert_int_equal(mkdir(str_fmt(&f->a, "%s/steps/7", f->dir).p, 0700), 0);
    append(f, "steps/7/main.log", STR(T("01") "stdout F x\n")); /* before its directory is looked at */
    assert_string_equal(next(f, w), "0:x|");
    append(f, "steps/7/main.log", STR(T("02") "stdout F y\n"));
    assert_string_equal(next(f, w), "0:y|");
    follow_end(w);
}

/* Another thread has the piece meanwhile: what grows is told, and comes with the next one. */
static void files_may_grow_between_look_and_piece(void **state)
{
    struct fixture *f = *state;
    bool more;
    struct following *w = follow(f, &(struct logs_query){0});
    for (int i = 0; i < 3; i++) add(f, w, append(f, (const char *[]){"a", "b", "c"}[i], STR(T("01") "stdout F x\n")));
    OK(logs_follow_look(w->files, &f->e));
    append(f, "d", STR("x"));
    assert_false(told(w));
    append(f, "b", STR(T("02") "stdout F y\n"));
    append(f, "c", STR(T("03") "stdout F z\n"));
    assert_true(told(w));
    append(f, "a", STR(T("04") "stdout F late\n"));
    assert_false(told(w)); /* until somebody looks */
    OK(logs_follow_piece(w->files, 1 << 20, note, f, &more, &f->e));
    assert_false(more);
    assert_string_equal(seen(f), "0:x|1:x|2:x|1:y|2:z|0:late|");
    OK(logs_follow_look(w->files, &f->e));
    append(f, "b", STR(T("05") "stdout F more\n"));
    assert_true(told(w));
    assert_string_equal(news(f, w), "1:more|");
    logs_follow_quit(w->files);
    append(f, "b", STR(T("06") "stdout F nobody waits\n"));
    assert_false(told(w));
    assert_string_equal(news(f, w), "");
    follow_end(w);
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
    struct logs_follow *w = logs_follow_open(NULL, &(struct logs_query){0}, NULL, NULL, &f->e);
    OK(logs_follow_add(w, &(struct logs_source){append(f, "a", STR(T("01") "stdout F one\n" T("03") "stdout F three\n" T("05") "stdout F five\n")), true}, &i, &f->e));
    OK(logs_follow_add(w, &(struct logs_source){append(f, "b", STR(T("02") "stdout F two\n" T("04") "stdout F four\n")), true}, &i, &f->e));
    OK(logs_follow_look(w, &f->e));
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
    struct logs_follow *w = logs_follow_open(NULL, &(struct logs_query){.grep = STR("end")}, NULL, NULL, &f->e);
    OK(logs_follow_add(w, &(struct logs_source){append(f, "a", buf_view(&b)), true}, &i, &f->e));
    OK(logs_follow_look(w, &f->e));
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
        TEST(directories_may_come_later), TEST(files_may_grow_between_look_and_piece), TEST(pieces_go_on_where_they_ended), TEST(pieces_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
