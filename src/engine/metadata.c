/* workflowMetadata: labels and annotations that a run gets at its start, some of them computed
 * (operator.go updateWorkflowMetadata). One that is not valid ends the run before it begins. */
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/expr.h"

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* k8s.io/apimachinery IsValidLabelValue */
static bool label_ok(struct str v)
{
    if (v.n > 63 || (v.n && (!is_word(v.p[0]) || !is_word(v.p[v.n - 1])))) return false;
    for (size_t i = 0; i < v.n; i++)
        if (!is_word(v.p[i]) && v.p[i] != '-' && v.p[i] != '_' && v.p[i] != '.') return false;
    return true;
}

static bool label_check(struct str key, struct str value, struct err *e)
{
    return label_ok(value) || err_set(e, ERR_SPEC, "invalid label value \"%.*s\" for label \"%.*s\"", STR_ARG(value), STR_ARG(key));
}

static bool add_all(struct run *r, struct arena *a, struct val *map, const struct val *more, bool label, struct err *e)
{
    struct tags_opts opts = {.scope = &r->globals, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    struct val_builder b;
    bool ok = true;
    map_begin(&b, a);
    for (uint32_t i = 0; ok && more && more->kind == VAL_MAP && i < more->n; i++) {
        struct str value = text_of(a, &more->map[i].v);
        if (!value.p) value = STR("");
        ok = (!tags_present(value) || tags_replace(a, value, &opts, &value, e)) && (!label || label_check(more->map[i].key, value, e));
        if (ok) map_add(&b, more->map[i].key, val_of_str(value));
    }
    struct val all = map_done(&b);
    *map = map_with_all(a, map, &all);
    return ok;
}

static bool computed(struct arena *a, const struct expr_env *env, const struct val_pair *p, struct val *out, struct err *e)
{
    struct str text = val_get_str(&p->v, "expression");
    if (!expr_eval(a, text, env, out, e))
        return err_ctx(e, "failed to evaluate label \"%.*s\" expression \"%.*s\"", STR_ARG(p->key), STR_ARG(text)), false;
    if (out->kind != VAL_STR)
        return err_set(e, ERR_SPEC, "failed to evaluate label \"%.*s\" expression \"%.*s\": it gives no string", STR_ARG(p->key), STR_ARG(text));
    return label_check(p->key, out->s, e);
}

static bool add_computed(struct run *r, struct arena *a, struct val *labels, const struct val *from, struct err *e)
{
    struct scope s CLEANUP(scope_fini) = {0};
    struct expr_env env = {.scope = &s, .clock = run_clock(r)};
    struct val_builder b;
    bool ok = true;
    scope_init(&s, &r->globals);
    for (uint32_t i = 0; i < labels->n; i++)
        scope_set(&s, str_fmt(a, "workflow.labels.%.*s", STR_ARG(labels->map[i].key)), text_of(a, &labels->map[i].v));
    map_begin(&b, a);
    for (uint32_t i = 0; ok && from && from->kind == VAL_MAP && i < from->n; i++) {
        struct val v;
        ok = computed(a, &env, &from->map[i], &v, e);
        if (ok) map_add(&b, from->map[i].key, v);
    }
    struct val all = map_done(&b);
    *labels = map_with_all(a, labels, &all);
    return ok;
}

bool run_metadata(struct arena *a, struct run *r, struct val *out, struct err *e)
{
    const struct val *md = val_get(r->spec, STR("workflowMetadata"));
    const struct val *meta = val_get(r->opts.workflow, STR("metadata"));
    const struct val *had = val_get(meta, STR("labels")), *notes = val_get(meta, STR("annotations"));
    struct val labels = had ? *had : (struct val){.kind = VAL_MAP};
    struct val annotations = notes ? *notes : (struct val){.kind = VAL_MAP};
    *out = *meta;
    if (!md) return true;
    if (!add_all(r, a, &labels, val_get(md, STR("labels")), true, e) ||
        !add_all(r, a, &annotations, val_get(md, STR("annotations")), false, e) ||
        !add_computed(r, a, &labels, val_get(md, STR("labelsFrom")), e))
        return false;
    if (labels.n) *out = map_with(a, out, STR("labels"), labels);
    if (annotations.n) *out = map_with(a, out, STR("annotations"), annotations);
    return true;
}
