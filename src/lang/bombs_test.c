/* Texts that would explode: each is answered within a second of one processor, and what passes a limit says so
 * with its place. (A second of the plain build; the sanitizers' gets five.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "base/limits.h"
#include "lang/cron.h"
#include "lang/depends.h"
#include "lang/expr.h"
#include "lang/jsonpath.h"
#include "lang/tags.h"
#include "lang/when.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SECONDS = 5 };
#else
enum { SECONDS = 1 };
#endif

static struct arena a;

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void in_time(double started, const char *what)
{
    double took = cpu_now() - started;
    if (took > SECONDS) fail_msg("%.60s took %.1f s", what, took);
    arena_reset(&a);
}

static struct str times(const char *s, size_t n)
{
    size_t len = strlen(s);
    char *p = arena_alloc_bytes(&a, len * n + 1);
    for (size_t i = 0; i < n; i++) memcpy(p + i * len, s, len);
    p[len * n] = 0;
    return str_n(p, len * n);
}

static struct str join3(struct str x, struct str y, struct str z) { return str_cat(&a, str_cat(&a, x, y), z); }

/* A list that holds a list twice, that holds a list twice, …: `n` of them, a0 and b0 the innermost. */
static struct str folded(int n, const char *tail)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 16);
    buf_str(&b, STR("let a0 = [1, 1]; let b0 = [1, 1]; "));
    for (int i = 1; i < n; i++) buf_printf(&b, "let a%d = [a%d, a%d]; let b%d = [b%d, b%d]; ", i, i - 1, i - 1, i, i - 1, i - 1);
    buf_printf(&b, "let a = a%d; let b = b%d; %s", n - 1, n - 1, tail);
    return buf_dup(&a, &b);
}

static void folded_values_are_weighed(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "a == b", "a != b", "a in [b]", "toJSON(a)", "string(a)", "a", "uniq([a, b])", "sprig.toJson(a)", "sprig.toRawJson(a)", "sprig.toString(a)",
        "sprig.deepEqual(a, b)", "sprig.has(a, [b])", "sprig.without([b], a)", "sprig.uniq([a, b])", "sprig.quote(a)", "sprig.cat(a)", "sprig.join('', [a])",
        "sprig.toStrings([a])", "flatten(a)", "{'x': a} == {'x': b}", "sort([a, b])", "toPairs({'x': a})", "sprig.toDecimal(a)", "len(string(string(a)))",
    };
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        struct err e = {0};
        struct str out, text = folded(40, tails[i]);
        double started = cpu_now();
        assert_true(!expr_eval_json(&a, text, NULL, &out, &e) && e.text[0]);
        in_time(started, tails[i]);
    }
    struct err e = {0};
    struct str out;
    for (int n = 20; n <= 26; n += 2) { /* it may be weighed, and the text is too long */
        double started = cpu_now();
        assert_false(expr_eval_json(&a, folded(n, "toJSON(a) + string(a)"), NULL, &out, &e));
        in_time(started, "a text that grows too long");
    }
    if (!expr_eval_json(&a, folded(12, "[a == b, len(toJSON(a)), len(string(a))]"), NULL, &out, &e)) fail_msg("%s", e.text);
}

/* Must fail with a limit and "(line:column)". */
static void expressions_stop_at_limits(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "repeat(repeat('a', 1000000), 1000000)", "sprig.repeat(1000000000, 'a')", "sprig.until(1000000000)",
        "sprig.seq(1000000000)", "sprig.untilStep(0, 1000000000, 1)", "1..1000000000", "map(1..1000000, map(1..1000000, #))",
        "map(1..1000, map(1..1000, map(1..1000, #)))", "reduce(1..1000, #acc + #acc, 'xxxxxxxxxxxxxxxx')",
        "reduce(1..1000000, #acc + 'xxxxxxxxxxxxxxxx', '')", "all(1..1000000, any(1..1000000, # < 0))",
        "repeat('a', 40) + 'b' matches '(a+)+$'", "sprig.regexFindAll('(a|a|aa)+$', repeat('a', 5000) + 'b', -1)",
        "sprig.nindent(1000000000, 'a')", "sprig.indent(1000000, repeat('a\\n', 10000))",
        "sprig.replace('a', repeat('b', 10000), repeat('a', 100000))", "replace(repeat('a', 1000000), '', repeat('b', 10000))",
        "sprig.join(',', 1..900000)", "uniq(1..100000)", "sprig.splitList('', repeat('a', 1000000))",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        struct str out;
        double started = cpu_now();
        if (expr_eval_json(&a, str_of(texts[i]), NULL, &out, &e)) fail_msg("%s has a value", texts[i]);
        bool placed = e.text[strlen(e.text) - 1] == ')' && strrchr(e.text, '(');
        if (!placed || !strchr(strrchr(e.text, '('), ':')) fail_msg("%s: no place: %s", texts[i], e.text);
        in_time(started, texts[i]);
    }
}

/* Any answer will do, in time. */
static void large_expressions_end(void **state)
{
    (void)state;
    const struct str texts[] = {
        join3(times("(", 100000), STR("1"), times(")", 100000)), join3(times("[", 100000), STR("1"), times("]", 100000)),
        str_cat(&a, times("!", 300000), STR("true")), str_cat(&a, times("-", 300000), STR("1")),
        str_cat(&a, STR("1"), times("+1", 400000)), times("a", LIMIT_EXPR_BYTES + 1), times("a.", 400000),
        str_cat(&a, times("true ? 1 : ", 50000), STR("2")), str_cat(&a, STR("1"), times(" | string()", 50000)),
        join3(STR("sprig.cat("), times("'a',", 100000), STR("'a')")), join3(STR("{"), times("a: 1,", 100000), STR("b: 2}")),
        STR("lastIndexOf(repeat('a', 1000000), repeat('a', 500000) + 'b')"), STR("repeat('a', 1000000) contains repeat('a', 500000) + 'b'"),
        STR("sprig.regexMatch('(a*)*b', repeat('a', 100000))"), STR("groupBy(1..200000, #)"), STR("sort(map(1..100000, string(#)))"),
        STR("jsonpath('[1,2]', '$' + repeat('..*', 1000))"),
        STR("jsonpath('[' + repeat('[[1],[[1]]],', 20000) + '1]', '$..*..*..*..*')"), STR("date('2020-01-01', repeat('2006', 100000))"),
        STR("fromJSON(repeat('[', 100000))"), STR("'a' matches repeat('(', 100000)"), STR("'a' matches repeat('a{1000}', 1000)"),
        STR("'aaaa' matches '((((a{1,100}){1,100}){1,100}){1,100}){1,100}'"),
        STR("sprig.semverCompare(repeat('>1 ', 100000), '1.2.3')"), STR("sprig.semverCompare(repeat('1 - 2, ', 70000), '1.2.3')"),
        STR("all(1..1900, sprig.semverCompare('>1', '1.2.3'))"),
    };
    struct str kept[ARRAY_LEN(texts)];
    struct arena own CLEANUP(arena_fini);
    arena_init(&own);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) kept[i] = str_dup(&own, texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        struct str out;
        double started = cpu_now();
        bool ok = expr_eval_json(&a, kept[i], NULL, &out, &e);
        assert_true(ok || e.text[0]);
        in_time(started, kept[i].p);
    }
}

static void conditions_end(void **state)
{
    (void)state;
    struct arena own CLEANUP(arena_fini);
    arena_init(&own);
    const struct str texts[] = {
        times("(", 300000), str_cat(&a, times("!", 300000), STR("true")), join3(STR("1"), times("+1", 400000), STR(" == 1")),
        join3(STR("a in (a"), times(",a", 400000), STR(")")), join3(STR("'a'"), times("+'a'", 200000), STR(" == 'b'")),
        STR("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' =~ '(a+)+$'"), str_cat(&a, STR("true"), times("?true:false", 80000)),
        str_cat(&a, STR("1 == 1"), times(" && 1 == 1", 90000)),
    };
    struct str kept[ARRAY_LEN(texts)];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) kept[i] = str_dup(&own, texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        bool out;
        double started = cpu_now();
        assert_true(when_eval(&a, kept[i], &out, &e) || e.text[0]);
        in_time(started, kept[i].p);
    }
}

static uint32_t failed(void *ctx, size_t i) { return DEPENDS_FAILED; }

static void logic_and_schedules_end(void **state)
{
    (void)state;
    struct arena own CLEANUP(arena_fini);
    arena_init(&own);
    struct str many = STR("t0");
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    for (int i = 1; i < 50000; i++) buf_printf(&b, " || t%d", i);
    const struct str texts[] = {
        times("(", 300000), str_cat(&a, times("!", 300000), STR("a")), str_cat(&a, STR("a"), times(" && a", 200000)),
        str_cat(&a, STR("a"), times(" == a", 200000)), str_cat(&a, many, buf_view(&b)),
    };
    struct str kept[ARRAY_LEN(texts)];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) kept[i] = str_dup(&own, texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        const struct depends *d;
        double started = cpu_now();
        if (depends_parse(&a, kept[i], &d, &e)) depends_eval(d, failed, NULL);
        in_time(started, kept[i].p);
    }
    static const char *const schedules[] = {"0 0 31 2 *", "@every 9999999h", "59 23 31 12 6", "* * , 2 *"};
    for (size_t i = 0; i < ARRAY_LEN(schedules); i++) {
        struct err e;
        struct cron c;
        int64_t next;
        double started = cpu_now();
        if (cron_parse(str_of(schedules[i]), &c, &e)) cron_next(&c, zone_utc(), 0, &next);
        in_time(started, schedules[i]);
    }
}

static void tags_and_paths_end(void **state)
{
    (void)state;
    struct arena own CLEANUP(arena_fini);
    struct scope s CLEANUP(scope_fini);
    arena_init(&own);
    scope_init(&s, NULL);
    struct str large = str_dup(&own, times("[1,\"{{x}}\"],", 100000)); /* 1 MB, as a withParam may have */
    scope_set(&s, STR("large"), large);
    const struct str texts[] = {
        times("{{", 400000), times("{{a}}", 200000), times("{{=1}}", 150000), times("{{=repeat('a', 1000000)}}", 50),
        str_cat(&a, times("{{large", 50000), times("}}", 50000)), times("{{large}}", 100), STR("{{=len(large)}} {{large}}"),
    };
    struct str kept[ARRAY_LEN(texts)];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) kept[i] = str_dup(&own, texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct tags_opts opts = {.scope = &s, .policy = TAGS_LEAVE};
        struct err e = {0};
        struct str out;
        double started = cpu_now();
        assert_true(tags_replace(&a, kept[i], &opts, &out, &e) || e.text[0]);
        in_time(started, kept[i].p);
    }
    static const char *const paths[] = {"{..}{..}{..}{..}", "{range ..*}{range ..*}{range ..*}{range ..*}x{end}{end}{end}{end}",
                                        "{..*..*..*..*..*..*..*..*}", "{[?(@..*)]}"};
    struct val_builder list;
    list_begin(&list, &own);
    for (int i = 0; i < 300; i++) {
        struct val_builder inner;
        list_begin(&inner, &own);
        list_add(&inner, val_of_str(STR("x")));
        list_add(&list, list_done(&inner));
    }
    struct val doc = list_done(&list);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct err e = {0};
        struct str out;
        double started = cpu_now();
        assert_true(jsonpath_template(&a, str_of(paths[i]), &doc, &out, &e) || e.text[0]);
        in_time(started, paths[i]);
    }
}

static int setup(void **state)
{
    arena_init(&a);
    return 0;
}

static int teardown(void **state)
{
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_values_are_weighed), cmocka_unit_test(expressions_stop_at_limits), cmocka_unit_test(large_expressions_end),
        cmocka_unit_test(conditions_end), cmocka_unit_test(logic_and_schedules_end),
        cmocka_unit_test(tags_and_paths_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
