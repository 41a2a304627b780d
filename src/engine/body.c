/* Instances of steps and dag templates: what both kinds have in common from begin to end. */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

void body_begin(struct run *r, struct node *n)
{
    struct body *b = mem_zalloc(sizeof *b);
    int64_t limit;
    const struct val *parallelism = val_get(n->tmpl->src, STR("parallelism"));
    b->tmpl = n->tmpl;
    b->calls = mem_zalloc(n->tmpl->n_calls * sizeof *b->calls);
    b->fail_fast = val_is_true(n->tmpl->src, "failFast");
    if (parallelism && val_i64(parallelism, &limit)) b->parallelism = limit;
    arena_init(&b->arena);
    scope_init(&b->inputs, globals_for(r, n->wf_status));
    n->body = b;
    r->frame_bytes += sizeof *b + n->tmpl->n_calls * sizeof *b->calls;
    locals_scope(r, &b->arena, &b->inputs, n);
    inputs_scope(r, &b->arena, &b->inputs, n);
}

void loop_frame_free(struct run *r, struct group_frame *g)
{
    if (!g) return;
    r->frame_bytes -= g->n_items * sizeof *g->items;
    free(g->items);
    free(g);
}

void body_end(struct run *r, struct node *n)
{
    struct body *b = n->body;
    if (!b || !b->calls) return;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) {
        struct call_state *c = &b->calls[i];
        if (c->node && c->node->type == NTYPE_TASKGROUP) c->node->group = NULL;
        loop_frame_free(r, c->loop);
    }
    r->frame_bytes -= b->tmpl->n_calls * sizeof *b->calls;
    free(b->calls);
    free(b->targets);
    b->calls = NULL;
    b->targets = NULL;
    VEC_FINI(&b->blocked);
    scope_fini(&b->inputs);
    arena_fini(&b->arena);
}

struct outbound {
    struct run *r;
    VEC(uint32_t) found;
};

static void outbound_add(void *ctx, struct node *n)
{
    struct outbound *o = ctx;
    VEC_PUSH(&o->found, n->idx);
}

/* The nodes by which the graph goes on after this instance: those of its last group, or of its
 * targets. */
static void outbound_set(struct run *r, struct node *n)
{
    struct body *b = n->body;
    struct outbound o = {.r = r};
    if (n->type == NTYPE_STEPS && b->group_node)
        for (uint32_t i = 0; i < b->group_node->n_children; i++)
            node_outbound(r, r->nodes.items[b->group_node->children[i]], outbound_add, &o);
    for (uint32_t i = 0; i < b->n_targets; i++)
        if (b->calls[b->targets[i]].node)
            node_outbound(r, b->calls[b->targets[i]].node, outbound_add, &o);
    b->outbound = o.found.items;
    b->n_outbound = (uint32_t)o.found.n;
}

void body_finish(struct run *r, struct node *n, enum node_phase p, struct str message)
{
    outbound_set(r, n);
    node_finish(r, n, p, message);
    daemons_end(r, n);
}

/* Attempts are looked at by their strategy; what hooks come to is their own affair. */
void body_error(struct run *r, struct node *n, struct str why)
{
    if (n == r->root) run_entry_fails(r);
    if (!n->retried && !n->hooked) {
        fault_group(r, n->parent, n, why);
        why = fault_text(r, n->boundary, n->name, why);
    }
    body_finish(r, n, NODE_ERROR, why);
}

void body_fail_fast(struct run *r, struct node *n)
{
    body_break(r, n, NODE_FAILED, STR("template has failed or errored children and failFast enabled"));
}

void body_break(struct run *r, struct node *n, enum node_phase p, struct str why)
{
    struct body *b = n->body;
    limit_drop(n);
    if (b->group_node && !phase_fulfilled(b->group_node->phase)) {
        free(b->group_node->group);
        b->group_node->group = NULL;
        b->group_node->parent = NULL; /* its end is decided here */
        node_finish(r, b->group_node, p, why);
    }
    for (uint32_t i = 0; n->type == NTYPE_DAG && i < b->tmpl->n_calls; i++) {
        struct node *c = b->calls[i].node;
        if (!c || phase_fulfilled(c->phase) || c->type != NTYPE_TASKGROUP) continue;
        c->parent = NULL;
        node_finish(r, c, p, why);
    }
    body_finish(r, n, p, why);
}

/* Nodes from before a reset, as far as their items are the same. */
static void items_keep(struct run *r, struct group_frame *g, struct group_frame *before, const struct val *items)
{
    for (uint32_t i = 0; i < MIN(g->n_items, before->n_items); i++) {
        struct node *n = before->items[i];
        if (n && str_eq(n->item, json_text(&r->scratch, &items->items[i]))) g->items[i] = n;
    }
    loop_frame_free(r, before);
}

struct group_frame *loop_begin(struct run *r, struct node *boundary, const struct call *c,
                               const struct val *items)
{
    struct group_frame *g = mem_zalloc(sizeof *g), *before = boundary->body->calls[c->idx].loop;
    g->items = mem_zalloc(items->n * sizeof *g->items);
    g->n_items = items->n;
    g->items_json = json_text(&boundary->body->arena, items);
    r->frame_bytes += items->n * sizeof *g->items;
    boundary->body->calls[c->idx].loop = g;
    if (before) items_keep(r, g, before, items);
    return g;
}

bool continues_on(const struct call *c, enum node_phase p)
{
    const struct val *on = c ? val_get(c->src, STR("continueOn")) : NULL;
    return (p == NODE_FAILED && val_is_true(on, "failed")) ||
           (p == NODE_ERROR && val_is_true(on, "error"));
}
