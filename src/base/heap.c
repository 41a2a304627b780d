/* See heap.h. */
#include "base/heap.h"

#include <stdlib.h>

static size_t *place_of(const struct heap *h, void *item)
{
    return (size_t *)((char *)item + h->place);
}

static void set(struct heap *h, size_t i, void *item)
{
    h->items[i] = item;
    *place_of(h, item) = i + 1;
}

static void up(struct heap *h, size_t i, void *item)
{
    for (; i && h->before(item, h->items[(i - 1) / 2]); i = (i - 1) / 2) set(h, i, h->items[(i - 1) / 2]);
    set(h, i, item);
}

static void down(struct heap *h, size_t i, void *item)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && h->before(h->items[child + 1], h->items[child])) child++;
        if (!h->before(h->items[child], item)) break;
        set(h, i, h->items[child]);
        i = child;
    }
    set(h, i, item);
}

static void settle(struct heap *h, size_t i, void *item)
{
    if (i && h->before(item, h->items[(i - 1) / 2])) up(h, i, item);
    else down(h, i, item);
}

void heap_fini(struct heap *h)
{
    free(h->items);
    h->items = NULL;
    h->n = h->cap = 0;
}

void heap_push(struct heap *h, void *item)
{
    ASSERT(!heap_has(h, item));
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 4;
        h->items = mem_grow(h->items, h->cap * sizeof *h->items);
    }
    h->n++;
    up(h, h->n - 1, item);
}

void heap_remove(struct heap *h, void *item)
{
    size_t i = *place_of(h, item) - 1;
    ASSERT(i < h->n && h->items[i] == item);
    void *last = h->items[--h->n];
    *place_of(h, item) = 0;
    if (last != item) settle(h, i, last);
}

void heap_fix(struct heap *h, void *item)
{
    size_t i = *place_of(h, item) - 1;
    ASSERT(i < h->n && h->items[i] == item);
    settle(h, i, item);
}
