/* pod_container: what is asked of an engine, and what the supervisor gets instead of the step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "pod/container.h"

static struct arena a;

static int arena_up(void **state)
{
    arena_init(&a);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

static bool lookup_all(void *ctx, bool secret, struct str name, struct val *map, struct err *e)
{
    return json_parse(&a, STR("{\"k\": \"hunter22\", \"l\": \"two\"}"), NULL, map, e);
}

static bool lookup_value(void *ctx, bool secret, struct str name, struct str key, struct str *out, struct err *e)
{
    *out = STR("hunter22");
    return true;
}

static struct val *parsed(const char *text)
{
    struct val *v = ARENA_NEW(&a, struct val);
    struct err e;
    if (!json_parse(&a, str_of(text), NULL, v, &e)) fail_msg("%s: %s", text, e.text);
    return v;
}

static const char workflow[] =
    "{\"metadata\": {\"name\": \"wf\", \"namespace\": \"ns\", \"uid\": \"u-1\"}, \"spec\": {\"volumes\": ["
    "{\"name\": \"s\", \"secret\": {\"secretName\": \"s\"}}, {\"name\": \"e\", \"emptyDir\": {}}, {\"name\": \"h\", \"hostPath\": {\"path\": \"/srv\"}},"
    "{\"name\": \"m\", \"emptyDir\": {\"medium\": \"Memory\"}}]}}";

/* The plan, and what skiff-container is told; or "error …". */
static struct str built(const char *tmpl, struct str network, bool several, struct pod_plan *plan, struct val *job)
{
    static const struct pod_artifact given[] = {{.name = STR("in"), .path = STR("/e/in"), .source = STR("/store/x"), .mode = -1},
                                                {.name = STR("far"), .path = STR("/h/in"), .source = STR("/store/x"), .mode = -1}};
    struct err e;
    bool far = strstr(tmpl, "FAR") != NULL;
    struct pod_input in = {.tmpl = parsed(tmpl), .workflow = parsed(workflow), .node_id = STR("wf-7"), .node_name = STR("wf.x"),
                           .pod_name = STR("wf-x-7"), .step_id = 7, .tier = STEP_TIER_OVERLAY, .state_dir = STR("/state"), .engine_image = true,
                           .artifacts = given, .n_artifacts = strstr(tmpl, "INPUT") ? 1 + far : 0, .grace_ms = 1500,
                           .lookup = {lookup_value, lookup_all, NULL}};
    struct pod_container how = {.program = STR("/lib/skiff-container"), .socket = STR("/run/x.sock"), .network = network, .name = STR("skiff-u-1-0"),
                                .work_dir = STR("/state/work/7"), .run = STR("u-1"), .node = STR("wf-7"), .pod_name = STR("wf-x-7"),
                                .several = several};
    if (!pod_build(&a, &in, plan, &e) || !pod_container(&a, plan, &how, &e)) return str_fmt(&a, "error %s", e.text);
    const struct step_spec *s = &plan->spec;
    *job = *parsed(str_z(&a, s->files.items[s->files.n - 1].content));
    return STR("");
}

static const char *file_at(const struct step_spec *s, const char *path)
{
    for (size_t i = 0; i < s->files.n; i++)
        if (str_is(s->files.items[i].path, path)) return str_z(&a, s->files.items[i].content);
    return "no such file";
}

/* "SOURCE", with " ro" when it is read-only. */
static const char *mounted_at(const struct val *job, const char *target)
{
    const struct val *list = val_path(job, "create.HostConfig.Mounts");
    for (uint32_t i = 0; i < list->n; i++)
        if (str_is(val_get_str(&list->items[i], "Target"), target))
            return str_fmt(&a, "%.*s%s", STR_ARG(val_get_str(&list->items[i], "Source")),
                           str_is(val_text(val_get(&list->items[i], STR("ReadOnly"))), "true") ? " ro" : "").p;
    return "nothing";
}

#define TEMPLATE "{\"script\": {\"image\": \"app:1\", \"command\": [\"sh\", \"-e\"], \"source\": \"echo $INPUT\", " \
    "\"env\": [{\"name\": \"A\", \"valueFrom\": {\"secretKeyRef\": {\"name\": \"s\", \"key\": \"k\"}}}], \"volumeMounts\": [" \
    "{\"name\": \"s\", \"mountPath\": \"/s\"}, {\"name\": \"s\", \"mountPath\": \"/one\", \"subPath\": \"l\"}, {\"name\": \"e\", \"mountPath\": \"/e\"}," \
    "{\"name\": \"h\", \"mountPath\": \"/h\", \"subPath\": \"a/b\", \"readOnly\": true}]}, " \
    "\"outputs\": {\"artifacts\": [{\"name\": \"out\", \"path\": \"/tmp/out\"}]}}"

static void everything_has_its_place(void **state)
{
    struct pod_plan plan;
    struct val job;
    struct str why = built(TEMPLATE, STR("host"), false, &plan, &job);
    const struct step_spec *s = &plan.spec;
    assert_string_equal(why.p, "");
    assert_int_equal(s->tier, STEP_TIER_NONE);
    assert_int_equal(s->argv.n, 3);
    assert_true(str_is(s->argv.items[0], "/lib/skiff-container") && str_is(s->argv.items[2], "/state/work/7/container.json"));
    assert_int_equal(s->grace_ms, 1500 + POD_CONTAINER_MARGIN_MS);
    assert_string_equal(json_text(&a, val_path(&job, "create.Entrypoint")).p, "[\"sh\",\"-e\"]");
    assert_string_equal(json_text(&a, val_path(&job, "create.Cmd")).p, "[\"/argo/staging/script\"]");
    assert_string_equal(mounted_at(&job, "/s"), "/state/work/7/mounts/0");
    assert_string_equal(file_at(s, "/state/work/7/mounts/0/k"), "hunter22");
    assert_string_equal(mounted_at(&job, "/e"), "/state/work/7/volumes/e");
    assert_string_equal(mounted_at(&job, "/h"), "/srv/a/b ro");
    assert_string_equal(mounted_at(&job, "/e/in"), "/state/work/7/inputs/0");
    assert_true(str_is(s->inputs.items[0].target, "/state/work/7/inputs/0"));
    assert_true(str_is(s->artifacts.items[0].path, "/state/work/7/artifacts/0"));
    assert_string_equal(file_at(s, mounted_at(&job, "/one")), "two");
    assert_string_equal(file_at(s, mounted_at(&job, "/argo/staging/script")), "echo $INPUT");
    assert_true(str_is(s->progress, "/state/work/7/progress/progress"));
    assert_string_equal(file_at(s, "/state/work/7/container"), "{\"socket\":\"/run/x.sock\",\"name\":\"skiff-u-1-0\",\"step\":\"7\"}");
    assert_true(str_is(s->masks.items[0], "hunter22"));
    for (size_t i = 0; i < s->argv.n + s->env.n; i++)
        assert_true(str_find(i < s->argv.n ? s->argv.items[i] : s->env.items[i - s->argv.n], STR("hunter22"), 0) < 0);
}

static void what_containers_cannot_do_is_said(void **state)
{
    static const struct { const char *tmpl, *network; bool several; const char *why; } rows[] = {
        {"{\"container\": {\"image\": \"a\", \"resources\": {\"limits\": {\"ephemeral-storage\": \"1Gi\"}}}}", "host", false, "resources.limits: ephemeral-storage"},
        {"{\"container\": {\"image\": \"a\", \"resources\": {\"requests\": {\"cpu\": \"much\"}}}}", "host", false, "'much' is no quantity"},
        {"{\"container\": {\"image\": \"a\", \"securityContext\": {\"procMount\": \"x\"}}}", "host", false, "securityContext.procMount"},
        {"{\"container\": {\"image\": \"a\"}}", "bridge", true, "container.network = host"},
        {"{\"container\": {\"image\": \"a\", \"livenessProbe\": {\"tcpSocket\": {\"port\": 80}}}}", "none", false, "container.network = host"},
        {"{\"container\": {\"image\": \"a\", \"lifecycle\": {\"postStart\": {\"httpGet\": {\"port\": 80}}}}}", "none", false, "container.network = host"},
        {"{\"container\": {\"image\": \"a\", \"args\": [\"INPUT FAR\"], \"volumeMounts\": [{\"name\": \"h\", \"mountPath\": \"/h\"}]}}", "host", false,
         "input artifact /h/in: a path in a volume that is no emptyDir"},
        {"{\"container\": {\"image\": \"a\", \"volumeMounts\": [{\"name\": \"m\", \"mountPath\": \"/m\"}]},"
         " \"outputs\": {\"artifacts\": [{\"name\": \"o\", \"path\": \"/m/o\"}]}}", "host", false, "output 'o': emptyDir.medium Memory"},
        {"{\"container\": {}}", "host", false, "the container names no image"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pod_plan plan;
        struct val job;
        struct str why = built(rows[i].tmpl, str_of(rows[i].network), rows[i].several, &plan, &job);
        if (!strstr(why.p, rows[i].why)) fail_msg("%s: '%s', not '%s'", rows[i].tmpl, why.p, rows[i].why);
    }
}

static void the_image_s_own_words_stay(void **state)
{
    struct pod_plan plan;
    struct val job;
    assert_string_equal(built("{\"container\": {\"image\": \"a\", \"args\": [\"x\"]}}", STR("none"), false, &plan, &job).p, "");
    assert_null(val_path(&job, "create.Entrypoint"));
    assert_string_equal(json_text(&a, val_path(&job, "create.Cmd")).p, "[\"x\"]");
    assert_string_equal(built("{\"container\": {\"image\": \"a\"}}", STR("none"), false, &plan, &job).p, "");
    assert_null(val_path(&job, "create.Cmd"));
    assert_string_equal(val_get_str(val_path(&job, "create.HostConfig"), "NetworkMode").p, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_has_its_place, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(what_containers_cannot_do_is_said, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(the_image_s_own_words_stay, arena_up, arena_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
