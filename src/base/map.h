/* Hash map from string to 64-bit value (number or pointer), open addressing.
 *
 * Keys are not copied: they must live as long as the map. Deletion leaves no tombstones.
 * Iteration order is unspecified; nothing a user sees may depend on it. Runs on: one thread. */
#pragma once
#include "base/str.h"

struct map_slot {
    struct str key; /* key.p == NULL: free */
    uint64_t hash;
    union {
        void *ptr;
        uint64_t num;
    };
};

struct map {
    struct map_slot *slots;
    size_t n, cap;
};

void map_fini(struct map *m);
/* The slot of `key`, or NULL. */
struct map_slot *map_get(const struct map *m, struct str key);
/* The slot of `key`, made (value 0, *fresh = true) when absent. Valid until the next put. */
struct map_slot *map_put(struct map *m, struct str key, bool *fresh);
void map_reserve(struct map *m, size_t n); /* makes room for n keys at once */
bool map_del(struct map *m, struct str key);

static inline void *map_ptr(const struct map *m, struct str key)
{
    struct map_slot *s = map_get(m, key);
    return s ? s->ptr : NULL;
}
static inline void map_set_ptr(struct map *m, struct str key, void *p)
{
    map_put(m, key, NULL)->ptr = p;
}

/* for (struct map_slot *s = NULL; (s = map_next(m, s));) */
struct map_slot *map_next(const struct map *m, struct map_slot *after);
