/* engine: life cycle hooks where the simulator's model and a machine differ: what is waited for after
 * an error, restarts, limits, stop. */
#include "base/limits.h"
#include "engine/engine_test_p.h"

#define OK "  - {name: ok, container: {image: busybox, command: ['true']}}\n"
#define STEP_HOOK(expression)                                                                      \
    "  entrypoint: main\n  templates:\n"                                                           \
    "  - {name: main, steps: [[{name: a, template: ok, hooks: {x: {template: ok" expression         \
    "}}}, {name: b, template: ok}], [{name: c, template: ok}]]}\n" OK

static void started(struct fixture *f, const char *name, int64_t now_us)
{
    run_step_started(f->run, named(f, name), now_us, &f->out);
}

static void a_step_hook_without_expression_fails_its_group(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEP_HOOK(""));
    assert_int_equal(node_phase(named(&f, "wf[0]")), NODE_RUNNING); /* waits for what has started */
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1);
    done(&f, "wf[0].b", NODE_SUCCEEDED, T0 + 2);
    assert_int_equal(node_phase(named(&f, "wf[0]")), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf"), "Expression required for hook wf[0].a.hooks.x");
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    assert_null(named(&f, "wf[1]"));
    end(&f);
}

static void a_hook_that_cannot_be_judged_errs_its_task(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, dag: {tasks: [{name: a, template: ok, hooks: {x: {template: ok, expression: tasks.a.status}}}]}}\n" OK);
    assert_int_equal(node_phase(named(&f, "wf.a")), NODE_ERROR); /* a target: seen while it is Pending */
    assert_string_equal(message_of(&f, "wf.a"), "unable to cast expression result 'Pending' to bool");
    assert_int_equal(phase_of_run(&f), NODE_ERROR);
    assert_int_equal(count(&f, ACTION_DONE), 1);
    end(&f);
}

static void an_expression_may_turn_bad_at_the_end(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, dag: {tasks: [{name: a, template: ok, hooks: {x: {template: ok, expression: "
              "\"tasks.a.status == 'Succeeded' ? 1 : false\"}}}, {name: b, template: ok, depends: a.Errored}]}}\n" OK);
    done(&f, "wf.a", NODE_SUCCEEDED, T0 + 1);
    assert_int_equal(node_phase(named(&f, "wf.a")), NODE_ERROR);
    assert_non_null(named(&f, "wf.b"));
    restart(&f);
    done(&f, "wf.b", NODE_SUCCEEDED, T0 + 2);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED); /* b is the leaf */
    end(&f);
}

static void a_workflow_hook_without_expression_errs_the_entry_node(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  hooks: {x: {template: ok}}\n  templates:\n"
              "  - {name: main, steps: [[{name: a, template: ok}]]}\n" OK);
    assert_int_equal(phase_of_run(&f), NODE_ERROR);
    assert_string_equal(run_message(f.run).p, "Expression required for hook wf.hooks.x");
    assert_true(run_is_done(f.run));
    end(&f);
}

static void a_step_is_seen_pending_and_a_short_one_running(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEP_HOOK(", expression: \"steps.a.status == 'Running'\""));
    assert_null(named(&f, "wf[0].a.hooks.x"));
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1); /* it was never said to run, yet it did */
    assert_non_null(named(&f, "wf[0].a.hooks.x"));
    end(&f);
    begin(&f, STEP_HOOK(", expression: \"steps.a.status == 'Pending'\""));
    assert_non_null(named(&f, "wf[0].a.hooks.x"));
    end(&f);
}

static void hooks_are_not_fired_again_after_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEP_HOOK(", expression: \"steps.a.status == 'Running'\""));
    started(&f, "wf[0].a", T0 + 1);
    assert_non_null(named(&f, "wf[0].a.hooks.x"));
    size_t nodes = run_node_count(f.run);
    restart(&f);
    run_continue(f.run, T0 + 2, &f.out);
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 3);
    done(&f, "wf[0].b", NODE_SUCCEEDED, T0 + 4);
    assert_int_equal(run_node_count(f.run), nodes);
    assert_int_equal(node_phase(named(&f, "wf[0]")), NODE_RUNNING); /* the hook is still at work */
    restart(&f);
    done(&f, "wf[0].a.hooks.x", NODE_FAILED, T0 + 5);
    assert_non_null(named(&f, "wf[1].c"));
    done(&f, "wf[1].c", NODE_SUCCEEDED, T0 + 6);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void a_limit_holds_hooks_back(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, parallelism: 1, dag: {tasks: [{name: a, template: ok, hooks: {x: {template: ok, "
              "expression: \"tasks.a.status == 'Running'\"}}}, {name: b, template: ok, depends: a}]}}\n" OK);
    started(&f, "wf.a", T0 + 1);
    assert_null(named(&f, "wf.a.hooks.x"));
    restart(&f);
    run_continue(f.run, T0 + 2, &f.out);
    assert_null(named(&f, "wf.a.hooks.x"));
    done(&f, "wf.a", NODE_SUCCEEDED, T0 + 3);
    assert_non_null(named(&f, "wf.a.hooks.x"));
    assert_null(named(&f, "wf.b"));
    done(&f, "wf.a.hooks.x", NODE_SUCCEEDED, T0 + 4);
    done(&f, "wf.b", NODE_SUCCEEDED, T0 + 5);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void a_stopped_workflow_fails_its_hooks(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  hooks: {bad: {template: ok, expression: \"workflow.status == 'Failed'\"}}\n"
              "  templates:\n  - {name: main, steps: [[{name: a, template: ok}]]}\n" OK);
    run_stop(f.run, STOP_STOP, T0 + 1, &f.out);
    done(&f, "wf[0].a", NODE_FAILED, T0 + 2);
    assert_string_equal(message_of(&f, "wf.hooks.bad"), "workflow shutdown with strategy: Stop");
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

/* 2,000 items with a hook each, and one step that they all look at: no square anywhere. */
static void many_hooks_are_linear(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - name: main\n    steps: [[{name: first, template: ok}, {name: a, template: ok, withSequence: {count: 2000}, "
              "hooks: {x: {template: ok, expression: \"steps.first.status == 'Succeeded'\"}}}]]\n" OK);
    size_t before = run_node_count(f.run);
    done(&f, "wf[0].first", NODE_SUCCEEDED, T0 + 1);
    assert_int_equal(run_node_count(f.run), before + 2000);
    end(&f);
}

/* As many as there may be: the last one is the highest bit. */
static void all_hooks_of_a_step_survive_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 16);
    buf_printf(&b, "  entrypoint: main\n  templates:\n  - name: main\n    steps:\n    - - name: a\n        template: ok\n        hooks:\n");
    for (int i = 0; i < LIMIT_HOOKS; i++) buf_printf(&b, "          h%d: {template: ok, expression: 'true'}\n", i);
    buf_str(&b, STR(OK));
    begin(&f, b.p);
    assert_int_equal(count(&f, ACTION_START), LIMIT_HOOKS + 1);
    restart(&f);
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1);
    for (int i = 0; i < LIMIT_HOOKS; i++) {
        assert_int_equal(phase_of_run(&f), NODE_RUNNING);
        done(&f, str_fmt(&f.a, "wf[0].a.hooks.h%d", i).p, NODE_SUCCEEDED, T0 + 2);
    }
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_hook_without_expression_fails_its_group),
        cmocka_unit_test(a_hook_that_cannot_be_judged_errs_its_task),
        cmocka_unit_test(an_expression_may_turn_bad_at_the_end),
        cmocka_unit_test(a_workflow_hook_without_expression_errs_the_entry_node),
        cmocka_unit_test(a_step_is_seen_pending_and_a_short_one_running),
        cmocka_unit_test(hooks_are_not_fired_again_after_a_restart),
        cmocka_unit_test(a_limit_holds_hooks_back),
        cmocka_unit_test(a_stopped_workflow_fails_its_hooks),
        cmocka_unit_test(many_hooks_are_linear),
        cmocka_unit_test(all_hooks_of_a_step_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
