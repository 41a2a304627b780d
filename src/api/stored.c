/* Skiff's own routes of stored objects, of every kind by the same verbs. */
#include "api/api_p.h"
#include "api/guard.h"

static struct stored_ref ref_of(struct http_req *r)
{
    return (struct stored_ref){http_req_param(r, "kind"), http_req_param(r, "namespace"), http_req_param(r, "name")};
}

void skiff_object_list(struct http_req *r, void *user)
{
    struct stored_ref ref = ref_of(r);
    struct object_page page;
    struct list_query q;
    struct err e;
    bool ok = api_list_query(r, "objects", &q, &e);
    struct object_query o = {.ns = ref.ns, .labels = q.labels, .fields = q.fields, .position = q.position, .limit = q.limit};
    if (!ok || !service_stored_page(http_req_arena(r), api_service(user), ref.kind, &o, &page, &e)) {
        http_reply_err(r, &e);
        return;
    }
    struct list_end end = {.position = page.next, .rv = page.rv, .remaining = -1};
    api_answer_list(r, "", "objects", &page.items, &end);
}

void skiff_object_get(struct http_req *r, void *user)
{
    struct stored_ref ref = ref_of(r);
    struct val v;
    struct err e;
    if (service_stored_get(http_req_arena(r), api_service(user), &ref, &v, &e)) api_answer(r, &v);
    else http_reply_err(r, &e);
}

/* The body is the object itself, and that which the path names. */
static bool given_stored(struct given *g, struct http_req *r, const struct stored_ref *ref, struct err *e)
{
    struct val *body = ARENA_NEW(g->arena, struct val);
    if (!api_body(r, body, e)) return false;
    if (!documents_add_val(&g->docs, body, 0, &g->diags) || g->docs.n != 1)
        return err_set(e, ERR_SPEC, "the body is not an object that is stored"), given_fail(g, e);
    const struct document *d = &g->docs.items[0];
    if (!str_eq(d->name, ref->name))
        return err_set(e, ERR_SPEC, "metadata.name is '%.*s', the request is about '%.*s'", STR_ARG(d->name), STR_ARG(ref->name));
    if (d->ns.n && !str_eq(d->ns, ref->ns))
        return err_set(e, ERR_SPEC, "metadata.namespace is '%.*s', the request is about '%.*s'", STR_ARG(d->ns), STR_ARG(ref->ns));
    return service_kind_is(ref->kind, str_of(doc_kind_text(d->kind)), e);
}

/* What all namespaces use is an admin's, as by the routes of cluster templates: a namespace in the path says nothing about it. */
static bool may_change(struct http_req *r, const struct stored_ref *ref, struct err *e)
{
    const struct auth_token *t = guard_caller(r);
    return !t || t->role >= AUTH_ADMIN || !service_kind_is_shared(ref->kind) ||
           err_set(e, ERR_AUTH, "an object of kind '%.*s' is everybody's; changing it takes the role admin", STR_ARG(ref->kind));
}

void skiff_object_apply(struct http_req *r, void *user)
{
    struct stored_ref ref = ref_of(r);
    struct given g CLEANUP(given_fini);
    struct stored_result did;
    struct val_builder b;
    struct err e;
    unsigned how = (str_is(http_req_query(r, "dryRun"), "true") ? STORED_DRY : 0u) | (str_is(http_req_query(r, "join"), "true") ? STORED_JOIN : 0u);
    given_init(&g, r);
    bool ok = may_change(r, &ref, &e) && given_stored(&g, r, &ref, &e);
    if (ok) api_sign(r, api_service(user), ref.ns, &g.docs);
    if (!ok || !service_stored_apply(g.arena, api_service(user), ref.ns, &g.docs, how, &g.diags, &did, &e)) {
        given_fail(&g, &e);
        http_reply_err(r, &e);
        return;
    }
    map_begin(&b, g.arena);
    map_add_str(&b, "result", did.did);
    map_add(&b, STR("object"), did.doc);
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

void skiff_object_delete(struct http_req *r, void *user)
{
    struct stored_ref ref = ref_of(r);
    struct err e;
    bool ok = may_change(r, &ref, &e) && service_stored_delete(api_service(user), &ref, &e);
    api_answer_empty(r, ok, &e);
}
