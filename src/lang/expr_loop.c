/* Builtins with a predicate: all, any, map, filter, reduce, … See expr_p.h. */
#include "base/limits.h"
#include "lang/expr_p.h"

struct loop {
    struct xctx *x;
    const struct xnode *n;
    const struct xnode *body; /* NULL: the item itself */
    struct xv list;
    struct xloop scope;
};

static bool body_value(struct loop *l, size_t i, struct xv *out)
{
    l->scope.item = l->list.list->items[i];
    l->scope.index = (int64_t)i;
    if (!l->body) {
        *out = l->scope.item;
        return true;
    }
    return xeval(l->x, l->body, out);
}

static bool body_bool(struct loop *l, size_t i, bool *out)
{
    struct xv v;
    if (!body_value(l, i, &v)) return false;
    if (v.kind != X_BOOL)
        return xfail(l->x, "interface conversion: interface {} is %s, not bool",
                     v.kind == X_NIL ? "nil" : xv_type(&v));
    *out = v.b;
    return true;
}

/* all, none, any: the value that ends the loop, and what it then means. */
static bool quantify(struct loop *l, bool stop_at, bool stopped, struct xv *out)
{
    *out = xv_bool(!stopped);
    for (size_t i = 0; i < l->list.list->n; i++) {
        bool hit = false;
        if (!body_bool(l, i, &hit)) return false;
        if (hit != stop_at) continue;
        out->b = stopped;
        return true;
    }
    return true;
}

static bool loop_all(struct loop *l, struct xv *out) { return quantify(l, false, false, out); }
static bool loop_none(struct loop *l, struct xv *out) { return quantify(l, true, false, out); }
static bool loop_any(struct loop *l, struct xv *out) { return quantify(l, true, true, out); }

static bool loop_count(struct loop *l, struct xv *out)
{
    int64_t count = 0;
    for (size_t i = 0; i < l->list.list->n; i++) {
        bool hit = false;
        if (!body_bool(l, i, &hit)) return false;
        count += hit;
    }
    *out = xv_int(count);
    return true;
}

static bool loop_one(struct loop *l, struct xv *out)
{
    if (!loop_count(l, out)) return false;
    *out = xv_bool(out->i == 1);
    return true;
}

static bool loop_filter(struct loop *l, struct xv *out)
{
    struct xbuild b = {.a = l->x->a};
    for (size_t i = 0; i < l->list.list->n; i++) {
        bool hit = false;
        if (!body_bool(l, i, &hit)) return false;
        if (hit) xbuild_add(&b, xv_nil(), l->list.list->items[i]);
    }
    *out = xbuild_list(&b);
    return true;
}

static bool loop_map(struct loop *l, struct xv *out)
{
    size_t n = l->list.list->n;
    *out = xv_list(l->x->a, n);
    for (size_t i = 0; i < n; i++)
        if (!body_value(l, i, &xv_items(out)[i])) return false;
    return true;
}

static bool loop_sum(struct loop *l, struct xv *out)
{
    *out = xv_int(0);
    for (size_t i = 0; i < l->list.list->n; i++) {
        struct xv v[2];
        if (!body_value(l, i, &v[0])) return false;
        v[1] = *out;
        l->x->at = l->n->at;
        if (!xbinary(l->x, XO_ADD, v, out)) return false;
    }
    return true;
}

/* The index of the first (or last) hit; *at stays -1 when there is none. */
static bool search(struct loop *l, bool backwards, int64_t *at)
{
    size_t n = l->list.list->n;
    *at = -1;
    for (size_t step = 0; step < n && *at < 0; step++) {
        size_t i = backwards ? n - 1 - step : step;
        bool hit = false;
        if (!body_bool(l, i, &hit)) return false;
        if (hit) *at = (int64_t)i;
    }
    return true;
}

static bool find(struct loop *l, bool backwards, bool index, struct xv *out)
{
    int64_t at;
    if (!search(l, backwards, &at)) return false;
    *out = at < 0 ? xv_nil() : index ? xv_int(at) : l->list.list->items[at];
    return true;
}

static bool loop_find(struct loop *l, struct xv *out) { return find(l, false, false, out); }
static bool loop_find_index(struct loop *l, struct xv *out) { return find(l, false, true, out); }
static bool loop_find_last(struct loop *l, struct xv *out) { return find(l, true, false, out); }
static bool loop_find_last_index(struct loop *l, struct xv *out) { return find(l, true, true, out); }

/* Pairs (key, item) in order of the items. */
static bool keyed(struct loop *l, bool hashed, struct xpair **pairs)
{
    size_t n = l->list.list->n;
    *pairs = ARENA_ARRAY(l->x->a, struct xpair, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!body_value(l, i, &(*pairs)[i].key)) return false;
        if (hashed && !xv_hashable(l->x, &(*pairs)[i].key)) return false;
        (*pairs)[i].v = l->list.list->items[i];
    }
    return true;
}

struct sorting {
    struct xctx *x;
    struct xpair *space;
    bool desc;
};

/* Stable merge sort by key; false when two keys cannot be compared. */
static bool sort_keyed(const struct sorting *s, struct xpair *pairs, size_t n)
{
    struct xpair *space = s->space;
    if (n < 2) return true;
    size_t half = n / 2, i = 0, j = half;
    if (!sort_keyed(s, pairs, half) || !sort_keyed(s, pairs + half, n - half)) return false;
    memcpy(space, pairs, n * sizeof *pairs);
    for (size_t at = 0; at < n; at++) {
        struct xv less = xv_bool(false);
        if (i < half && j < n) {
            struct xv v[2] = {space[j].key, space[i].key};
            if (!xbinary(s->x, s->desc ? XO_GT : XO_LT, v, &less)) return false;
        }
        bool left = i < half && (j == n || !less.b);
        pairs[at] = left ? space[i++] : space[j++];
    }
    return true;
}

static bool loop_group(struct loop *l, struct xv *out)
{
    struct xpair *pairs;
    size_t n = l->list.list->n;
    if (!keyed(l, true, &pairs)) return false;
    struct xbuild order = {.a = l->x->a}, groups = {.a = l->x->a};
    for (size_t i = 0; i < n; i++) { /* equal keys get together, in order */
        struct xv place = xv_list(l->x->a, 2);
        xv_items(&place)[0] = pairs[i].key;
        xv_items(&place)[1] = xv_int((int64_t)i);
        xbuild_add(&order, place, pairs[i].v);
    }
    struct xv sorted = xbuild_map(&order);
    struct xbuild members = {.a = l->x->a};
    for (size_t i = 0; i < sorted.map->n; i++) {
        const struct xv *key = sorted.map->pairs[i].key.list->items;
        xbuild_add(&members, xv_nil(), sorted.map->pairs[i].v);
        bool last = i + 1 == sorted.map->n ||
                    xv_order(key, sorted.map->pairs[i + 1].key.list->items) != 0;
        if (!last) continue;
        xbuild_add(&groups, *key, xbuild_list(&members));
        members = (struct xbuild){.a = l->x->a};
    }
    *out = xbuild_map(&groups);
    out->sub = XM_GROUPS;
    return true;
}

static bool loop_sort(struct loop *l, struct xv *out)
{
    struct xpair *pairs;
    size_t n = l->list.list->n;
    bool desc = false;
    if (l->n->n == 3) {
        struct xv order;
        if (!xeval(l->x, l->n->kids[2], &order)) return false;
        if (order.kind != X_STR) return xfail(l->x, "sortBy order argument must be a string");
        desc = str_is(order.s, "desc");
        if (!desc && !str_is(order.s, "asc")) return xfail(l->x, "unknown order, use asc or desc");
    }
    if (!keyed(l, false, &pairs)) return false;
    l->x->at = l->n->at;
    if (!xcharge(l->x, n)) return false;
    struct sorting sorting = {l->x, ARENA_ARRAY(l->x->a, struct xpair, n + 1), desc};
    if (!sort_keyed(&sorting, pairs, n)) return false;
    *out = xv_list(l->x->a, n);
    for (size_t i = 0; i < n; i++) xv_items(out)[i] = pairs[i].v;
    return true;
}

static bool loop_reduce(struct loop *l, struct xv *out)
{
    size_t i = 0, n = l->list.list->n;
    if (l->n->n == 3) {
        if (!xeval(l->x, l->n->kids[2], out)) return false;
    } else if (!n) {
        l->x->at = l->n->at;
        return xfail(l->x, "reduce of empty array with no initial value");
    } else {
        *out = l->list.list->items[i++];
    }
    for (; i < n; i++) {
        l->scope.acc = *out;
        if (!body_value(l, i, out)) return false;
    }
    return true;
}

static const struct {
    const char *name;
    bool (*run)(struct loop *l, struct xv *out);
} loops[] = {
    {"all", loop_all}, {"none", loop_none}, {"any", loop_any}, {"one", loop_one},
    {"filter", loop_filter}, {"map", loop_map}, {"count", loop_count}, {"sum", loop_sum},
    {"find", loop_find}, {"findIndex", loop_find_index}, {"findLast", loop_find_last},
    {"findLastIndex", loop_find_last_index}, {"groupBy", loop_group}, {"sortBy", loop_sort},
    {"reduce", loop_reduce},
};

/* What the check could not know to be a string is walked byte by byte. */
static bool bytes_of(struct xctx *x, struct str s, struct xv *out)
{
    if (!xcharge(x, s.n)) return false;
    *out = xv_list(x->a, s.n);
    for (size_t i = 0; i < s.n; i++) xv_items(out)[i] = xv_int((unsigned char)s.p[i]);
    return true;
}

bool xeval_loop(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct loop l = {.x = x, .n = n, .body = n->n > 1 ? n->kids[1] : NULL};
    if (!xeval(x, n->kids[0], &l.list)) return false;
    x->at = n->at;
    if (l.list.kind == X_STR && !bytes_of(x, l.list.s, &l.list)) return false;
    if (l.list.kind != X_LIST)
        return xfail(x, "builtin %s takes only array (got %s)", n->builtin->name, xv_type(&l.list));
    for (size_t i = 0; i < ARRAY_LEN(loops); i++) {
        if (strcmp(loops[i].name, n->builtin->name) != 0) continue;
        bool chain = x->chain_ended;
        l.scope.up = x->loop;
        x->loop = &l.scope;
        x->chain_ended = false;
        bool ok = loops[i].run(&l, out);
        x->loop = l.scope.up;
        x->chain_ended = chain;
        return ok;
    }
    IMPOSSIBLE("builtin with a predicate");
}
