/* Dag templates: a task starts when all tasks that it depends on are finished, hooks included, and
 * its `depends` condition holds (dag.go). Each task counts down; nothing is scanned. */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

/* Up to so many tasks, those that become ready together start in the order of Argo's walk, which
 * sorts by name; it shows in the order of children only. A larger dag keeps the order of its text. */
enum { RANKED_TASKS = 10000 };

void dag_link(struct run *r, struct node *dag, const struct call *c, struct node *n)
{
    if (!c->n_in) node_child(r, dag, n);
    for (uint32_t i = 0; i < c->n_in; i++) {
        struct node *dep = dag->body->calls[c->in[i]].node;
        if (dep) node_follow(r, dep, n);
    }
}

/* ---- starting tasks ---- */

static uint32_t results_of(struct run *r, const struct call_state *c)
{
    static const uint32_t bits[NODE_PHASE_MAX] = {
        [NODE_SUCCEEDED] = DEPENDS_SUCCEEDED, [NODE_FAILED] = DEPENDS_FAILED,
        [NODE_ERROR] = DEPENDS_ERRORED,       [NODE_SKIPPED] = DEPENDS_SKIPPED,
        [NODE_OMITTED] = DEPENDS_OMITTED,
    };
    uint32_t all = bits[c->node->phase] | (c->node->daemoned ? (uint32_t)DEPENDS_DAEMONED : 0);
    const struct group_frame *g = c->loop;
    bool all_failed = g && g->n_items;
    (void)r;
    for (uint32_t i = 0; g && i < g->n_items; i++) {
        const struct node *n = g->items[i];
        if (n && n->phase == NODE_SUCCEEDED) all |= DEPENDS_ANY_SUCCEEDED;
        if (!n || n->phase != NODE_FAILED) all_failed = false;
    }
    return all | (all_failed ? (uint32_t)DEPENDS_ALL_FAILED : 0);
}

struct judging {
    struct run *r;
    const struct node *dag;
    const struct call *call;
};

static uint32_t results_fn(void *ctx, size_t index)
{
    struct judging *j = ctx;
    return results_of(j->r, &j->dag->body->calls[j->call->in[index]]);
}

static void end_at_once(struct run *r, struct node *dag, const struct call *c, enum node_phase p,
                        struct str message)
{
    struct start s = {.parent = dag, .boundary = dag, .call = c,
                      .name = str_fmt(&r->scratch, "%.*s.%.*s", STR_ARG(dag->name),
                                      STR_ARG(c->name))};
    struct node *n = start_skipped(r, &s, p, message);
    dag->body->calls[c->idx].node = n;
    dag_link(r, dag, c, n);
}

static struct node *group_make(struct run *r, struct node *dag, const struct call *c,
                               const struct val *items)
{
    struct str name = str_fmt(&r->scratch, "%.*s.%.*s", STR_ARG(dag->name), STR_ARG(c->name));
    struct node *group = node_make(r, name, NTYPE_TASKGROUP, dag);
    group->parent = dag;
    group->call = c;
    group->in_exit = dag->in_exit;
    tmpl_resolve(r, dag->tmpl->scope, dag->tmpl, c, c->src, &group->tmpl, NULL);
    group->group = loop_begin(r, dag, c, items);
    group->group->open = items->n;
    dag->body->calls[c->idx].node = group;
    dag_link(r, dag, c, group);
    return group;
}

static void items_start(struct run *r, struct node *dag, const struct call *c, struct node *group,
                        const struct val *task, const struct val *items)
{
    for (uint32_t i = 0; i < items->n; i++) {
        struct blocked b = {.parent = group, .call = c, .item_idx = i,
                            .item = json_text(&r->scratch, &items->items[i])};
        if (!group->group->items[i]) call_start(r, dag, &b, task);
    }
}

static void start_loop(struct run *r, struct node *dag, const struct call *c,
                       const struct val *task)
{
    struct err e;
    struct val items;
    if (!loop_expand(r, task, &items, &e) || !loop_check(r, c, task, &items, &e)) {
        end_at_once(r, dag, c, NODE_ERROR, str_of(e.text));
        return;
    }
    if (!items.n) {
        end_at_once(r, dag, c, NODE_SKIPPED, STR("Skipped, empty params"));
        return;
    }
    struct node *group = group_make(r, dag, c, &items);
    node_phase_set(r, group, NODE_RUNNING);
    items_start(r, dag, c, group, task, &items);
}

static void task_begin(struct run *r, struct node *dag, const struct call *c)
{
    struct judging j = {r, dag, c};
    struct err e;
    struct val task;
    if (r->full) return;
    dag->body->open++;
    if (c->logic && !depends_eval(c->logic, results_fn, &j)) {
        end_at_once(r, dag, c, NODE_OMITTED, STR("omitted: depends condition not met"));
        return;
    }
    if (!call_resolve(r, dag, c, &task, &e)) {
        end_at_once(r, dag, c, NODE_ERROR, str_of(e.text));
        return;
    }
    struct blocked b = {.parent = dag, .call = c};
    if (task_loops(&task)) start_loop(r, dag, c, &task);
    else call_start(r, dag, &b, &task);
}

static int rank_order(const void *x, const void *y, void *calls)
{
    const struct call_state *c = calls;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    if (c[a].rank != c[b].rank) return c[a].rank < c[b].rank ? -1 : 1;
    return (a > b) - (a < b);
}

/* Tasks that became ready with the same event. */
static void tasks_begin(struct run *r, struct node *dag, uint32_t *ready, uint32_t n)
{
    if (n > 1) qsort_r(ready, n, sizeof *ready, rank_order, dag->body->calls);
    for (uint32_t i = 0; i < n; i++) task_begin(r, dag, &dag->body->tmpl->calls[ready[i]]);
}

/* ---- Argo's walk: targets as written or by name, before each task its dependencies by name ---- */

struct ranking {
    struct body *b;
    uint32_t next;
    VEC(uint32_t) stack;
    uint32_t *by_name;  /* calls sorted by name */
    uint32_t *place;    /* of a call in by_name */
};

static int name_order(const void *x, const void *y, void *calls)
{
    const struct call *c = calls;
    return str_cmp(c[*(const uint32_t *)x].name, c[*(const uint32_t *)y].name);
}

static int place_order(const void *x, const void *y, void *place)
{
    const uint32_t *p = place;
    uint32_t a = p[*(const uint32_t *)x], b = p[*(const uint32_t *)y];
    return (a < b) - (a > b); /* last name first: the stack turns it round */
}

/* Depth first without recursion: an entry is seen twice, the second time it gets its rank. */
static void rank_from(struct ranking *k, uint32_t target)
{
    struct call_state *calls = k->b->calls;
    VEC_PUSH(&k->stack, target);
    while (k->stack.n) {
        uint32_t at = k->stack.items[k->stack.n - 1];
        const struct call *c = &k->b->tmpl->calls[at];
        if (calls[at].rank) {
            if (calls[at].rank == UINT32_MAX) calls[at].rank = ++k->next;
            k->stack.n--;
            continue;
        }
        calls[at].rank = UINT32_MAX;
        size_t from = k->stack.n;
        for (uint32_t i = 0; i < c->n_in; i++)
            if (!calls[c->in[i]].rank) VEC_PUSH(&k->stack, c->in[i]);
        qsort_r(k->stack.items + from, k->stack.n - from, sizeof(uint32_t), place_order, k->place);
    }
}

static void ranks_set(struct run *r, struct body *b)
{
    uint32_t n = b->tmpl->n_calls;
    struct ranking k = {.b = b, .by_name = ARENA_ARRAY(&r->scratch, uint32_t, n + 1),
                        .place = ARENA_ARRAY(&r->scratch, uint32_t, n + 1)};
    for (uint32_t i = 0; i < n; i++) k.by_name[i] = i;
    qsort_r(k.by_name, n, sizeof(uint32_t), name_order, b->tmpl->calls);
    for (uint32_t i = 0; i < n; i++) k.place[k.by_name[i]] = i;
    for (uint32_t i = 0; i < b->n_targets; i++) rank_from(&k, b->targets[i]);
    VEC_FINI(&k.stack);
}

static void need(struct body *b, uint32_t idx)
{
    VEC(uint32_t) stack = {0};
    VEC_PUSH(&stack, idx);
    while (stack.n) {
        uint32_t at = VEC_POP(&stack);
        const struct call *c = &b->tmpl->calls[at];
        if (b->calls[at].needed) continue;
        b->calls[at].needed = true;
        for (uint32_t i = 0; i < c->n_in; i++) VEC_PUSH(&stack, c->in[i]);
    }
    VEC_FINI(&stack);
}

/* ---- targets ---- */

static void target_put(struct body *b, uint32_t call)
{
    if (!b->targets) b->targets = mem_alloc(b->tmpl->n_calls * sizeof *b->targets);
    if (b->n_targets < b->tmpl->n_calls) b->targets[b->n_targets++] = call;
}

static bool target_add(struct body *b, struct str name, struct err *e)
{
    struct map_slot *s = map_get(&b->tmpl->call_by_name, name);
    if (!s) return err_set(e, ERR_SPEC, "target '%.*s' is not defined", STR_ARG(name));
    b->calls[s->num].target = true;
    target_put(b, (uint32_t)s->num);
    need(b, (uint32_t)s->num);
    return true;
}

static bool targets_of_text(struct run *r, struct body *b, struct str text, struct err *e)
{
    struct tags_opts opts = {.scope = &b->inputs, .policy = TAGS_FAIL, .clock = run_clock(r)};
    if (!tags_replace(&r->scratch, text, &opts, &text, e)) return false;
    while (text.p) {
        struct str name, rest;
        str_cut(text, ' ', &name, &rest);
        if (name.n && !target_add(b, name, e)) return false;
        text = rest;
    }
    return true;
}

/* Without a target every task counts that no other depends on, and so every task is needed. */
bool dag_targets(struct run *r, struct node *dag, struct err *e)
{
    struct body *b = dag->body;
    struct str text = val_text(val_path(dag->tmpl->src, "dag.target"));
    for (uint32_t i = 0; !text.n && i < b->tmpl->n_calls; i++) {
        b->calls[i].target = b->tmpl->calls[i].is_target;
        b->calls[i].needed = true;
        if (b->calls[i].target) target_put(b, i);
    }
    if (!text.n && b->n_targets)
        qsort_r(b->targets, b->n_targets, sizeof *b->targets, name_order, b->tmpl->calls);
    if (text.n && !targets_of_text(r, b, text, e)) return false;
    if (limit_exists(r, b) || b->tmpl->n_calls <= RANKED_TASKS) ranks_set(r, b);
    return true;
}

void dag_begin(struct run *r, struct node *n)
{
    struct err e;
    body_begin(r, n);
    struct body *b = n->body;
    b->open = n->hooks_open; /* begun while it waited for its lock */
    if (!dag_targets(r, n, &e)) {
        body_error(r, n, str_of(e.text));
        return;
    }
    uint32_t *ready = ARENA_ARRAY(&r->scratch, uint32_t, b->tmpl->n_calls + 1), n_ready = 0;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) b->calls[i].waiting = b->tmpl->calls[i].n_in;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++)
        if (b->calls[i].needed && !b->tmpl->calls[i].n_in) ready[n_ready++] = i;
    tasks_begin(r, n, ready, n_ready);
    if (!b->open) body_finish(r, n, NODE_SUCCEEDED, STR_NONE);
}

/* ---- the phase of the whole ---- */

struct visit {
    uint32_t node;
    uint8_t phase;
};

struct walk {
    VEC(struct visit) queue;
    struct map seen;
    struct arena arena;
};

static void walk_add(struct walk *w, uint32_t node, enum node_phase phase)
{
    struct visit v = {node, (uint8_t)phase};
    bool fresh;
    map_put(&w->seen, str_fmt(&w->arena, "%u/%u", v.node, v.phase), &fresh);
    if (fresh) VEC_PUSH(&w->queue, v);
}

static void walk_children(struct walk *w, const struct node *n, enum node_phase phase)
{
    for (uint32_t i = 0; i < n->n_children; i++) walk_add(w, n->children[i], phase);
}

/* Attempts do not count: the walk goes on behind them, last one first (getRetryNodeChildrenIds). */
static void walk_on(struct run *r, struct walk *w, const struct node *n, enum node_phase phase)
{
    if (n->type != NTYPE_RETRY) {
        walk_children(w, n, phase);
        return;
    }
    for (uint32_t i = n->n_children; i-- > 0;) {
        const struct node *c = r->nodes.items[n->children[i]];
        if (c->retried) walk_children(w, c, phase);
        else walk_add(w, c->idx, phase);
    }
}

/* Breadth first from the instance, carrying along the phase of the last completed node of the
 * branch: a target that was not executed inherits it, Failed and Error before Succeeded
 * (dag.go assessDAGPhase). Needed only when some target was not executed. */
static void branch_phases(struct run *r, struct node *dag, uint8_t *of_call)
{
    struct walk w = {0};
    arena_init(&w.arena);
    walk_children(&w, dag, NODE_SUCCEEDED);
    for (size_t i = 0; i < w.queue.n; i++) {
        struct visit v = w.queue.items[i];
        struct node *n = r->nodes.items[v.node];
        enum node_phase branch = phase_completed(n->phase) ? n->phase : v.phase;
        bool is_target = n->call && n->boundary == dag && dag->body->calls[n->call->idx].node == n &&
                         dag->body->calls[n->call->idx].target;
        if (is_target && !phase_failed(of_call[n->call->idx])) of_call[n->call->idx] = (uint8_t)branch;
        walk_on(r, &w, n, branch);
    }
    VEC_FINI(&w.queue);
    map_fini(&w.seen);
    arena_fini(&w.arena);
}

static enum node_phase dag_phase(struct run *r, struct node *dag)
{
    struct body *b = dag->body;
    uint8_t *phases = ARENA_ARRAY(&r->scratch, uint8_t, b->tmpl->n_calls + 1);
    bool walk = false;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) {
        const struct node *n = b->calls[i].node;
        if (!b->calls[i].target || !n) continue;
        if (phase_completed(n->phase)) phases[i] = n->phase;
        else walk = true;
    }
    if (walk) branch_phases(r, dag, phases);
    const struct val *fast = val_path(dag->tmpl->src, "dag.failFast");
    bool fail_fast = !fast || fast->kind != VAL_BOOL || fast->b;
    enum node_phase whole = NODE_SUCCEEDED;
    for (uint32_t i = 0; i < b->n_targets; i++) {
        uint32_t t = b->targets[i];
        if (!phase_failed(phases[t]) || continues_on(&b->tmpl->calls[t], phases[t])) continue;
        whole = phases[t];
        if (fail_fast) break;
    }
    return whole;
}

static void dag_settle(struct run *r, struct node *dag)
{
    struct err e;
    enum node_phase p = dag_phase(r, dag);
    if (p != NODE_SUCCEEDED) body_finish(r, dag, p, STR_NONE);
    else if (!outputs_collect(r, dag, &e)) body_error(r, dag, str_of(e.text));
    else body_finish(r, dag, NODE_SUCCEEDED, STR_NONE);
}

void dag_child_done(struct run *r, struct node *dag, struct node *child)
{
    struct body *b = dag->body;
    const struct call *c = child->call;
    uint32_t *ready = ARENA_ARRAY(&r->scratch, uint32_t, c->n_out + 1), n_ready = 0;
    ASSERT(b->open > 0);
    b->open--;
    for (uint32_t i = 0; i < c->n_out; i++) {
        struct call_state *next = &b->calls[c->out[i]];
        ASSERT(next->waiting > 0);
        if (!--next->waiting && next->needed && !next->node) ready[n_ready++] = c->out[i];
    }
    tasks_begin(r, dag, ready, n_ready);
    if (!b->open) dag_settle(r, dag);
}

/* A loop that was reset: its items are decided anew, those that have ended stay. */
static void loop_again(struct run *r, struct node *dag, const struct call *c, struct node *group)
{
    struct val task, items;
    struct err e;
    if (!call_resolve(r, dag, c, &task, &e) || !loop_expand(r, &task, &items, &e) ||
        !loop_check(r, c, &task, &items, &e)) {
        node_finish(r, group, NODE_ERROR, str_of(e.text));
        return;
    }
    struct group_frame *g = group->group = loop_begin(r, dag, c, &items);
    g->open = 1; /* held while starting */
    for (uint32_t i = 0; i < items.n; i++)
        if (!g->items[i] || !node_told(r, g->items[i])) g->open++;
    items_start(r, dag, c, group, &task, &items);
    if (items.n) dag_group_child_done(r, group);
    else node_finish(r, group, NODE_SKIPPED, STR("Skipped, empty params"));
}

/* What is open of a dag that was reset has been counted; what it lacks begins. */
void dag_again(struct run *r, struct node *dag)
{
    struct body *b = dag->body;
    uint32_t *ready = ARENA_ARRAY(&r->scratch, uint32_t, b->tmpl->n_calls + 1), n_ready = 0;
    b->open++; /* held while starting */
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) {
        const struct call_state *s = &b->calls[i];
        bool loop = s->node && s->node->type == NTYPE_TASKGROUP && !phase_fulfilled(s->node->phase);
        if (loop) loop_again(r, dag, &b->tmpl->calls[i], s->node);
        else if (!s->node && !s->waiting && s->needed) ready[n_ready++] = i;
    }
    tasks_begin(r, dag, ready, n_ready);
    if (!--b->open) dag_settle(r, dag);
}

/* Argo's judgement of a dag looks at whatever hangs below its node, and so do the node's own hooks. */
void dag_hook_done(struct run *r, struct node *dag)
{
    ASSERT(dag->body->open > 0);
    if (!--dag->body->open) dag_settle(r, dag);
}

/* A loop's phase is that of its last bad child in item order, else Succeeded. */
void dag_group_child_done(struct run *r, struct node *group)
{
    struct group_frame *g = group->group;
    enum node_phase p = NODE_SUCCEEDED;
    ASSERT(g->open > 0);
    if (--g->open) return;
    for (uint32_t i = 0; i < g->n_items; i++)
        if (g->items[i] && phase_failed(g->items[i]->phase)) p = g->items[i]->phase;
    node_finish(r, group, p, STR_NONE);
}
