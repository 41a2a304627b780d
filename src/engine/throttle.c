/* See throttle.h. */
#include "engine/throttle.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/vec.h"

struct space {
    struct str ns;
    struct heap waiting;
    size_t at_work;
    size_t members; /* of both */
};

struct throttle_item {
    struct throttle *t;
    struct throttle_opts o;
    struct space *space;
    size_t place; /* in space.waiting; 0: at work */
};

struct throttle {
    int64_t total, per_namespace;
    size_t at_work;
    VEC(struct space *) spaces;
};

static bool before(const void *x, const void *y)
{
    const struct throttle_opts *a = &((const struct throttle_item *)x)->o, *b = &((const struct throttle_item *)y)->o;
    if (a->priority != b->priority) return a->priority > b->priority;
    if (a->created_us != b->created_us) return a->created_us < b->created_us;
    return a->number < b->number;
}

struct throttle *throttle_new(int64_t total, int64_t per_namespace)
{
    struct throttle *t = mem_zalloc(sizeof *t);
    t->total = total;
    t->per_namespace = per_namespace;
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t) return;
    ASSERT(!t->spaces.n);
    VEC_FINI(&t->spaces);
    free(t);
}

static struct space *space_of(struct throttle *t, struct str ns)
{
    for (size_t i = 0; i < t->spaces.n; i++)
        if (str_eq(t->spaces.items[i]->ns, ns)) return t->spaces.items[i];
    struct space *s = mem_zalloc(sizeof *s);
    char *text = mem_alloc(ns.n + 1);
    if (ns.n) memcpy(text, ns.p, ns.n);
    s->ns = str_n(text, ns.n);
    s->waiting = (struct heap){.before = before, .place = offsetof(struct throttle_item, place)};
    VEC_PUSH(&t->spaces, s);
    return s;
}

static void space_settle(struct throttle *t, struct space *s)
{
    if (s->members) return;
    for (size_t i = 0; i < t->spaces.n; i++)
        if (t->spaces.items[i] == s) t->spaces.items[i] = t->spaces.items[t->spaces.n - 1];
    t->spaces.n--;
    heap_fini(&s->waiting);
    free((char *)(uintptr_t)s->ns.p);
    free(s);
}

static void begin(struct throttle_item *i)
{
    i->space->at_work++;
    i->t->at_work++;
}

struct throttle_item *throttle_add(struct throttle *t, const struct throttle_opts *o, bool at_work)
{
    struct throttle_item *i = mem_zalloc(sizeof *i);
    i->t = t;
    i->o = *o;
    i->space = space_of(t, o->ns);
    i->o.ns = i->space->ns;
    i->space->members++;
    if (at_work) begin(i);
    else heap_push(&i->space->waiting, i);
    return i;
}

bool throttle_waits(const struct throttle_item *i) { return i && i->place; }

void throttle_let_in(struct throttle_item *i)
{
    if (!throttle_waits(i)) return;
    heap_remove(&i->space->waiting, i);
    begin(i);
}

void throttle_remove(struct throttle_item *i)
{
    if (!i) return;
    struct space *s = i->space;
    if (i->place) {
        heap_remove(&s->waiting, i);
    } else {
        s->at_work--;
        i->t->at_work--;
    }
    s->members--;
    space_settle(i->t, s);
    free(i);
}

static bool has_room(int64_t limit, size_t n) { return limit <= 0 || n < (uint64_t)limit; }

void *throttle_next(struct throttle *t)
{
    struct throttle_item *best = NULL;
    if (!has_room(t->total, t->at_work)) return NULL;
    for (size_t i = 0; i < t->spaces.n; i++) {
        struct space *s = t->spaces.items[i];
        struct throttle_item *front = heap_top(&s->waiting);
        if (front && has_room(t->per_namespace, s->at_work) && (!best || before(front, best))) best = front;
    }
    if (!best) return NULL;
    throttle_let_in(best);
    return best->o.owner;
}
