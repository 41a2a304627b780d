/* Merging: vectors of (type, base, overlay, result) in flow YAML, and the two Argo merges. */
#include "doc/yaml.h"
#include "spec/merge.h"
#include "spec/test_p.h"

static struct val read_val(struct arena *a, const char *text)
{
    struct val v;
    struct err e = {0};
    if (!yaml_parse(a, str_of(text), NULL, &v, &e)) fail_msg("%s: %s", text, e.text);
    return v;
}

struct vector {
    const struct field_type *type;
    const char *base, *overlay, *result;
};

/* Equal, and lists in the same order. */
static void expect(const char *what, const struct val *got, const struct val *wanted)
{
    if (!val_eq(got, wanted)) fail_msg("%s", what);
}

static void strategic_vectors(void **state)
{
    static const struct vector vectors[] = {
        {&argo_container_type, "{image: a, tty: true}", "{image: b}", "{image: b, tty: true}"},
        {&argo_container_type, "{command: [a, b]}", "{command: [c]}", "{command: [c]}"},
        {&argo_container_type, "{image: a, tty: true}", "{tty: null}", "{image: a}"},
        {&argo_container_type, "{env: [{name: a, value: '1'}, {name: b, value: '2'}]}",
         "{env: [{name: b, value: '3'}, {name: c, value: '4'}]}",
         "{env: [{name: a, value: '1'}, {name: b, value: '3'}, {name: c, value: '4'}]}"},
        {&argo_container_type, "{env: [{name: a}, {name: b}]}", "{env: [{name: x}]}",
         "{env: [{name: x}, {name: a}, {name: b}]}"},
        {&argo_container_type, "{env: [{name: a, value: '1'}]}",
         "{env: [{name: a, $patch: delete}]}", "{env: []}"},
        {&argo_container_type, "{env: [{name: a}]}", "{env: [{name: b}, {$patch: replace}]}",
         "{env: [{name: b}]}"},
        {&argo_container_type, "{env: [{name: a, valueFrom: {fieldRef: {fieldPath: x}}}]}",
         "{env: [{name: a, valueFrom: {$patch: replace, secretKeyRef: {name: s, key: k}}}]}",
         "{env: [{name: a, valueFrom: {secretKeyRef: {name: s, key: k}}}]}"},
        {&argo_container_type, "{ports: [{containerPort: 80, name: x}]}",
         "{ports: [{containerPort: 80, name: y}]}", "{ports: [{containerPort: 80, name: y}]}"},
        {&argo_container_type, "{resources: {limits: {cpu: 1, memory: 1Gi}}}",
         "{resources: {limits: {cpu: 2}}}", "{resources: {limits: {cpu: 2, memory: 1Gi}}}"},
        {&argo_container_type, "{envFrom: [{prefix: a}]}", "{envFrom: [{prefix: b}]}",
         "{envFrom: [{prefix: b}]}"},
        {&argo_container_type, "{volumeMounts: [{name: v, mountPath: /a}]}",
         "{volumeMounts: [{name: v, mountPath: /b}]}",
         "{volumeMounts: [{name: v, mountPath: /b}, {name: v, mountPath: /a}]}"},
        {&argo_workflow_spec_type,
         "{hooks: {exit: {template: a}, x: {template: b, expression: e}}}",
         "{hooks: {exit: {template: c}}}",
         "{hooks: {exit: {template: c}, x: {template: b, expression: e}}}"},
        {&argo_workflow_spec_type,
         "{arguments: {parameters: [{name: p, value: '1', description: d}]}}",
         "{arguments: {parameters: [{name: p, value: '2'}]}}",
         "{arguments: {parameters: [{name: p, value: '2', description: d}]}}"},
        {NULL, "{a: {b: 1, c: 2}, l: [1]}", "{a: {b: null}, l: [2]}", "{a: {c: 2}, l: [2]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct arena a;
        arena_init(&a);
        struct val base = read_val(&a, vectors[i].base), overlay = read_val(&a, vectors[i].overlay);
        struct val wanted = read_val(&a, vectors[i].result);
        struct val got = merge_strategic(&a, vectors[i].type, &base, &overlay);
        expect(vectors[i].overlay, &got, &wanted);
        arena_fini(&a);
    }
}

static void workflow_over_template_over_defaults(void **state)
{
    struct arena a;
    arena_init(&a);
    struct val wf = read_val(
        &a, "{workflowTemplateRef: {name: t}, arguments: {parameters: [{name: p, value: mine}]}}");
    struct val tmpl = read_val(
        &a, "{entrypoint: m, suspend: true, priority: 5, templates: [{name: m, suspend: {}}],"
            " arguments: {parameters: [{name: p, value: theirs}, {name: q, value: x}]}}");
    struct val defaults = read_val(&a, "{entrypoint: other, parallelism: 3, priority: 1}");
    struct val got = merge_workflow_spec(&a, &wf, &tmpl, &defaults);
    struct val wanted =
        read_val(&a, "{workflowTemplateRef: {name: t}, entrypoint: m, parallelism: 3, priority: 1,"
                     " templates: [{name: m, suspend: {}}],"
                     " arguments: {parameters: [{name: p, value: mine}, {name: q, value: x}]}}");
    expect("spec", &got, &wanted);
    arena_fini(&a);
}

static void defaults_fill_templates_of_their_type(void **state)
{
    struct arena a;
    arena_init(&a);
    struct val spec = read_val(
        &a, "{templateDefaults: {timeout: 30s, container: {image: busybox, env: [{name: a}]}},"
            " templates: [{name: c, container: {args: [x]}}, {name: s, script: {source: y}},"
            " {name: t, timeout: 1s, container: {image: own}}]}");
    struct val got = merge_spec_defaults(&a, &spec);
    struct val wanted = read_val(
        &a, "[{name: c, timeout: 30s, container: {image: busybox, env: [{name: a}], args: [x]}},"
            " {name: s, timeout: 30s, script: {source: y}},"
            " {name: t, timeout: 1s, container: {image: own, env: [{name: a}]}}]");
    expect("templates", val_get(&got, STR("templates")), &wanted);
    struct val plain = read_val(&a, "{templates: []}");
    got = merge_spec_defaults(&a, &plain);
    expect("no defaults", &got, &plain);
    arena_fini(&a);
}

static void json_patches(void **state)
{
    static const struct {
        const char *base, *operations, *result; /* result NULL: must fail */
    } vectors[] = {
        {"{a: 1}", "[{op: add, path: /b, value: 2}]", "{a: 1, b: 2}"},
        {"{a: 1}", "[{op: replace, path: /a, value: {c: 3}}, {op: add, path: /a/d, value: 4}]",
         "{a: {c: 3, d: 4}}"},
        {"{l: [1, 2]}", "[{op: add, path: /l/-, value: 3}, {op: add, path: /l/0, value: 0}]",
         "{l: [0, 1, 2, 3]}"},
        {"{l: [1, 2]}", "[{op: remove, path: /l/0}]", "{l: [2]}"},
        {"{a: {b: 1}}", "[{op: move, from: /a/b, path: /c}]", "{a: {}, c: 1}"},
        {"{a: [1]}", "[{op: copy, from: /a, path: /b}]", "{a: [1], b: [1]}"},
        {"{a/b: 1, m~n: 2}", "[{op: replace, path: /a~1b, value: 3}, {op: remove, path: /m~0n}]",
         "{a/b: 3}"},
        {"{a: 1}", "[{op: test, path: /a, value: 1}, {op: replace, path: '', value: [1]}]", "[1]"},
        {"{a: 1}", "[{op: test, path: /a, value: 2}]", NULL},
        {"{a: 1}", "[{op: remove, path: /b}]", NULL},
        {"{a: 1}", "[{op: replace, path: /b, value: 1}]", NULL},
        {"{a: [1]}", "[{op: add, path: /a/2, value: 1}]", NULL},
        {"{a: 1}", "[{op: add, path: a, value: 1}]", NULL},
        {"{a: 1}", "[{op: wish, path: /a, value: 1}]", NULL},
        {"{a: 1}", "[{path: /a}]", NULL},
        {"{a: 1}", "{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct arena a;
        struct err e = {0};
        arena_init(&a);
        struct val base = read_val(&a, vectors[i].base), ops = read_val(&a, vectors[i].operations),
                   got;
        bool ok = patch_json(&a, &base, &ops, &got, &e);
        if (ok != (vectors[i].result != NULL)) fail_msg("%s: %s", vectors[i].operations, e.text);
        if (ok) {
            struct val wanted = read_val(&a, vectors[i].result);
            expect(vectors[i].operations, &got, &wanted);
        }
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strategic_vectors),
        cmocka_unit_test(workflow_over_template_over_defaults),
        cmocka_unit_test(defaults_fill_templates_of_their_type),
        cmocka_unit_test(json_patches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
