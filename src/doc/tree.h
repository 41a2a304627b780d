/* Private to doc: the stack on which both readers collect children until a container closes.
 *
 * Children of all open containers lie on one heap stack, innermost last; closing a container copies
 * its part into the arena, so that a document costs one allocation per container and none per node.
 * Runs on: one thread. */
#pragma once
#include "doc/doc_error.h"
#include "doc/val.h"

struct tree {
    struct arena *a;
    struct val_pair *stack; /* list items leave the key unset */
    size_t n, cap;
    uint32_t *index; /* scratch of tree_map: hash -> 1 + position */
    size_t index_cap;
};

void tree_init(struct tree *t, struct arena *a);
void tree_fini(struct tree *t);

void tree_grow(struct tree *t);

/* The next free pair on the stack; its key is absent. Valid until the next push. */
static inline struct val_pair *tree_push(struct tree *t)
{
    if (t->n == t->cap) tree_grow(t);
    struct val_pair *p = &t->stack[t->n++];
    p->key = STR_NONE;
    return p;
}

/* What lies above `base` becomes v's items. */
void tree_list(struct tree *t, size_t base, struct val *v);

/* A key that was there before: both positions. */
struct tree_duplicate {
    struct str key;
    uint32_t line, col, first_line, first_col;
};

/* What lies above `base` becomes v's pairs; the last of equal keys wins in the place of the first,
 * unless `dup` is given: then the first such pair is reported there and false returned. */
bool tree_map(struct tree *t, size_t base, struct val *v, struct tree_duplicate *dup);

/* Fills *where (may be NULL) and *e ("LINE:COL: text"); returns false. */
bool doc_error_raise(const struct doc_error *d, struct doc_error *where, enum err_code code,
                     struct err *e);
/* The same for a duplicate key. */
bool tree_duplicate_raise(const struct tree_duplicate *dup, uint16_t file, struct doc_error *where,
                          struct err *e);
