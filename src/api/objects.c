/* Argo's routes of stored objects: templates, cluster templates, cron workflows. */
#include "api/api_p.h"

static const char *member_of(enum service_kind kind)
{
    return kind == SERVICE_CRON ? "cronWorkflow" : "template";
}

static void list_objects(struct http_req *r, void *user, enum service_kind kind)
{
    const char *name = service_kind_text(kind);
    struct object_page page = {0};
    struct list_query q;
    struct err e;
    if (!api_list_query(r, name, &q, &e)) {
        http_reply_err(r, &e);
        return;
    }
    struct object_query o = {.ns = http_req_param(r, "namespace"), .labels = q.labels, .fields = q.fields,
                             .name_part = kind == SERVICE_TEMPLATE ? http_req_query(r, "namePattern") : STR_NONE, .position = q.position, .limit = q.limit};
    if (!service_object_page(http_req_arena(r), api_service(user), kind, &o, &page, &e)) {
        http_reply_err(r, &e);
        return;
    }
    struct list_end end = {.position = page.next, .rv = page.rv, .remaining = -1};
    api_answer_list(r, name, name, &page.items, &end);
}

static void answer_object(struct http_req *r, bool ok, const struct val *v, const struct err *e)
{
    if (ok) api_answer(r, v);
    else http_reply_err(r, e);
}

static void get_object(struct http_req *r, void *user, enum service_kind kind)
{
    struct val v;
    struct err e;
    bool ok = service_object_get(http_req_arena(r), api_service(user), kind, http_req_param(r, "namespace"), http_req_param(r, "name"), &v, &e);
    answer_object(r, ok, &v, &e);
}

/* The object of the request, under the name of the route where it has one. */
static bool given_object(struct given *g, struct http_req *r, enum service_kind kind, struct err *e)
{
    struct str name = http_req_param(r, "name");
    struct val body;
    if (!api_body(r, &body, e) ||
        !given_typed(g, &body, member_of(kind), doc_kind_of(str_of(service_kind_text(kind))), e))
        return false;
    struct str own = val_text(val_path(g->docs.items[0].val, "metadata.name"));
    if (!name.n || str_eq(own, name)) return true;
    return err_set(e, ERR_SPEC, "metadata.name is '%.*s', the request is about '%.*s'", STR_ARG(own), STR_ARG(name));
}

enum doing { DOING_LINT, DOING_CREATE, DOING_UPDATE };

static void put_object(struct http_req *r, void *user, enum service_kind kind, enum doing doing)
{
    struct str ns = http_req_param(r, "namespace");
    struct given g CLEANUP(given_fini);
    struct val v = val_null;
    struct err e;
    given_init(&g, r);
    bool ok = given_object(&g, r, kind, &e);
    if (ok) api_sign(r, api_service(user), ns, &g.docs);
    if (ok && doing == DOING_LINT) ok = service_object_lint(g.arena, api_service(user), kind, ns, &g.docs, &g.diags, &e);
    else if (ok) ok = service_object_put(g.arena, api_service(user), kind, doing == DOING_CREATE ? SERVICE_CREATE : SERVICE_UPDATE,
                                         ns, &g.docs, &g.diags, &v, &e);
    if (ok && doing == DOING_LINT) v = *g.docs.items[0].val;
    if (!ok) given_fail(&g, &e);
    answer_object(r, ok, &v, &e);
}

static void delete_object(struct http_req *r, void *user, enum service_kind kind)
{
    struct err e;
    bool ok = service_object_delete(api_service(user), kind, http_req_param(r, "namespace"), http_req_param(r, "name"), &e);
    api_answer_empty(r, ok, &e);
}

#define HANDLERS(prefix, kind) \
    void prefix##_list(struct http_req *r, void *user) { list_objects(r, user, kind); } \
    void prefix##_get(struct http_req *r, void *user) { get_object(r, user, kind); } \
    void prefix##_create(struct http_req *r, void *user) { put_object(r, user, kind, DOING_CREATE); } \
    void prefix##_update(struct http_req *r, void *user) { put_object(r, user, kind, DOING_UPDATE); } \
    void prefix##_lint(struct http_req *r, void *user) { put_object(r, user, kind, DOING_LINT); } \
    void prefix##_delete(struct http_req *r, void *user) { delete_object(r, user, kind); }

HANDLERS(template, SERVICE_TEMPLATE)
HANDLERS(cluster_template, SERVICE_CLUSTER_TEMPLATE)
HANDLERS(cron, SERVICE_CRON)

void list_event_bindings(struct http_req *r, void *user) { list_objects(r, user, SERVICE_EVENT_BINDING); }

static void suspend_cron(struct http_req *r, void *user, bool suspend)
{
    struct val body, v;
    struct err e;
    bool ok = api_body(r, &body, &e) && service_cron_suspend(http_req_arena(r), api_service(user), http_req_param(r, "namespace"),
                                                             http_req_param(r, "name"), suspend, &v, &e);
    answer_object(r, ok, &v, &e);
}

void cron_suspend(struct http_req *r, void *user) { suspend_cron(r, user, true); }
void cron_resume(struct http_req *r, void *user) { suspend_cron(r, user, false); }
