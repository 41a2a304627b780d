/* Stored objects of any kind, by Skiff's own routes or here. Values of Secrets go in and never come out: whoever reads one gets
 * the names of its keys. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "service/remote_p.h"

static bool kind_find(struct str text, enum resource_kind_id *kind, struct err *e)
{
    return resource_kind_find(text, kind) ||
           err_set(e, ERR_NOT_FOUND, "\"%.*s\" is not a kind of object that is stored", STR_ARG(text));
}

bool service_kind_is_shared(struct str kind)
{
    enum resource_kind_id id;
    return resource_kind_find(kind, &id) && !resource_kinds[id].namespaced;
}

bool service_kind_is(struct str kind, struct str is, struct err *e)
{
    enum resource_kind_id x, y;
    if (!kind_find(kind, &x, e) || !kind_find(is, &y, e)) return false;
    return x == y || err_set(e, ERR_SPEC, "the object is of kind %s, the request is about %s", resource_kinds[y].kind, resource_kinds[x].kind);
}

static struct val keys_of(struct arena *a, const struct val *data)
{
    struct val_builder list;
    list_begin(&list, a);
    for (uint32_t i = 0; data && data->kind == VAL_MAP && i < data->n; i++) list_add(&list, val_of_str(data->map[i].key));
    return list_done(&list);
}

/* Of a Secret, `keys` in place of `data`; the note of who applied it has its values too. */
static struct val shown(struct arena *a, const struct val *doc)
{
    if (!str_is(val_get_str(doc, "kind"), "Secret")) return *doc;
    struct val none = map_without(a, doc, STR("data")), meta = *val_get(doc, STR("metadata"));
    const struct val *notes = val_get(&meta, STR("annotations"));
    if (notes) meta = map_with(a, &meta, STR("annotations"), map_without(a, notes, STR("kubectl.kubernetes.io/last-applied-configuration")));
    none = map_with(a, &none, STR("metadata"), meta);
    return map_with(a, &none, STR("keys"), keys_of(a, val_get(doc, STR("data"))));
}

static const char *target_of(struct arena *a, const struct stored_ref *ref, const char *query)
{
    return str_fmt(a, "/api/v1/skiff/objects/%.*s/%.*s/%.*s%s", STR_ARG(web_escape(a, ref->kind)),
                   STR_ARG(ref->ns.n ? web_escape(a, ref->ns) : STR("default")), STR_ARG(web_escape(a, ref->name)), query).p;
}

static const char *list_target(struct arena *a, struct str kind, struct str ns)
{
    return str_fmt(a, "/api/v1/skiff/objects/%.*s/%.*s", STR_ARG(web_escape(a, kind)), STR_ARG(web_escape(a, ns))).p;
}

bool service_stored_page(struct arena *a, struct service *s, struct str kind, const struct object_query *o,
                         struct object_page *out, struct err *e)
{
    struct resource_query q = {.ns = o->ns, .label_selector = o->labels, .field_selector = o->fields, .continue_token = o->position,
                               .limit = o->limit};
    struct resource_page page;
    struct val_builder list;
    *out = (struct object_page){.items = {.kind = VAL_LIST}};
    if (!kind_find(kind, &q.kind, e)) return false;
    if (s->remote) return remote_page(a, s, list_target(a, kind, o->ns), o, out, e);
    if (!service_store(s)) return true;
    if (!resource_list(a, service_store(s), &q, &page, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; i < page.n; i++) list_add(&list, shown(a, &page.docs[i]));
    *out = (struct object_page){.items = list_done(&list), .next = page.continue_token, .rv = page.rv};
    return true;
}

bool service_stored_get(struct arena *a, struct service *s, const struct stored_ref *ref, struct val *out, struct err *e)
{
    struct resource_key key = {.ns = ref->ns, .name = ref->name};
    struct val doc;
    if (!kind_find(ref->kind, &key.kind, e)) return false;
    if (s->remote) return remote_get(a, s->remote, target_of(a, ref, ""), out, e);
    if (!service_store(s)) return err_set(e, ERR_NOT_FOUND, "nothing is stored in '%.*s'", STR_ARG(s->o.state_dir));
    if (!resource_get(a, service_store(s), &key, &doc, e)) return false;
    *out = shown(a, &doc);
    return true;
}

/* ---- changing ---- */

/* The values that a stored Secret has and `doc` does not name. */
static bool values_join(struct arena *a, struct service *s, const struct stored_ref *ref, struct val *doc, struct err *e)
{
    struct resource_key key = {.kind = RESOURCE_SECRET, .ns = ref->ns, .name = ref->name};
    struct err absent;
    struct val old;
    if (!str_is(val_get_str(doc, "kind"), "Secret")) return err_set(e, ERR_SPEC, "only values of a Secret are joined");
    if (!resource_get(a, service_store(s), &key, &old, &absent)) return absent.code == ERR_NOT_FOUND || (*e = absent, false);
    const struct val *data = val_get(&old, STR("data")), *more = val_get(doc, STR("data"));
    old = map_with(a, &old, STR("data"), map_with_all(a, data, more));
    const struct val *plain = val_get(doc, STR("stringData"));
    *doc = plain ? map_with(a, &old, STR("stringData"), *plain) : old;
    return true;
}

static bool apply_here(struct arena *a, struct service *s, const struct stored_ref *ref, struct val doc, unsigned how,
                       struct stored_result *out, struct err *e)
{
    struct resource_write w = {.store = service_store(s), .verb = RESOURCE_APPLY, .doc = &doc, .ns = ref->ns, .now_us = clock_now_us(),
                               .random = {random_u64(), random_u64()}};
    struct resource_result r;
    if (!exec_begin_alone(s->exec, e)) return false;
    cron_status_keep(a, s, ref->ns, &doc);
    bool ok = (!(how & STORED_JOIN) || values_join(a, s, ref, &doc, e)) && resource_put(a, &w, &r, e);
    if (!ok || how & STORED_DRY) exec_rollback(s->exec);
    else ok = exec_commit(s->exec, e);
    if (!ok) return false;
    *out = (struct stored_result){.doc = shown(a, &r.doc), .did = r.created ? STR("created") : r.unchanged ? STR("unchanged") : STR("configured")};
    if (!(how & STORED_DRY)) exec_limits_changed(s->exec);
    return true;
}

static bool apply_there(struct arena *a, struct service *s, const struct stored_ref *ref, const struct val *doc, unsigned how,
                        struct stored_result *out, struct err *e)
{
    struct val reply;
    const char *query = how & STORED_DRY ? "?dryRun=true" : how & STORED_JOIN ? "?join=true" : "";
    if (!service_ask(a, s, "PUT", target_of(a, ref, query), json_text(a, doc), &reply, e)) return false;
    const struct val *object = val_get(&reply, STR("object"));
    *out = (struct stored_result){.doc = object ? *object : val_null, .did = val_get_str(&reply, "result")};
    return true;
}

static bool ref_of(struct arena *a, const struct document *d, struct str ns, struct stored_ref *ref, struct err *e)
{
    enum resource_kind_id kind;
    struct str own = val_get_str(d->val, "kind");
    if (!kind_find(own, &kind, e)) return false;
    *ref = (struct stored_ref){str_dup(a, own), d->ns.n ? d->ns : ns, d->name};
    return ref->name.n || err_set(e, ERR_SPEC, "%.*s: metadata.name is missing", STR_ARG(own));
}

bool service_stored_apply(struct arena *a, struct service *s, struct str ns, const struct documents *one, unsigned how,
                          struct diags *diags, struct stored_result *out, struct err *e)
{
    struct stored_ref ref;
    ASSERT(one->n == 1);
    if (!ref_of(a, one->items, ns, &ref, e) || !documents_check(a, s, one, ns, false, diags, e)) return false;
    for (unsigned i = 0; !s->exec; i++) {
        if (apply_there(a, s, &ref, one->items[0].val, how, out, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return apply_here(a, s, &ref, *one->items[0].val, how, out, e);
}

bool service_stored_delete(struct service *s, const struct stored_ref *ref, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct resource_key key = {.ns = ref->ns, .name = ref->name};
    struct val reply;
    arena_init(&a);
    if (!kind_find(ref->kind, &key.kind, e)) return false;
    for (unsigned i = 0; !s->exec; i++) {
        if (service_ask(&a, s, "DELETE", target_of(&a, ref, ""), STR_NONE, &reply, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!object_delete_here(s, &key, e)) return false;
    exec_limits_changed(s->exec);
    return true;
}
