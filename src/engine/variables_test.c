/* engine: every variable that a template can mention (docs of Argo: variables), each with its value. */
#include "engine/engine_test_p.h"

struct row {
    const char *tag, *value; /* a NULL value: it stays as it is */
};

/* The command of the pod `name` after substitution: one word for each row. */
static void words_are(struct fixture *f, const char *name, const struct row *rows, size_t n)
{
    struct err e = {0};
    const struct val *t = node_template(f->run, named(f, name), &e);
    if (!t) fail_msg("%s", e.text);
    const struct val *words = val_path(t, "container.args");
    for (size_t i = 0; i < n; i++) {
        struct str got = val_text(&words->items[i]);
        struct str want = rows[i].value ? str_of(rows[i].value) : str_fmt(&f->a, "{{%s}}", rows[i].tag);
        if (!str_eq(got, want)) fail_msg("%s: '%.*s', not '%.*s'", rows[i].tag, STR_ARG(got), STR_ARG(want));
    }
}

static const char *args_of(struct arena *a, const struct row *rows, size_t n)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s\"{{%s}}\"", i ? ", " : "", rows[i].tag);
    const char *text = buf_dup(a, &b).p;
    buf_fini(&b);
    return text;
}

static const struct row globals[] = {
    {"workflow.name", "wf"}, {"workflow.namespace", "default"}, {"workflow.uid", "u"}, {"workflow.mainEntrypoint", "main"},
    {"workflow.serviceAccountName", "me"}, {"workflow.priority", "7"}, {"workflow.parameters.p", "pv"},
    {"workflow.parameters", "[{\"name\":\"p\",\"value\":\"pv\"}]"}, {"workflow.parameters.json", "[{\"name\":\"p\",\"value\":\"pv\"}]"},
    {"workflow.labels.l", "lv"}, {"workflow.labels.json", "{\"l\":\"lv\"}"}, {"workflow.labels", "{\"l\":\"lv\"}"},
    {"workflow.annotations.a", "av"}, {"workflow.annotations.json", "{\"a\":\"av\",\"workflows.argoproj.io/scheduled-time\":\"2026-01-01T00:00:00Z\"}"},
    {"workflow.creationTimestamp", "2026-02-03T04:05:06Z"}, {"workflow.creationTimestamp.RFC3339", "2026-02-03T04:05:06Z"},
    {"workflow.creationTimestamp.s", "1770091506"}, {"workflow.creationTimestamp.Y", "2026"}, {"workflow.creationTimestamp.m", "02"},
    {"workflow.creationTimestamp.d", "03"}, {"workflow.creationTimestamp.H", "04"}, {"workflow.creationTimestamp.M", "05"},
    {"workflow.creationTimestamp.S", "06"}, {"workflow.creationTimestamp.B", "February"},
    {"workflow.scheduledTime", "2026-01-01T00:00:00Z"}, {"workflow.duration", "0.000000"},
    {"workflow.status", NULL}, {"workflow.failures", NULL}, {"nothing.of.the.kind", NULL},
};

static void global_ones(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct val *wf;
    arena_init(&f.a);
    wf = ARENA_NEW(&f.a, struct val);
    struct str text = str_fmt(&f.a,
        "metadata: {name: wf, namespace: default, uid: u, creationTimestamp: '2026-02-03T04:05:06Z', labels: {l: lv},\n"
        "  annotations: {a: av, workflows.argoproj.io/scheduled-time: '2026-01-01T00:00:00Z'}}\n"
        "spec:\n  entrypoint: main\n  serviceAccountName: me\n  priority: 7\n  arguments: {parameters: [{name: p, value: pv}]}\n"
        "  templates: [{name: main, container: {image: x, args: [%s]}}]\n", args_of(&f.a, globals, ARRAY_LEN(globals)));
    if (!yaml_parse(&f.a, text, NULL, wf, &e)) fail_msg("%s", e.text);
    f.opts = (struct run_opts){.workflow = wf, .seed = 1};
    assert_non_null(f.run = run_new(&f.opts, &e));
    run_start(f.run, T0, &f.out);
    words_are(&f, "wf", globals, ARRAY_LEN(globals));
    end(&f);
}

static const struct row of_a_template[] = {
    {"inputs.parameters.q", "qv"}, {"inputs.parameters", "[{\"name\":\"q\",\"value\":\"qv\"}]"}, {"inputs.artifacts.a.path", "/a"},
    {"outputs.parameters.o.path", "/o"}, {"outputs.artifacts.b.path", "/b"}, {"pod.name", "wf-t-1974140919"}, {"node.name", "wf[0].a"},
    {"steps.name", "a"}, {"tasks.name", NULL}, {"retries", NULL}, {"lastRetry.exitCode", NULL},
};
#define T_IO                                                                                       \
    " inputs: {parameters: [{name: q}], artifacts: [{name: a, path: /a, raw: {data: x}}]},"         \
    " outputs: {parameters: [{name: o, valueFrom: {path: /o}}], artifacts: [{name: b, path: /b}]},"

static void those_of_a_template(void **state)
{
    (void)state;
    struct fixture f;
    struct arena a;
    arena_init(&a);
    const char *args = args_of(&a, of_a_template, ARRAY_LEN(of_a_template));
    struct str spec = str_fmt(&a, "  entrypoint: main\n  templates:\n"
        "  - {name: main, steps: [[{name: a, template: t, arguments: {parameters: [{name: q, value: qv}]}}]]}\n"
        "  - {name: t," T_IO " container: {image: x, args: [%s]}}\n", args);
    begin(&f, spec.p);
    struct row rows[ARRAY_LEN(of_a_template)];
    memcpy(rows, of_a_template, sizeof rows);
    rows[5].value = node_pod_name(&f.a, f.run, named(&f, "wf[0].a")).p;
    words_are(&f, "wf[0].a", rows, ARRAY_LEN(rows));
    end(&f);
    arena_fini(&a);
}

static const struct row of_a_task[] = {{"tasks.name", "b(1:y)"}, {"steps.name", NULL}, {"node.name", "wf.b(1:y)"}, {"item", NULL}};

static void those_of_a_looping_task(void **state)
{
    (void)state;
    struct fixture f;
    struct arena a;
    arena_init(&a);
    begin(&f, str_fmt(&a, "  entrypoint: main\n  templates:\n"
        "  - {name: main, dag: {tasks: [{name: b, template: t, withItems: ['x', 'y']}]}}\n"
        "  - {name: t, container: {image: x, args: [%s]}}\n", args_of(&a, of_a_task, ARRAY_LEN(of_a_task))).p);
    words_are(&f, "wf.b(1:y)", of_a_task, ARRAY_LEN(of_a_task));
    end(&f);
    arena_fini(&a);
}

static const struct row first_try[] = {{"retries", "0"}, {"lastRetry.exitCode", "0"}, {"lastRetry.status", ""}, {"lastRetry.duration", "0"},
                                       {"lastRetry.message", ""}, {"node.name", "wf"}, {"steps.name", ""}};
static const struct row second_try[] = {{"retries", "1"}, {"lastRetry.exitCode", "1"}, {"lastRetry.status", "Failed"},
                                        {"lastRetry.duration", "3"}, {"lastRetry.message", ""}, {"node.name", "wf"}, {"steps.name", ""}};

static void those_of_an_attempt(void **state)
{
    (void)state;
    struct fixture f;
    struct arena a;
    arena_init(&a);
    begin(&f, str_fmt(&a, "  entrypoint: main\n  templates:\n  - {name: main, retryStrategy: {limit: 3}, container: {image: x, args: [%s]}}\n",
                      args_of(&a, first_try, ARRAY_LEN(first_try))).p);
    words_are(&f, "wf(0)", first_try, ARRAY_LEN(first_try));
    done(&f, "wf(0)", NODE_FAILED, T0 + 3000000);
    words_are(&f, "wf(1)", second_try, ARRAY_LEN(second_try));
    end(&f);
    arena_fini(&a);
}

static const struct row of_a_step[] = {
    {"steps.a.status", "Succeeded"}, {"steps.a.exitCode", "0"}, {"steps.a.ip", "127.0.0.1"}, {"steps.a.hostNodeName", "localhost"},
    {"steps.a.id", "wf-3986212215"}, {"steps.a.startedAt", "1970-01-01T00:00:01Z"}, {"steps.a.finishedAt", "1970-01-01T00:00:04Z"},
    {"steps.a.outputs.result", "res"}, {"steps.a.outputs.parameters.o", "ov"},
    {"steps.a.outputs.parameters", "[{\"name\":\"o\",\"valueFrom\":{\"path\":\"/o\"},\"value\":\"ov\",\"globalName\":\"g\"}]"},
    {"workflow.outputs.parameters.g", "ov"},
};

static void those_of_an_earlier_step(void **state)
{
    (void)state;
    struct fixture f;
    struct arena a;
    struct buf b;
    arena_init(&a);
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(of_a_step); i++)
        if (!strstr(of_a_step[i].tag, "outputs.parameters") || of_a_step[i].tag[0] == 'w' || strstr(of_a_step[i].tag, ".o"))
            buf_printf(&b, "%s{name: p%zu, value: '{{%s}}'}", b.n ? ", " : "", i, of_a_step[i].tag);
    begin(&f, str_fmt(&a, "  entrypoint: main\n  templates:\n"
        "  - {name: main, steps: [[{name: a, template: t}], [{name: b, template: u, arguments: {parameters: [%s]}}]]}\n"
        "  - {name: t, container: {image: x}, outputs: {parameters: [{name: o, globalName: g, valueFrom: {path: /o}}]}}\n"
        "  - {name: u, inputs: {parameters: [{name: p0}, {name: p1}, {name: p2}, {name: p3}, {name: p4}, {name: p5}, {name: p6}, {name: p7}, {name: p8}, {name: p10}]}, container: {image: x}}\n",
        b.p).p);
    buf_fini(&b);
    struct step_outcome_param o = {STR("o"), STR("ov")};
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .exit_code = 0, .result = STR("res"), .params = &o, .n_params = 1};
    run_step_done(f.run, named(&f, "wf[0].a"), &how, T0 + 3000000, &f.out);
    assert_non_null(named(&f, "wf[1].b"));
    struct val in;
    assert_true(json_parse(&f.a, node_inputs(named(&f, "wf[1].b")), NULL, &in, NULL));
    const struct val *params = val_get(&in, STR("parameters"));
    static const size_t shown[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10};
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        struct str got = val_text(val_get(&params->items[i], STR("value")));
        if (!str_is(got, of_a_step[shown[i]].value)) fail_msg("%s: '%.*s'", of_a_step[shown[i]].tag, STR_ARG(got));
    }
    end(&f);
    arena_fini(&a);
}

static void those_of_an_exit_handler(void **state)
{
    (void)state;
    struct fixture f;
    static const struct row rows[] = {{"workflow.status", "Failed"}};
    begin(&f, "  entrypoint: main\n  onExit: bye\n  templates:\n  - {name: main, container: {image: x}}\n"
              "  - {name: bye, container: {image: x, args: ['{{workflow.status}}', '{{workflow.failures}}']}}\n");
    done(&f, "wf", NODE_FAILED, T0 + 1);
    words_are(&f, "wf.onExit", rows, 1);
    struct err e;
    const struct val *t = node_template(f.run, named(&f, "wf.onExit"), &e);
    struct str failures = val_text(&val_path(t, "container.args")->items[1]);
    assert_true(str_starts(failures, STR("\"[{\\\"displayName\\\":\\\"wf\\\"")));
    end(&f);
}

/* `given` is the value in the ConfigMap; NULL: there is none (any more). */
static const struct val *config_map(void *ctx, struct str kind, struct str ns, struct str name)
{
    struct fixture *f = ctx;
    struct val *v = ARENA_NEW(&f->a, struct val);
    (void)ns;
    if (!f->given || !str_is(kind, "ConfigMap") || !str_is(name, "c")) return NULL;
    struct str text = str_fmt(&f->a, "metadata: {labels: {workflows.argoproj.io/configmap-type: Parameter}}\ndata: {k: %s}\n", f->given);
    assert_true(yaml_parse(&f->a, text, NULL, v, NULL));
    return v;
}

static const char *a_of(struct fixture *f, const char *name)
{
    const struct val *t = node_template(f->run, named(f, name), NULL);
    assert_non_null(t);
    return val_text(&val_path(t, "container.args")->items[0]).p;
}

/* Decisions are stored: a ConfigMap that changes, or goes, changes nothing about a workflow at work. A retry is
 * a new decision. */
static void an_argument_from_a_config_map_is_decided_once(void **state)
{
    (void)state;
    struct fixture f = {.given = "one"};
    uint32_t *moved;
    struct err e;
    begin_with(&f, "  entrypoint: main\n"
                   "  arguments: {parameters: [{name: a, valueFrom: {configMapKeyRef: {name: c, key: k}}}, {name: b, valueFrom: "
                   "{configMapKeyRef: {name: no, key: k}, default: two}}]}\n"
                   "  templates:\n  - {name: main, container: {image: x, args: ['{{workflow.parameters.a}} {{workflow.parameters.b}}']}}\n",
               config_map);
    assert_true(f.out.run_dirty);
    assert_string_equal(a_of(&f, "wf"), "one two");
    f.given = "other";
    restart(&f);
    assert_string_equal(a_of(&f, "wf"), "one two");
    f.given = NULL;
    restart(&f);
    restart(&f);
    run_continue(f.run, T0 + 1, &f.out);
    assert_false(f.out.run_dirty);
    assert_string_equal(a_of(&f, "wf"), "one two");
    done(&f, "wf", NODE_FAILED, T0 + 2);
    restart(&f);
    f.given = "new";
    assert_true(run_reset(f.run, &(struct reset_opts){0}, T0 + 3, &moved, &e));
    restart(&f);
    run_continue(f.run, T0 + 3, &f.out);
    assert_true(f.out.run_dirty); /* decided anew */
    f.given = NULL;
    restart(&f);
    assert_string_equal(a_of(&f, "wf"), "new two");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_ones),
        cmocka_unit_test(those_of_a_template),
        cmocka_unit_test(those_of_a_looping_task),
        cmocka_unit_test(those_of_an_attempt),
        cmocka_unit_test(those_of_an_earlier_step),
        cmocka_unit_test(those_of_an_exit_handler),
        cmocka_unit_test(an_argument_from_a_config_map_is_decided_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
