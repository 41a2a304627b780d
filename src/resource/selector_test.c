/* selectors: syntax as Kubernetes accepts it, and what each requirement means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/json.h"
#include "resource/selector.h"

static struct val parsed(struct arena *a, const char *json)
{
    struct val v;
    struct err e;
    if (!json_parse(a, str_of(json), NULL, &v, &e)) fail_msg("%s", e.text);
    return v;
}

static const char labels_json[] = "{\"app\":\"web\",\"tier\":\"1\",\"empty\":\"\",\"a.b/c\":\"x-1\",\"n\":\"12\"}";

static void label_selectors_choose(void **state)
{
    (void)state;
    static const struct { const char *text; bool holds; } rows[] = {
        {"", true}, {"  ", true}, {"app=web", true}, {"app==web", true}, {"app = web , tier=1", true},
        {"app=web,tier=2", false}, {"app!=db", true}, {"app!=web", false}, {"missing!=x", true},
        {"app", true}, {"missing", false}, {"!missing", true}, {"! app", false},
        {"app in (db, web)", true}, {"app in (db)", false}, {"missing in (db)", false},
        {"app notin (db)", true}, {"app notin (web,db)", false}, {"missing notin (x)", true},
        {"empty=", true}, {"empty in (,x)", true}, {"app in (x,)", false}, {"empty!=", false},
        {"a.b/c=x-1", true}, {"n>11", true}, {"n>12", false}, {"n<13", true}, {"app>1", false}, {"missing<1", false},
        {"app in (in, notin, web)", true}, {"app=in", false}, {"tier in (1),app,!z", true},
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct val labels = parsed(&a, labels_json);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selector sel;
        struct err e;
        if (!selector_parse(&a, str_of(rows[i].text), &sel, &e)) fail_msg("%s: %s", rows[i].text, e.text);
        if (selector_matches(&sel, &labels) != rows[i].holds) fail_msg("%s: not %d", rows[i].text, rows[i].holds);
    }
    struct selector sel;
    assert_true(selector_parse(&a, STR("!x"), &sel, NULL));
    assert_true(selector_matches(&sel, NULL));
    assert_true(selector_parse(&a, STR_NONE, &sel, NULL));
    assert_int_equal(sel.n, 0);
}

static void wrong_selectors_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        ",", "a,", "a,,b", "=x", "a=b=c", "a in", "a in x", "a in (", "a in (x", "a in ()", "a in (x) y", "in (x)",
        "!a=b", "!", "!!a", "a b", "a>x", "a<", "a=-x", "-a", "a_=b", "A/b/c=d", "a=b c", "(a)", "a!x", "a=!b",
        "x=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", "notin",
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selector sel;
        struct err e = {0};
        if (selector_parse(&a, str_of(rows[i]), &sel, &e)) fail_msg("accepted: %s", rows[i]);
        assert_int_equal(e.code, ERR_SPEC);
    }
}

static void selector_objects_mean_the_same(void **state)
{
    (void)state;
    static const struct { const char *json; int holds; } rows[] = { /* -1: refused */
        {"{}", 1}, {"{\"matchLabels\":{\"app\":\"web\"}}", 1}, {"{\"matchLabels\":{\"app\":\"web\",\"n\":\"1\"}}", 0},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\",\"values\":[\"a\",\"web\"]}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"NotIn\",\"values\":[\"web\"]}]}", 0},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"Exists\"},{\"key\":\"z\",\"operator\":\"DoesNotExist\"}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"Exists\",\"values\":[\"x\"]}]}", -1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\"}]}", -1},
        {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"Gt\",\"values\":[\"1\"]}]}", -1},
        {"{\"matchExpressions\":[{\"operator\":\"Exists\"}]}", -1},
        {"{\"matchLabels\":{\"app\":1}}", -1}, {"{\"matchLabels\":{\"app\":\"a b\"}}", -1},
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct val labels = parsed(&a, labels_json);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selector sel;
        struct val v = parsed(&a, rows[i].json);
        bool ok = selector_from_val(&a, &v, &sel, NULL);
        int holds = ok ? selector_matches(&sel, &labels) : -1;
        if (holds != rows[i].holds) fail_msg("%s: %d", rows[i].json, holds);
    }
}

static void field_selectors_look_into_documents(void **state)
{
    (void)state;
    static const struct { const char *text; int holds; } rows[] = { /* -1: refused */
        {"", 1}, {"metadata.name=a,b", -1}, {"metadata.name=a\\,b", 1}, {"metadata.name==a\\,b,status.phase!=Failed", 1},
        {"status.phase=Failed", 0}, {"status.none=", 1}, {"status.none!=", 0}, {"status.n=3", 1}, {",,status.n=3,", 1},
        {"spec.eq=x\\=y", 1}, {"spec.eq=x=y", -1}, {"spec.eq=x\\y", -1}, {"=x", -1}, {"status", -1},
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct val doc = parsed(&a, "{\"metadata\":{\"name\":\"a,b\"},\"status\":{\"n\":3},\"spec\":{\"eq\":\"x=y\"}}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selector sel;
        bool ok = field_selector_parse(&a, str_of(rows[i].text), &sel, NULL);
        int holds = ok ? field_selector_matches(&sel, &doc) : -1;
        if (holds != rows[i].holds) fail_msg("%s: %d", rows[i].text, holds);
    }
}

static void names_follow_rfc_1123(void **state)
{
    (void)state;
    static const struct { const char *name; bool subdomain, label; } rows[] = {
        {"a", true, true}, {"a-b.c", true, false}, {"9", true, true}, {"", false, false}, {"-a", false, false},
        {"a-", false, false}, {"a..b", false, false}, {".a", false, false}, {"a.", false, false}, {"A", false, false},
        {"a_b", false, false}, {"a.-b", false, false},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", true, true},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        if (dns_subdomain_check(str_of(rows[i].name), &e) != rows[i].subdomain) fail_msg("%s", rows[i].name);
        if (dns_label_check(str_of(rows[i].name), &e) != rows[i].label) fail_msg("%s", rows[i].name);
    }
    char text[300];
    memset(text, 'a', sizeof text);
    assert_true(dns_subdomain_check(str_n(text, 253), NULL));
    assert_false(dns_subdomain_check(str_n(text, 254), NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_selectors_choose),
        cmocka_unit_test(wrong_selectors_are_refused),
        cmocka_unit_test(selector_objects_mean_the_same),
        cmocka_unit_test(field_selectors_look_into_documents),
        cmocka_unit_test(names_follow_rfc_1123),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
