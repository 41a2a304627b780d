/* Workflows as Argo's watches show them: made once for all watches, the last ones kept. */
#include "doc/json_write.h"
#include "service/service_p.h"

enum { SLOTS = 32, BIG_BYTES = 256 << 10 };

struct shown_cache {
    struct shown slots[SLOTS];
    struct shown big; /* one that is large is kept alone */
};

static void shown_make(struct service *s, struct shown *x, int64_t run, bool nodes)
{
    struct store *st = service_store(s);
    struct arena *a = &x->arena;
    struct err e;
    arena_fini(a);
    *x = (struct shown){.arena = *a, .run = run, .nodes = nodes};
    x->rv = store_version(st) - store_in_transaction(st); /* of what is still open more may come */
    if (!store_run_get(a, st, run, &x->row, &e)) {
        x->row = (struct run_row){0};
        return;
    }
    x->shorter = run_short_form(a, st, &x->row);
    if (exec_workflow(a, st, &x->row, nodes, &x->whole, &e)) x->text = json_text(a, &x->whole);
}

static bool fits(const struct shown *x, int64_t run, int64_t rv, bool nodes) { return x->run == run && x->rv >= rv && x->nodes == nodes; }

const struct shown *shown_get(struct service *s, int64_t run, int64_t rv, bool nodes)
{
    if (!s->shown) s->shown = mem_zalloc(sizeof *s->shown);
    struct shown *x = &s->shown->slots[(run * 2 + nodes) % SLOTS], *big = &s->shown->big;
    if (fits(big, run, rv, nodes)) return big;
    if (fits(x, run, rv, nodes)) return x;
    shown_make(s, x, run, nodes);
    if (x->arena.used <= BIG_BYTES) return x;
    arena_fini(&big->arena);
    *big = *x;
    *x = (struct shown){0};
    return big;
}

void shown_drop(struct service *s)
{
    if (!s->shown) return;
    for (size_t i = 0; i < SLOTS; i++) arena_fini(&s->shown->slots[i].arena);
    arena_fini(&s->shown->big.arena);
    free(s->shown);
    s->shown = NULL;
}
