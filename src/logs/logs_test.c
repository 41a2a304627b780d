/* logs: records, lines, choice of lines and merging, from files made by hand. */
#include "base/limits.h"
#include "logs/logs_test_p.h"

static void records_are_parsed_or_refused(void **state)
{
    (void)state;
    static const struct { const char *line; int64_t ns; enum logs_stream stream; bool partial; const char *text; } rows[] = {
        {"1970-01-01T00:00:01.123456789Z stdout F hello world", 1123456789, LOGS_STDOUT, false, "hello world"},
        {"1970-01-01T00:00:01.5Z stderr P  x ", 1500000000, LOGS_STDERR, true, " x "},
        {"1970-01-01T01:00:01.0000000019+01:00 stdout F ", 1000000001, LOGS_STDOUT, false, ""},
        {"1970-01-01T00:00:01Z stdout F:tag x", 1000000000, LOGS_STDOUT, false, "x"},
        {"1970-01-01T00:00:01Z stdout F", 1000000000, LOGS_STDOUT, false, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct logs_record r;
        if (!logs_record_parse(str_of(rows[i].line), &r)) fail_msg("%s", rows[i].line);
        assert_int_equal(r.time_ns, rows[i].ns);
        assert_int_equal(r.stream, rows[i].stream);
        assert_int_equal(r.partial, rows[i].partial);
        assert_true(str_is(r.text, rows[i].text));
    }
    static const char *const wrong[] = {
        "", "x", "1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z stdout", "1970-01-01T00:00:01Z stdin F x",
        "1970-01-01T00:00:01Z stdout X x", "1970-01-01T00:00:01Z stdout FF x", "1970-01-01 stdout F x",
        "9999-01-01T00:00:01Z stdout F x", "yesterday stdout F x",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct logs_record r;
        if (logs_record_parse(str_of(wrong[i]), &r)) fail_msg("accepted: %s", wrong[i]);
    }
}

static void records_are_written_as_they_are_read(void **state)
{
    struct fixture *f = *state;
    static const int64_t times[] = {1763769321123456789, 0, -1, 999999999};
    static const char *const texts[] = {"2025-11-21T23:55:21.123456789Z", "1970-01-01T00:00:00.000000000Z",
                                        "1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00.999999999Z"};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct logs_record r = {times[i], LOGS_STDERR, i % 2, STR("a b")}, back;
        buf_reset(&f->seen);
        record_write(&f->seen, &r);
        struct str line = str_sub(buf_view(&f->seen), 0, f->seen.n - 1);
        assert_true(str_starts(line, str_of(texts[i])));
        assert_true(logs_record_parse(line, &back));
        assert_int_equal(back.time_ns, times[i]);
        assert_int_equal(back.partial, i % 2);
    }
    struct logs_line line = {0, 0, LOGS_STDOUT, STR("x")};
    buf_reset(&f->seen);
    logs_line_format(&f->seen, &line, false);
    logs_line_format(&f->seen, &line, true);
    assert_string_equal(seen(f), "x\n1970-01-01T00:00:00.000000000Z x\n");
}

static const char *read_one(struct fixture *f, const char *path, bool finished, struct logs_query q)
{
    struct logs_source source = {path, finished};
    OK(logs_read(&source, 1, &q, note, f, &f->e));
    return seen(f);
}

static void partial_records_are_joined_by_stream(void **state)
{
    struct fixture *f = *state;
    const char *path = append(f, "main.log", STR(
        T("01") "stdout P one " "\n" T("02") "stderr P err" "\n" T("03") "stdout P two " "\n"
        T("04") "stdout F three" "\n" T("05") "stderr F or" "\n" T("06") "stdout F last" "\n"
        "not a record\n" "\n" T("07") "stdout P open end" "\n" T("08") "stdout F "));
    assert_string_equal(read_one(f, path, false, (struct logs_query){0}),
                        "0:one two three|0:error|0:last|0:not a record|0:|0:open end|");
    append(f, "main.log", STR("cut"));
    assert_string_equal(read_one(f, path, true, (struct logs_query){.tail = 1}), "0:open endcut|");
    assert_string_equal(read_one(f, path, false, (struct logs_query){.tail = 2}), "0:|0:open end|");
    assert_string_equal(read_one(f, "/nonexistent/main.log", true, (struct logs_query){.tail = 2}), "");
}

static void queries_choose_lines(void **state)
{
    struct fixture *f = *state;
    const char *path = append(f, "main.log", STR(
        T("01.5") "stdout F apple\n" T("02") "stdout F Banana\n" T("03") "stderr F cherry\n" T("04") "stdout F date \xff\n"));
    int64_t third = 1795305303000000000;
    const struct { struct logs_query q; const char *expected; } rows[] = {
        {{.tail = 2}, "0:cherry|0:date \xff|"}, {{.tail = 9}, "0:apple|0:Banana|0:cherry|0:date \xff|"},
        {{.tail = LOGS_TAIL_NONE}, ""}, {{.since_ns = third}, "0:cherry|0:date \xff|"},
        {{.since_ns = third, .tail = 1}, "0:date \xff|"}, {{.grep = STR("an+a")}, "0:Banana|"},
        {{.grep = STR("^B|y$")}, "0:Banana|0:cherry|"}, {{.grep = STR("(?i)^b")}, "0:Banana|"},
        {{.grep = STR("apple"), .tail = 2}, ""}, {{.grep = STR("")}, "0:apple|0:Banana|0:cherry|0:date \xff|"},
        {{.bytes = 37}, "0:apple|"}, {{.bytes = 36}, "0:apple|"}, {{.bytes = 33}, "0:ap|"}, {{.bytes = 31}, ""},
        {{.bytes = 37 + 33}, "0:apple|0:Ba|"}, {{.bytes = 37 + 31}, "0:apple|"}, {{.bytes = 32, .tail = 2}, "0:c|"},
        {{.bytes = 37, .grep = STR("^B")}, ""}, {{.bytes = 40, .since_ns = third}, "0:cherry|"}, {{.bytes = 1000, .tail = 1}, "0:date \xff|"},
        {{.grep = STR("date \\S")}, ""}, /* a byte that is no UTF-8 matches nothing */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(read_one(f, path, true, rows[i].q), rows[i].expected);
    struct logs_source source = {path, true};
    assert_false(logs_read(&source, 1, &(struct logs_query){.grep = STR("(a")}, note, f, &f->e));
    assert_int_equal(f->e.code, ERR_SPEC);
}

static void runaway_expressions_are_stopped(void **state)
{
    struct fixture *f = *state;
    const char *path = append(f, "main.log", STR(T("01") "stdout F aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n"));
    struct logs_source source = {path, true};
    assert_false(logs_read(&source, 1, &(struct logs_query){.grep = STR("^(a+)+$")}, note, f, &f->e));
    assert_int_equal(f->e.code, ERR_LIMIT);
}

static void files_are_merged_by_time(void **state)
{
    struct fixture *f = *state;
    const struct logs_source sources[] = {
        {append(f, "a", STR(T("01") "stdout F a1\n" T("04") "stdout F a4\n" T("04") "stdout F a4b\n" T("09") "stdout F a9\n")), true},
        {append(f, "b", STR("")), false},
        {append(f, "c", STR(T("02") "stdout F c2\n" T("04") "stdout F c4\n")), false},
        {"/nonexistent", true},
        {append(f, "d", STR(T("00") "stdout F d0\n" T("10") "stdout F d10\n" T("11") "stdout F half")), false},
    };
    OK(logs_read(sources, ARRAY_LEN(sources), &(struct logs_query){0}, note, f, &f->e));
    assert_string_equal(seen(f), "4:d0|0:a1|2:c2|0:a4|0:a4b|2:c4|0:a9|4:d10|");
    OK(logs_read(sources, ARRAY_LEN(sources), &(struct logs_query){.tail = 1}, note, f, &f->e));
    assert_string_equal(seen(f), "2:c4|0:a9|4:d10|");
    OK(logs_read(sources, 0, &(struct logs_query){0}, note, f, &f->e));
    assert_string_equal(seen(f), "");
}

static bool stop_at_second(void *ctx, const struct logs_line *line, struct err *e)
{
    (void)line;
    return ++*(int *)ctx < 2 || err_set(e, ERR_UNREACHABLE, "reader left");
}

static void readers_may_stop(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    struct logs_source source = {append(f, "a", STR(T("01") "stdout F 1\n" T("02") "stdout F 2\n" T("03") "stdout F 3\n")), true};
    assert_false(logs_read(&source, 1, &(struct logs_query){0}, stop_at_second, &calls, &f->e));
    assert_int_equal(calls, 2);
    assert_string_equal(f->e.text, "reader left");
    source.path = f->dir;
    assert_false(logs_read(&source, 1, &(struct logs_query){0}, note, f, &f->e)); /* a directory */
    assert_int_equal(f->e.code, ERR_IO);
}

struct sizes {
    size_t lines, bytes, longest;
};

static bool measure(void *ctx, const struct logs_line *line, struct err *e)
{
    struct sizes *s = ctx;
    (void)e;
    s->lines++;
    s->bytes += line->text.n;
    s->longest = MAX(s->longest, line->text.n);
    return true;
}

static void huge_lines_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 200, RECORD_BYTES = LIMIT_LOG_LINE_BYTES };
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 64 << 20);
    char *text = mem_alloc(RECORD_BYTES);
    memset(text, 'x', RECORD_BYTES);
    for (int i = 0; i < RECORDS; i++)
        record_write(&b, &(struct logs_record){i, LOGS_STDOUT, i < RECORDS - 1, str_n(text, RECORD_BYTES)});
    for (int i = 0; i < RECORDS; i++) buf_str(&b, str_n(text, RECORD_BYTES)); /* and no record at all */
    buf_char(&b, '\n');
    buf_str(&b, STR(T("01") "stdout F end\n"));
    free(text);
    struct sizes s = {0};
    struct logs_source source = {append(f, "main.log", buf_view(&b)), true};
    OK(logs_read(&source, 1, &(struct logs_query){0}, measure, &s, &f->e));
    assert_int_equal(s.bytes, 2 * RECORDS * RECORD_BYTES + 3);
    assert_in_range(s.longest, LIMIT_LOG_JOIN_BYTES, 2 * LIMIT_LOG_JOIN_BYTES);
    OK(logs_read(&source, 1, &(struct logs_query){.tail = 1}, note, f, &f->e));
    assert_string_equal(seen(f), "0:end|");
}

static void tails_of_long_files_are_exact(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 20000 };
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 64 << 20);
    for (int i = 0; i < LINES; i++) {
        struct str text = str_fmt(&f->a, "line %d %0*d", i, i % 97 + 1, 0);
        if (i % 5 == 0) record_write(&b, &(struct logs_record){i, LOGS_STDOUT, true, STR("head ")});
        record_write(&b, &(struct logs_record){i, LOGS_STDOUT, false, text});
    }
    const char *path = append(f, "main.log", buf_view(&b));
    static const int64_t tails[] = {1, 2, 5, 600, 700, 1000, 7777, 19999, 20000, 30000};
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        int64_t tail = MIN(tails[i], LINES), n = 0;
        const char *text = read_one(f, path, i % 2, (struct logs_query){.tail = tails[i]});
        for (const char *p = text; (p = strchr(p, '|')); p++) n++;
        assert_int_equal(n, tail);
        const char *first = str_fmt(&f->a, "0:%sline %d ", (LINES - tail) % 5 ? "" : "head ", (int)(LINES - tail)).p;
        assert_memory_equal(text, first, strlen(first));
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_parsed_or_refused), TEST(records_are_written_as_they_are_read),
        TEST(partial_records_are_joined_by_stream), TEST(queries_choose_lines),
        TEST(runaway_expressions_are_stopped), TEST(files_are_merged_by_time), TEST(readers_may_stop),
        TEST(huge_lines_come_in_pieces), TEST(tails_of_long_files_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
