/* Values: one immutable tree for JSON and YAML alike.
 *
 * Keeps key order, the text of numbers and where each value stood (file:line:column), so that any
 * later complaint can point at its cause. A tree lives in the arena that it was made in. Numbers
 * keep their canonical JSON text (what sigs.k8s.io/yaml would print); convert on reading.
 * Runs on: any thread (reading), one thread while building. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum val_kind { VAL_NULL, VAL_BOOL, VAL_INT, VAL_FLOAT, VAL_STR, VAL_LIST, VAL_MAP };

struct val {
    uint8_t kind;     /* enum val_kind */
    bool b;           /* VAL_BOOL */
    uint16_t file;    /* index for diagnostics; 0 = not from a file */
    uint32_t line;    /* from 1; 0 = no position */
    uint32_t col;     /* from 1, in bytes */
    uint32_t n;       /* list items or map pairs */
    union {
        struct str s;               /* VAL_STR; VAL_INT and VAL_FLOAT: number text */
        const struct val *items;    /* VAL_LIST: n of them */
        const struct val_pair *map; /* VAL_MAP: n of them, source order */
    };
};

struct val_pair {
    struct str key;
    uint32_t line, col; /* of the key */
    struct val v;
};

extern const struct val val_null;

const char *val_kind_name(enum val_kind kind); /* "string", "integer", "list", … */

/* Map member or NULL; NULL also when v is NULL or no map, so that lookups chain. */
const struct val *val_get(const struct val *v, struct str key);
/* "a.b.c" through maps; a list index may stand as a part ("items.0.name"). */
const struct val *val_path(const struct val *v, const char *path);
/* The string (or number/bool text) at a member; absent str when missing or not a scalar. */
struct str val_get_str(const struct val *v, const char *key);
struct str val_text(const struct val *v); /* scalar as text: true, 12, 1.5, abc; else absent */
bool val_i64(const struct val *v, int64_t *out); /* VAL_INT that fits */
bool val_double(const struct val *v, double *out);
bool val_eq(const struct val *a, const struct val *b); /* deep; key order does not count */

/* Making values (positions 0 unless copied). */
struct val val_of_str(struct str s);
struct val val_of_bool(bool b);
struct val val_of_i64(struct arena *a, int64_t i);
struct val val_of_double(struct arena *a, double d); /* text as Go's encoding/json */
struct val val_copy(struct arena *a, const struct val *v); /* deep, with positions */

/* Builders for lists and maps: heap vectors until *_done freezes them into the arena. A second
 * set of the same key replaces the first in place. */
struct val_builder {
    struct arena *a;
    struct val_pair *pairs;
    struct val *items;
    size_t n, cap;
};
void map_begin(struct val_builder *b, struct arena *a);
void map_add(struct val_builder *b, struct str key, struct val v);       /* no duplicate check */
void map_set(struct val_builder *b, struct str key, struct val v);       /* replaces */
void map_add_str(struct val_builder *b, const char *key, struct str s);  /* absent s: nothing */
struct val map_done(struct val_builder *b);
/* A map (absent, or no map: an empty one) with a member more, or in place of one of that key; or without one. The
 * position stays; members are shared. */
struct val map_with(struct arena *a, const struct val *map, struct str key, struct val v);
struct val map_with_all(struct arena *a, const struct val *map, const struct val *more); /* of each key the last counts */
struct val map_without(struct arena *a, const struct val *map, struct str key);
void list_begin(struct val_builder *b, struct arena *a);
void list_add(struct val_builder *b, struct val v);
struct val list_done(struct val_builder *b);
