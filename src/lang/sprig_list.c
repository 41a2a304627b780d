/* sprig.* on lists and maps. See sprig.def. Values do not change: set, append and their like give
 * new ones. */
#include "base/limits.h"
#include "lang/expr_builtin.h"
#include "lang/sprig_p.h"

static bool need_list(struct xctx *x, const struct xv *v, const char *what)
{
    if (v->kind == X_LIST) return xcharge(x, v->list->n);
    return xfail(x, "Cannot %s type %s", what, xv_type(v));
}

/* Elements [from, to), sharing the memory. */
static struct xv part(struct xctx *x, const struct xv *list, size_t from, size_t to)
{
    struct xlist *l = ARENA_NEW(x->a, struct xlist);
    *l = (struct xlist){to - from, list->list->items + from};
    return (struct xv){.kind = X_LIST, .list = l};
}

bool sprig_list(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_list(x->a, n);
    if (n) memcpy(xv_items(out), args, n * sizeof *args);
    return true;
}

static bool element(struct xctx *x, const struct xv *v, const char *what, bool last, struct xv *out)
{
    if (!need_list(x, v, what)) return false;
    size_t n = v->list->n;
    *out = n ? v->list->items[last ? n - 1 : 0] : xv_nil();
    return true;
}

bool sprig_first(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return element(x, &args[0], "find first on", false, out);
}
bool sprig_last(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return element(x, &args[0], "find last on", true, out);
}

bool sprig_rest(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[0], "find rest on")) return false;
    size_t len = args[0].list->n;
    *out = len ? part(x, &args[0], 1, len) : xv_nil();
    return true;
}

bool sprig_initial(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[0], "find initial on")) return false;
    size_t len = args[0].list->n;
    *out = len ? part(x, &args[0], 0, len - 1) : xv_nil();
    return true;
}

static bool joined(struct xctx *x, const struct xv *list, const struct xv *item, bool front,
                   struct xv *out)
{
    size_t len = list->list->n;
    *out = xv_list(x->a, len + 1);
    if (len) memcpy(xv_items(out) + front, list->list->items, len * sizeof *item);
    xv_items(out)[front ? 0 : len] = *item;
    return true;
}

bool sprig_append(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return need_list(x, &args[0], "push on") && joined(x, &args[0], &args[1], false, out);
}
bool sprig_prepend(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return need_list(x, &args[0], "prepend on") && joined(x, &args[0], &args[1], true, out);
}

bool sprig_concat(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    for (size_t i = 0; i < n; i++)
        if (!need_list(x, &args[i], "concat")) return false;
    if (n) return builtin_concat(x, args, n, out);
    *out = xv_list(x->a, 0);
    out->b = true;
    return true;
}

bool sprig_reverse(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return need_list(x, &args[0], "find reverse on") && builtin_reverse(x, args, 1, out);
}
static bool among(const struct xv *v, const struct xv *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (xv_same(v, &items[i])) return true;
    return false;
}

bool sprig_uniq(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[0], "find uniq on") || !xweigh(x, &args[0])) return false;
    struct xv list = xv_list(x->a, args[0].list->n);
    size_t kept = 0;
    for (size_t i = 0; i < args[0].list->n; i++) {
        const struct xv *v = &args[0].list->items[i];
        if (!xcharge(x, kept / 16)) return false;
        if (!among(v, list.list->items, kept)) xv_items(&list)[kept++] = *v;
    }
    *out = part(x, &list, 0, kept);
    return true;
}

bool sprig_without(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[0], "find without on")) return false;
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < args[0].list->n; i++) {
        if (!xcharge(x, n / 8) || !xweigh(x, &args[0].list->items[i])) return false;
        if (!among(&args[0].list->items[i], args + 1, n - 1)) xbuild_add(&b, xv_nil(), args[0].list->items[i]);
    }
    *out = xbuild_list(&b);
    return true;
}

bool sprig_has(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(false);
    if (args[1].kind == X_NIL) return true;
    if (!need_list(x, &args[1], "find has on") || !xcharge(x, args[1].list->n / 8)) return false;
    if ((args[0].kind == X_LIST || args[0].kind == X_MAP) && !xweigh(x, &args[1])) return false;
    out->b = among(&args[0], args[1].list->items, args[1].list->n);
    return true;
}

bool sprig_slice(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[0], "slice on")) return false;
    int64_t len = (int64_t)args[0].list->n, from = n > 1 ? sprig_int_of(&args[1]) : 0;
    int64_t to = n > 2 ? sprig_int_of(&args[2]) : len;
    *out = xv_nil();
    if (!len) return true;
    if (from < 0 || to < from || to > len) return xfail(x, "reflect.Value.Slice: slice index out of bounds");
    *out = part(x, &args[0], (size_t)from, (size_t)to);
    return true;
}

bool sprig_chunk(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[1], "chunk")) return false;
    int64_t size = args[0].i;
    if (size < 1) return xfail(x, "chunks must have at least one element");
    struct xbuild b = {.a = x->a};
    for (size_t at = 0, len = args[1].list->n; at < len; at += (size_t)size)
        xbuild_add(&b, xv_nil(), part(x, &args[1], at, at + MIN((size_t)size, len - at)));
    *out = xbuild_list(&b);
    return true;
}

bool sprig_compact(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need_list(x, &args[0], "compact on")) return false;
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < args[0].list->n; i++)
        if (!sprig_empty_value(&args[0].list->items[i])) xbuild_add(&b, xv_nil(), args[0].list->items[i]);
    *out = xbuild_list(&b);
    return true;
}

/* Any value as a list of texts, nil elements left out. */
static bool strings(struct xctx *x, const struct xv *v, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    if (v->kind == X_LIST && !xcharge(x, v->list->n)) return false;
    if (v->kind != X_LIST && v->kind != X_NIL) xbuild_add(&b, xv_nil(), xv_str(xv_text(x, v)));
    for (size_t i = 0; v->kind == X_LIST && i < v->list->n; i++)
        if (v->list->items[i].kind != X_NIL)
            xbuild_add(&b, xv_nil(), xv_str(xv_text(x, &v->list->items[i])));
    *out = xbuild_list(&b);
    out->sub = XS_STR;
    return true;
}

bool sprig_to_strings(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return strings(x, &args[0], out);
}

bool sprig_sort_alpha(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv nil = xv_str(STR("<nil>")), list;
    if (!strings(x, args[0].kind == X_NIL ? &nil : &args[0], &list) || !builtin_sort(x, &list, 1, out)) return false;
    out->sub = XS_STR;
    return true;
}

bool sprig_join(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv pair[2] = {{0}, args[0]};
    return strings(x, &args[1], &pair[0]) && builtin_join(x, pair, 2, out);
}

bool sprig_split_list(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv pair[2] = {args[1], args[0]};
    return builtin_split(x, pair, 2, out);
}

/* {"_0": …, "_1": …} */
static void number_parts(struct xctx *x, struct xv *v)
{
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < v->list->n; i++)
        xbuild_add(&b, xv_str(str_fmt(x->a, "_%zu", i)), v->list->items[i]);
    *v = xbuild_map(&b);
    v->sub = 1;
}

bool sprig_split(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!sprig_split_list(x, args, 2, out)) return false;
    number_parts(x, out);
    return true;
}

bool sprig_splitn(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv ordered[3] = {args[2], args[0], args[1]};
    if (!builtin_split(x, ordered, 3, out)) return false;
    number_parts(x, out);
    return true;
}

/* --- maps --- */

bool sprig_dict(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < n; i += 2)
        xbuild_add(&b, xv_str(xv_text(x, &args[i])), i + 1 < n ? args[i + 1] : xv_str(STR("")));
    *out = xbuild_map(&b);
    return true;
}

bool sprig_get(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    const struct xv *hit = xmap_get(&args[0], &args[1]);
    *out = hit ? *hit : xv_str(STR(""));
    return true;
}

bool sprig_has_key(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(xmap_get(&args[0], &args[1]) != NULL);
    return true;
}

static void add_pairs(struct xbuild *b, const struct xv *map)
{
    for (size_t i = 0; i < map->map->n; i++) xbuild_add(b, map->map->pairs[i].key, map->map->pairs[i].v);
}

bool sprig_set(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    if (!xcharge(x, args[0].map->n)) return false;
    add_pairs(&b, &args[0]);
    xbuild_add(&b, args[1], args[2]);
    *out = xbuild_map(&b);
    return true;
}

static bool filtered(struct xctx *x, const struct xv *args, size_t n, bool keep, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    const struct xmap *map = args[0].map;
    for (size_t i = 0; i < map->n; i++) {
        if (!xcharge(x, 1 + n / 8)) return false;
        if (among(&map->pairs[i].key, args + 1, n - 1) == keep) xbuild_add(&b, map->pairs[i].key, map->pairs[i].v);
    }
    *out = xbuild_map(&b);
    return true;
}

bool sprig_unset(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return filtered(x, args, 2, false, out);
}
bool sprig_pick(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return filtered(x, args, n, true, out);
}
bool sprig_omit(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return filtered(x, args, n, false, out);
}

bool sprig_pluck(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    for (size_t i = 1; i < n; i++) {
        const struct xv *hit = xmap_get(&args[i], &args[0]);
        if (hit) xbuild_add(&b, xv_nil(), *hit);
    }
    *out = xbuild_list(&b);
    return true;
}

bool sprig_keys(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < args[i].map->n; k++) xbuild_add(&b, xv_nil(), args[i].map->pairs[k].key);
    *out = xbuild_list(&b);
    out->sub = XS_STR;
    return xcharge(x, b.n);
}

bool sprig_values(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return builtin_values(x, args, 1, out);
}

/* Deep merge; without overwriting, what is there and not empty stays. */
static struct xv merged(struct xctx *x, const struct xv *to, const struct xv *from, bool overwrite)
{
    struct xbuild b = {.a = x->a};
    add_pairs(&b, to);
    for (size_t i = 0; i < from->map->n; i++) {
        const struct xpair *pair = &from->map->pairs[i];
        const struct xv *old = xmap_get(to, &pair->key);
        bool both = old && old->kind == X_MAP && pair->v.kind == X_MAP;
        if (xv_is_nil(&pair->v) && !overwrite) continue;
        bool take = overwrite || !old || sprig_empty_value(old);
        if (both) xbuild_add(&b, pair->key, merged(x, old, &pair->v, overwrite));
        else if (take) xbuild_add(&b, pair->key, pair->v);
    }
    return xbuild_map(&b);
}

static bool merge_all(struct xctx *x, const struct xv *args, size_t n, bool overwrite,
                      struct xv *out)
{
    *out = args[0];
    for (size_t i = 1; i < n; i++) {
        if (!xcharge(x, out->map->n + args[i].map->n)) return false;
        *out = merged(x, out, &args[i], overwrite);
    }
    return true;
}

bool sprig_merge(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return merge_all(x, args, n, false, out);
}
bool sprig_merge_overwrite(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return merge_all(x, args, n, true, out);
}

bool sprig_dig(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (n < 3) return xfail(x, "dig needs at least three arguments");
    struct xv at = args[n - 1];
    for (size_t i = 0; i + 2 < n; i++)
        if (args[i].kind != X_STR)
            return xfail(x, "interface conversion: interface {} is %s, not string", xv_type(&args[i]));
    for (size_t i = 0; i + 2 < n; i++) {
        if (at.kind != X_MAP)
            return xfail(x, "interface conversion: interface {} is %s, not map[string]interface {}",
                         at.kind == X_NIL ? "nil" : xv_type(&at));
        const struct xv *hit = xmap_get(&at, &args[i]);
        if (!hit) {
            *out = args[n - 2];
            return true;
        }
        at = *hit;
    }
    *out = at;
    return true;
}

bool sprig_deep_copy(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (args[0].kind == X_NIL) return xfail(x, "reflect: call of reflect.Value.Type on zero Value");
    *out = args[0];
    return true;
}
