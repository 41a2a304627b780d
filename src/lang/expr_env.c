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

/* "base.name"; most texts have it written so already. */
static struct str joined(struct arena *a, struct str base, struct str name)
{
    if (name.p == base.p + base.n + 1 && base.p[base.n] == '.') return str_n(base.p, base.n + 1 + name.n);
    return str_cat(a, str_cat(a, base, STR(".")), name);
}

/* "a.b.c" when the node is such a chain, also through "?." and ["c"]; else absent. */
static struct str chain_name(struct arena *a, const struct xnode *n)
{
    if (n->kind == XN_CHAIN) return chain_name(a, n->kids[0]);
    if (n->kind == XN_IDENT) return n->s;
    if (n->kind != XN_MEMBER || n->kids[1]->kind != XN_STR) return STR_NONE;
    struct str base = chain_name(a, n->kids[0]);
    return str_set(base) ? joined(a, base, n->kids[1]->s) : base;
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

/* --- the scope as maps --- */

enum { DEPTH_MAX_BYTES = LIMIT_NAME_BYTES * 8 }; /* of a name, behind its root: what is deeper is nil */

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
    case SCOPE_TIME: return xv_time(a, moment_utc(v->time_us));
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
        bool deep = next - es->root.n > DEPTH_MAX_BYTES;
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

/* --- values under their full names --- */

/* "a.b.c" of a plain chain of members, else absent. */
static struct str path_name(struct arena *a, const struct xnode *n)
{
    if (n->optional || n->kids[1]->kind != XN_STR) return STR_NONE;
    const struct xnode *base = n->kids[0];
    struct str head = base->kind == XN_IDENT    ? base->s
                      : base->kind == XN_MEMBER ? path_name(a, base)
                                                : STR_NONE;
    return str_set(head) ? joined(a, head, n->kids[1]->s) : head;
}

static bool is_below(struct str key, struct str path)
{
    return key.n > path.n && key.p[path.n] == '.' && bytes_eq(key.p, path.p, path.n);
}

static bool scope_has_below(const struct scope *s, struct str path)
{
    for (; s; s = s->parent)
        for (size_t i = 0; i < s->entries.n; i++)
            if (is_below(s->entries.items[i].key, path)) return true;
    return false;
}

static bool note_chain(void *ctx, struct str dotted)
{
    struct xchains *c = ctx;
    if (c->n < ARRAY_LEN(c->names)) c->names[c->n] = dotted;
    return c->n++ < ARRAY_LEN(c->names);
}

/* Where names may be lazy: those that the tree mentions are asked for, see collect_lazy. This one is, none below it. */
static bool is_last_lazy(struct xctx *x, struct str path)
{
    if (!x->chains) {
        x->chains = ARENA_NEW(x->a, struct xchains);
        xnames(x->a, x->tree, note_chain, x->chains);
    }
    bool mentioned = false;
    if (x->chains->n > ARRAY_LEN(x->chains->names)) return false;
    for (size_t i = 0; i < x->chains->n; i++) {
        if (is_below(x->chains->names[i], path)) return false;
        mentioned = mentioned || str_eq(x->chains->names[i], path);
    }
    return mentioned;
}

/* Whether a name of the environment, or of more names, hides what the scope has. */
static bool is_hidden(const struct xctx *x, struct str root)
{
    return xfunc_find(root) || str_is(root, "sprig") || val_get(x->env->extra, root);
}

bool xchain_find(struct xctx *x, struct xnode *n)
{
    const struct scope *scope = x->env ? x->env->scope : NULL;
    if (n->looked || !scope) return n->found != NULL;
    n->looked = true;
    struct str path = path_name(x->a, n);
    const struct xnode *root = n;
    for (; str_set(path) && root->kind == XN_MEMBER; root = root->kids[0])
        if (!root->kids[1]->s.n || str_find_char(root->kids[1]->s, '.', 0) >= 0) path = STR_NONE;
    struct scope_value v;
    if (!str_set(path) || is_hidden(x, root->s) || path.n - root->s.n > DEPTH_MAX_BYTES) return false;
    if (has_lookup(scope) && !is_last_lazy(x, path)) return false;
    if (!scope_get(scope, path, &v) || scope_has_below(scope, path)) return false;
    struct xv *found = ARENA_NEW(x->a, struct xv);
    *found = value_of(x->a, &v);
    n->found = found;
    return true;
}

/* --- names that must exist --- */

struct missing {
    struct xctx *x;
    void (*fn)(void *ctx, struct str dotted);
    void *ctx;
    size_t budget;
};

/* Whether "a.b.c" exists, be it nil. */
static bool path_known(struct xctx *x, struct str dotted)
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

static void note_missing(struct missing *w, struct str dotted)
{
    if (!path_known(w->x, dotted)) w->fn(w->ctx, dotted);
}

/* `guarded`: every member below is; `before`: this one is, by the "?." that follows it. */
static void missing_in(struct missing *w, struct xnode *n, bool guarded, bool before)
{
    if (!n || !w->budget) return;
    w->budget--;
    if (n->kind == XN_IDENT) note_missing(w, n->s);
    if (n->kind == XN_MEMBER && !guarded && !before) {
        if (xchain_find(w->x, n)) return; /* and so do its beginnings */
        struct str path = path_name(w->x->a, n);
        if (str_set(path)) note_missing(w, path);
    }
    for (uint32_t i = 0; i < n->n; i++) {
        if (i && n->kids[i] == n->kids[i - 1]) continue; /* "a ?: b" */
        bool left = n->kind == XN_BINARY && n->op == XO_COALESCE && !i;
        bool ends = n->kind == XN_MEMBER && n->optional && !i;
        missing_in(w, n->kids[i], guarded || left, ends);
    }
}

void xmissing(struct xctx *x, void (*fn)(void *ctx, struct str dotted), void *ctx)
{
    struct missing w = {.x = x, .fn = fn, .ctx = ctx, .budget = LIMIT_EXPR_STEPS};
    missing_in(&w, x->tree, false, false);
}
