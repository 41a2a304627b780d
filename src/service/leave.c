/* Workflows that nobody waits for, and engines that are there for them alone. */
#include <time.h>

#include "doc/json_write.h"
#include "service/service_p.h"

static const struct str left_key = {"left", 4}; /* the run's value that says so */

static bool leave_here(struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (!exec_begin_alone(s->exec, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct run_row row;
        struct err why = {0};
        bool ok = store_run_find(&a, service_store(s), refs[i].ns, refs[i].name, &row, &why);
        if (ok && !row.completed) ok = store_value_put(service_store(s), row.run, left_key, STR("1"), &why);
        if (ok || why.code == ERR_NOT_FOUND) continue; /* it has ended, and is gone */
        exec_rollback(s->exec);
        return *e = why, false;
    }
    return exec_commit(s->exec, e);
}

struct val refs_val(struct arena *a, const struct workflow_ref *refs, size_t n)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) {
        struct val_builder ref;
        map_begin(&ref, a);
        map_add_str(&ref, "namespace", refs[i].ns);
        map_add_str(&ref, "name", refs[i].name);
        list_add(&list, map_done(&ref));
    }
    return list_done(&list);
}

bool service_leave(struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val_builder b;
    struct val reply;
    arena_init(&a);
    if (s->remote) return true; /* a server stays */
    map_begin(&b, &a);
    map_add(&b, STR("workflows"), refs_val(&a, refs, n));
    struct val body = map_done(&b);
    for (unsigned i = 0; !s->exec; i++) {
        if (service_ask(&a, s, "POST", "/api/v1/skiff/leave", json_text(&a, &body), &reply, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return leave_here(s, refs, n, e);
}

bool service_has_left(struct service *s)
{
    struct arena a CLEANUP(arena_fini);
    struct run_filter f = {.completed = -1};
    struct run_page page;
    struct err e;
    arena_init(&a);
    do {
        if (!store_run_list(&a, service_store(s), &f, &page, &e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            struct str text;
            if (store_value_get(&a, service_store(s), page.rows[i].run, left_key, &text, &e)) return true;
        }
        f.before_run = page.next;
    } while (page.next);
    return false;
}

bool service_idle(const struct service *s)
{
    return s->exec && exec_active_runs(s->exec) == 0 && !exec_is_ending(s->exec) && s->events_waiting == 0;
}

bool service_yielded(const struct service *s) { return s->yielded; }

bool service_yield(struct service *s, struct err *e)
{
    if (!s->exec || !s->o.yields) return err_set(e, ERR_CONFLICT, "this engine stays");
    s->yielded = true;
    loop_stop(s->loop);
    return true;
}

bool service_displace(struct service *s, struct err *e)
{
    enum { TRIES = 1000, PAUSE_NS = 20000000 };
    struct arena a CLEANUP(arena_fini);
    struct val reply;
    arena_init(&a);
    for (int i = 0; !s->exec && i < TRIES; i++) {
        bool became;
        struct err why;
        if (!service_ask(&a, s, "POST", "/api/v1/skiff/yield", STR("{}"), &reply, &why) && why.code != ERR_UNREACHABLE) break;
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        nanosleep(&pause, NULL);
        if (!service_take_over(s, &became, e)) return false;
    }
    return s->exec || err_set(e, ERR_CONFLICT, "another skiff is at work in this state directory: end it first, or give --state another one");
}
