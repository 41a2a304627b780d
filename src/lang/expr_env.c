/* Names of an expression: what the tree mentions, and what the environment knows. See expr_p.h.
 *
 * The scope's flat keys are seen as nested maps; a key that has children is dropped. A top-level
 * name is turned into such maps when it is first asked for. */
#include "base/limits.h"
#include "lang/expr_p.h"

/* --- names that the tree mentions --- */

struct walk {
    struct arena *a;
    bool (*fn)(void *ctx, struct str dotted);
    void *ctx;
    const struct xvar *vars;
    size_t budget;
};

static bool walk(struct walk *w, const struct xnode *n);

static bool is_variable(const struct walk *w, struct str name)
{
    for (const struct xvar *v = w->vars; v; v = v->up)
        if (str_eq(v->name, name)) return true;
    return false;
}

/* "a.b.c" when the node is such a chain, also through "?." and ["c"]; else absent. */
static struct str chain_name(struct arena *a, const struct xnode *n)
{
    if (n->kind == XN_CHAIN) return chain_name(a, n->kids[0]);
    if (n->kind == XN_IDENT) return n->s;
    if (n->kind != XN_MEMBER || n->kids[1]->kind != XN_STR) return STR_NONE;
    struct str base = chain_name(a, n->kids[0]);
    if (!str_set(base)) return base;
    return str_cat(a, str_cat(a, base, STR(".")), n->kids[1]->s);
}

static struct str first_part(struct str dotted)
{
    struct str head, rest;
    str_cut(dotted, '.', &head, &rest);
    return head;
}

static bool walk_kids(struct walk *w, const struct xnode *n, uint32_t from)
{
    for (uint32_t i = from; i < n->n; i++)
        if (n->kids[i] && (!i || n->kids[i] != n->kids[i - 1]) && !walk(w, n->kids[i])) return false;
    return true;
}

/* A call's own name is no variable; what a method is called on is. */
static bool walk_call(struct walk *w, const struct xnode *n)
{
    const struct xnode *callee = n->kids[0];
    if (callee->kind == XN_MEMBER && callee->method) {
        const struct xnode *base = callee->kids[0];
        bool sprig = base->kind == XN_IDENT && str_is(base->s, "sprig");
        if (!sprig && !walk(w, base)) return false;
    } else if (callee->kind != XN_IDENT && !walk(w, callee)) {
        return false;
    }
    return walk_kids(w, n, 1);
}

static bool walk_let(struct walk *w, const struct xnode *n)
{
    if (!walk(w, n->kids[0])) return false;
    struct xvar var = {.up = w->vars, .name = n->s};
    w->vars = &var;
    bool ok = walk(w, n->kids[1]);
    w->vars = var.up;
    return ok;
}

static bool walk(struct walk *w, const struct xnode *n)
{
    if (!w->budget--) {
        w->budget = 0;
        return true;
    }
    if (n->kind == XN_IDENT || n->kind == XN_MEMBER || n->kind == XN_CHAIN) {
        struct str name = chain_name(w->a, n);
        if (str_set(name)) return is_variable(w, first_part(name)) || w->fn(w->ctx, name);
    }
    if (n->kind == XN_CALL) return walk_call(w, n);
    if (n->kind == XN_LET) return walk_let(w, n);
    return walk_kids(w, n, 0);
}

bool xnames(struct arena *a, const struct xnode *tree, bool (*fn)(void *ctx, struct str dotted),
            void *ctx)
{
    struct walk w = {.a = a, .fn = fn, .ctx = ctx, .budget = LIMIT_EXPR_STEPS};
    return walk(&w, tree);
}

/* --- names that must exist --- */

struct idents {
    struct arena *a;
    bool (*fn)(void *ctx, struct str dotted);
    void *ctx;
    size_t budget;
};

/* "a.b.c" of a plain chain of members, else absent. */
static struct str path_name(struct arena *a, const struct xnode *n)
{
    if (n->optional || n->kids[1]->kind != XN_STR) return STR_NONE;
    const struct xnode *base = n->kids[0];
    struct str head = base->kind == XN_IDENT    ? base->s
                      : base->kind == XN_MEMBER ? path_name(a, base)
                                                : STR_NONE;
    if (!str_set(head)) return head;
    return str_cat(a, str_cat(a, head, STR(".")), n->kids[1]->s);
}

/* `guarded`: every member below is; `before`: this one is, by the "?." that follows it. */
static bool idents_of(struct idents *w, const struct xnode *n, bool guarded, bool before)
{
    if (!n || !w->budget) return true;
    w->budget--;
    if (n->kind == XN_IDENT) return w->fn(w->ctx, n->s);
    if (n->kind == XN_MEMBER && !guarded && !before) {
        struct str path = path_name(w->a, n);
        if (str_set(path) && !w->fn(w->ctx, path)) return false;
    }
    for (uint32_t i = 0; i < n->n; i++) {
        if (i && n->kids[i] == n->kids[i - 1]) continue; /* "a ?: b" */
        bool left = n->kind == XN_BINARY && n->op == XO_COALESCE && !i;
        bool ends = n->kind == XN_MEMBER && n->optional && !i;
        if (!idents_of(w, n->kids[i], guarded || left, ends)) return false;
    }
    return true;
}

bool xidents(struct arena *a, const struct xnode *tree, bool (*fn)(void *ctx, struct str dotted),
             void *ctx)
{
    struct idents w = {.a = a, .fn = fn, .ctx = ctx, .budget = LIMIT_EXPR_STEPS};
    return idents_of(&w, tree, false, false);
}

/* --- the scope as maps --- */

struct entries {
    struct xctx *x;
    struct str root;
    struct scope_entry *items;
    size_t n, cap;
};

static bool is_under(struct str key, struct str root)
{
    return str_starts(key, root) && (key.n == root.n || key.p[root.n] == '.');
}

static void collect(void *ctx, const struct scope_entry *entry)
{
    struct entries *es = ctx;
    if (!is_under(entry->key, es->root)) return;
    if (es->n == es->cap) {
        size_t cap = es->cap ? es->cap * 2 : 16;
        struct scope_entry *items = ARENA_ARRAY(es->x->a, struct scope_entry, cap);
        if (es->n) memcpy(items, es->items, es->n * sizeof *items);
        es->items = items;
        es->cap = cap;
    }
    es->items[es->n++] = *entry;
}

/* Lazy names, as far as the text writes them out: every prefix of the chain is asked for. */
static bool collect_lazy(void *ctx, struct str dotted)
{
    struct entries *es = ctx;
    if (!is_under(dotted, es->root)) return true;
    for (size_t at = es->root.n; at <= dotted.n; at++) {
        if (at < dotted.n && dotted.p[at] != '.') continue;
        struct scope_entry entry = {.key = str_sub(dotted, 0, at)};
        if (scope_get(es->x->env->scope, entry.key, &entry.value)) collect(es, &entry);
    }
    return true;
}

static bool has_lookup(const struct scope *s)
{
    for (; s; s = s->parent)
        if (s->lookup) return true;
    return false;
}

/* Segment by segment: a dot sorts before everything else, so that children stand together. */
static int entry_order(const void *a, const void *b)
{
    struct str x = ((const struct scope_entry *)a)->key, y = ((const struct scope_entry *)b)->key;
    for (size_t i = 0; i < x.n && i < y.n; i++) {
        if (x.p[i] == y.p[i]) continue;
        if (x.p[i] == '.') return -1;
        if (y.p[i] == '.') return 1;
        return (unsigned char)x.p[i] < (unsigned char)y.p[i] ? -1 : 1;
    }
    return (x.n > y.n) - (x.n < y.n);
}

static struct xv value_of(struct arena *a, const struct scope_value *v)
{
    switch (v->kind) {
    case SCOPE_STR: return xv_str(v->str);
    case SCOPE_VAL: return v->val ? xv_from_val(a, v->val) : xv_nil();
    case SCOPE_NIL: return xv_nil();
    }
    IMPOSSIBLE("kind of scope value");
}

/* Entries [from, to) share the first `depth` bytes of their keys, which end before a dot. */
static struct xv build(struct entries *es, size_t from, size_t to, size_t depth)
{
    while (from + 1 < to && es->items[from].key.n == depth) from++; /* has children: dropped */
    if (es->items[from].key.n == depth) return value_of(es->x->a, &es->items[from].value);
    struct xbuild b = {.a = es->x->a};
    for (size_t i = from; i < to;) {
        struct str rest = str_from(es->items[i].key, depth + 1), name = first_part(rest);
        size_t end = i + 1, next = depth + 1 + name.n;
        while (end < to && is_under(str_from(es->items[end].key, depth + 1), name)) end++;
        bool deep = next - es->root.n > LIMIT_NAME_BYTES * 8;
        xbuild_add(&b, xv_str(name), deep ? xv_nil() : build(es, i, end, next));
        i = end;
    }
    return xbuild_map(&b);
}

/* A scope holds a few names, mostly in order of their making: no call for each comparison then. */
static void sort_entries(struct scope_entry *items, size_t n)
{
    if (n > 24) {
        qsort(items, n, sizeof *items, entry_order);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct scope_entry e = items[i];
        size_t at = i;
        for (; at && entry_order(&items[at - 1], &e) > 0; at--) items[at] = items[at - 1];
        items[at] = e;
    }
}

/* A lookup knows names that begin with "NAME.", but none that the text mentions. */
static bool root_without_members(struct xctx *x, struct str name, struct xv *out)
{
    struct scope_value v;
    if (!scope_get(x->env->scope, str_cat(x->a, name, STR(".")), &v)) return false;
    *out = value_of(x->a, &v);
    return true;
}

static bool root_from_scope(struct xctx *x, struct str name, struct xv *out)
{
    const struct scope *scope = x->env ? x->env->scope : NULL;
    if (!scope) return false;
    struct entries es = {.x = x, .root = name};
    scope_each(scope, collect, &es);
    if (has_lookup(scope) && x->tree) xnames(x->a, x->tree, collect_lazy, &es);
    if (!es.n) return has_lookup(scope) && root_without_members(x, name, out);
    sort_entries(es.items, es.n);
    *out = build(&es, 0, es.n, name.n);
    return true;
}

static bool root_find(struct xctx *x, struct str name, struct xv *out)
{
    const struct xfunc *f = xfunc_find(name);
    if (f) *out = (struct xv){.kind = X_FUNC, .func = f};
    else if (str_is(name, "sprig")) *out = (struct xv){.kind = X_SPRIG};
    if (f || str_is(name, "sprig")) return true;
    const struct val *extra = x->env ? val_get(x->env->extra, name) : NULL;
    if (extra) *out = xv_from_val(x->a, extra);
    return extra || root_from_scope(x, name, out);
}

bool xroot_get(struct xctx *x, struct str name, struct xv *out)
{
    struct xroot *r = x->roots;
    while (r && !str_eq(r->name, name)) r = r->next;
    if (!r) {
        r = ARENA_NEW(x->a, struct xroot);
        r->name = name;
        r->known = root_find(x, name, &r->v);
        r->next = x->roots;
        x->roots = r;
    }
    *out = r->v;
    return r->known;
}

bool xpath_known(struct xctx *x, struct str dotted)
{
    struct str head, rest;
    struct xv v;
    str_cut(dotted, '.', &head, &rest);
    if (!xroot_get(x, head, &v)) return false;
    while (str_set(rest)) {
        struct str part = rest;
        str_cut(part, '.', &head, &rest);
        if (v.kind == X_SPRIG) return sprig_find(head) && !str_set(rest);
        if (v.kind != X_MAP) return false;
        const struct xv *hit = xmap_get_str(&v, head);
        if (!hit) return false;
        v = *hit;
    }
    return true;
}
