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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_defaults_lie_below_inline_templates_too),
        cmocka_unit_test(an_active_deadline_counts_from_the_start_of_the_pod),
        cmocka_unit_test(a_timeout_counts_from_the_creation_of_the_node),
        cmocka_unit_test(pending_timeout_ends_what_does_not_begin),
        cmocka_unit_test(a_template_may_give_its_node_another_name_to_show),
        cmocka_unit_test(a_global_name_may_be_made_of_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
