/* engine: what memoization writes. Hits and misses are judged by test/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "doc/json.h"
#include "doc/yaml.h"
#include "engine/engine.h"

enum { T0 = 1000000000, WRITES = 8 };

struct fixture {
    struct arena a;
    struct run *run;
    struct run_opts opts;
    struct outbox out;
    struct val maps[WRITES]; /* as they were written; the last counts */
    size_t n_maps;
    size_t held_for_run, held_for_cache;
};

static bool read_map(void *ctx, struct arena *a, struct str ns, struct str name, struct val *doc)
{
    struct fixture *f = ctx;
    (void)a;
    assert_string_equal(ns.p, "default");
    for (size_t i = f->n_maps; i-- > 0;)
        if (str_eq(val_text(val_path(&f->maps[i], "metadata.name")), name)) return *doc = f->maps[i], true;
    return false;
}

static bool write_map(void *ctx, const struct val *doc, struct err *e)
{
    struct fixture *f = ctx;
    (void)e;
    assert_true(f->n_maps < WRITES);
    f->maps[f->n_maps++] = val_copy(&f->a, doc);
    return true;
}

static bool hold(void *ctx, const struct val *outputs, bool for_run, struct err *e)
{
    struct fixture *f = ctx;
    (void)e;
    assert_non_null(val_get(outputs, STR("artifacts")));
    if (for_run) f->held_for_run++;
    else f->held_for_cache++;
    return true;
}

static void put(struct fixture *f, const char *json)
{
    assert_true(json_parse(&f->a, str_of(json), NULL, &f->maps[f->n_maps++], NULL));
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    arena_init(&f->a);
}

static void start(struct fixture *f, const char *spec)
{
    struct err e = {0};
    struct val *wf = ARENA_NEW(&f->a, struct val);
    struct str text = str_fmt(&f->a, "metadata: {name: wf, namespace: default, uid: u}\nspec:\n%s", spec);
    if (!yaml_parse(&f->a, text, NULL, wf, &e)) fail_msg("%s", e.text);
    f->opts = (struct run_opts){.workflow = wf, .seed = 1, .lookup_ctx = f, .cache = {read_map, write_map, hold}};
    run_free(f->run);
    f->run = run_new(&f->opts, &e);
    if (!f->run) fail_msg("%s", e.text);
    run_start(f->run, T0, &f->out);
}

static void end(struct fixture *f)
{
    run_free(f->run);
    arena_fini(&f->a);
}

static void done(struct fixture *f, size_t idx, struct str result, const struct val *artifacts)
{
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .result = result, .artifacts = artifacts};
    run_step_done(f->run, run_node_at(f->run, idx), &how, T0 + 5000000, &f->out);
}

static const struct val *last(const struct fixture *f) { return &f->maps[f->n_maps - 1]; }

#define CACHE "memoize: {key: k, maxAge: 1h, cache: {configMap: {name: c}}}"
#define POD "  entrypoint: main\n  templates:\n  - {name: main, " CACHE ", container: {image: x}}\n"
#define LABELS "\"metadata\":{\"name\":\"c\",\"labels\":{\"workflows.argoproj.io/configmap-type\":\"Cache\"}}"

static void an_entry_has_argos_shape(void **state)
{
    struct fixture f;
    struct val entry;
    (void)state;
    begin(&f);
    start(&f, POD);
    done(&f, 0, STR_NONE, NULL);
    assert_int_equal(f.n_maps, 1);
    assert_string_equal(val_text(val_get(val_path(last(&f), "metadata.labels"), STR("workflows.argoproj.io/configmap-type"))).p, "Cache");
    assert_string_equal(val_text(val_path(last(&f), "kind")).p, "ConfigMap");
    assert_true(json_parse(&f.a, val_text(val_path(last(&f), "data.k")), NULL, &entry, NULL));
    assert_string_equal(val_get_str(&entry, "nodeID").p, "wf");
    assert_string_equal(val_get_str(&entry, "creationTimestamp").p, "1970-01-01T00:16:45Z");
    assert_string_equal(val_text(val_path(&entry, "outputs.exitCode")).p, "0");
    end(&f);
}

static void a_hit_is_noted_and_leaves_the_rest(void **state)
{
    struct fixture f;
    struct val entry;
    (void)state;
    begin(&f);
    put(&f, "{\"kind\":\"ConfigMap\"," LABELS ",\"data\":{\"other\":\"x\",\"k\":\"{\\\"nodeID\\\":\\\"n\\\",\\\"outputs\\\":null,"
            "\\\"creationTimestamp\\\":\\\"1970-01-01T00:10:00Z\\\",\\\"lastHitTimestamp\\\":\\\"1970-01-01T00:10:00Z\\\"}\"}}");
    start(&f, POD);
    assert_true(run_is_done(f.run));
    assert_int_equal(f.n_maps, 2);
    assert_string_equal(val_text(val_path(last(&f), "data.other")).p, "x");
    assert_true(json_parse(&f.a, val_text(val_path(last(&f), "data.k")), NULL, &entry, NULL));
    assert_string_equal(val_get_str(&entry, "creationTimestamp").p, "1970-01-01T00:10:00Z");
    assert_string_equal(val_get_str(&entry, "lastHitTimestamp").p, "1970-01-01T00:16:40Z");
    end(&f);
}

/* Whatever somebody wrote there by hand. */
static void broken_entries_are_errors(void **state)
{
    static const char *const broken[] = {
        "[]", "7", "\"text\"", "{", "{\"nodeID\":7}", "{\"nodeID\":\"n\",\"outputs\":[]}",
        "{\"nodeID\":\"n\",\"outputs\":{\"parameters\":{\"p\":1}}}", "{\"nodeID\":\"n\",\"outputs\":{\"parameters\":[1]}}",
        "{\"nodeID\":\"n\",\"outputs\":{\"artifacts\":[{\"name\":{}}]}}", "{\"nodeID\":\"n\",\"outputs\":{\"result\":[1]}}",
        "{\"nodeID\":\"n\",\"outputs\":{\"exitCode\":{}}}", "{\"nodeID\":\"n\",\"creationTimestamp\":\"yesterday\"}",
    };
    static const char *const misses[] = {"null", "{}", "{\"nodeID\":\"\"}", "{\"nodeID\":null,\"outputs\":null}",
                                         "{\"nodeID\":\"n\"}" /* of no time: older than any age */};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken) + ARRAY_LEN(misses); i++) {
        bool is_broken = i < ARRAY_LEN(broken);
        struct fixture f;
        struct buf b CLEANUP(buf_fini);
        begin(&f);
        buf_init(&b, 4096);
        buf_str(&b, STR("{\"kind\":\"ConfigMap\"," LABELS ",\"data\":{\"k\":"));
        buf_json(&b, str_of(is_broken ? broken[i] : misses[i - ARRAY_LEN(broken)]));
        buf_str(&b, STR("}}"));
        put(&f, buf_dup(&f.a, &b).p);
        start(&f, POD);
        enum node_phase p = node_phase(run_node_at(f.run, 0));
        if (is_broken != (p == NODE_ERROR)) fail_msg("entry %zu: %s", i, phase_text(p));
        if (is_broken) assert_true(str_starts(node_message(run_node_at(f.run, 0)), STR("malformed cache entry")));
        if (!is_broken) assert_int_equal(f.out.n_actions, 1);
        end(&f);
    }
}

/* operator.go: what cannot be kept makes a pod an error; steps.go and dag.go only log it. */
static void what_cannot_be_kept(void **state)
{
    static const char steps[] = "  entrypoint: main\n  templates:\n  - {name: main, " CACHE ", steps: [[{name: a, template: p}]]}\n"
                                "  - {name: p, container: {image: x}}\n";
    struct fixture f;
    (void)state;
    begin(&f);
    start(&f, POD);
    put(&f, "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}"); /* meanwhile somebody made another one */
    done(&f, 0, STR_NONE, NULL);
    assert_int_equal(node_phase(run_node_at(f.run, 0)), NODE_ERROR);
    assert_true(str_starts(node_message(run_node_at(f.run, 0)), STR("memoization configmap doesn't have")));
    f.n_maps = 0;
    start(&f, steps);
    put(&f, "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}");
    done(&f, 2, STR_NONE, NULL);
    assert_int_equal(node_phase(run_node_at(f.run, 0)), NODE_SUCCEEDED);
    end(&f);
}

static void a_cache_is_full_at_one_mebibyte(void **state)
{
    static const char spec[] = "  entrypoint: main\n  templates:\n"
                               "  - {name: main, steps: [[{name: a, template: p}], [{name: b, template: q, arguments: {parameters: "
                               "[{name: x, value: \"{{steps.a.outputs.result}}\"}]}}]]}\n"
                               "  - {name: p, " CACHE ", container: {image: x}}\n"
                               "  - {name: q, inputs: {parameters: [{name: x}]}, container: {image: x}}\n";
    struct fixture f;
    (void)state;
    begin(&f);
    struct str big = {arena_alloc(&f.a, 3 << 19), 0};
    memset((char *)(uintptr_t)big.p, 'x', 3 << 19);
    for (big.n = 1 << 20; big.n <= 3 << 19; big.n += 1 << 19) {
        start(&f, spec);
        done(&f, 2, big, NULL);
        assert_int_equal(node_phase(run_node_at(f.run, 2)), NODE_ERROR);
        assert_true(str_find(node_message(run_node_at(f.run, 2)), STR("Too long: must have at most 1048576 bytes"), 0) > 0);
        assert_int_equal(f.n_maps, 0);
    }
    end(&f);
}

static void artifacts_of_an_entry_are_held(void **state)
{
    struct fixture f;
    struct val artifacts;
    (void)state;
    begin(&f);
    start(&f, POD);
    assert_true(json_parse(&f.a, STR("[{\"name\":\"a\",\"s3\":{\"key\":\"x/a\"}}]"), NULL, &artifacts, NULL));
    done(&f, 0, STR_NONE, &artifacts);
    assert_int_equal(f.held_for_cache, 1);
    start(&f, POD);
    assert_true(run_is_done(f.run));
    assert_int_equal(f.held_for_run, 1);
    end(&f);
}

static void without_a_cache_steps_run(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    start(&f, POD);
    run_free(f.run);
    f.opts.cache = (struct run_cache){0};
    f.run = run_new(&f.opts, NULL);
    run_start(f.run, T0, &f.out);
    assert_int_equal(f.out.n_actions, 1);
    done(&f, 0, STR_NONE, NULL);
    assert_int_equal(node_phase(run_node_at(f.run, 0)), NODE_SUCCEEDED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_has_argos_shape),
        cmocka_unit_test(a_hit_is_noted_and_leaves_the_rest),
        cmocka_unit_test(broken_entries_are_errors),
        cmocka_unit_test(what_cannot_be_kept),
        cmocka_unit_test(a_cache_is_full_at_one_mebibyte),
        cmocka_unit_test(artifacts_of_an_entry_are_held),
        cmocka_unit_test(without_a_cache_steps_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
