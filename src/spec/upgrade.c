/* Argo 3.x forms become 4.x forms, known fields get their exact names, numbers and booleans where text belongs become
 * text, and unknown and null members go, as Go's decoder has them: on values, guided by the field tables. See documents.h. */
#include "doc/field.h"
#include "spec/documents.h"

static bool upgrade(struct arena *a, const struct field_type *t, const struct val *v,
                    struct val *out);

static struct val with_position(struct val v, const struct val *of)
{
    v.file = of->file;
    v.line = of->line;
    v.col = of->col;
    return v;
}

/* `from: X` becomes an item at the end of the list `to`. */
static void single_to_list(struct arena *a, struct val_builder *b, const struct val *v,
                           const char *from, const char *to)
{
    const struct val *single = val_get(v, str_of(from)), *list = val_get(v, str_of(to));
    if (!single || single->kind == VAL_NULL) return;
    struct val_builder l;
    list_begin(&l, a);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        list_add(&l, list->items[i]);
    list_add(&l, *single);
    map_set(b, str_of(to), with_position(list_done(&l), list ? list : single));
}

static void rename_field(struct val_builder *b, const struct val *v, const char *from,
                         const char *to)
{
    const struct val *x = val_get(v, str_of(from));
    if (x && x->kind != VAL_NULL && !val_get(v, str_of(to))) map_set(b, str_of(to), *x);
}

static void ttl_to_strategy(struct arena *a, struct val_builder *b, const struct val *v)
{
    const struct val *seconds = val_get(v, STR("ttlSecondsAfterFinished"));
    const struct val *strategy = val_get(v, STR("ttlStrategy"));
    if (!seconds || seconds->kind == VAL_NULL || val_get(strategy, STR("secondsAfterCompletion")))
        return;
    struct val_builder m;
    map_begin(&m, a);
    for (uint32_t i = 0; strategy && strategy->kind == VAL_MAP && i < strategy->n; i++)
        map_add(&m, strategy->map[i].key, strategy->map[i].v);
    map_add(&m, STR("secondsAfterCompletion"), *seconds);
    map_set(b, STR("ttlStrategy"), with_position(map_done(&m), seconds));
}

/* Fields whose meaning moves elsewhere; they are not carried over. */
static bool is_converted(const struct field_type *t, struct str name)
{
    static const struct {
        const struct field_type *type;
        const char *field;
    } rows[] = {
        {&argo_cron_workflow_spec_type, "schedule"},
        {&argo_stop_strategy_type, "condition"},
        {&argo_synchronization_type, "mutex"},
        {&argo_synchronization_type, "semaphore"},
        {&argo_workflow_spec_type, "ttlSecondsAfterFinished"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].type == t && str_is(name, rows[i].field)) return true;
    return false;
}

static void convert(struct arena *a, const struct field_type *t, const struct val *v,
                    struct val_builder *b)
{
    if (t == &argo_cron_workflow_spec_type) single_to_list(a, b, v, "schedule", "schedules");
    if (t == &argo_stop_strategy_type) rename_field(b, v, "condition", "expression");
    if (t == &argo_workflow_spec_type) ttl_to_strategy(a, b, v);
    if (t != &argo_synchronization_type) return;
    single_to_list(a, b, v, "mutex", "mutexes");
    single_to_list(a, b, v, "semaphore", "semaphores");
}

static bool is_text(const struct field_row *r)
{
    return r->kind == FIELD_STRING || r->kind == FIELD_ANYSTRING || r->kind == FIELD_TIME || r->kind == FIELD_DURATION || r->kind == FIELD_QUANTITY;
}

static bool upgrade_one(struct arena *a, const struct field_row *r, const struct val *v, struct val *out)
{
    if (r->kind == FIELD_STRUCT) return upgrade(a, r->type, v, out);
    if (v->kind == VAL_STR || v->kind == VAL_LIST || v->kind == VAL_MAP) return false;
    if (v->kind == VAL_NULL && r->kind == FIELD_QUANTITY) return false; /* an empty text is none */
    *out = with_position(val_of_str(v->kind == VAL_NULL ? STR("") : field_text(a, r, v)), v);
    return true;
}

static bool upgrade_items(struct arena *a, const struct field_row *r, const struct val *v,
                          struct val *out)
{
    bool changed = false;
    struct val *items = ARENA_ARRAY(a, struct val, MAX(v->n, 1u));
    for (uint32_t i = 0; i < v->n; i++) {
        items[i] = v->items[i];
        changed |= upgrade_one(a, r, &v->items[i], &items[i]);
    }
    if (!changed) return false;
    *out = *v;
    out->items = items;
    return true;
}

static bool upgrade_entries(struct arena *a, const struct field_row *r, const struct val *v,
                            struct val *out)
{
    bool changed = false;
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, MAX(v->n, 1u));
    for (uint32_t i = 0; i < v->n; i++) {
        pairs[i] = v->map[i];
        changed |= upgrade_one(a, r, &v->map[i].v, &pairs[i].v);
    }
    if (!changed) return false;
    *out = *v;
    out->map = pairs;
    return true;
}

static bool upgrade_field(struct arena *a, const struct field_row *r, const struct val *v,
                          struct val *out)
{
    if (r->kind != FIELD_STRUCT && !is_text(r)) return false;
    if (r->shape == FIELD_LIST) return v->kind == VAL_LIST && upgrade_items(a, r, v, out);
    if (r->shape == FIELD_MAP) return v->kind == VAL_MAP && upgrade_entries(a, r, v, out);
    return upgrade_one(a, r, v, out);
}

/* A template of which `suspend:` is all there is has no body (E0301): lint shows where {} belongs. */
static bool is_null(const struct field_type *t, const struct val_pair *p)
{
    return p->v.kind == VAL_NULL && !(t == &argo_template_type && str_is(p->key, "suspend"));
}

static bool is_renamed(const struct field_row *r, const struct val_pair *p)
{
    return !str_eq(p->key, str_n(r->name, r->name_n));
}

static bool upgrade(struct arena *a, const struct field_type *t, const struct val *v,
                    struct val *out)
{
    if (t->wrap) return upgrade_field(a, &t->rows[0], v, out);
    if (v->kind != VAL_MAP) return false;
    bool changed = false, converts = false;
    struct val plain = *v;
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, MAX(v->n, 1u));
    plain.map = pairs;
    plain.n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct field_row *r = field_find(t, v->map[i].key);
        struct val_pair *p = &pairs[plain.n];
        *p = v->map[i];
        bool goes = !r || is_null(t, p);
        changed |= goes || is_renamed(r, p);
        if (goes) continue;
        p->key = str_n(r->name, r->name_n);
        converts |= r->was && is_converted(t, p->key);
        changed |= upgrade_field(a, r, &v->map[i].v, &p->v);
        plain.n++;
    }
    if (!changed && !converts) return false;
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; i < plain.n; i++)
        if (!is_converted(t, pairs[i].key)) map_set(&b, pairs[i].key, pairs[i].v);
    convert(a, t, &plain, &b);
    *out = with_position(map_done(&b), v);
    return true;
}

const struct val *document_upgrade(struct arena *a, const struct field_type *t, const struct val *v)
{
    struct val *out = ARENA_NEW(a, struct val);
    return upgrade(a, t, v, out) ? out : v;
}
