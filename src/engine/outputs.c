/* Outputs: of a finished step, of a steps or dag template, of a loop as a whole, and global ones. */
#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

/* ---- of a step ---- */

static struct step_outcome_param reported(const struct step_outcome *how, struct str name)
{
    for (size_t i = 0; i < how->n_params; i++)
        if (str_eq(how->params[i].name, name)) return how->params[i];
    return (struct step_outcome_param){name};
}

static bool step_params(struct run *r, const struct val *declared, const struct step_outcome *how,
                        struct val *out, struct err *e)
{
    struct val_builder b;
    bool ok = true;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; declared && i < declared->n; i++) {
        const struct val *p = &declared->items[i];
        struct step_outcome_param told = reported(how, val_get_str(p, "name"));
        struct str name = told.name, value = told.value;
        const struct val *fallback = val_path(p, "valueFrom.default");
        if (!value.p && fallback) value = text_of(&r->scratch, fallback);
        if (!value.p) value = text_of(&r->scratch, val_get(p, STR("value")));
        if (value.p) {
            list_add(&b, map_with(&r->scratch, p, STR("value"), val_of_str(value)));
            continue;
        }
        struct str path = val_text(val_path(p, "valueFrom.path"));
        if (ok) err_set(e, ERR_SPEC, "output parameter '%.*s': file '%.*s'%s%.*s", STR_ARG(name), STR_ARG(path),
                        told.error.n ? ": " : " does not exist", STR_ARG(told.error));
        ok = false;
    }
    *out = list_done(&b);
    return ok;
}

/* What could be had is kept even when something is missing (*out is set in both cases). */
bool outputs_of_step(struct run *r, struct node *n, const struct step_outcome *how,
                     struct str *out, struct err *e)
{
    const struct val *tmpl, *declared;
    struct val params = {.kind = VAL_LIST}, outputs;
    struct val_builder b;
    *out = STR_NONE;
    if (!pod_template(r, n, &tmpl, e)) return false;
    declared = val_path(tmpl, "outputs.parameters");
    bool ok = step_params(r, declared, how, &params, e);
    map_begin(&b, &r->scratch);
    if (params.n) map_add(&b, STR("parameters"), params);
    if (how->artifacts && how->artifacts->n) map_add(&b, STR("artifacts"), *how->artifacts);
    map_add_str(&b, "result", how->result);
    if (how->exit_code != STEP_NO_EXIT_CODE)
        map_add_str(&b, "exitCode", str_fmt(&r->scratch, "%d", how->exit_code));
    outputs = map_done(&b);
    struct err large;
    struct err *why = ok ? e : &large; /* the first fault is told */
    if (outputs.n && !json_kept(&r->arena, &outputs, "the outputs", out, why)) return false;
    return ok;
}

/* ---- of a steps or dag template ---- */

struct collecting {
    struct run *r;
    struct node *n;
    struct scope refs, arts; /* steps.* and tasks.* over globals; the same over inputs */
};

static bool param_text(struct collecting *x, const struct val *from, struct str *out, struct err *e)
{
    struct run *r = x->r;
    struct tags_opts inputs = {.scope = &x->n->body->inputs, .policy = TAGS_LEAVE,
                               .clock = run_clock(r)};
    struct tags_opts refs = {.scope = &x->refs, .policy = TAGS_FAIL, .clock = run_clock(r)};
    struct str expr = val_get_str(from, "expression"), text = val_get_str(from, "parameter");
    if (expr.n) {
        struct expr_env env = {.scope = &x->arts, .clock = run_clock(r)};
        struct val v;
        if (!expr_eval(&r->scratch, expr, &env, &v, e)) return false;
        if (v.kind == VAL_NULL)
            return err_set(e, ERR_SPEC, "expression '%.*s' evaluated to nil", STR_ARG(expr));
        *out = v.kind == VAL_LIST || v.kind == VAL_MAP ? json_text(&r->scratch, &v)
                                                       : text_of(&r->scratch, &v);
        return true;
    }
    if (!tags_replace(&r->scratch, text, &inputs, &text, e)) return false;
    if (tags_replace(&r->scratch, text, &refs, out, e)) return true;
    return err_set(e, ERR_SPEC, "Unable to resolve: %.*s", STR_ARG(text)); /* Argo's words (scope.go) */
}

/* The name under which the workflow shows it may itself be made of inputs. */
static bool global_named(struct collecting *x, struct val *v, struct err *e)
{
    struct str name = val_get_str(v, "globalName");
    struct tags_opts inputs = {.scope = &x->n->body->inputs, .policy = TAGS_LEAVE, .clock = run_clock(x->r)};
    if (!tags_present(name)) return true;
    if (!tags_replace(&x->r->scratch, name, &inputs, &name, e)) return false;
    *v = map_with(&x->r->scratch, v, STR("globalName"), val_of_str(name));
    return true;
}

static bool collect_param(struct collecting *x, const struct val *p, struct val *out, struct err *e)
{
    struct run *r = x->r;
    const struct val *from = val_get(p, STR("valueFrom"));
    const struct val *fallback = val_get(from, STR("default"));
    struct str value = text_of(&r->scratch, val_get(p, STR("value")));
    if (from && !param_text(x, from, &value, e)) {
        if (!fallback) return false;
        value = text_of(&r->scratch, fallback);
    }
    *out = map_with(&r->scratch, p, STR("value"), val_of_str(value.p ? value : STR("")));
    return global_named(x, out, e);
}

static bool collect_params(struct collecting *x, const struct val *declared, struct val *out,
                           struct err *e)
{
    struct val_builder b;
    bool ok = true;
    list_begin(&b, &x->r->scratch);
    for (uint32_t i = 0; ok && declared && i < declared->n; i++) {
        struct val v;
        if ((ok = collect_param(x, &declared->items[i], &v, e))) list_add(&b, v);
    }
    *out = list_done(&b);
    return ok;
}

static bool collect_artifacts(struct collecting *x, const struct val *declared, struct val *out,
                              struct err *e)
{
    struct val_builder b;
    bool ok = true;
    list_begin(&b, &x->r->scratch);
    for (uint32_t i = 0; ok && declared && i < declared->n; i++) {
        struct val v;
        bool found;
        ok = artifact_resolve(x->r, &x->arts, &declared->items[i], &v, &found, e);
        const struct val *global = val_get(&declared->items[i], STR("globalName"));
        if (ok && found && global) v = map_with(&x->r->scratch, &v, STR("globalName"), *global);
        if (ok && found) ok = global_named(x, &v, e);
        if (ok && found) list_add(&b, v);
    }
    *out = list_done(&b);
    return ok;
}

bool outputs_collect(struct run *r, struct node *n, struct err *e)
{
    const struct val *declared = val_get(n->tmpl->src, STR("outputs"));
    if (!declared) return true;
    struct collecting x = {.r = r, .n = n};
    struct val params, artifacts;
    scope_init(&x.refs, &r->globals);
    scope_init(&x.arts, &n->body->inputs);
    refs_scope(r, &x.refs, n);
    refs_scope(r, &x.arts, n);
    bool ok = collect_params(&x, val_get(declared, STR("parameters")), &params, e) &&
              collect_artifacts(&x, val_get(declared, STR("artifacts")), &artifacts, e);
    scope_fini(&x.refs);
    scope_fini(&x.arts);
    if (!ok) return false;
    struct val_builder b;
    map_begin(&b, &r->scratch);
    if (params.n) map_add(&b, STR("parameters"), params);
    if (artifacts.n) map_add(&b, STR("artifacts"), artifacts);
    struct val outputs = map_done(&b);
    if (outputs.n && !json_kept(&r->arena, &outputs, "the outputs", &n->outputs, e)) return false;
    node_touch(r, n);
    return true;
}

/* ---- of a loop as a whole (operator.go processAggregateNodeOutputs) ---- */

/* A result must itself be JSON; a text that is none makes the reference fail. */
static bool aggregate_results(struct run *r, const struct group_frame *g, struct buf *b)
{
    bool first = true;
    buf_char(b, '[');
    for (uint32_t i = 0; i < g->n_items; i++) {
        const struct node *n = g->items[i];
        struct val v;
        if (!n || n->phase != NODE_SUCCEEDED || !n->outputs.n) continue;
        const struct val *result = val_get(node_outputs_val(&r->scratch, n), STR("result"));
        if (!result) continue;
        if (!json_parse(&r->scratch, val_text(result), NULL, &v, NULL)) return false;
        if (!first) buf_char(b, ',');
        buf_str(b, val_text(result));
        first = false;
    }
    buf_char(b, ']');
    return true;
}

static void params_object(struct run *r, const struct val *params, struct val *out)
{
    struct val_builder b;
    map_begin(&b, &r->scratch);
    for (uint32_t i = 0; params && i < params->n; i++)
        map_add_str(&b, str_z(&r->scratch, val_get_str(&params->items[i], "name")),
                    text_of(&r->scratch, val_get(&params->items[i], STR("value"))));
    *out = map_done(&b);
}

/* `name` absent: objects of all parameters; else a list of that parameter's values, which stays a
 * list of strings unless every one of them is a JSON object or list. */
static struct val aggregate_params(struct run *r, const struct group_frame *g, struct str name)
{
    struct val_builder texts, trees;
    bool all_trees = true;
    list_begin(&texts, &r->scratch);
    list_begin(&trees, &r->scratch);
    for (uint32_t i = 0; i < g->n_items; i++) {
        const struct node *n = g->items[i];
        struct val v;
        if (!n || n->phase != NODE_SUCCEEDED || !n->outputs.n) continue;
        const struct val *params = val_get(node_outputs_val(&r->scratch, n), STR("parameters"));
        if (!name.p) {
            params_object(r, params, &v);
            list_add(&texts, v);
            continue;
        }
        const struct val *value = val_get(named(params, name), STR("value"));
        if (!value) continue;
        struct str text = text_of(&r->scratch, value);
        list_add(&texts, val_of_str(text));
        bool tree = json_parse(&r->scratch, text, NULL, &v, NULL) &&
                    (v.kind == VAL_LIST || v.kind == VAL_MAP);
        all_trees = all_trees && tree;
        if (tree) list_add(&trees, v);
    }
    struct val strings = list_done(&texts), nested = list_done(&trees);
    return name.p && all_trees && nested.n ? nested : strings;
}

/* False: a result that a fan-in would need is no JSON; *which is its node. */
bool loop_results_valid(struct run *r, const struct group_frame *g, const struct node **which)
{
    for (uint32_t i = 0; i < g->n_items; i++) {
        const struct node *n = g->items[i];
        struct val v;
        if (!n || n->phase != NODE_SUCCEEDED || str_find(n->outputs, STR("\"result\""), 0) < 0) continue;
        const struct val *result = val_get(node_outputs_val(&r->scratch, n), STR("result"));
        *which = n;
        if (result && !json_parse(&r->scratch, val_text(result), NULL, &v, NULL)) return false;
    }
    return true;
}

bool loop_aggregate(struct run *r, const struct group_frame *g, struct str what,
                    struct scope_value *out)
{
    *out = (struct scope_value){.kind = SCOPE_STR};
    if (str_is(what, "outputs.result")) {
        struct buf b;
        buf_init(&b, LIMIT_NODE_BYTES);
        bool ok = aggregate_results(r, g, &b) && !b.overflow;
        if (ok) out->str = buf_dup(&r->scratch, &b);
        buf_fini(&b);
        return ok;
    }
    struct str one = STR("outputs.parameters.");
    bool all = str_is(what, "outputs.parameters");
    if (!all && !str_starts(what, one)) return false;
    struct val v = aggregate_params(r, g, all ? STR_NONE : str_from(what, one.n));
    out->str = json_text(&r->scratch, &v);
    return true;
}

/* ---- global ones ---- */

void global_put(struct run *r, bool artifact, struct str name, const struct val *v)
{
    struct val_pair p = {.key = str_dup(&r->arena, name), .v = val_copy(&r->arena, v)};
    struct str key = str_fmt(&r->arena, "workflow.outputs.%s.%.*s",
                             artifact ? "artifacts" : "parameters", STR_ARG(name));
    const struct val *value = val_get(&p.v, STR("value"));
    struct val *kept = ARENA_NEW(&r->arena, struct val);
    *kept = p.v;
    if (artifact) scope_set_val(&r->globals, key, kept);
    else scope_set(&r->globals, key, text_of(&r->arena, value));
    struct val_pair *items = artifact ? r->artifacts_out.items : r->globals_out.items;
    size_t n = artifact ? r->artifacts_out.n : r->globals_out.n;
    r->dirty = true;
    for (size_t i = 0; i < n; i++)
        if (str_eq(items[i].key, p.key)) {
            items[i] = p;
            return;
        }
    if (artifact) VEC_PUSH(&r->artifacts_out, p);
    else VEC_PUSH(&r->globals_out, p);
}

/* Last writer wins. */
void outputs_globalize(struct run *r, const struct node *n)
{
    static const char *const kinds[] = {"parameters", "artifacts"};
    if (str_find(n->outputs, STR("\"globalName\""), 0) < 0) return;
    const struct val *o = node_outputs_val(&r->scratch, n);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct val *list = val_get(o, str_of(kinds[k]));
        for (uint32_t i = 0; list && i < list->n; i++) {
            struct str name = val_get_str(&list->items[i], "globalName");
            struct val_builder b;
            if (!name.n) continue;
            map_begin(&b, &r->scratch);
            map_add_str(&b, "name", name);
            const struct val *item = &list->items[i];
            for (uint32_t m = 0; m < item->n; m++)
                if (!str_is(item->map[m].key, "name") && !str_is(item->map[m].key, "globalName") &&
                    !str_is(item->map[m].key, "valueFrom"))
                    map_add(&b, item->map[m].key, item->map[m].v);
            struct val v = map_done(&b);
            global_put(r, k == 1, name, &v);
        }
    }
}
