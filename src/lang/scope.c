/* See scope.h. */
#include "lang/scope.h"

void scope_init(struct scope *s, const struct scope *parent)
{
    *s = (struct scope){.parent = parent};
}

void scope_fini(struct scope *s)
{
    map_fini(&s->index);
    VEC_FINI(&s->entries);
}

static void scope_put(struct scope *s, struct str key, struct scope_value value)
{
    bool fresh;
    struct map_slot *slot = map_put(&s->index, key, &fresh);
    if (!fresh) {
        s->entries.items[slot->num].value = value;
        return;
    }
    slot->num = s->entries.n;
    struct scope_entry entry = {key, value};
    VEC_PUSH(&s->entries, entry);
}

void scope_set(struct scope *s, struct str key, struct str value)
{
    scope_put(s, key, (struct scope_value){.kind = SCOPE_STR, .str = value});
}

void scope_set_val(struct scope *s, struct str key, const struct val *v)
{
    scope_put(s, key, (struct scope_value){.kind = SCOPE_VAL, .val = v});
}

void scope_set_nil(struct scope *s, struct str key)
{
    scope_put(s, key, (struct scope_value){.kind = SCOPE_NIL});
}

void scope_set_time(struct scope *s, struct str key, int64_t time_us)
{
    scope_put(s, key, (struct scope_value){.kind = SCOPE_TIME, .time_us = time_us});
}

void scope_set_lookup(struct scope *s, scope_lookup_fn *fn, void *ctx)
{
    s->lookup = fn;
    s->lookup_ctx = ctx;
}

static const struct scope_entry *scope_find(const struct scope *s, struct str key)
{
    struct map_slot *slot = s->entries.n ? map_get(&s->index, key) : NULL;
    return slot ? &s->entries.items[slot->num] : NULL;
}

bool scope_get(const struct scope *s, struct str key, struct scope_value *out)
{
    for (; s; s = s->parent) {
        const struct scope_entry *hit = scope_find(s, key);
        if (hit) {
            *out = hit->value;
            return true;
        }
        if (s->lookup && s->lookup(s->lookup_ctx, key, out)) return true;
    }
    return false;
}

static bool scope_hidden(const struct scope *from, const struct scope *owner, struct str key)
{
    for (; from != owner; from = from->parent)
        if (scope_find(from, key)) return true;
    return false;
}

void scope_each(const struct scope *s, void (*fn)(void *ctx, const struct scope_entry *entry),
                void *ctx)
{
    for (const struct scope *at = s; at; at = at->parent)
        for (size_t i = 0; i < at->entries.n; i++)
            if (!scope_hidden(s, at, at->entries.items[i].key)) fn(ctx, &at->entries.items[i]);
}
