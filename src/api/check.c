/* Queries and bodies against their types. See routes.h. Pure. */
#include "api/routes.h"

#include "base/rfc3339.h"

/* ---- queries ---- */

static bool is_flag(struct str s) { return str_is(s, "true") || str_is(s, "false"); }

static bool value_check(const struct field_row *row, struct str key, struct str s, struct err *e)
{
    int64_t number;
    if (row->support == FIELD_REFUSED) return err_set(e, ERR_SPEC, "%.*s is refused by %s", STR_ARG(key), row->support_text);
    switch (row->kind) {
    case FIELD_INT:
    case FIELD_INT64:
        return (str_to_i64(s, &number) && number >= 0) ||
               err_set(e, ERR_SPEC, "%.*s is a number that is not negative, not '%.*s'", STR_ARG(key), STR_ARG(s));
    case FIELD_BOOL: return is_flag(s) || err_set(e, ERR_SPEC, "%.*s is true or false, not '%.*s'", STR_ARG(key), STR_ARG(s));
    case FIELD_TIME:
        return rfc3339_parse(s, &number) ||
               err_set(e, ERR_SPEC, "%.*s is not a time such as 2026-01-31T12:00:00Z: '%.*s'", STR_ARG(key), STR_ARG(s));
    default:
        return !row->enum_values || str_has_word(str_of(row->enum_values), '|', s) ||
               err_set(e, ERR_SPEC, "%.*s is one of %s, not '%.*s'", STR_ARG(key), row->enum_values, STR_ARG(s));
    }
}

/* An empty text or time is none, as an absent one; an empty number or flag is wrong. */
static bool is_none(const struct field_row *row, struct str value)
{
    return !value.n && row->kind != FIELD_INT && row->kind != FIELD_INT64 && row->kind != FIELD_BOOL;
}

bool query_check(const struct http_req *r, const struct field_type *t, struct err *e)
{
    struct str key, value;
    for (size_t i = 0; http_req_query_at(r, i, &key, &value); i++) {
        const struct field_row *row;
        const struct field_type *of;
        if (!key.n || !field_lookup(t, key, &row, &of) || row->kind == FIELD_STRUCT || is_none(row, value)) continue;
        bool again = row->shape == FIELD_ONE && http_req_query(r, key.p).p != value.p;
        if (again) continue;
        if (!value_check(row, key, value, e)) return false;
    }
    return true;
}

/* ---- bodies ---- */

/* Where in a body. */
struct place {
    const struct place *up;
    struct str name; /* absent: item `at` of a list */
    uint32_t at;
};

static struct str place_text(struct arena *a, const struct place *p)
{
    if (!p->up) return STR("the body");
    if (!p->name.p) return str_fmt(a, "%.*s[%u]", STR_ARG(place_text(a, p->up)), p->at);
    return p->up->up ? str_fmt(a, "%.*s.%.*s", STR_ARG(place_text(a, p->up)), STR_ARG(p->name)) : p->name;
}

static bool is_not(const struct place *p, const char *what, const struct val *v, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str where = place_text(&a, p);
    return err_set(e, ERR_SPEC, "%.*s is %s, not a value of type %s", STR_ARG(where), what, val_kind_name(v->kind));
}

static bool type_check(const struct place *p, const struct val *v, const struct field_type *t, struct err *e);

static bool one_check(const struct place *p, const struct val *v, const struct field_row *row, struct err *e)
{
    int64_t number;
    switch (row->kind) {
    case FIELD_STRUCT:
        if (row->type->open) return type_check(p, v, row->type, e);
        return v->kind == VAL_MAP || is_not(p, "an object", v, e);
    case FIELD_INT:
        return (val_i64(v, &number) && number >= INT32_MIN && number <= INT32_MAX) || is_not(p, "an integer of 32 bits", v, e);
    case FIELD_INT64: return val_i64(v, &number) || is_not(p, "an integer", v, e);
    case FIELD_BOOL: return v->kind == VAL_BOOL || is_not(p, "true or false", v, e);
    case FIELD_ANY:
    case FIELD_ITEM: return true;
    default: return v->kind == VAL_STR || is_not(p, "a text", v, e);
    }
}

static bool row_check(const struct place *p, const struct val *v, const struct field_row *row, struct err *e)
{
    if (v->kind == VAL_NULL) return true; /* as absent */
    if (row->shape == FIELD_ONE) return one_check(p, v, row, e);
    if (v->kind != (row->shape == FIELD_LIST ? VAL_LIST : VAL_MAP)) return is_not(p, row->shape == FIELD_LIST ? "a list" : "an object", v, e);
    for (uint32_t i = 0; row->shape == FIELD_LIST && i < v->n; i++)
        if (!one_check(&(struct place){.up = p, .at = i}, &v->items[i], row, e)) return false;
    return true;
}

static bool type_check(const struct place *p, const struct val *v, const struct field_type *t, struct err *e)
{
    if (v->kind != VAL_MAP) return is_not(p, "an object", v, e);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct field_row *row = field_find(t, v->map[i].key);
        struct place here = {.up = p, .name = v->map[i].key};
        if (row && str_is(v->map[i].key, row->name) && !row_check(&here, &v->map[i].v, row, e)) return false;
    }
    return true;
}

bool body_check(const struct val *body, const struct field_type *t, struct err *e)
{
    return type_check(&(struct place){0}, body, t, e);
}
