/* How the end of a step is told to the engine, and the lists that jobs stand in. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "exec/op_p.h"

static void ends(void **state)
{
    static const struct {
        struct step_result r;
        enum node_phase phase;
        int exit_code;
        const char *message; /* NULL: none */
    } rows[] = {
        {{.end = STEP_END_EXIT}, NODE_SUCCEEDED, 0, NULL},
        {{.end = STEP_END_EXIT, .exit_code = 3}, NODE_FAILED, 3, "main: Error (exit code 3)"},
        {{.end = STEP_END_SIGNAL, .signo = SIGTERM, .killed = true}, NODE_FAILED, 143,
         "main: Error (exit code 143): signal TERM"},
        {{.end = STEP_END_SIGNAL, .signo = SIGKILL}, NODE_FAILED, 137,
         "main: Error (exit code 137): signal KILL (perhaps out of memory)"},
        {{.end = STEP_END_SIGNAL, .signo = SIGKILL, .killed = true}, NODE_FAILED, 137,
         "main: Error (exit code 137): signal KILL"},
        {{.end = STEP_END_SIGNAL, .signo = SIGKILL, .memory_limit = 64 << 20}, NODE_FAILED, 137,
         "main: OOMKilled (exit code 137): it reached its memory limit of 64Mi"},
        {{.end = STEP_END_EXIT, .exit_code = 1, .memory_limit = 1500000}, NODE_FAILED, 1, /* a child of it was killed */
         "main: OOMKilled (exit code 1): it reached its memory limit of 1500k"},
        {{.end = STEP_END_EXIT, .memory_limit = 4097}, NODE_SUCCEEDED, 0, NULL},
        {{.end = STEP_END_ERROR, .error = {"no such program", 15}}, NODE_ERROR, STEP_NO_EXIT_CODE, "no such program"},
        {{.end = STEP_END_LOST}, NODE_ERROR, STEP_NO_EXIT_CODE, "step lost: it died with its supervisor"},
    };
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct step_outcome out = {0};
        outcome_end(&a, &rows[i].r, &out);
        assert_int_equal(out.phase, rows[i].phase);
        assert_int_equal(out.exit_code, rows[i].exit_code);
        if (rows[i].message) assert_string_equal(out.message.p, rows[i].message);
        else assert_null(out.message.p);
    }
}

static void output_parameters(void **state)
{
    struct step_param_out items[] = {{.name = STR("there"), .found = true, .value = STR("v")},
                                     {.name = STR("empty"), .found = true},
                                     {.name = STR("missing")}};
    struct step_result r = {.params = {items, ARRAY_LEN(items)}};
    struct step_outcome out = {0};
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    outcome_params(&a, &r, &out);
    assert_int_equal(out.n_params, 3);
    assert_string_equal(out.params[0].value.p, "v");
    assert_true(out.params[1].value.p && !out.params[1].value.n);
    assert_null(out.params[2].value.p);
}

static void kinds_of_commands(void **state)
{
    static const struct {
        const char *word, *kind; /* NULL: not ours */
    } rows[] = {
        {"workflow", "Workflow"}, {"Workflows", "Workflow"}, {"wf", "Workflow"}, {"workflow.argoproj.io", "Workflow"},
        {"workflows.v1alpha1.argoproj.io", "Workflow"}, {"workflows.example.com", NULL}, {"workflow.v1", NULL},
        {"cm", "ConfigMap"}, {"configmaps", "ConfigMap"}, {"configmaps.v1", NULL}, {"secret", "Secret"},
        {"pvc", "PersistentVolumeClaim"}, {"cronwf", "CronWorkflow"}, {"cronworkflows.argoproj.io", "CronWorkflow"},
        {"cwft", "ClusterWorkflowTemplate"}, {"pod", NULL}, {"deployments.apps", NULL}, {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct object_key k;
        struct err e = {0};
        bool ok = object_kind(str_of(rows[i].word), &k, &e);
        if (ok != (rows[i].kind != NULL)) fail_msg("%s: %s", rows[i].word, e.text);
        if (ok) assert_true(str_is(object_kind_text(&k), rows[i].kind));
        else assert_int_equal(e.code, ERR_UNSUPPORTED);
    }
    struct arena a CLEANUP(arena_fini);
    struct object_key run = {.is_run = true, .name = STR("w")}, map = {.kind = RESOURCE_CONFIG_MAP, .name = STR("c")};
    arena_init(&a);
    assert_string_equal(object_group_name(&a, &run).p, "workflows.argoproj.io \"w\"");
    assert_string_equal(object_group_name(&a, &map).p, "configmaps \"c\"");
}

static void lists_keep_order(void **state)
{
    struct exec x = {0};
    struct job *jobs[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        jobs[i] = job_known(&x, NULL, NULL, 0, i);
        job_list_push(&x.queue, jobs[i]);
    }
    job_forget(jobs[1]); /* leaves from the middle, */
    job_forget(jobs[3]); /* and from the end */
    assert_ptr_equal(job_list_pop(&x.queue), jobs[0]);
    assert_ptr_equal(job_list_pop(&x.queue), jobs[2]);
    assert_null(job_list_pop(&x.queue));
    assert_int_equal(x.jobs.n, 2);
    job_list_push(&x.stopped, jobs[2]);
    job_forget(jobs[2]);
    assert_null(x.stopped.first);
    job_forget(jobs[0]);
    assert_int_equal(x.jobs.n, 0);
    VEC_FINI(&x.jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends), cmocka_unit_test(kinds_of_commands),
        cmocka_unit_test(output_parameters),
        cmocka_unit_test(lists_keep_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
