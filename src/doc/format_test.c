/* The usual form of YAML: what moves, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doc/yaml_format.h"

static void check(const char *text, const char *expected)
{
    struct buf once, twice;
    struct err e = {0};
    buf_init(&once, 1 << 16);
    buf_init(&twice, 1 << 16);
    if (!yaml_format(str_of(text), &once, &e)) fail_msg("%s", e.text);
    if (!str_is(buf_view(&once), expected))
        fail_msg("expected\n%s\ngot\n%.*s", expected, STR_ARG(buf_view(&once)));
    assert_true(yaml_format(buf_view(&once), &twice, &e));
    assert_true(str_eq(buf_view(&once), buf_view(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

static void levels_are_two_columns(void **state)
{
    check("a:\n    b:\n        c: 1\n    d: 2\n", "a:\n  b:\n    c: 1\n  d: 2\n");
    check("a:\n b: 1\n", "a:\n  b: 1\n");
    check("a:\n  - 1\n  - 2\n", "a:\n- 1\n- 2\n");
    check("a:\n    -   b: 1\n        c: 2\n", "a:\n- b: 1\n  c: 2\n");
    check("steps:\n  -   -   name: x\n          template: y\n      - name: z\n",
          "steps:\n- - name: x\n    template: y\n  - name: z\n");
    check("-\n    a: 1\n", "-\n  a: 1\n");
}

static void comments_go_with_their_lines(void **state)
{
    check("a:\n    # of b\n    b: 1   # behind\n    # at the end\nc: 2\n",
          "a:\n  # of b\n  b: 1   # behind\n  # at the end\nc: 2\n");
    check("# head\n\n\n\na:\n\n\n    # one\n    - x: 1\n\n      # two\n      y: 2\n",
          "# head\n\na:\n\n# one\n- x: 1\n\n  # two\n  y: 2\n");
}

static void texts_move_as_a_whole(void **state)
{
    check("a:\n    s: |\n        if x:\n            y\n\n        z  \n    t: 1\n",
          "a:\n  s: |\n      if x:\n          y\n\n      z  \n  t: 1\n");
    check("a:\n    s: |+\n      x\n\n\n    t: >-\n      y\n      z\n", "a:\n  s: |+\n    x\n\n\n  t: >-\n    y\n    z\n");
    check("a:\n    s: |2\n       x\n", "a:\n  s: |2\n     x\n");
    check("a:\n    s: \"one\n      two\"\n    t: one\n      two\n", "a:\n  s: \"one\n    two\"\n  t: one\n    two\n");
    check("a:\n    f: {x: 1,\n      y: [2,\n        3]}\n", "a:\n  f: {x: 1,\n    y: [2,\n      3]}\n");
}

static void blanks_go(void **state)
{
    check("\n\na: 1  \n\n\nb: 2\t\n\n", "a: 1\n\nb: 2\n");
    check("a: 1", "a: 1\n");
    check("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n");
    check("", "");
    check("a: &x\n    b: 1\nc: *x\nd: !!map\n    e: 2\n", "a: &x\n  b: 1\nc: *x\nd: !!map\n  e: 2\n");
    check("---\na:\n   b: 1\n---\n# two\nc:\n   - d\n...\n", "---\na:\n  b: 1\n---\n# two\nc:\n- d\n...\n");
    check("{\"a\":   1}", "{\"a\":   1}");
}

static void what_is_no_yaml_is_refused(void **state)
{
    struct buf b;
    struct err e = {0};
    buf_init(&b, 1000);
    assert_false(yaml_format(STR("a: [1"), &b, &e));
    assert_int_equal(e.code, ERR_SPEC);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_two_columns), cmocka_unit_test(comments_go_with_their_lines),
        cmocka_unit_test(texts_move_as_a_whole),  cmocka_unit_test(blanks_go),
        cmocka_unit_test(what_is_no_yaml_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
