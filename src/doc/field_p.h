/* Shared by the field engine's files; private to the folder. */
#pragma once
#include <strings.h>

#include "doc/closest.h"
#include "doc/field.h"

/* What every generated list and map looks like. */
struct field_array {
    void *items;
    size_t n;
};

/* Bytes of one list item, or of one map entry. */
static inline size_t field_item_size(const struct field_row *r)
{
    size_t v = r->kind == FIELD_STRUCT                          ? r->type->size
               : r->kind == FIELD_INT || r->kind == FIELD_INT64 ? sizeof(int64_t)
                                                                : sizeof(struct str);
    return r->shape == FIELD_MAP ? v + sizeof(struct str) : v;
}

static inline bool tags_in(struct str s) { return str_find(s, STR("{{"), 0) >= 0; }

/* Go's strconv 'f', -1 of a JSON number's text, as Argo's AnyString prints it. */
struct str field_number_text(struct arena *a, struct str json);
