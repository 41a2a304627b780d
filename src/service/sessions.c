/* See sessions.h. */
#include "service/sessions.h"

#include "base/limits.h"
#include "base/rfc3339.h"
#include "os/clock.h"
#include "service/remote_p.h"

#define ROUTE "/api/v1/skiff/sessions"

bool service_session_create(struct arena *a, struct service *s, const struct val *claims, int64_t lasts_us, struct str *text, struct err *e)
{
    int64_t now_us = clock_now_us();
    return exec_begin(s->exec, e) && auth_session_create(a, service_store(s), claims, now_us + lasts_us, now_us, text, e) && exec_commit(s->exec, e);
}

bool service_session_check(struct arena *a, struct service *s, struct str text, struct auth_session *out, struct err *e)
{
    return auth_session_check(a, service_store(s), text, clock_now_us(), out, e);
}

static struct val shown(struct arena *a, const struct auth_session *x)
{
    static const struct {
        const char *claim, *name;
    } members[] = {{"iss", "issuer"}, {"sub", "subject"}, {"email", "email"}, {"name", "name"}};
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "id", x->id);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) map_add_str(&b, members[i].name, val_get_str(&x->claims, members[i].claim));
    map_add_str(&b, "created", rfc3339(a, x->created_us));
    map_add_str(&b, "expires", rfc3339(a, x->expires_us));
    return map_done(&b);
}

bool service_session_list(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    struct object_page there;
    struct val_builder list;
    struct auth_session *all = NULL;
    size_t n = 0;
    if (s->remote) return remote_page(a, s, ROUTE, &(struct object_query){0}, &there, e) && (*out = there.items, true);
    if (service_store(s) && !auth_session_list(a, service_store(s), clock_now_us(), &all, &n, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) list_add(&list, shown(a, &all[i]));
    *out = list_done(&list);
    return true;
}

/* An id is looked for first: who signs out does not wait for all sessions to be read. */
static bool delete_here(struct arena *a, struct service *s, struct str whose, struct err *e)
{
    struct auth_session *all;
    struct err why;
    size_t n, gone = 0;
    if (!whose.n) return err_set(e, ERR_SPEC, "whose session? Its id, a subject or an email is expected");
    if (!exec_begin(s->exec, e)) return false;
    if (auth_session_delete(service_store(s), whose, clock_now_us(), &why)) return exec_commit(s->exec, e);
    if (why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
    if (!auth_session_list(a, service_store(s), clock_now_us(), &all, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        const struct val *c = &all[i].claims;
        if (!str_eq(val_get_str(c, "sub"), whose) && !str_eq(val_get_str(c, "email"), whose)) continue;
        if (!auth_session_delete(service_store(s), all[i].id, clock_now_us(), e)) return false;
        gone++;
    }
    if (!gone) return err_set(e, ERR_NOT_FOUND, "nobody called '%.*s' is signed in", STR_ARG(str_sub(whose, 0, 200)));
    return exec_commit(s->exec, e);
}

bool service_session_delete(struct service *s, struct str whose, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val reply;
    arena_init(&a);
    const char *target = str_fmt(&a, ROUTE "/%.*s", STR_ARG(web_escape(&a, whose))).p;
    for (unsigned i = 0; !s->exec; i++) {
        if (service_ask(&a, s, "DELETE", target, STR_NONE, &reply, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return delete_here(&a, s, whose, e);
}
