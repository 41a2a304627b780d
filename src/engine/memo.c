/* Memoization: outputs of earlier nodes, kept as JSON texts in ConfigMaps (workflow/controller/cache:
 * cache.go, configmap_cache.go). An entry is {nodeID, outputs, creationTimestamp, lastHitTimestamp}. */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/duration.h"

#define TYPE_LABEL "workflows.argoproj.io/configmap-type"

bool memo_decide(const struct val *memoize, struct arena *a, struct gate *g, struct err *e)
{
    struct str name = val_text(val_path(memoize, "cache.configMap.name"));
    struct str key = val_text(val_get(memoize, STR("key"))), age = val_text(val_get(memoize, STR("maxAge")));
    if (!name.n) return err_set(e, ERR_SPEC, "cache could not be found or created");
    g->key = str_dup(a, key.p ? key : STR(""));
    g->cache = str_dup(a, name);
    g->max_age = age.n ? str_dup(a, age) : STR_NONE;
    return true;
}

static bool key_check(struct str key, struct err *e)
{
    bool ok = key.n > 0;
    for (size_t i = 0; ok && i < key.n; i++) {
        char c = key.p[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        ok = letter || (c == '-' && i);
    }
    return ok || err_set(e, ERR_SPEC, "invalid cache key: %.*s", STR_ARG(key));
}

static bool label_check(const struct val *doc, struct err *e)
{
    const struct val *label = val_get(val_path(doc, "metadata.labels"), STR(TYPE_LABEL));
    if (!label) return err_set(e, ERR_SPEC, "memoization configmap doesn't have " TYPE_LABEL " label, refusing to use it");
    if (str_is(val_text(label), "Cache")) return true;
    return err_set(e, ERR_SPEC, "memoization configmap doesn't have label " TYPE_LABEL " = Cache, refusing to use it");
}

/* The document with data[key] = text; NULL: a new one. */
static struct val with_entry(struct run *r, const struct gate *g, const struct val *doc, struct str text)
{
    struct arena *a = &r->scratch;
    struct val_builder labels, meta, data, out;
    const struct val *old_meta = val_get(doc, STR("metadata")), *old = val_get(doc, STR("data"));
    map_begin(&labels, a);
    map_add_str(&labels, TYPE_LABEL, STR("Cache"));
    map_begin(&meta, a);
    for (uint32_t i = 0; old_meta && i < old_meta->n; i++)
        if (!str_is(old_meta->map[i].key, "resourceVersion")) map_add(&meta, old_meta->map[i].key, old_meta->map[i].v);
    map_set(&meta, STR("name"), val_of_str(g->cache));
    map_set(&meta, STR("namespace"), val_of_str(r->ns));
    map_set(&meta, STR("labels"), map_done(&labels));
    map_begin(&data, a);
    for (uint32_t i = 0; old && old->kind == VAL_MAP && i < old->n; i++) map_add(&data, old->map[i].key, old->map[i].v);
    map_set(&data, g->key, val_of_str(text));
    map_begin(&out, a);
    map_add_str(&out, "apiVersion", STR("v1"));
    map_add_str(&out, "kind", STR("ConfigMap"));
    for (uint32_t i = 0; doc && i < doc->n; i++) map_set(&out, doc->map[i].key, doc->map[i].v);
    map_set(&out, STR("metadata"), map_done(&meta));
    map_set(&out, STR("data"), map_done(&data));
    return map_done(&out);
}

/* Absent: larger than any ConfigMap may be. */
static struct str entry_text(struct arena *a, struct str node_id, struct str outputs, struct str created, struct str hit)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_CONFIG_MAP_BYTES + 4096);
    buf_str(&b, STR("{\"nodeID\":"));
    buf_json(&b, node_id);
    buf_printf(&b, ",\"outputs\":");
    buf_str(&b, outputs.n ? outputs : STR("null"));
    buf_str(&b, STR(",\"creationTimestamp\":"));
    if (created.n) buf_json(&b, created);
    else buf_str(&b, STR("null"));
    buf_printf(&b, ",\"lastHitTimestamp\":\"%.*s\"}", STR_ARG(hit));
    return b.overflow ? STR_NONE : buf_dup(a, &b);
}

static bool too_long(struct str name, struct err *e)
{
    return err_set(e, ERR_LIMIT, "error creating cache entry: ConfigMap \"%.*s\" is invalid: []: Too long: must have at "
                   "most %d bytes", STR_ARG(name), LIMIT_CONFIG_MAP_BYTES);
}

/* As much as Kubernetes lets a ConfigMap hold. */
static bool size_check(const struct val *doc, struct str name, struct err *e)
{
    const struct val *data = val_get(doc, STR("data"));
    size_t bytes = 0;
    for (uint32_t i = 0; data && i < data->n; i++) bytes += data->map[i].key.n + val_text(&data->map[i].v).n;
    return bytes <= LIMIT_CONFIG_MAP_BYTES || too_long(name, e);
}

static bool write(struct run *r, const struct val *doc, struct err *e)
{
    return r->opts.cache.write(r->opts.lookup_ctx, doc, e);
}

static bool read(struct run *r, const struct gate *g, struct val *doc)
{
    return r->opts.cache.read && r->opts.cache.read(r->opts.lookup_ctx, &r->scratch, r->ns, g->cache, doc);
}

static bool hold(struct run *r, const struct val *outputs, bool for_run, struct err *e)
{
    if (!r->opts.cache.hold || !val_get(outputs, STR("artifacts"))) return true;
    return r->opts.cache.hold(r->opts.lookup_ctx, outputs, for_run, e);
}

/* ---- looking ---- */

static bool is_too_old(struct run *r, const struct gate *g, const struct val *entry, bool *out, struct err *e)
{
    int64_t age_ns, created;
    *out = false;
    if (!g->max_age.p) return true;
    if (!duration_parse(g->max_age, &age_ns, e)) return err_ctx(e, "invalid maxAge");
    *out = !rfc3339_parse(val_get_str(entry, "creationTimestamp"), &created) || r->now_us - created > age_ns / 1000;
    return true;
}

static bool is_kind(const struct val *v, const char *key, enum val_kind kind)
{
    const struct val *m = val_get(v, str_of(key));
    return !m || m->kind == VAL_NULL || m->kind == kind;
}

static bool is_named_list(const struct val *outputs, const char *key)
{
    const struct val *list = val_get(outputs, str_of(key));
    if (!is_kind(outputs, key, VAL_LIST)) return false;
    for (uint32_t i = 0; list && i < list->n; i++)
        if (list->items[i].kind != VAL_MAP || !is_kind(&list->items[i], "name", VAL_STR)) return false;
    return true;
}

/* Anybody can write a ConfigMap: as far as the rest relies on it, an entry is what it should be. */
static bool entry_check(const struct val *entry, struct err *e)
{
    const struct val *outputs = val_get(entry, STR("outputs"));
    int64_t us;
    struct str created = val_get_str(entry, "creationTimestamp");
    bool ok = entry->kind == VAL_NULL || entry->kind == VAL_MAP;
    ok = ok && is_kind(entry, "nodeID", VAL_STR) && is_kind(entry, "outputs", VAL_MAP) && is_kind(entry, "creationTimestamp", VAL_STR);
    ok = ok && (!created.p || rfc3339_parse(created, &us)) && is_named_list(outputs, "parameters") &&
         is_named_list(outputs, "artifacts") && is_kind(outputs, "result", VAL_STR) && is_kind(outputs, "exitCode", VAL_STR);
    return ok || err_set(e, ERR_SPEC, "it has not the shape of an entry");
}

/* The hit is noted even when the entry is too old (configmap_cache.go Load). */
static bool hit_note(struct run *r, const struct gate *g, const struct val *doc, const struct val *entry, struct err *e)
{
    struct str created = val_get_str(entry, "creationTimestamp"), now = rfc3339(&r->scratch, r->now_us);
    const struct val *outputs = val_get(entry, STR("outputs"));
    struct str text = entry_text(&r->scratch, val_get_str(entry, "nodeID"),
                                 outputs ? json_text(&r->scratch, outputs) : STR_NONE, created, now);
    if (!text.p) return too_long(g->cache, e);
    struct val changed = with_entry(r, g, doc, text);
    return write(r, &changed, e) || err_ctx(e, "error updating last hit timestamp on cache");
}

/* *entry null: there is none. */
static bool entry_load(struct run *r, const struct gate *g, struct val *entry, struct err *e)
{
    struct val doc;
    *entry = val_null;
    if (!key_check(g->key, e)) return false;
    if (!read(r, g, &doc)) return true;
    if (!label_check(&doc, e)) return false;
    struct str text = val_text(val_get(val_get(&doc, STR("data")), g->key));
    if (!text.n) return true;
    if (!json_parse(&r->scratch, text, NULL, entry, e) || !entry_check(entry, e))
        return err_ctx(e, "malformed cache entry: could not unmarshal JSON; unable to parse");
    return hit_note(r, g, &doc, entry, e);
}

bool memo_look(struct run *r, struct gate *g, bool *hit, struct str *outputs, struct err *e)
{
    struct val entry;
    bool old;
    *hit = false;
    *outputs = STR_NONE;
    if (!entry_load(r, g, &entry, e) || !is_too_old(r, g, &entry, &old, e)) return false;
    const struct val *kept = val_get(&entry, STR("outputs"));
    *hit = !old && val_get_str(&entry, "nodeID").n;
    if (!*hit || !kept || kept->kind != VAL_MAP || !kept->n) return true;
    *outputs = json_text(&r->arena, kept);
    return hold(r, kept, true, e);
}

/* ---- keeping ---- */

bool memo_save(struct run *r, const struct node *n, struct err *e)
{
    const struct gate *g = n->gate;
    struct val doc;
    if (!r->opts.cache.write) return true;
    if (!key_check(g->key, e)) return false;
    bool found = read(r, g, &doc);
    if (found && !label_check(&doc, e)) return false;
    struct str now = rfc3339(&r->scratch, r->now_us);
    struct str text = entry_text(&r->scratch, node_id_text(&r->scratch, r, n), n->outputs, now, now);
    if (!text.p) return too_long(g->cache, e);
    struct val changed = with_entry(r, g, found ? &doc : NULL, text), outputs = parsed(&r->scratch, n->outputs);
    return size_check(&changed, g->cache, e) && write(r, &changed, e) && hold(r, &outputs, false, e);
}
