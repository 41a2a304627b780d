/* Each operation of a fix: what it changes in the text, and where it leaves the text alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doc/fix.h"
#include "doc/layout.h"

struct bench {
    struct arena a;
    struct diags d;
    struct source_files files;
    struct buf out;
};

static void up(struct bench *b, const char *text)
{
    *b = (struct bench){0};
    arena_init(&b->a);
    diags_init(&b->d, &b->a);
    buf_init(&b->out, 1 << 16);
    source_files_add(&b->files, STR("f"), str_of(text));
}

static void down(struct bench *b)
{
    diags_fini(&b->d);
    source_files_fini(&b->files);
    buf_fini(&b->out);
    arena_fini(&b->a);
}

static struct diag *finding(struct bench *b)
{
    struct diag *g = diags_add(&b->d, DIAG_ERROR, "E1", "x");
    g->file = 1;
    return g;
}

/* One step; `expected` NULL: it cannot be carried out. */
static void check(const char *text, enum fix_op op, uint32_t line, uint32_t col, const char *to, const char *expected)
{
    struct bench b;
    up(&b, text);
    diag_fix(&b.d, finding(&b), op, line, col, str_of(to));
    fixes_place(&b.d, &b.files);
    size_t n = fixes_apply(&b.d, &b.files, 1, &b.out);
    assert_int_equal(n, expected != NULL);
    if (!str_is(buf_view(&b.out), expected ? expected : text))
        fail_msg("expected\n%s\ngot\n%.*s", expected, STR_ARG(buf_view(&b.out)));
    down(&b);
}

static void keys_and_values_change_in_their_quotes(void **state)
{
    check("a: 1 # c\n", FIX_KEY, 1, 1, "b", "b: 1 # c\n");
    check("'a': 1\n", FIX_KEY, 1, 1, "it's", "'it''s': 1\n");
    check("ä: {\"a\": 1}\n", FIX_KEY, 1, 6, "b", "ä: {\"b\": 1}\n");
    check("a: x\n", FIX_VALUE, 1, 4, "y z", "a: \"y z\"\n");
    check("a: x\n", FIX_VALUE, 1, 4, "yes", "a: \"yes\"\n");
    check("a: 'x'\n", FIX_VALUE, 1, 4, "y", "a: 'y'\n");
    check("a: \"x\"\n", FIX_VALUE, 1, 4, "a\"b", "a: \"a\\\"b\"\n");
    check("a: |\n  x\n", FIX_VALUE, 1, 4, "y", NULL);
    check("a: &n x\nb: *n\n", FIX_VALUE, 1, 4, "y", NULL);
    check("a: *n\n", FIX_VALUE, 1, 4, "y", NULL);
    check("a:\n", FIX_YAML, 1, 3, "{}", "a: {}\n");
    check("a: '3'\n", FIX_YAML, 1, 4, "3", "a: 3\n");
    check("a:\n- x\n- y\nb: 1\n", FIX_YAML, 2, 1, "\"x && y\"", "a: \"x && y\"\nb: 1\n");
    check("a:\n- x # why\n- y\n", FIX_YAML, 2, 1, "z", NULL);
    check("a: 0755\n", FIX_QUOTE, 1, 4, NULL, "a: \"0755\"\n");
    check("a: yes\n", FIX_QUOTE, 1, 4, "true", NULL);
}

static void pairs_and_items_go(void **state)
{
    check("a: 1\nb:\n  c: 2\n  # of c\n  d: 3\n", FIX_REMOVE, 3, 3, NULL, "a: 1\nb:\n  # of c\n  d: 3\n");
    check("- a: 1\n  b: 2\n", FIX_REMOVE, 1, 3, NULL, "- b: 2\n");
    check("- a: 1 # why\n  b: 2\n", FIX_REMOVE, 1, 3, NULL, NULL);
    check("a: |\n  x\n\n  y\nb: 1\n", FIX_REMOVE, 1, 1, NULL, "b: 1\n");
    check("{a: 1, b: 2, c: 3}\n", FIX_REMOVE, 1, 8, NULL, "{a: 1, c: 3}\n");
    check("{a: 1, b: 2}\n", FIX_REMOVE, 1, 8, NULL, "{a: 1}\n");
    check("a: 1\n", FIX_REMOVE, 1, 1, NULL, NULL);
    check("- a\n-   b: 1\n    c: 2\n- d\n", FIX_REMOVE_ITEM, 2, 5, NULL, "- a\n- d\n");
    check("[a, b]\n", FIX_REMOVE_ITEM, 1, 2, NULL, "[b]\n");
    check("- a\n", FIX_REMOVE_ITEM, 1, 3, NULL, NULL);
}

static void pairs_and_items_come(void **state)
{
    check("- b: 1\n  c: 2\n", FIX_ADD_PAIR, 1, 3, "a: 0", "- a: 0\n  b: 1\n  c: 2\n");
    check("{b: 1}\n", FIX_ADD_PAIR, 1, 1, "a: 0", "{a: 0, b: 1}\n");
    check("x: {}\n", FIX_ADD_PAIR, 1, 4, "a: 0", "x: {a: 0}\n");
    check("b: 1\na:\n", FIX_ADD_PAIR, 1, 1, "a: 0", NULL);
    check("a:\n- x # first\nb: 1\n", FIX_ADD_ITEM, 2, 1, "y", "a:\n- x # first\n- y\nb: 1\n");
    check("a: [x]\n", FIX_ADD_ITEM, 1, 4, "y", "a: [x, y]\n");
    check("a: []\n", FIX_ADD_ITEM, 1, 4, "y", "a: [y]\n");
    check("a: [x,]\n", FIX_ADD_ITEM, 1, 4, "y", NULL);
}

static void values_become_lists(void **state)
{
    check("a: x y # c\n", FIX_LIST, 1, 4, NULL, "a: [\"x y\"] # c\n");
    check("a: 'x'\n", FIX_LIST, 1, 4, NULL, "a: ['x']\n");
    check("a: {x: 1}\n", FIX_LIST, 1, 4, NULL, "a: [{x: 1}]\n");
    check("a:\n  x: 1\n  y: 2\n", FIX_LIST, 2, 3, NULL, "a:\n- x: 1\n  y: 2\n");
    check("a:\n x: 1\n", FIX_LIST, 2, 2, NULL, NULL);
    check("- x: 1\n  y: |\n    t\n- z\n", FIX_LIST, 1, 3, NULL, "- - x: 1\n    y: |\n      t\n- z\n");
}

static void equal_values_are_told_from_others(void **state)
{
    static const char *const texts[] = {"a: 1\nb: 2\na: 1\n", "a: 1\nb: 2\na: 3\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct bench b;
        up(&b, texts[i]);
        struct fix_step *s = diag_fix(&b.d, finding(&b), FIX_REMOVE_SAME, 3, 1, STR_NONE);
        s->other_line = 1;
        s->other_col = 1;
        fixes_place(&b.d, &b.files);
        assert_int_equal(fixes_apply(&b.d, &b.files, 1, &b.out), i == 0);
        if (i == 0) assert_true(str_is(buf_view(&b.out), "a: 1\nb: 2\n"));
        down(&b);
    }
}

/* All steps of a fix or none; of two fixes that meet, the first. Text that does not parse takes FIX_TEXT only. */
static void fixes_are_whole_and_apart(void **state)
{
    struct bench b;
    up(&b, "a: x\nb: y\n");
    struct diag *g = finding(&b);
    diag_fix(&b.d, g, FIX_KEY, 1, 1, STR("c"));
    diag_fix(&b.d, g, FIX_KEY, 9, 9, STR("d"));
    diag_fix(&b.d, finding(&b), FIX_VALUE, 1, 4, STR("one"));
    diag_fix(&b.d, finding(&b), FIX_VALUE, 1, 4, STR("two"));
    diag_fix(&b.d, finding(&b), FIX_VALUE, 2, 4, STR("three"));
    fixes_place(&b.d, &b.files);
    assert_int_equal(diags_fixable(&b.d), 3);
    assert_int_equal(fixes_apply(&b.d, &b.files, 1, &b.out), 2);
    assert_true(str_is(buf_view(&b.out), "a: one\nb: three\n"));
    down(&b);
    up(&b, "a: {{x}}\nb: [\n");
    diag_fix(&b.d, finding(&b), FIX_KEY, 1, 1, STR("c"));
    diag_fix(&b.d, finding(&b), FIX_TEXT, 1, 4, STR("\"{{x}}\""))->len = 5;
    fixes_place(&b.d, &b.files);
    assert_int_equal(fixes_apply(&b.d, &b.files, 1, &b.out), 1);
    assert_true(str_is(buf_view(&b.out), "a: \"{{x}}\"\nb: [\n"));
    down(&b);
}

static void places_are_bytes(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct layout l;
    arena_init(&a);
    assert_true(layout_read(&a, STR("k\xc3\xa4se: [b, {c: 'd'}]\nt: |\n  x\n\n"), &l, NULL));
    uint32_t d = layout_value(&l, 1, 16), t = layout_value(&l, 2, 4);
    assert_true(d != LAYOUT_NONE && t != LAYOUT_NONE);
    assert_memory_equal(l.text.p + l.nodes[d].from, "'d'", 3);
    assert_int_equal(l.nodes[d].to - l.nodes[d].from, 3);
    assert_int_equal(l.nodes[t].to, l.text.n - 2); /* no blank lines at the end */
    assert_int_equal(layout_key(&l, 1, 16), LAYOUT_NONE);
    assert_false(layout_read(&a, STR("a: ["), &l, NULL));
    assert_int_equal(layout_offset(&l, 1, 4), 3);
    assert_int_equal(layout_offset(&l, 2, 1), l.text.n);
    assert_true(layout_read(&a, STR("\xef\xbb\xbf" "a: b\n"), &l, NULL)); /* a mark that is no column */
    assert_int_equal(l.nodes[layout_value(&l, 1, 4)].from, 6);
    assert_int_equal(layout_offset(&l, 1, 1), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values_change_in_their_quotes), cmocka_unit_test(pairs_and_items_go),
        cmocka_unit_test(pairs_and_items_come),                   cmocka_unit_test(values_become_lists),
        cmocka_unit_test(equal_values_are_told_from_others),      cmocka_unit_test(fixes_are_whole_and_apart),
        cmocka_unit_test(places_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
