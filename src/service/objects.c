/* Stored WorkflowTemplates, ClusterWorkflowTemplates and CronWorkflows, by Argo's routes or here. */
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/random.h"
#include "engine/cron.h"
#include "resource/resource.h"
#include "service/remote_p.h"

struct kind_row {
    enum resource_kind_id id;
    const char *route; /* below /api/v1/ */
    const char *member; /* of a request that brings one */
};
static const struct kind_row kinds[] = {
    [SERVICE_TEMPLATE] = {RESOURCE_WORKFLOW_TEMPLATE, "workflow-templates", "template"},
    [SERVICE_CLUSTER_TEMPLATE] = {RESOURCE_CLUSTER_WORKFLOW_TEMPLATE, "cluster-workflow-templates", "template"},
    [SERVICE_CRON] = {RESOURCE_CRON_WORKFLOW, "cron-workflows", "cronWorkflow"},
    [SERVICE_EVENT_BINDING] = {RESOURCE_EVENT_BINDING, "workflow-event-bindings", "binding"},
};

const char *service_kind_text(enum service_kind kind) { return resource_kinds[kinds[kind].id].kind; }

static struct resource_key key_of(enum service_kind kind, struct str ns, struct str name)
{
    return (struct resource_key){.kind = kinds[kind].id, .ns = ns, .name = name};
}

static bool nothing_stored(struct service *s, struct err *e)
{
    if (service_store(s)) return false;
    err_set(e, ERR_NOT_FOUND, "nothing is stored in '%.*s'", STR_ARG(s->o.state_dir));
    return true;
}

static const char *target_of(struct arena *a, enum service_kind kind, struct str ns, struct str name, const char *verb)
{
    const char *slash = name.n ? "/" : "", *then = verb ? "/" : "";
    struct str place = kind == SERVICE_CLUSTER_TEMPLATE ? STR("") : str_fmt(a, "/%.*s", STR_ARG(web_escape(a, ns)));
    return str_fmt(a, "/api/v1/%s%.*s%s%.*s%s%s", kinds[kind].route, STR_ARG(place), slash, STR_ARG(web_escape(a, name)), then,
                   verb ? verb : "").p;
}

/* A route without a name is that of all. */
static bool named(enum service_kind kind, struct str name, struct err *e)
{
    return name.n || err_set(e, ERR_NOT_FOUND, "no %s has an empty name", service_kind_text(kind));
}

bool service_object_get(struct arena *a, struct service *s, enum service_kind kind, struct str ns, struct str name,
                        struct val *out, struct err *e)
{
    struct resource_key key = key_of(kind, ns, name);
    if (!named(kind, name, e)) return false;
    if (s->remote) return remote_get(a, s->remote, target_of(a, kind, ns, name, NULL), out, e);
    return !nothing_stored(s, e) && resource_get(a, service_store(s), &key, out, e);
}

bool service_object_page(struct arena *a, struct service *s, enum service_kind kind, const struct object_query *o,
                         struct object_page *out, struct err *e)
{
    struct resource_query q = {.kind = kinds[kind].id, .ns = o->ns, .label_selector = o->labels, .field_selector = o->fields,
                               .name_part = o->name_part, .continue_token = o->position, .limit = o->limit};
    struct resource_page page = {0};
    struct val_builder list;
    *out = (struct object_page){.items = {.kind = VAL_LIST}};
    if (s->remote) return remote_page(a, s, target_of(a, kind, o->ns, STR(""), NULL), o, out, e);
    if (!service_store(s)) return true;
    if (!resource_list(a, service_store(s), &q, &page, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; i < page.n; i++) list_add(&list, page.docs[i]);
    out->items = list_done(&list);
    out->next = page.continue_token;
    out->rv = page.rv;
    return true;
}

bool service_object_list(struct arena *a, struct service *s, enum service_kind kind, struct str ns, struct str selector,
                         struct val *out, struct err *e)
{
    struct object_query q = {.ns = ns, .labels = selector};
    struct object_page page;
    struct val_builder list;
    bool ok;
    list_begin(&list, a);
    do {
        ok = service_object_page(a, s, kind, &q, &page, e);
        for (uint32_t i = 0; ok && i < page.items.n; i++) list_add(&list, page.items.items[i]);
        q.position = page.next;
    } while (ok && q.position.n);
    *out = list_done(&list);
    return ok;
}

/* ---- changing ---- */

void cron_status_keep(struct arena *a, struct service *s, struct str ns, struct val *doc)
{
    struct str own = val_text(val_path(doc, "metadata.namespace"));
    struct val stored;
    struct err none;
    struct resource_key key = {RESOURCE_CRON_WORKFLOW, own.n ? own : ns, val_text(val_path(doc, "metadata.name"))};
    if (!str_is(val_get_str(doc, "kind"), "CronWorkflow") || !resource_get(a, service_store(s), &key, &stored, &none)) return;
    const struct val *status = val_get(&stored, STR("status"));
    if (status) *doc = map_with(a, doc, STR("status"), *status);
}

static bool put_here(struct arena *a, struct service *s, enum service_put how, struct str ns, const struct val *doc,
                     struct val *out, struct err *e)
{
    static const enum resource_verb verbs[] = {
        [SERVICE_CREATE] = RESOURCE_CREATE, [SERVICE_UPDATE] = RESOURCE_UPDATE, [SERVICE_APPLY] = RESOURCE_APPLY};
    struct val whole = *doc;
    if (how != SERVICE_CREATE) cron_status_keep(a, s, ns, &whole);
    struct resource_write w = {.store = service_store(s), .verb = verbs[how], .doc = &whole, .ns = ns, .now_us = clock_now_us(),
                               .random = {random_u64(), random_u64()}};
    struct resource_result r;
    if (!exec_begin(s->exec, e) || !resource_put(a, &w, &r, e) || !exec_commit(s->exec, e)) return false;
    *out = r.doc;
    return true;
}

static bool put_there(struct arena *a, struct service *s, enum service_kind kind, enum service_put how, struct str ns,
                      const struct val *doc, struct val *out, struct err *e)
{
    struct val_builder b;
    struct str own = val_text(val_path(doc, "metadata.namespace")), name = val_text(val_path(doc, "metadata.name"));
    bool update = how == SERVICE_UPDATE;
    map_begin(&b, a);
    map_add(&b, str_of(kinds[kind].member), *doc);
    struct val body = map_done(&b);
    const char *target = target_of(a, kind, own.n ? own : ns, update ? name : STR(""), NULL);
    return service_ask(a, s, update ? "PUT" : "POST", target, json_text(a, &body), out, e);
}

/* Argo has no route for apply. */
static bool put_any(struct arena *a, struct service *s, enum service_kind kind, enum service_put how, struct str ns,
                    const struct val *doc, struct val *out, struct err *e)
{
    for (unsigned i = 0; !s->exec; i++) {
        if (put_there(a, s, kind, how == SERVICE_APPLY ? SERVICE_UPDATE : how, ns, doc, out, e)) return true;
        if (how == SERVICE_APPLY && e->code == ERR_NOT_FOUND)
            return put_there(a, s, kind, SERVICE_CREATE, ns, doc, out, e);
        if (!service_unreached(s, i, e)) return false;
    }
    return put_here(a, s, how, ns, doc, out, e);
}

bool service_object_lint(struct arena *a, struct service *s, enum service_kind kind, struct str ns,
                         const struct documents *docs, struct diags *diags, struct err *e)
{
    struct str want = str_of(service_kind_text(kind));
    for (size_t i = 0; i < docs->n; i++) {
        struct str is = val_get_str(docs->items[i].val, "kind");
        if (!str_eq(is, want))
            return err_set(e, ERR_SPEC, "the document is of kind %.*s, not %.*s", STR_ARG(is), STR_ARG(want));
    }
    if (!docs->n) return err_set(e, ERR_SPEC, "there is no document of kind %.*s", STR_ARG(want));
    return documents_check(a, s, docs, ns, false, diags, e);
}

bool service_object_put(struct arena *a, struct service *s, enum service_kind kind, enum service_put how, struct str ns,
                        const struct documents *docs, struct diags *diags, struct val *out, struct err *e)
{
    if (!service_object_lint(a, s, kind, ns, docs, diags, e)) return false;
    return put_any(a, s, kind, how, ns, docs->items[0].val, out, e);
}

bool object_delete_here(struct service *s, const struct resource_key *key, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val doc;
    arena_init(&a);
    if (!exec_begin_alone(s->exec, e)) return false;
    bool ok = resource_get(&a, service_store(s), key, &doc, e) && resource_delete(service_store(s), key, OBJECT_RV_ANY, clock_now_us(), e) &&
              exec_owner_gone(s->exec, val_text(val_path(&doc, "metadata.uid")), e);
    if (!ok) exec_rollback(s->exec);
    return ok && exec_commit(s->exec, e);
}

bool service_object_delete(struct service *s, enum service_kind kind, struct str ns, struct str name, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct resource_key key = key_of(kind, ns, name);
    struct val reply;
    arena_init(&a);
    if (!named(kind, name, e)) return false;
    for (unsigned i = 0; !s->exec; i++) {
        if (service_ask(&a, s, "DELETE", target_of(&a, kind, ns, name, NULL), STR_NONE, &reply, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return object_delete_here(s, &key, e);
}

static const struct zone *zone_of(void *arena, struct str name) { return exec_zone(arena, name); }

bool service_cron_next(const struct val *cron, int64_t now_us, int64_t *out_us)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    return !cron_rests(cron) && cron_next_time(zone_of, &a, cron, now_us, out_us);
}

bool service_cron_suspend(struct arena *a, struct service *s, struct str ns, struct str name, bool suspend,
                          struct val *out, struct err *e)
{
    struct val doc;
    for (unsigned i = 0; !s->exec; i++) {
        const char *target = target_of(a, SERVICE_CRON, ns, name, suspend ? "suspend" : "resume");
        if (service_ask(a, s, "PUT", target, STR("{}"), out, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!service_object_get(a, s, SERVICE_CRON, ns, name, &doc, e)) return false;
    struct val spec = map_with(a, val_get(&doc, STR("spec")), STR("suspend"), val_of_bool(suspend));
    doc = map_with(a, &doc, STR("spec"), spec);
    return put_here(a, s, SERVICE_UPDATE, ns, &doc, out, e);
}
