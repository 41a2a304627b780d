/* Words of kubectl commands, conditions over objects, and what apply makes of two documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "resource/condition.h"
#include "resource/kubectl.h"
#include "resource/resource.h"

static bool parse(struct arena *a, const char *line, struct kubectl *k, struct err *e)
{
    struct str words[16], rest = str_of(line);
    size_t n = 0;
    while (rest.n && n < ARRAY_LEN(words)) str_cut(rest, ' ', &words[n++], &rest);
    return kubectl_parse(a, words, n, k, e);
}

static void targets(void **state)
{
    static const struct {
        const char *line, *shown; /* "kind/name,… kind ns labels all ignore" */
    } rows[] = {
        {"workflow w", "workflow/w, - - - 0 0"},
        {"workflow w x", "workflow/w,workflow/x, - - - 0 0"},
        {"cm/a wf/b", "cm/a,wf/b, - - - 0 0"},
        {"configmap --selector cleanup=true", " configmap - cleanup=true 0 0"},
        {"configmap -l a=b,c!=d --namespace=n", " configmap n a=b,c!=d 0 0"},
        {"-nother cm --all", " cm other - 1 0"},
        {"-n=other cm --all=false", " cm other - 0 0"},
        {"cm x --ignore-not-found --grace-period 0 --wait=false --force", "cm/x, - - - 0 1"},
        {"--validate=false", " - - - 0 0"},
        {"", " - - - 0 0"},
    };
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kubectl k;
        struct err e;
        struct str s = STR("");
        if (!parse(&a, rows[i].line, &k, &e)) fail_msg("%s: %s", rows[i].line, e.text);
        for (size_t t = 0; t < k.n_targets; t++)
            s = str_fmt(&a, "%.*s%.*s/%.*s,", STR_ARG(s), STR_ARG(k.targets[t].kind), STR_ARG(k.targets[t].name));
        s = str_fmt(&a, "%.*s %.*s %.*s %.*s %d %d", STR_ARG(s), STR_ARG(k.kind.n ? k.kind : STR("-")),
                    STR_ARG(k.ns.n ? k.ns : STR("-")), STR_ARG(k.labels.n ? k.labels : STR("-")), k.all, k.ignore_not_found);
        assert_string_equal(s.p, rows[i].shown);
    }
}

static void words_that_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"cm x --dry-run=client", "unknown flag: --dry-run"},
        {"cm x -o yaml", "unknown shorthand flag: 'o'"},
        {"cm x -n", "flag needs an argument: --namespace"},
        {"cm --all=perhaps", "invalid argument \"perhaps\""},
        {"cm/x y", "resource/name form"},
    };
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kubectl k;
        struct err e = {0};
        assert_false(parse(&a, rows[i][0], &k, &e));
        if (!strstr(e.text, rows[i][1])) fail_msg("%s: %s", rows[i][0], e.text);
    }
}

static void conditions(void **state)
{
    static const char object[] = "{\"status\":{\"phase\":\"Failed\",\"n\":3,\"none\":null,\"ok\":true,"
                                 "\"list\":[{\"a\":\"x\"}]},\"metadata\":{\"name\":\"w\"}}";
    static const struct {
        const char *success, *failure;
        enum condition_state state;
        const char *why;
    } rows[] = {
        {"status.phase == Succeeded", "", CONDITION_OPEN, NULL},
        {"status.phase == Failed", "", CONDITION_HOLDS, NULL},
        {"status.phase == Succeeded", "status.phase in (Failed, Error)", CONDITION_FAILED,
         "failure condition 'status.phase in (Error,Failed)' evaluated true"},
        {"", "status.phase=Failed", CONDITION_FAILED, "failure condition 'status.phase=Failed' evaluated true"},
        {"", "status.phase==Failed", CONDITION_FAILED, "failure condition 'status.phase==Failed' evaluated true"},
        {"", "status.phase == Error", CONDITION_HOLDS, NULL}, /* as Argo: no success condition is met at once */
        {"", "status.gone", CONDITION_HOLDS, NULL},
        {"", "!status.gone", CONDITION_FAILED, "failure condition '!status.gone' evaluated true"},
        {"", "status.n > 2", CONDITION_FAILED, "failure condition 'status.n>2' evaluated true"},
        {"status.n < 4, status.ok = true", "", CONDITION_HOLDS, NULL},
        {"status.n < 4, status.ok = false", "", CONDITION_OPEN, NULL},
        {"status.none", "", CONDITION_HOLDS, NULL},
        {"status.list.0.a = x", "", CONDITION_HOLDS, NULL},
        {"status.list.1.a", "", CONDITION_OPEN, NULL},
        {"status.phase != Succeeded,metadata.name notin (a,b)", "", CONDITION_HOLDS, NULL},
        {"", "status.phase, metadata.name", CONDITION_FAILED, "failure condition 'metadata.name' evaluated true"},
    };
    struct arena a CLEANUP(arena_fini);
    struct val v;
    (void)state;
    arena_init(&a);
    assert_true(json_parse(&a, str_of(object), NULL, &v, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct condition c;
        struct err e;
        struct str why = STR_NONE;
        if (!condition_parse(&a, str_of(rows[i].success), str_of(rows[i].failure), &c, &e)) fail_msg("%zu: %s", i, e.text);
        if (condition_judge(&a, &c, &v, &why) != rows[i].state) fail_msg("%s | %s", rows[i].success, rows[i].failure);
        if (rows[i].why) assert_string_equal(why.p, rows[i].why);
    }
    struct condition c;
    struct err e = {0};
    assert_false(condition_parse(&a, STR("status.phase = = x"), STR(""), &c, &e));
    assert_non_null(strstr(e.text, "success condition 'status.phase = = x' failed to parse"));
    assert_false(condition_parse(&a, STR(""), STR("(x)"), &c, &e));
    assert_non_null(strstr(e.text, "fail condition '(x)' failed to parse"));
}

static void applying(void **state)
{
    static const char *const rows[][3] = { /* live, manifest, what comes of it (without the note) */
        {NULL, "{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":3}", "{\"a\":3,\"b\":2}"},
        {"{\"a\":1,\"b\":2,\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
         "\"{\\\"a\\\":1,\\\"b\\\":2}\"}}}", "{\"a\":1}", "{\"a\":1}"},
        {"{\"d\":{\"x\":1,\"y\":2},\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
         "\"{\\\"d\\\":{\\\"x\\\":1}}\"}}}", "{\"d\":{\"z\":3}}", "{\"d\":{\"y\":2,\"z\":3}}"},
    };
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct val live, manifest, expect, note;
        if (rows[i][0]) assert_true(json_parse(&a, str_of(rows[i][0]), NULL, &live, NULL));
        assert_true(json_parse(&a, str_of(rows[i][1]), NULL, &manifest, NULL));
        assert_true(json_parse(&a, str_of(rows[i][2]), NULL, &expect, NULL));
        struct val out = apply_merge(&a, rows[i][0] ? &live : NULL, &manifest);
        const struct val *notes = val_path(&out, "metadata.annotations");
        struct str text = val_text(val_get(notes, STR("kubectl.kubernetes.io/last-applied-configuration")));
        assert_true(json_parse(&a, text, NULL, &note, NULL) && val_eq(&note, &manifest));
        assert_int_equal(out.n, expect.n + 1);
        for (uint32_t k = 0; k < expect.n; k++)
            if (!val_get(&out, expect.map[k].key) || !val_eq(val_get(&out, expect.map[k].key), &expect.map[k].v))
                fail_msg("%zu: %s", i, json_text(&a, &out).p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets), cmocka_unit_test(words_that_are_refused), cmocka_unit_test(conditions),
        cmocka_unit_test(applying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
