/* See arena.h. Chunks double from 4 KiB to 4 MiB; a larger request gets a chunk of its own. Chunks of
 * a huge page and more are made of huge pages: the page faults of a large document would otherwise
 * cost more than its decoding. */
#include "base/arena.h"

#include <sys/mman.h>

enum { CHUNK_MIN = 4096, CHUNK_MAX = 4 << 20, HUGE_PAGE = 2 << 20 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a) { *a = (struct arena){.chunk_size = CHUNK_MIN}; }

static void chunks_free(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
}

void arena_fini(struct arena *a)
{
    chunks_free(a->head);
    arena_init(a);
}

void arena_reset(struct arena *a)
{
    if (!a->head) return;
    struct arena_chunk *keep = a->head;
    chunks_free(keep->next);
    keep->next = NULL;
    a->at = keep->data;
    a->end = keep->data + keep->size;
    a->used = 0;
}

static struct arena_chunk *chunk_new(size_t size)
{
    if (size < CHUNK_MAX) return mem_alloc(size);
    struct arena_chunk *c = mem_alloc_aligned(HUGE_PAGE, size);
    madvise(c, size & ~(size_t)(HUGE_PAGE - 1), MADV_HUGEPAGE); /* a wish; small pages serve as well */
    return c;
}

static void chunk_add(struct arena *a, size_t need)
{
    if (!a->chunk_size) a->chunk_size = CHUNK_MIN;
    size_t size = MAX(a->chunk_size - sizeof(struct arena_chunk), need);
    if (a->chunk_size < CHUNK_MAX) a->chunk_size *= 2;
    struct arena_chunk *c = chunk_new(sizeof *c + size);
    c->size = size;
    c->next = a->head;
    a->head = c;
    a->at = c->data;
    a->end = c->data + size;
}

void arena_expect(struct arena *a, size_t n)
{
    if (n >= 2 * CHUNK_MAX) a->chunk_size = CHUNK_MAX;
}

void *arena_alloc_more(struct arena *a, size_t n)
{
    chunk_add(a, n + ARENA_ALIGN);
    return arena_alloc_raw(a, n);
}

char *arena_alloc_bytes(struct arena *a, size_t n)
{
    if (!a->at || n > (size_t)(a->end - a->at)) chunk_add(a, n);
    char *p = a->at;
    a->at += n;
    a->used += n;
    return p;
}
