/* when: every golden vector of govaluate, parameters, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "lang/test_lines.h"
#include "lang/when.h"

static void expect_error(struct str expr, const struct err *e, struct str want)
{
    struct str part = want;
    if (str_starts(want, STR("ERR parse: "))) {
        part = str_from(want, 11);
        assert_true(str_starts(str_of(e->text), STR("Invalid 'when' expression")));
    } else if (str_starts(want, STR("ERR eval: "))) {
        part = str_from(want, 10);
    } else {
        part = str_from(want, 13); /* after "ERR non-bool " comes Go's name of the type */
        if (str_starts(part, STR("[]interface {}"))) part = str_from(part, 14);
        else part = str_from(part, (size_t)str_find_char(part, ' ', 0));
        assert_non_null(strstr(e->text, "Expected boolean evaluation"));
    }
    if (str_find(str_of(e->text), part, 0) < 0)
        fail_msg("%.*s: got '%s', want '%.*s'", STR_ARG(expr), e->text, STR_ARG(want));
}

static void check_vector(struct arena *a, struct str line)
{
    struct str expr = STR_NONE, want = STR_NONE;
    assert_true(split_arrow(line, &expr, &want));
    bool got = false;
    struct err e = {0};
    if (!when_eval(a, expr, &got, &e)) {
        if (!str_starts(want, STR("ERR")))
            fail_msg("%.*s: error '%s', want %.*s", STR_ARG(expr), e.text, STR_ARG(want));
        expect_error(expr, &e, want);
    } else if (!str_is(want, got ? "true" : "false")) {
        fail_msg("%.*s: got %d, want %.*s", STR_ARG(expr), got, STR_ARG(want));
    }
}

static void golden_vectors_hold(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    assert_true(each_line(&a, "test/data/lang/when.txt", check_vector) > 220);
}

static void parameters_are_looked_up(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct val_builder b;
    map_begin(&b, &a);
    map_set(&b, STR("status"), val_of_str(STR("Succeeded")));
    map_set(&b, STR("n"), val_of_i64(&a, 3));
    map_set(&b, STR("ok"), val_of_bool(true));
    struct val params = map_done(&b);
    bool got;
    struct err e;
    assert_true(when_eval_params(&a, STR("status == 'Succeeded' && n > 2 && ok"), &params, &got, &e));
    assert_true(got);
    assert_true(when_eval_params(&a, STR("[n] == 4"), &params, &got, &e));
    assert_false(got);
    assert_false(when_eval_params(&a, STR("missing == 1"), &params, &got, &e));
    assert_non_null(strstr(e.text, "No parameter 'missing' found."));
    assert_false(when_eval_params(&a, STR("status"), NULL, &got, &e));
    assert_false(when_eval_params(&a, STR("status.Len > 1"), &params, &got, &e));
    assert_non_null(strstr(e.text, "'status' is not a struct"));
}

static struct str repeat(struct arena *a, const char *s, size_t n)
{
    size_t len = strlen(s);
    char *p = arena_alloc_bytes(a, len * n);
    for (size_t i = 0; i < n; i++) memcpy(p + i * len, s, len);
    return str_n(p, len * n);
}

static void limits_are_errors(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    bool got;
    struct err e;
    assert_false(when_eval(&a, repeat(&a, "(", LIMIT_EXPR_DEPTH + 5), &got, &e));
    struct str deep = str_cat(&a, repeat(&a, "(", LIMIT_EXPR_DEPTH + 5), STR("a"));
    deep = str_cat(&a, deep, repeat(&a, ")", LIMIT_EXPR_DEPTH + 5));
    assert_false(when_eval(&a, deep, &got, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(when_eval(&a, repeat(&a, "a", LIMIT_EXPR_BYTES + 1), &got, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    struct str chain = str_cat(&a, repeat(&a, "a == a && ", 20000), STR("b == b"));
    assert_true(when_eval(&a, chain, &got, &e));
    assert_true(got);
    struct str bomb = str_cat(&a, str_cat(&a, repeat(&a, "a", 40), STR("b =~ \"(a+)+$\"")), STR(""));
    assert_false(when_eval(&a, bomb, &got, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(when_eval(&a, STR("a\\"), &got, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vectors_hold),
        cmocka_unit_test(parameters_are_looked_up),
        cmocka_unit_test(limits_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
