/* xjsonpath of expr_p.h: JSONPath in the dialect of github.com/evilmonkeyinc/jsonpath, which Argo's
 * jsonpath() function uses.
 *
 * Steps: .name ['name'] [n] [*] .* .. [a:b:c] [x,y] [?(filter)] [(script)].
 * Filters and scripts are expressions of the expression language in which @ is the current element
 * and $ the root. */
#include "lang/jsonpath.h"

#include "base/limits.h"
#include "doc/json_write.h"
#include "lang/expr_p.h"

enum { HITS_MAX = LIMIT_LOOP_ITEMS };

struct hits {
    struct xv *items;
    size_t n, cap;
};

struct path {
    struct xctx *x;
    struct str text;
    size_t at;
    struct xv root;
    bool many;    /* a step that may give several values was seen */
    bool lenient; /* kubectl: a missing member of one element of many is skipped */
    struct hits hits;
};

static bool push(struct path *p, struct hits *h, const struct xv *v)
{
    if (h->n >= HITS_MAX) return xlimit(p->x, "the path has too many values", HITS_MAX);
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 8;
        struct xv *items = ARENA_ARRAY(p->x->a, struct xv, cap);
        if (h->n) memcpy(items, h->items, h->n * sizeof *items);
        h->items = items;
        h->cap = cap;
    }
    h->items[h->n++] = *v;
    return xcharge(p->x, 1);
}

static bool push_children(struct path *p, struct hits *h, const struct xv *v)
{
    for (size_t i = 0; v->kind == X_LIST && i < v->list->n; i++)
        if (!push(p, h, &v->list->items[i])) return false;
    for (size_t i = 0; v->kind == X_MAP && i < v->map->n; i++)
        if (!push(p, h, &v->map->pairs[i].v)) return false;
    return true;
}

static bool push_tree(struct path *p, struct hits *h, const struct xv *v, int depth)
{
    if (depth > LIMIT_DOC_DEPTH || !push(p, h, v)) return depth <= LIMIT_DOC_DEPTH ? false : true;
    for (size_t i = 0; v->kind == X_LIST && i < v->list->n; i++)
        if (!push_tree(p, h, &v->list->items[i], depth + 1)) return false;
    for (size_t i = 0; v->kind == X_MAP && i < v->map->n; i++)
        if (!push_tree(p, h, &v->map->pairs[i].v, depth + 1)) return false;
    return true;
}

/* --- one selector --- */

static bool select_name(struct path *p, const struct xv *v, struct str name, struct hits *h)
{
    const struct xv *hit = v->kind == X_MAP ? xmap_get_str(v, name) : NULL;
    if (hit) return push(p, h, hit);
    bool length = str_is(name, "length") && !p->lenient;
    if (length && (v->kind == X_LIST || v->kind == X_STR || v->kind == X_MAP)) {
        struct xv n = xv_int((int64_t)(v->kind == X_LIST ? v->list->n
                                       : v->kind == X_MAP ? v->map->n : v->s.n));
        return push(p, h, &n);
    }
    if (p->many) return true;
    if (p->lenient) return xfail(p->x, "%.*s is not found", STR_ARG(name));
    if (v->kind != X_MAP)
        return xfail(p->x, "key: invalid token target. expected [map] got [%s]",
                     v->kind == X_LIST ? "slice" : v->kind == X_NIL ? "nil" : xv_type(v));
    return xfail(p->x, "key: invalid token key '%.*s' not found", STR_ARG(name));
}

static bool select_index(struct path *p, const struct xv *v, int64_t i, struct hits *h)
{
    int64_t n = v->kind == X_LIST ? (int64_t)v->list->n : 0;
    if (i < 0) i += n;
    if (v->kind == X_LIST && i >= 0 && i < n) return push(p, h, &v->list->items[i]);
    if (p->many) return true;
    if (v->kind != X_LIST) return xfail(p->x, "index: invalid token target. expected [array] got [%s]", xv_type(v));
    return xfail(p->x, "index: invalid token out of range");
}

/* "from:to:step", each optional. */
static bool select_slice(struct path *p, const struct xv *v, struct str text, struct hits *h)
{
    int64_t bound[3] = {0}, n = v->kind == X_LIST ? (int64_t)v->list->n : 0;
    bool set[3] = {false};
    for (int i = 0; i < 3 && str_set(text); i++) {
        struct str part;
        str_cut(text, ':', &part, &text);
        part = str_trim(part);
        set[i] = part.n > 0;
        if (set[i] && !str_to_i64(part, &bound[i])) return xfail(p->x, "range: invalid token");
    }
    int64_t step = set[2] ? bound[2] : 1;
    if (!step) return xfail(p->x, "range: invalid token out of range");
    for (int i = 0; i < 2; i++)
        if (set[i] && bound[i] < 0) bound[i] = bound[i] + n < 0 ? (step < 0 && i ? -1 : 0) : bound[i] + n;
    int64_t from = set[0] ? MIN(bound[0], step > 0 ? n : n - 1) : step > 0 ? 0 : n - 1;
    int64_t to = set[1] ? MIN(bound[1], n) : step > 0 ? n : -1;
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
        if (!push(p, h, &v->list->items[i])) return false;
    return true;
}

/* '@' and '$' outside of strings become names that the evaluation binds. */
static struct str as_expression(struct arena *a, struct str text)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, text.n * 8 + 1);
    char quote = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quote && c == '\\' && i + 1 < text.n) {
            buf_char(&b, c);
            c = text.p[++i];
        } else if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '@' || c == '$') {
            buf_str(&b, c == '@' ? STR("_item_") : STR("_root_"));
            continue;
        }
        buf_char(&b, c);
    }
    return buf_dup(a, &b);
}

/* Runs the text of a filter or script with @ and $ bound. A failing one gives nil. */
static bool evaluate(struct path *p, struct str text, const struct xv *item, struct xv *out)
{
    struct xctx inner = {.a = p->x->a, .text = as_expression(p->x->a, text), .steps = p->x->steps};
    struct xparse opts = {.a = inner.a, .text = inner.text, .e = p->x->e};
    struct xnode *tree = xparse_tree(&opts);
    if (!tree) return false;
    struct xvar root = {.name = STR("_root_"), .v = p->root};
    struct xvar self = {.up = &root, .name = STR("_item_"), .v = *item};
    inner.vars = &self;
    if (!xeval(&inner, tree, out)) *out = xv_nil();
    p->x->steps = inner.steps;
    return xcharge(p->x, 1);
}

static bool select_filter(struct path *p, const struct xv *v, struct str text, struct hits *h)
{
    struct hits all = {0};
    if (!push_children(p, &all, v)) return false;
    for (size_t i = 0; i < all.n; i++) {
        struct xv hit;
        if (!evaluate(p, text, &all.items[i], &hit)) return false;
        bool keep = hit.kind == X_BOOL ? hit.b : hit.kind != X_NIL;
        if (keep && !push(p, h, &all.items[i])) return false;
    }
    return true;
}

static bool select_script(struct path *p, const struct xv *v, struct str text, struct hits *h)
{
    struct xv key, self = *v;
    ptrdiff_t length = str_find(text, STR("@.length"), 0);
    if (length >= 0 && v->kind == X_LIST)
        text = str_fmt(p->x->a, "%.*s%zu%.*s", (int)length, text.p, v->list->n,
                       STR_ARG(str_from(text, (size_t)length + 8)));
    if (!evaluate(p, text, &self, &key)) return false;
    if (key.kind == X_STR) return select_name(p, v, key.s, h);
    if (!xv_is_number(&key)) return xfail(p->x, "script: invalid token");
    return select_index(p, v, key.kind == X_INT ? key.i : xv_to_int(key.d), h);
}

static bool is_quoted(struct str s)
{
    return s.n >= 2 && (s.p[0] == '\'' || s.p[0] == '"') && s.p[s.n - 1] == s.p[0];
}

static bool select_one(struct path *p, const struct xv *v, struct str token, struct hits *h)
{
    int64_t i;
    token = str_trim(token);
    if (str_is(token, "*")) return push_children(p, h, v);
    if (is_quoted(token)) return select_name(p, v, str_sub(token, 1, token.n - 2), h);
    if (str_starts(token, STR("?(")) && str_ends(token, STR(")")))
        return select_filter(p, v, str_sub(token, 2, token.n - 3), h);
    if (str_starts(token, STR("(")) && str_ends(token, STR(")")))
        return select_script(p, v, str_sub(token, 1, token.n - 2), h);
    if (str_to_i64(token, &i)) return select_index(p, v, i, h);
    if (str_find_char(token, ':', 0) >= 0) return select_slice(p, v, token, h);
    return select_name(p, v, token, h);
}

/* --- steps --- */

/* The text up to the bracket that closes the one at p->at; strings and nesting respected. */
static bool bracket_text(struct path *p, struct str *out)
{
    size_t from = ++p->at;
    char quote = 0;
    for (int depth = 1; p->at < p->text.n; p->at++) {
        char c = p->text.p[p->at];
        if (quote) {
            if (c == '\\') p->at++;
            else if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '[' || c == '(') {
            depth++;
        } else if ((c == ']' || c == ')') && --depth == 0) {
            *out = str_sub(p->text, from, p->at++ - from);
            return true;
        }
    }
    return xfail(p->x, "invalid JSONPath selector '%.*s'", STR_ARG(p->text));
}

/* Parts of "a,b" outside of strings and parentheses. */
static bool next_part(struct str *rest, struct str *part)
{
    char quote = 0;
    int depth = 0;
    if (!str_set(*rest)) return false;
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (quote) quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"') quote = c;
        else if (c == '(' || c == '[') depth++;
        else if (c == ')' || c == ']') depth--;
        else if (c == ',' && !depth) {
            *part = str_sub(*rest, 0, i);
            *rest = str_from(*rest, i + 1);
            return true;
        }
    }
    *part = *rest;
    *rest = STR_NONE;
    return true;
}

static bool gives_many(struct str token)
{
    token = str_trim(token);
    return str_is(token, "*") || str_starts(token, STR("?")) ||
           (!is_quoted(token) && !str_starts(token, STR("(")) && str_find_char(token, ':', 0) >= 0);
}

static bool apply(struct path *p, struct str token)
{
    struct hits next = {0};
    struct str rest = token, part;
    bool several = false;
    for (struct str r = token, q; next_part(&r, &q);) several = several || str_set(r) || gives_many(q);
    p->many = p->many || several;
    for (size_t i = 0; i < p->hits.n; i++)
        for (rest = token; next_part(&rest, &part);)
            if (!select_one(p, &p->hits.items[i], part, &next)) return false;
    p->hits = next;
    return true;
}

static bool apply_recursive(struct path *p)
{
    struct hits all = {0};
    p->many = true;
    for (size_t i = 0; i < p->hits.n; i++)
        if (!push_tree(p, &all, &p->hits.items[i], 0)) return false;
    p->hits = all;
    return true;
}

static struct str dot_name(struct path *p)
{
    size_t from = p->at;
    while (p->at < p->text.n && p->text.p[p->at] != '.' && p->text.p[p->at] != '[') {
        if (p->text.p[p->at] == '\\') p->at++; /* kubectl: "\." is a dot of the name */
        p->at++;
    }
    if (p->at > p->text.n) p->at = p->text.n;
    struct str raw = str_sub(p->text, from, p->at - from);
    if (str_find_char(raw, '\\', 0) < 0) return raw;
    char *z = arena_alloc_bytes(p->x->a, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] != '\\') z[n++] = raw.p[i];
    return str_n(z, n);
}

static bool run_step(struct path *p)
{
    struct str token;
    char c = p->text.p[p->at];
    if (c == '[') return bracket_text(p, &token) && apply(p, token);
    if (c == '.') p->at++;
    if (p->at < p->text.n && p->text.p[p->at] == '.') {
        p->at++;
        if (!apply_recursive(p)) return false;
        if (p->at < p->text.n && p->text.p[p->at] == '[') return true;
    }
    if (p->at < p->text.n && p->text.p[p->at] == '[') return true;
    token = dot_name(p);
    if (!token.n) return p->at >= p->text.n || xfail(p->x, "invalid JSONPath selector '%.*s'", STR_ARG(p->text));
    return apply(p, token);
}

static bool run(struct path *p, const struct xv *from)
{
    if (!push(p, &p->hits, from)) return false;
    while (p->at < p->text.n)
        if (!run_step(p)) return false;
    return true;
}

bool xjsonpath(struct xctx *x, const struct xv *root, struct str path, struct xv *out)
{
    struct path p = {.x = x, .text = str_trim(path), .root = *root};
    if (!p.text.n || p.text.p[0] != '$')
        return xfail(x, "invalid JSONPath selector '%.*s' unexpected token '%.*s' at index 0",
                     STR_ARG(p.text), (int)MIN(p.text.n, (size_t)1), p.text.p);
    p.at = 1;
    if (!run(&p, root)) return false;
    if (!p.many) {
        *out = p.hits.items[0];
        return true;
    }
    *out = xv_list(x->a, p.hits.n);
    if (p.hits.n) memcpy(xv_items(out), p.hits.items, p.hits.n * sizeof *p.hits.items);
    return true;
}
