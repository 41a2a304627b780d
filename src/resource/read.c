/* Getting and listing stored documents, and single values of ConfigMaps and Secrets. See
 * resource.h. */
#include "base/limits.h"
#include "base/vec.h"
#include "doc/base64.h"
#include "doc/json.h"
#include "resource/resource_p.h"

struct str resource_ns(struct str ns, enum resource_kind_id kind)
{
    if (!resource_kinds[kind].namespaced) return STR("");
    return ns.n ? ns : STR("default");
}

bool resource_load(struct arena *a, struct store *s, const struct resource_key *key, struct object_row *row,
                   struct val *stored, struct err *e)
{
    struct object_row at = {.kind = str_of(resource_kinds[key->kind].kind), .ns = resource_ns(key->ns, key->kind),
                            .name = key->name};
    if (!store_object_get(a, s, &at, row, e)) return false;
    return json_parse(a, row->doc, NULL, stored, e) ||
           err_ctx(e, "stored %.*s \"%.*s\"", STR_ARG(at.kind), STR_ARG(at.name));
}

bool resource_get(struct arena *a, struct store *s, const struct resource_key *key, struct val *out,
                  struct err *e)
{
    struct object_row row;
    struct val stored;
    if (!resource_load(a, s, key, &row, &stored, e)) return false;
    *out = document_show(a, &stored, row.rv);
    return true;
}

struct filter {
    struct selector labels, fields;
};

static bool filter_keeps(const struct filter *f, const struct val *doc)
{
    return selector_matches(&f->labels, val_path(doc, "metadata.labels")) &&
           field_selector_matches(&f->fields, doc);
}

static bool query_prepare(struct arena *a, const struct resource_query *q, struct filter *f,
                          struct object_filter *from, struct err *e)
{
    enum { BATCH = 500 };
    if (!selector_parse(a, q->label_selector, &f->labels, e) ||
        !field_selector_parse(a, q->field_selector, &f->fields, e))
        return false;
    *from = (struct object_filter){.kind = str_of(resource_kinds[q->kind].kind), .limit = BATCH};
    if (q->ns.n) from->ns = resource_ns(q->ns, q->kind);
    if (!q->continue_token.n) return true;
    return str_cut(q->continue_token, '/', &from->after_ns, &from->after_name) ||
           err_set(e, ERR_SPEC, "continue token \"%.*s\" is not one of ours", STR_ARG(q->continue_token));
}

/* Walks in batches until one document more than the page holds has been found. */
bool resource_list(struct arena *a, struct store *s, const struct resource_query *q, struct resource_page *out,
                   struct err *e)
{
    VEC(struct val) docs = {0};
    struct filter filter;
    struct object_filter from;
    struct object_row *rows;
    size_t n = 0, limit = q->limit && q->limit < LIMIT_LIST_ROWS ? q->limit : LIMIT_LIST_ROWS;
    bool more = false, ok = query_prepare(a, q, &filter, &from, e);
    out->continue_token = STR_NONE;
    do {
        ok = ok && store_object_list(a, s, &from, &rows, &n, e);
        for (size_t i = 0; ok && !more && i < n; i++) {
            struct val stored;
            if (q->name_part.n && str_find(rows[i].name, q->name_part, 0) < 0) continue;
            if (!(ok = json_parse(a, rows[i].doc, NULL, &stored, e))) break;
            struct val doc = document_show(a, &stored, rows[i].rv);
            if (!filter_keeps(&filter, &doc)) continue;
            more = docs.n == limit;
            if (more) break;
            VEC_PUSH(&docs, doc);
            if (docs.n == limit)
                out->continue_token = str_fmt(a, "%.*s/%.*s", STR_ARG(rows[i].ns), STR_ARG(rows[i].name));
        }
        if (ok && n) from.after_ns = rows[n - 1].ns, from.after_name = rows[n - 1].name;
    } while (ok && !more && n == from.limit);
    if (!more) out->continue_token = STR_NONE;
    out->n = docs.n;
    out->docs = ARENA_ARRAY(a, struct val, docs.n);
    if (docs.n) memcpy(out->docs, docs.items, docs.n * sizeof *docs.items);
    out->rv = ok ? store_version(s) : 0;
    VEC_FINI(&docs);
    return ok;
}

static bool key_missing(const struct value_key *k, const char *kind, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "%s \"%.*s\" has no key \"%.*s\"", kind, STR_ARG(k->name), STR_ARG(k->key));
}

/* `member`.key of the document, decoded when `encoded`. */
static bool value_of(struct arena *a, const struct val *v, bool encoded, struct str *out, struct err *e)
{
    *out = v->s;
    return !encoded || base64_decode(a, v->s, out) || err_set(e, ERR_SPEC, "the stored value is not base64");
}

bool configmap_value(struct arena *a, struct store *s, const struct value_key *k, struct str *out, struct err *e)
{
    struct val doc;
    struct resource_key key = {RESOURCE_CONFIG_MAP, k->ns, k->name};
    if (!resource_get(a, s, &key, &doc, e)) return false;
    const struct val *text = val_get(val_get(&doc, STR("data")), k->key);
    if (text) return value_of(a, text, false, out, e);
    const struct val *bytes = val_get(val_get(&doc, STR("binaryData")), k->key);
    return bytes ? value_of(a, bytes, true, out, e) : key_missing(k, "ConfigMap", e);
}

bool secret_value(struct arena *a, struct store *s, const struct value_key *k, struct str *out, struct err *e)
{
    struct val doc;
    struct resource_key key = {RESOURCE_SECRET, k->ns, k->name};
    if (!resource_get(a, s, &key, &doc, e)) return false;
    const struct val *bytes = val_get(val_get(&doc, STR("data")), k->key);
    return bytes ? value_of(a, bytes, true, out, e) : key_missing(k, "Secret", e);
}
