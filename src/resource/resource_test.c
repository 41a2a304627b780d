/* resource: what becomes of a document's metadata, and who may overwrite what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "resource/resource.h"

struct fixture {
    struct arena a;
    struct str dir;
    struct store *s;
    struct err e;
    struct resource_result r;
    uint64_t seed;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    arena_init(&f->a);
    char dir[] = "/tmp/skiff-resource-XXXXXX";
    assert_non_null(mkdtemp(dir));
    f->dir = str_dup(&f->a, str_of(dir));
    f->s = store_open(f->dir, STORE_WRITE, &f->e);
    assert_non_null(f->s);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    unlink(str_fmt(&f->a, "%s/skiff.db", f->dir.p).p);
    rmdir(f->dir.p);
    arena_fini(&f->a);
    free(f);
    return 0;
}

/* Writes the document in a transaction of its own; a failure is rolled back. */
static bool put(struct fixture *f, enum resource_verb verb, const char *json)
{
    struct val doc;
    if (!json_parse(&f->a, str_of(json), NULL, &doc, &f->e)) fail_msg("%s", f->e.text);
    struct resource_write w = {.store = f->s, .verb = verb, .doc = &doc,
                               .now_us = 1763769321000000, .random = {++f->seed, 2}};
    assert_true(store_begin(f->s, &f->e));
    f->e.code = ERR_NONE;
    if (!resource_put(&f->a, &w, &f->r, &f->e)) {
        store_rollback(f->s);
        return false;
    }
    assert_true(store_commit(f->s, STORE_DURABLE, &f->e));
    return true;
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (!(call)) fail_msg("%s: %s", #call, f->e.text);                                         \
    } while (0)
#define FAILS(expected_code, call)                                                                 \
    do {                                                                                           \
        assert_false(call);                                                                        \
        assert_string_equal(err_name(f->e.code), err_name(expected_code));                         \
    } while (0)
#define CM(meta, rest) "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{" meta "}" rest "}"

static const char *shown(struct fixture *f)
{
    return json_text(&f->a, &f->r.doc).p;
}

static const char *field(struct fixture *f, const char *path)
{
    const struct val *v = val_path(&f->r.doc, path);
    return v ? str_z(&f->a, val_text(v)) : "(none)";
}

static void metadata_is_completed_and_kept(void **state)
{
    struct fixture *f = *state;
    OK(put(f, RESOURCE_CREATE, CM("\"name\":\"c\",\"uid\":\"mine\",\"labels\":{\"a\":\"b\"}", ",\"data\":{\"k\":\"1\"}")));
    assert_true(f->r.created);
    assert_string_equal(shown(f),
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"namespace\":\"default\","
        "\"uid\":\"01000000-0000-4000-8200-000000000000\",\"resourceVersion\":\"1\",\"generation\":1,"
        "\"creationTimestamp\":\"2025-11-21T23:55:21Z\",\"labels\":{\"a\":\"b\"}},\"data\":{\"k\":\"1\"}}");
    OK(put(f, RESOURCE_APPLY, CM("\"name\":\"c\",\"labels\":{\"a\":\"b\"}", ",\"data\":{\"k\":\"1\"}")));
    assert_true(f->r.unchanged && !f->r.created);
    assert_int_equal(store_version(f->s), 1);
    OK(put(f, RESOURCE_APPLY, CM("\"name\":\"c\",\"creationTimestamp\":\"2000-01-01T00:00:00Z\"", ",\"data\":{\"k\":\"2\"}")));
    assert_false(f->r.unchanged);
    assert_string_equal(field(f, "metadata.uid"), "01000000-0000-4000-8200-000000000000");
    assert_string_equal(field(f, "metadata.creationTimestamp"), "2025-11-21T23:55:21Z");
    assert_string_equal(field(f, "metadata.resourceVersion"), "2");
    assert_string_equal(field(f, "metadata.generation"), "2");
    assert_string_equal(field(f, "metadata.labels"), "(none)");
    OK(put(f, RESOURCE_APPLY, CM("\"name\":\"c\",\"labels\":{\"x\":\"y\"}", ",\"data\":{\"k\":\"2\"}")));
    assert_string_equal(field(f, "metadata.generation"), "2"); /* only metadata changed */
    struct val got;
    OK(resource_get(&f->a, f->s, &(struct resource_key){RESOURCE_CONFIG_MAP, STR_NONE, STR("c")}, &got, &f->e));
    assert_true(val_eq(&got, &f->r.doc));
}

static void writers_with_old_versions_conflict(void **state)
{
    struct fixture *f = *state;
    FAILS(ERR_NOT_FOUND, put(f, RESOURCE_UPDATE, CM("\"name\":\"c\"", "")));
    OK(put(f, RESOURCE_CREATE, CM("\"name\":\"c\"", "")));
    FAILS(ERR_CONFLICT, put(f, RESOURCE_CREATE, CM("\"name\":\"c\"", "")));
    OK(put(f, RESOURCE_UPDATE, CM("\"name\":\"c\",\"resourceVersion\":\"1\"", ",\"data\":{\"k\":\"1\"}")));
    FAILS(ERR_CONFLICT, put(f, RESOURCE_UPDATE, CM("\"name\":\"c\",\"resourceVersion\":\"1\"", "")));
    FAILS(ERR_CONFLICT, put(f, RESOURCE_APPLY, CM("\"name\":\"c\",\"uid\":\"another\"", "")));
    FAILS(ERR_SPEC, put(f, RESOURCE_UPDATE, CM("\"name\":\"c\",\"resourceVersion\":\"x\"", "")));
    OK(put(f, RESOURCE_CREATE, CM("\"name\":\"c\",\"namespace\":\"other\"", "")));
    struct resource_key key = {RESOURCE_CONFIG_MAP, STR("default"), STR("c")};
    assert_true(store_begin(f->s, &f->e));
    FAILS(ERR_CONFLICT, resource_delete(f->s, &key, 1, 5, &f->e));
    OK(resource_delete(f->s, &key, 2, 5, &f->e));
    FAILS(ERR_NOT_FOUND, resource_delete(f->s, &key, OBJECT_RV_ANY, 5, &f->e));
    assert_true(store_commit(f->s, STORE_DURABLE, &f->e));

    struct change_page page;
    OK(store_changes_read(&f->a, f->s, &(struct change_query){0}, &page, &f->e));
    assert_int_equal(page.n, 4);
    assert_string_equal(page.rows[0].payload.p,
        "{\"type\":\"ADDED\",\"kind\":\"ConfigMap\",\"namespace\":\"default\",\"name\":\"c\","
        "\"uid\":\"02000000-0000-4000-8200-000000000000\"}");
    assert_non_null(strstr(page.rows[1].payload.p, "MODIFIED"));
    assert_non_null(strstr(page.rows[2].payload.p, "\"other\""));
    assert_non_null(strstr(page.rows[3].payload.p, "DELETED"));
}

static void names_are_generated_and_checked(void **state)
{
    struct fixture *f = *state;
    OK(put(f, RESOURCE_CREATE, CM("\"generateName\":\"cm-\"", "")));
    struct str first = f->r.name;
    assert_int_equal(first.n, 8);
    f->seed--; /* the same random numbers again: the next suffix is tried */
    OK(put(f, RESOURCE_APPLY, CM("\"generateName\":\"cm-\"", "")));
    assert_false(str_eq(first, f->r.name));
    static const char *const wrong[] = {
        CM("", ""), CM("\"name\":\"Upper\"", ""), CM("\"name\":\"a\",\"namespace\":\"a.b\"", ""),
        CM("\"name\":\"a\",\"labels\":{\"k\":1}", ""), CM("\"name\":\"a\",\"labels\":{\"k\":\"a b\"}", ""),
        CM("\"name\":\"a\",\"labels\":[]", ""), CM("\"name\":\"a\",\"annotations\":{\"k\":true}", ""),
        CM("\"name\":\"a\"", ",\"data\":{\"k\":1}"), CM("\"name\":\"a\"", ",\"binaryData\":{\"k\":\"*\"}"),
        "{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}", "[]",
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"plain\"}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (put(f, RESOURCE_CREATE, wrong[i])) fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(f->e.code, ERR_SPEC);
    }
    FAILS(ERR_SPEC, put(f, RESOURCE_UPDATE, CM("\"generateName\":\"cm-\"", "")));
    FAILS(ERR_UNSUPPORTED, put(f, RESOURCE_CREATE, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}"));
}

static void apply_keeps_the_status_that_update_replaces(void **state)
{
    struct fixture *f = *state;
#define CRON(rest) "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"CronWorkflow\",\"metadata\":{\"name\":\"c\"}" rest "}"
    OK(put(f, RESOURCE_CREATE, CRON(",\"spec\":{\"s\":1},\"status\":{\"n\":5}")));
    OK(put(f, RESOURCE_APPLY, CRON(",\"spec\":{\"s\":2}")));
    assert_string_equal(field(f, "status.n"), "5");
    assert_string_equal(field(f, "metadata.generation"), "2");
    OK(put(f, RESOURCE_APPLY, CRON(",\"spec\":{\"s\":2},\"status\":{\"n\":6}")));
    assert_string_equal(field(f, "status.n"), "6");
    assert_string_equal(field(f, "metadata.generation"), "2");
    OK(put(f, RESOURCE_UPDATE, CRON(",\"spec\":{\"s\":2}")));
    assert_string_equal(field(f, "status.n"), "(none)");
}

static void cluster_kinds_have_no_namespace(void **state)
{
    struct fixture *f = *state;
    OK(put(f, RESOURCE_CREATE, "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"ClusterWorkflowTemplate\","
                               "\"metadata\":{\"name\":\"t\",\"namespace\":\"x\"},\"spec\":{}}"));
    assert_string_equal(field(f, "metadata.namespace"), "(none)");
    struct val got;
    OK(resource_get(&f->a, f->s, &(struct resource_key){RESOURCE_CLUSTER_WORKFLOW_TEMPLATE, STR("y"), STR("t")}, &got,
                    &f->e));
    FAILS(ERR_NOT_FOUND, resource_get(&f->a, f->s, &(struct resource_key){RESOURCE_WORKFLOW_TEMPLATE, STR("x"), STR("t")},
                                      &got, &f->e));
}

static void values_of_configmaps_and_secrets_are_decoded(void **state)
{
    struct fixture *f = *state;
    struct str v;
    OK(put(f, RESOURCE_CREATE, CM("\"name\":\"c\"", ",\"data\":{\"k\":\"text\"},\"binaryData\":{\"b\":\"AP8=\"}")));
    OK(put(f, RESOURCE_CREATE, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"},"
                               "\"data\":{\"a\":\"b25l\",\"b\":\"b25l\"},\"stringData\":{\"b\":\"two\",\"c\":\"\"}}"));
    assert_string_equal(field(f, "data.b"), "dHdv");
    assert_string_equal(field(f, "stringData"), "(none)");
    const struct { bool secret; struct value_key k; const char *expected; size_t n; } rows[] = {
        {false, {STR_NONE, STR("c"), STR("k")}, "text", 4}, {false, {STR("default"), STR("c"), STR("b")}, "\0\xff", 2},
        {true, {STR_NONE, STR("s"), STR("a")}, "one", 3},   {true, {STR_NONE, STR("s"), STR("b")}, "two", 3},
        {true, {STR_NONE, STR("s"), STR("c")}, "", 0},      {false, {STR_NONE, STR("c"), STR("none")}, NULL, 0},
        {true, {STR_NONE, STR("c"), STR("k")}, NULL, 0},    {true, {STR("x"), STR("s"), STR("a")}, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool ok = (rows[i].secret ? secret_value : configmap_value)(&f->a, f->s, &rows[i].k, &v, &f->e);
        assert_int_equal(ok, rows[i].expected != NULL);
        if (!ok) assert_int_equal(f->e.code, ERR_NOT_FOUND);
        else assert_true(str_eq(v, str_n(rows[i].expected, rows[i].n)));
    }
}

static void lists_select_and_continue(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1100; i++) { /* more than one batch of the walk */
        assert_true(store_begin(f->s, &f->e));
        struct object_row row = {.kind = STR("ConfigMap"), .ns = i % 2 ? STR("odd") : STR("even"),
                                 .name = str_fmt(&f->a, "c%04d", i), .uid = STR("u")};
        row.doc = str_fmt(&f->a, CM("\"name\":\"c%04d\",\"uid\":\"u\",\"labels\":{\"third\":\"%d\"}", ""), i, i % 3);
        OK(store_object_put(f->s, &row, OBJECT_RV_NEW, &f->e));
        assert_true(store_commit(f->s, STORE_FAST, &f->e));
    }
    struct resource_query q = {.kind = RESOURCE_CONFIG_MAP, .ns = STR("odd"), .label_selector = STR("third=0"), .limit = 100};
    struct resource_page page;
    size_t total = 0;
    int pages = 0;
    do {
        OK(resource_list(&f->a, f->s, &q, &page, &f->e));
        total += page.n;
        pages++;
        q.continue_token = page.continue_token;
    } while (str_set(page.continue_token));
    assert_int_equal(total, 183);
    assert_int_equal(pages, 2);
    assert_int_equal(page.rv, 1100);
    q = (struct resource_query){.kind = RESOURCE_CONFIG_MAP, .field_selector = STR("metadata.name=c0007")};
    OK(resource_list(&f->a, f->s, &q, &page, &f->e));
    assert_int_equal(page.n, 1);
    assert_string_equal(val_path(&page.docs[0], "metadata.resourceVersion")->s.p, "8");
    q.label_selector = STR("a in");
    FAILS(ERR_SPEC, resource_list(&f->a, f->s, &q, &page, &f->e));
    q = (struct resource_query){.kind = RESOURCE_SECRET};
    OK(resource_list(&f->a, f->s, &q, &page, &f->e));
    assert_int_equal(page.n, 0);
}

static void kinds_have_all_their_names(void **state)
{
    (void)state;
    static const struct { const char *name; int kind; } rows[] = {
        {"ConfigMap", RESOURCE_CONFIG_MAP}, {"cm", RESOURCE_CONFIG_MAP}, {"configmaps", RESOURCE_CONFIG_MAP},
        {"cwft", RESOURCE_CLUSTER_WORKFLOW_TEMPLATE}, {"clusterWFtmpl", RESOURCE_CLUSTER_WORKFLOW_TEMPLATE},
        {"wftmpl", RESOURCE_WORKFLOW_TEMPLATE}, {"pod", -1}, {"", -1}, {"cm ", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum resource_kind_id kind;
        bool found = resource_kind_find(str_of(rows[i].name), &kind);
        assert_int_equal(found ? (int)kind : -1, rows[i].kind);
    }
}

static void owners_are_added_once(void **state)
{
    struct fixture *f = *state;
    struct val doc;
    OK(json_parse(&f->a, STR(CM("\"name\":\"c\"", "")), NULL, &doc, &f->e));
    struct owner_ref owner = {STR("argoproj.io/v1alpha1"), STR("Workflow"), STR("w"), STR("u-1"), true};
    doc = owner_ref_add(&f->a, &doc, &owner);
    owner.name = STR("w2");
    doc = owner_ref_add(&f->a, &doc, &owner);
    assert_string_equal(json_text(&f->a, val_path(&doc, "metadata.ownerReferences")).p,
        "[{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Workflow\",\"name\":\"w2\",\"uid\":\"u-1\",\"controller\":true,"
        "\"blockOwnerDeletion\":true}]");
    assert_true(owner_ref_has(&doc, STR("u-1")));
    assert_false(owner_ref_has(&doc, STR("u-2")));
    OK(put(f, RESOURCE_CREATE, json_text(&f->a, &doc).p));
    assert_true(owner_ref_has(&f->r.doc, STR("u-1")));
}

/* An object that names two owners: one is a stored object, the other is nobody. */
static void what_is_owned_is_found_once(void **state)
{
    struct fixture *f = *state;
    struct owned *list;
    size_t n;
    OK(put(f, RESOURCE_CREATE, CM("\"name\":\"top\"", "")));
    struct str uid = f->r.uid;
    struct str doc = str_fmt(&f->a, CM("\"name\":\"below\",\"ownerReferences\":[{\"kind\":\"ConfigMap\",\"name\":\"top\","
                                       "\"uid\":\"%.*s\"},{\"kind\":\"Workflow\",\"name\":\"w\",\"uid\":\"gone\"}]", ""), STR_ARG(uid));
    OK(put(f, RESOURCE_CREATE, doc.p));
    assert_false(owner_is_last(f->s, &f->r.doc, STR("gone"))); /* top is there */
    assert_true(owner_is_last(f->s, &f->r.doc, uid));
    OK(store_begin(f->s, &f->e));
    OK(owned_take(&f->a, f->s, 0, uid, &list, &n, &f->e));
    assert_int_equal(n, 1);
    assert_true(str_is(list[0].kind, "ConfigMap") && str_is(list[0].ns, "default") && str_is(list[0].name, "below") &&
                str_eq(list[0].uid, f->r.uid));
    OK(owned_take(&f->a, f->s, 0, uid, &list, &n, &f->e));
    assert_int_equal(n, 0);
    OK(store_commit(f->s, STORE_FAST, &f->e));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(metadata_is_completed_and_kept), TEST(writers_with_old_versions_conflict),
        TEST(names_are_generated_and_checked), TEST(apply_keeps_the_status_that_update_replaces),
        TEST(cluster_kinds_have_no_namespace), TEST(values_of_configmaps_and_secrets_are_decoded),
        TEST(lists_select_and_continue), TEST(kinds_have_all_their_names), TEST(owners_are_added_once),
        TEST(what_is_owned_is_found_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
