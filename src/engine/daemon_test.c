/* engine: daemons: readiness, ends, retries, restarts. */
#include "engine/engine_test_p.h"

#define PROBE "readinessProbe: {tcpSocket: {port: 1}}"
#define LEAF(more) "  - name: d\n    daemon: true\n" more "    container: {image: x, " PROBE "}\n  - {name: x, container: {image: x}}\n"
#define STEPS(more)                                                                                                 \
    "  entrypoint: main\n  templates:\n"                                                                            \
    "  - {name: main, steps: [[{name: d, template: d}], [{name: a, template: x}], [{name: b, template: x}]]}\n" LEAF(more)

static void started(struct fixture *f, const char *name, int64_t now_us)
{
    run_step_started(f->run, named(f, name), now_us, &f->out);
}

static void ready(struct fixture *f, const char *name, int64_t now_us)
{
    run_step_ready(f->run, named(f, name), now_us, &f->out);
}

static const char *shown(struct fixture *f, const char *name, const char *key)
{
    struct buf b;
    struct val *v = ARENA_NEW(&f->a, struct val);
    buf_init(&b, 1 << 16);
    node_write_status(&b, f->run, named(f, name));
    assert_true(json_parse(&f->a, buf_view(&b), NULL, v, NULL));
    buf_fini(&b);
    const struct val *m = val_get(v, str_of(key));
    return m ? str_z(&f->a, val_text(m)) : "";
}

static void others_go_on_when_it_is_ready(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEPS(""));
    started(&f, "wf[0].d", T0 + 1);
    assert_null(named(&f, "wf[1].a"));
    assert_false(node_is_ready(named(&f, "wf[0].d")));
    restart(&f);
    ready(&f, "wf[0].d", T0 + 2);
    assert_int_equal(count(&f, ACTION_START), 1);
    assert_string_equal(shown(&f, "wf[0].d", "daemoned"), "true");
    assert_string_equal(shown(&f, "wf[0].d", "podIP"), "127.0.0.1");
    assert_string_equal(shown(&f, "wf[0].d", "phase"), "Running");
    assert_int_equal(node_phase(named(&f, "wf[0]")), NODE_SUCCEEDED);
    restart(&f);
    ready(&f, "wf[0].d", T0 + 2); /* twice is fine */
    assert_int_equal(count(&f, ACTION_START), 0);
    done(&f, "wf[1].a", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(count(&f, ACTION_KILL), 0);
    restart(&f);
    done(&f, "wf[2].b", NODE_SUCCEEDED, T0 + 4);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    assert_ptr_equal(f.out.actions[0].node, named(&f, "wf[0].d"));
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_SUCCEEDED);
    assert_string_equal(shown(&f, "wf[0].d", "daemoned"), "");
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    done(&f, "wf[0].d", NODE_FAILED, T0 + 5); /* its process has ended */
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_SUCCEEDED);
    end(&f);
}

static void one_that_ends_before_it_is_ready_has_failed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEPS(""));
    started(&f, "wf[0].d", T0 + 1);
    done(&f, "wf[0].d", NODE_SUCCEEDED, T0 + 2);
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_FAILED);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void one_that_dies_later_changes_nothing_in_steps(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEPS(""));
    started(&f, "wf[0].d", T0 + 1);
    ready(&f, "wf[0].d", T0 + 2);
    done(&f, "wf[0].d", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_FAILED);
    assert_int_equal(count(&f, ACTION_START), 0);
    restart(&f);
    done(&f, "wf[1].a", NODE_SUCCEEDED, T0 + 4);
    done(&f, "wf[2].b", NODE_SUCCEEDED, T0 + 5);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void it_is_tried_again_and_stays_daemoned_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEPS("    retryStrategy: {limit: 1}\n"));
    started(&f, "wf[0].d(0)", T0 + 1);
    done(&f, "wf[0].d(0)", NODE_FAILED, T0 + 2);
    assert_null(named(&f, "wf[1].a"));
    started(&f, "wf[0].d(1)", T0 + 3);
    ready(&f, "wf[0].d(1)", T0 + 4);
    assert_string_equal(shown(&f, "wf[0].d", "daemoned"), "true");
    assert_non_null(named(&f, "wf[1].a"));
    restart(&f);
    assert_int_equal(run_node_count(f.run), 7);
    done(&f, "wf[0].d(1)", NODE_FAILED, T0 + 5); /* no more retries */
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_FAILED);
    done(&f, "wf[1].a", NODE_SUCCEEDED, T0 + 6);
    done(&f, "wf[2].b", NODE_SUCCEEDED, T0 + 7);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void a_new_attempt_is_ended_with_the_others(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEPS("    retryStrategy: {limit: 5}\n"));
    started(&f, "wf[0].d(0)", T0 + 1);
    ready(&f, "wf[0].d(0)", T0 + 2);
    done(&f, "wf[0].d(0)", NODE_FAILED, T0 + 3);
    assert_int_equal(node_phase(named(&f, "wf[0].d(1)")), NODE_PENDING);
    assert_string_equal(shown(&f, "wf[0].d", "daemoned"), "true");
    restart(&f);
    done(&f, "wf[1].a", NODE_SUCCEEDED, T0 + 4);
    done(&f, "wf[2].b", NODE_SUCCEEDED, T0 + 5);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_SUCCEEDED);
    assert_int_equal(node_phase(named(&f, "wf[0].d(1)")), NODE_SUCCEEDED);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void in_a_dag_it_is_daemoned_and_not_succeeded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    dag:\n      tasks:\n"
              "      - {name: d, template: d}\n      - {name: bare, template: x, depends: d}\n"
              "      - {name: daemoned, template: x, depends: d.Daemoned}\n"
              "      - {name: succeeded, template: x, depends: d.Succeeded}\n" LEAF(""));
    started(&f, "wf.d", T0 + 1);
    ready(&f, "wf.d", T0 + 2);
    assert_int_equal(node_phase(named(&f, "wf.bare")), NODE_PENDING);
    assert_int_equal(node_phase(named(&f, "wf.daemoned")), NODE_PENDING);
    assert_int_equal(node_phase(named(&f, "wf.succeeded")), NODE_OMITTED);
    restart(&f);
    done(&f, "wf.bare", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(phase_of_run(&f), NODE_RUNNING);
    done(&f, "wf.daemoned", NODE_SUCCEEDED, T0 + 4);
    assert_int_equal(node_phase(named(&f, "wf.d")), NODE_SUCCEEDED);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void its_own_boundary_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: outer\n  templates:\n"
              "  - {name: outer, steps: [[{name: in, template: main}], [{name: after, template: x}]]}\n"
              "  - {name: main, dag: {tasks: [{name: d, template: d}]}}\n" LEAF(""));
    started(&f, "wf[0].in.d", T0 + 1);
    ready(&f, "wf[0].in.d", T0 + 2);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    assert_int_equal(node_phase(named(&f, "wf[0].in.d")), NODE_SUCCEEDED);
    assert_int_equal(node_phase(named(&f, "wf[0].in")), NODE_SUCCEEDED);
    assert_int_equal(node_phase(named(&f, "wf[1].after")), NODE_PENDING);
    end(&f);
    begin(&f, "  entrypoint: d\n  templates:\n" LEAF(""));
    started(&f, "wf", T0 + 1);
    ready(&f, "wf", T0 + 2); /* nobody could use it */
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void a_stop_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, STEPS(""));
    started(&f, "wf[0].d", T0 + 1);
    ready(&f, "wf[0].d", T0 + 2);
    run_stop(f.run, STOP_TERMINATE, T0 + 3, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 2);
    done(&f, "wf[0].d", NODE_FAILED, T0 + 4);
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_FAILED);
    done(&f, "wf[1].a", NODE_FAILED, T0 + 5);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void a_daemon_s_address_is_what_others_are_given(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    dag: {tasks: [{name: d, template: d}, {name: x, template: x, depends: d,"
              " arguments: {parameters: [{name: ip, value: '{{tasks.d.ip}}'}]}}]}\n"
              "  - {name: x, inputs: {parameters: [{name: ip}]}, container: {image: x}}\n"
              "  - {name: d, daemon: true, retryStrategy: {limit: 1}, container: {image: x}}\n");
    run_pod_address(f.run, named(&f, "wf.d(0)"), STR("10.9.8.7"));
    run_step_started(f.run, named(&f, "wf.d(0)"), T0 + 1, &f.out);
    restart(&f);
    struct val inputs;
    struct err e;
    assert_true(json_parse(&f.a, node_inputs(named(&f, "wf.x")), NULL, &inputs, &e));
    assert_string_equal(val_text(val_path(&inputs, "parameters.0.value")).p, "10.9.8.7");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_go_on_when_it_is_ready),
        cmocka_unit_test(one_that_ends_before_it_is_ready_has_failed),
        cmocka_unit_test(one_that_dies_later_changes_nothing_in_steps),
        cmocka_unit_test(it_is_tried_again_and_stays_daemoned_meanwhile),
        cmocka_unit_test(a_new_attempt_is_ended_with_the_others),
        cmocka_unit_test(in_a_dag_it_is_daemoned_and_not_succeeded),
        cmocka_unit_test(its_own_boundary_ends_it),
        cmocka_unit_test(a_stop_ends_it),
        cmocka_unit_test(a_daemon_s_address_is_what_others_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
