/* engine: progress of nodes and of the workflow, and what nodes above others show. */
#include "engine/engine_test_p.h"

static const char spec[] =
    "  entrypoint: main\n  templates:\n"
    "  - {name: main, steps: [[{name: a, template: x}, {name: b, template: x}], [{name: c, template: x}]]}\n"
    "  - {name: x, container: {image: x}}\n";

static bool tell(struct fixture *f, const char *name, const char *line, int64_t now_us)
{
    return run_step_progress(f->run, named(f, name), str_of(line), now_us, &f->out);
}

static const char *shown(struct fixture *f, const char *node, const char *key)
{
    const struct val *m = status_member(f, node, key);
    return m ? str_z(&f->a, val_text(m)) : "";
}

static void a_pod_says_how_far_it_is(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, spec);
    assert_string_equal(shown(&f, NULL, "progress"), "0/2");
    assert_true(tell(&f, "wf[0].a", "3/10", T0 + 1));
    assert_int_equal(f.out.n_dirty, 1);
    assert_true(f.out.run_dirty);
    assert_string_equal(shown(&f, "wf[0].a", "progress"), "3/10");
    assert_string_equal(shown(&f, NULL, "progress"), "3/11");
    restart(&f);
    assert_string_equal(shown(&f, NULL, "progress"), "3/11");
    assert_string_equal(shown(&f, "wf[0]", "progress"), "3/11");
    assert_string_equal(shown(&f, "wf", "progress"), "3/11");
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 2);
    assert_string_equal(shown(&f, "wf[0].a", "progress"), "10/10");
    assert_false(phase_fulfilled(node_phase(named(&f, "wf[0]"))));
    restart(&f);
    done(&f, "wf[0].b", NODE_SUCCEEDED, T0 + 3);
    assert_string_equal(shown(&f, NULL, "progress"), "11/12");
    end(&f);
}

static void one_that_fails_keeps_what_it_said(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, spec);
    tell(&f, "wf[0].a", "1/1", T0 + 1);
    restart(&f);
    assert_string_equal(shown(&f, NULL, "progress"), "1/2");
    tell(&f, "wf[0].b", "7/9", T0 + 1);
    done(&f, "wf[0].a", NODE_SUCCEEDED, T0 + 2);
    done(&f, "wf[0].b", NODE_FAILED, T0 + 3);
    assert_string_equal(shown(&f, "wf[0].b", "progress"), "7/9");
    assert_string_equal(shown(&f, NULL, "progress"), "8/10");
    assert_true(tell(&f, "wf[0].b", "8/9", T0 + 4)); /* too late */
    assert_int_equal(f.out.n_dirty, 0);
    restart(&f);
    assert_string_equal(shown(&f, NULL, "progress"), "8/10");
    end(&f);
}

static void what_is_no_progress_changes_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "/", "1", "1/", "/2", "3/2", "0/0", "-1/2", "1/2/3", "a/b", "1 / 2", "1/99999999999999999999"};
    struct fixture f;
    begin(&f, spec);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_false(tell(&f, "wf[0].a", lines[i], T0 + 1));
        assert_int_equal(f.out.n_dirty, 0);
    }
    assert_true(tell(&f, "wf[0].a", "0/9223372036854775807", T0 + 1));
    assert_true(tell(&f, "wf[0].b", "0/9223372036854775807", T0 + 1)); /* the sum wraps around, as Go's */
    assert_string_equal(shown(&f, NULL, "progress"), "0/-2");
    assert_true(tell(&f, "wf[0].b", "0/5", T0 + 1));
    assert_true(tell(&f, "wf[0].a", "0/4", T0 + 1));
    assert_string_equal(shown(&f, NULL, "progress"), "0/9");
    end(&f);
}

static void suspended_and_skipped_nodes_count(void **state)
{
    (void)state;
    struct fixture f;
    struct err e;
    begin(&f, "  entrypoint: main\n  templates:\n"
              "  - {name: main, steps: [[{name: s, template: wait}, {name: not, template: x, when: 'false'}], [{name: c, template: x}]]}\n"
              "  - {name: wait, suspend: {}}\n  - {name: x, container: {image: x}}\n");
    assert_string_equal(shown(&f, NULL, "progress"), "0/1");
    assert_string_equal(shown(&f, "wf[0].not", "progress"), "");
    assert_true(run_resume(f.run, T0 + 1, &f.out, &e));
    assert_string_equal(shown(&f, "wf[0].s", "progress"), "1/1");
    assert_string_equal(shown(&f, NULL, "progress"), "1/2");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_says_how_far_it_is),
        cmocka_unit_test(one_that_fails_keeps_what_it_said),
        cmocka_unit_test(what_is_no_progress_changes_nothing),
        cmocka_unit_test(suspended_and_skipped_nodes_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
