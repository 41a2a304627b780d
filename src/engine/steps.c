/* Steps templates: groups one after the other, the steps of a group side by side (steps.go).
 *
 * A group is resolved and expanded as a whole before any of its steps starts. */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

/* The first group hangs below the instance, a later one below all that came out of the one before. */
static void link_group(struct run *r, struct node *n, struct node *group)
{
    struct node *before = n->body->group_node;
    if (!before) node_child(r, n, group);
    else if (!before->n_children) node_child(r, before, group);
    for (uint32_t i = 0; before && i < before->n_children; i++)
        if (before->children[i] != group->idx) node_follow(r, r->nodes.items[before->children[i]], group);
}

/* What one step of the group comes to. */
struct planned {
    const struct call *call;
    struct val task, items;
};

/* References of all steps first, then the items of each (steps.go). False: *out_n steps are in order. */
static bool plan_group(struct run *r, struct node *n, struct planned *plan, uint32_t *out_n,
                       struct err *e)
{
    const struct tmpl *t = n->tmpl;
    uint32_t all = 0;
    *out_n = 0;
    for (uint32_t i = 0; i < t->n_calls; i++) {
        struct planned *p = &plan[all];
        if (t->calls[i].group != n->body->group) continue;
        p->call = &t->calls[i];
        if (!call_resolve(r, n, p->call, &p->task, e)) return err_ctx(e, "failed to resolve references");
        all++;
    }
    for (; *out_n < all; (*out_n)++) {
        struct planned *p = &plan[*out_n];
        if (task_loops(&p->task) && (!loop_expand(r, &p->task, &p->items, e) ||
                                     !loop_check(r, p->call, &p->task, &p->items, e)))
            return false;
    }
    return true;
}

/* Loops without items come before all else (steps.go expandStepGroup). */
static void start_empty(struct run *r, struct node *n, struct node *group, const struct planned *p)
{
    const struct call *c = p->call;
    if (!task_loops(&p->task) || p->items.n || r->full) return;
    loop_begin(r, n, c, &p->items);
    group->group->open++;
    struct start s = {.parent = group, .boundary = n, .call = c,
                      .name = str_fmt(&r->scratch, "%.*s.%.*s", STR_ARG(group->name),
                                      STR_ARG(c->name))};
    struct node *child = start_skipped(r, &s, NODE_SKIPPED, STR("Skipped, empty params"));
    n->body->calls[c->idx].node = child;
    node_child(r, group, child);
}

/* A node from before a reset is not started again; it counts as open until its parent was told. */
static bool is_kept(struct run *r, struct node *group, const struct node *n)
{
    if (n && !node_told(r, n)) group->group->open++;
    return n != NULL;
}

static void start_planned(struct run *r, struct node *n, struct node *group,
                          const struct planned *p)
{
    struct blocked b = {.parent = group, .call = p->call};
    if (is_kept(r, group, n->body->calls[p->call->idx].node)) return;
    if (!task_loops(&p->task)) {
        group->group->open++;
        call_start(r, n, &b, &p->task);
        return;
    }
    if (!p->items.n) return; /* start_empty has been there */
    const struct group_frame *g = loop_begin(r, n, p->call, &p->items);
    for (uint32_t i = 0; i < p->items.n; i++)
        if (!g->items[i]) group->group->open++;
    for (uint32_t i = 0; i < p->items.n && !group->group->error.p; i++) {
        b.item = json_text(&r->scratch, &p->items.items[i]);
        b.item_idx = i;
        if (!is_kept(r, group, g->items[i])) call_start(r, n, &b, &p->task);
    }
}

static struct node *group_make(struct run *r, struct node *n)
{
    struct str name = str_fmt(&r->scratch, "%.*s[%u]", STR_ARG(n->name), n->body->group);
    struct node *group = node_make(r, name, NTYPE_STEPGROUP, n);
    group->parent = n;
    group->in_exit = n->in_exit;
    group->group = mem_zalloc(sizeof *group->group);
    node_phase_set(r, group, NODE_RUNNING);
    link_group(r, n, group);
    return group;
}

void steps_group_error(struct run *r, struct node *group, struct str why)
{
    if (!group->group || group->group->error.p) return;
    group->group->error = str_dup(&r->arena, why);
    limit_drop_new(group->boundary);
    node_touch(r, group);
}

static void group_begin(struct run *r, struct node *n)
{
    struct body *body = n->body;
    struct node *group = body->group_node;
    bool kept = group && !phase_fulfilled(group->phase); /* from before a reset */
    if (!kept) body->group_node = group = group_make(r, n);

    struct err e;
    uint32_t planned;
    struct planned *plan = ARENA_ARRAY(&r->scratch, struct planned, n->tmpl->n_calls + 1);
    if (!plan_group(r, n, plan, &planned, &e)) steps_group_error(r, group, str_of(e.text));
    group->group->open = 1; /* held while starting */
    for (uint32_t i = 0; i < planned; i++) start_empty(r, n, group, &plan[i]);
    for (uint32_t i = 0; i < planned && !group->group->error.p; i++)
        start_planned(r, n, group, &plan[i]);
    steps_child_done(r, group);
}

static void steps_end(struct run *r, struct node *n)
{
    struct err e;
    if (outputs_collect(r, n, &e)) body_finish(r, n, NODE_SUCCEEDED, STR_NONE);
    else body_error(r, n, str_of(e.text));
}

static void steps_go_on(struct run *r, struct node *n)
{
    if (n->body->group < n->tmpl->n_groups) group_begin(r, n);
    else steps_end(r, n);
}

void steps_begin(struct run *r, struct node *n)
{
    body_begin(r, n);
    steps_go_on(r, n);
}

/* What there is after a reset: groups that have ended, and at most one, the last, that goes on. */
void steps_again(struct run *r, struct node *n)
{
    struct body *b = n->body;
    if (b->group_node && phase_fulfilled(b->group_node->phase)) b->group++;
    steps_go_on(r, n);
}

/* One child less to wait for; the last one decides the group. */
void steps_child_done(struct run *r, struct node *group)
{
    struct group_frame *g = group->group;
    ASSERT(g && g->open > 0);
    if (--g->open && !g->error.p) return;
    if (g->error.p) {
        for (uint32_t i = 0; i < group->n_children; i++)
            if (!phase_fulfilled(r->nodes.items[group->children[i]]->phase)) return;
        if (!phase_fulfilled(group->phase)) node_finish(r, group, NODE_ERROR, g->error);
        return;
    }
    for (uint32_t i = 0; i < group->n_children; i++) {
        const struct node *c = r->nodes.items[group->children[i]];
        bool late = c->gate && c->gate->timed_out; /* steps.go: not forgiven */
        if (!phase_failed(c->phase) || (!late && continues_on(c->call, c->phase))) continue;
        if (late) {
            node_finish(r, group, NODE_FAILED, str_fmt(&r->scratch, "child '%.*s' timedout", STR_ARG(c->name)));
            return;
        }
        struct str id = node_id_text(&r->scratch, r, c);
        node_finish(r, group, NODE_FAILED,
                    str_fmt(&r->scratch, "child '%.*s' failed", STR_ARG(id)));
        return;
    }
    node_finish(r, group, NODE_SUCCEEDED, STR_NONE);
}

/* What later groups could not even ask for is an error now (steps.go, after each group). */
static bool fan_in_fails(struct run *r, struct node *n)
{
    struct body *b = n->body;
    const struct node *bad;
    for (uint32_t i = 0; i < n->tmpl->n_calls; i++) {
        if (n->tmpl->calls[i].group != b->group || !b->calls[i].loop) continue;
        if (loop_results_valid(r, b->calls[i].loop, &bad)) continue;
        body_error(r, n, str_fmt(&r->scratch, "result of %.*s is not JSON", STR_ARG(bad->name)));
        return true;
    }
    return false;
}

/* A failed group fails the instance, also when the group itself is Error (steps.go). */
void steps_group_done(struct run *r, struct node *n, struct node *group)
{
    free(group->group);
    group->group = NULL;
    if (phase_failed(group->phase)) {
        body_finish(r, n, NODE_FAILED, group->message);
        return;
    }
    if (fan_in_fails(r, n)) return;
    n->body->group++;
    steps_go_on(r, n);
}
