/* What is going on now: the engine's own view, or, where none is at work, what is stored. */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "service/service_p.h"

static void number_add(struct val_builder *b, struct arena *a, const char *key, size_t n) { map_add(b, str_of(key), val_of_i64(a, (int64_t)n)); }

static struct val load_val(struct arena *a, const struct exec_load_now *n)
{
    struct val_builder b;
    map_begin(&b, a);
    number_add(&b, a, "workflows", n->workflows);
    number_add(&b, a, "workflowsWaiting", n->workflows_waiting);
    number_add(&b, a, "stepsRunning", n->steps_running);
    number_add(&b, a, "stepsMost", n->steps_most);
    number_add(&b, a, "stepsWaiting", n->steps_waiting);
    number_add(&b, a, "stepsHungry", n->steps_hungry);
    number_add(&b, a, "stepsPaced", n->steps_paced);
    number_add(&b, a, "stepsLimited", n->steps_limited);
    number_add(&b, a, "locksAwaited", n->locks_awaited);
    number_add(&b, a, "stepsFetching", n->steps_fetching);
    number_add(&b, a, "stepsPulling", n->steps_pulling);
    number_add(&b, a, "requests", n->requests);
    return map_done(&b);
}

/* What holds it back, and how much of it; empty: nothing but its own steps. */
static struct val held_val(struct arena *a, const struct exec_run_load *l)
{
    const struct { const char *by; size_t n; } rows[] = {{"parallelism", l->postponed}, {"own-parallelism", l->for_limit}, {"lock", l->for_locks},
                                                         {"machine", l->for_machine}, {"rate", l->for_rate}, {"slot", l->for_slot},
                                                         {"image", l->for_image}, {"files", l->for_files}};
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct val_builder b;
        if (!rows[i].n) continue;
        map_begin(&b, a);
        map_add_str(&b, "by", str_of(rows[i].by));
        number_add(&b, a, "n", rows[i].n);
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

static struct val item_val(struct arena *a, const struct exec *x, const struct run_row *row)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "namespace", row->ns);
    map_add_str(&b, "name", row->name);
    map_add_str(&b, "phase", row->phase);
    map_add_str(&b, "startedAt", rfc3339(a, row->started_us));
    map_add_str(&b, "progress", row->progress);
    if (x) {
        struct exec_run_load load;
        exec_run_load(x, row->run, &load);
        number_add(&b, a, "running", load.running);
        number_add(&b, a, "waiting", load.waiting);
        map_add(&b, STR("heldBy"), held_val(a, &load));
    }
    return map_done(&b);
}

static bool top_here(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    struct run_filter f = {.completed = -1, .limit = LIMIT_TOP_ROWS};
    struct run_page page = {0};
    struct val_builder b, items;
    if (service_store(s) && !store_run_list(a, service_store(s), &f, &page, e)) return false;
    list_begin(&items, a);
    for (size_t i = 0; i < page.n; i++) list_add(&items, item_val(a, s->exec, &page.rows[i]));
    map_begin(&b, a);
    if (s->exec) {
        struct exec_load_now now;
        exec_load_get(s->exec, &now);
        map_add(&b, STR("engine"), load_val(a, &now));
    }
    map_add(&b, STR("items"), list_done(&items));
    *out = map_done(&b);
    return true;
}

bool service_top(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    struct err absent;
    if (!s->exec && service_ask(a, s, "GET", "/api/v1/skiff/top", STR_NONE, out, &absent)) return true;
    if (s->remote || (!s->exec && absent.code != ERR_UNREACHABLE)) return *e = absent, false;
    return top_here(a, s, out, e);
}
