/* See map.h. Linear probing, load at most 3/4, backward-shift deletion. */
#include "base/map.h"

void map_fini(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}

static struct map_slot *probe(const struct map *m, struct str key, uint64_t hash)
{
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &m->slots[i];
        if (!s->key.p || (s->hash == hash && str_eq(s->key, key))) return s;
    }
}

struct map_slot *map_get(const struct map *m, struct str key)
{
    if (!m->n) return NULL;
    struct map_slot *s = probe(m, key, str_hash(key));
    return s->key.p ? s : NULL;
}

static void grow(struct map *m, size_t cap)
{
    struct map old = *m;
    m->cap = cap;
    m->slots = mem_zalloc(m->cap * sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key.p) *probe(m, old.slots[i].key, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

void map_reserve(struct map *m, size_t n)
{
    size_t cap = m->cap ? m->cap : 16;
    while (n * 4 > cap * 3) cap *= 2;
    if (n && cap > m->cap) grow(m, cap);
}

struct map_slot *map_put(struct map *m, struct str key, bool *fresh)
{
    ASSERT(key.p);
    if ((m->n + 1) * 4 > m->cap * 3) map_reserve(m, m->n + 1);
    uint64_t hash = str_hash(key);
    struct map_slot *s = probe(m, key, hash);
    bool is_new = !s->key.p;
    if (is_new) {
        *s = (struct map_slot){.key = key, .hash = hash};
        m->n++;
    }
    if (fresh) *fresh = is_new;
    return s;
}

bool map_del(struct map *m, struct str key)
{
    struct map_slot *s = map_get(m, key);
    if (!s) return false;
    size_t mask = m->cap - 1, hole = (size_t)(s - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].key.p; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct map_slot){0};
    m->n--;
    return true;
}

struct map_slot *map_next(const struct map *m, struct map_slot *after)
{
    for (size_t i = after ? (size_t)(after - m->slots) + 1 : 0; i < m->cap; i++)
        if (m->slots[i].key.p) return &m->slots[i];
    return NULL;
}
