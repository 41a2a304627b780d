/* engine: rules of templates and of time that the simulator's model does not know. */
#include "engine/engine_test_p.h"

static void template_defaults_lie_below_inline_templates_too(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, "  entrypoint: main\n  templateDefaults: {timeout: 7s, container: {image: given}}\n  templates:\n"
              "  - {name: main, steps: [[{name: a, inline: {container: {command: [x]}}}]]}\n");
    const struct val *t = node_template(f.run, named(&f, "wf[0].a"), &e);
    assert_string_equal(val_text(val_path(t, "container.image")).p, "given");
    assert_int_equal(run_next_timer_us(f.run), T0 + 7000000);
    end(&f);
}

static void an_active_deadline_counts_from_the_start_of_the_pod(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates: [{name: main, activeDeadlineSeconds: 5, container: {image: x}}]\n");
    assert_int_equal(run_next_timer_us(f.run), 0);
    run_step_started(f.run, named(&f, "wf"), T0 + 60000000, &f.out);
    assert_int_equal(run_next_timer_us(f.run), T0 + 65000000);
    restart(&f);
    run_tick(f.run, T0 + 65000000, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    assert_string_equal(message_of(&f, "wf"), "Pod was active on the node longer than the specified deadline");
    end(&f);
}

static void a_timeout_counts_from_the_creation_of_the_node(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates: [{name: main, timeout: 5s, activeDeadlineSeconds: 9, container: {image: x}}]\n");
    assert_int_equal(run_next_timer_us(f.run), T0 + 5000000);
    run_step_started(f.run, named(&f, "wf"), T0 + 1000000, &f.out);
    assert_int_equal(run_next_timer_us(f.run), T0 + 5000000);
    end(&f);
}

static void pending_timeout_ends_what_does_not_begin(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates: [{name: main, pendingTimeout: 5s, container: {image: x}}]\n");
    run_tick(f.run, T0 + 5000000, &f.out);
    assert_int_equal(count(&f, ACTION_KILL), 1);
    assert_string_equal(message_of(&f, "wf"), "Pod was pending longer than the specified pendingTimeout");
    end(&f);
    begin(&f, "  entrypoint: main\n  templates: [{name: main, pendingTimeout: 5s, container: {image: x}}]\n");
    run_step_started(f.run, named(&f, "wf"), T0 + 1, &f.out);
    assert_int_equal(run_next_timer_us(f.run), 0);
    end(&f);
}

static void a_template_may_give_its_node_another_name_to_show(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b;
    struct val v;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, steps: [[{name: a, template: t, arguments: {parameters: [{name: p, value: x1}]}}]]}\n"
              "  - {name: t, inputs: {parameters: [{name: p}]}, annotations: {workflows.argoproj.io/display-name: 'shown-{{inputs.parameters.p}}'},\n"
              "     container: {image: x}}\n");
    restart(&f);
    buf_init(&b, 1 << 16);
    node_write_status(&b, f.run, named(&f, "wf[0].a"));
    assert_true(json_parse(&f.a, buf_view(&b), NULL, &v, NULL));
    assert_string_equal(val_get_str(&v, "displayName").p, "shown-x1");
    buf_fini(&b);
    end(&f);
}

static void a_global_name_may_be_made_of_inputs(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, inputs: {parameters: [{name: p, value: q}]}, steps: [[{name: a, template: t}]],\n"
              "     outputs: {parameters: [{name: o, globalName: 'g-{{inputs.parameters.p}}', valueFrom: {expression: \"'v'\"}}]}}\n"
              "  - {name: t, container: {image: x}}\n");
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1);
    buf_init(&b, 1 << 16);
    run_write_status(&b, f.run);
    assert_non_null(strstr(b.p, "\"name\":\"g-q\""));
    buf_fini(&b);
    end(&f);
}

static void the_workflow_s_volumes_may_be_made_of_outputs(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, "  entrypoint: main\n  volumes: [{name: v, persistentVolumeClaim: {claimName: '{{workflow.name}}-{{steps.a.outputs.parameters.p}}'}}]\n"
              "  templates:\n  - {name: main, steps: [[{name: a, template: t}], [{name: b, template: t}]]}\n"
              "  - {name: t, container: {image: x}, outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}}\n");
    struct step_outcome_param p = {STR("p"), STR("made")};
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .exit_code = 0, .params = &p, .n_params = 1};
    run_step_done(f.run, named(&f, "wf[0].a"), &how, T0 + 1, &f.out);
    const struct val *wf = node_workflow(f.run, named(&f, "wf[1].b"), &e);
    assert_string_equal(val_text(val_get(val_get(&val_path(wf, "spec.volumes")->items[0], STR("persistentVolumeClaim")), STR("claimName"))).p, "wf-made");
    end(&f);
}

/* podMetadata may have the inputs of each pod, too; what documents do not say as it is, has to be noted. */
static void labels_of_pods_are_filled_in(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct val labels;
    begin(&f, "  entrypoint: main\n  podMetadata: {labels: {all: '{{workflow.name}}-{{inputs.parameters.p}}', team: red}}\n"
              "  templates:\n  - {name: main, steps: [[{name: a, template: t, arguments: {parameters: [{name: p, value: '1'}]}}]]}\n"
              "  - {name: t, inputs: {parameters: [{name: p}]}, metadata: {labels: {team: 'blue-{{inputs.parameters.p}}'}}, container: {image: x}}\n");
    struct node *a = named(&f, "wf[0].a");
    assert_true(node_pod_labels(f.run, a, &labels, &e));
    assert_string_equal(val_get_str(&labels, "all").p, "wf-1");
    assert_string_equal(val_get_str(&labels, "team").p, "blue-1");
    assert_false(node_labels_are_plain(f.run, a) || node_in_exit(a));
    end(&f);
    begin(&f, "  entrypoint: main\n  podMetadata: {labels: {team: red}}\n  onExit: bye\n"
              "  templates:\n  - {name: main, steps: [[{name: a, template: t}, {name: b, inline: {metadata: {labels: {x: y}}, container: {image: x}}}]]}\n"
              "  - {name: t, container: {image: '{{workflow.name}}'}}\n  - {name: bye, steps: [[{name: c, template: t}]]}\n");
    assert_true(node_labels_are_plain(f.run, named(&f, "wf[0].a")) && !node_labels_are_plain(f.run, named(&f, "wf[0].b")));
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 1);
    done(&f, "wf[0].b", NODE_SUCCEEDED, T0 + 2);
    assert_true(node_in_exit(named(&f, "wf.onExit[0].c")));
    end(&f);
}

static void workflow_metadata_is_computed_at_the_start(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct val meta;
    begin(&f, "  entrypoint: main\n  arguments: {parameters: [{name: p, value: v1}]}\n"
              "  workflowMetadata: {labels: {a: plain}, annotations: {note: 'any thing'}, labelsFrom: {b: {expression: workflow.parameters.p + '-' + workflow.labels.a}}}\n"
              "  templates: [{name: main, container: {image: x}}]\n");
    assert_true(run_metadata(&f.a, f.run, &meta, &e));
    assert_string_equal(val_get_str(val_get(&meta, STR("labels")), "b").p, "v1-plain");
    assert_string_equal(val_get_str(val_get(&meta, STR("annotations")), "note").p, "any thing");
    end(&f);
    static const char *const wrong[][2] = {
        {"labels: {a: 'no good'}", "invalid label value \"no good\" for label \"a\""},
        {"labelsFrom: {a: {expression: '1'}}", "failed to evaluate label \"a\" expression \"1\": it gives no string"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct arena a;
        arena_init(&a);
        begin(&f, str_fmt(&a, "  entrypoint: main\n  workflowMetadata: {%s}\n  templates: [{name: main, container: {image: x}}]\n", wrong[i][0]).p);
        assert_int_equal(phase_of_run(&f), NODE_ERROR);
        assert_string_equal(run_message(f.run).p, wrong[i][1]);
        assert_int_equal(count(&f, ACTION_DONE), 1);
        end(&f);
        arena_fini(&a);
    }
}

static void metrics_are_told_once(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n"
              "  metrics: {prometheus: [{name: whole, help: h, gauge: {realtime: true, value: '{{workflow.duration}}'}}]}\n"
              "  templates:\n  - name: main\n    retryStrategy: {limit: 1}\n    metrics: {prometheus: ["
              "{name: clock, help: h, gauge: {realtime: true, value: '{{duration}}'}}, {name: took, help: h, gauge: {value: '{{duration}}'}}, "
              "{name: bad, help: h, counter: {value: '{{status}}'}}]}\n    container: {image: x}\n");
    assert_int_equal(f.out.n_metrics, 2); /* the clocks */
    assert_true(f.out.metrics[0].since_us && f.out.metrics[1].since_us);
    done(&f, "wf(0)", NODE_FAILED, T0 + 1000000); /* an attempt that another follows */
    assert_int_equal(f.out.n_metrics, 2);
    assert_string_equal(f.out.metrics[1].name.p, "took");
    assert_true(f.out.metrics[1].value == 1.0 && !f.out.metrics[0].since_us && f.out.metrics[0].value == 1.0);
    done(&f, "wf(1)", NODE_SUCCEEDED, T0 + 3000000);
    assert_int_equal(f.out.n_metrics, 3);
    assert_string_equal(f.out.metrics[1].name.p, "took");
    assert_true(f.out.metrics[1].value == 3.0 && !f.out.metrics[0].since_us && f.out.metrics[0].value == 3.0);
    struct buf b;
    buf_init(&b, 1 << 16);
    run_write_status(&b, f.run);
    assert_non_null(strstr(b.p, "\"MetricsError\""));
    assert_non_null(strstr(b.p, "'Succeeded' is not a number"));
    buf_fini(&b);
    end(&f);
}

static void a_task_may_only_mention_those_before_it(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - name: main\n    dag:\n      tasks:\n      - {name: a, template: t}\n      - {name: b, template: t}\n"
              "      - {name: c, template: t, depends: b}\n"
              "      - {name: bad, template: u, depends: c, arguments: {parameters: [{name: p, value: '{{tasks.a.exitCode}}'}]}}\n"
              "      - {name: good, template: u, depends: c, arguments: {parameters: [{name: p, value: '{{tasks.b.exitCode}}'}]}}\n"
              "  - {name: t, container: {image: x}}\n  - {name: u, inputs: {parameters: [{name: p}]}, container: {image: x}}\n");
    done(&f, "wf.a", NODE_SUCCEEDED, T0 + 1);
    done(&f, "wf.b", NODE_SUCCEEDED, T0 + 2);
    done(&f, "wf.c", NODE_SUCCEEDED, T0 + 3);
    assert_int_equal(node_phase(named(&f, "wf.bad")), NODE_ERROR);
    assert_non_null(strstr(message_of(&f, "wf.bad"), "tasks.a.exitCode"));
    assert_int_equal(node_phase(named(&f, "wf.good")), NODE_PENDING);
    end(&f);
}

/* What a node keeps must be readable as a document after a restart. */
static void what_a_node_keeps_has_a_limit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    dag:\n      tasks:\n"
              "      - name: a\n        template: big\n        arguments: {parameters: [{name: p, value: '{{=sprig.repeat(16, sprig.repeat(1000000, \"x\"))}}'}]}\n"
              "      - {name: b, template: t, withSequence: {count: 100, format: '%1000000d'}}\n"
              "  - name: big\n    inputs: {parameters: [{name: p}, {name: q, value: '{{inputs.parameters.p}}'}, {name: r, value: 'x{{inputs.parameters.p}}'}]}\n"
              "    container: {image: x, args: ['{{inputs.parameters.q}}']}\n  - {name: t, container: {image: x}}\n");
    assert_int_equal(node_phase(named(&f, "wf.a")), NODE_PENDING); /* its other inputs are made of no input: as they stand */
    assert_int_equal(node_phase(named(&f, "wf.b")), NODE_ERROR);
    assert_non_null(strstr(message_of(&f, "wf.b"), "LIMIT_NODE_BYTES"));
    end(&f);
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    steps:\n    - - name: a\n        template: big\n        arguments: {parameters: ["
              "{name: p, value: '{{=sprig.repeat(15, sprig.repeat(1000000, \"x\"))}}'}, {name: q, value: '{{=sprig.repeat(15, sprig.repeat(1000000, \"y\"))}}'}, "
              "{name: r, value: '{{=sprig.repeat(15, sprig.repeat(1000000, \"z\"))}}'}]}\n"
              "  - name: big\n    inputs: {parameters: [{name: p}, {name: q}, {name: r}]}\n    container: {image: x}\n");
    assert_int_equal(node_phase(named(&f, "wf[0].a")), NODE_ERROR);
    assert_non_null(strstr(message_of(&f, "wf[0].a"), "LIMIT_NODE_BYTES"));
    end(&f);
}

static void a_task_that_cannot_be_started_is_named_once(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, dag: {tasks: [{name: a, template: needs}, {name: b, template: nowhere}]}}\n"
              "  - {name: needs, inputs: {parameters: [{name: p}]}, container: {image: busybox, command: ['true']}}\n");
    assert_string_equal(message_of(&f, "wf.a"), "task 'wf.a' errored: inputs.parameters.p was not supplied");
    assert_string_equal(message_of(&f, "wf.b"), "task 'wf.b' errored: template 'nowhere' not found");
    end(&f);
}

static void a_template_that_cannot_be_compiled_says_why_to_everybody(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, dag: {tasks: [{name: a, template: ring}, {name: b, template: ring}]}}\n"
              "  - {name: ring, dag: {tasks: [{name: x, template: ok, depends: y}, {name: y, template: ok, depends: x}]}}\n"
              "  - {name: ok, container: {image: busybox, command: ['true']}}\n");
    assert_string_equal(message_of(&f, "wf.a"), "task 'wf.a' errored: task 'x' stands on a dependency cycle");
    assert_string_equal(message_of(&f, "wf.b"), "task 'wf.b' errored: task 'x' stands on a dependency cycle");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_defaults_lie_below_inline_templates_too),
        cmocka_unit_test(an_active_deadline_counts_from_the_start_of_the_pod),
        cmocka_unit_test(a_timeout_counts_from_the_creation_of_the_node),
        cmocka_unit_test(pending_timeout_ends_what_does_not_begin),
        cmocka_unit_test(a_template_may_give_its_node_another_name_to_show),
        cmocka_unit_test(the_workflow_s_volumes_may_be_made_of_outputs),
        cmocka_unit_test(labels_of_pods_are_filled_in),
        cmocka_unit_test(workflow_metadata_is_computed_at_the_start),
        cmocka_unit_test(metrics_are_told_once),
        cmocka_unit_test(what_a_node_keeps_has_a_limit),
        cmocka_unit_test(a_task_may_only_mention_those_before_it),
        cmocka_unit_test(a_global_name_may_be_made_of_inputs),
        cmocka_unit_test(a_task_that_cannot_be_started_is_named_once),
        cmocka_unit_test(a_template_that_cannot_be_compiled_says_why_to_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
