/* `kubectl apply`: what was applied last time, what is applied now and what is there make the new
 * document. Fields that the manifest no longer has go, fields of others stay. See resource.h. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "resource/resource.h"
#include "spec/merge.h"

static const char note[] = "kubectl.kubernetes.io/last-applied-configuration";

static struct val with(struct arena *a, const struct val *map, struct str key, struct val v)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) map_add(&b, map->map[i].key, map->map[i].v);
    map_set(&b, key, v);
    return map_done(&b);
}

/* `now` as an overlay that also says which members of `before` are gone. */
static struct val removals(struct arena *a, const struct val *before, const struct val *now)
{
    struct val_builder b;
    if (!before || before->kind != VAL_MAP || now->kind != VAL_MAP) return *now;
    map_begin(&b, a);
    for (uint32_t i = 0; i < now->n; i++)
        map_add(&b, now->map[i].key, removals(a, val_get(before, now->map[i].key), &now->map[i].v));
    for (uint32_t i = 0; i < before->n; i++)
        if (!val_get(now, before->map[i].key)) map_add(&b, before->map[i].key, val_null);
    return map_done(&b);
}

/* Owners are merged by uid. */
static struct val owners_join(struct arena *a, const struct val *live, const struct val *merged)
{
    const struct val *old = val_path(live, "metadata.ownerReferences"), *new = val_path(merged, "metadata.ownerReferences");
    struct val_builder list;
    if (!old || !new || new->kind != VAL_LIST || old->kind != VAL_LIST) return *merged;
    list_begin(&list, a);
    for (uint32_t i = 0; i < old->n; i++)
        if (!owner_ref_has(merged, val_get_str(&old->items[i], "uid"))) list_add(&list, old->items[i]);
    for (uint32_t i = 0; i < new->n; i++) list_add(&list, new->items[i]);
    struct val meta = with(a, val_get(merged, STR("metadata")), STR("ownerReferences"), list_done(&list));
    return with(a, merged, STR("metadata"), meta);
}

static struct val noted(struct arena *a, const struct val *doc, const struct val *manifest)
{
    const struct val *meta = val_get(doc, STR("metadata"));
    struct str text = str_cat(a, json_text(a, manifest), STR("\n"));
    struct val notes = with(a, val_get(meta, STR("annotations")), STR(note), val_of_str(text));
    struct val m = with(a, meta, STR("annotations"), notes);
    return with(a, doc, STR("metadata"), m);
}

struct val apply_merge(struct arena *a, const struct val *live, const struct val *manifest)
{
    struct val before = val_null;
    if (!live) return noted(a, manifest, manifest);
    struct str last = val_text(val_get(val_path(live, "metadata.annotations"), STR(note)));
    if (last.n && !json_parse(a, last, NULL, &before, NULL)) before = val_null;
    struct val overlay = removals(a, &before, manifest);
    struct val merged = merge_json(a, live, &overlay);
    merged = owners_join(a, live, &merged);
    return noted(a, &merged, manifest);
}
