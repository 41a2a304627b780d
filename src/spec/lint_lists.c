/* Look-ups in long lists, and what is remembered for an address. See lint_p.h. */
#include "spec/lint_p.h"

enum { SHORT_MAX = 32 }; /* up to so many, comparing all is as fast */

struct map_slot *lint_remembered(struct lint *l, const void *address)
{
    struct map_slot *slot = map_get(&l->by_pointer, str_n((const char *)&address, sizeof address));
    if (slot) return slot;
    const void **key = ARENA_NEW(l->a, const void *);
    *key = address;
    return map_put(&l->by_pointer, str_n((const char *)key, sizeof *key), NULL);
}

/* `name` is the first one, the others follow at distances of `stride`. */
static size_t find(struct lint *l, const struct str *name, size_t stride, size_t n, struct str wanted)
{
    struct map_slot *slot = lint_remembered(l, name);
    struct call_index *x = slot->ptr;
    if (!x) {
        slot->ptr = x = ARENA_NEW(l->a, struct call_index);
        call_index_init(l->a, x, n);
        for (size_t i = 0; i < n; i++) {
            const struct str *s = (const struct str *)((const char *)name + i * stride);
            if (s->n) call_index_add(x, *s, i);
        }
    }
    return call_find(x, wanted);
}

const struct argo_parameter *lint_parameter(struct lint *l, const struct argo_parameter_list *list, struct str name)
{
    if (list->n <= SHORT_MAX) return parameter_find(list, name);
    size_t i = find(l, &list->items[0].name, sizeof list->items[0], list->n, name);
    return i == CALL_NONE ? NULL : &list->items[i];
}

const struct argo_artifact *lint_artifact(struct lint *l, const struct argo_artifact_list *list, struct str name)
{
    if (list->n <= SHORT_MAX) return artifact_find(list, name);
    size_t i = find(l, &list->items[0].name, sizeof list->items[0], list->n, name);
    return i == CALL_NONE ? NULL : &list->items[i];
}
