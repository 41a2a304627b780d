/* How many workflows may be at work at once: in all, and in each namespace (Argo's controller settings
 * parallelism and namespaceParallelism; workflow/sync/multi_throttler.go). A pure object beside the runs.
 *
 * Who comes too many waits in the queue of its namespace, by priority (larger first), then creation, then
 * number. Of the namespaces that have room the best front goes next. Who was let in stays until it
 * ends. Runs on: the thread of its runs. */
#pragma once
#include "base/str.h"

struct throttle;
struct throttle_item;

struct throttle *throttle_new(int64_t total, int64_t per_namespace); /* 0: no limit */
void throttle_free(struct throttle *t); /* with nobody in it; NULL is fine */

struct throttle_opts {
    struct str ns;
    int64_t priority, created_us;
    uint64_t number; /* decides between two that are alike */
    void *owner;
};
/* `at_work`: it is counted, whatever the limits are (restart); else it waits for throttle_next. */
struct throttle_item *throttle_add(struct throttle *t, const struct throttle_opts *o, bool at_work);
void throttle_remove(struct throttle_item *i); /* it has ended; NULL is fine */
/* Lets the next one in: its owner, or NULL. */
void *throttle_next(struct throttle *t);
void throttle_let_in(struct throttle_item *i); /* out of turn; nothing when it is in */
bool throttle_waits(const struct throttle_item *i); /* NULL: no */
