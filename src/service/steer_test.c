/* Steering runs in a state directory of one's own: an engine that starts no step. */
#include "doc/json_write.h"
#include "service/service_test_p.h"

static void nothing(void *user) { (void)user; }

static void keep_upload(void *user)
{
    struct fixture *f = user;
    struct upload u = {.content = "c"};
    struct str key;
    assert_false(service_upload_keep(&f->a, f->s, STR("default"), STR("f"), &u, &key, &f->e));
}

/* What a worker has stored when the engine leaves belongs to nobody. */
static void an_upload_that_comes_late_finds_no_engine(void **state)
{
    struct fixture *f = *state;
    loop_job(service_loop(f->s), nothing, keep_upload, f);
    service_close(f->s);
    assert_int_equal(f->e.code, ERR_UNREACHABLE);
    fixture_open(f);
}

static void refused(struct fixture *f, bool ok, enum err_code code, const char *word)
{
    assert_false(ok);
    assert_int_equal(f->e.code, code);
    if (!strstr(f->e.text, word)) fail_msg("'%s' does not say '%s'", f->e.text, word);
}

static void submit(struct fixture *f, const char *yaml) { fixture_submit(f, yaml, NULL); }

static struct val got(struct fixture *f, const char *name)
{
    struct val wf;
    OK(f, service_get(&f->a, f->s, STR("default"), str_of(name), &wf, &f->e));
    return wf;
}

static void is_at(struct fixture *f, const char *name, const char *path, const char *want)
{
    struct val wf = got(f, name);
    struct str is = val_text(val_path(&wf, path));
    if (!want) assert_null(val_path(&wf, path));
    else if (!str_is(is, want)) fail_msg("%s is '%.*s', not '%s'", path, STR_ARG(is), want);
}

static const char asking[] =
    "apiVersion: argoproj.io/v1alpha1\n"
    "kind: Workflow\n"
    "metadata: {name: w, labels: {team: x, workflows.argoproj.io/creator: me}, annotations: {note: kept}}\n"
    "spec:\n"
    "  entrypoint: ask\n"
    "  arguments: {parameters: [{name: p, value: old}]}\n"
    "  templates: [{name: ask, suspend: {}, outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}}]\n";

static const struct str ns = {"default", 7};

static void suspended_and_resumed(void **state)
{
    struct fixture *f = *state;
    submit(f, asking);
    OK(f, service_suspend(f->s, ns, STR("w"), &f->e));
    is_at(f, "w", "spec.suspend", "true");
    fixture_reopen(f);
    is_at(f, "w", "spec.suspend", "true");
    refused(f, service_resume(f->s, ns, STR("w"), STR_NONE, &f->e), ERR_SPEC, "'answer' has not been set");
    is_at(f, "w", "spec.suspend", "true");
    struct param answer = {STR("answer"), STR("42")};
    struct set_opts o = {.params = &answer, .n_params = 1};
    refused(f, service_set(f->s, ns, STR("w"), &o, &f->e), ERR_USAGE, "use a node field selector");
    o.nodes = STR("colour=red");
    refused(f, service_set(f->s, ns, STR("w"), &o, &f->e), ERR_USAGE, "'colour' is not known");
    o.nodes = STR("phase=Running,templateName!=other");
    o.phase = STR("Done");
    refused(f, service_set(f->s, ns, STR("w"), &o, &f->e), ERR_USAGE, "invalid phase");
    o.phase = STR_NONE;
    o.message = STR("by hand");
    OK(f, service_set(f->s, ns, STR("w"), &o, &f->e));
    fixture_reopen(f);
    is_at(f, "w", "status.nodes.w.message", "by hand");
    OK(f, service_resume(f->s, ns, STR("w"), STR_NONE, &f->e));
    is_at(f, "w", "status.phase", "Succeeded");
    is_at(f, "w", "spec.suspend", NULL);
    struct val wf = got(f, "w");
    assert_string_equal(json_text(&f->a, val_path(&wf, "status.nodes.w.outputs")).p,
                        "{\"parameters\":[{\"name\":\"answer\",\"value\":\"42\"}]}");
    refused(f, service_resume(f->s, ns, STR("w"), STR_NONE, &f->e), ERR_NOT_NOW, "is finished");
    refused(f, service_suspend(f->s, ns, STR("w"), &f->e), ERR_NOT_NOW, "cannot suspend completed workflows");
    refused(f, service_suspend(f->s, ns, STR("none"), &f->e), ERR_NOT_FOUND, "none");
}

static void retried_with_other_parameters(void **state)
{
    struct fixture *f = *state;
    struct param p[] = {{STR("p"), STR("new")}};
    struct retry_opts o = {.params = p, .n_params = 1};
    submit(f, asking);
    refused(f, service_retry(f->s, ns, STR("w"), &o, &f->e), ERR_NOT_NOW, "Cannot retry a workflow in phase Running");
    OK(f, service_stop(f->s, ns, STR("w"), SERVICE_STOP, &f->e));
    is_at(f, "w", "status.phase", "Failed");
    is_at(f, "w", "spec.shutdown", "Stop");
    OK(f, service_retry(f->s, ns, STR("w"), &o, &f->e));
    is_at(f, "w", "status.phase", "Running");
    is_at(f, "w", "spec.shutdown", NULL);
    struct val wf = got(f, "w");
    assert_string_equal(json_text(&f->a, val_path(&wf, "spec.arguments.parameters")).p, "[{\"name\":\"p\",\"value\":\"new\"}]");
    fixture_reopen(f);
    is_at(f, "w", "status.nodes.w.phase", "Running");
    struct set_opts fail = {.nodes = STR("id=w"), .phase = STR("Error"), .message = STR("no")};
    OK(f, service_set(f->s, ns, STR("w"), &fail, &f->e));
    is_at(f, "w", "status.phase", "Error");
    o.nodes = STR("bad selector");
    refused(f, service_retry(f->s, ns, STR("w"), &o, &f->e), ERR_USAGE, "field=value");
    is_at(f, "w", "status.phase", "Error"); /* refused: as it was, here and after a restart */
    fixture_reopen(f);
    is_at(f, "w", "status.phase", "Error");
}

static void a_copy_keeps_what_users_said(void **state)
{
    struct fixture *f = *state;
    struct workflow_ref out, again;
    struct param p[] = {{STR("p"), STR("new")}};
    struct resubmit_opts o = {.params = p, .n_params = 1, .priority = STR("7"), .token = STR("5a2d5c5c-f067-453a-8000-4655e7051234")};
    submit(f, asking);
    o.memoized = true;
    refused(f, service_resubmit(&f->a, f->s, ns, STR("w"), &o, &out, &f->e), ERR_NOT_NOW, "must be Failed/Error");
    o.memoized = false;
    OK(f, service_resubmit(&f->a, f->s, ns, STR("w"), &o, &out, &f->e));
    assert_true(str_starts(out.name, STR("w-")) && out.name.n == 7);
    OK(f, service_resubmit(&f->a, f->s, ns, STR("w"), &o, &again, &f->e)); /* the same request once more */
    assert_true(str_eq(out.name, again.name));
    struct val wf = got(f, out.name.p);
    assert_string_equal(json_text(&f->a, val_path(&wf, "metadata.annotations")).p, "{\"note\":\"kept\"}");
    const struct val *labels = val_path(&wf, "metadata.labels");
    assert_true(str_is(val_get_str(labels, "team"), "x"));
    assert_true(str_is(val_get_str(labels, "workflows.argoproj.io/resubmitted-from-workflow"), "w"));
    assert_null(val_get(labels, STR("workflows.argoproj.io/creator")));
    assert_true(str_is(val_text(val_path(&wf, "spec.priority")), "7"));
    assert_true(str_is(val_get_str(&val_path(&wf, "spec.arguments.parameters")->items[0], "value"), "new"));
    is_at(f, out.name.p, "status.phase", "Running");
}

static const char template_text[] =
    "apiVersion: argoproj.io/v1alpha1\n"
    "kind: %s\n"
    "metadata: {name: t}\n"
    "spec:\n"
    "  entrypoint: ask\n"
    "  templates: [{name: ask, suspend: {}}]\n";

static bool put(struct fixture *f, enum service_kind kind, enum service_put how, const char *text)
{
    struct documents docs;
    struct diags diags;
    struct val v;
    documents_init(&docs, &f->a);
    diags_init(&diags, &f->a);
    documents_add(&docs, str_of(text), 0, &diags);
    bool ok = service_object_put(&f->a, f->s, kind, how, ns, &docs, &diags, &v, &f->e);
    documents_fini(&docs);
    diags_fini(&diags);
    return ok;
}

static void stored_and_started(void **state)
{
    struct fixture *f = *state;
    struct val v, list;
    const char *text = str_fmt(&f->a, template_text, "WorkflowTemplate").p;
    refused(f, put(f, SERVICE_TEMPLATE, SERVICE_UPDATE, text), ERR_NOT_FOUND, "\"t\"");
    OK(f, put(f, SERVICE_TEMPLATE, SERVICE_APPLY, text));
    OK(f, put(f, SERVICE_TEMPLATE, SERVICE_UPDATE, text));
    refused(f, put(f, SERVICE_TEMPLATE, SERVICE_CREATE, text), ERR_CONFLICT, "exists already");
    refused(f, put(f, SERVICE_CRON, SERVICE_CREATE, text), ERR_SPEC, "of kind WorkflowTemplate, not CronWorkflow");
    OK(f, put(f, SERVICE_CLUSTER_TEMPLATE, SERVICE_CREATE, str_fmt(&f->a, template_text, "ClusterWorkflowTemplate").p));
    fixture_reopen(f);
    OK(f, service_object_list(&f->a, f->s, SERVICE_TEMPLATE, STR_NONE, STR_NONE, &list, &f->e));
    assert_int_equal(list.n, 1);
    OK(f, service_from(&f->a, f->s, ns, STR("wftmpl/t"), &v, &f->e));
    assert_string_equal(json_text(&f->a, val_get(&v, STR("spec"))).p, "{\"workflowTemplateRef\":{\"name\":\"t\"}}");
    OK(f, service_from(&f->a, f->s, ns, STR("cwftmpl/t"), &v, &f->e));
    OK(f, service_from(&f->a, f->s, ns, STR("ClusterWorkflowTemplate/t"), &v, &f->e));
    assert_string_equal(json_text(&f->a, val_get(&v, STR("spec"))).p,
                        "{\"workflowTemplateRef\":{\"name\":\"t\",\"clusterScope\":true}}");
    refused(f, service_from(&f->a, f->s, ns, STR("cronwf/t"), &v, &f->e), ERR_NOT_FOUND, "CronWorkflow");
    refused(f, service_from(&f->a, f->s, ns, STR("configmap/t"), &v, &f->e), ERR_USAGE, "--from is");
    refused(f, service_from(&f->a, f->s, ns, STR("t"), &v, &f->e), ERR_USAGE, "--from is");
    OK(f, service_object_delete(f->s, SERVICE_TEMPLATE, ns, STR("t"), &f->e));
    refused(f, service_object_delete(f->s, SERVICE_TEMPLATE, ns, STR("t"), &f->e), ERR_NOT_FOUND, "\"t\"");
}

static void lists_select_by_fields(void **state)
{
    struct fixture *f = *state;
    struct list_opts o = {.fields = STR("metadata.name=w,status.phase!=Failed")};
    struct val items;
    submit(f, asking);
    OK(f, service_list(&f->a, f->s, &o, &items, &f->e));
    assert_int_equal(items.n, 1);
    OK(f, service_suspend(f->s, ns, STR("w"), &f->e));
    OK(f, service_list(&f->a, f->s, &o, &items, &f->e));
    assert_true(val_path(&items.items[0], "spec.suspend")->b);
    OK(f, service_stop(f->s, ns, STR("w"), SERVICE_TERMINATE, &f->e));
    OK(f, service_list(&f->a, f->s, &o, &items, &f->e));
    assert_int_equal(items.n, 0);
    o.fields = STR("metadata.name");
    refused(f, service_list(&f->a, f->s, &o, &items, &f->e), ERR_SPEC, "field selector");
}

/* ---- submissions of many ---- */

/* One of several in a turn of the loop, and what its caller was told. */
struct one {
    struct documents docs;
    struct diags diags;
    int told;
    struct err e;
};

static void on_told(void *user, const struct err *e, const struct workflow_ref *refs, size_t n)
{
    struct one *x = user;
    (void)refs, (void)n;
    x->told++;
    x->e = e ? *e : (struct err){0};
}

static void submit_later(struct fixture *f, struct one *x, const char *yaml)
{
    struct submit_opts o = {0};
    *x = (struct one){0};
    documents_init(&x->docs, &f->a);
    diags_init(&x->diags, &f->a);
    documents_add(&x->docs, str_of(yaml), 0, &x->diags);
    OK(f, service_submit_later(f->s, &x->docs, &o, &x->diags, on_told, x, &f->e));
    assert_int_equal(x->told, 0);
}

static void told(struct one *x, enum err_code code)
{
    assert_int_equal(x->told, 1);
    assert_int_equal(x->e.code, code);
    documents_fini(&x->docs);
    diags_fini(&x->diags);
}

#define SUSPENDED(name) \
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: " name "}\n" \
    "spec: {suspend: true, entrypoint: m, templates: [{name: m, suspend: {}}]}\n"

static void submissions_of_a_turn_share_a_commit(void **state)
{
    struct fixture *f = *state;
    struct one x[4];
    submit(f, SUSPENDED("before")); /* leaves the loop something to do */
    submit_later(f, &x[0], SUSPENDED("a"));
    submit_later(f, &x[1], SUSPENDED("b"));
    submit_later(f, &x[2], SUSPENDED("a"));
    submit_later(f, &x[3], SUSPENDED("c"));
    loop_turn(service_loop(f->s), false);
    told(&x[0], ERR_NONE);
    told(&x[1], ERR_NONE);
    told(&x[2], ERR_CONFLICT);
    told(&x[3], ERR_NONE);
    struct val a = got(f, "a"), b = got(f, "b"), c = got(f, "c");
    assert_true(val_eq(val_path(&a, "metadata.resourceVersion"), val_path(&b, "metadata.resourceVersion")));
    assert_true(val_eq(val_path(&a, "metadata.resourceVersion"), val_path(&c, "metadata.resourceVersion")));
}

static void one_that_fails_half_way_leaves_nothing_and_stops_no_other(void **state)
{
    struct fixture *f = *state;
    struct one x[3];
    struct val v;
    submit(f, SUSPENDED("taken"));
    submit_later(f, &x[0], SUSPENDED("a"));
    submit_later(f, &x[1], "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: t}\n"
                           "spec: {templates: [{name: m, suspend: {}}]}\n---\n" SUSPENDED("taken"));
    submit_later(f, &x[2], SUSPENDED("b"));
    loop_turn(service_loop(f->s), false);
    told(&x[0], ERR_NONE);
    told(&x[1], ERR_CONFLICT);
    told(&x[2], ERR_NONE);
    got(f, "a");
    got(f, "b");
    refused(f, service_object_get(&f->a, f->s, SERVICE_TEMPLATE, ns, STR("t"), &v, &f->e), ERR_NOT_FOUND, "\"t\"");
}

static void who_submits_to_an_engine_that_leaves_is_told(void **state)
{
    struct fixture *f = *state;
    struct workflow_ref ref = {ns, STR("a")};
    struct one x;
    struct str phase;
    bool ended;
    submit_later(f, &x, SUSPENDED("a"));
    fixture_reopen(f);
    told(&x, ERR_UNREACHABLE);
    refused(f, service_phase(&f->a, f->s, &ref, &phase, &ended, &f->e), ERR_NOT_FOUND, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(an_upload_that_comes_late_finds_no_engine),
        FIXTURE_TEST(suspended_and_resumed),
        FIXTURE_TEST(retried_with_other_parameters),
        FIXTURE_TEST(a_copy_keeps_what_users_said),
        FIXTURE_TEST(stored_and_started),
        FIXTURE_TEST(lists_select_by_fields),
        FIXTURE_TEST(submissions_of_a_turn_share_a_commit),
        FIXTURE_TEST(one_that_fails_half_way_leaves_nothing_and_stops_no_other),
        FIXTURE_TEST(who_submits_to_an_engine_that_leaves_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
