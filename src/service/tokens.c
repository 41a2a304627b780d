/* See tokens.h. */
#include "service/tokens.h"

#include "base/rfc3339.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "service/remote_p.h"

#define ROUTE "/api/v1/skiff/tokens"
enum { USED_STEP_US = 60000000 };

static struct val shown(struct arena *a, const struct auth_token *t)
{
    struct val_builder b;
    auth_token_begin(a, t, &b);
    map_add_str(&b, "id", t->id);
    map_add_str(&b, "created", rfc3339(a, t->created_us));
    map_add_str(&b, "expires", rfc3339(a, t->expires_us));
    map_add_str(&b, "lastUsed", rfc3339(a, t->used_us));
    return map_done(&b);
}

static bool members_check(const struct val *v, struct err *e)
{
    static const char *const known[] = {"name", "role", "namespaces", "expires"};
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) && !str_is(v->map[i].key, known[k])) k++;
        if (k == ARRAY_LEN(known)) return err_set(e, ERR_SPEC, "`%.*s` is nothing that a token has", STR_ARG(str_sub(v->map[i].key, 0, 100)));
    }
    return true;
}

/* A member that is of another kind than it should be, or misspelt, is never taken for one that is absent: that could allow more. */
static bool want_read(struct arena *a, const struct val *v, struct auth_token *out, struct err *e)
{
    const struct val *list = val_get(v, STR("namespaces")), *expires = val_get(v, STR("expires"));
    *out = (struct auth_token){.name = val_get_str(v, "name")};
    if (!members_check(v, e) || !auth_role_parse(val_get_str(v, "role"), &out->role, e)) return false;
    if (list && list->kind != VAL_LIST && list->kind != VAL_NULL) return err_set(e, ERR_SPEC, "`namespaces` is a list of names");
    struct str *names = ARENA_ARRAY(a, struct str, (list ? list->n : 0) + 1);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) names[out->n++] = val_text(&list->items[i]);
    out->namespaces = names;
    if (!expires || expires->kind == VAL_NULL) return true;
    return (rfc3339_parse(val_text(expires), &out->expires_us) && out->expires_us > 0) ||
           err_set(e, ERR_SPEC, "`expires` is a time as 2026-01-31T00:00:00Z");
}

static bool create_here(struct arena *a, struct service *s, const struct val *want, struct val *out, struct err *e)
{
    struct auth_token t, made;
    struct val_builder b;
    struct str text;
    if (!want_read(a, want, &t, e) || !exec_begin(s->exec, e)) return false;
    if (!auth_token_create(a, service_store(s), &t, clock_now_us(), &text, &made, e) || !exec_commit(s->exec, e)) return false;
    struct val v = shown(a, &made);
    map_begin(&b, a);
    for (uint32_t i = 0; i < v.n; i++) map_add(&b, v.map[i].key, v.map[i].v);
    map_add_str(&b, "token", text);
    *out = map_done(&b);
    return true;
}

bool service_token_create(struct arena *a, struct service *s, const struct val *want, struct val *out, struct err *e)
{
    for (unsigned i = 0; !s->exec; i++) {
        if (service_ask(a, s, "POST", ROUTE, json_text(a, want), out, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return create_here(a, s, want, out, e);
}

bool service_token_list(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    struct object_page there;
    struct val_builder list;
    struct auth_token *all = NULL;
    size_t n = 0;
    if (s->remote) return remote_page(a, s, ROUTE, &(struct object_query){0}, &there, e) && (*out = there.items, true);
    if (service_store(s) && !auth_token_list(a, service_store(s), &all, &n, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) list_add(&list, shown(a, &all[i]));
    *out = list_done(&list);
    return true;
}

bool service_token_delete(struct service *s, struct str name, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val reply;
    arena_init(&a);
    for (unsigned i = 0; !s->exec; i++) {
        if (service_ask(&a, s, "DELETE", str_fmt(&a, ROUTE "/%.*s", STR_ARG(web_escape(&a, name))).p, STR_NONE, &reply, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return exec_begin(s->exec, e) && auth_token_delete(service_store(s), name, clock_now_us(), e) && exec_commit(s->exec, e);
}

bool service_token_any(struct service *s, bool *any, struct err *e) { return auth_token_any(service_store(s), any, e); }

bool service_token_check(struct arena *a, struct service *s, struct auth_check *c, struct str text, struct auth_token *out, struct err *e)
{
    int64_t now_us = clock_now_us();
    if (!auth_check_text(a, c, service_store(s), text, now_us, out, e)) return false;
    if (now_us - out->used_us < USED_STEP_US && now_us >= out->used_us) return true;
    out->used_us = now_us;
    return exec_begin(s->exec, e) && auth_token_put(service_store(s), out, e);
}
