/* Field tables: JSON Schemas and documentation. See field.h. Runs on: any thread. */
#include "base/map.h"
#include "doc/field_p.h"

static const char *const kind_texts[FIELD_KIND_MAX] = {
    [FIELD_STRING] = "string",
    [FIELD_ANYSTRING] = "string, number or bool",
    [FIELD_INTORSTRING] = "integer or string",
    [FIELD_QUANTITY] = "quantity",
    [FIELD_DURATION] = "duration",
    [FIELD_TIME] = "time",
    [FIELD_NUMBER] = "number",
    [FIELD_INT] = "integer",
    [FIELD_INT64] = "integer",
    [FIELD_BOOL] = "bool",
    [FIELD_ANY] = "anything",
    [FIELD_ITEM] = "anything",
};

struct str field_kind_text(struct arena *a, const struct field_row *r)
{
    const char *kind = r->kind == FIELD_STRUCT ? r->type->name : kind_texts[r->kind];
    switch (r->shape) {
    case FIELD_LIST: return str_fmt(a, "list of %s", kind);
    case FIELD_MAP: return str_fmt(a, "map of %s", kind);
    default: return str_of(kind);
    }
}

/* A part that names no field may be a list index or, in a map, any key. */
static bool is_index(struct str part)
{
    int64_t i;
    return str_is(part, "*") || (str_to_i64(part, &i) && i >= 0);
}

bool field_lookup(const struct field_type *root, struct str path, const struct field_row **row,
                  const struct field_type **type)
{
    const struct field_type *t = root;
    const struct field_row *last = NULL;
    bool key_allowed = false;
    struct str head, rest = path;
    while (rest.p && rest.n > 0) {
        str_cut(rest, '.', &head, &rest);
        while (t && t->wrap) t = t->rows[0].type;
        const struct field_row *r = t ? field_find(t, head) : NULL;
        if (r) {
            last = r;
            t = r->kind == FIELD_STRUCT ? r->type : NULL;
            key_allowed = r->shape != FIELD_ONE || r->kind == FIELD_ANY;
        } else if (key_allowed &&
                   (last->shape == FIELD_MAP || last->kind == FIELD_ANY || is_index(head))) {
            key_allowed = last->kind == FIELD_ANY;
        } else {
            return false;
        }
    }
    *row = last;
    *type = t;
    return true;
}

struct field_schemas {
    struct arena *a;
    const char *prefix;
    struct map seen; /* type name -> field_type */
    const struct field_type **queue;
    size_t n, cap;
};

static struct val type_is(struct arena *a, const char *type)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "type", str_of(type));
    return map_done(&b);
}

static struct val types_are(struct arena *a, const char *const *types)
{
    struct val_builder m, l;
    map_begin(&m, a);
    list_begin(&l, a);
    for (; *types; types++) list_add(&l, val_of_str(str_of(*types)));
    map_add(&m, STR("type"), list_done(&l));
    return map_done(&m);
}

struct val field_schemas_ref(struct field_schemas *em, const struct field_type *t)
{
    bool fresh;
    struct map_slot *slot = map_put(&em->seen, str_of(t->name), &fresh);
    if (fresh) {
        slot->ptr = (void *)(uintptr_t)t;
        if (em->n == em->cap) {
            em->cap = em->cap ? em->cap * 2 : 64;
            em->queue = mem_grow(em->queue, em->cap * sizeof *em->queue);
        }
        em->queue[em->n++] = t;
    }
    struct val_builder b;
    map_begin(&b, em->a);
    map_add_str(&b, "$ref", str_fmt(em->a, "%s%s", em->prefix, t->name));
    return map_done(&b);
}

static struct val enum_schema(struct arena *a, const char *values)
{
    struct val_builder m, l;
    struct str rest = str_of(values), head;
    map_begin(&m, a);
    map_add_str(&m, "type", STR("string"));
    list_begin(&l, a);
    while (rest.p) {
        str_cut(rest, '|', &head, &rest);
        list_add(&l, val_of_str(head));
    }
    map_add(&m, STR("enum"), list_done(&l));
    return map_done(&m);
}

static struct val value_schema(struct field_schemas *em, const struct field_row *r)
{
    static const char *const scalars[] = {"string", "number", "boolean", NULL};
    static const char *const int_or_string[] = {"integer", "string", NULL};
    static const char *const number_or_string[] = {"number", "string", NULL};
    struct val_builder b;
    switch (r->kind) {
    case FIELD_STRUCT: return field_schemas_ref(em, r->type);
    case FIELD_ANYSTRING: return types_are(em->a, scalars);
    case FIELD_INTORSTRING: return types_are(em->a, int_or_string);
    case FIELD_DURATION:
    case FIELD_QUANTITY: return types_are(em->a, number_or_string);
    case FIELD_NUMBER: return type_is(em->a, "number");
    case FIELD_INT:
    case FIELD_INT64: return type_is(em->a, "integer");
    case FIELD_BOOL: return type_is(em->a, "boolean");
    case FIELD_ANY:
    case FIELD_ITEM: map_begin(&b, em->a); return map_done(&b);
    default: return r->enum_values ? enum_schema(em->a, r->enum_values) : type_is(em->a, "string");
    }
}

struct val field_schemas_of_row(struct field_schemas *em, const struct field_row *r)
{
    struct val inner = value_schema(em, r), shaped = inner;
    struct val_builder b;
    if (r->shape != FIELD_ONE) {
        map_begin(&b, em->a);
        map_add_str(&b, "type", r->shape == FIELD_LIST ? STR("array") : STR("object"));
        map_add(&b, r->shape == FIELD_LIST ? STR("items") : STR("additionalProperties"), inner);
        shaped = map_done(&b);
    }
    map_begin(&b, em->a);
    for (size_t i = 0; i < shaped.n; i++) map_add(&b, shaped.map[i].key, shaped.map[i].v);
    map_add_str(&b, "description", str_of(r->doc));
    if (r->was) map_add(&b, STR("deprecated"), val_of_bool(true));
    return map_done(&b);
}

static struct val type_schema(struct field_schemas *em, const struct field_type *t)
{
    if (t->wrap) return field_schemas_of_row(em, &t->rows[0]);
    struct val_builder m, p, r;
    map_begin(&m, em->a);
    map_begin(&p, em->a);
    list_begin(&r, em->a);
    size_t n_required = 0;
    for (size_t i = 0; i < t->n; i++) {
        map_add(&p, str_of(t->rows[i].name), field_schemas_of_row(em, &t->rows[i]));
        if (!(t->rows[i].flags & FIELD_REQUIRED)) continue;
        list_add(&r, val_of_str(str_of(t->rows[i].name)));
        n_required++;
    }
    map_add_str(&m, "type", STR("object"));
    map_add_str(&m, "description", str_of(t->doc));
    map_add(&m, STR("properties"), map_done(&p));
    struct val required = list_done(&r);
    if (n_required > 0) map_add(&m, STR("required"), required);
    if (!t->open) map_add(&m, STR("additionalProperties"), val_of_bool(false));
    return map_done(&m);
}

struct field_schemas *field_schemas_new(struct arena *a, const char *prefix)
{
    struct field_schemas *em = mem_zalloc(sizeof *em);
    em->a = a;
    em->prefix = prefix;
    return em;
}

struct val field_schemas_done(struct field_schemas *em)
{
    struct val_builder all;
    map_begin(&all, em->a);
    for (size_t i = 0; i < em->n; i++) map_add(&all, str_of(em->queue[i]->name), type_schema(em, em->queue[i]));
    map_fini(&em->seen);
    free(em->queue);
    free(em);
    return map_done(&all);
}
