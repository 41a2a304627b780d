/* engine: init containers and sidecars: order, failures, kills and restarts. */
#include "engine/engine_test_p.h"

static const char both[] = "  entrypoint: main\n  templates:\n  - name: main\n    container: {image: x}\n"
                           "    initContainers: [{name: a, image: x}, {name: b, image: x}]\n"
                           "    sidecars: [{name: s, image: x}, {name: t, image: x}]\n";
enum { MAIN, A, B, S, T };

static void over(struct fixture *f, uint32_t part, int code, int64_t now_us)
{
    struct step_outcome how = {.phase = code ? NODE_FAILED : NODE_SUCCEEDED, .exit_code = code};
    if (code) how.message = str_fmt(&f->a, "main: Error (exit code %d)", code);
    if (code < 0) how = (struct step_outcome){.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = STR("no image")};
    if (part) run_part_done(f->run, named(f, "wf"), part, &how, now_us, &f->out);
    else run_step_done(f->run, named(f, "wf"), &how, now_us, &f->out);
}

/* "start 1 start 2 kill 3" of the last event. */
static const char *acts(struct fixture *f)
{
    struct buf b;
    buf_init(&b, 1 << 12);
    for (size_t i = 0; i < f->out.n_actions; i++) {
        const struct action *a = &f->out.actions[i];
        if (a->kind == ACTION_DONE) continue;
        buf_printf(&b, "%s%s %d", b.n ? " " : "", a->kind == ACTION_START ? "start" : "kill", a->part);
    }
    struct str text = buf_dup(&f->a, &b);
    buf_fini(&b);
    return text.p ? text.p : "";
}

static void until_main(struct fixture *f)
{
    begin(f, both);
    over(f, A, 0, T0 + 1);
    over(f, B, 0, T0 + 2);
}

static void main_comes_after_the_init_containers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, both);
    assert_string_equal(acts(&f), "start 1");
    assert_string_equal(node_part_name(named(&f, "wf"), B).p, "b");
    restart(&f);
    over(&f, A, 0, T0 + 1);
    assert_string_equal(acts(&f), "start 2");
    assert_int_equal(node_phase(named(&f, "wf")), NODE_PENDING);
    restart(&f);
    assert_false(node_part_is_at_work(named(&f, "wf"), A));
    assert_true(node_part_is_at_work(named(&f, "wf"), B));
    over(&f, B, 0, T0 + 2);
    assert_string_equal(acts(&f), "start 0 start 3 start 4");
    assert_true(node_part_is_aside(named(&f, "wf"), S));
    assert_false(node_part_is_aside(named(&f, "wf"), MAIN));
    restart(&f);
    over(&f, MAIN, 0, T0 + 3);
    assert_string_equal(acts(&f), "kill 3 kill 4");
    assert_int_equal(node_phase(named(&f, "wf")), NODE_RUNNING);
    restart(&f);
    assert_true(node_part_is_ending(named(&f, "wf"), S));
    over(&f, S, 143, T0 + 4);
    over(&f, T, 137, T0 + 5);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    assert_int_equal(node_finished_us(named(&f, "wf")), T0 + 5);
    assert_int_equal(run_node_count(f.run), 1);
    end(&f);
}

static void a_failed_init_container_fails_the_pod(void **state)
{
    static const struct {
        int code;
        enum node_phase phase;
        const char *message;
    } rows[] = {
        {3, NODE_FAILED, "a: Error (exit code 3)"},
        {137, NODE_ERROR, "Pod failed before b container starts due to PodInitializing: "},
        {-1, NODE_ERROR, "a: no image"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        begin(&f, both);
        over(&f, A, rows[i].code, T0 + 1);
        assert_string_equal(acts(&f), "");
        assert_int_equal(node_phase(named(&f, "wf")), rows[i].phase);
        assert_string_equal(message_of(&f, "wf"), rows[i].message);
        end(&f);
    }
}

static void a_sidecar_that_ends_badly_fails_the_pod_at_its_end(void **state)
{
    (void)state;
    struct fixture f;
    until_main(&f);
    over(&f, S, 2, T0 + 3);
    assert_string_equal(acts(&f), "");
    restart(&f);
    over(&f, MAIN, 0, T0 + 4);
    assert_string_equal(acts(&f), "kill 4");
    over(&f, T, 1, T0 + 5); /* the first one counts */
    assert_int_equal(node_phase(named(&f, "wf")), NODE_FAILED);
    assert_string_equal(message_of(&f, "wf"), "s: Error (exit code 2)");
    end(&f);
    until_main(&f);
    over(&f, S, 2, T0 + 3);
    over(&f, MAIN, 5, T0 + 4); /* main comes first */
    over(&f, T, 143, T0 + 5);
    assert_string_equal(message_of(&f, "wf"), "main: Error (exit code 5)");
    end(&f);
}

static void a_sidecar_that_ends_well_or_is_killed_is_no_matter(void **state)
{
    (void)state;
    struct fixture f;
    until_main(&f);
    over(&f, S, 0, T0 + 3);
    over(&f, T, 137, T0 + 4);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_PENDING);
    over(&f, MAIN, 0, T0 + 5);
    assert_string_equal(acts(&f), "");
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void a_sidecar_that_cannot_be_run_ends_the_pod(void **state)
{
    (void)state;
    struct fixture f;
    until_main(&f);
    over(&f, S, -1, T0 + 3);
    assert_string_equal(acts(&f), "kill 0 kill 4");
    over(&f, MAIN, 143, T0 + 4);
    over(&f, T, -1, T0 + 5); /* told to end before it began */
    assert_int_equal(node_phase(named(&f, "wf")), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf"), "s: no image");
    end(&f);
}

static void a_stop_ends_all_containers(void **state)
{
    (void)state;
    struct fixture f;
    until_main(&f);
    run_stop(f.run, STOP_TERMINATE, T0 + 3, &f.out);
    assert_string_equal(acts(&f), "kill 0 kill 3 kill 4");
    over(&f, MAIN, 143, T0 + 4);
    restart(&f);
    over(&f, S, 0, T0 + 4);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_RUNNING);
    over(&f, T, 143, T0 + 5);
    assert_int_equal(node_phase(named(&f, "wf")), NODE_FAILED);
    assert_string_equal(message_of(&f, "wf"), "workflow shutdown with strategy:  Terminate");
    end(&f);
    begin(&f, both);
    run_stop(f.run, STOP_STOP, T0 + 3, &f.out);
    assert_string_equal(acts(&f), "kill 1");
    over(&f, A, 143, T0 + 4);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void wrong_pods_are_errors(void **state)
{
    static const char *const rows[] = {
        "container: {image: x}\n    sidecars: [{name: main, image: x}]\n",
        "container: {image: x}\n    sidecars: [{name: wait, image: x}]\n",
        "container: {image: x}\n    sidecars: [{image: x}]\n",
        "container: {image: x}\n    initContainers: [{name: a, image: x}]\n    sidecars: [{name: a, image: x}]\n",
        "containerSet: {containers: [{name: s, image: x}]}\n    sidecars: [{name: s, image: x}]\n",
        "container: {image: x}\n    podSpecPatch: 'initContainers: [{name: main, image: x}]'\n",
        "container: {image: x}\n    podSpecPatch: '- none'\n",
        "data: {source: {artifactPaths: {name: x}}, transformation: []}\n    daemon: true\n",
        "resource: {action: get}\n    initContainers: [{name: s, image: x}]\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        char spec[512];
        snprintf(spec, sizeof spec, "  entrypoint: main\n  templates:\n  - name: main\n    %s", rows[i]);
        begin(&f, spec);
        assert_int_equal(phase_of_run(&f), NODE_ERROR);
        assert_string_equal(acts(&f), "");
        end(&f);
    }
}

#define SET                                                                                                            \
    "  entrypoint: main\n  templates:\n  - name: main\n    initContainers: [{name: i, image: x}]\n"                      \
    "    sidecars: [{name: s, image: x}]\n    containerSet:\n      containers:\n"                                       \
    "      - {name: a, image: x}\n      - {name: b, image: x, dependencies: [a]}\n"

static void ends(struct fixture *f, const char *name, uint32_t part, int code, int64_t now_us)
{
    struct step_outcome how = {.phase = code ? NODE_FAILED : NODE_SUCCEEDED, .exit_code = code, .message = code ? STR("main: Error (exit code 5)") : STR_NONE};
    if (part) run_part_done(f->run, named(f, name), part, &how, now_us, &f->out);
    else run_step_done(f->run, named(f, name), &how, now_us, &f->out);
}

static void a_set_comes_between_its_init_containers_and_the_end_of_its_sidecars(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SET);
    assert_string_equal(acts(&f), "start 1");
    assert_int_equal(node_phase(named(&f, "wf.a")), NODE_PENDING);
    restart(&f);
    ends(&f, "wf", 1, 0, T0 + 1);
    assert_int_equal(count(&f, ACTION_START), 2);
    assert_ptr_equal(f.out.actions[0].node, named(&f, "wf.a"));
    assert_int_equal(f.out.actions[1].part, 2);
    restart(&f);
    ends(&f, "wf.a", 0, 0, T0 + 2);
    assert_ptr_equal(f.out.actions[0].node, named(&f, "wf.b"));
    restart(&f);
    ends(&f, "wf.b", 0, 0, T0 + 3);
    assert_string_equal(acts(&f), "kill 2");
    assert_int_equal(phase_of_run(&f), NODE_RUNNING);
    restart(&f);
    ends(&f, "wf", 2, 143, T0 + 4);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void a_failed_init_container_fails_the_set(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SET);
    ends(&f, "wf", 1, 5, T0 + 1);
    assert_int_equal(f.out.n_actions, 1); /* the run is over */
    assert_string_equal(message_of(&f, "wf"), "i: Error (exit code 5)");
    assert_int_equal(node_phase(named(&f, "wf.a")), NODE_FAILED);
    assert_int_equal(node_phase(named(&f, "wf.b")), NODE_FAILED);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void a_stop_ends_a_set_wherever_it_is(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SET);
    run_stop(f.run, STOP_STOP, T0 + 1, &f.out);
    assert_string_equal(acts(&f), "kill 1");
    assert_int_equal(node_phase(named(&f, "wf.a")), NODE_FAILED);
    restart(&f);
    ends(&f, "wf", 1, 143, T0 + 2);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
    begin(&f, SET);
    ends(&f, "wf", 1, 0, T0 + 1);
    run_stop(f.run, STOP_STOP, T0 + 2, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 2);
    restart(&f);
    ends(&f, "wf.a", 0, 143, T0 + 3);
    assert_int_equal(phase_of_run(&f), NODE_RUNNING);
    ends(&f, "wf", 2, 143, T0 + 3);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void a_sidecar_that_cannot_be_run_ends_the_set(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SET);
    ends(&f, "wf", 1, 0, T0 + 1);
    struct step_outcome lost = {.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = STR("no image")};
    run_part_done(f.run, named(&f, "wf"), 2, &lost, T0 + 2, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    restart(&f);
    ends(&f, "wf.a", 0, 143, T0 + 3);
    assert_int_equal(phase_of_run(&f), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf"), "s: no image");
    end(&f);
}

static void a_patch_adds_containers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    container: {image: x}\n"
              "    podSpecPatch: '{initContainers: [{name: i, image: x}], containers: [{name: s, image: x}]}'\n");
    assert_string_equal(acts(&f), "start 1");
    restart(&f);
    ends(&f, "wf", 1, 0, T0 + 1);
    assert_string_equal(acts(&f), "start 0 start 2");
    restart(&f);
    ends(&f, "wf", 0, 0, T0 + 2);
    assert_string_equal(acts(&f), "kill 2");
    end(&f);
}

static void a_daemon_may_be_a_set(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - {name: main, steps: [[{name: d, template: d}], [{name: x, template: x}]]}\n"
              "  - {name: x, container: {image: x}}\n"
              "  - name: d\n    daemon: true\n    sidecars: [{name: s, image: x}]\n    containerSet: {containers: [{name: a, image: x}, {name: b, image: x}]}\n");
    run_step_started(f.run, named(&f, "wf[0].d.a"), T0 + 1, &f.out);
    assert_null(named(&f, "wf[1].x"));
    run_step_ready(f.run, named(&f, "wf[0].d"), T0 + 2, &f.out);
    assert_non_null(named(&f, "wf[1].x"));
    restart(&f);
    done(&f, "wf[1].x", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(count(&f, ACTION_KILL), 3);
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_SUCCEEDED);
    assert_int_equal(node_phase(named(&f, "wf[0].d.b")), NODE_SUCCEEDED);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
    begin(&f, "  entrypoint: main\n  templates:\n  - {name: main, steps: [[{name: d, template: d}], [{name: x, template: x}]]}\n"
              "  - {name: x, container: {image: x}}\n  - name: d\n    daemon: true\n    containerSet: {containers: [{name: a, image: x}]}\n");
    ends(&f, "wf[0].d.a", 0, 0, T0 + 1);
    assert_int_equal(node_phase(named(&f, "wf[0].d")), NODE_FAILED); /* it should have gone on */
    end(&f);
}

static const char beside[] = "  entrypoint: main\n  templates:\n  - name: main\n    container: {image: x}\n    sidecars: [{name: s, image: x}]\n"
                             "    initContainers: [{name: a, image: x, restartPolicy: Always}, {name: b, image: x}, {name: c, image: x, restartPolicy: Always}]\n";
enum { GO_A = 1, INIT_B, GO_C, SIDE };

static void has_started(struct fixture *f, uint32_t part, int64_t now_us)
{
    assert_true(node_part_is_awaited(named(f, "wf"), part));
    run_part_started(f->run, named(f, "wf"), part, now_us, &f->out);
}

static void init_containers_may_go_on(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, beside);
    assert_string_equal(acts(&f), "start 1");
    assert_true(node_part_is_aside(named(&f, "wf"), GO_A) && !node_part_is_aside(named(&f, "wf"), INIT_B));
    restart(&f);
    has_started(&f, GO_A, T0 + 1);
    assert_string_equal(acts(&f), "start 2");
    restart(&f);
    assert_true(node_part_is_at_work(named(&f, "wf"), GO_A) && !node_part_is_awaited(named(&f, "wf"), GO_A));
    over(&f, INIT_B, 0, T0 + 2);
    assert_string_equal(acts(&f), "start 3");
    has_started(&f, GO_C, T0 + 3);
    assert_string_equal(acts(&f), "start 0 start 4");
    over(&f, MAIN, 0, T0 + 4);
    assert_string_equal(acts(&f), "kill 4");
    restart(&f);
    over(&f, SIDE, 0, T0 + 5);
    assert_string_equal(acts(&f), "kill 3"); /* the last one first, when nobody else is there */
    restart(&f);
    over(&f, GO_C, 9, T0 + 6);
    assert_string_equal(acts(&f), "kill 1");
    over(&f, GO_A, 143, T0 + 7);
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    end(&f);
}

static void one_that_goes_on_and_ends_is_no_matter_once_it_has_started(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, beside);
    has_started(&f, GO_A, T0 + 1);
    over(&f, GO_A, 3, T0 + 2);
    assert_string_equal(acts(&f), "");
    over(&f, INIT_B, 0, T0 + 3);
    over(&f, GO_C, 4, T0 + 4); /* before it has started */
    assert_string_equal(message_of(&f, "wf"), "c: Error (exit code 4)");
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
    begin(&f, beside);
    has_started(&f, GO_A, T0 + 1);
    over(&f, INIT_B, 2, T0 + 2);
    assert_string_equal(acts(&f), "kill 1");
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_comes_after_the_init_containers),
        cmocka_unit_test(a_failed_init_container_fails_the_pod),
        cmocka_unit_test(a_sidecar_that_ends_badly_fails_the_pod_at_its_end),
        cmocka_unit_test(a_sidecar_that_ends_well_or_is_killed_is_no_matter),
        cmocka_unit_test(a_sidecar_that_cannot_be_run_ends_the_pod),
        cmocka_unit_test(a_stop_ends_all_containers),
        cmocka_unit_test(wrong_pods_are_errors),
        cmocka_unit_test(a_set_comes_between_its_init_containers_and_the_end_of_its_sidecars),
        cmocka_unit_test(a_failed_init_container_fails_the_set),
        cmocka_unit_test(a_stop_ends_a_set_wherever_it_is),
        cmocka_unit_test(a_sidecar_that_cannot_be_run_ends_the_set),
        cmocka_unit_test(a_patch_adds_containers),
        cmocka_unit_test(a_daemon_may_be_a_set),
        cmocka_unit_test(init_containers_may_go_on),
        cmocka_unit_test(one_that_goes_on_and_ends_is_no_matter_once_it_has_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
