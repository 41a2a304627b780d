/* Creating, updating, applying and deleting stored documents. See resource.h. */
#include "base/id.h"
#include "doc/json_write.h"
#include "resource/resource_p.h"

bool resource_change_log(struct store *s, const char *type, const struct owned *row, struct err *e)
{
    enum { CHANGE_MAX = 16 << 10 };
    const struct { const char *key; struct str value; } fields[] = {
        {"type", str_of(type)}, {"kind", row->kind}, {"namespace", row->ns}, {"name", row->name}, {"uid", row->uid},
    };
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, CHANGE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        buf_printf(&b, "%s\"%s\":", i ? "," : "{", fields[i].key);
        buf_json(&b, fields[i].value);
    }
    buf_char(&b, '}');
    struct change_row change = {.kind = STR("object"), .payload = buf_view(&b)};
    return store_change_add(s, &change, NULL, e);
}

static struct owned thing(const struct object_row *row)
{
    return (struct owned){row->kind, row->ns, row->name, row->uid};
}

static bool change_log(struct store *s, const char *type, const struct object_row *row, struct err *e)
{
    struct owned what = thing(row);
    return resource_change_log(s, type, &what, e);
}

/* What is stored under the name, if anything. */
struct existing {
    bool found;
    struct object_row row;
    struct val doc;
};

static bool existing_load(struct arena *a, struct store *s, const struct resource_key *key, struct existing *x,
                          struct err *e)
{
    struct err why = {0};
    x->found = resource_load(a, s, key, &x->row, &x->doc, &why);
    if (!x->found && why.code != ERR_NOT_FOUND && e) *e = why;
    return x->found || why.code == ERR_NOT_FOUND;
}

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The name for generateName: suffixes until one is free. */
static bool name_generate(struct arena *a, const struct resource_write *w, struct str prefix,
                          struct resource_key *key, struct err *e)
{
    enum { TRIES = 8, SUFFIX_BYTES = 5, PREFIX_MAX = 63 - SUFFIX_BYTES };
    uint64_t state = w->random[0] ^ w->random[1];
    for (int i = 0; i < TRIES; i++) {
        struct existing x;
        key->name = str_cat(a, str_sub(prefix, 0, PREFIX_MAX), name_suffix(a, random_next(&state)));
        if (!existing_load(a, w->store, key, &x, e)) return false;
        if (!x.found) return true;
    }
    return err_set(e, ERR_CONFLICT, "no free name found for generateName \"%.*s\"", STR_ARG(prefix));
}

/* Kind, namespace and name of the document; the name is absent when it is to be generated. */
static bool key_of(const struct resource_write *w, struct resource_key *key, struct err *e)
{
    const struct val *meta = val_get(w->doc, STR("metadata"));
    struct str ns = val_get_str(meta, "namespace"), name = val_get_str(meta, "name");
    key->ns = resource_ns(ns.n ? ns : w->ns, key->kind);
    key->name = name;
    if (key->ns.n && !dns_label_check(key->ns, e)) return err_ctx(e, "metadata.namespace");
    if (name.n) return dns_subdomain_check(name, e) || err_ctx(e, "metadata.name");
    struct str prefix = val_get_str(meta, "generateName");
    if (!prefix.n) return err_set(e, ERR_SPEC, "%s: metadata.name is missing", resource_kinds[key->kind].kind);
    if (w->verb == RESOURCE_UPDATE) return err_set(e, ERR_SPEC, "an update needs metadata.name");
    key->name = STR_NONE;
    return true;
}

/* Does the verb fit what is there, and does the document know the version it replaces? */
static bool existing_check(const struct resource_write *w, const struct resource_key *key,
                           const struct existing *x, struct err *e)
{
    const char *kind = resource_kinds[key->kind].kind;
    const struct val *meta = val_get(w->doc, STR("metadata"));
    struct str version = val_get_str(meta, "resourceVersion"), uid = val_get_str(meta, "uid");
    int64_t rv = 0;
    if (version.n && !str_to_i64(version, &rv))
        return err_set(e, ERR_SPEC, "metadata.resourceVersion \"%.*s\" is not a number", STR_ARG(version));
    if (w->verb == RESOURCE_CREATE && x->found)
        return err_set(e, ERR_CONFLICT, "%s \"%.*s\" exists already", kind, STR_ARG(key->name));
    if (w->verb == RESOURCE_UPDATE && !x->found)
        return err_set(e, ERR_NOT_FOUND, "there is no %s \"%.*s\"", kind, STR_ARG(key->name));
    if (w->verb == RESOURCE_CREATE || !x->found) return true;
    if (rv && rv != x->row.rv)
        return err_set(e, ERR_CONFLICT, "%s \"%.*s\" was changed meanwhile: version %lld is not %lld", kind,
                       STR_ARG(key->name), (long long)x->row.rv, (long long)rv);
    return !uid.n || str_eq(uid, x->row.uid) ||
           err_set(e, ERR_CONFLICT, "%s \"%.*s\" was deleted and made anew meanwhile (another uid)", kind,
                   STR_ARG(key->name));
}

static struct str uid_of(struct arena *a, const struct resource_write *w)
{
    uint8_t bytes[16];
    memcpy(bytes, w->random, sizeof bytes);
    return uuid_text(a, bytes);
}

static struct val stored_form(struct arena *a, const struct resource_write *w, const struct object_row *row,
                              const struct existing *x)
{
    struct document_meta m = {row->name, row->ns, row->uid, row->created_us, 1};
    const struct val *status = NULL;
    int64_t generation = 0;
    if (x->found) {
        if (w->verb == RESOURCE_APPLY) status = val_get(&x->doc, STR("status"));
        const struct val *g = val_path(&x->doc, "metadata.generation");
        if (g && val_i64(g, &generation)) m.generation = generation;
    }
    struct val doc = document_store(a, w->doc, &m, status);
    if (!x->found || document_same_spec(&doc, &x->doc)) return doc;
    m.generation++;
    return document_store(a, w->doc, &m, status);
}

bool resource_put(struct arena *a, const struct resource_write *w, struct resource_result *out, struct err *e)
{
    struct resource_key key;
    struct existing x = {0};
    if (!document_check(w->doc, &key.kind, e) || !key_of(w, &key, e)) return false;
    struct str prefix = val_get_str(val_get(w->doc, STR("metadata")), "generateName");
    if (!str_set(key.name) && !name_generate(a, w, prefix, &key, e)) return false;
    if (!existing_load(a, w->store, &key, &x, e) || !existing_check(w, &key, &x, e)) return false;

    struct object_row row = {.kind = str_of(resource_kinds[key.kind].kind), .ns = key.ns, .name = key.name};
    row.uid = x.found ? x.row.uid : uid_of(a, w);
    row.created_us = x.found ? x.row.created_us : w->now_us;
    struct val stored = stored_form(a, w, &row, &x);
    bool unchanged = x.found && val_eq(&stored, &x.doc);
    if (!unchanged) {
        struct owned what = thing(&row);
        row.doc = json_text(a, &stored);
        if (!store_object_put(w->store, &row, x.found ? x.row.rv : OBJECT_RV_NEW, e) ||
            !owners_note(w->store, &stored, &what, e) || !change_log(w->store, x.found ? "MODIFIED" : "ADDED", &row, e))
            return false;
    }
    int64_t rv = unchanged ? x.row.rv : store_version(w->store);
    *out = (struct resource_result){document_show(a, &stored, rv), row.kind, row.ns, row.name, row.uid,
                                    !x.found, unchanged};
    return true;
}

bool resource_delete(struct store *s, const struct resource_key *key, int64_t expected_rv, int64_t now_us,
                     struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct object_row row;
    struct val doc;
    return resource_load(&a, s, key, &row, &doc, e) && store_object_delete(s, &row, expected_rv, now_us, e) &&
           change_log(s, "DELETED", &row, e);
}

struct val owner_ref_add(struct arena *a, const struct val *doc, const struct owner_ref *owner)
{
    const struct val *meta = val_get(doc, STR("metadata")), *refs = val_get(meta, STR("ownerReferences"));
    struct val_builder ref, list, m, d;
    map_begin(&ref, a);
    map_add_str(&ref, "apiVersion", owner->api_version);
    map_add_str(&ref, "kind", owner->kind);
    map_add_str(&ref, "name", owner->name);
    map_add_str(&ref, "uid", owner->uid);
    if (owner->controller) {
        map_add(&ref, STR("controller"), val_of_bool(true));
        map_add(&ref, STR("blockOwnerDeletion"), val_of_bool(true));
    }
    list_begin(&list, a);
    for (size_t i = 0; refs && refs->kind == VAL_LIST && i < refs->n; i++)
        if (!str_eq(val_get_str(&refs->items[i], "uid"), owner->uid)) list_add(&list, refs->items[i]);
    list_add(&list, map_done(&ref));
    map_begin(&m, a);
    for (size_t i = 0; meta && i < meta->n; i++) map_add(&m, meta->map[i].key, meta->map[i].v);
    map_set(&m, STR("ownerReferences"), list_done(&list));
    map_begin(&d, a);
    for (size_t i = 0; i < doc->n; i++) map_add(&d, doc->map[i].key, doc->map[i].v);
    map_set(&d, STR("metadata"), map_done(&m));
    return map_done(&d);
}

bool owner_ref_has(const struct val *doc, struct str uid)
{
    const struct val *refs = val_path(doc, "metadata.ownerReferences");
    for (size_t i = 0; refs && refs->kind == VAL_LIST && i < refs->n; i++)
        if (str_eq(val_get_str(&refs->items[i], "uid"), uid)) return true;
    return false;
}
