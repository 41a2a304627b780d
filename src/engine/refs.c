/* References between steps: what "{{steps.a.outputs.result}}" and its kin mean, and a step or task
 * with all of them filled in. Values are looked up when they are mentioned, never gathered. */
#include "base/rfc3339.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

struct refs {
    struct run *r;
    struct node *boundary;
    const struct node *self; /* whose hook asks; NULL: no hook */
    const struct call *caller; /* the task that asks; NULL: whatever is in the dag may be meant */
    bool own;                /* a hook of it asks, which may refer to the task itself */
};

static bool comes_before(struct run *r, const struct tmpl *t, uint32_t idx, const struct call *c)
{
    for (uint32_t i = 0; i < c->n_in; i++)
        if (c->in[i] == idx) return true;
    return ancestry_has(r, t, idx, c->idx);
}

static bool give(struct scope_value *out, struct str s)
{
    *out = (struct scope_value){.kind = SCOPE_STR, .str = s};
    return true;
}

const struct val *node_outputs_val(struct arena *a, const struct node *n)
{
    struct val *v = ARENA_NEW(a, struct val);
    *v = parsed(a, n->outputs);
    return v;
}

/* A declared output of a node that was not executed: its producer's default, else nil. */
static bool give_absent(struct run *r, const struct node *n, struct str rest,
                        struct scope_value *out)
{
    const struct tmpl *t = n->tmpl;
    if (str_is(rest, "outputs.result") || str_is(rest, "exitCode"))
        return *out = (struct scope_value){.kind = SCOPE_NIL}, true;
    if (!t) return false;
    struct str param = STR("outputs.parameters."), art = STR("outputs.artifacts.");
    if (str_starts(rest, param)) {
        const struct val *p = named(val_path(t->src, "outputs.parameters"), str_from(rest, param.n));
        const struct val *fallback = val_path(p, "valueFrom.default");
        if (fallback) return give(out, text_of(&r->scratch, fallback));
        if (p) return *out = (struct scope_value){.kind = SCOPE_NIL}, true;
    }
    if (str_starts(rest, art) &&
        named(val_path(t->src, "outputs.artifacts"), str_from(rest, art.n)))
        return *out = (struct scope_value){.kind = SCOPE_NIL}, true;
    return false;
}

static bool give_output(struct run *r, const struct node *n, struct str rest,
                        struct scope_value *out)
{
    const struct val *o = node_outputs_val(&r->scratch, n);
    if (str_is(rest, "outputs.result")) {
        const struct val *v = val_get(o, STR("result"));
        return v && give(out, val_text(v));
    }
    const struct val *params = val_get(o, STR("parameters"));
    if (str_is(rest, "outputs.parameters"))
        return params && give(out, json_text(&r->scratch, params));
    struct str param = STR("outputs.parameters."), art = STR("outputs.artifacts.");
    if (str_starts(rest, param)) {
        const struct val *v = val_get(named(params, str_from(rest, param.n)), STR("value"));
        return v && give(out, text_of(&r->scratch, v));
    }
    if (!str_starts(rest, art)) return false;
    const struct val *v = named(val_get(o, STR("artifacts")), str_from(rest, art.n));
    *out = (struct scope_value){.kind = SCOPE_VAL, .val = v};
    return v != NULL;
}

static bool give_node(struct run *r, const struct node *n, struct str rest, struct scope_value *out)
{
    struct arena *a = &r->scratch;
    if (str_is(rest, "id")) return give(out, node_id_text(a, r, n));
    if (str_is(rest, "name")) return give(out, n->name);
    if (str_is(rest, "status")) return give(out, str_of(phase_text(n->phase)));
    if (str_is(rest, "startedAt")) return give(out, rfc3339(a, n->started_us));
    if (str_is(rest, "finishedAt")) return give(out, rfc3339(a, n->finished_us));
    if (str_is(rest, "ip")) return give(out, node_address(n));
    if (str_is(rest, "hostNodeName")) return give(out, STR("localhost"));
    bool executed = (n->phase != NODE_SKIPPED && n->phase != NODE_OMITTED) || n->outputs.n; /* memoized */
    if (!executed) return give_absent(r, n, rest, out);
    if (str_is(rest, "exitCode")) {
        const struct val *v = val_get(node_outputs_val(a, n), STR("exitCode"));
        return v && give(out, val_text(v));
    }
    return give_output(r, n, rest, out);
}

static bool gives_status(const struct refs *refs, const struct node *n, struct str key, struct scope_value *out)
{
    const char *kind = refs->boundary->type == NTYPE_DAG ? "tasks" : "steps";
    struct str name = node_name_within(n->name, n->boundary);
    struct str own = str_fmt(&refs->r->scratch, "%s.%.*s.status", kind, STR_ARG(name));
    return str_eq(key, own) && give(out, str_of(phase_text(n->phase)));
}

/* A hook sees the status of its own node (a looping step by its full name) and, in steps, of those
 * before it in its group; of nothing else that may still be at work. */
static bool hook_lookup(const struct refs *refs, struct str key, struct scope_value *out)
{
    const struct node *self = refs->self;
    if (gives_status(refs, self, key, out)) return true;
    ptrdiff_t open = str_find_char(key, '(', 0), colon = str_find_char(key, ':', 0), dot = str_find_char(key, '.', 0);
    int64_t idx;
    if (dot < 0 || open < dot || colon < open || !str_to_i64(str_sub(key, (size_t)open + 1, (size_t)(colon - open - 1)), &idx))
        return false;
    const struct body *b = refs->boundary->body;
    struct map_slot *s = map_get(&b->tmpl->call_by_name, str_sub(key, (size_t)dot + 1, (size_t)(open - dot - 1)));
    const struct group_frame *g = s ? b->calls[s->num].loop : NULL;
    bool same = s && b->tmpl->calls[s->num].group == self->call->group;
    if (!same || !g || idx < 0 || idx >= g->n_items || !g->items[idx] || g->items[idx]->idx > self->idx) return false;
    return gives_status(refs, g->items[idx], key, out);
}

static bool hook_may_see(const struct refs *refs, const struct call *c, struct str rest)
{
    const struct call *own = refs->self->call;
    if (refs->boundary->type == NTYPE_DAG) return c != own; /* and comes before it, see may_see */
    if (c->group != own->group) return c->group < own->group;
    return !c->loops && c->idx < own->idx && str_is(rest, "status");
}

/* In a dag only ancestors may be referred to; in steps only earlier groups. A task that comes later
 * or runs beside has not ended for sure, so its values would depend on timing. */
static bool may_see(const struct refs *refs, uint32_t idx, struct str rest)
{
    const struct tmpl *t = refs->boundary->body->tmpl;
    if (refs->self && !hook_may_see(refs, &t->calls[idx], rest)) return false;
    if (!refs->caller || (refs->own && idx == refs->caller->idx)) return true;
    return comes_before(refs->r, t, idx, refs->caller);
}

/* "steps." is there, without a member of its own, when any of them can be referred to: an expression may ask
 * for one that cannot. */
static bool gives_root(const struct refs *refs, struct str kind, struct scope_value *out)
{
    static const struct val empty = {.kind = VAL_MAP};
    const struct body *b = refs->boundary->body;
    bool mine = str_is(kind, refs->boundary->type == NTYPE_DAG ? "tasks" : "steps"), any = false;
    for (uint32_t i = 0; mine && !any && i < b->tmpl->n_calls; i++) any = b->calls[i].node && may_see(refs, i, STR(""));
    *out = (struct scope_value){.kind = SCOPE_VAL, .val = &empty};
    return any;
}

static bool refs_lookup(void *ctx, struct str key, struct scope_value *out)
{
    struct refs *refs = ctx;
    struct str kind, name, rest;
    if (!str_cut(key, '.', &kind, &rest) || !(str_is(kind, "steps") || str_is(kind, "tasks")))
        return false;
    if (!rest.n) return gives_root(refs, kind, out);
    if (refs->self && hook_lookup(refs, key, out)) return true;
    if (!str_cut(rest, '.', &name, &rest)) return false;
    const struct body *b = refs->boundary->body;
    struct map_slot *s = map_get(&b->tmpl->call_by_name, name);
    if (!s || !may_see(refs, (uint32_t)s->num, rest)) return false;
    const struct call_state *c = &b->calls[s->num];
    if (c->loop && (!c->node || c->node->type == NTYPE_TASKGROUP) &&
        loop_aggregate(refs->r, c->loop, rest, out))
        return true;
    return c->node && give_node(refs->r, c->node, rest, out);
}

void refs_scope(struct run *r, struct scope *s, struct node *boundary)
{
    struct refs *refs = ARENA_NEW(&r->scratch, struct refs);
    *refs = (struct refs){.r = r, .boundary = boundary};
    scope_set_lookup(s, refs_lookup, refs);
}

/* What a task may mention: the tasks before it. */
void refs_scope_for(struct run *r, struct scope *s, const struct asker *who)
{
    struct refs *refs = ARENA_NEW(&r->scratch, struct refs);
    bool dag = who->call && who->boundary->type == NTYPE_DAG;
    *refs = (struct refs){.r = r, .boundary = who->boundary, .own = who->hook,
                          .caller = dag ? &who->boundary->body->tmpl->calls[who->call->idx] : NULL};
    scope_set_lookup(s, refs_lookup, refs);
}

void refs_scope_hook(struct run *r, struct scope *s, struct node *n)
{
    struct refs *refs = ARENA_NEW(&r->scratch, struct refs);
    bool dag = n->boundary->type == NTYPE_DAG;
    *refs = (struct refs){.r = r, .boundary = n->boundary, .self = n,
                          .caller = dag ? &n->boundary->body->tmpl->calls[n->call->idx] : NULL};
    scope_set_lookup(s, refs_lookup, refs);
}

/* ---- artifacts given from elsewhere ---- */

static struct val with_sub_path(struct arena *a, struct val art, struct str sub)
{
    const struct val *s3 = val_get(&art, STR("s3"));
    struct str key = val_get_str(s3, "key");
    if (!sub.n || !key.p) return art;
    struct str full = str_fmt(a, "%.*s/%.*s", STR_ARG(key), STR_ARG(sub));
    struct val place = map_with(a, s3, STR("key"), val_of_str(full));
    return map_with(a, &art, STR("s3"), place);
}

/* *found = false: the reference cannot be resolved. */
static bool artifact_source(struct run *r, const struct scope *scope, const struct val *art,
                            struct val *out, bool *found, struct err *e)
{
    struct str from = val_get_str(art, "from"), expr = val_get_str(art, "fromExpression");
    *found = false;
    if (expr.n) {
        struct expr_env env = {.scope = scope, .clock = run_clock(r)};
        if (!expr_eval(&r->scratch, expr, &env, out, e)) return false;
        *found = out->kind == VAL_MAP;
        return true;
    }
    struct scope_value v;
    struct str name = tags_sole_name(from);
    if (!name.p) name = from; /* 3.x also accepts it without braces */
    if (!scope_get(scope, name, &v) || v.kind != SCOPE_VAL) return true;
    *out = *v.val;
    *found = true;
    return true;
}

bool artifact_resolve(struct run *r, const struct scope *scope, const struct val *art,
                      struct val *out, bool *found, struct err *e)
{
    struct str name = val_get_str(art, "name"), sub = val_get_str(art, "subPath");
    *found = true;
    if (!val_get(art, STR("from")) && !val_get(art, STR("fromExpression"))) {
        *out = *art;
        return true;
    }
    if (!artifact_source(r, scope, art, out, found, e)) return false;
    if (!*found) {
        if (val_is_true(art, "optional")) return true;
        struct str from = val_get_str(art, "from");
        return err_set(e, ERR_SPEC, "unable to resolve references: Unable to resolve: %.*s",
                       STR_ARG(from));
    }
    *out = map_with(&r->scratch, out, STR("name"), val_of_str(name));
    *out = with_sub_path(&r->scratch, *out, sub);
    return true;
}

/* ---- a step or task with its references filled in ---- */

struct resolving {
    struct run *r;
    struct tags_opts first, second; /* inputs and globals; then steps and tasks */
    const struct scope *artifacts;
};

static bool both_passes(struct resolving *x, const struct val *in, struct val *out, struct err *e)
{
    if (!tags_replace_val(&x->r->scratch, in, &x->first, out, e)) return false;
    struct val half = *out;
    if (tags_present_val(&half) && !val_eq(&half, in)) { /* Argo replaces globals, then inputs too */
        if (!tags_replace_val(&x->r->scratch, &half, &x->first, out, e)) return false;
        half = *out;
    }
    return tags_replace_val(&x->r->scratch, &half, &x->second, out, e);
}

/* A parameter that is nothing but a reference to an absent output is left to its consumer. */
static bool resolve_param(struct resolving *x, const struct val *p, struct val *out, struct err *e)
{
    enum tags_outcome outcome = TAGS_OK;
    x->second.outcome = &outcome;
    bool ok = both_passes(x, p, out, e);
    x->second.outcome = NULL;
    if (ok || outcome != TAGS_ABSENT) return ok;
    struct val first;
    if (!tags_replace_val(&x->r->scratch, p, &x->first, &first, e)) return false;
    if (!tags_sole_name(val_get_str(&first, "value")).p) return false;
    struct val_builder b;
    map_begin(&b, &x->r->scratch);
    map_add_str(&b, "name", val_get_str(p, "name"));
    map_add(&b, STR(ABSENT_MARK), val_of_bool(true));
    *out = map_done(&b);
    return true;
}

static bool resolve_artifact(struct resolving *x, const struct val *art, struct val_builder *to,
                             struct err *e)
{
    struct val plain, v;
    struct val_builder b;
    bool found;
    map_begin(&b, &x->r->scratch);
    for (uint32_t i = 0; art->kind == VAL_MAP && i < art->n; i++) {
        struct str key = art->map[i].key;
        v = art->map[i].v;
        bool raw = str_is(key, "from") || str_is(key, "fromExpression");
        if (!raw && !both_passes(x, &art->map[i].v, &v, e)) return map_done(&b), false;
        map_add(&b, key, v);
    }
    plain = map_done(&b);
    if (!artifact_resolve(x->r, x->artifacts, &plain, &v, &found, e)) return false;
    if (found) list_add(to, v);
    return true;
}

static bool resolve_list(struct resolving *x, const struct val *list, bool artifacts,
                         struct val *out, struct err *e)
{
    struct val_builder b;
    bool ok = true;
    list_begin(&b, &x->r->scratch);
    for (uint32_t i = 0; ok && list->kind == VAL_LIST && i < list->n; i++) {
        struct val v;
        if (artifacts) ok = resolve_artifact(x, &list->items[i], &b, e);
        else if ((ok = resolve_param(x, &list->items[i], &v, e))) list_add(&b, v);
    }
    *out = list_done(&b);
    return ok;
}

static bool resolve_args(struct resolving *x, const struct val *args, struct val *out,
                         struct err *e)
{
    struct val_builder b;
    bool ok = true;
    map_begin(&b, &x->r->scratch);
    for (uint32_t i = 0; ok && args->kind == VAL_MAP && i < args->n; i++) {
        struct val v;
        ok = resolve_list(x, &args->map[i].v, str_is(args->map[i].key, "artifacts"), &v, e);
        if (ok) map_add(&b, args->map[i].key, v);
    }
    *out = map_done(&b);
    return ok;
}

bool args_resolve(struct run *r, const struct asker *who, const struct val *args,
                  enum tags_policy policy, struct val *out, struct err *e)
{
    struct node *boundary = who->boundary;
    struct scope refs CLEANUP(scope_fini) = {0}, arts CLEANUP(scope_fini) = {0};
    scope_init(&refs, &r->globals);
    scope_init(&arts, boundary ? &boundary->body->inputs : globals_for(r, r->starting_status));
    if (boundary) refs_scope_for(r, &refs, who);
    if (boundary) refs_scope_for(r, &arts, who);
    struct resolving x = {
        .r = r,
        .first = {.scope = arts.parent, .policy = TAGS_LEAVE, .clock = run_clock(r)},
        .second = {.scope = &refs, .policy = policy, .clock = run_clock(r)},
        .artifacts = &arts,
    };
    return resolve_args(&x, args, out, e);
}

/* Members that are looked at later or elsewhere, as they stand. */
static bool is_left_alone(struct str key)
{
    return str_is(key, "hooks") || str_is(key, "onExit") || str_is(key, "inline") ||
           str_is(key, "name") || str_is(key, "arguments") || str_is(key, "when");
}

/* A `when` without item tags is judged before the rest is looked at: a step that is not executed
 * does not resolve its body. */
static bool resolve_when(struct resolving *x, const struct call *c, struct val_builder *b,
                         bool *go, struct err *e)
{
    const struct val *when = val_get(c->src, STR("when"));
    struct val v;
    *go = true;
    if (!when) return true;
    if (!both_passes(x, when, &v, e)) return false;
    map_add(b, STR("when"), v);
    if (v.kind != VAL_STR || (c->loops && tags_present(v.s))) return true; /* an item is missing */
    if (when_decide(x->r, v.s, go, e)) return true;
    *go = true;
    return c->loops;
}

static bool resolve_members(struct resolving *x, const struct call *c, struct val_builder *b,
                            struct err *e)
{
    for (uint32_t i = 0; i < c->src->n; i++) {
        const struct val_pair *p = &c->src->map[i];
        struct val v = p->v;
        bool is_args = str_is(p->key, "arguments");
        if (is_args && !resolve_args(x, &p->v, &v, e)) return false;
        if (!is_left_alone(p->key) && !both_passes(x, &p->v, &v, e)) return false;
        if (!str_is(p->key, "when")) map_add(b, p->key, v);
    }
    return true;
}

/* A step that will not be executed still shows one skipped node for each item that can be told. */
static void resolve_loop_only(struct resolving *x, const struct call *c, struct val_builder *b)
{
    static const char *const keys[] = {"withItems", "withParam", "withSequence"};
    map_add_str(b, "name", c->name);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct val *with = val_get(c->src, str_of(keys[i]));
        struct val v;
        if (with && both_passes(x, with, &v, NULL)) map_add(b, str_of(keys[i]), v);
    }
}

bool call_resolve(struct run *r, struct node *boundary, const struct call *c, struct val *out,
                  struct err *e)
{
    *out = *c->src;
    bool go, ok;
    if (!c->has_tags) return c->loops || when_decide(r, val_get_str(c->src, "when"), &go, e);
    struct scope refs CLEANUP(scope_fini) = {0}, arts CLEANUP(scope_fini) = {0};
    scope_init(&refs, &r->globals);
    scope_init(&arts, &boundary->body->inputs);
    refs_scope_for(r, &refs, &(struct asker){.boundary = boundary, .call = c});
    refs_scope_for(r, &arts, &(struct asker){.boundary = boundary, .call = c});
    struct resolving x = {
        .r = r,
        .first = {.scope = &boundary->body->inputs, .policy = TAGS_LEAVE, .clock = run_clock(r)},
        .second = {.scope = &refs, .policy = TAGS_FAIL_PREFIXES, .clock = run_clock(r)},
        .artifacts = &arts,
    };
    struct val_builder b;
    map_begin(&b, &r->scratch);
    ok = resolve_when(&x, c, &b, &go, e);
    if (ok && go) ok = resolve_members(&x, c, &b, e);
    if (ok && !go) resolve_loop_only(&x, c, &b);
    *out = map_done(&b);
    return ok;
}
