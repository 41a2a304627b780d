/* Parallelism and template.failFast: what holds a child back, and when it may go.
 *
 * spec.parallelism counts pods of the whole workflow; template.parallelism the direct Pod, Steps
 * and DAG children of one instance (operator.go checkParallelism). Held children wait in the order
 * in which they became ready. */
#include "engine/engine_p.h"

static bool run_has_room(const struct run *r)
{
    return r->parallelism <= 0 || r->active_pods < (uint64_t)r->parallelism;
}

static bool instance_has_room(const struct body *b)
{
    if (b->fail_fast && b->bad_children) return false;
    return b->parallelism <= 0 || b->active_children < (uint64_t)b->parallelism;
}

bool limit_allows(const struct run *r, const struct node *boundary)
{
    if (r->suspended) return false;
    if (r->stop || r->deadline_passed) return true; /* whatever comes now is refused, not held */
    return run_has_room(r) && (!boundary || instance_has_room(boundary->body));
}

void limit_hold(struct run *r, struct node *boundary, const struct blocked *held)
{
    struct body *b = boundary->body;
    struct blocked copy = *held;
    if (copy.item.p) copy.item = str_dup(&r->arena, copy.item);
    VEC_PUSH(&b->blocked, copy);
    if (b->queued) return;
    b->queued = true;
    VEC_PUSH(&r->held, boundary);
}

static bool release_instance(struct run *r, struct node *boundary)
{
    struct body *b = boundary->body;
    bool any = false;
    while (b->blocked_head < b->blocked.n && limit_allows(r, boundary)) {
        struct blocked next = b->blocked.items[b->blocked_head++];
        call_start(r, boundary, &next, NULL);
        any = true;
    }
    if (b->blocked_head == b->blocked.n) b->blocked_head = b->blocked.n = 0;
    return any;
}

static void release_retries(struct run *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->held_retry.n; i++) {
        struct node *retry = r->held_retry.items[i];
        if (limit_allows(r, NULL)) start_attempt(r, retry);
        else r->held_retry.items[kept++] = retry;
    }
    r->held_retry.n = kept;
}

void limit_release(struct run *r)
{
    size_t kept = 0;
    if (r->held_retry.n && limit_allows(r, NULL)) release_retries(r);
    if (!r->held.n || r->suspended) return;
    for (size_t i = 0; i < r->held.n; i++) {
        struct node *boundary = r->held.items[i];
        bool over = phase_fulfilled(boundary->phase);
        if (!over && run_has_room(r)) release_instance(r, boundary);
        if (!over && boundary->body->blocked.n) r->held.items[kept++] = boundary;
        else boundary->body->queued = false;
    }
    r->held.n = kept;
}

/* True when a failed child forbids further ones, some were held back and nothing runs any more:
 * the instance has then failed. */
bool limit_fail_fast(struct run *r, struct node *boundary)
{
    struct body *b = boundary->body;
    (void)r;
    return b->fail_fast && b->bad_children && b->blocked.n && !b->active_children;
}
