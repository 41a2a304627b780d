/* Limits of semaphores: rows of the store (`database`), or numbers in a ConfigMap (Argo: server/sync).
 * A change is honoured at once by whoever waits. */
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "resource/sync_limit.h"
#include "service/remote_p.h"

/* ---- ConfigMaps ---- */

static struct resource_key cm_key(const struct sync_limit_ref *ref)
{
    return (struct resource_key){.kind = RESOURCE_CONFIG_MAP, .ns = ref->ns, .name = ref->config_map};
}

/* The document with data[key] = text, or without it; `old` NULL: a new one. */
static struct val changed_cm(struct arena *a, const struct sync_limit_ref *ref, const struct val *old, struct str text)
{
    struct val_builder b, meta, data;
    const struct val *was = val_get(old, STR("data"));
    map_begin(&data, a);
    for (uint32_t i = 0; was && was->kind == VAL_MAP && i < was->n; i++)
        if (!str_eq(was->map[i].key, ref->key)) map_add(&data, was->map[i].key, was->map[i].v);
    if (text.p) map_add(&data, ref->key, val_of_str(text));
    map_begin(&meta, a);
    map_add_str(&meta, "name", ref->config_map);
    map_add_str(&meta, "namespace", ref->ns);
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("v1"));
    map_add_str(&b, "kind", STR("ConfigMap"));
    map_add(&b, STR("metadata"), map_done(&meta));
    for (uint32_t i = 0; old && i < old->n; i++) map_set(&b, old->map[i].key, old->map[i].v);
    map_set(&b, STR("data"), map_done(&data));
    return map_done(&b);
}

static bool cm_write(struct arena *a, struct service *s, const struct sync_limit_ref *ref, const struct val *old,
                      struct str text, struct err *e)
{
    struct val doc = changed_cm(a, ref, old, text);
    struct resource_write w = {.store = service_store(s), .verb = RESOURCE_APPLY, .doc = &doc, .ns = ref->ns,
                               .now_us = clock_now_us(), .random = {random_u64(), random_u64()}};
    struct resource_result done;
    return resource_put(a, &w, &done, e);
}

static bool cm_limit(struct arena *a, struct service *s, const struct sync_limit_ref *ref, struct val *doc,
                      int64_t *limit, struct err *e)
{
    struct resource_key key = cm_key(ref);
    if (!resource_get(a, service_store(s), &key, doc, e)) return false;
    const struct val *v = val_get(val_get(doc, STR("data")), ref->key);
    if (!v)
        return err_set(e, ERR_NOT_FOUND, "key %.*s not found in configmap %.*s/%.*s", STR_ARG(ref->key),
                       STR_ARG(ref->ns), STR_ARG(ref->config_map));
    return str_to_i64(val_text(v), limit) ||
           err_set(e, ERR_SPEC, "invalid limit format for key %.*s in configmap %.*s/%.*s", STR_ARG(ref->key),
                   STR_ARG(ref->ns), STR_ARG(ref->config_map));
}

static bool cm_put(struct arena *a, struct service *s, const struct sync_limit_ref *ref, bool create, int64_t limit,
                    struct err *e)
{
    struct resource_key key = cm_key(ref);
    struct val doc;
    struct err absent = {0};
    bool found = resource_get(a, service_store(s), &key, &doc, &absent);
    bool has = found && val_get(val_get(&doc, STR("data")), ref->key);
    if (!found && (!create || absent.code != ERR_NOT_FOUND)) return *e = absent, false;
    if (create && has) return err_set(e, ERR_CONFLICT, "sync limit cannot be created as it already exists");
    if (!create && !has)
        return err_set(e, ERR_NOT_FOUND, "key %.*s not found in configmap %.*s/%.*s - please create it first",
                       STR_ARG(ref->key), STR_ARG(ref->ns), STR_ARG(ref->config_map));
    return cm_write(a, s, ref, found ? &doc : NULL, str_fmt(a, "%lld", (long long)limit), e);
}

static bool cm_delete(struct arena *a, struct service *s, const struct sync_limit_ref *ref, struct err *e)
{
    struct resource_key key = cm_key(ref);
    struct val doc;
    return resource_get(a, service_store(s), &key, &doc, e) && cm_write(a, s, ref, &doc, STR_NONE, e);
}

/* ---- here or at the engine ---- */

static bool change_here(struct arena *a, struct service *s, enum sync_verb verb, const struct sync_limit_ref *ref,
                        int64_t limit, struct err *e)
{
    bool create = verb == SYNC_CREATE;
    bool map = ref->config_map.n;
    if (verb == SYNC_DELETE)
        return map ? cm_delete(a, s, ref, e) : sync_limit_delete(service_store(s), ref->ns, ref->key, clock_now_us(), e);
    if (limit <= 0) return err_set(e, ERR_SPEC, "limit must be greater than zero");
    if (map) return cm_put(a, s, ref, create, limit, e);
    return sync_limit_put(service_store(s), ref->ns, ref->key, limit, create, clock_now_us(), e);
}

static const char *target_of(struct arena *a, const struct sync_limit_ref *ref, bool with_key, bool with_type)
{
    const char *target = str_fmt(a, "/api/v1/sync/%.*s%s%.*s", STR_ARG(web_escape(a, ref->ns)), with_key ? "/" : "",
                                 STR_ARG(with_key ? web_escape(a, ref->key) : STR_NONE)).p;
    if (!with_type) return target;
    return str_fmt(a, "%s?type=%s&cmName=%.*s", target, ref->config_map.n ? "CONFIGMAP" : "DATABASE", STR_ARG(web_escape(a, ref->config_map))).p;
}

static bool limit_there(struct arena *a, struct service *s, const struct sync_limit_ref *ref, int64_t *limit, struct err *e)
{
    struct val reply;
    *limit = 0;
    if (!remote_get(a, s->remote, target_of(a, ref, true, true), &reply, e)) return false;
    const struct val *v = val_get(&reply, STR("limit"));
    if (v) val_i64(v, limit);
    return true;
}

static bool change_there(struct arena *a, struct service *s, enum sync_verb verb, const struct sync_limit_ref *ref,
                         int64_t limit, struct err *e)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE"};
    struct val_builder b;
    struct val reply = val_null;
    const char *type = ref->config_map.n ? "CONFIGMAP" : "DATABASE";
    const char *target = target_of(a, ref, verb != SYNC_CREATE, verb == SYNC_DELETE);
    if (verb == SYNC_DELETE) return service_ask(a, s, methods[verb], target, STR_NONE, &reply, e);
    map_begin(&b, a);
    map_add_str(&b, "namespace", ref->ns);
    map_add_str(&b, "key", ref->key);
    map_add_str(&b, "cmName", ref->config_map);
    map_add_str(&b, "type", str_of(type));
    map_add(&b, STR("limit"), val_of_i64(a, limit));
    struct val body = map_done(&b);
    return service_ask(a, s, methods[verb], target, json_text(a, &body), &reply, e);
}

static bool key_check(const struct sync_limit_ref *ref, struct err *e)
{
    bool ok = ref->key.n > 0;
    for (size_t i = 0; ok && i < ref->key.n; i++) {
        char c = ref->key.p[i];
        ok = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_' || c == '.';
    }
    return ok || err_set(e, ERR_SPEC, "'%.*s' cannot be a key: letters, digits, '-', '_' and '.' only", STR_ARG(ref->key));
}

bool service_sync_change(struct service *s, enum sync_verb verb, const struct sync_limit_ref *ref, int64_t limit,
                         struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (!key_check(ref, e)) return false;
    for (unsigned i = 0; !s->exec; i++) {
        if (change_there(&a, s, verb, ref, limit, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    if (!exec_begin_alone(s->exec, e)) return false;
    if (!change_here(&a, s, verb, ref, limit, e)) return exec_rollback(s->exec), false;
    if (!exec_commit(s->exec, e)) return false;
    exec_limits_changed(s->exec);
    return true;
}

bool service_sync_get(struct service *s, const struct sync_limit_ref *ref, int64_t *limit, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val doc;
    arena_init(&a);
    if (s->remote) return limit_there(&a, s, ref, limit, e);
    if (!service_store(s)) return err_set(e, ERR_NOT_FOUND, "there is nothing in this state directory");
    if (ref->config_map.n) return cm_limit(&a, s, ref, &doc, limit, e);
    return sync_limit_get(service_store(s), ref->ns, ref->key, limit, e);
}
