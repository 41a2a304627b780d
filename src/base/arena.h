/* Arenas: everything allocated from one lives exactly as long as it does.
 *
 * A function whose first parameter is `struct arena *` returns memory of that arena; nobody frees
 * it. Freed chunks are poisoned under ASan. Runs on: any one thread at a time per arena. */
#pragma once
#include "base/base.h"

enum { ARENA_ALIGN = 16 };

struct arena {
    struct arena_chunk *head;
    char *at, *end;
    size_t used;       /* bytes handed out, for limits and statistics */
    size_t chunk_size; /* next chunk's size */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);  /* may be called twice, and by CLEANUP(arena_fini) */
void arena_reset(struct arena *a); /* frees all but one chunk */

/* About n more bytes will be wanted: large ones come in large chunks from the start. */
void arena_expect(struct arena *a, size_t n);

void *arena_alloc_more(struct arena *a, size_t n); /* arena_alloc_raw, when the chunk is full */

/* Aligned to 16, not zeroed: filled at once. */
static inline void *arena_alloc_raw(struct arena *a, size_t n)
{
    size_t pad = (size_t)(-(uintptr_t)a->at) & (ARENA_ALIGN - 1);
    if (!a->at || n + pad > (size_t)(a->end - a->at)) return arena_alloc_more(a, n);
    char *p = a->at + pad;
    a->at = p + n;
    a->used += n + pad;
    return p;
}

/* Aligned to 16, zeroed. */
static inline void *arena_alloc(struct arena *a, size_t n) { return memset(arena_alloc_raw(a, n), 0, n); }

char *arena_alloc_bytes(struct arena *a, size_t n); /* not aligned, not zeroed */

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))
