/* Stopping, resuming and deleting. */
#include "engine/engine.h"
#include "os/dir.h"
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

struct steps {
    struct arena *a;
    VEC(struct str) dirs;
    struct str state_dir;
};

static bool add_step(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct steps *x = ctx;
    (void)e;
    if (str_starts(key, STR("step/")) || str_starts(key, STR("lost/")))
        VEC_PUSH(&x->dirs, str_fmt(x->a, "%.*s/steps/%.*s", STR_ARG(x->state_dir), STR_ARG(bytes)));
    return true;
}

static bool delete_here(struct service *s, const struct run_row *row, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct steps steps = {.a = &a, .state_dir = s->o.state_dir};
    arena_init(&a);
    bool ok = store_values_load(service_store(s), row->run, add_step, &steps, e) && exec_begin(s->exec, e) &&
              store_run_delete(service_store(s), row->run, row->created_us, e) && exec_commit(s->exec, e);
    VEC_PUSH(&steps.dirs, str_fmt(&a, "%.*s/pods/%.*s", STR_ARG(s->o.state_dir), STR_ARG(row->uid)));
    for (size_t i = 0; ok && i < steps.dirs.n; i++) ok = dir_remove_tree(steps.dirs.items[i].p, e);
    VEC_FINI(&steps.dirs);
    return ok;
}

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
    return delete_here(s, &row, e);
}
