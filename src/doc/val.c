/* See val.h. */
#include "doc/val.h"

#include "base/map.h"
#include "doc/number.h"

const struct val val_null = {.kind = VAL_NULL};

const char *val_kind_name(enum val_kind kind)
{
    static const char *const names[] = {"null", "boolean", "integer", "number", "string", "list", "map"};
    ASSERT(kind < ARRAY_LEN(names));
    return names[kind];
}

const struct val *val_get(const struct val *v, struct str key)
{
    if (!v || v->kind != VAL_MAP) return NULL;
    for (uint32_t i = 0; i < v->n; i++)
        if (str_eq(v->map[i].key, key)) return &v->map[i].v;
    return NULL;
}

static const struct val *step(const struct val *v, struct str part)
{
    int64_t i;
    if (v->kind != VAL_LIST) return val_get(v, part);
    return str_to_i64(part, &i) && i >= 0 && i < v->n ? &v->items[i] : NULL;
}

const struct val *val_path(const struct val *v, const char *path)
{
    struct str rest = str_of(path), part;
    while (v && rest.p) {
        str_cut(rest, '.', &part, &rest);
        v = step(v, part);
    }
    return v;
}

struct str val_text(const struct val *v)
{
    if (!v) return STR_NONE;
    switch ((enum val_kind)v->kind) {
    case VAL_STR:
    case VAL_INT:
    case VAL_FLOAT: return v->s;
    case VAL_BOOL: return v->b ? STR("true") : STR("false");
    default: return STR_NONE;
    }
}

struct str val_get_str(const struct val *v, const char *key)
{
    return val_text(val_get(v, str_of(key)));
}

bool val_i64(const struct val *v, int64_t *out)
{
    return v && v->kind == VAL_INT && str_to_i64(v->s, out);
}

bool val_double(const struct val *v, double *out)
{
    return v && (v->kind == VAL_INT || v->kind == VAL_FLOAT) && number_read(v->s, out);
}

static bool number_eq(const struct val *a, const struct val *b)
{
    double x, y;
    if (str_eq(a->s, b->s)) return true;
    if (a->kind == VAL_INT && b->kind == VAL_INT) return false;
    return val_double(a, &x) && val_double(b, &y) && x == y;
}

/* Above a few members an index makes comparing maps linear. */
static bool map_eq(const struct val *a, const struct val *b)
{
    enum { LINEAR_MAX = 16 };
    struct map index CLEANUP(map_fini) = {0};
    if (b->n > LINEAR_MAX)
        for (uint32_t i = 0; i < b->n; i++)
            map_set_ptr(&index, b->map[i].key, (void *)&b->map[i].v);
    for (uint32_t i = 0; i < a->n; i++) {
        struct str key = a->map[i].key;
        const struct val *other = index.n ? map_ptr(&index, key) : val_get(b, key);
        if (!other || !val_eq(&a->map[i].v, other)) return false;
    }
    return true;
}

bool val_eq(const struct val *a, const struct val *b)
{
    bool numbers = (a->kind == VAL_INT || a->kind == VAL_FLOAT) &&
                   (b->kind == VAL_INT || b->kind == VAL_FLOAT);
    if (numbers) return number_eq(a, b);
    if (a->kind != b->kind) return false;
    switch ((enum val_kind)a->kind) {
    case VAL_NULL: return true;
    case VAL_BOOL: return a->b == b->b;
    case VAL_STR: return str_eq(a->s, b->s);
    case VAL_MAP: return a->n == b->n && map_eq(a, b);
    default: break;
    }
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!val_eq(&a->items[i], &b->items[i])) return false;
    return true;
}

struct val val_of_str(struct str s) { return (struct val){.kind = VAL_STR, .s = s}; }
struct val val_of_bool(bool b) { return (struct val){.kind = VAL_BOOL, .b = b}; }

struct val val_of_i64(struct arena *a, int64_t i)
{
    return number_int(a, i < 0, i < 0 ? -(uint64_t)i : (uint64_t)i);
}

struct val val_of_double(struct arena *a, double d) { return number_val(a, d); }

static struct val list_copy(struct arena *a, const struct val *v)
{
    struct val r = *v, *items = ARENA_ARRAY(a, struct val, v->n);
    for (uint32_t i = 0; i < v->n; i++) items[i] = val_copy(a, &v->items[i]);
    r.items = items;
    return r;
}

static struct val map_copy(struct arena *a, const struct val *v)
{
    struct val r = *v;
    struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        pairs[i] = v->map[i];
        pairs[i].key = str_dup(a, v->map[i].key);
        pairs[i].v = val_copy(a, &v->map[i].v);
    }
    r.map = pairs;
    return r;
}

struct val val_copy(struct arena *a, const struct val *v)
{
    struct val r = *v;
    switch ((enum val_kind)v->kind) {
    case VAL_LIST: return list_copy(a, v);
    case VAL_MAP: return map_copy(a, v);
    case VAL_STR:
    case VAL_INT:
    case VAL_FLOAT: r.s = str_dup(a, v->s); return r;
    default: return r;
    }
}

static void builder_begin(struct val_builder *b, struct arena *a) { *b = (struct val_builder){.a = a}; }

void map_begin(struct val_builder *b, struct arena *a) { builder_begin(b, a); }
void list_begin(struct val_builder *b, struct arena *a) { builder_begin(b, a); }

void map_add(struct val_builder *b, struct str key, struct val v)
{
    ASSERT(!b->items);
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 8;
        b->pairs = mem_grow(b->pairs, b->cap * sizeof *b->pairs);
    }
    b->pairs[b->n++] = (struct val_pair){.key = key, .v = v};
}

void map_set(struct val_builder *b, struct str key, struct val v)
{
    for (size_t i = 0; i < b->n; i++) {
        if (!str_eq(b->pairs[i].key, key)) continue;
        b->pairs[i].v = v;
        return;
    }
    map_add(b, key, v);
}

void map_add_str(struct val_builder *b, const char *key, struct str s)
{
    if (str_set(s)) map_add(b, str_of(key), val_of_str(s));
}

void list_add(struct val_builder *b, struct val v)
{
    ASSERT(!b->pairs);
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 8;
        b->items = mem_grow(b->items, b->cap * sizeof *b->items);
    }
    b->items[b->n++] = v;
}

/* Moves the heap vector into the arena and empties the builder. */
static const void *freeze(struct val_builder *b, void *heap, size_t size)
{
    void *p = arena_alloc(b->a, size);
    if (size) memcpy(p, heap, size);
    free(heap);
    builder_begin(b, b->a);
    return p;
}

struct val map_done(struct val_builder *b)
{
    struct val r = {.kind = VAL_MAP, .n = (uint32_t)b->n};
    r.map = freeze(b, b->pairs, b->n * sizeof *b->pairs);
    return r;
}

static struct val at_place_of(struct val v, const struct val *map)
{
    if (map) v.file = map->file, v.line = map->line, v.col = map->col;
    return v;
}

struct val map_with(struct arena *a, const struct val *map, struct str key, struct val v)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) map_add(&b, map->map[i].key, map->map[i].v);
    map_set(&b, key, v);
    return at_place_of(map_done(&b), map);
}

struct val map_with_all(struct arena *a, const struct val *map, const struct val *more)
{
    const struct val *from[] = {map, more};
    struct map at CLEANUP(map_fini) = {0}; /* key → its place; labels of strangers may be many */
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        for (uint32_t k = 0; from[i] && from[i]->kind == VAL_MAP && k < from[i]->n; k++) {
            const struct val_pair *p = &from[i]->map[k];
            bool fresh;
            struct map_slot *slot = map_put(&at, p->key.p ? p->key : STR(""), &fresh);
            if (fresh) slot->num = b.n, map_add(&b, p->key, p->v);
            else b.pairs[slot->num].v = p->v;
        }
    }
    return at_place_of(map_done(&b), map);
}

struct val map_without(struct arena *a, const struct val *map, struct str key)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++)
        if (!str_eq(map->map[i].key, key)) map_add(&b, map->map[i].key, map->map[i].v);
    return at_place_of(map_done(&b), map);
}

struct val list_done(struct val_builder *b)
{
    struct val r = {.kind = VAL_LIST, .n = (uint32_t)b->n};
    r.items = freeze(b, b->items, b->n * sizeof *b->items);
    return r;
}
