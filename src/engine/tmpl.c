/* Templates: finding them by reference and compiling steps and dag templates into calls. */
#include "doc/val.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "spec/merge.h"

struct type_row {
    const char *field;
    enum tmpl_type type;
};

/* In the order in which Argo looks (types.go GetType). */
static const struct type_row type_rows[] = {
    {"container", TMPL_CONTAINER}, {"containerSet", TMPL_CONTAINERSET}, {"steps", TMPL_STEPS},
    {"dag", TMPL_DAG},             {"script", TMPL_SCRIPT},             {"resource", TMPL_RESOURCE},
    {"data", TMPL_DATA},           {"suspend", TMPL_SUSPEND},           {"http", TMPL_HTTP},
    {"plugin", TMPL_PLUGIN},
};

static enum tmpl_type type_of(const struct val *src)
{
    for (size_t i = 0; i < ARRAY_LEN(type_rows); i++)
        if (val_get(src, str_of(type_rows[i].field))) return type_rows[i].type;
    return TMPL_NONE;
}

bool tmpl_is_pod(const struct tmpl *t)
{
    return t->type == TMPL_CONTAINER || t->type == TMPL_SCRIPT || t->type == TMPL_CONTAINERSET ||
           t->type == TMPL_RESOURCE || t->type == TMPL_DATA;
}

/* ---- which calls have their result read ---- */

/* The step or task named just before `end` in text: "steps.NAME" or "steps['NAME']". */
static struct str name_before(struct str text, size_t end)
{
    size_t to = end;
    bool bracket = to >= 2 && text.p[to - 1] == ']';
    if (bracket) to -= 2;
    size_t from = to;
    while (from && is_name_char(text.p[from - 1])) from--;
    return str_sub(text, from, to - from);
}

static void mark_results(struct tmpl *t, struct str text)
{
    static const struct str marks[] = {{".outputs.result", 15}, {".outputs['result']", 18}};
    for (size_t m = 0; m < ARRAY_LEN(marks); m++)
        for (ptrdiff_t at = 0; (at = str_find(text, marks[m], (size_t)at)) >= 0; at++) {
            struct map_slot *s = map_get(&t->call_by_name, name_before(text, (size_t)at));
            if (s) t->calls[s->num].captures_result = true;
        }
}

static void mark_results_val(struct tmpl *t, const struct val *v)
{
    if (v->kind == VAL_STR) mark_results(t, v->s);
    if (v->kind == VAL_LIST)
        for (uint32_t i = 0; i < v->n; i++) mark_results_val(t, &v->items[i]);
    if (v->kind == VAL_MAP)
        for (uint32_t i = 0; i < v->n; i++) mark_results_val(t, &v->map[i].v);
}

/* ---- compiling ---- */

static bool call_init(struct tmpl *t, struct call *c, const struct val *src, uint32_t group,
                      struct err *e)
{
    *c = (struct call){.name = val_get_str(src, "name"), .src = src, .group = group};
    c->idx = (uint32_t)(c - t->calls);
    c->loops = val_get(src, STR("withItems")) || val_get_str(src, "withParam").n ||
               val_get(src, STR("withSequence"));
    c->has_tags = tags_present_val(src);
    if (!c->name.n)
        return err_set(e, ERR_SPEC, "template '%.*s': a step or task has no name", STR_ARG(t->name));
    bool fresh;
    map_put(&t->call_by_name, c->name, &fresh)->num = c->idx;
    if (fresh) return true;
    return err_set(e, ERR_SPEC, "template '%.*s': name '%.*s' is not unique", STR_ARG(t->name),
                   STR_ARG(c->name));
}

static bool compile_steps(struct run *r, struct tmpl *t, struct err *e)
{
    const struct val *groups = val_get(t->src, STR("steps"));
    if (groups->kind != VAL_LIST) return err_set(e, ERR_SPEC, "steps must be a list of lists");
    t->n_groups = groups->n;
    for (uint32_t g = 0; g < groups->n; g++)
        t->n_calls += groups->items[g].kind == VAL_LIST ? groups->items[g].n : 1;
    t->calls = ARENA_ARRAY(&r->arena, struct call, t->n_calls);
    map_reserve(&t->call_by_name, t->n_calls);
    uint32_t at = 0;
    for (uint32_t g = 0; g < groups->n; g++) {
        const struct val *group = &groups->items[g];
        uint32_t n = group->kind == VAL_LIST ? group->n : 1;
        for (uint32_t i = 0; i < n; i++) {
            const struct val *src = group->kind == VAL_LIST ? &group->items[i] : group;
            if (!call_init(t, &t->calls[at++], src, g, e)) return false;
        }
    }
    return true;
}

static bool task_logic(struct run *r, struct tmpl *t, struct call *c, struct err *e)
{
    struct str depends = val_get_str(c->src, "depends");
    const struct val *list = val_get(c->src, STR("dependencies"));
    if (depends.n) return depends_parse(&r->arena, depends, &c->logic, e);
    if (!list || !list->n) return true;
    struct depends_item *items = ARENA_ARRAY(&r->scratch, struct depends_item, list->n);
    for (uint32_t i = 0; i < list->n; i++) {
        items[i].name = val_text(&list->items[i]);
        struct map_slot *s = map_get(&t->call_by_name, items[i].name);
        const struct val *on = s ? val_get(t->calls[s->num].src, STR("continueOn")) : NULL;
        const struct val *error = val_get(on, STR("error")), *failed = val_get(on, STR("failed"));
        items[i].continue_on_error = error && error->kind == VAL_BOOL && error->b;
        items[i].continue_on_failed = failed && failed->kind == VAL_BOOL && failed->b;
    }
    c->logic = depends_from_list(&r->arena, items, list->n);
    return true;
}

static bool task_inputs(struct run *r, struct tmpl *t, struct call *c, struct err *e)
{
    if (!c->logic) return true;
    c->in = ARENA_ARRAY(&r->arena, uint32_t, c->logic->n_names);
    for (size_t i = 0; i < c->logic->n_names; i++) {
        struct str name = c->logic->names[i].name;
        struct map_slot *s = map_get(&t->call_by_name, name);
        if (!s)
            return err_set(e, ERR_SPEC, "task '%.*s': dependency '%.*s' not defined",
                           STR_ARG(c->name), STR_ARG(name));
        c->in[c->n_in++] = (uint32_t)s->num;
        t->calls[s->num].n_out++;
    }
    return true;
}

/* Kahn's algorithm: whatever cannot be taken away stands on a cycle. */
static bool no_cycles(struct run *r, const struct tmpl *t, struct err *e)
{
    uint32_t *left = ARENA_ARRAY(&r->scratch, uint32_t, t->n_calls + 1);
    uint32_t *queue = ARENA_ARRAY(&r->scratch, uint32_t, t->n_calls + 1);
    uint32_t head = 0, tail = 0;
    for (uint32_t i = 0; i < t->n_calls; i++)
        if (!(left[i] = t->calls[i].n_in)) queue[tail++] = i;
    while (head < tail) {
        const struct call *c = &t->calls[queue[head++]];
        for (uint32_t i = 0; i < c->n_out; i++)
            if (!--left[c->out[i]]) queue[tail++] = c->out[i];
    }
    if (tail == t->n_calls) return true;
    for (uint32_t i = 0;; i++)
        if (left[i])
            return err_set(e, ERR_SPEC, "task '%.*s' stands on a dependency cycle",
                           STR_ARG(t->calls[i].name));
}

static bool compile_dag(struct run *r, struct tmpl *t, struct err *e)
{
    const struct val *tasks = val_path(t->src, "dag.tasks");
    if (!tasks || tasks->kind != VAL_LIST) return err_set(e, ERR_SPEC, "dag.tasks must be a list");
    t->n_calls = tasks->n;
    t->calls = ARENA_ARRAY(&r->arena, struct call, t->n_calls);
    map_reserve(&t->call_by_name, t->n_calls);
    for (uint32_t i = 0; i < tasks->n; i++)
        if (!call_init(t, &t->calls[i], &tasks->items[i], 0, e)) return false;
    for (uint32_t i = 0; i < t->n_calls; i++)
        if (!task_logic(r, t, &t->calls[i], e) || !task_inputs(r, t, &t->calls[i], e)) return false;
    for (uint32_t i = 0; i < t->n_calls; i++) {
        struct call *c = &t->calls[i];
        c->is_target = !c->n_out;
        c->out = ARENA_ARRAY(&r->arena, uint32_t, c->n_out);
        c->n_out = 0;
    }
    for (uint32_t i = 0; i < t->n_calls; i++)
        for (uint32_t k = 0; k < t->calls[i].n_in; k++) {
            struct call *dep = &t->calls[t->calls[i].in[k]];
            dep->out[dep->n_out++] = i;
        }
    return no_cycles(r, t, e);
}

static bool compile(struct run *r, struct tmpl *t, struct err *e)
{
    if (t->type == TMPL_NONE)
        return err_set(e, ERR_SPEC, "template '%.*s' has no type: choose one of container, script, "
                                    "steps, dag, suspend, …", STR_ARG(t->name));
    if (t->type == TMPL_STEPS && !compile_steps(r, t, e)) return false;
    if (t->type == TMPL_DAG && !compile_dag(r, t, e)) return false;
    if (t->type == TMPL_DAG) t->ancestry = ancestry_new(&r->arena);
    if (t->n_calls) mark_results_val(t, t->src);
    return !t->n_calls || lifecycle_compile(r, t, e);
}

/* Once; what is wrong is said to everybody who asks. */
static bool tmpl_compile(struct run *r, struct tmpl *t, struct err *e)
{
    struct err why;
    if (!t->compiled && !compile(r, t, &why)) {
        t->fault = ARENA_NEW(&r->arena, struct err);
        *t->fault = why;
    }
    t->compiled = true;
    if (t->fault && e) *e = *t->fault;
    return !t->fault;
}

/* ---- finding ---- */

/* The running workflow's templateDefaults lie below every template that it executes, also below inline
 * ones and those of other documents (operator.go mergedTemplateDefaultsInto). */
static const struct val *with_defaults(struct run *r, const struct val *src)
{
    const struct val *defaults = val_get(r->spec, STR("templateDefaults"));
    if (!defaults || defaults->kind != VAL_MAP || src->kind != VAL_MAP) return src;
    struct val *merged = ARENA_NEW(&r->arena, struct val);
    *merged = merge_template_defaults(&r->arena, defaults, src);
    return merged;
}

static struct tmpl *tmpl_add(struct run *r, struct tmpl_scope *scope, struct str key,
                             struct str name, const struct val *src)
{
    struct tmpl *t = ARENA_NEW(&r->arena, struct tmpl);
    t->name = name.p ? name : STR("");
    t->key = key;
    t->src = src = with_defaults(r, src);
    t->scope = scope;
    t->type = type_of(src);
    t->has_tags = tags_present_val(src);
    t->retry = val_get(src, STR("retryStrategy"));
    if (!t->retry) t->retry = val_get(r->spec, STR("retryStrategy"));
    VEC_PUSH(&r->tmpls, t);
    map_set_ptr(&r->tmpl_by_key, key, t);
    return t;
}

const struct tmpl *tmpl_by_name(struct run *r, struct tmpl_scope *s, struct str name)
{
    struct tmpl *t = map_ptr(&s->by_name, name);
    if (t || !s->templates) return t;
    for (uint32_t i = 0; i < s->templates->n; i++) {
        const struct val *src = &s->templates->items[i];
        struct str own = val_get_str(src, "name");
        if (!own.p || map_get(&s->by_name, own)) continue;
        struct str key = str_fmt(&r->arena, "%.*s/%.*s", STR_ARG(s->key), STR_ARG(own));
        map_set_ptr(&s->by_name, own, tmpl_add(r, s, key, own, src));
    }
    s->templates = NULL; /* all are in the map now */
    return map_ptr(&s->by_name, name);
}

static struct tmpl_scope *scope_of_ref(struct run *r, struct str name, bool cluster, struct err *e)
{
    struct str key = str_fmt(&r->arena, "%s/%.*s", cluster ? "cluster" : "namespaced", STR_ARG(name));
    for (size_t i = 0; i < r->scopes.n; i++)
        if (str_eq(r->scopes.items[i]->key, key)) return r->scopes.items[i];
    const char *kind = cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
    const struct val *doc =
        r->opts.lookup
            ? r->opts.lookup(r->opts.lookup_ctx, str_of(kind), cluster ? STR("") : r->ns, name)
            : NULL;
    if (!doc) {
        err_set(e, ERR_SPEC, "%s '%.*s' not found", kind, STR_ARG(name));
        return NULL;
    }
    struct tmpl_scope *s = ARENA_NEW(&r->arena, struct tmpl_scope);
    s->key = key;
    s->templates = val_path(doc, "spec.templates");
    VEC_PUSH(&r->scopes, s);
    return s;
}

static const struct tmpl *resolve_ref(struct run *r, const struct val *ref, struct err *e)
{
    struct str wft = val_get_str(ref, "name"), name = val_get_str(ref, "template");
    const struct val *cluster = val_get(ref, STR("clusterScope"));
    bool is_cluster = cluster && cluster->kind == VAL_BOOL && cluster->b;
    struct tmpl_scope *s = scope_of_ref(r, wft, is_cluster, e);
    if (!s) return NULL;
    const struct tmpl *t = tmpl_by_name(r, s, name);
    if (!t)
        err_set(e, ERR_SPEC, "template '%.*s' not found in '%.*s'", STR_ARG(name), STR_ARG(wft));
    return t;
}

static const struct tmpl *resolve_inline(struct run *r, struct tmpl_scope *scope,
                                         const struct tmpl *caller, const struct call *call,
                                         const struct val *inl)
{
    struct str key = str_fmt(&r->arena, "%.*s#%.*s", STR_ARG(caller->key), STR_ARG(call->name));
    struct tmpl *t = map_ptr(&r->tmpl_by_key, key);
    return t ? t : tmpl_add(r, scope, key, STR(""), inl);
}

bool tmpl_resolve(struct run *r, struct tmpl_scope *scope, const struct tmpl *caller,
                  const struct call *call, const struct val *holder, const struct tmpl **out,
                  struct err *e)
{
    const struct val *inl = call ? val_get(call->src, STR("inline")) : NULL;
    const struct val *ref = val_get(holder, STR("templateRef"));
    struct str name = val_get_str(holder, "template");
    const struct tmpl *t;
    if (inl) t = resolve_inline(r, scope, caller, call, inl);
    else if (ref) t = resolve_ref(r, ref, e);
    else if (!(t = tmpl_by_name(r, scope, name)))
        err_set(e, ERR_SPEC, "template '%.*s' not found", STR_ARG(name));
    if (!t || !tmpl_compile(r, (struct tmpl *)t, e)) return false;
    *out = t;
    return true;
}

/* After a restart: the template of a stored key. */
struct tmpl *tmpl_by_key(struct run *r, struct str key)
{
    struct tmpl *t = map_ptr(&r->tmpl_by_key, key);
    if (t) return tmpl_compile(r, t, NULL) ? t : NULL;
    ptrdiff_t hash = -1;
    for (ptrdiff_t at = 0; (at = str_find_char(key, '#', (size_t)at)) >= 0; at++) hash = at;
    if (hash >= 0) {
        struct tmpl *caller = tmpl_by_key(r, str_sub(key, 0, (size_t)hash));
        struct map_slot *s =
            caller ? map_get(&caller->call_by_name, str_from(key, (size_t)hash + 1)) : NULL;
        const struct val *inl = s ? val_get(caller->calls[s->num].src, STR("inline")) : NULL;
        if (!inl) return NULL;
        t = (struct tmpl *)resolve_inline(r, caller->scope, caller, &caller->calls[s->num], inl);
        return tmpl_compile(r, t, NULL) ? t : NULL;
    }
    struct str kind, rest, wft, name;
    if (!str_cut(key, '/', &kind, &rest)) return NULL;
    struct tmpl_scope *scope = r->local;
    name = rest;
    if (!str_is(kind, "local")) {
        if (!str_cut(rest, '/', &wft, &name)) return NULL;
        scope = scope_of_ref(r, wft, str_is(kind, "cluster"), NULL);
    }
    t = scope ? (struct tmpl *)tmpl_by_name(r, scope, name) : NULL;
    return t && tmpl_compile(r, t, NULL) ? t : NULL;
}
