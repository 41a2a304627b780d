/* Documents: checks of what users write, and the stored form. See resource_p.h. */
#include "base/rfc3339.h"
#include "doc/base64.h"
#include "resource/resource_p.h"

static bool strings_check(const struct val *map, const char *what, struct err *e)
{
    if (!map || map->kind == VAL_NULL) return true;
    if (map->kind != VAL_MAP)
        return err_set(e, ERR_SPEC, "%s must be a map, not a %s", what, val_kind_name(map->kind));
    for (size_t i = 0; i < map->n; i++)
        if (map->map[i].v.kind != VAL_STR)
            return err_set(e, ERR_SPEC, "%s: \"%.*s\" must be a string, not a %s (put it in quotes)", what,
                           STR_ARG(map->map[i].key), val_kind_name(map->map[i].v.kind));
    return true;
}

static bool labels_check(const struct val *meta, struct err *e)
{
    const struct val *labels = val_get(meta, STR("labels"));
    if (!strings_check(labels, "metadata.labels", e) ||
        !strings_check(val_get(meta, STR("annotations")), "metadata.annotations", e))
        return false;
    for (size_t i = 0; labels && labels->kind == VAL_MAP && i < labels->n; i++)
        if (!label_key_check(labels->map[i].key, e) || !label_value_check(labels->map[i].v.s, e))
            return err_ctx(e, "metadata.labels");
    return true;
}

static bool base64_check(const struct val *map, const char *what, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str bytes;
    if (!strings_check(map, what, e)) return false;
    for (size_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++)
        if (!base64_decode(&a, map->map[i].v.s, &bytes))
            return err_set(e, ERR_SPEC, "%s: \"%.*s\" is not base64 (plain text goes into stringData)", what,
                           STR_ARG(map->map[i].key));
    return true;
}

static bool data_check(const struct val *doc, enum resource_kind_id kind, struct err *e)
{
    const struct val *data = val_get(doc, STR("data"));
    if (kind == RESOURCE_CONFIG_MAP)
        return strings_check(data, "data", e) && base64_check(val_get(doc, STR("binaryData")), "binaryData", e);
    if (kind == RESOURCE_SECRET)
        return base64_check(data, "data", e) && strings_check(val_get(doc, STR("stringData")), "stringData", e);
    return true;
}

bool document_check(const struct val *doc, enum resource_kind_id *kind, struct err *e)
{
    struct str name = val_get_str(doc, "kind"), api = val_get_str(doc, "apiVersion");
    const struct val *meta = val_get(doc, STR("metadata"));
    if (!doc || doc->kind != VAL_MAP) return err_set(e, ERR_SPEC, "a document must be a map");
    if (!resource_kind_find(name, kind) || !str_is(name, resource_kinds[*kind].kind))
        return err_set(e, ERR_UNSUPPORTED, "\"%.*s\" is not a kind that Skiff stores", STR_ARG(name));
    if (!str_is(api, resource_kinds[*kind].api_version))
        return err_set(e, ERR_SPEC, "%s has apiVersion %s, not \"%.*s\"", resource_kinds[*kind].kind,
                       resource_kinds[*kind].api_version, STR_ARG(api));
    if (!meta || meta->kind != VAL_MAP) return err_set(e, ERR_SPEC, "%.*s: metadata must be a map", STR_ARG(name));
    return labels_check(meta, e) && data_check(doc, *kind, e);
}

static bool is_one_of(struct str key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(key, names[i])) return true;
    return false;
}

static struct val meta_store(struct arena *a, const struct val *meta, const struct document_meta *m)
{
    static const char *const ours[] = {"name", "generateName", "namespace", "uid", "resourceVersion",
                                       "generation", "creationTimestamp", "managedFields"};
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "name", m->name);
    map_add_str(&b, "generateName", val_get_str(meta, "generateName"));
    if (m->ns.n) map_add_str(&b, "namespace", m->ns);
    map_add_str(&b, "uid", m->uid);
    map_add(&b, STR("generation"), val_of_i64(a, m->generation));
    map_add_str(&b, "creationTimestamp", rfc3339(a, m->created_us));
    for (size_t i = 0; i < meta->n; i++)
        if (!is_one_of(meta->map[i].key, ours, ARRAY_LEN(ours))) map_add(&b, meta->map[i].key, meta->map[i].v);
    return map_done(&b);
}

/* Secret: stringData goes into data, where it wins over what was there. */
static struct val secret_data(struct arena *a, const struct val *doc)
{
    const struct val *data = val_get(doc, STR("data")), *plain = val_get(doc, STR("stringData"));
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; data && data->kind == VAL_MAP && i < data->n; i++)
        map_add(&b, data->map[i].key, data->map[i].v);
    for (size_t i = 0; plain && plain->kind == VAL_MAP && i < plain->n; i++)
        map_set(&b, plain->map[i].key, val_of_str(base64_encode(a, plain->map[i].v.s)));
    return map_done(&b);
}

struct val document_store(struct arena *a, const struct val *doc, const struct document_meta *m,
                          const struct val *status)
{
    static const char *const ours[] = {"apiVersion", "kind", "metadata"};
    bool plain = str_is(val_get_str(doc, "kind"), "Secret") && val_get(doc, STR("stringData"));
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", val_get_str(doc, "apiVersion"));
    map_add_str(&b, "kind", val_get_str(doc, "kind"));
    map_add(&b, STR("metadata"), meta_store(a, val_get(doc, STR("metadata")), m));
    for (size_t i = 0; i < doc->n; i++) {
        struct str key = doc->map[i].key;
        if (is_one_of(key, ours, ARRAY_LEN(ours)) || (plain && str_is(key, "stringData"))) continue;
        if (!plain || !str_is(key, "data")) map_add(&b, key, doc->map[i].v);
    }
    if (plain) map_add(&b, STR("data"), secret_data(a, doc));
    if (status && !val_get(doc, STR("status"))) map_add(&b, STR("status"), *status);
    return map_done(&b);
}

struct val document_show(struct arena *a, const struct val *stored, int64_t rv)
{
    struct val_builder doc, meta;
    map_begin(&doc, a);
    for (size_t i = 0; i < stored->n; i++) {
        const struct val_pair *pair = &stored->map[i];
        if (!str_is(pair->key, "metadata")) {
            map_add(&doc, pair->key, pair->v);
            continue;
        }
        map_begin(&meta, a);
        for (size_t k = 0; k < pair->v.n; k++) {
            map_add(&meta, pair->v.map[k].key, pair->v.map[k].v);
            if (str_is(pair->v.map[k].key, "uid"))
                map_add_str(&meta, "resourceVersion", str_fmt(a, "%lld", (long long)rv));
        }
        map_add(&doc, pair->key, map_done(&meta));
    }
    return map_done(&doc);
}

static size_t spec_keys(const struct val *v)
{
    return v->n - (val_get(v, STR("metadata")) != NULL) - (val_get(v, STR("status")) != NULL);
}

bool document_same_spec(const struct val *x, const struct val *y)
{
    if (spec_keys(x) != spec_keys(y)) return false;
    for (size_t i = 0; i < x->n; i++) {
        struct str key = x->map[i].key;
        if (str_is(key, "metadata") || str_is(key, "status")) continue;
        const struct val *other = val_get(y, key);
        if (!other || !val_eq(&x->map[i].v, other)) return false;
    }
    return true;
}
