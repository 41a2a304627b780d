/* Which tasks of a dag come before which.
 *
 * Most questions are about few tasks: for 64 of them at a time one pass over the dag, in an order in which
 * dependencies come first, answers for all tasks, and is kept. What would take more memory than ANCESTRY_WORDS a
 * template is answered by a search that leaves nothing behind. */
#include "base/vec.h"
#include "engine/engine_p.h"

enum { ANCESTRY_WORDS = 4 << 20, BLOCK = 64 };

struct ancestry {
    uint32_t *order;   /* all tasks, dependencies first; NULL: nobody has asked yet */
    uint64_t **blocks; /* by idx / BLOCK: for each task, which of the block come before it; NULL: not asked for yet */
    size_t n_blocks;
};

/* Dependencies first (Kahn); a dag without cycles, see tmpl.c. */
static uint32_t *order_of(struct arena *a, const struct tmpl *t)
{
    uint32_t *order = ARENA_ARRAY(a, uint32_t, t->n_calls + 1), *waits = ARENA_ARRAY(a, uint32_t, t->n_calls + 1), n = 0;
    for (uint32_t i = 0; i < t->n_calls; i++) {
        waits[i] = t->calls[i].n_in;
        if (!waits[i]) order[n++] = i;
    }
    for (uint32_t at = 0; at < n; at++) {
        const struct call *c = &t->calls[order[at]];
        for (uint32_t i = 0; i < c->n_out; i++)
            if (!--waits[c->out[i]]) order[n++] = c->out[i];
    }
    ASSERT(n == t->n_calls);
    return order;
}

static const uint64_t *block_make(struct arena *a, const struct tmpl *t, struct ancestry *x, uint32_t block)
{
    uint64_t *mask = ARENA_ARRAY(a, uint64_t, t->n_calls);
    for (uint32_t k = 0; k < t->n_calls; k++) {
        const struct call *c = &t->calls[x->order[k]];
        for (uint32_t i = 0; i < c->n_in; i++) {
            uint32_t in = c->in[i];
            mask[c->idx] |= mask[in] | (in / BLOCK == block ? (uint64_t)1 << in % BLOCK : 0);
        }
    }
    x->n_blocks++;
    return x->blocks[block] = mask;
}

static bool search(const struct tmpl *t, uint32_t idx, uint32_t of)
{
    VEC(uint32_t) stack = {0};
    bool *seen = mem_zalloc(t->n_calls), found = false;
    VEC_PUSH(&stack, of);
    while (stack.n && !found) {
        const struct call *at = &t->calls[VEC_POP(&stack)];
        for (uint32_t i = 0; i < at->n_in && !found; i++) {
            uint32_t in = at->in[i];
            found = in == idx;
            if (seen[in]) continue;
            seen[in] = true;
            VEC_PUSH(&stack, in);
        }
    }
    VEC_FINI(&stack);
    free(seen);
    return found;
}

struct ancestry *ancestry_new(struct arena *a) { return ARENA_NEW(a, struct ancestry); }

bool ancestry_has(struct run *r, const struct tmpl *t, uint32_t idx, uint32_t of)
{
    struct ancestry *x = t->ancestry;
    if (!x->order) {
        x->order = order_of(&r->arena, t);
        x->blocks = ARENA_ARRAY(&r->arena, uint64_t *, t->n_calls / BLOCK + 1);
    }
    const uint64_t *mask = x->blocks[idx / BLOCK];
    if (!mask && (x->n_blocks + 1) * t->n_calls > ANCESTRY_WORDS) return search(t, idx, of);
    if (!mask) mask = block_make(&r->arena, t, x, idx / BLOCK);
    return mask[of] >> idx % BLOCK & 1;
}
