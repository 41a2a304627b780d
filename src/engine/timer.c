/* Timers of a run: a binary heap of wall-clock deadlines. An entry whose node has moved on is stale
 * and is dropped when it comes up. */
#include "engine/engine_p.h"
#include "engine/text_p.h"

enum { OWN_DEADLINE = UINT32_MAX };

static struct str timer_name(const struct run *r, const struct timer *t)
{
    return t->node == OWN_DEADLINE ? STR("") : r->nodes.items[t->node]->name;
}

static bool earlier(const struct run *r, const struct timer *a, const struct timer *b)
{
    if (a->at_us != b->at_us) return a->at_us < b->at_us;
    return str_cmp(timer_name(r, a), timer_name(r, b)) < 0;
}

static void swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

void timer_add(struct run *r, int64_t at_us, const struct node *n)
{
    struct timer t = {.at_us = at_us, .node = n ? n->idx : OWN_DEADLINE};
    VEC_PUSH(&r->timers, t);
    struct timer *h = r->timers.items;
    for (size_t i = r->timers.n - 1; i && earlier(r, &h[i], &h[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&h[i], &h[(i - 1) / 2]);
}

static struct timer pop(struct run *r)
{
    struct timer *h = r->timers.items, top = h[0];
    h[0] = h[--r->timers.n];
    for (size_t i = 0, n = r->timers.n;;) {
        size_t least = i, left = 2 * i + 1;
        if (left < n && earlier(r, &h[left], &h[least])) least = left;
        if (left + 1 < n && earlier(r, &h[left + 1], &h[least])) least = left + 1;
        if (least == i) return top;
        swap(&h[i], &h[least]);
        i = least;
    }
}

static bool pends_too_long(struct run *r, struct node *n)
{
    const struct val *tmpl;
    struct err e;
    if (n->phase != NODE_PENDING || !val_get(n->tmpl->src, STR("pendingTimeout")) || !pod_template(r, n, &tmpl, &e))
        return false;
    int64_t us = duration_us(val_get_str(tmpl, "pendingTimeout"), &e);
    return us >= 0 && n->started_us + us <= r->now_us;
}

static struct str pod_due_text(struct run *r, struct node *n)
{
    int64_t over_us = retry_over_us(r, n);
    if (over_us && over_us <= r->now_us) return STR("Step exceeded its deadline");
    return pends_too_long(r, n) ? STR("Pod was pending longer than the specified pendingTimeout")
                                : STR("Pod was active on the node longer than the specified deadline");
}

static void node_due(struct run *r, struct node *n)
{
    if (node_is_waiting(n)) sync_time_out(r, n);
    else if (n->type == NTYPE_SUSPEND) suspend_resume(r, n);
    else if (n->type == NTYPE_RETRY && n->retry->waiting) retry_decide(r, n);
    else if (n->type == NTYPE_CONTAINER) cset_retry_due(r, n);
    else if (n->type == NTYPE_POD) node_kill(r, n, pod_due_text(r, n));
    else if (n->type == NTYPE_HTTP) http_end(r, n, STR("timeout"));
}

/* Stop and deadline alike: running work is ended, waiting work fails, exit handlers go on. */
void work_end(struct run *r, struct str why, bool exit_too)
{
    for (size_t i = 0; i < r->nodes.n; i++) {
        struct node *n = r->nodes.items[i];
        if (phase_fulfilled(n->phase) || (n->in_exit && !exit_too)) continue;
        if (node_is_waiting(n) && n->again) {
            sync_leave(r, n); /* what stands in it ends as it would with its locks */
            continue;
        }
        if (node_is_waiting(n)) {
            node_finish(r, n, NODE_FAILED, start_refusal(r, n)); /* as it would be told after the wait */
            continue;
        }
        if (n->type == NTYPE_POD) node_kill(r, n, why);
        /* Argo has other words for what has no pod of its own (failNodesWithoutCreatedPods) */
        if (n->type == NTYPE_SUSPEND) node_finish(r, n, NODE_FAILED, r->stop ? stopped_text(r) : why);
        if (n->type == NTYPE_HTTP) http_end(r, n, r->stop ? stopped_text(r) : why);
        if (n->type == NTYPE_RETRY && n->retry->waiting) retry_decide(r, n);
    }
    if (!run_is_waiting(r)) again_go_on(r);
}

static bool is_stale(const struct run *r, const struct timer *t)
{
    if (r->done) return true;
    if (t->node == OWN_DEADLINE) return r->deadline_passed;
    const struct node *n = r->nodes.items[t->node];
    return phase_fulfilled(n->phase) || n->deadline_us != t->at_us || n->killed;
}

static const struct timer *first(struct run *r)
{
    while (r->timers.n && is_stale(r, &r->timers.items[0])) pop(r);
    return r->timers.n ? &r->timers.items[0] : NULL;
}

void timer_fire(struct run *r)
{
    const struct timer *t = first(r);
    if (!t || t->at_us > r->now_us) return;
    struct timer due = pop(r);
    if (due.node != OWN_DEADLINE) {
        node_due(r, r->nodes.items[due.node]);
        return;
    }
    r->deadline_passed = r->dirty = true;
    work_end(r, STR("Step exceeded its deadline"), false);
}

int64_t run_next_timer_us(struct run *r)
{
    const struct timer *t = first(r);
    return t ? t->at_us : 0;
}

struct node *run_next_timer_node(struct run *r)
{
    const struct timer *t = first(r);
    return t && t->node != OWN_DEADLINE ? r->nodes.items[t->node] : NULL;
}
