/* Parallelism and template.failFast: what holds something back, and when it may go.
 *
 * spec.parallelism counts pods of the whole workflow; template.parallelism the direct Pod, Steps
 * and DAG children of one instance (operator.go checkParallelism). Argo looks at everything again
 * from the top whenever something ends, so a free slot goes to the first in the order of that walk.
 * Here whatever a limit may concern is put aside first, and what the walk would meet first is
 * released first. */
#include "engine/engine_p.h"

bool limit_has_room(const struct run *r)
{
    return r->parallelism <= 0 || r->active_pods < (uint64_t)r->parallelism;
}

static bool instance_has_room(const struct body *b)
{
    bool attempt = b->blocked.items[b->blocked_head].retry != NULL; /* failFast is about new children */
    if (b->fail_fast && b->bad_children && !attempt) return false;
    return b->parallelism <= 0 || b->active_children < (uint64_t)b->parallelism;
}

bool limit_exists(const struct run *r, const struct body *b)
{
    return r->suspended || r->parallelism > 0 || b->parallelism > 0 || b->fail_fast;
}

/* ---- places in the walk ---- */

struct place {
    uint32_t rank, item;
    int hook; /* 0: the child itself; below it the hooks that are looked at before it, above it those behind it */
};

static uint32_t rank_of(const struct node *boundary, const struct call *c)
{
    const struct body *b = boundary->body;
    return boundary->type == NTYPE_DAG && b->calls ? b->calls[c->idx].rank : c->idx; /* none once it is over */
}

/* dag.go executeDAGTask looks at the named hooks of a task before it goes on with the task, and at its
 * exit hook behind it. Hooks of steps stand behind all steps, the named ones before the exit hook: steps.go
 * looks at them when it judges the group. */
static struct place place_of_hook(const struct node *boundary, struct place p, uint32_t hook)
{
    bool steps = boundary->type == NTYPE_STEPS;
    p.hook = hook == HOOK_EXIT ? HOOK_END : steps ? (int)hook : (int)hook - HOOK_END;
    if (steps) p.rank += boundary->tmpl->n_calls;
    return p;
}

/* Of a node among the children of its boundary. */
static struct place place_of_node(const struct node *n)
{
    struct place p = {0};
    uint32_t hook = HOOK_NONE;
    while (!n->call && n->parent && n->parent != n->boundary) {
        if (n->hooked && !n->retried) hook = n->hook;
        n = n->parent;
    }
    if (!n->call) return p;
    p.rank = rank_of(n->boundary, n->call);
    p.item = n->item.p ? node_item_index(n) : 0;
    return hook ? place_of_hook(n->boundary, p, hook) : p;
}

static struct place place_of(const struct node *boundary, const struct blocked *b)
{
    if (b->retry) return place_of_node(b->retry);
    if (b->hook_of) return place_of_hook(boundary, place_of_node(b->hook_of), b->hook);
    return (struct place){rank_of(boundary, b->call), b->item_idx, 0};
}

static int place_cmp(struct place a, struct place b)
{
    if (a.rank != b.rank) return a.rank < b.rank ? -1 : 1;
    if (a.item != b.item) return a.item < b.item ? -1 : 1;
    return (a.hook > b.hook) - (a.hook < b.hook);
}

static int depth_of(const struct node *n)
{
    int d = 0;
    for (; n->boundary; n = n->boundary) d++;
    return d;
}

/* Which of two children the walk meets first: their places among the children of a and b, which may
 * be NULL for the root and the exit handler, which are never at work together. */
static bool places_before(struct place pa, const struct node *a, struct place pb, const struct node *b)
{
    if (!a || !b) return a && !b;
    int da = depth_of(a), db = depth_of(b);
    for (; da > db; da--) pa = place_of_node(a), a = a->boundary;
    for (; db > da; db--) pb = place_of_node(b), b = b->boundary;
    while (a != b) {
        pa = place_of_node(a), a = a->boundary;
        pb = place_of_node(b), b = b->boundary;
        if (!a || !b) break; /* the exit handler stands beside the root */
    }
    return place_cmp(pa, pb) < 0;
}

static struct place first_place(const struct node *boundary)
{
    return place_of(boundary, &boundary->body->blocked.items[boundary->body->blocked_head]);
}

bool limit_node_before(const void *x, const void *y)
{
    const struct node *a = x, *b = y;
    if (!a->boundary || !b->boundary) return places_before((struct place){0}, a->boundary, (struct place){0}, b->boundary);
    return places_before(place_of_node(a), a->boundary, place_of_node(b), b->boundary);
}

/* ---- holding and releasing ---- */

void limit_hold(struct run *r, struct node *boundary, const struct blocked *held)
{
    struct body *b = boundary->body;
    struct blocked copy = *held;
    if (copy.item.p) copy.item = str_dup(&r->arena, copy.item);
    VEC_PUSH(&b->blocked, copy);
    struct place p = place_of(boundary, &copy);
    struct blocked *items = b->blocked.items;
    for (size_t i = b->blocked.n - 1; i > b->blocked_head; i--) {
        if (place_cmp(place_of(boundary, &items[i - 1]), p) <= 0) break;
        items[i] = items[i - 1];
        items[i - 1] = copy;
    }
    if (b->queued) return;
    b->queued = true;
    VEC_PUSH(&r->held, boundary);
}

bool limit_pass(struct run *r, struct node *boundary, const struct blocked *b)
{
    bool has_turn = r->releasing;
    r->releasing = false;
    if (has_turn || !boundary || !limit_exists(r, boundary->body)) return true;
    limit_hold(r, boundary, b);
    return false;
}

void limit_drop(struct node *boundary)
{
    boundary->body->blocked.n = boundary->body->blocked_head = 0;
}

void limit_drop_new(struct node *boundary)
{
    struct body *b = boundary->body;
    size_t kept = b->blocked_head;
    for (size_t i = kept; i < b->blocked.n; i++)
        if (b->blocked.items[i].retry) b->blocked.items[kept++] = b->blocked.items[i];
    b->blocked.n = kept;
}

static bool may_go(const struct run *r, const struct node *boundary)
{
    return !r->suspended && limit_has_room(r) && instance_has_room(boundary->body);
}

/* The instance whose first entry is the next to go, or NULL. Forgets those that hold nothing. */
static struct node *next_in_walk(struct run *r)
{
    struct node *best = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < r->held.n; i++) {
        struct node *b = r->held.items[i];
        if (phase_fulfilled(b->phase) || b->body->blocked_head == b->body->blocked.n) {
            b->body->queued = false;
            continue;
        }
        if (limit_fail_fast(b)) {
            b->body->queued = false;
            body_fail_fast(r, b);
            continue;
        }
        r->held.items[kept++] = b;
        if (may_go(r, b) && (!best || places_before(first_place(b), b, first_place(best), best))) best = b;
    }
    r->held.n = kept;
    return best;
}

size_t run_limit_waits(const struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; !r->suspended && i < r->held.n; i++) {
        const struct node *at = r->held.items[i];
        const struct body *b = at->body;
        bool full = !limit_has_room(r) || (b->parallelism > 0 && b->active_children >= (uint64_t)b->parallelism);
        if (full && !phase_fulfilled(at->phase)) n += b->blocked.n - b->blocked_head;
    }
    return n;
}

static void release(struct run *r, struct node *boundary)
{
    struct body *b = boundary->body;
    struct blocked next = b->blocked.items[b->blocked_head++];
    if (b->blocked_head == b->blocked.n) limit_drop(boundary);
    if (next.retry) {
        retry_go(r, next.retry);
    } else if (next.hook_of) {
        hook_run(r, next.hook_of, next.hook);
    } else {
        r->releasing = true; /* limit_pass lets this one through */
        call_start(r, boundary, &next, NULL);
        r->releasing = false;
    }
}

/* Whoever waits for a lock takes part in the walk, too. Hooks of what has just begun come before the next. */
void limit_release(struct run *r)
{
    while (!r->finished.n && !r->hook_due.n && !r->full) {
        struct node *held = r->held.n ? next_in_walk(r) : NULL;
        struct node *locked = sync_next(r);
        if (held && locked && locked->boundary &&
            places_before(place_of_node(locked), locked->boundary, first_place(held), held))
            held = NULL;
        if (held) release(r, held);
        else if (locked) sync_take(r, locked);
        else return;
    }
}

/* True when a child has failed and no pod of the instance runs any more: Argo then fails it before
 * it looks at anything else, retries included; an attempt of a retry only when it is about to make a
 * new child. */
bool limit_fail_fast(const struct node *boundary)
{
    const struct body *b = boundary->body;
    bool waits = b->blocked_head < b->blocked.n && !b->blocked.items[b->blocked_head].retry;
    return b->fail_fast && b->bad_children && !b->active_pods && (!boundary->retried || waits);
}
