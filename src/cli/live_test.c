/* The live view: frames as text, their bounds at every size, and what reaches the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rfc3339.h"
#include "cli/golden.h"
#include "cli/live.h"
#include "cli/text.h"

static struct arena a;

static int arena_up(void **state)
{
    arena_init(&a);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

static const int64_t start_us = 1795255200000000;

static void feed(struct live *l, const char *type, const char *body, int64_t at_us)
{
    struct val v;
    struct err e = {0};
    struct str text = str_fmt(&a, "{\"seq\":1,\"workflow\":{\"name\":\"wf\"},\"type\":\"%s\",%s}", type, body);
    if (!json_parse(&a, text, NULL, &v, &e)) fail_msg("%s: %s", text.p, e.text);
    live_feed(l, &v, at_us);
}

static void feed_node(struct live *l, const char *id, const char *type, const char *phase, const char *more, int64_t at_us)
{
    feed(l, "node",
         str_fmt(&a, "\"node\":{\"id\":\"%s\",\"name\":\"wf.%s\",\"displayName\":\"%s\",\"type\":\"%s\",\"phase\":\"%s\"%s}", id,
                 id, id, type, phase, more).p,
         at_us);
}

static void feed_status(struct live *l, const char *phase, int64_t at_us)
{
    feed(l, "workflow", str_fmt(&a, "\"status\":{\"phase\":\"%s\"}", phase).p, at_us);
}

/* The frame without its escape sequences, checked against the screen's size. */
static void frame_add(struct live *l, int64_t now_us, int rows, int cols, struct buf *text)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    live_draw(l, now_us, rows, cols, &b);
    struct str frame = buf_dup(&a, &b), line, rest = frame;
    assert_true(str_starts(frame, STR("\033[?2026h")) && str_ends(frame, STR("\033[?2026l")));
    assert_true(str_find(frame, STR("\033[2J"), 0) < 0);
    int lines = 0;
    while (str_set(rest)) {
        str_cut(rest, '\n', &line, &rest);
        CLEANUP(buf_fini) struct buf plain;
        buf_init(&plain, 1 << 16);
        text_clean(&plain, line);
        struct str shown = str_from(buf_view(&plain), lines == 0 ? 1 : 0); /* the frame begins with \r */
        while (shown.n && shown.p[shown.n - 1] == ' ') shown.n--;
        assert_true(text_width(shown) < (size_t)cols);
        buf_printf(text, "%.*s|\n", STR_ARG(shown));
        lines++;
    }
    assert_true(lines < rows || rows < 2);
    buf_printf(text, "-- %dx%d\n", cols, rows);
}

static struct live *small_run(struct style style)
{
    struct live *l = live_new(style);
    feed_status(l, "Running", start_us);
    feed_node(l, "late", "Pod", "Pending", ",\"boundaryID\":\"inner\"", start_us);
    feed_node(l, "wf", "DAG", "Running", ",\"children\":[\"a\"]", start_us);
    feed_node(l, "a", "Pod", "Running", ",\"boundaryID\":\"wf\"", start_us + 1000000);
    feed_node(l, "a", "Pod", "Succeeded", ",\"boundaryID\":\"wf\"", start_us + 3420000);
    feed_node(l, "inner", "DAG", "Running", ",\"boundaryID\":\"wf\"", start_us + 3500000);
    feed_node(l, "late", "Pod", "Running", ",\"boundaryID\":\"inner\"", start_us + 4000000);
    feed_node(l, "r(0)", "Pod", "Failed", ",\"boundaryID\":\"wf\",\"message\":\"exit code 1\"", start_us + 4000000);
    feed_node(l, "r", "Retry", "Running", ",\"boundaryID\":\"wf\",\"children\":[\"r(0)\"]", start_us + 4000000);
    feed_node(l, "r", "Retry", "Running", ",\"boundaryID\":\"wf\",\"children\":[\"r(0)\",\"r(1)\"]", start_us + 4500000);
    feed_node(l, "r(1)", "Pod", "Running", ",\"boundaryID\":\"wf\"", start_us + 5000000);
    feed_node(l, "g", "StepGroup", "Running", ",\"boundaryID\":\"wf\"", start_us + 5000000);
    feed_node(l, "ok", "Suspend", "Running", ",\"boundaryID\":\"wf\"", start_us + 5000000);
    feed_node(l, "no", "Skipped", "Skipped", ",\"boundaryID\":\"wf\",\"message\":\"when 'false' evaluated false\"", start_us);
    feed_node(l, "bad", "Pod", "Failed", ",\"boundaryID\":\"wf\",\"message\":\"日本語の長いメッセージ that goes on and on\"", start_us + 6000000);
    return l;
}

static void small_frames_match(void **state)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, 1 << 20);
    struct live *l = small_run((struct style){0});
    frame_add(l, start_us + 9000000, 24, 80, &text);
    frame_add(l, start_us + 9000000, 12, 40, &text);
    frame_add(l, start_us + 9000000, 9, 40, &text);
    frame_add(l, start_us + 9000000, 5, 20, &text);
    frame_add(l, start_us + 9000000, 2, 10, &text);
    live_notice(l, STR("stopping; once more to kill"));
    frame_add(l, start_us + 9000000, 24, 80, &text);
    live_free(l);
    l = small_run((struct style){.ascii = true});
    frame_add(l, start_us + 9000000, 24, 80, &text);
    feed_status(l, "Failed", start_us + 10000000);
    frame_add(l, start_us + 99000000, 3, 80, &text);
    live_free(l);
    golden_check(&a, "live-small.txt", &text);
}

static struct live *large_run(int n)
{
    struct live *l = live_new((struct style){0});
    feed_status(l, "Running", start_us);
    feed_node(l, "wf", "DAG", "Running", "", start_us);
    for (int i = 0; i < n; i++) {
        const char *phase = i < n * 9 / 10 ? (i % 300 == 7 ? "Failed" : "Succeeded") : i % 2 ? "Running" : "Pending";
        const char *id = str_fmt(&a, "t(%d)", i).p;
        feed_node(l, id, "Pod", "Running", ",\"boundaryID\":\"wf\"", start_us + i * 1000);
        if (strcmp(phase, "Running") != 0) feed_node(l, id, "Pod", phase, ",\"boundaryID\":\"wf\"", start_us + i * 1000 + 500);
    }
    return l;
}

static void large_runs_fold(void **state)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, 1 << 20);
    struct live *l = large_run(1000);
    frame_add(l, start_us + 9000000, 24, 80, &text);
    frame_add(l, start_us + 9000000, 10, 40, &text);
    frame_add(l, start_us + 9000000, 70, 60, &text);
    live_free(l);
    golden_check(&a, "live-large.txt", &text);
}

static void every_size_is_respected(void **state)
{
    struct live *runs[] = {small_run((struct style){.color = true}), large_run(500), large_run(25000)};
    for (size_t r = 0; r < ARRAY_LEN(runs); r++) {
        for (int rows = 2; rows < 40; rows += r == 2 ? 9 : 1) {
            CLEANUP(buf_fini) struct buf text;
            buf_init(&text, 1 << 20);
            frame_add(runs[r], start_us + 20000000, rows, 2 + rows * 3, &text);
        }
        live_free(runs[r]);
    }
}

static void frames_are_redrawn_over_the_last_one(void **state)
{
    struct live *l = small_run((struct style){0});
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(live_next_us(l), 0);
    live_draw(l, start_us, 24, 80, &b);
    assert_true(str_find(buf_view(&b), STR("A"), 0) < 0); /* nothing above is touched */
    assert_int_equal(live_next_us(l), start_us + 1000000); /* only the clock moves */
    feed_status(l, "Running", start_us + 1);
    assert_int_equal(live_next_us(l), start_us + LIVE_FRAME_US);
    buf_reset(&b);
    live_draw(l, start_us + LIVE_FRAME_US, 24, 80, &b);
    struct str again = buf_dup(&a, &b);
    assert_true(str_starts(again, STR("\033[?2026h\033[?25l\r\033[10A"))); /* 11 lines: back to the first */
    buf_reset(&b);
    live_erase(l, 24, 80, &b);
    assert_string_equal(buf_dup(&a, &b).p, "\r\033[10A\033[J\033[?25h");
    buf_reset(&b);
    live_erase(l, 24, 80, &b);
    assert_string_equal(buf_dup(&a, &b).p, "\033[?25h");
    live_free(l);
}

static void odd_streams_do_no_harm(void **state)
{
    struct live *l = live_new((struct style){0});
    feed_node(l, "x", "DAG", "Running", ",\"boundaryID\":\"y\"", start_us);
    feed_node(l, "y", "DAG", "Running", ",\"boundaryID\":\"x\"", start_us); /* a circle */
    feed_node(l, "z", "Retry", "Running", ",\"children\":[\"z\",\"x\",\"\"]", start_us);
    feed_node(l, "", "Pod", "Running", "", start_us);
    feed_node(l, "p\\u001b[2Jq\\n", "Pod", "Odd", "", start_us);
    feed(l, "other", "\"x\":1", start_us);
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, 1 << 20);
    frame_add(l, start_us + 1000000, 10, 60, &text);
    golden_check(&a, "live-odd.txt", &text);
    live_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_frames_match),
        cmocka_unit_test(large_runs_fold),
        cmocka_unit_test(every_size_is_respected),
        cmocka_unit_test(frames_are_redrawn_over_the_last_one),
        cmocka_unit_test(odd_streams_do_no_harm),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
