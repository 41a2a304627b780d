/* Documents: kinds, lists, older forms; and every corpus file there and back (when SKIFF_CORPUS
 * names the folder). */
#include <dirent.h>

#include "spec/template.h"
#include "spec/test_p.h"

static void reads_several_documents(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct str text = STR("apiVersion: argoproj.io/v1alpha1\n"
                          "kind: Workflow\n"
                          "metadata: {generateName: a-, namespace: ns1}\n"
                          "spec: {entrypoint: main, templates: [{name: main, suspend: {}}]}\n"
                          "---\n"
                          "apiVersion: v1\n"
                          "kind: ConfigMap\n"
                          "metadata: {name: c}\n"
                          "data: {k: v}\n"
                          "---\n"
                          "apiVersion: v1\n"
                          "kind: ResourceQuota\n");
    assert_true(fixture_add(&f, "a.yaml", text));
    assert_int_equal(f.docs.n, 2);
    assert_int_equal(f.docs.items[0].kind, DOC_WORKFLOW);
    assert_true(str_is(f.docs.items[0].generate_name, "a-"));
    assert_true(str_is(f.docs.items[0].ns, "ns1"));
    assert_null(f.docs.items[0].name.p);
    assert_true(str_is(f.docs.items[0].spec->entrypoint, "main"));
    assert_int_equal(f.docs.items[0].line, 1);
    assert_int_equal(f.docs.items[1].kind, DOC_CONFIG_MAP);
    assert_true(str_is(f.docs.items[1].config_map->data.items[0].v, "v"));
    assert_int_equal(f.d.warnings, 1);
    assert_string_equal(f.d.items[0].code, "W0002");
    assert_ptr_equal(documents_find(&f.docs, DOC_CONFIG_MAP, STR("x"), STR("c")), &f.docs.items[1]);
    assert_null(documents_find(&f.docs, DOC_SECRET, STR("x"), STR("c")));
    fixture_fini(&f);
}

static void flattens_lists(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct str text = STR("apiVersion: v1\nkind: List\nitems:\n"
                          "- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n"
                          "- {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, "
                          "metadata: {name: c}}]}\n");
    assert_true(fixture_add(&f, "a.yaml", text));
    assert_int_equal(f.docs.n, 2);
    assert_int_equal(f.docs.items[0].kind, DOC_SECRET);
    assert_int_equal(f.docs.items[1].kind, DOC_CONFIG_MAP);
    fixture_fini(&f);
}

static void converts_older_forms(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct str text = STR(
        "apiVersion: argoproj.io/v1alpha1\n"
        "kind: CronWorkflow\n"
        "metadata: {name: c}\n"
        "spec:\n"
        "  schedule: '* * * * *'\n"
        "  stopStrategy: {condition: 'true'}\n"
        "  workflowSpec:\n"
        "    entrypoint: m\n"
        "    ttlSecondsAfterFinished: 5\n"
        "    synchronization: {mutex: {name: w}}\n"
        "    templates:\n"
        "    - name: m\n"
        "      synchronization: {semaphore: {configMapKeyRef: {name: c, key: k}}, semaphores: []}\n"
        "      suspend: {}\n");
    assert_true(fixture_add(&f, "a.yaml", text));
    const struct argo_cron_workflow_spec *spec = f.docs.items[0].cron_workflow->spec;
    assert_int_equal(spec->schedules.n, 1);
    assert_null(spec->schedule.p);
    assert_true(str_is(spec->stop_strategy->expression, "true"));
    const struct argo_workflow_spec *w = f.docs.items[0].spec;
    assert_int_equal(w->ttl_strategy->seconds_after_completion.v, 5);
    assert_int_equal(w->synchronization->mutexes.n, 1);
    assert_null(w->synchronization->mutex);
    const struct argo_synchronization *sync = w->templates.items[0].synchronization;
    assert_int_equal(sync->semaphores.n, 1);
    assert_true(str_is(sync->semaphores.items[0].config_map_key_ref->key, "k"));
    assert_int_equal(sync->semaphores.items[0].src->line, 13);
    assert_int_equal(f.d.errors, 0);
    assert_int_equal(f.d.n, 5); /* a note each */
    fixture_fini(&f);
}

/* What is shown again is what Argo shows: its clients take no number for a text. */
static void text_is_text(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct str text = STR("apiVersion: argoproj.io/v1alpha1\n"
                          "kind: Workflow\n"
                          "metadata: {name: w, labels: {v: 1.5, on: true}, annotations: {none: null}}\n"
                          "spec:\n"
                          "  arguments: {parameters: [{name: p, value: 1e3}]}\n"
                          "  templates: [{name: m, container: {image: i, args: [7, null]}}]\n"
                          "---\n"
                          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: 5}\n");
    static const struct { const char *path, *text; } rows[] = {
        {"metadata.labels.v", "1.5"}, {"metadata.labels.true", "true"}, {"metadata.annotations.none", ""}};
    assert_true(fixture_add(&f, "a.yaml", text));
    const struct val *doc = f.docs.items[0].val;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct val *v = val_path(doc, rows[i].path);
        assert_true(v && v->kind == VAL_STR && str_is(v->s, rows[i].text));
    }
    const struct val *value = val_get(val_path(doc, "spec.arguments.parameters")->items, STR("value"));
    assert_true(value->kind == VAL_STR && str_is(value->s, "1000"));
    const struct val *args = val_path(val_path(doc, "spec.templates")->items, "container.args");
    assert_true(args->items[0].kind == VAL_STR && str_is(args->items[0].s, "7") && args->items[0].line == 6);
    assert_true(args->items[1].kind == VAL_STR && !args->items[1].s.n);
    assert_int_equal(val_path(f.docs.items[1].val, "data.k")->kind, VAL_INT); /* Kubernetes refuses it */
    fixture_fini(&f);
}

static void durations_and_quantities_are_text(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct str text = STR("apiVersion: argoproj.io/v1alpha1\n"
                          "kind: Workflow\n"
                          "metadata: {name: w}\n"
                          "spec:\n"
                          "  templates:\n"
                          "  - {name: m, timeout: 30, retryStrategy: {limit: 2, backoff: {duration: 5}}, container: {image: i, resources: {limits: {cpu: 0.5, memory: null}}}}\n");
    static const struct { const char *path, *text; } rows[] = {
        {"timeout", "30"}, {"retryStrategy.backoff.duration", "5"}, {"container.resources.limits.cpu", "0.5"}};
    assert_true(fixture_add(&f, "a.yaml", text));
    assert_false(f.docs.items[0].broken);
    const struct val *m = val_path(f.docs.items[0].val, "spec.templates")->items;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct val *v = val_path(m, rows[i].path);
        assert_true(v && v->kind == VAL_STR && str_is(v->s, rows[i].text));
    }
    assert_int_equal(val_path(m, "retryStrategy.limit")->kind, VAL_INT); /* both are right there */
    fixture_fini(&f);
}

static void reports_kinds(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_false(
        fixture_add(&f, "a.yaml", STR("apiVersion: argoproj.io/v1alpha1\nkind: Worfklow\n")));
    assert_string_equal(f.d.items[0].code, "E0003");
    assert_int_equal(f.d.items[0].fix->op, FIX_VALUE);
    assert_true(str_is(f.d.items[0].fix->text, "Workflow"));
    assert_false(fixture_add(&f, "b.yaml", STR("apiVersion: argoproj.io/v2\nkind: Workflow\n")));
    assert_false(fixture_add(&f, "c.yaml", STR("[1]")));
    assert_false(fixture_add(&f, "d.yaml", STR("a: [")));
    assert_int_equal(f.d.errors, 4);
    assert_true(fixture_add(&f, "e.yaml", STR("# nothing\n")));
    assert_int_equal(f.docs.n, 0);
    fixture_fini(&f);
}

/* Equal apart from null members, and numbers that are text where the table says so. */
static bool same(const struct val *x, const struct val *y)
{
    if (x->kind == VAL_MAP && y->kind == VAL_MAP) {
        size_t nx = 0, ny = 0;
        for (uint32_t i = 0; i < y->n; i++) ny += y->map[i].v.kind != VAL_NULL;
        for (uint32_t i = 0; i < x->n; i++) {
            if (x->map[i].v.kind == VAL_NULL) continue;
            const struct val *other = val_get(y, x->map[i].key);
            if (!other || !same(&x->map[i].v, other)) return false;
            nx++;
        }
        return nx == ny;
    }
    if (x->kind == VAL_LIST && y->kind == VAL_LIST) {
        for (uint32_t i = 0; i < x->n && i < y->n; i++)
            if (!same(&x->items[i], &y->items[i])) return false;
        return x->n == y->n;
    }
    struct str a = val_text(x), b = val_text(y);
    return a.p && b.p ? str_eq(a, b) : val_eq(x, y);
}

static void check_round_trip(struct fixture *f, const char *path)
{
    for (size_t i = 0; i < f->docs.n; i++) {
        const struct document *doc = &f->docs.items[i];
        const struct field_type *t = doc_kind_type(doc->kind);
        struct val again = field_encode(&f->a, t, doc->object);
        if (!same(doc->val, &again)) fail_msg("%s: not equal after encoding", path);
        void *copy = arena_alloc(&f->a, t->size);
        field_copy(&f->a, t, copy, doc->object);
        assert_true(field_eq(t, copy, doc->object));
    }
}

static size_t walk(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[2000];
        struct str name = str_of(e->d_name);
        if (name.p[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_type == DT_DIR) n += walk(path);
        if (!str_ends(name, STR(".yaml"))) continue;
        struct fixture f;
        fixture_init(&f);
        struct str text = fixture_read(&f.a, path);
        if (!fixture_add(&f, path, text)) fail_msg("%s", fixture_messages(&f).p);
        check_round_trip(&f, path);
        fixture_fini(&f);
        n++;
    }
    if (dir) closedir(dir);
    return n;
}

static void corpus_there_and_back(void **state)
{
    const char *folder = getenv("SKIFF_CORPUS"); /* main runs this only when it is set */
    assert_true(walk(folder) > 200);
}

static void finds_templates(void **state)
{
    enum { N = 40 };
    struct argo_template items[N] = {0};
    char names[N][8];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        items[i].name = str_of(names[i]);
    }
    struct argo_dag_template dag = {0};
    items[3].dag = &dag;
    for (size_t n = 4; n <= N; n += 36) {
        struct template_index x;
        template_index_init(&x, &(struct argo_template_list){items, n});
        assert_ptr_equal(template_find(&x, STR("t3")), &items[3]);
        assert_null(template_find(&x, STR("t99")));
        template_index_fini(&x);
    }
    assert_int_equal(template_type(&items[3]), TEMPLATE_DAG);
    assert_int_equal(template_bodies(&items[4]), 0);
    assert_string_equal(template_type_text(TEMPLATE_DAG), "DAG");
    assert_false(template_type_leaf(TEMPLATE_DAG));
}

/* Every name of every table is found by its hash, and every type is documented. */
static void tables_are_consistent(void **state)
{
    size_t n_types = 0, n_fields = 0;
    for (const struct field_type *const *t = argo_types; *t; t++, n_types++) {
        assert_true((*t)->doc[0] != '\0' && (*t)->size > 0);
        for (size_t i = 0; i < (*t)->n; i++, n_fields++) {
            const struct field_row *r = &(*t)->rows[i];
            assert_ptr_equal(field_find(*t, str_of(r->name)), r);
            assert_int_equal(r->name_n, strlen(r->name));
            assert_true(r->doc[0] != '\0');
            assert_true((r->kind == FIELD_STRUCT) == (r->type != NULL));
            if (r->merge_key) assert_non_null(field_find(r->type, str_of(r->merge_key)));
        }
    }
    assert_true(n_types > 190);
    assert_true(n_fields > 900);
}

static void explains_fields(void **state)
{
    const struct field_row *row;
    const struct field_type *type;
    assert_true(field_lookup(&argo_workflow_type,
                             STR("spec.templates.container.env.valueFrom.secretKeyRef.key"), &row,
                             &type));
    assert_true(
        field_lookup(&argo_workflow_type, STR("spec.templates.steps.withItems"), &row, &type));
    assert_true(field_lookup(&argo_workflow_type, STR("spec.hooks.exit.template"), &row, &type));
    assert_true(field_lookup(&argo_workflow_type, STR("spec.templates.dag.tasks.inline.script"),
                             &row, &type));
    assert_string_equal(type->name, "ScriptTemplate");
    assert_false(field_lookup(&argo_workflow_type, STR("spec.templates.containr"), &row, &type));
    assert_string_equal(field_suggest(&argo_template_type, STR("containr")), "container");
}

static void scripts_are_containers_too(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct str text = STR(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: a}\n"
        "spec: {templates: [{name: main, script: {image: i, command: [sh], source: s}}]}\n");
    assert_true(fixture_add(&f, "a.yaml", text));
    const struct argo_template *t = &f.docs.items[0].spec->templates.items[0];
    assert_true(str_is(t->script->image, "i"));
    assert_ptr_equal(template_container(t), &t->script->container);
    assert_true(str_is(template_container(t)->image, "i"));
    assert_ptr_equal(template_container(t)->src, t->script->src);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_several_documents),    cmocka_unit_test(flattens_lists),
        cmocka_unit_test(converts_older_forms),       cmocka_unit_test(text_is_text), cmocka_unit_test(durations_and_quantities_are_text),
        cmocka_unit_test(reports_kinds),
        cmocka_unit_test(tables_are_consistent),      cmocka_unit_test(explains_fields),
        cmocka_unit_test(scripts_are_containers_too), cmocka_unit_test(finds_templates),
        cmocka_unit_test(corpus_there_and_back),
    };
    /* the last one reads the corpus; cmocka's own skip counts as a failure in TAP */
    bool corpus = getenv("SKIFF_CORPUS") != NULL;
    if (!corpus) print_message("# SKIFF_CORPUS is not set: the corpus is not read\n");
    return _cmocka_run_group_tests("tests", tests, ARRAY_LEN(tests) - !corpus, NULL, NULL);
}
