/* See merge.h. Element order of merged lists follows strategicpatch's normalizeElementOrder. */
#include "spec/merge.h"

static struct val absent_or(const struct val *v) { return v ? *v : val_null; }

/* A map without its `$` directives and null members, which only mean something in an overlay. */
static struct val strip(struct arena *a, const struct val *v)
{
    if (v->kind == VAL_LIST) {
        struct val out = *v;
        struct val *items = ARENA_ARRAY(a, struct val, MAX(v->n, 1u));
        for (uint32_t i = 0; i < v->n; i++) items[i] = strip(a, &v->items[i]);
        out.items = items;
        return out;
    }
    if (v->kind != VAL_MAP) return *v;
    struct val out = *v;
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, MAX(v->n, 1u));
    out.n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        struct val_pair p = v->map[i];
        if (p.v.kind == VAL_NULL || str_starts(p.key, STR("$"))) continue;
        p.v = strip(a, &p.v);
        pairs[out.n++] = p;
    }
    out.map = pairs;
    return out;
}

static bool has_directive(const struct val *v, const char *what)
{
    const struct val *d = val_get(v, STR("$patch"));
    return d && d->kind == VAL_STR && str_is(d->s, what);
}

static ptrdiff_t index_by_key(const struct val *list, const char *key, const struct val *item)
{
    const struct val *wanted = val_get(item, str_of(key));
    for (uint32_t i = 0; wanted && i < list->n; i++) {
        const struct val *k = val_get(&list->items[i], str_of(key));
        if (k && val_eq(k, wanted)) return i;
    }
    return -1;
}

/* Items that only the base has are woven into the overlay's order: before an overlay item that the
 * base has behind them, else after. */
static struct val weave(struct arena *a, const struct val *base, const struct val *merged,
                        const bool *dropped, const char *key)
{
    struct val out = {
        .kind = VAL_LIST, .file = merged->file, .line = merged->line, .col = merged->col};
    struct val *items = ARENA_ARRAY(a, struct val, MAX(base->n + merged->n, 1u));
    uint32_t i = 0, j = 0;
    while (i < base->n || j < merged->n) {
        if (i < base->n && dropped[i]) {
            i++;
            continue;
        }
        ptrdiff_t at = j < merged->n ? index_by_key(base, key, &merged->items[j]) : -1;
        bool from_base = j >= merged->n || (i < base->n && at >= 0 && (ptrdiff_t)i < at);
        items[out.n++] = from_base ? base->items[i++] : merged->items[j++];
    }
    out.items = items;
    return out;
}

static bool replaces_list(const struct val *overlay)
{
    for (uint32_t i = 0; i < overlay->n; i++)
        if (has_directive(&overlay->items[i], "replace") && overlay->items[i].n == 1) return true;
    return false;
}

static struct val merge_list(struct arena *a, const struct field_row *r, const struct val *base,
                             const struct val *overlay)
{
    struct val merged = *overlay;
    struct val *items = ARENA_ARRAY(a, struct val, MAX(overlay->n, 1u));
    bool *dropped = ARENA_ARRAY(a, bool, MAX(base->n, 1u)); /* in the overlay as well, or deleted */
    bool replace = replaces_list(overlay);
    merged.n = 0;
    for (uint32_t i = 0; i < overlay->n; i++) {
        const struct val *item = &overlay->items[i];
        if (has_directive(item, "replace") && item->n == 1) continue;
        ptrdiff_t at = replace ? -1 : index_by_key(base, r->merge_key, item);
        if (at >= 0) dropped[at] = true;
        if (has_directive(item, "delete")) continue;
        items[merged.n++] = merge_strategic(a, r->type, at >= 0 ? &base->items[at] : NULL, item);
    }
    merged.items = items;
    static const struct val nothing = {.kind = VAL_LIST};
    return weave(a, replace ? &nothing : base, &merged, dropped, r->merge_key);
}

static struct val merge_member(struct arena *a, const struct field_row *r, const struct val *base,
                               const struct val *overlay)
{
    bool maps = base->kind == VAL_MAP && overlay->kind == VAL_MAP;
    bool lists = base->kind == VAL_LIST && overlay->kind == VAL_LIST;
    if (lists && r && r->merge_key) return merge_list(a, r, base, overlay);
    if (!maps) return strip(a, overlay);
    if (r && r->kind == FIELD_STRUCT && r->shape == FIELD_MAP) {
        /* a map of structs: its keys are free, its values have the type */
        struct val_builder b;
        map_begin(&b, a);
        for (uint32_t i = 0; i < base->n; i++) map_add(&b, base->map[i].key, base->map[i].v);
        for (uint32_t i = 0; i < overlay->n; i++) {
            const struct val_pair *p = &overlay->map[i];
            map_set(&b, p->key, merge_strategic(a, r->type, val_get(base, p->key), &p->v));
        }
        return map_done(&b);
    }
    return merge_strategic(a, r && r->shape == FIELD_ONE ? r->type : NULL, base, overlay);
}

struct val merge_strategic(struct arena *a, const struct field_type *t, const struct val *base,
                           const struct val *overlay)
{
    if (!overlay) return absent_or(base);
    if (!base || base->kind != VAL_MAP || overlay->kind != VAL_MAP ||
        has_directive(overlay, "replace"))
        return strip(a, overlay);
    if (has_directive(overlay, "delete")) return (struct val){.kind = VAL_MAP};
    struct val out = *overlay;
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, base->n + overlay->n + 1u);
    out.n = 0;
    for (uint32_t i = 0; i < base->n; i++) {
        struct val_pair p = base->map[i];
        const struct val *over = val_get(overlay, p.key);
        if (over && over->kind == VAL_NULL) continue;
        if (over) p.v = merge_member(a, t ? field_find(t, p.key) : NULL, &p.v, over);
        pairs[out.n++] = p;
    }
    for (uint32_t i = 0; i < overlay->n; i++) {
        struct val_pair p = overlay->map[i];
        if (p.v.kind == VAL_NULL || str_starts(p.key, STR("$")) || val_get(base, p.key)) continue;
        p.v = strip(a, &p.v);
        pairs[out.n++] = p;
    }
    out.map = pairs;
    return out;
}

struct val merge_json(struct arena *a, const struct val *base, const struct val *overlay)
{
    if (!overlay) return absent_or(base);
    return merge_strategic(a, NULL, base, overlay);
}

static struct val without(struct arena *a, const struct val *v, struct str x, struct str y)
{
    struct val out = *v;
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, MAX(v->n, 1u));
    out.n = 0;
    for (uint32_t i = 0; i < v->n; i++)
        if (!str_eq(v->map[i].key, x) && !str_eq(v->map[i].key, y)) pairs[out.n++] = v->map[i];
    out.map = pairs;
    return out;
}

struct val merge_workflow_spec(struct arena *a, const struct val *workflow_spec,
                               const struct val *template_spec, const struct val *defaults_spec)
{
    struct val out = absent_or(workflow_spec);
    if (template_spec && template_spec->kind == VAL_MAP) {
        struct val base = without(a, template_spec, STR("suspend"), STR("priority"));
        out = merge_strategic(a, &argo_workflow_spec_type, &base, &out);
    }
    if (defaults_spec && defaults_spec->kind == VAL_MAP) {
        struct val base = without(a, defaults_spec, STR("suspend"), STR("suspend"));
        out = merge_strategic(a, &argo_workflow_spec_type, &base, &out);
    }
    return out;
}

static enum template_type body_of(const struct val *tmpl)
{
    for (enum template_type k = TEMPLATE_NONE + 1; k < TEMPLATE_TYPE_MAX; k++) {
        const struct val *v = val_get(tmpl, str_of(template_type_field(k)));
        if (v && v->kind != VAL_NULL) return k;
    }
    return TEMPLATE_NONE;
}

struct val merge_template_defaults(struct arena *a, const struct val *defaults,
                                   const struct val *tmpl)
{
    enum template_type type = body_of(tmpl);
    struct val out = merge_strategic(a, &argo_template_type, defaults, tmpl);
    if (type == TEMPLATE_NONE || out.kind != VAL_MAP) return out;
    for (enum template_type k = TEMPLATE_NONE + 1; k < TEMPLATE_TYPE_MAX; k++) {
        struct str field = str_of(template_type_field(k));
        if (k != type && !val_get(tmpl, field)) out = without(a, &out, field, field);
    }
    return out;
}

struct val merge_spec_defaults(struct arena *a, const struct val *spec)
{
    const struct val *defaults = val_get(spec, STR("templateDefaults"));
    const struct val *templates = val_get(spec, STR("templates"));
    if (!defaults || defaults->kind != VAL_MAP || !templates || templates->kind != VAL_LIST)
        return *spec;
    struct val list = *templates, out = *spec;
    struct val *items = ARENA_ARRAY(a, struct val, MAX(list.n, 1u));
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, out.n);
    for (uint32_t i = 0; i < list.n; i++)
        items[i] = merge_template_defaults(a, defaults, &templates->items[i]);
    list.items = items;
    for (uint32_t i = 0; i < out.n; i++) {
        pairs[i] = spec->map[i];
        if (&spec->map[i].v == templates) pairs[i].v = list;
    }
    out.map = pairs;
    return out;
}
