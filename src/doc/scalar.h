/* What a plain YAML scalar means: go-yaml v2's resolve table. Pure; any thread. */
#pragma once
#include "doc/val.h"

enum scalar_kind {
    SCALAR_STR,
    SCALAR_NULL,
    SCALAR_TRUE,
    SCALAR_FALSE,
    SCALAR_INT,
    SCALAR_FLOAT,
    SCALAR_SPECIAL_FLOAT, /* .nan, .inf: no JSON value */
    SCALAR_MERGE,         /* << */
};

struct scalar {
    enum scalar_kind kind;
    struct val number; /* SCALAR_INT and SCALAR_FLOAT: in the arena */
};

/* With `a` NULL only the kind is found (number is unset). */
struct scalar scalar_resolve(struct arena *a, struct str s);

/* Would go-yaml quote the string `s` so that it is not read as another type? Timestamps and base 60
 * numbers count, though we read both as strings. */
bool scalar_needs_quotes(struct str s);
