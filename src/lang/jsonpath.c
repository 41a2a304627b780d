/* xjsonpath of expr_p.h: JSONPath in the dialect of github.com/evilmonkeyinc/jsonpath, which Argo's
 * jsonpath() function uses. Each token gets the rest of the path; what does not fit below a wildcard, a
 * range, a filter or ".." is left out, elsewhere it is an error. */
#include "base/limits.h"
#include "lang/jsonpath_p.h"

struct walk {
    struct xctx *x;
    const struct jpath *path;
};

static bool apply(struct walk *w, size_t at, const struct xv *root, const struct xv *now, struct xv *out);

static bool wrong_target(struct walk *w, const char *type, const char *wanted, const struct xv *v)
{
    const char *got = v->kind == X_LIST ? "slice" : v->kind == X_MAP ? "map" : v->kind == X_NIL ? "nil" : xv_type(v);
    return xfail(w->x, "%s: invalid token target. expected [%s] got [%s]", type, wanted, got);
}

bool jpath_integer(const struct xv *v, int64_t *out)
{
    if (v->kind != X_INT && !(v->kind == X_FLOAT && v->d == (double)xv_to_int(v->d))) return false;
    *out = v->kind == X_INT ? v->i : xv_to_int(v->d);
    return true;
}

static size_t children(const struct xv *v)
{
    return v->kind == X_LIST ? v->list->n : v->kind == X_MAP ? v->map->n : 0;
}

static const struct xv *child(const struct xv *v, size_t i)
{
    return v->kind == X_LIST ? &v->list->items[i] : &v->map->pairs[i].v;
}

static bool rest(struct walk *w, size_t at, const struct xv *root, const struct xv *v, struct xv *out)
{
    if (at + 1 < w->path->n) return apply(w, at + 1, root, v, out);
    *out = *v;
    return true;
}

/* Adds what the rest of the path makes of an element; nothing when it leads nowhere. */
static void add_rest(struct walk *w, size_t at, const struct xv *root, const struct xv *v, struct xbuild *b)
{
    struct xv got = xv_nil();
    bool last = at + 1 >= w->path->n;
    if (last || (apply(w, at + 1, root, v, &got) && got.kind != X_NIL)) xbuild_add(b, xv_nil(), last ? *v : got);
}

static bool apply_wildcard(struct walk *w, size_t at, const struct xv *root, const struct xv *now, struct xv *out)
{
    struct xbuild b = {.a = w->x->a};
    if (now->kind != X_LIST && now->kind != X_MAP) return wrong_target(w, "wildcard", "array map slice", now);
    for (size_t i = 0; i < children(now); i++) add_rest(w, at, root, child(now, i), &b);
    *out = xbuild_list(&b);
    return true;
}

static void descend(struct walk *w, size_t at, const struct xv *root, const struct xv *now, struct xbuild *b)
{
    if (now->kind == X_NIL || !xcharge(w->x, 1)) return;
    struct xv got = xv_nil();
    if (at + 1 >= w->path->n) {
        xbuild_add(b, xv_nil(), *now);
    } else if (apply(w, at + 1, root, now, &got)) {
        if (!xcharge(w->x, got.kind == X_LIST ? got.list->n : 1)) return;
        for (size_t i = 0; got.kind == X_LIST && i < got.list->n; i++) xbuild_add(b, xv_nil(), got.list->items[i]);
        if (got.kind != X_LIST && got.kind != X_NIL) xbuild_add(b, xv_nil(), got);
    }
    for (size_t i = 0; i < children(now); i++) descend(w, at, root, child(now, i), b);
}

static bool apply_key(struct walk *w, size_t at, struct str key, const struct xv pair[2], struct xv *out)
{
    if (pair[1].kind != X_MAP) return wrong_target(w, "key", "map", &pair[1]);
    const struct xv *hit = xmap_get_str(&pair[1], key);
    if (hit) return rest(w, at, &pair[0], hit, out);
    return xfail(w->x, "key: invalid token key '%.*s' not found", STR_ARG(key));
}

static bool apply_index(struct walk *w, size_t at, int64_t i, const struct xv pair[2], struct xv *out)
{
    if (pair[1].kind != X_LIST) return wrong_target(w, "index", "array slice", &pair[1]);
    int64_t n = (int64_t)pair[1].list->n;
    if (i < 0) i += n;
    if (i < 0 || i >= n) return xfail(w->x, "index: invalid token out of range");
    return rest(w, at, &pair[0], &pair[1].list->items[i], out);
}

static bool apply_length(struct walk *w, size_t at, const struct xv *root, const struct xv *now, struct xv *out)
{
    struct xv n = {.kind = X_INT, .sub = XI_INT64, .i = (int64_t)children(now)};
    const struct xv *hit = now->kind == X_MAP ? xmap_get_str(now, STR("length")) : NULL;
    if (now->kind == X_STR) n.i = (int64_t)now->s.n;
    else if (now->kind != X_LIST && now->kind != X_MAP) return wrong_target(w, "length", "array map slice string", now);
    return rest(w, at, root, hit ? hit : &n, out);
}

/* A list of what was chosen: an index that follows chooses from the list, anything else goes on with
 * every element. */
static bool finish(struct walk *w, size_t at, const struct xv *root, const struct xbuild *chosen, struct xv *out)
{
    struct xv list = xbuild_list(chosen);
    if (at + 1 < w->path->n && w->path->tokens[at + 1].kind != J_INDEX) {
        struct xbuild b = {.a = w->x->a};
        for (size_t i = 0; i < list.list->n; i++) add_rest(w, at, root, &list.list->items[i], &b);
        *out = xbuild_list(&b);
        return true;
    }
    return rest(w, at, root, &list, out);
}

static bool is_true(const struct xv *v)
{
    switch ((enum xkind)v->kind) {
    case X_NIL: return false;
    case X_BOOL: return v->b;
    case X_LIST:
    case X_MAP: return children(v) > 0;
    case X_STR: {
        bool quoted = v->s.n > 1 && (v->s.p[0] == '\'' || v->s.p[0] == '"') && v->s.p[v->s.n - 1] == v->s.p[0];
        return v->s.n > (quoted ? 2u : 0u);
    }
    case X_INT: return v->i != 0;
    case X_FLOAT: return v->d != 0;
    default: return true;
    }
}

static bool apply_filter(struct walk *w, size_t at, const struct xv *root, const struct xv *now, struct xv *out)
{
    const struct jscript *script = w->path->tokens[at].arg.script;
    struct xbuild b = {.a = w->x->a};
    if (jscript_is_empty(script)) return xfail(w->x, "invalid expression. is empty");
    if (now->kind != X_LIST && now->kind != X_MAP) return wrong_target(w, "filter", "array map slice", now);
    for (size_t i = 0; i < children(now); i++) {
        struct xv hit;
        if (jscript_eval(w->x, script, root, child(now, i), &hit) && is_true(&hit)) xbuild_add(&b, xv_nil(), *child(now, i));
    }
    bool index = at + 1 < w->path->n && w->path->tokens[at + 1].kind == J_INDEX;
    return finish(w, at, index ? now : root, &b, out); /* the root is lost on the way, as there */
}

static bool apply_script(struct walk *w, size_t at, const struct xv pair[2], struct xv *out)
{
    struct xv v;
    int64_t i;
    const struct jscript *script = w->path->tokens[at].arg.script;
    if (jscript_is_empty(script)) return xfail(w->x, "invalid expression. is empty");
    if (!jscript_eval(w->x, script, &pair[0], &pair[1], &v)) return false;
    if (v.kind == X_STR) return apply_key(w, at, v.s, pair, out);
    if (jpath_integer(&v, &i)) return apply_index(w, at, i, pair, out);
    return xfail(w->x, "unexpected expression result. expected [int string] got [%s]", xv_type(&v));
}

/* A number, or the number that a script gives. */
static bool number_of(struct walk *w, const struct jarg *arg, const struct xv pair[2], int64_t *out)
{
    struct xv v;
    if (arg->kind == JA_INT) return *out = arg->i, true;
    if (jscript_is_empty(arg->script)) return xfail(w->x, "range: invalid token. invalid expression. is empty");
    if (!jscript_eval(w->x, arg->script, &pair[0], &pair[1], &v)) return false;
    return jpath_integer(&v, out) || xfail(w->x, "range: unexpected expression result. expected [int] got [%s]", xv_type(&v));
}

static int64_t clamped(int64_t i, int64_t n)
{
    if (i < 0) i += n;
    return i < 0 ? 0 : MIN(i, n);
}

static bool apply_range(struct walk *w, size_t at, const struct xv pair[2], struct xv *out)
{
    const struct jarg *args = w->path->tokens[at].args;
    struct xbuild b = {.a = w->x->a};
    if (pair[1].kind != X_LIST) return wrong_target(w, "range", "array slice", &pair[1]);
    int64_t n = (int64_t)pair[1].list->n, from = 0, to = n, step = 1;
    if (args[0].kind != JA_NIL && !number_of(w, &args[0], pair, &from)) return false;
    if (args[1].kind != JA_NIL && !number_of(w, &args[1], pair, &to)) return false;
    if (args[2].kind != JA_NIL && !number_of(w, &args[2], pair, &step)) return false;
    if (!step) return xfail(w->x, "range: invalid token out of range");
    from = clamped(from, n);
    to = clamped(to, n);
    for (int64_t i = step < 0 ? to - 1 : from; step < 0 ? i >= from : i < to;) {
        xbuild_add(&b, xv_nil(), pair[1].list->items[i]);
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    return finish(w, at, &pair[0], &b, out);
}

/* *key or *index of one argument of a union; all must be of the same kind. */
static bool union_arg(struct walk *w, const struct jarg *arg, const struct xv pair[2], struct xv *out)
{
    int64_t i;
    if (arg->kind == JA_KEY) return *out = xv_str(arg->s), true;
    if (arg->kind == JA_INT) return *out = xv_int(arg->i), true;
    if (jscript_is_empty(arg->script)) return xfail(w->x, "union: invalid token. invalid expression. is empty");
    if (!jscript_eval(w->x, arg->script, &pair[0], &pair[1], out)) return false;
    if (out->kind == X_STR) return true;
    if (!jpath_integer(out, &i)) return xfail(w->x, "union: invalid token argument. got [%s]", xv_type(out));
    return *out = xv_int(i), true;
}

static bool apply_union(struct walk *w, size_t at, const struct xv pair[2], struct xv *out)
{
    const struct jtoken *t = &w->path->tokens[at];
    struct xv *args = ARENA_ARRAY(w->x->a, struct xv, t->n);
    struct xbuild b = {.a = w->x->a};
    for (size_t i = 0; i < t->n; i++) {
        if (!union_arg(w, &t->args[i], pair, &args[i])) return false;
        if (args[i].kind != args[0].kind) return xfail(w->x, "union: invalid token argument. keys and numbers are mixed");
    }
    bool keys = args[0].kind == X_STR;
    if (pair[1].kind != (keys ? X_MAP : X_LIST)) return wrong_target(w, "union", keys ? "map" : "array slice", &pair[1]);
    for (size_t i = 0; i < t->n; i++) {
        int64_t n = (int64_t)children(&pair[1]), k = keys ? 0 : args[i].i < 0 ? args[i].i + n : args[i].i;
        const struct xv *hit = keys ? xmap_get_str(&pair[1], args[i].s) : k >= 0 && k < n ? child(&pair[1], (size_t)k) : NULL;
        if (hit) xbuild_add(&b, xv_nil(), *hit);
    }
    return finish(w, at, &pair[0], &b, out);
}

static bool apply(struct walk *w, size_t at, const struct xv *root, const struct xv *now, struct xv *out)
{
    const struct jtoken *t = &w->path->tokens[at];
    struct xv pair[2] = {*root, *now};
    struct xbuild b = {.a = w->x->a};
    if (!xcharge(w->x, 1)) return false;
    switch ((enum jtoken_kind)t->kind) {
    case J_ROOT: return rest(w, at, root, root, out);
    case J_CURRENT: return rest(w, at, root, now, out);
    case J_WILDCARD: return apply_wildcard(w, at, root, now, out);
    case J_RECURSIVE:
        descend(w, at, root, now, &b);
        *out = xbuild_list(&b);
        return true;
    case J_LENGTH: return apply_length(w, at, root, now, out);
    case J_KEY: return apply_key(w, at, t->arg.s, pair, out);
    case J_INDEX: return apply_index(w, at, t->arg.i, pair, out);
    case J_FILTER: return apply_filter(w, at, root, now, out);
    case J_SCRIPT: return apply_script(w, at, pair, out);
    case J_UNION: return apply_union(w, at, pair, out);
    case J_RANGE: return apply_range(w, at, pair, out);
    }
    IMPOSSIBLE("kind of token");
}

bool jpath_apply(struct xctx *x, const struct jpath *p, const struct xv *root, const struct xv *now,
                 struct xv *out)
{
    struct walk w = {x, p};
    return apply(&w, 0, root, now, out);
}

bool xjsonpath(struct xctx *x, const struct xv *root, struct str path, struct xv *out)
{
    struct jpath p;
    struct err inner = {0}, *outer = x->e;
    x->e = &inner; /* most errors on the way mean only that a branch ends */
    bool ok = jpath_compile(x, path, &p) && jpath_apply(x, &p, root, root, out) && xcharge(x, 1);
    x->e = outer;
    if (ok) x->fault = EXPR_FINE;
    else if (outer) *outer = inner;
    return ok;
}
