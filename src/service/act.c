/* One request about one run: carried out here by the engine, or asked of the engine that is at work. */
#include "doc/json_write.h"
#include "service/remote_p.h"

static bool act_there(struct service *s, const struct act *x, struct err *e)
{
    struct arena own CLEANUP(arena_fini);
    struct val reply, empty = {.kind = VAL_MAP};
    arena_init(&own);
    struct arena *a = x->arena ? x->arena : &own;
    const char *target = str_fmt(a, "/api/v1/workflows/%.*s/%.*s/%s", STR_ARG(web_escape(a, x->ns)), STR_ARG(web_escape(a, x->name)),
                                 x->verb).p;
    struct str body = json_text(a, x->body.kind == VAL_MAP ? &x->body : &empty);
    return service_ask(a, s, "PUT", target, body, x->reply ? x->reply : &reply, e);
}

bool act(struct service *s, struct act *x, struct err *e)
{
    for (unsigned i = 0; !s->exec; i++) {
        if (act_there(s, x, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!x->alone) return x->here(s, x, e) && exec_commit(s->exec, e);
    if (!exec_begin_alone(s->exec, e)) return false;
    if (x->here(s, x, e)) return exec_commit(s->exec, e);
    exec_rollback(s->exec);
    return false;
}
