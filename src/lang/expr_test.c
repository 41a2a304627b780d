/* Expressions: every golden vector, names, lazy values, shadowing, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "lang/expr_p.h"
#include "lang/test_lines.h"

/* The environment that the vectors were made with. */
static void fill(struct scope *s)
{
    static const char *const rows[][2] = {
        {"inputs.parameters.a", "5"}, {"inputs.parameters.b", "hello"},
        {"inputs.parameters.my-p", "x"},
        {"inputs.parameters.json", "{\"k\":[1,2],\"s\":\"t\",\"n\":null,\"m\":{\"x\":1.5}}"},
        {"steps.s.id", "id1"}, {"workflow.status", "Running"}, {"workflow.name", "wf"},
        {"retries", "1"}, {"lastRetry.status", "Failed"}, {"lastRetry.duration", "1.5"},
        {"lastRetry.exitCode", "2"}, {"item.x", "1"}, {"item.y", "b"},
        {"workflow.parameters", "[]"}, {"workflow.parameters.p1", "v1"},
        {"workflow.parameters.p2", "v2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) scope_set(s, str_of(rows[i][0]), str_of(rows[i][1]));
    scope_set_nil(s, STR("steps.s.outputs.parameters.p"));
}

static struct str result(struct arena *a, struct str text, const struct scope *scope)
{
    struct expr_env env = {.scope = scope, .clock = {.now_us = 1700000000000000}};
    struct err e = {0};
    struct xctx x;
    struct xv v;
    if (!xctx_open(&x, a, text, &env, &e) || !xcheck(&x, x.tree))
        return str_fmt(a, "COMPILE-ERR %s", e.text);
    if (!xeval(&x, x.tree, &v)) return str_fmt(a, "RUN-ERR %s", e.text);
    struct str json = xv_json(&x, &v, 0);
    if (!str_set(json)) return str_fmt(a, "%s unmarshalable", xv_type(&v));
    return str_fmt(a, "%s %.*s", xv_type(&v), STR_ARG(json));
}

static void check_vector(struct arena *a, struct str line)
{
    struct str text = STR_NONE, want = STR_NONE;
    assert_true(split_arrow(line, &text, &want));
    struct scope s CLEANUP(scope_fini);
    scope_init(&s, NULL);
    fill(&s);
    struct str got = result(a, text, &s);
    if (!str_eq(got, want))
        fail_msg("%.*s: got %.*s, want %.*s", STR_ARG(text), STR_ARG(got), STR_ARG(want));
}

static void golden_vectors_hold(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    assert_true(each_line(&a, "test/data/lang/expr.txt", check_vector) > 480);
    assert_true(each_line(&a, "test/data/lang/sprig.txt", check_vector) > 300);
    assert_true(each_line(&a, "test/data/lang/jsonpath.txt", check_vector) > 25);
}

static void faults_tell_compile_from_run(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    enum expr_fault fault = EXPR_RUN;
    struct expr_env env = {.fault = &fault};
    struct val v;
    struct err e;
    bool b;
    assert_true(expr_eval(&a, STR("1 + 1"), &env, &v, &e));
    assert_int_equal(fault, EXPR_FINE);
    assert_true(v.kind == VAL_INT && str_is(v.s, "2"));
    assert_false(expr_eval(&a, STR("false ? nope : 1"), &env, &v, &e));
    assert_int_equal(fault, EXPR_COMPILE);
    assert_string_equal(e.text, "unknown name nope (1:9)");
    assert_false(expr_eval(&a, STR("[1][3]"), &env, &v, &e));
    assert_int_equal(fault, EXPR_RUN);
    assert_true(expr_eval_bool(&a, STR("1 < 2"), NULL, &b, &e) && b);
    assert_false(expr_eval_bool(&a, STR("'x'"), NULL, &b, &e));
    assert_string_equal(e.text, "unable to cast expression result 'x' to bool");
    assert_false(expr_eval(&a, STR("1 / 0"), NULL, &v, &e)); /* infinity has no JSON form */
    assert_false(expr_eval(&a, STR("1 +\n  + foo"), NULL, &v, &e));
    assert_string_equal(e.text, "unknown name foo (2:5)");
    assert_true(expr_check(&a, STR("foo.bar(1) ?? x"), &e));
    assert_false(expr_check(&a, STR("foo bar"), &e));
}

struct names {
    char text[400];
    size_t limit;
};

static bool add_name(void *ctx, struct str dotted)
{
    struct names *n = ctx;
    size_t at = strlen(n->text);
    snprintf(n->text + at, sizeof n->text - at, "%.*s;", STR_ARG(dotted));
    return !n->limit || --n->limit;
}

static void names_are_chains_without_functions(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct names n = {0};
    struct err e = {0};
    assert_true(expr_names(&a, STR("sprig.int(retries) + steps.a.outputs['my-p'] + items[i].x + "
                                   "(let q = item.z; q.w) + a?.b.Foo() + asInt(x) + map(l, #.k)"),
                           add_name, &n, &e));
    assert_string_equal(n.text, "retries;steps.a.outputs.my-p;items;i;item.z;a.b;x;l;");
    n = (struct names){.limit = 1};
    assert_false(expr_names(&a, STR("a + b"), add_name, &n, &e));
    assert_string_equal(n.text, "a;");
    assert_int_equal(e.code, ERR_NONE);
    assert_false(expr_names(&a, STR("a +"), add_name, &n, &e));
    assert_int_equal(e.code, ERR_SPEC);
}

static bool lazy(void *ctx, struct str key, struct scope_value *out)
{
    ++*(int *)ctx;
    *out = (struct scope_value){.kind = SCOPE_STR, .str = STR("lazy value")};
    return str_is(key, "tasks.big.outputs.result");
}

static void lazy_values_and_extra_names_are_seen(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct scope parent CLEANUP(scope_fini), s CLEANUP(scope_fini);
    int asked = 0;
    scope_init(&parent, NULL);
    scope_set(&parent, STR("tasks.small.id"), STR("p"));
    scope_set(&parent, STR("tasks.both.id"), STR("hidden"));
    scope_set_lookup(&parent, lazy, &asked);
    scope_init(&s, &parent);
    scope_set(&s, STR("tasks.both.id"), STR("near"));
    assert_string_equal(result(&a, STR("tasks.big.outputs.result"), &s).p, "string \"lazy value\"");
    assert_string_equal(result(&a, STR("tasks['big'].outputs.result + tasks.small.id"), &s).p,
                        "string \"lazy valuep\"");
    assert_true(asked > 0);
    assert_string_equal(result(&a, STR("tasks.both.id"), &s).p, "string \"near\"");
    assert_string_equal(result(&a, STR("tasks.big.outputs.result + (tasks.big.outputs.result.x ?? 'none')"), &s).p,
                        "RUN-ERR invalid operation: int(string) (1:54)");
    struct val_builder b;
    map_begin(&b, &a);
    map_set(&b, STR("split"), val_of_i64(&a, 7));
    struct val extra = map_done(&b), v;
    struct expr_env env = {.scope = &s, .extra = &extra};
    struct err e;
    assert_true(expr_eval(&a, STR("split + 1"), &env, &v, &e)); /* the name hides the builtin */
    assert_string_equal(v.s.p, "8");
    assert_false(expr_eval(&a, STR("split('a,b', ',')"), &env, &v, &e));
    assert_true(expr_eval(&a, STR("::split('a,b', ',')"), &env, &v, &e));
    assert_int_equal(v.n, 2);
}

static struct str repeat(struct arena *a, const char *s, size_t n)
{
    size_t len = strlen(s);
    char *p = arena_alloc_bytes(a, len * n + 1);
    for (size_t i = 0; i < n; i++) memcpy(p + i * len, s, len);
    return str_n(p, len * n);
}

static void limits_are_errors(void **state)
{
    (void)state;
    static const char *const hungry[] = {
        "1..9000000000", "map(1..1000, map(1..1000, map(1..1000, 1)))", "repeat('abc', 1000000000)",
        "repeat(repeat('abcdefghij', 1000000), 1000000)", "reduce(1..100, #acc + #acc, 'xxxxxxxxxx')",
        "-9223372036854775807..9223372036854775807", "replace(repeat('a', 1000000), 'a', repeat('b', 1000))",
        "uniq(1..100000)", "sprig.repeat(1000000000, 'a')", "sprig.until(100000000)",
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct val v;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(hungry); i++)
        if (expr_eval(&a, str_of(hungry[i]), NULL, &v, &e)) fail_msg("no limit for %s", hungry[i]);
    static const char *const deep[] = {"(", "[", "{a: ", "!", "-", "1 ? ", "a.b(", "if true {", "1 + ",
                                       "map([1], "};
    for (size_t i = 0; i < ARRAY_LEN(deep); i++)
        assert_false(expr_eval(&a, repeat(&a, deep[i], 5000), NULL, &v, &e));
    struct str chain = str_cat(&a, repeat(&a, "1 + ", 900), STR("1"));
    assert_true(expr_eval(&a, chain, NULL, &v, &e));
    assert_string_equal(v.s.p, "901");
    chain = str_cat(&a, repeat(&a, "1 + ", 20000), STR("1"));
    assert_false(expr_eval(&a, chain, NULL, &v, &e));
    struct str shared = str_cat(&a, str_cat(&a, repeat(&a, "(", 60), STR("true")), repeat(&a, " ?: false)", 60));
    expr_eval(&a, shared, NULL, &v, &e); /* ends, whatever the answer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vectors_hold),
        cmocka_unit_test(faults_tell_compile_from_run),
        cmocka_unit_test(names_are_chains_without_functions),
        cmocka_unit_test(lazy_values_and_extra_names_are_seen),
        cmocka_unit_test(limits_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
