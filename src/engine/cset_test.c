/* engine: container sets: order, failures, retries, outputs, kills and restarts. */
#include "engine/engine_test_p.h"

#define SET(more)                                                                                  \
    "  entrypoint: main\n  templates:\n  - name: main\n" more                                       \
    "    containerSet:\n      volumeMounts: [{name: work, mountPath: /work}]\n      containers:\n"

static const char chain[] = SET("")
    "      - {name: a, image: x}\n"
    "      - {name: b, image: x, dependencies: [a]}\n"
    "      - {name: c, image: x, dependencies: [b]}\n"
    "      - {name: main, image: x}\n";

static void containers_start_when_those_before_have_ended_well(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, chain);
    assert_int_equal(count(&f, ACTION_START), 2);
    assert_int_equal(node_type(named(&f, "wf.a")), NTYPE_CONTAINER);
    assert_string_equal(node_container(named(&f, "wf.a")).p, "a");
    assert_ptr_equal(node_pod(named(&f, "wf.a")), named(&f, "wf"));
    done(&f, "wf.main", NODE_SUCCEEDED, T0 + 1);
    assert_int_equal(count(&f, ACTION_START), 0);
    restart(&f);
    done(&f, "wf.a", NODE_SUCCEEDED, T0 + 2);
    assert_int_equal(count(&f, ACTION_START), 1);
    assert_ptr_equal(f.out.actions[0].node, named(&f, "wf.b"));
    assert_int_equal(node_phase(named(&f, "wf.c")), NODE_PENDING);
    restart(&f);
    done(&f, "wf.b", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_RUNNING);
    done(&f, "wf.c", NODE_SUCCEEDED, T0 + 4);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void nodes_hang_together_as_argos(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b;
    struct val v;
    begin(&f, chain);
    buf_init(&b, 1 << 16);
    node_write_status(&b, f.run, named(&f, "wf.b"));
    assert_true(json_parse(&f.a, buf_view(&b), NULL, &v, NULL));
    assert_string_equal(val_get_str(&v, "type").p, "Container");
    assert_string_equal(val_get_str(&v, "displayName").p, "b");
    assert_string_equal(val_get_str(&v, "boundaryID").p, "wf");
    assert_string_equal(val_get_str(&v, "templateName").p, "main");
    assert_int_equal(val_get(&v, STR("children"))->n, 1);
    buf_reset(&b);
    node_write_status(&b, f.run, named(&f, "wf"));
    assert_true(json_parse(&f.a, buf_view(&b), NULL, &v, NULL));
    assert_int_equal(val_get(&v, STR("children"))->n, 2); /* a and main */
    buf_fini(&b);
    end(&f);
}

static void after_a_failure_the_others_end_with_64(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, chain);
    struct step_outcome how = {.phase = NODE_FAILED, .exit_code = 3, .message = STR("main: Error (exit code 3)")};
    run_step_done(f.run, named(&f, "wf.a"), &how, T0 + 1, &f.out);
    assert_string_equal(message_of(&f, "wf.a"), "Error (exit code 3)");
    assert_int_equal(node_phase(named(&f, "wf.b")), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf.b"), "Error (exit code 64): dependency \"a\" exited with non-zero code: 3");
    assert_string_equal(message_of(&f, "wf.c"), "Error (exit code 64): dependency \"b\" exited with non-zero code: 64");
    assert_int_equal(node_phase(named(&f, "wf")), NODE_RUNNING);
    done(&f, "wf.main", NODE_SUCCEEDED, T0 + 2);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_FAILED);
    assert_string_equal(message_of(&f, "wf"), "a: Error (exit code 3)");
    end(&f);
}

static void what_cannot_run_is_an_error_of_the_pod(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, chain);
    struct step_outcome how = {.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = STR("no such image")};
    run_step_done(f.run, named(&f, "wf.main"), &how, T0 + 1, &f.out);
    done(&f, "wf.a", NODE_SUCCEEDED, T0 + 2);
    done(&f, "wf.b", NODE_SUCCEEDED, T0 + 3);
    done(&f, "wf.c", NODE_SUCCEEDED, T0 + 4);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf"), "main: no such image");
    end(&f);
}

static void a_container_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    containerSet:\n"
              "      retryStrategy: {retries: 3, duration: 10s}\n      containers: [{name: a, image: x}]\n");
    done(&f, "wf.a", NODE_FAILED, T0 + 1);
    assert_int_equal(count(&f, ACTION_START), 0);
    assert_int_equal(run_next_timer_us(f.run), T0 + 1 + 10000000);
    restart(&f);
    run_tick(f.run, T0 + 1 + 10000000, &f.out);
    assert_int_equal(count(&f, ACTION_START), 1);
    done(&f, "wf.a", NODE_FAILED, T0 + 20000000);
    restart(&f);
    run_tick(f.run, T0 + 30000000, &f.out);
    assert_int_equal(count(&f, ACTION_START), 1);
    done(&f, "wf.a", NODE_FAILED, T0 + 40000000); /* the third and last */
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void a_stop_ends_all_of_them(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, chain);
    run_stop(f.run, STOP_STOP, T0 + 1, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 2); /* a and main; b and c had not begun */
    assert_int_equal(node_phase(named(&f, "wf.c")), NODE_FAILED);
    restart(&f);
    done(&f, "wf.a", NODE_FAILED, T0 + 2);
    done(&f, "wf.main", NODE_FAILED, T0 + 3);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_FAILED);
    assert_string_equal(message_of(&f, "wf"), "workflow shutdown with strategy:  Stop");
    end(&f);
}

static void outputs_in_common_mounts_come_last(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SET("    outputs: {parameters: [{name: own, valueFrom: {path: /tmp/own}}, {name: common, valueFrom: {path: /work/x}}]}\n")
              "      - {name: a, image: x}\n      - {name: main, image: x}\n");
    struct step_outcome_param own = {STR("own"), STR("1")}, common = {STR("common"), STR("2")};
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .exit_code = 0, .params = &own, .n_params = 1};
    run_step_done(f.run, named(&f, "wf.main"), &how, T0 + 1, &f.out);
    done(&f, "wf.a", NODE_SUCCEEDED, T0 + 2);
    assert_int_equal(count(&f, ACTION_START), 1);
    assert_ptr_equal(f.out.actions[0].node, named(&f, "wf"));
    assert_int_equal(phase_of_run(&f), NODE_RUNNING);
    restart(&f);
    how.params = &common;
    run_step_done(f.run, named(&f, "wf"), &how, T0 + 3, &f.out);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    assert_non_null(strstr(node_outputs(named(&f, "wf")).p, "\"value\":\"1\""));
    assert_non_null(strstr(node_outputs(named(&f, "wf")).p, "\"value\":\"2\""));
    assert_non_null(strstr(node_outputs(named(&f, "wf")).p, "\"exitCode\":\"0\""));
    end(&f);
}

static void a_missing_output_is_an_error_of_the_pod_alone(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SET("    outputs: {parameters: [{name: own, valueFrom: {path: /tmp/own}}]}\n") "      - {name: main, image: x}\n");
    done(&f, "wf.main", NODE_SUCCEEDED, T0 + 1);
    assert_int_equal(node_phase(named(&f, "wf.main")), NODE_SUCCEEDED);
    assert_int_equal(phase_of_run(&f), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf"), "output parameter 'own': file '/tmp/own' does not exist");
    end(&f);
}

static void wrong_sets_are_errors(void **state)
{
    (void)state;
    static const char *const specs[] = {
        SET("") "      - {name: a, image: x, dependencies: [b]}\n      - {name: b, image: x, dependencies: [a]}\n",
        SET("") "      - {name: a, image: x, dependencies: [nobody]}\n",
        "  entrypoint: main\n  templates: [{name: main, containerSet: {containers: []}}]\n",
        "  entrypoint: main\n  templates: [{name: main, containerSet: {retryStrategy: {retries: x}, containers: [{name: a, image: x}]}}]\n",
        "  entrypoint: main\n  templates: [{name: main, containerSet: {retryStrategy: {retries: 2, duration: '10'}, containers: [{name: a, image: x}]}}]\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct fixture f;
        begin(&f, specs[i]);
        assert_int_equal(phase_of_run(&f), NODE_ERROR);
        assert_int_equal(count(&f, ACTION_START), 0);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_start_when_those_before_have_ended_well),
        cmocka_unit_test(nodes_hang_together_as_argos),
        cmocka_unit_test(after_a_failure_the_others_end_with_64),
        cmocka_unit_test(what_cannot_run_is_an_error_of_the_pod),
        cmocka_unit_test(a_container_is_tried_again),
        cmocka_unit_test(a_stop_ends_all_of_them),
        cmocka_unit_test(outputs_in_common_mounts_come_last),
        cmocka_unit_test(a_missing_output_is_an_error_of_the_pod_alone),
        cmocka_unit_test(wrong_sets_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
