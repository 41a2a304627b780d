/* Life cycle hooks with a name of their own, of steps, tasks and the workflow (hooks.go).
 *
 * Argo evaluates their expressions on each pass; what they may mention changes only with the phase of
 * the node itself, of a step before it in the same group, or of the entry node. So exactly these events
 * look at them. A hook fires once; whoever waits for its node waits for the hook too; how it ends
 * counts for nothing. A step's expression that cannot be evaluated makes its group an Error, a task's
 * the task itself, a workflow's the entry node. */
#include "base/limits.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/expr.h"

static const struct val *hooks_of_workflow(const struct run *r)
{
    const struct val *hooks = val_get(r->spec, STR("hooks"));
    return hooks && hooks->kind == VAL_MAP ? hooks : NULL;
}

const struct val_pair *lifecycle_hook(const struct run *r, const struct node *n, uint8_t hook)
{
    const struct val *hooks = n->boundary ? n->call->hooks : hooks_of_workflow(r);
    ASSERT(hooks && hook >= HOOK_FIRST && (uint32_t)(hook - HOOK_FIRST) < hooks->n);
    return &hooks->map[hook - HOOK_FIRST];
}

/* ---- compiling ---- */

static bool hooks_fit(const struct val *hooks, struct str of, struct err *e)
{
    return hooks->n <= LIMIT_HOOKS ||
           err_set(e, ERR_LIMIT, "'%.*s' has %u hooks; LIMIT_HOOKS is %d", STR_ARG(of), hooks->n, (int)LIMIT_HOOKS);
}

static void watch(struct run *r, struct call *seen, uint32_t by)
{
    for (uint32_t i = 0; i < seen->n_watch; i++)
        if (seen->watch[i] == by) return;
    uint32_t *grown = ARENA_ARRAY(&r->arena, uint32_t, seen->n_watch + 1);
    if (seen->n_watch) memcpy(grown, seen->watch, seen->n_watch * sizeof *grown);
    grown[seen->n_watch++] = by;
    seen->watch = grown;
}

/* Each "steps.NAME" and "steps['NAME']" in the text that is a step before this one in its group. */
static void watch_mentioned(struct run *r, struct tmpl *t, const struct call *c, struct str text)
{
    struct str word = STR("steps");
    for (ptrdiff_t at = 0; (at = str_find(text, word, (size_t)at)) >= 0; at++) {
        size_t from = (size_t)at + word.n;
        while (from < text.n && !is_name_char(text.p[from]) && from < (size_t)at + word.n + 3) from++;
        size_t to = from;
        while (to < text.n && is_name_char(text.p[to])) to++;
        struct map_slot *s = map_get(&t->call_by_name, str_sub(text, from, to - from));
        struct call *seen = s ? &t->calls[s->num] : NULL;
        if (seen && seen->group == c->group && seen->idx < c->idx && !seen->loops) watch(r, seen, c->idx);
    }
}

bool lifecycle_compile(struct run *r, struct tmpl *t, struct err *e)
{
    for (uint32_t i = 0; i < t->n_calls; i++) {
        struct call *c = &t->calls[i];
        const struct val *hooks = val_get(c->src, STR("hooks"));
        if (!hooks || hooks->kind != VAL_MAP) continue;
        if (!hooks_fit(hooks, c->name, e)) return false;
        for (uint32_t h = 0; h < hooks->n; h++) {
            if (str_is(hooks->map[h].key, "exit")) continue;
            c->hooks = hooks;
            if (t->type == TMPL_STEPS) watch_mentioned(r, t, c, val_get_str(&hooks->map[h].v, "expression"));
        }
    }
    return true;
}

/* ---- judging ---- */

static bool required(const struct node *n, const struct val_pair *hook, struct err *e)
{
    if (val_get_str(&hook->v, "expression").n) return true;
    return err_set(e, ERR_SPEC, "Expression required for hook %.*s.hooks.%.*s", STR_ARG(n->name), STR_ARG(hook->key));
}

/* Its text is filled in as any other of its template; then it is evaluated. */
static bool wanted(struct run *r, struct node *n, const struct val_pair *hook, bool *out, struct err *e)
{
    struct scope s CLEANUP(scope_fini) = {0};
    struct val mine = hook->v;
    if (!required(n, hook, e) || !hook_of_item(r, n, &mine, e)) return false;
    const struct scope *base = n->boundary ? &n->boundary->body->inputs
                                           : globals_for(r, (uint8_t)(n->phase + 1));
    scope_init(&s, base);
    if (n->boundary) refs_scope_hook(r, &s, n);
    struct str expr = val_get_str(&mine, "expression");
    struct tags_opts first = {.scope = base, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    struct tags_opts second = {.scope = &s, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    if (tags_present(expr) && (!tags_replace(&r->scratch, expr, &first, &expr, e) ||
                               !tags_replace(&r->scratch, expr, &second, &expr, e)))
        return false;
    struct expr_env env = {.scope = &s, .clock = run_clock(r)};
    return expr_eval_bool(&r->scratch, expr, &env, out, e);
}

/* A step's error is its group's: nothing more starts, what has started is waited for. */
static void fault(struct run *r, struct node *n, struct str why)
{
    struct node *group = n->parent;
    if (!group || group->type != NTYPE_STEPGROUP) {
        n->condemned = true;
        node_condemn(r, n, why);
        return;
    }
    steps_group_error(r, group, why);
}

/* A step that was over already is waited for again; a dag is not over before its hook is. One that waits for its
 * lock has no body yet and counts its hooks when it begins. */
static void reopen(struct node *n)
{
    if (n->type == NTYPE_DAG && n->body && !phase_fulfilled(n->phase)) n->body->open++;
    if (!n->told) return;
    n->told = false;
    if (n->parent && n->parent->type == NTYPE_STEPGROUP) n->parent->group->open++;
}

static void fire(struct run *r, struct node *n, uint32_t idx)
{
    struct blocked held = {.hook_of = n, .hook = (uint8_t)(HOOK_FIRST + idx)};
    n->hooks_fired |= 1u << idx;
    reopen(n);
    n->hooks_open++;
    node_touch(r, n);
    if (limit_pass(r, n->boundary, &held)) hook_run(r, n, held.hook);
}

static void look(struct run *r, struct node *n, const struct val *hooks)
{
    for (uint32_t i = 0; i < hooks->n && !r->full; i++) {
        struct err e;
        bool go;
        if ((n->hooks_fired >> i & 1) || str_is(hooks->map[i].key, "exit")) continue;
        if (!wanted(r, n, &hooks->map[i], &go, &e)) {
            fault(r, n, str_of(e.text));
            return;
        }
        if (go) fire(r, n, i);
    }
}

/* ---- when ---- */

void lifecycle_note(struct run *r, struct node *n)
{
    if (n->call && (n->call->hooks || n->call->n_watch) && !n->retried && !n->hooked) VEC_PUSH(&r->hook_due, n);
}

/* A step and a target task may be seen while they wait to be run, another task only from then on; a step that is not executed
 * has no hooks, a task has (steps.go and dag.go differ in both). */
void lifecycle_look(struct run *r, struct node *n)
{
    if (!n->call || !n->call->hooks || n->condemned || !hook_direct(n)) return;
    bool dag = n->boundary->type == NTYPE_DAG;
    if (dag ? n->phase == NODE_PENDING && !hook_of_target(n) : n->type == NTYPE_SKIP) return;
    if (!dag && (phase_fulfilled(n->parent->phase) || !n->parent->group || n->parent->group->error.p)) return;
    look(r, n, n->call->hooks);
}

void lifecycle_look_watchers(struct run *r, struct node *n)
{
    if (!n->call || !n->call->n_watch || !hook_direct(n)) return;
    const struct body *b = n->boundary->body;
    for (uint32_t i = 0; i < n->call->n_watch && !phase_fulfilled(n->boundary->phase); i++) {
        const struct call_state *c = &b->calls[n->call->watch[i]];
        for (uint32_t k = 0; c->loop && k < c->loop->n_items; k++)
            if (c->loop->items[k]) lifecycle_look(r, c->loop->items[k]);
        if (c->node) lifecycle_look(r, c->node);
    }
}

void lifecycle_workflow(struct run *r)
{
    const struct val *hooks = hooks_of_workflow(r);
    struct node *root = r->root;
    struct err e;
    if (!hooks || !root || root->condemned || r->done || r->exit_started) return;
    if (hooks->n == 1 && str_is(hooks->map[0].key, "exit")) return;
    r->starting_status = (uint8_t)(root->phase + 1);
    if (hooks_fit(hooks, r->name, &e)) look(r, root, hooks);
    else fault(r, root, str_of(e.text));
    r->starting_status = 0;
}
