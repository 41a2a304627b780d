/* What stands between a node and its begin: locks, then the cache of outputs (operator.go
 * executeTemplate). Once a node has its locks nothing holds it back but what the cache knows. */
#include "engine/engine_p.h"
#include "engine/text_p.h"

/* The node as it will be, for what its template may refer to. */
static struct node probe_of(const struct start *s)
{
    return (struct node){.type = s->tmpl->type == TMPL_STEPS ? NTYPE_STEPS : s->tmpl->type == TMPL_DAG ? NTYPE_DAG : NTYPE_POD,
                         .boundary = s->boundary, .tmpl = s->tmpl, .call = s->call, .name = s->name,
                         .inputs = s->inputs, .item = s->item};
}

static bool decide(struct run *r, const struct start *s, const struct val *sync, const struct val *memo,
                   struct gate *g, struct err *e)
{
    struct node probe = probe_of(s);
    struct val v;
    if (sync && (!pod_template_field(r, &probe, sync, &v, e) || !sync_decide(r, &v, g, e))) return false;
    if (!memo) return true;
    return pod_template_field(r, &probe, memo, &v, e) && memo_decide(&v, &r->arena, g, e);
}

static const struct val *map_field(const struct val *src, const char *name)
{
    const struct val *v = val_get(src, str_of(name));
    return v && v->kind == VAL_MAP ? v : NULL;
}

bool gate_make(struct run *r, const struct start *s, struct gate **out, struct err *e)
{
    const struct val *sync = map_field(s->tmpl->src, "synchronization"), *memo = map_field(s->tmpl->src, "memoize");
    *out = NULL;
    if (!sync && !memo) return true;
    struct gate *g = *out = ARENA_NEW(&r->arena, struct gate);
    if (!decide(r, s, sync, memo, g, e)) return false;
    if (g->n_names) return sync_check(r, g, e);
    g->looked = g->key.p != NULL; /* without locks the cache is asked before there is a node */
    return !g->looked || memo_look(r, g, &g->hit, &g->outputs, e);
}

/* The node as it was when gate_make decided. */
static bool names_again(struct run *r, const struct node *n, struct gate *g, struct err *e)
{
    const struct val *sync = map_field(n->tmpl->src, "synchronization");
    struct node probe = *n;
    struct val v;
    if (!sync) return true;
    if (n->type == NTYPE_RETRY) probe.type = n->tmpl->type == TMPL_STEPS ? NTYPE_STEPS : n->tmpl->type == TMPL_DAG ? NTYPE_DAG : NTYPE_POD;
    return pod_template_field(r, &probe, sync, &v, e) && sync_decide(r, &v, g, e) && (!g->n_names || sync_check(r, g, e));
}

bool gate_again(struct run *r, struct node *n, struct err *e)
{
    struct gate *g = n->gate ? n->gate : ARENA_NEW(&r->arena, struct gate);
    g->n_names = 0;
    if (!names_again(r, n, g, e)) return false;
    if (!g->n_names) return true;
    n->gate = g;
    return sync_ask(r, n, e);
}

void gate_pass(struct run *r, struct node *n)
{
    struct gate *g = n->gate;
    struct err e;
    if (g && g->key.p && !g->looked && !memo_look(r, g, &g->hit, &g->outputs, &e)) {
        if (n == r->root) run_entry_fails(r);
        node_finish(r, n, NODE_ERROR, start_fault_text(r, n, str_of(e.text)));
        start_fault(r, n);
        return;
    }
    if (!g || !g->hit) {
        start_open(r, n);
        return;
    }
    n->outputs = g->outputs;
    node_finish(r, n, NODE_SUCCEEDED, STR_NONE);
}

/* Attempts keep their outputs under the key of their retry node, which has passed the gate for them. */
struct gate *gate_of_attempt(struct run *r, const struct node *retry)
{
    if (!retry->gate || !retry->gate->key.p) return NULL;
    struct gate *g = ARENA_NEW(&r->arena, struct gate);
    g->key = retry->gate->key;
    g->cache = retry->gate->cache;
    return g;
}
