/* Builtins on lists and maps. See expr_builtins.def. */
#include "base/limits.h"
#include "lang/expr_builtin.h"

bool builtin_get(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct err *kept = x->e;
    const struct xv *from = &args[0];
    *out = xv_nil();
    if (from->kind == X_NIL) return true;
    if ((from->kind == X_LIST || from->kind == X_STR) && !xv_is_number(&args[1]))
        return xfail(x, "invalid operation: int(%s)", xv_type(&args[1]));
    if (from->kind == X_MAP) {
        const struct xv *hit;
        if (!xmap_find(x, from, &args[1], &hit)) return false;
        if (hit) *out = *hit;
        return true;
    }
    x->e = NULL; /* what is not there is nil */
    if (!xfetch(x, args, out)) *out = xv_nil();
    x->e = kept;
    x->fault = EXPR_FINE;
    return true;
}

bool builtin_first(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv pair[2] = {args[0], xv_int(0)};
    if (args[0].kind == X_MAP) pair[0] = xv_nil();
    return builtin_get(x, pair, 2, out);
}

bool builtin_last(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv pair[2] = {args[0], xv_int(-1)};
    if (args[0].kind == X_MAP) pair[0] = xv_nil();
    return builtin_get(x, pair, 2, out);
}

static bool need(struct xctx *x, const struct xv *v, enum xkind kind, const char *what)
{
    if (v->kind == kind) return xcharge(x, kind == X_LIST ? v->list->n : v->map->n);
    return xfail(x, "%s %s", what, xv_type(v));
}

bool builtin_take(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_LIST, "cannot take from")) return false;
    int64_t count = args[1].i;
    if (count < 0) return xfail(x, "reflect.Value.Slice: slice index out of bounds");
    *out = args[0];
    if (count >= (int64_t)args[0].list->n) return true;
    struct xlist *list = ARENA_NEW(x->a, struct xlist);
    *list = (struct xlist){(size_t)count, args[0].list->items};
    out->list = list;
    return true;
}

bool builtin_keys(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_MAP, "cannot get keys from")) return false;
    *out = xv_list(x->a, args[0].map->n);
    for (size_t i = 0; i < args[0].map->n; i++) xv_items(out)[i] = args[0].map->pairs[i].key;
    return true;
}

bool builtin_values(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_MAP, "cannot get values from")) return false;
    *out = xv_list(x->a, args[0].map->n);
    for (size_t i = 0; i < args[0].map->n; i++) xv_items(out)[i] = args[0].map->pairs[i].v;
    return true;
}

bool builtin_to_pairs(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_MAP, "cannot transform")) return false;
    *out = xv_list(x->a, args[0].map->n);
    for (size_t i = 0; i < args[0].map->n; i++) {
        struct xv pair = xv_list(x->a, 2);
        xv_items(&pair)[0] = args[0].map->pairs[i].key;
        xv_items(&pair)[1] = args[0].map->pairs[i].v;
        xv_items(out)[i] = pair;
    }
    return true;
}

bool builtin_from_pairs(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_LIST, "cannot transform")) return false;
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < args[0].list->n; i++) {
        const struct xv *pair = &args[0].list->items[i];
        struct str text = xv_text(x, pair);
        if (pair->kind != X_LIST) return xfail(x, "invalid pair %.*s", STR_ARG(text));
        if (pair->list->n != 2) return xfail(x, "invalid pair length %.*s", STR_ARG(text));
        if (!xv_hashable(x, &pair->list->items[0])) return false;
        xbuild_add(&b, pair->list->items[0], pair->list->items[1]);
    }
    *out = xbuild_map(&b);
    out->sub = XM_ANY_KEY;
    return true;
}

bool builtin_reverse(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_LIST, "cannot reverse")) return false;
    size_t len = args[0].list->n;
    *out = xv_list(x->a, len);
    for (size_t i = 0; i < len; i++) xv_items(out)[i] = args[0].list->items[len - 1 - i];
    return true;
}

bool builtin_uniq(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!need(x, &args[0], X_LIST, "cannot uniq") || !xweigh(x, &args[0])) return false;
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < args[0].list->n; i++) {
        bool again = false;
        for (size_t j = 0; j < b.n && !again; j++)
            again = xv_eq(&b.pairs[j].v, &args[0].list->items[i]);
        if (!xcharge(x, b.n / 16)) return false;
        if (!again) xbuild_add(&b, xv_nil(), args[0].list->items[i]);
    }
    *out = xbuild_list(&b);
    return true;
}

bool builtin_concat(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!n) return xfail(x, "invalid number of arguments (expected at least 1, got 0)");
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < n; i++) {
        if (!need(x, &args[i], X_LIST, "cannot concat")) return false;
        for (size_t j = 0; j < args[i].list->n; j++) xbuild_add(&b, xv_nil(), args[i].list->items[j]);
    }
    *out = xbuild_list(&b);
    out->b = !b.n; /* Go: a nil slice */
    return true;
}

static bool flatten(struct xctx *x, const struct xv *list, struct xbuild *b)
{
    if (!xcharge(x, list->list->n)) return false;
    for (size_t i = 0; i < list->list->n; i++) {
        const struct xv *item = &list->list->items[i];
        if (item->kind != X_LIST) xbuild_add(b, xv_nil(), *item);
        else if (!flatten(x, item, b)) return false;
    }
    return true;
}

bool builtin_flatten(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    if (!need(x, &args[0], X_LIST, "cannot flatten") || !flatten(x, &args[0], &b)) return false;
    *out = xbuild_list(&b);
    return true;
}

/* Insertion into sorted runs is quadratic, so: bottom-up merge, stable. */
static bool merge(struct xctx *x, struct xv *to, const struct xv *from, size_t size[2], bool desc)
{
    size_t i = 0, j = 0, at = 0;
    while (i < size[0] || j < size[1]) {
        struct xv less = xv_bool(false);
        if (i < size[0] && j < size[1]) {
            struct xv v[2] = {from[size[0] + j], from[i]};
            if (!xbinary(x, desc ? XO_GT : XO_LT, v, &less)) return false;
        }
        bool left = i < size[0] && (j == size[1] || !less.b);
        to[at++] = left ? from[i++] : from[size[0] + j++];
    }
    return true;
}

bool builtin_sort(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    bool desc = n == 2 && str_is(args[1].s, "desc");
    if (n == 2 && !desc && !str_is(args[1].s, "asc"))
        return xfail(x, "invalid order %.*s, expected asc or desc", STR_ARG(args[1].s));
    if (args[0].kind != X_LIST) {
        *out = xv_list(x->a, 0);
        out->b = true;
        return true;
    }
    size_t len = args[0].list->n;
    if (!xcharge(x, len * 4)) return false;
    struct xv a = xv_list(x->a, len), b = xv_list(x->a, len);
    if (len) memcpy(xv_items(&a), args[0].list->items, len * sizeof *a.list->items);
    for (size_t width = 1; width < len; width *= 2) {
        for (size_t at = 0; at < len; at += 2 * width) {
            size_t left = MIN(width, len - at), size[2] = {left, MIN(width, len - at - left)};
            if (!merge(x, xv_items(&b) + at, xv_items(&a) + at, size, desc)) return false;
        }
        struct xv swap = a;
        a = b;
        b = swap;
    }
    *out = a;
    return true;
}
