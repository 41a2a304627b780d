/* engine: what the simulator does not reach: stop, terminate, resume, recursion, damaged rows, the
 * shape of the status. Everything else is judged by test/sim. */
#include "engine/engine_test_p.h"

static const char work_and_exit[] =
    "  entrypoint: main\n"
    "  onExit: bye\n"
    "  templates:\n"
    "  - {name: main, steps: [[{name: a, template: work}], [{name: b, template: work}]]}\n"
    "  - {name: work, container: {image: busybox, command: [sleep, '9']}}\n"
    "  - {name: bye, container: {image: busybox, command: [echo, '{{workflow.status}}']}}\n";

static void stop_ends_the_steps_and_runs_the_exit_handler(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, work_and_exit);
    assert_int_equal(count(&f, ACTION_START), 1);
    run_stop(f.run, STOP_STOP, T0 + 1, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    done(&f, "wf[0].a", NODE_FAILED, T0 + 2);
    assert_string_equal(node_message(named(&f, "wf[0].a")).p, "workflow shutdown with strategy:  Stop");
    assert_null(named(&f, "wf[1].b"));
    assert_int_equal(count(&f, ACTION_START), 1); /* the exit handler */
    done(&f, "wf.onExit", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(count(&f, ACTION_DONE), 1);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    assert_string_equal(run_message(f.run).p, "Stopped with strategy 'Stop'");
    end(&f);
}

static void terminate_runs_no_exit_handler(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, work_and_exit);
    run_stop(f.run, STOP_TERMINATE, T0 + 1, &f.out);
    done(&f, "wf[0].a", NODE_FAILED, T0 + 2);
    assert_null(named(&f, "wf.onExit"));
    assert_int_equal(count(&f, ACTION_DONE), 1);
    assert_string_equal(run_message(f.run).p, "Stopped with strategy 'Terminate'");
    end(&f);
}

static void a_second_result_of_a_step_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, work_and_exit);
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1);
    done(&f, "wf[0].a", NODE_FAILED, T0 + 2);
    assert_int_equal(f.out.n_dirty, 0);
    assert_int_equal(node_phase(named(&f, "wf[0].a")), NODE_SUCCEEDED);
    end(&f);
}

static void resume_completes_what_is_suspended(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, "  entrypoint: main\n"
              "  templates:\n"
              "  - {name: main, steps: [[{name: wait, template: wait}], [{name: b, template: work}]]}\n"
              "  - {name: wait, suspend: {}}\n"
              "  - {name: work, container: {image: busybox, command: ['true']}}\n");
    assert_int_equal(node_phase(named(&f, "wf[0].wait")), NODE_RUNNING);
    assert_true(run_resume(f.run, T0 + 1, &f.out, &e));
    assert_int_equal(node_phase(named(&f, "wf[0].wait")), NODE_SUCCEEDED);
    assert_int_equal(count(&f, ACTION_START), 1);
    assert_true(run_resume(f.run, T0 + 2, &f.out, &e)); /* nothing to do, as in Argo */
    assert_int_equal(f.out.n_dirty + f.out.n_actions, 0);
    end(&f);
}

static bool is_wait(void *ctx, const struct run *r, const struct node *n)
{
    (void)ctx, (void)r;
    return str_is(node_template_name(n), "wait");
}

/* Refusals change nothing; the simulator's cases show what is accepted. */
static void set_refuses_as_a_whole(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, "  entrypoint: main\n"
              "  templates:\n"
              "  - {name: main, steps: [[{name: v, template: wait}, {name: w, template: wait}, {name: x, template: plain}]]}\n"
              "  - {name: plain, suspend: {}}\n"
              "  - {name: wait, suspend: {}, outputs: {parameters: [{name: p, valueFrom: {supplied: {}}}]}}\n");
    struct step_outcome_param good = {STR("p"), STR("1")}, bad = {STR("q"), STR("1")};
    struct { struct node_change c; enum err_code code; const char *word; } rows[] = {
        {{is_wait, NULL, NODE_RUNNING, {0}, &bad, 1}, ERR_SPEC, "not expecting output parameter 'q'"},
        {{NULL, NULL, NODE_RUNNING, {0}, &good, 1}, ERR_SPEC, "not expecting any raw"},
        {{is_wait, NULL, NODE_SUCCEEDED, {0}, NULL, 0}, ERR_SPEC, "'p' has not been set"},
        {{is_wait, NULL, NODE_OMITTED, {0}, &good, 1}, ERR_SPEC, "cannot become Omitted"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_false(run_set(f.run, &rows[i].c, T0 + 1, &f.out, &e));
        assert_int_equal(e.code, rows[i].code);
        assert_non_null(strstr(e.text, rows[i].word));
        assert_int_equal(f.out.n_dirty, 0);
    }
    assert_false(run_resume(f.run, T0 + 2, &f.out, &e)); /* none of them, for two lack a value */
    assert_int_equal(f.out.n_dirty, 0);
    struct node_change set = {is_wait, NULL, NODE_RUNNING, {0}, &good, 1};
    assert_true(run_set(f.run, &set, T0 + 3, &f.out, &e));
    assert_int_equal(f.out.n_dirty, 2);
    assert_false(run_set(f.run, &set, T0 + 4, &f.out, &e));
    assert_non_null(strstr(e.text, "already set"));
    assert_true(run_resume(f.run, T0 + 5, &f.out, &e));
    assert_int_equal(phase_of_run(&f), NODE_SUCCEEDED);
    assert_false(run_set(f.run, &set, T0 + 6, &f.out, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(run_suspend(f.run, T0 + 7, &f.out, &e));
    assert_int_equal(e.code, ERR_NOT_NOW);
    end(&f);
}

static void what_cannot_be_retried_says_so(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct buf b;
    uint32_t *moved;
    begin(&f, work_and_exit);
    assert_false(run_reset(f.run, &(struct reset_opts){0}, T0 + 1, &moved, &e));
    assert_string_equal(e.text, "Cannot retry a workflow in phase Running");
    end(&f);
    begin(&f, "  entrypoint: main\n"
              "  templates:\n"
              "  - {name: main, steps: [[{name: a, template: work}]], outputs: {parameters: [{name: p, valueFrom: {expression: '1 +'}}]}}\n"
              "  - {name: work, container: {image: busybox, command: ['true']}}\n");
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1);
    assert_int_equal(phase_of_run(&f), NODE_ERROR);
    assert_false(run_reset(f.run, &(struct reset_opts){0}, T0 + 2, &moved, &e));
    assert_int_equal(e.code, ERR_NOT_NOW);
    buf_init(&b, 1000);
    assert_true(run_memo(&b, f.run, &e));
    assert_non_null(strstr(b.p, "{\"[0].a\":{\"id\":\"wf-"));
    buf_fini(&b);
    end(&f);
}

static void a_suspended_workflow_starts_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, "  entrypoint: work\n"
              "  suspend: true\n"
              "  templates: [{name: work, container: {image: busybox, command: ['true']}}]\n");
    assert_int_equal(run_node_count(f.run), 0);
    assert_int_equal(phase_of_run(&f), NODE_RUNNING);
    assert_true(run_resume(f.run, T0 + 1, &f.out, &e));
    assert_int_equal(count(&f, ACTION_START), 1);
    end(&f);
    begin(&f, "  entrypoint: work\n"
              "  suspend: true\n"
              "  templates: [{name: work, container: {image: busybox, command: ['true']}}]\n");
    run_stop(f.run, STOP_STOP, T0 + 1, &f.out);
    assert_int_equal(count(&f, ACTION_DONE), 1);
    assert_int_equal(phase_of_run(&f), NODE_FAILED);
    end(&f);
}

static void endless_recursion_is_an_error(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n"
              "  templates:\n"
              "  - {name: main, steps: [[{name: again, template: main}]]}\n");
    assert_int_equal(count(&f, ACTION_DONE), 1);
    assert_true(phase_failed(phase_of_run(&f)));
    assert_in_range(run_node_count(f.run), 100, 400);
    end(&f);
}

static void a_clock_set_back_moves_nothing_back(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, work_and_exit);
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 - 500);
    assert_int_equal(node_finished_us(named(&f, "wf[0].a")), T0);
    end(&f);
}

static void status_has_argos_shape(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b;
    struct val v;
    begin(&f, work_and_exit);
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 2000000);
    buf_init(&b, 1 << 20);
    run_write_workflow(&b, f.run);
    assert_true(json_parse(&f.a, buf_view(&b), NULL, &v, NULL));
    assert_string_equal(val_text(val_path(&v, "status.phase")).p, "Running");
    assert_string_equal(val_text(val_path(&v, "status.progress")).p, "1/2");
    const struct val *node = val_get(val_path(&v, "status.nodes"), node_id_text(&f.a, f.run, named(&f, "wf[0].a")));
    static const struct { const char *key, *text; } rows[] = {
        {"name", "wf[0].a"}, {"displayName", "a"}, {"type", "Pod"}, {"templateName", "work"},
        {"templateScope", "local/wf"}, {"phase", "Succeeded"}, {"boundaryID", "wf"},
        {"startedAt", "1970-01-01T00:00:01Z"}, {"finishedAt", "1970-01-01T00:00:03Z"}, {"progress", "1/1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(val_get_str(node, rows[i].key).p, rows[i].text);
    buf_fini(&b);
    end(&f);
}

/* Rows of another program, or half a disk: an error, never a crash. */
static void damaged_rows_are_refused(void **state)
{
    (void)state;
    static const struct { const char *status, *priv; } rows[] = {
        {"{}", "{}"},
        {"[", "{}"},
        {"{\"name\":\"wf\",\"phase\":\"Sleeping\",\"type\":\"Pod\"}", "{}"},
        {"{\"name\":\"wf\",\"phase\":\"Running\",\"type\":\"Steps\"}", "{\"t\":\"local/nope\"}"},
        {"{\"name\":\"wf\",\"phase\":\"Running\",\"type\":\"Steps\"}", "{\"t\":\"local/main\",\"u\":[7]}"},
        {"{\"name\":\"wf\",\"phase\":\"Running\",\"type\":\"Steps\"}", "{\"t\":\"namespaced/x/y\"}"},
        {"{\"name\":\"wf\",\"phase\":\"Running\",\"type\":\"StepGroup\"}", "{}"},
        {"{\"name\":\"wf\",\"phase\":\"Running\",\"type\":\"Steps\"}", "{}"},
    };
    struct fixture f;
    begin(&f, work_and_exit);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct saved_node row = {str_of(rows[i].status), str_of(rows[i].priv)};
        struct err e = {0};
        assert_null(run_load(&f.opts, STR("{\"phase\":\"Running\"}"), STR("{\"s\":1}"), &row, 1, &e));
        assert_true(e.text[0] != 0);
    }
    end(&f);
}

static void a_group_that_is_an_error_stays_one_after_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, steps: [[{name: a, template: work}, {name: b, template: bad}, {name: c, template: work}]]}\n"
              "  - {name: work, container: {image: busybox, command: ['true']}}\n"
              "  - {name: bad, memoize: {key: 'a b', cache: {configMap: {name: c}}}, container: {image: busybox, command: ['true']}}\n");
    restart(&f);
    run_continue(f.run, T0 + 1, &f.out);
    assert_int_equal(f.out.n_actions, 0);
    assert_null(named(&f, "wf[0].c"));
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 2);
    assert_null(named(&f, "wf[0].c"));
    assert_int_equal(node_phase(named(&f, "wf[0]")), NODE_ERROR);
    assert_string_equal(message_of(&f, "wf"), "step group deemed errored due to child wf[0].b error: invalid cache key: a b");
    end(&f);
}

/* 317,000 years in microseconds are more than 64 bits. */
static void a_deadline_beyond_all_clocks_is_none(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t *moved;
    struct err e;
    begin(&f, "  entrypoint: main\n  activeDeadlineSeconds: 10000000000000\n"
              "  templates:\n  - {name: main, container: {image: busybox, command: ['true']}}\n");
    assert_int_equal(run_next_timer_us(f.run), 0);
    done(&f, "wf", NODE_FAILED, T0 + 1);
    restart(&f);
    assert_true(run_reset(f.run, &(struct reset_opts){0}, T0 + 2, &moved, &e));
    restart(&f);
    run_continue(f.run, T0 + 2, &f.out);
    assert_int_equal(count(&f, ACTION_START), 1);
    assert_int_equal(run_next_timer_us(f.run), 0);
    end(&f);
}

/* Nobody commits what a refused command led to, so it must lead to nothing: not even to what the clock alone does. */
static void a_refused_command_is_no_event(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    int64_t late_us = T0 + 100000000;
    begin(&f, "  entrypoint: main\n  hooks: {late: {template: work, expression: now().Unix() > 50}}\n  templates:\n"
              "  - {name: main, steps: [[{name: wait, template: wait}]]}\n"
              "  - {name: wait, suspend: {}, outputs: {parameters: [{name: p, valueFrom: {supplied: {}}}]}}\n"
              "  - {name: work, container: {image: busybox, command: ['true']}}\n");
    size_t n = run_node_count(f.run);
    struct node_change none = {.phase = NODE_PENDING}, bad = {.phase = NODE_SUCCEEDED};
    for (int i = 0; i < 3; i++) {
        f.out = (struct outbox){.n_dirty = 7, .n_actions = 7};
        assert_false(i == 0 ? run_resume(f.run, late_us, &f.out, &e) : run_set(f.run, i == 1 ? &none : &bad, late_us, &f.out, &e));
        assert_int_equal(f.out.n_dirty + f.out.n_actions + f.out.run_dirty, 0);
        assert_int_equal(run_node_count(f.run), n);
    }
    run_stop(f.run, STOP_TERMINATE, T0 + 1, &f.out);
    assert_false(run_suspend(f.run, late_us, &f.out, &e));
    assert_int_equal(f.out.n_dirty + f.out.n_actions + f.out.run_dirty, 0);
    end(&f);
}

static size_t n_alive(struct fixture *f)
{
    size_t n = 0;
    for (size_t i = 0; i < run_node_count(f->run); i++) n += !phase_fulfilled(node_phase(run_node_at(f->run, i)));
    return n;
}

/* Each of these would make more nodes than the run may have: at once, or one after the other. */
static void too_many_nodes_end_the_workflow(void **state)
{
    (void)state;
    static const char *const mains[] = {
        "{name: main, dag: {tasks: [{name: first, template: ok}, {name: a, template: ok, depends: first, withSequence: {count: 1000}}]}}",
        "{name: main, steps: [[{name: first, template: ok}], [{name: a, template: ok, withSequence: {count: 1000}}]]}",
        "{name: main, dag: {tasks: [{name: first, template: ok}, {name: a, template: many, depends: first, withSequence: {count: 10}}]}}",
        "{name: main, parallelism: 200, steps: [[{name: first, template: ok}], [{name: a, template: ok, withSequence: {count: 1000}}]]}",
        "{name: main, steps: [[{name: first, template: ok, hooks: {h: {template: many, expression: \"steps.first.status == 'Succeeded'\"}}}]]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(mains); i++) {
        struct fixture f;
        struct buf b CLEANUP(buf_fini);
        buf_init(&b, 4096);
        buf_printf(&b, "  entrypoint: main\n  onExit: ok\n  templates:\n  - %s\n"
                       "  - {name: many, steps: [[{name: x, template: ok, withSequence: {count: 100}}]]}\n"
                       "  - {name: ok, container: {image: busybox, command: ['true']}}\n", mains[i]);
        begin(&f, b.p);
        run_free(f.run);
        f.opts.max_nodes = 100;
        f.run = run_new(&f.opts, NULL);
        run_start(f.run, T0, &f.out);
        done(&f, run_node_count(f.run) > 2 && named(&f, "wf[0].first") ? "wf[0].first" : "wf.first", NODE_SUCCEEDED, T0 + 1);
        assert_int_equal(phase_of_run(&f), NODE_ERROR);
        assert_string_equal(run_message(f.run).p, "more than 100 nodes in one workflow (LIMIT_RUN_NODES)");
        assert_in_range(run_node_count(f.run), 101, 110);
        assert_int_equal(count(&f, ACTION_START), 0);
        assert_int_equal(count(&f, ACTION_DONE), 1);
        assert_null(named(&f, "wf.onExit"));
        size_t n = run_node_count(f.run), alive = n_alive(&f);
        done(&f, node_name(run_node_at(f.run, n - 1)).p, NODE_FAILED, T0 + 2); /* as its runtime says after the kill */
        assert_int_equal(n_alive(&f), alive - 1);
        assert_int_equal(run_node_count(f.run), n);
        assert_int_equal(f.out.n_actions, 0);
        restart(&f);
        assert_true(run_is_done(f.run));
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_ends_the_steps_and_runs_the_exit_handler),
        cmocka_unit_test(terminate_runs_no_exit_handler),
        cmocka_unit_test(a_second_result_of_a_step_changes_nothing),
        cmocka_unit_test(resume_completes_what_is_suspended),
        cmocka_unit_test(a_suspended_workflow_starts_nothing),
        cmocka_unit_test(set_refuses_as_a_whole),
        cmocka_unit_test(what_cannot_be_retried_says_so),
        cmocka_unit_test(endless_recursion_is_an_error),
        cmocka_unit_test(a_clock_set_back_moves_nothing_back),
        cmocka_unit_test(status_has_argos_shape),
        cmocka_unit_test(damaged_rows_are_refused),
        cmocka_unit_test(a_group_that_is_an_error_stays_one_after_a_restart),
        cmocka_unit_test(a_deadline_beyond_all_clocks_is_none),
        cmocka_unit_test(a_refused_command_is_no_event),
        cmocka_unit_test(too_many_nodes_end_the_workflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
