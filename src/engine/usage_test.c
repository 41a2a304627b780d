/* engine: resourcesDuration and estimatedDuration. */
#include "doc/json_write.h"
#include "engine/engine_test_p.h"

enum { S = 1000000 };

static const char *shown(struct fixture *f, const char *node, const char *key)
{
    const struct val *m = status_member(f, node, key);
    return m ? str_z(&f->a, json_text(&f->a, m)) : "";
}

static void ends(struct fixture *f, const char *name, uint32_t part, int64_t from_us, int64_t to_us)
{
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .started_us = from_us, .finished_us = to_us};
    if (part) run_part_done(f->run, named(f, name), part, &how, to_us, &f->out);
    else run_step_done(f->run, named(f, name), &how, to_us, &f->out);
}

static void all_containers_of_a_pod_count(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n"
              "    initContainers: [{name: i, image: x, resources: {requests: {cpu: '1'}}}]\n"
              "    sidecars: [{name: s, image: x}]\n    container: {image: x}\n");
    ends(&f, "wf", 1, 10 * S, 20 * S);
    restart(&f);
    assert_string_equal(shown(&f, "wf", "resourcesDuration"), ""); /* not before it has ended */
    ends(&f, "wf", 0, 20 * S, 50 * S);
    restart(&f);
    assert_string_equal(shown(&f, NULL, "resourcesDuration"), "");
    ends(&f, "wf", 2, 20 * S + 900000, 51 * S + 100000); /* times are whole seconds, as Kubernetes has them */
    assert_string_equal(shown(&f, "wf", "resourcesDuration"), "{\"cpu\":16,\"memory\":71}");
    assert_string_equal(shown(&f, NULL, "resourcesDuration"), "{\"cpu\":16,\"memory\":71}");
    restart(&f);
    assert_string_equal(shown(&f, NULL, "resourcesDuration"), "{\"cpu\":16,\"memory\":71}");
    end(&f);
}

static void what_never_ran_counts_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - {name: main, container: {image: x}}\n");
    struct step_outcome how = {.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = STR("lost")};
    run_step_done(f.run, named(&f, "wf"), &how, T0 + 9 * S, &f.out);
    assert_string_equal(shown(&f, "wf", "resourcesDuration"), "");
    assert_string_equal(shown(&f, NULL, "resourcesDuration"), "");
    end(&f);
}

static void containers_of_a_set_count_for_their_pod(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "  entrypoint: main\n  templates:\n  - name: main\n    containerSet:\n      containers:\n"
              "      - {name: a, image: x, resources: {limits: {memory: 1Gi, cpu: bad}}}\n      - {name: b, image: x}\n");
    ends(&f, "wf.a", 0, 10 * S, 20 * S);
    restart(&f);
    ends(&f, "wf.b", 0, 10 * S, 30 * S);
    assert_string_equal(shown(&f, "wf", "resourcesDuration"), "{\"cpu\":3,\"memory\":122}");
    assert_string_equal(shown(&f, "wf.a", "resourcesDuration"), "");
    end(&f);
}

static int64_t estimate(void *ctx, struct str within)
{
    (void)ctx;
    return !within.n ? 30 : str_is(within, "[0].a") ? 20 : 0;
}

static void nodes_take_as_long_as_before(void **state)
{
    (void)state;
    struct fixture f;
    struct err e;
    begin(&f, "  entrypoint: main\n  templates:\n  - {name: main, steps: [[{name: a, template: x}, {name: b, template: x}]]}\n"
              "  - {name: x, container: {image: x}}\n");
    run_free(f.run);
    f.opts.estimate = estimate;
    f.run = run_new(&f.opts, &e);
    run_start(f.run, T0, &f.out);
    assert_string_equal(shown(&f, "wf", "estimatedDuration"), "30");
    f.opts.estimate = NULL;
    restart(&f);
    assert_string_equal(shown(&f, "wf", "estimatedDuration"), "30");
    assert_string_equal(shown(&f, "wf[0].a", "estimatedDuration"), "20");
    assert_string_equal(shown(&f, "wf[0].b", "estimatedDuration"), "");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_containers_of_a_pod_count),
        cmocka_unit_test(what_never_ran_counts_nothing),
        cmocka_unit_test(containers_of_a_set_count_for_their_pod),
        cmocka_unit_test(nodes_take_as_long_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
