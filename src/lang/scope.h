/* Scopes: the names a template may mention ("inputs.parameters.x", "steps.a.outputs.result") and
 * their values. A flat map with a parent; a lookup that misses goes to the parent.
 *
 * Keys and values are not copied: they must live as long as the scope. A scope is an index over
 * memory of the caller, so that one can be made for every step without copying anything.
 * Runs on: one thread while it is filled, then any. */
#pragma once
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "doc/val.h"

enum scope_kind {
    SCOPE_STR, /* an ordinary string value */
    SCOPE_VAL, /* a structured value: an item map, an artifact */
    SCOPE_NIL, /* declared, but its producer was skipped or omitted */
    SCOPE_TIME, /* an instant: expressions can reckon with it */
};

struct scope_value {
    enum scope_kind kind;
    struct str str;
    const struct val *val;
    int64_t time_us;
};

struct scope_entry {
    struct str key;
    struct scope_value value;
};

/* Consulted for a key that is in no map of this scope; false = unknown here too (the search goes
 * on in the parent). What it returns must live as long as the scope. Lazy names take part in
 * expressions only when they are written out in full (a.b.c or a.b['c']). Asked for "a.", a lookup says whether it knows
 * any name that begins so, and gives what `a` is then without members. */
typedef bool scope_lookup_fn(void *ctx, struct str key, struct scope_value *out);

struct scope {
    const struct scope *parent;
    struct map index; /* key -> index in entries */
    VEC(struct scope_entry) entries; /* in order of first set */
    scope_lookup_fn *lookup;
    void *lookup_ctx;
};

void scope_init(struct scope *s, const struct scope *parent); /* parent may be NULL */
void scope_fini(struct scope *s); /* may be called twice, and by CLEANUP(scope_fini) */

/* A second set of the same key replaces the first. */
void scope_set(struct scope *s, struct str key, struct str value);
void scope_set_val(struct scope *s, struct str key, const struct val *v);
void scope_set_nil(struct scope *s, struct str key);
void scope_set_time(struct scope *s, struct str key, int64_t time_us);
void scope_set_lookup(struct scope *s, scope_lookup_fn *fn, void *ctx);

/* False when neither this scope nor a parent knows the key; NIL is known. */
bool scope_get(const struct scope *s, struct str key, struct scope_value *out);

/* Calls fn for every key of this scope and of its parents, the nearest definition only. Lazy
 * names are not listed. */
void scope_each(const struct scope *s, void (*fn)(void *ctx, const struct scope_entry *entry),
                void *ctx);
