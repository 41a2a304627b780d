/* What is left of a finished run when it is to be tried again (util.go FormulateRetryWorkflow).
 *
 * A step that failed is dropped together with all that hangs below it in the graph, unless something
 * below it succeeded: a failure that was dealt with. Whatever waited for a dropped node goes on, and what
 * comes after that is dropped as well, so that going on needs no order: an instance lacks only what may
 * begin at once. The workflow's exit handler is dropped. Every walk marks what it has seen; the whole costs
 * O(nodes + edges). */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

enum mark {
    MARK_DROP = 1,     /* goes */
    MARK_AGAIN = 2,    /* goes on */
    MARK_OK = 4,       /* something below it succeeded */
    MARK_OK_HOOK = 8,  /* something below it succeeded that belongs to a hook */
    MARK_PICKED = 16,  /* chosen to run again */
    MARK_PAST = 32,    /* part of an attempt that another one followed */
    MARK_HOOK = 64,    /* stays, but a hook of it runs again */
    MARK_IN_HOOK = 128, /* is a hook, or part of one */
};

struct resetting {
    struct run *r;
    const struct reset_opts *o;
    uint8_t *marks;
    uint32_t *moved;
    size_t n, dropped;
    uint32_t *first, *next; /* by node: the nodes that it is the boundary of; ends with UINT32_MAX */
    VEC(struct node *) stack; /* to be dropped with what is below */
    VEC(struct node *) waiters; /* newly marked MARK_AGAIN */
};

static bool is_instance(const struct node *n)
{
    return n->type == NTYPE_STEPS || n->type == NTYPE_DAG;
}

static bool is_group(const struct node *n)
{
    return n->type == NTYPE_STEPGROUP || n->type == NTYPE_TASKGROUP;
}

static bool is_composite(const struct node *n)
{
    return is_instance(n) || is_group(n) || n->type == NTYPE_RETRY;
}

static bool is_hook(const struct node *n)
{
    return n->hooked && !n->retried;
}

static struct node *child_at(const struct run *r, const struct node *n, uint32_t i)
{
    return r->nodes.items[n->children[i]];
}

/* A group that failFast ended has let go of its instance. */
static struct node *waiter(const struct node *n)
{
    return is_group(n) ? n->boundary : n->parent;
}

/* ---- what is to run again ---- */

static bool in_past(const struct resetting *x, const struct node *n)
{
    if (n->boundary && x->marks[n->boundary->idx] & MARK_PAST) return true;
    return n->retried && is_instance(n) && n->parent && n->parent->retry->last != n;
}

static bool in_hook(const struct resetting *x, const struct node *n)
{
    if (is_hook(n)) return true;
    if (n->retried && n->parent && x->marks[n->parent->idx] & MARK_IN_HOOK) return true;
    return n->boundary && x->marks[n->boundary->idx] & MARK_IN_HOOK;
}

static uint8_t ok_below(const struct resetting *x, const struct node *n)
{
    uint8_t ok = 0;
    for (uint32_t i = 0; i < n->n_children; i++) {
        const struct node *c = child_at(x->r, n, i);
        uint8_t m = x->marks[c->idx];
        bool own = c->phase == NODE_SUCCEEDED && !(m & MARK_PICKED) && c->type != NTYPE_CONTAINER;
        if (own) ok |= m & MARK_IN_HOOK ? MARK_OK_HOOK : MARK_OK;
        ok |= m & (MARK_OK | MARK_OK_HOOK);
    }
    return ok;
}

/* Children come later than their parents: one pass from the end knows all that is below a node. */
static void marks_begin(struct resetting *x)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct node *n = x->r->nodes.items[i];
        bool picked = x->o->pick && x->o->pick(x->o->ctx, x->r, n);
        x->marks[i] = (uint8_t)((picked ? MARK_PICKED : 0) | (in_past(x, n) ? MARK_PAST : 0) |
                                (in_hook(x, n) ? MARK_IN_HOOK : 0));
        x->first[i] = UINT32_MAX;
    }
    for (size_t i = x->n; i-- > 0;) {
        const struct node *n = x->r->nodes.items[i];
        x->marks[i] |= ok_below(x, n);
        if (!n->boundary) continue;
        x->next[i] = x->first[n->boundary->idx];
        x->first[n->boundary->idx] = (uint32_t)i;
    }
}

/* A workflow can be over while steps of it were still at work; these did not end well either. */
static bool ended_well(const struct node *n)
{
    return phase_fulfilled(n->phase) && !phase_failed(n->phase);
}

/* Containers share the fate of their pod. */
static struct node *whole(struct node *n)
{
    return n->type == NTYPE_CONTAINER && n->parent ? n->parent : n;
}

/* Whose successors say whether a failure was dealt with: the retry's for an attempt, and for a hook those
 * of the step that it belongs to. */
static const struct node *judged(const struct resetting *x, const struct node *n)
{
    if (n->retried && n->parent) n = n->parent;
    for (const struct node *p = n; p && x->marks[p->idx] & MARK_IN_HOOK; p = p->parent)
        if (p->parent && !(x->marks[p->parent->idx] & MARK_IN_HOOK)) return p->parent;
    return n;
}

/* A composite that waits for its lock and has not begun is a leaf yet. */
static bool failed_leaf(const struct resetting *x, const struct node *n)
{
    bool leaf = !is_composite(n) || (node_is_waiting(n) && !n->again);
    return !ended_well(n) && leaf && n->type != NTYPE_CONTAINER && !(x->marks[n->idx] & MARK_PAST) &&
           !(x->marks[judged(x, n)->idx] & MARK_OK);
}

/* ---- dropping ---- */

static void drop(struct resetting *x, struct node *n)
{
    if (!(x->marks[n->idx] & MARK_DROP)) VEC_PUSH(&x->stack, n);
}

static void drop_hook(struct resetting *x, const struct node *n)
{
    for (uint32_t i = 0; i < n->n_children; i++) {
        struct node *c = child_at(x->r, n, i);
        if (is_hook(c) && c->parent == n) drop(x, c);
    }
}

static void drop_later_groups(struct resetting *x, const struct node *steps, uint32_t group)
{
    for (uint32_t i = x->first[steps->idx]; i != UINT32_MAX; i = x->next[i]) {
        struct node *n = x->r->nodes.items[i];
        if (n->type == NTYPE_STEPGROUP && step_group_index(n) > group) drop(x, n);
    }
}

/* The tasks that depend on what was dropped or goes on; each comes up for its own ones in turn. */
static void drop_dependents(struct resetting *x, const struct node *dag)
{
    const struct tmpl *t = dag->tmpl;
    uint8_t *open = ARENA_ARRAY(&x->r->scratch, uint8_t, t->n_calls + 1);
    struct node **of = ARENA_ARRAY(&x->r->scratch, struct node *, t->n_calls + 1);
    VEC(uint32_t) todo = {0};
    for (uint32_t i = x->first[dag->idx]; i != UINT32_MAX; i = x->next[i]) {
        struct node *n = x->r->nodes.items[i];
        if (!n->call || n->hooked || n->retried || n->item.p) continue;
        of[n->call->idx] = n;
        if (x->marks[i] & (MARK_DROP | MARK_AGAIN | MARK_HOOK)) VEC_PUSH(&todo, n->call->idx);
    }
    while (todo.n) {
        const struct call *c = &t->calls[VEC_POP(&todo)];
        for (uint32_t k = 0; k < c->n_out; k++) {
            if (open[c->out[k]]) continue;
            open[c->out[k]] = 1;
            if (of[c->out[k]]) drop(x, of[c->out[k]]);
            VEC_PUSH(&todo, c->out[k]);
        }
    }
    VEC_FINI(&todo);
}

/* Whoever waited for it goes on; a step whose hook is gone only gets that hook again. */
static void waiters_go_on(struct resetting *x, const struct node *n)
{
    for (struct node *p = waiter(n); p; p = waiter(p)) {
        if (x->marks[p->idx] & MARK_AGAIN) return;
        if (is_hook(n)) x->marks[p->idx] |= MARK_HOOK;
        else if (is_composite(p)) {
            x->marks[p->idx] |= MARK_AGAIN;
            VEC_PUSH(&x->waiters, p);
        }
        n = p;
    }
}

static void drop_stacked(struct resetting *x)
{
    while (x->stack.n) {
        struct node *n = VEC_POP(&x->stack);
        if (x->marks[n->idx] & MARK_DROP) continue;
        x->marks[n->idx] |= MARK_DROP;
        x->dropped++;
        waiters_go_on(x, n);
        for (uint32_t i = 0; i < n->n_children; i++) drop(x, child_at(x->r, n, i));
    }
}

/* Loops at work may come to other items with other arguments (Argo's #15802). */
static void drop_children(struct resetting *x, const struct node *n)
{
    for (uint32_t i = 0; i < n->n_children; i++) drop(x, child_at(x->r, n, i));
}

/* It had gone on after an earlier reset, and waited for its lock again when the run ended. */
static void wait_again(struct resetting *x, struct node *n)
{
    if (x->marks[n->idx] & MARK_AGAIN) return;
    x->marks[n->idx] |= MARK_AGAIN;
    VEC_PUSH(&x->waiters, n);
    waiters_go_on(x, n);
}

/* Until nothing that goes on has anything after it. */
static void drop_all(struct resetting *x)
{
    drop_stacked(x);
    while (x->waiters.n) {
        struct node *n = VEC_POP(&x->waiters);
        if (x->marks[n->idx] & MARK_DROP) continue;
        drop_hook(x, n);
        if (n->type == NTYPE_STEPGROUP) drop_later_groups(x, n->boundary, step_group_index(n));
        if (n->type == NTYPE_DAG) drop_dependents(x, n);
        if (is_group(n) && x->o->arguments_changed) drop_children(x, n);
        drop_stacked(x);
    }
}

static void marks_set(struct resetting *x)
{
    marks_begin(x);
    for (size_t i = 0; i < x->n; i++) {
        struct node *n = x->r->nodes.items[i];
        if (x->marks[i] & MARK_PICKED || failed_leaf(x, n)) drop(x, whole(n));
        else if (node_is_waiting(n) && n->again && !(x->marks[i] & MARK_PAST)) wait_again(x, n);
    }
    drop_all(x);
    if (x->dropped && x->r->exit_node) drop(x, x->r->exit_node);
    drop_all(x);
    VEC_FINI(&x->stack);
    VEC_FINI(&x->waiters);
}

/* ---- rewriting ---- */

static uint32_t kept_indexes(const struct resetting *x, uint32_t *list, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (x->moved[list[i]] != UINT32_MAX) list[kept++] = x->moved[list[i]];
    return kept;
}

static void go_on(struct resetting *x, struct node *n)
{
    n->again = true;
    n->parent = waiter(n);
    n->phase = NODE_RUNNING;
    n->started_us = x->r->now_us;
    n->finished_us = n->deadline_us = 0;
    n->message = n->outputs = STR_NONE;
    n->killed = n->hook_done = n->condemned = false;
    n->hooks_fired = 0;
    if (n->gate) n->gate->hit = n->gate->timed_out = n->gate->waiting = false;
    if (is_instance(n)) n->body->n_outbound = 0;
    if (n->type == NTYPE_STEPGROUP && n->group) n->group->error = STR_NONE;
}

static void edges_rewrite(const struct resetting *x, struct node *n)
{
    n->n_children = kept_indexes(x, n->children, n->n_children);
    n->n_up = kept_indexes(x, n->up, n->n_up);
    if (is_instance(n) && n->body) n->body->n_outbound = kept_indexes(x, n->body->outbound, n->body->n_outbound);
}

static void nodes_rewrite(struct resetting *x)
{
    struct run *r = x->r;
    size_t kept = 0;
    for (size_t i = 0; i < x->n; i++) x->moved[i] = x->marks[i] & MARK_DROP ? UINT32_MAX : (uint32_t)kept++;
    for (size_t i = 0; i < x->n; i++) {
        struct node *n = r->nodes.items[i];
        if (x->marks[i] & MARK_DROP) continue;
        if (x->marks[i] & MARK_AGAIN) go_on(x, n);
        edges_rewrite(x, n);
    }
    for (size_t i = 0; i < x->n; i++) {
        struct node *n = r->nodes.items[i];
        if (x->marks[i] & MARK_DROP) {
            node_frames_free(r, n);
            continue;
        }
        r->nodes.items[x->moved[i]] = n;
        n->idx = x->moved[i];
    }
    r->nodes.n = kept;
}

static void run_rewrite(struct resetting *x)
{
    struct run *r = x->r;
    nodes_rewrite(x);
    r->root = r->nodes.n ? r->nodes.items[0] : NULL;
    r->exit_node = NULL;
    r->looked_up.n = 0; /* ConfigMaps are asked anew */
    r->done = r->exit_started = r->entry_error = r->deadline_passed = false;
    r->stop = STOP_NONE;
    sync_reset(r);
    r->phase = NODE_RUNNING;
    r->message = STR_NONE;
    r->started_us = r->now_us;
    r->finished_us = 0;
    r->deadline_us = run_deadline_us(r);
    scope_set(&r->globals, STR("workflow.failures"), STR_NONE);
    r->active_pods = 0;
    r->progress = (struct progress){0};
    r->used = (struct used_list){0};
    for (size_t i = 0; i < r->nodes.n; i++) {
        progress_give(r, r->nodes.items[i]);
        if (phase_fulfilled(r->nodes.items[i]->phase)) usage_total(r, r->nodes.items[i]);
    }
}

static bool may_reset(const struct run *r, const struct reset_opts *o, struct err *e)
{
    if (!r->done) return err_set(e, ERR_NOT_NOW, "Cannot retry a workflow in phase %s", phase_text(r->phase));
    return phase_failed(r->phase) || o->pick ||
           err_set(e, ERR_NOT_NOW, "To retry a succeeded workflow, set the options restartSuccessful and "
                   "nodeFieldSelector");
}

bool run_reset(struct run *r, const struct reset_opts *o, int64_t now_us, uint32_t **moved, struct err *e)
{
    struct resetting x = {.r = r, .o = o, .n = r->nodes.n};
    if (!may_reset(r, o, e)) return false;
    arena_reset(&r->scratch);
    x.marks = ARENA_ARRAY(&r->arena, uint8_t, x.n + 1);
    x.first = ARENA_ARRAY(&r->arena, uint32_t, x.n + 1);
    x.next = ARENA_ARRAY(&r->arena, uint32_t, x.n + 1);
    x.moved = *moved = ARENA_ARRAY(&r->arena, uint32_t, x.n + 1);
    r->now_us = MAX(now_us, r->now_us);
    marks_set(&x);
    if (!x.dropped)
        return err_set(e, ERR_NOT_NOW, "no step can be run again: resubmit runs the whole workflow anew");
    run_rewrite(&x);
    return true;
}

/* ---- a memoized resubmission ---- */

/* Names are kept without the workflow's, and a successful attempt counts as the first one. */
static void memo_put(struct buf *b, struct run *r, const struct node *n, bool first)
{
    struct str name = n->retried ? n->parent->name : n->name;
    buf_str(b, first ? STR("") : STR(","));
    buf_json(b, str_fmt(&r->scratch, "%.*s%s", STR_ARG(str_from(name, r->name.n)), n->retried ? "(0)" : ""));
    buf_str(b, STR(":{\"id\":"));
    buf_json(b, node_id_text(&r->scratch, r, n));
    if (n->outputs.n) buf_str(b, STR(",\"outputs\":"));
    buf_str(b, n->outputs);
    buf_char(b, '}');
}

static bool of_exit_handler(const struct run *r, const struct node *n)
{
    while (n->boundary) n = n->boundary;
    return n == r->exit_node || (n->parent && n->parent == r->exit_node);
}

bool run_memo(struct buf *b, struct run *r, struct err *e)
{
    bool first = true;
    if (!r->done || !phase_failed(r->phase))
        return err_set(e, ERR_NOT_NOW, "workflow must be Failed/Error to resubmit in memoized mode");
    arena_reset(&r->scratch);
    buf_char(b, '{');
    for (size_t i = 0; i < r->nodes.n; i++) {
        const struct node *n = r->nodes.items[i];
        bool leaf = n->type == NTYPE_POD || n->type == NTYPE_HTTP || n->type == NTYPE_PLUGIN ||
                    (n->type == NTYPE_SKIP && n->outputs.n); /* memoized before */
        if (!leaf || !ended_well(n) || of_exit_handler(r, n)) continue;
        memo_put(b, r, n, first);
        first = false;
    }
    buf_char(b, '}');
    return true;
}
