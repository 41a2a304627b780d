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
    number_add(&b, a, "stepsFetching", n->steps_fetching);
    number_add(&b, a, "stepsPulling", n->steps_pulling);
    number_add(&b, a, "requests", n->requests);
    return map_done(&b);
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
        size_t running, waiting;
        exec_run_load(x, row->run, &running, &waiting);
        number_add(&b, a, "running", running);
        number_add(&b, a, "waiting", waiting);
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
