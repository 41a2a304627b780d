/* Who owns what: `ownerReferences` of stored things, noted with the owner so that its end finds them.
 * A note is a private value of the owning run, or of run 0 when the owner is no workflow. See
 * resource.h. */
#include "base/vec.h"
#include "resource/resource_p.h"

static int64_t owner_run(struct arena *a, struct store *s, struct str uid)
{
    struct run_row row;
    struct err absent;
    return store_run_find_uid(a, s, uid, &row, &absent) ? row.run : 0;
}

static struct str note_key(struct arena *a, struct str owner, const struct owned *o)
{
    return str_fmt(a, "owned/%.*s/%.*s/%.*s/%.*s", STR_ARG(owner), STR_ARG(o->kind), STR_ARG(o->ns), STR_ARG(o->name));
}

bool owners_note(struct store *s, const struct val *doc, const struct owned *what, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    const struct val *refs = val_path(doc, "metadata.ownerReferences");
    bool ok = true;
    arena_init(&a);
    for (uint32_t i = 0; ok && refs && refs->kind == VAL_LIST && i < refs->n; i++) {
        struct str uid = val_get_str(&refs->items[i], "uid");
        if (uid.n && str_find_char(uid, '/', 0) < 0)
            ok = store_value_put(s, owner_run(&a, s, uid), note_key(&a, uid, what), what->uid, e);
    }
    return ok;
}

struct finding {
    struct arena *a;
    struct str prefix;
    VEC(struct owned) found;
};

static bool add(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct finding *x = ctx;
    struct owned o = {0};
    struct str rest;
    (void)e;
    rest = str_dup(x->a, str_from(key, x->prefix.n));
    if (!str_cut(rest, '/', &o.kind, &rest) || !str_cut(rest, '/', &o.ns, &o.name)) return true;
    o.uid = str_dup(x->a, bytes);
    VEC_PUSH(&x->found, o);
    return true;
}

bool owned_read(struct arena *a, struct store *s, int64_t run, struct str owner, struct owned **out, size_t *n, struct err *e)
{
    struct finding x = {.a = a, .prefix = str_fmt(a, "owned/%.*s/", STR_ARG(owner))};
    bool ok = store_values_load_prefix(s, run, x.prefix, add, &x, e);
    *n = x.found.n;
    *out = ARENA_ARRAY(a, struct owned, x.found.n + 1);
    if (x.found.n) memcpy(*out, x.found.items, x.found.n * sizeof **out);
    VEC_FINI(&x.found);
    return ok;
}

bool owned_forget(struct store *s, int64_t run, struct str owner, const struct owned *what, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    return store_value_del(s, run, note_key(&a, owner, what), e);
}

bool owned_take(struct arena *a, struct store *s, int64_t run, struct str owner, struct owned **out, size_t *n,
                struct err *e)
{
    bool ok = owned_read(a, s, run, owner, out, n, e);
    for (size_t i = 0; ok && i < *n; i++) ok = store_value_del(s, run, note_key(a, owner, &(*out)[i]), e);
    return ok;
}

/* Of another owner than the one that goes: a workflow by its uid, an object by its name and uid. */
static bool owner_is_there(struct arena *a, struct store *s, const struct val *ref, struct str ns)
{
    struct resource_key key = {.ns = ns, .name = val_get_str(ref, "name")};
    struct object_row row;
    struct val doc;
    struct err absent;
    struct str uid = val_get_str(ref, "uid");
    if (owner_run(a, s, uid)) return true;
    return resource_kind_find(val_get_str(ref, "kind"), &key.kind) && resource_load(a, s, &key, &row, &doc, &absent) &&
           str_eq(row.uid, uid);
}

bool owner_is_last(struct store *s, const struct val *doc, struct str gone)
{
    struct arena a CLEANUP(arena_fini);
    const struct val *refs = val_path(doc, "metadata.ownerReferences");
    struct str ns = val_text(val_path(doc, "metadata.namespace"));
    bool last = true;
    arena_init(&a);
    for (uint32_t i = 0; last && refs && refs->kind == VAL_LIST && i < refs->n; i++)
        if (!str_eq(val_get_str(&refs->items[i], "uid"), gone)) last = !owner_is_there(&a, s, &refs->items[i], ns);
    return last;
}
