/* Stopping, resuming and deleting. */
#include "engine/engine.h"
#include "service/service_p.h"

bool service_resume_run(struct service *s, struct str ns, struct str name, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    arena_init(&a);
    if (!s->exec) return true; /* the engine that is there has it */
    /* Taken over when this process became the engine; its last step may have ended meanwhile, and then
     * there is nothing left but to show it. */
    return store_run_find(&a, service_store(s), ns, name, &row, e);
}

static bool stop_there(struct service *s, struct str ns, struct str name, enum service_stop how, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val reply;
    arena_init(&a);
    const char *target = str_fmt(&a, "/api/v1/workflows/%.*s/%.*s/%s", STR_ARG(ns), STR_ARG(name),
                                 how == SERVICE_STOP ? "stop" : "terminate").p;
    return service_ask(&a, s, "PUT", target, STR("{}"), &reply, e);
}

bool service_stop(struct service *s, struct str ns, struct str name, enum service_stop how, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    enum stop_strategy strategy = how == SERVICE_STOP ? STOP_STOP : STOP_TERMINATE;
    arena_init(&a);
    for (unsigned i = 0; !s->exec; i++) {
        if (stop_there(s, ns, name, how, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!store_run_find(&a, service_store(s), ns, name, &row, e)) return false;
    if (row.completed)
        return err_set(e, ERR_CONFLICT, "workflow '%.*s' is finished: %.*s", STR_ARG(name), STR_ARG(row.phase));
    return exec_stop(s->exec, row.run, strategy, e) && exec_commit(s->exec, e);
}

void service_abort(struct service *s)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < s->follow.f.n; i++) {
        const struct workflow_ref *ref = &s->follow.f.refs[i];
        struct run_row row;
        struct err ignored; /* it may be over */
        service_stop(s, ref->ns, ref->name, SERVICE_TERMINATE, &ignored);
        if (!s->exec || !store_run_find(&a, service_store(s), ref->ns, ref->name, &row, &ignored)) continue;
        exec_kill(s->exec, row.run);
        VEC_PUSH(&s->aborted, row.run);
    }
}

/* ---- deleting ---- */

static bool delete_there(struct service *s, struct str ns, struct str name, bool force, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val reply;
    arena_init(&a);
    const char *target = str_fmt(&a, "/api/v1/workflows/%.*s/%.*s%s", STR_ARG(ns), STR_ARG(name),
                                 force ? "?force=true" : "").p;
    return service_ask(&a, s, "DELETE", target, STR_NONE, &reply, e);
}

bool service_delete(struct service *s, struct str ns, struct str name, bool force, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    arena_init(&a);
    for (unsigned i = 0; !s->exec; i++) {
        if (delete_there(s, ns, name, force, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!store_run_find(&a, service_store(s), ns, name, &row, e)) return false;
    if (!row.completed && !(force && !exec_has_run(s->exec, row.run)))
        return err_set(e, ERR_CONFLICT, "workflow '%.*s' is not finished: stop it first", STR_ARG(name));
    return exec_delete(s->exec, &row, e) && exec_commit(s->exec, e);
}
