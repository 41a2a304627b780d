/* Going on after a reset (reset.c): what was kept has its nodes, the rest begins as if it had just
 * become ready. Instances are visited in the order of their creation, so an outer one has counted what
 * it waits for before an inner one ends. One whose template has locks goes on when it has them again, and
 * what stands in it after that (operator.go executeTemplate). */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

void again_note(struct run *r, struct node *n)
{
    VEC_PUSH(&r->again, n);
}

void again_place(struct run *r, struct group_frame **frame, struct node *n, uint32_t item)
{
    struct group_frame *g = *frame ? *frame : mem_zalloc(sizeof *g);
    if (item >= g->n_items) {
        g->items = mem_grow(g->items, (item + 1) * sizeof *g->items);
        memset(g->items + g->n_items, 0, (item + 1 - g->n_items) * sizeof *g->items);
        r->frame_bytes += (item + 1 - g->n_items) * sizeof *g->items;
        g->n_items = item + 1;
    }
    g->items[item] = n;
    *frame = g;
}

/* The items of a loop that is over, from its nodes. */
static struct str items_of_nodes(struct arena *a, const struct group_frame *g)
{
    struct val_builder list;
    list_begin(&list, a);
    for (uint32_t i = 0; i < g->n_items; i++)
        list_add(&list, g->items[i] ? parsed(a, g->items[i]->item) : val_null);
    struct val v = list_done(&list);
    return json_text(a, &v);
}

static void frames_complete(struct node *n)
{
    for (uint32_t i = 0; i < n->tmpl->n_calls; i++) {
        struct group_frame *g = n->body->calls[i].loop;
        if (g && !g->items_json.p) g->items_json = items_of_nodes(&n->body->arena, g);
    }
}

/* What it waited for has not its turn yet. */
static bool stands_below(const struct node *n)
{
    for (const struct node *p = n->parent; p; p = p->parent)
        if (p->again) return true;
    return false;
}

/* Its locks were given back when it ended, so it asks for them again. Attempts stand under those of their
 * retry node. True: it has to wait, or could not even ask. */
static bool is_locked_out(struct run *r, struct node *n)
{
    struct err e;
    bool asks = !n->retried && (n->type == NTYPE_STEPS || n->type == NTYPE_DAG || n->type == NTYPE_RETRY);
    if (node_is_waiting(n)) return true;
    if (!asks || (n->gate && n->gate->claim) || start_refusal(r, n).p) return false;
    if (gate_again(r, n, &e)) return node_is_waiting(n);
    if (n->body) body_error(r, n, str_of(e.text));
    else node_finish(r, n, NODE_ERROR, str_of(e.text));
    return true;
}

static void go_on(struct run *r, struct node *n)
{
    n->again = false;
    node_touch(r, n);
    if (n->type == NTYPE_STEPS) steps_again(r, n);
    if (n->type == NTYPE_DAG) dag_again(r, n);
    if (n->type == NTYPE_RETRY) retry_again(r, n);
}

void again_go_on(struct run *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->again.n && !r->full; i++) {
        struct node *n = r->again.items[i];
        if (phase_fulfilled(n->phase)) continue;
        if (stands_below(n) || is_locked_out(r, n)) r->again.items[kept++] = n;
        else go_on(r, n);
    }
    r->again.n = kept;
}

void again_begin(struct run *r)
{
    if (!r->root && r->started_us && !r->suspended && !r->done) root_begin(r);
    for (size_t i = 0; i < r->again.n; i++) {
        struct node *n = r->again.items[i];
        if (n->type == NTYPE_STEPS || n->type == NTYPE_DAG) frames_complete(n);
    }
    again_go_on(r);
}
