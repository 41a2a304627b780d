/* See tree.h. */
#include "doc/tree.h"

enum { LINEAR_MAX = 16 }; /* up to so many keys comparing all beats hashing */

void tree_init(struct tree *t, struct arena *a)
{
    *t = (struct tree){.a = a};
    tree_grow(t);
}

void tree_fini(struct tree *t)
{
    free(t->stack);
    free(t->index);
    *t = (struct tree){.a = t->a};
}

void tree_grow(struct tree *t)
{
    t->cap = t->cap ? t->cap * 2 : 256;
    t->stack = mem_grow(t->stack, t->cap * sizeof *t->stack);
}

void tree_list(struct tree *t, size_t base, struct val *v)
{
    size_t n = t->n - base;
    struct val *items = arena_alloc_raw(t->a, n * sizeof *items);
    for (size_t i = 0; i < n; i++) items[i] = t->stack[base + i].v;
    v->kind = VAL_LIST;
    v->n = (uint32_t)n;
    v->items = items;
    t->n = base;
}

static size_t find_linear(const struct val_pair *pairs, size_t n, struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(pairs[i].key, key)) return i;
    return n;
}

/* Position of `key` among the first `n` pairs; enters it as `n` when it is new. */
static size_t find_indexed(struct tree *t, const struct val_pair *pairs, size_t n, struct str key)
{
    size_t mask = t->index_cap - 1;
    for (size_t i = str_hash(key) & mask;; i = (i + 1) & mask) {
        if (!t->index[i]) {
            t->index[i] = (uint32_t)n + 1;
            return n;
        }
        if (str_eq(pairs[t->index[i] - 1].key, key)) return t->index[i] - 1;
    }
}

/* An empty table of at least twice `n` places. */
static void index_reset(struct tree *t, size_t n)
{
    size_t cap = 64;
    while (cap < n * 2) cap *= 2;
    if (cap > t->index_cap) t->index = mem_grow(t->index, cap * sizeof *t->index);
    t->index_cap = cap;
    memset(t->index, 0, cap * sizeof *t->index);
}

static bool duplicate_note(struct tree_duplicate *dup, const struct val_pair *first,
                           const struct val_pair *second)
{
    *dup = (struct tree_duplicate){.key = second->key, .line = second->line, .col = second->col,
                                   .first_line = first->line, .first_col = first->col};
    return false;
}

bool tree_map(struct tree *t, size_t base, struct val *v, struct tree_duplicate *dup)
{
    struct val_pair *pairs = t->stack + base;
    size_t n = t->n - base, kept = 0;
    bool indexed = n > LINEAR_MAX;
    if (indexed) index_reset(t, n);
    for (size_t i = 0; i < n; i++) {
        struct str key = pairs[i].key;
        size_t at = indexed ? find_indexed(t, pairs, kept, key) : find_linear(pairs, kept, key);
        if (at < kept && dup) return duplicate_note(dup, &pairs[at], &pairs[i]);
        if (at != i) pairs[at] = pairs[i];
        kept += at == kept;
    }
    struct val_pair *out = arena_alloc_raw(t->a, kept * sizeof *out);
    if (kept) memcpy(out, pairs, kept * sizeof *out);
    v->kind = VAL_MAP;
    v->n = (uint32_t)kept;
    v->map = out;
    t->n = base;
    return true;
}

bool tree_duplicate_raise(const struct tree_duplicate *dup, uint16_t file, struct doc_error *where,
                          struct err *e)
{
    struct doc_error d = {.file = file, .line = dup->line, .col = dup->col,
                          .first_line = dup->first_line, .first_col = dup->first_col};
    struct str key = str_sub(dup->key, 0, 200);
    d.len = (uint32_t)key.n;
    snprintf(d.text, sizeof d.text, "key \"%.*s\" already set in map (first at line %u:%u)",
             STR_ARG(key), dup->first_line, dup->first_col);
    snprintf(d.hint, sizeof d.hint, "remove one of the two");
    return doc_error_raise(&d, where, ERR_SPEC, e);
}
