/* Views of whole objects and of change streams against golden files; widths, cuts and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rfc3339.h"
#include "cli/golden.h"
#include "cli/human.h"
#include "cli/list.h"
#include "cli/plain.h"
#include "cli/text.h"
#include "cli/tree.h"

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

static int64_t now(void)
{
    int64_t us;
    assert_true(rfc3339_parse(STR("2026-11-21T10:03:05Z"), &us));
    return us;
}

static void view(const char *golden, size_t which, struct view_opts o, const char *selector)
{
    struct val all = golden_json(&a, "workflows.json");
    CLEANUP(buf_fini) struct buf b;
    struct err e = {0};
    buf_init(&b, 1 << 20);
    o.now_us = now();
    assert_true(nodesel_parse(&a, selector, &o.nodes, &e));
    view_workflow(&a, &all.items[which], &o, &b);
    golden_check(&a, golden, &b);
}

static void get_views_match(void **state)
{
    view("get-steps.txt", 0, (struct view_opts){.tz_s = 3600}, NULL);
    view("get-steps-wide.txt", 0, (struct view_opts){.form = VIEW_WIDE}, NULL);
    view("get-steps-short-ascii.txt", 0, (struct view_opts){.form = VIEW_SHORT, .style.ascii = true}, NULL);
    view("get-steps-failed.txt", 0, (struct view_opts){0}, "phase=Failed");
    view("get-dag.txt", 1, (struct view_opts){.tz_s = -12600}, "");
    view("get-dag-color.txt", 1, (struct view_opts){.style.color = true, .form = VIEW_SHORT}, "");
    view("get-new.txt", 2, (struct view_opts){0}, "");
}

static void list_views_match(void **state)
{
    struct val all = golden_json(&a, "workflows.json");
    static const struct { const char *golden; struct list_view o; } rows[] = {
        {"list.txt", {0}},
        {"list-wide-all.txt", {.wide = true, .all_namespaces = true}},
        {"list-bare.txt", {.no_headers = true}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct list_view o = rows[i].o;
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 1 << 20);
        o.now_us = now();
        view_list(&a, &all, &o, &b);
        golden_check(&a, rows[i].golden, &b);
    }
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    struct val none = {.kind = VAL_LIST};
    view_list(&a, &none, &(struct list_view){0}, &b);
    assert_string_equal(buf_dup(&a, &b).p, "No workflows found\n");
}

static void outputs_are_whole_documents(void **state)
{
    struct val all = golden_json(&a, "workflows.json");
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    output_put(&all, OUTPUT_NAME, &b);
    assert_string_equal(buf_dup(&a, &b).p, "steps-x\ndag-y\nnew\n");
    buf_reset(&b);
    output_put(&all.items[2], OUTPUT_JSON, &b);
    output_put(&all.items[2], OUTPUT_YAML, &b);
    golden_check(&a, "output-new.txt", &b);
    enum output form;
    struct err e = {0};
    assert_true(output_parse(NULL, &form, &e) && form == OUTPUT_TABLE);
    assert_true(output_parse("wide", &form, &e) && form == OUTPUT_WIDE);
    assert_false(output_parse("xml", &form, &e));
}

static void plain_lines_match(void **state)
{
    struct str text = golden_read(&a, "changes.jsonl"), line, rest = text;
    struct plain *p = plain_new((struct style){0}, 0);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    while (str_set(rest) && rest.n) {
        struct val v;
        struct err e = {0};
        str_cut(rest, '\n', &line, &rest);
        assert_true(json_parse(&a, line, NULL, &v, &e));
        plain_feed(p, &v, now(), &b);
    }
    golden_check(&a, "plain.txt", &b);
    plain_free(p);
}

static void widths_and_cuts(void **state)
{
    static const struct { const char *s; size_t width, cols; const char *cut; } rows[] = {
        {"abc", 3, 3, "abc"},   {"abcd", 4, 3, "ab…"},    {"日本語", 6, 6, "日本語"}, {"日本語", 6, 5, "日本…"},
        {"日本語", 6, 4, "日…"}, {"e\u0301x", 2, 1, "…"},   {"a", 1, 0, ""},           {"\033[31mred\033[0m", 3, 3, "\033[31mred\033[0m"},
        {"\033[31mred\033[0m", 3, 2, "\033[31mr…\033[0m"}, {"\xff\xfe", 2, 2, "\xff\xfe"}, {"👍x", 3, 2, "…"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 100);
        assert_int_equal(text_width(str_of(rows[i].s)), rows[i].width);
        text_cut(&b, str_of(rows[i].s), rows[i].cols, false);
        assert_string_equal(buf_dup(&a, &b).p, rows[i].cut);
    }
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 100);
    text_clean(&b, STR("a\tb\033[2Jc\x07\xff\xc2\x9bz"));
    assert_string_equal(buf_dup(&a, &b).p, "a bc ? z");
}

static void durations_are_argos_words(void **state)
{
    static const struct { int64_t s; const char *brief, *full; } rows[] = {
        {0, "0s", "0 seconds"},           {1, "1s", "1 second"},         {59, "59s", "59 seconds"},
        {60, "1m", "1 minute 0 seconds"}, {150, "2m", "2 minutes 30 seconds"}, {3660, "1h", "1 hour 1 minutes"},
        {90000, "1d", "1 day 1 hours"},   {86400 * 3, "3d", "3 days 0 hours"}, {-5, "5s", "0 seconds"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 100);
        human_short(&b, rows[i].s * 1000000);
        buf_char(&b, '|');
        human_long(&b, rows[i].s * 1000000);
        assert_string_equal(buf_dup(&a, &b).p, str_fmt(&a, "%s|%s", rows[i].brief, rows[i].full).p);
    }
    static const struct { const char *text; int64_t us; } parses[] = {
        {"10m", 600000000}, {"1h30m", 5400000000}, {"1d", 86400000000}, {"5", -1}, {"", -1}, {"h", -1}, {"1x", -1},
        {"99999999999999999999s", -1}, {"200000000000d", -1}, {"250ms", 250000},
    };
    for (size_t i = 0; i < ARRAY_LEN(parses); i++) {
        int64_t us = -1;
        if (!human_parse(str_of(parses[i].text), &us)) us = -1;
        assert_int_equal(us, parses[i].us);
    }
}

static void selectors_pick_nodes(void **state)
{
    struct val v;
    struct err e = {0};
    assert_true(json_parse(&a, STR("{\"phase\":\"Failed\",\"displayName\":\"x\",\"inputs\":{\"parameters\":[{\"name\":\"p\",\"value\":\"1\"}]}}"),
                           NULL, &v, &e));
    static const struct { const char *text; int want; } rows[] = {
        {"phase=Failed", 1}, {"phase==Failed", 1}, {"phase!=Failed", 0}, {"phase=Failed,displayName=y", 0},
        {"inputs.parameters.p.value=1", 1}, {"inputs.parameters.p.value=2", 0}, {"templateName=", 1},
        {"colour=red", -1}, {"phase", -1}, {"=x", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct nodesel s;
        int got = nodesel_parse(&a, rows[i].text, &s, &e) ? nodesel_matches(&s, &v) : -1;
        if (got != rows[i].want) fail_msg("%s: %d", rows[i].text, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_views_match),
        cmocka_unit_test(list_views_match),
        cmocka_unit_test(outputs_are_whole_documents),
        cmocka_unit_test(plain_lines_match),
        cmocka_unit_test(widths_and_cuts),
        cmocka_unit_test(durations_are_argos_words),
        cmocka_unit_test(selectors_pick_nodes),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
