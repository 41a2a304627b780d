/* Stopping, suspending, resuming, setting and deleting. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/nodesel.h"
#include "service/remote_p.h"

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

static bool stop_here(struct service *s, const struct act *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    const enum service_stop *how = x->opts;
    arena_init(&a);
    if (!store_run_find(&a, service_store(s), x->ns, x->name, &row, e)) return false;
    if (row.completed)
        return err_set(e, ERR_NOT_NOW, "workflow '%.*s' is finished: %.*s", STR_ARG(x->name), STR_ARG(row.phase));
    return exec_stop(s->exec, row.run, *how == SERVICE_STOP ? STOP_STOP : STOP_TERMINATE, e);
}

bool service_stop(struct service *s, struct str ns, struct str name, enum service_stop how, struct err *e)
{
    struct act x = {.ns = ns, .name = name, .verb = how == SERVICE_STOP ? "stop" : "terminate", .here = stop_here,
                    .opts = &how};
    follow_hurry(s, ns, name);
    return act(s, &x, e);
}

static bool suspend_here(struct service *s, const struct act *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    arena_init(&a);
    if (!store_run_find(&a, service_store(s), x->ns, x->name, &row, e)) return false;
    if (row.completed) return err_set(e, ERR_NOT_NOW, "cannot suspend completed workflows");
    return exec_suspend(s->exec, row.run, e);
}

bool service_suspend(struct service *s, struct str ns, struct str name, struct err *e)
{
    struct act x = {.ns = ns, .name = name, .verb = "suspend", .here = suspend_here};
    return act(s, &x, e);
}

/* ---- suspend nodes ---- */

bool node_is_picked(void *ctx, const struct run *r, const struct node *n)
{
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    struct val status;
    arena_init(&a);
    buf_init(&b, (size_t)256 << 20);
    node_write_status(&b, r, n);
    return json_parse(&a, buf_view(&b), NULL, &status, NULL) && nodesel_matches(ctx, &status);
}

/* Those that Argo's server takes. None: the node goes on. */
static bool phase_read(struct str text, enum node_phase *out, struct err *e)
{
    *out = NODE_RUNNING;
    return !text.n || (phase_parse(text, out) && (*out == NODE_SUCCEEDED || *out == NODE_FAILED || *out == NODE_ERROR)) ||
           err_set(e, ERR_USAGE, "'%.*s' is an invalid phase to set to: Succeeded, Failed or Error", STR_ARG(text));
}

static bool change_read(struct arena *a, const struct set_opts *o, struct node_change *c, struct err *e)
{
    struct nodesel *sel = ARENA_NEW(a, struct nodesel);
    struct step_outcome_param *params = ARENA_ARRAY(a, struct step_outcome_param, o->n_params + 1);
    for (size_t i = 0; i < o->n_params; i++) params[i] = (struct step_outcome_param){o->params[i].name, o->params[i].value};
    *c = (struct node_change){.pick = node_is_picked, .ctx = sel, .message = o->message, .params = params,
                              .n_params = o->n_params};
    return phase_read(o->phase, &c->phase, e) && nodesel_parse(a, str_z(a, o->nodes), sel, e);
}

static bool set_here(struct service *s, const struct act *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct node_change c;
    struct run_row row;
    arena_init(&a);
    if (!store_run_find(&a, service_store(s), x->ns, x->name, &row, e)) return false;
    if (row.completed)
        return err_set(e, ERR_NOT_NOW, "workflow '%.*s' is finished: %.*s", STR_ARG(x->name), STR_ARG(row.phase));
    return change_read(&a, x->opts, &c, e) && exec_set(s->exec, row.run, &c, e);
}

/* The map of output parameters is a text in Argo's request. */
static struct val set_body(struct arena *a, const struct set_opts *o)
{
    struct val_builder b, params;
    map_begin(&params, a);
    for (size_t i = 0; i < o->n_params; i++) map_set(&params, o->params[i].name, val_of_str(o->params[i].value));
    struct val map = map_done(&params);
    map_begin(&b, a);
    map_add_str(&b, "nodeFieldSelector", o->nodes);
    map_add_str(&b, "phase", o->phase);
    map_add_str(&b, "message", o->message);
    if (map.n) map_add_str(&b, "outputParameters", json_text(a, &map));
    return map_done(&b);
}

bool service_set(struct service *s, struct str ns, struct str name, const struct set_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct node_change c;
    arena_init(&a);
    if (!o->nodes.n)
        return err_set(e, ERR_USAGE, "'set' currently only targets suspend nodes, use a node field selector to target them");
    if (!o->phase.n && !o->message.n && !o->n_params) return err_set(e, ERR_USAGE, "'set' needs a phase, a message or output parameters");
    if (!change_read(&a, o, &c, e)) return false;
    struct act x = {.ns = ns, .name = name, .verb = "set", .body = set_body(&a, o), .here = set_here, .opts = o};
    return act(s, &x, e);
}

static bool resume_here(struct service *s, const struct act *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    arena_init(&a);
    if (!store_run_find(&a, service_store(s), x->ns, x->name, &row, e)) return false;
    if (row.completed)
        return err_set(e, ERR_NOT_NOW, "workflow '%.*s' is finished: %.*s", STR_ARG(x->name), STR_ARG(row.phase));
    return exec_resume(s->exec, row.run, e);
}

bool service_resume(struct service *s, struct str ns, struct str name, struct str nodes, struct err *e)
{
    struct set_opts o = {.nodes = nodes, .phase = STR("Succeeded")};
    if (nodes.n) return service_set(s, ns, name, &o, e);
    struct act x = {.ns = ns, .name = name, .verb = "resume", .here = resume_here};
    return act(s, &x, e);
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

static bool delete_there(struct service *s, struct str ns, struct str name, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val reply;
    arena_init(&a);
    const char *target = str_fmt(&a, "/api/v1/workflows/%.*s/%.*s", STR_ARG(web_escape(&a, ns)), STR_ARG(web_escape(&a, name))).p;
    return service_ask(&a, s, "DELETE", target, STR_NONE, &reply, e);
}

bool service_delete(struct service *s, struct str ns, struct str name, bool force, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_row row;
    struct str phase;
    struct err absent; /* whoever is the engine says so */
    bool ended;
    arena_init(&a);
    if (!force && service_phase(&a, s, &(struct workflow_ref){ns, name}, &phase, &ended, &absent) && !ended)
        return err_set(e, ERR_NOT_NOW, "workflow '%.*s' is not finished: stop it first, or delete it with --force", STR_ARG(name));
    for (unsigned i = 0; !s->exec; i++) {
        if (delete_there(s, ns, name, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!store_run_find(&a, service_store(s), ns, name, &row, e)) return false;
    return exec_delete(s->exec, &row, e) && exec_commit(s->exec, e);
}
