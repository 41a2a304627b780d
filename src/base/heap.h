/* Binary heap of pointers whose items know their place, so that any of them can be taken out or
 * moved in O(log n). An item holds a size_t that is 0 while it is in no heap; `place` is its offset.
 * Items are not owned. Runs on: one thread. */
#pragma once
#include "base/base.h"

/* True: a comes out before b. A strict order; items that are equal come out in no particular order. */
typedef bool heap_before_fn(const void *a, const void *b);

struct heap {
    void **items;
    size_t n, cap;
    heap_before_fn *before;
    size_t place; /* offsetof(item, its size_t) */
};

void heap_fini(struct heap *h); /* the items are not touched */
void heap_push(struct heap *h, void *item);
void heap_remove(struct heap *h, void *item); /* must be in it */
void heap_fix(struct heap *h, void *item);    /* its order has changed */
static inline void *heap_top(const struct heap *h) { return h->n ? h->items[0] : NULL; }
static inline bool heap_has(const struct heap *h, const void *item)
{
    return *(const size_t *)((const char *)item + h->place) != 0;
}
