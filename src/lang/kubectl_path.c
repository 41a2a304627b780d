/* Runs kubectl's JSONPath templates as `kubectl get -o jsonpath=` does: see jsonpath.h. Follows
 * client-go's util/jsonpath/jsonpath.go; a step that fails may leave what it was given, which a
 * filter that asks for existence takes for a hit. */
#include "lang/jsonpath.h"

#include "base/limits.h"
#include "lang/kubectl_p.h"
#include "lang/rune.h"

enum { HITS_MAX = LIMIT_LOOP_ITEMS };

struct hits {
    struct xv *items;
    size_t n, cap;
};

static bool push(struct kubectl *k, struct hits *h, struct xv v)
{
    if (h->n >= HITS_MAX) return xlimit(k->x, "the path has too many values", HITS_MAX);
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 8;
        struct xv *items = ARENA_ARRAY(k->x->a, struct xv, cap);
        if (h->n) memcpy(items, h->items, h->n * sizeof *items);
        h->items = items;
        h->cap = cap;
    }
    h->items[h->n++] = v;
    return xcharge(k->x, 1);
}

static bool push_children(struct kubectl *k, struct hits *h, const struct xv *v)
{
    for (size_t i = 0; v->kind == X_LIST && i < v->list->n; i++)
        if (!push(k, h, v->list->items[i])) return false;
    for (size_t i = 0; v->kind == X_MAP && i < v->map->n; i++)
        if (!push(k, h, v->map->pairs[i].v)) return false;
    for (size_t i = 0; v->kind == X_STR && i < v->s.n; i++)
        if (!push(k, h, xv_int((unsigned char)v->s.p[i]))) return false;
    return true;
}

static bool push_tree(struct kubectl *k, struct hits *h, const struct xv *v, int depth)
{
    size_t n = v->kind == X_LIST ? v->list->n : v->kind == X_MAP ? v->map->n : v->kind == X_STR ? v->s.n : 0;
    if (!n) return true;
    if (depth > LIMIT_DOC_DEPTH) return xlimit(k->x, "the document is too deep", LIMIT_DOC_DEPTH);
    if (!push(k, h, *v)) return false;
    for (size_t i = 0; v->kind == X_LIST && i < n; i++)
        if (!push_tree(k, h, &v->list->items[i], depth + 1)) return false;
    for (size_t i = 0; v->kind == X_MAP && i < n; i++)
        if (!push_tree(k, h, &v->map->pairs[i].v, depth + 1)) return false;
    return true;
}

static bool walk(struct kubectl *k, const struct hits *in, const struct knode *n, struct hits *out);

static bool walk_list(struct kubectl *k, const struct hits *in, const struct knode *n, struct hits *out)
{
    *out = *in;
    for (uint32_t i = 0; i < n->n; i++) {
        struct hits from = *out;
        *out = (struct hits){0};
        if (!walk(k, &from, &n->kids[i], out)) return false;
    }
    return true;
}

/* --- arrays --- */

static bool slice(struct kubectl *k, const struct xv *v, const struct knode *n, struct hits *out, bool *stop)
{
    int64_t len = (int64_t)v->list->n, from = n->given & 1 ? n->bound[0] : 0;
    bool derived = !(n->given & 8);
    int64_t to = derived ? n->bound[0] + 1 : n->given & 2 ? n->bound[1] : len;
    int64_t step = n->given & 4 ? n->bound[2] : 1;
    if (from < 0) from += len;
    if (to < 0 || (to == 0 && derived)) to += len;
    if (from == to) return *stop = true;
    if (from >= len || from < 0)
        return xfail(k->x, "array index out of bounds: index %lld, length %lld", (long long)from, (long long)len);
    if (to > len || to < 0)
        return xfail(k->x, "array index out of bounds: index %lld, length %lld", (long long)to - 1, (long long)len);
    if (from > to)
        return xfail(k->x, "starting index %lld is greater than ending index %lld", (long long)from, (long long)to);
    if (step <= 0) return xfail(k->x, "step must be > 0");
    for (int64_t i = from; i < to; i += MIN(step, to))
        if (!push(k, out, v->list->items[i])) return false;
    return true;
}

static bool walk_array(struct kubectl *k, const struct hits *in, const struct knode *n, struct hits *out)
{
    bool stop = false;
    for (size_t i = 0; i < in->n && !stop; i++) {
        const struct xv *v = &in->items[i];
        if (v->kind == X_NIL) continue;
        bool ok = v->kind == X_LIST ? slice(k, v, n, out, &stop)
                                    : xfail(k->x, "%s is not array or slice", xv_type(v));
        if (ok) continue;
        *out = *in;
        return false;
    }
    return true;
}

/* --- filters --- */

static bool order(struct kubectl *k, const struct xv v[2], struct str op, bool *pass)
{
    for (int i = 0; i < 2; i++)
        if (v[i].kind == X_NIL || v[i].kind == X_LIST || v[i].kind == X_MAP)
            return xfail(k->x, "invalid type for comparison");
    if (v[0].kind != v[1].kind) return xfail(k->x, "incompatible types for comparison");
    bool equal = xv_eq(&v[0], &v[1]), ordered = v[0].kind != X_BOOL;
    bool less = ordered && !equal && (v[0].kind == X_FLOAT ? v[0].d < v[1].d : xv_order(&v[0], &v[1]) < 0);
    if (str_is(op, "==") || str_is(op, "!=")) *pass = equal == str_is(op, "==");
    else if (!ordered) return xfail(k->x, "invalid type for comparison");
    else if (str_is(op, "<")) *pass = less;
    else if (str_is(op, "<=")) *pass = less || equal;
    else if (str_is(op, ">")) *pass = !less && !equal;
    else *pass = !less;
    return true;
}

/* *pass: whether the element stays. */
static bool filter_one(struct kubectl *k, const struct xv *item, const struct knode *n, bool *pass)
{
    struct hits self = {0}, left, right;
    struct xv pair[2];
    *pass = false;
    if (!push(k, &self, *item)) return false;
    if (str_is(n->s, "exists")) {
        struct err *outer = k->x->e, ignored = {0};
        k->x->e = &ignored;
        bool ok = walk_list(k, &self, &n->kids[0], &left);
        k->x->e = outer;
        *pass = left.n > 0;
        return ok || ignored.code != ERR_LIMIT || xcharge(k->x, LIMIT_EXPR_STEPS);
    }
    if (!walk_list(k, &self, &n->kids[0], &left)) return false;
    if (left.n > 1) return xfail(k->x, "can only compare one element at a time");
    if (!left.n) return true;
    pair[0] = left.items[0];
    if (!walk_list(k, &self, &n->kids[1], &right)) return false;
    if (right.n > 1) return xfail(k->x, "can only compare one element at a time");
    if (!right.n) return true;
    pair[1] = right.items[0];
    static const char *const known[] = {"<", ">", "==", "!=", "<=", ">="};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(n->s, known[i])) return order(k, pair, n->s, pass);
    return xfail(k->x, "unrecognized filter operator %.*s", STR_ARG(n->s));
}

static bool walk_filter(struct kubectl *k, const struct hits *in, const struct knode *n, struct hits *out)
{
    for (size_t i = 0; i < in->n; i++) {
        const struct xv *v = &in->items[i];
        if (v->kind != X_LIST) {
            *out = *in;
            return xfail(k->x, "%s is not array or slice and cannot be filtered", xv_type(v));
        }
        for (size_t j = 0; j < v->list->n; j++) {
            bool pass;
            if (!filter_one(k, &v->list->items[j], n, &pass)) {
                *out = *in;
                return false;
            }
            if (pass && !push(k, out, v->list->items[j])) return false;
        }
    }
    return true;
}

/* --- the rest --- */

static bool walk_field(struct kubectl *k, const struct hits *in, struct str name, struct hits *out)
{
    for (size_t i = 0; i < in->n; i++) {
        const struct xv *hit = in->items[i].kind == X_MAP ? xmap_get_str(&in->items[i], name) : NULL;
        if (hit && !push(k, out, *hit)) return false;
    }
    return true;
}

static bool walk_union(struct kubectl *k, const struct hits *in, const struct knode *n, struct hits *out)
{
    for (uint32_t i = 0; i < n->n; i++) {
        struct hits part;
        if (!walk_list(k, in, &n->kids[i], &part)) {
            *out = *in;
            return false;
        }
        for (size_t j = 0; j < part.n; j++)
            if (!push(k, out, part.items[j])) return false;
    }
    return true;
}

static bool walk_word(struct kubectl *k, const struct hits *in, struct str word, struct hits *out)
{
    if (str_is(word, "range")) {
        k->begin_range++;
        *out = *in;
        return true;
    }
    if (!str_is(word, "end")) return *out = *in, xfail(k->x, "unrecognized identifier %.*s", STR_ARG(word));
    if (k->in_range <= 0) return xfail(k->x, "not in range, nothing to end");
    k->end_range++;
    return true;
}

static bool walk(struct kubectl *k, const struct hits *in, const struct knode *n, struct hits *out)
{
    switch ((enum knode_kind)n->kind) {
    case K_LIST: return walk_list(k, in, n, out);
    case K_FIELD: return walk_field(k, in, n->s, out);
    case K_ARRAY: return walk_array(k, in, n, out);
    case K_FILTER: return walk_filter(k, in, n, out);
    case K_UNION: return walk_union(k, in, n, out);
    case K_WORD: return walk_word(k, in, n->s, out);
    case K_WILDCARD:
    case K_RECURSIVE:
        for (size_t i = 0; i < in->n; i++)
            if (n->kind == K_WILDCARD ? !push_children(k, out, &in->items[i])
                                      : !push_tree(k, out, &in->items[i], 0))
                return false;
        return true;
    case K_VALUE:
        if (n->v.kind == X_STR) return push(k, out, n->v);
        for (size_t i = 0; i < in->n; i++)
            if (!push(k, out, n->v)) return false;
        return true;
    }
    IMPOSSIBLE("kind of node");
}

/* --- whole templates --- */

/* As xv_from_val, but whole numbers are integers, which do not compare with floats. */
static struct xv from_val(struct arena *a, const struct val *v)
{
    int64_t i;
    if (v->kind == VAL_INT && str_to_i64(v->s, &i)) return xv_int(i);
    if (v->kind == VAL_LIST) {
        struct xv list = xv_list(a, v->n);
        for (uint32_t at = 0; at < v->n; at++) xv_items(&list)[at] = from_val(a, &v->items[at]);
        return list;
    }
    if (v->kind != VAL_MAP) return xv_from_val(a, v);
    struct xbuild b = {.a = a};
    for (uint32_t at = 0; at < v->n; at++)
        xbuild_add(&b, xv_str(v->map[at].key), from_val(a, &v->map[at].v));
    return xbuild_map(&b);
}

struct writer {
    struct kubectl *k;
    struct buf *b; /* NULL: only looking for the end of a range */
};

static bool put_hits(struct writer *w, const struct hits *h)
{
    for (size_t i = 0; w->b && i < h->n; i++) {
        const struct xv *v = &h->items[i];
        if (i) buf_char(w->b, ' ');
        if (v->kind == X_LIST || v->kind == X_MAP) buf_str(w->b, xv_json(w->k->x, v, 0));
        else if (v->kind == X_NIL) buf_str(w->b, STR("null"));
        else xv_put_text(w->b, w->k->x->a, v);
    }
    return !w->b || !w->b->overflow || xlimit(w->k->x, "the text is too long", LIMIT_VALUE_BYTES);
}

static bool run(struct writer *w, uint32_t from, const struct xv *self);

/* Runs what follows a range for every element, or once for none to find its end. */
static bool run_range(struct writer *w, uint32_t *at, const struct hits *hits)
{
    struct kubectl *k = w->k;
    struct writer silent = {k, NULL};
    struct xv nothing = xv_nil();
    bool ok = true;
    if (++k->depth > LIMIT_EXPR_DEPTH / 4) return xfail(k->x, "ranges are nested too deep");
    k->begin_range--;
    k->in_range++;
    for (size_t i = 0; ok && i < hits->n; i++) ok = run(w, *at + 1, &hits->items[i]);
    if (!hits->n) ok = run(&silent, *at + 1, &nothing);
    k->in_range--;
    k->depth--;
    if (k->last_end > *at) *at = k->last_end;
    return ok;
}

static bool run(struct writer *w, uint32_t from, const struct xv *self)
{
    struct kubectl *k = w->k;
    for (uint32_t i = from; i < k->root.n; i++) {
        struct hits in = {0}, out = {0};
        bool text = k->root.kids[i].kind == K_VALUE;
        if (!push(k, &in, *self) || !walk(k, &in, &k->root.kids[i], &out)) return false;
        if (!text && k->end_range > 0 && k->end_range <= k->in_range) {
            k->end_range--;
            k->last_end = i;
            return true;
        }
        bool ok = k->begin_range > 0 ? run_range(w, &i, &out) : put_hits(w, &out);
        if (!ok) return false;
    }
    return true;
}

bool jsonpath_template(struct arena *a, struct str text, const struct val *root, struct str *out,
                       struct err *e)
{
    struct xctx x = {.a = a, .text = text, .e = e};
    struct kubectl k = {.x = &x, .root = {.kind = K_LIST}};
    struct buf b CLEANUP(buf_fini);
    struct writer w = {&k, &b};
    struct xv self = from_val(a, root);
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (text.n > LIMIT_EXPR_BYTES) return xlimit(&x, "the template is too long", LIMIT_EXPR_BYTES);
    if (!kpath_parse(&k, text, &k.root) || !run(&w, 0, &self)) return false;
    *out = buf_dup(a, &b);
    return true;
}

/* --- quotes --- */

/* After a backslash; digits in the given base. */
static bool read_code(struct str *s, size_t n, int base, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s->n > i ? s->p[i] : 'z', low = c | 32;
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : 99;
        if (digit >= base) return false;
        *out = *out * (uint32_t)base + (uint32_t)digit;
    }
    *s = str_from(*s, n);
    return true;
}

static bool unquote_escape(struct str *s, char quote, struct buf *b)
{
    static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
    if (!s->n) return false;
    char c = s->p[0];
    const char *name = c ? strchr(names, c) : NULL;
    uint32_t code;
    if (c >= '0' && c <= '7') { /* a byte, as is \x */
        if (!read_code(s, 3, 8, &code) || code > 255) return false;
        buf_char(b, (char)code);
        return true;
    }
    *s = str_from(*s, 1);
    if (name || c == quote) {
        buf_char(b, name ? values[name - names] : c);
        return true;
    }
    size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (!n || !read_code(s, n, 16, &code)) return false;
    if (n == 2) buf_char(b, (char)code);
    else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    else rune_put(b, code);
    return true;
}

bool kubectl_unquote(struct arena *a, struct str quoted, struct str *out)
{
    struct buf b CLEANUP(buf_fini);
    if (quoted.n < 2) return false;
    char quote = quoted.p[0];
    struct str s = str_sub(quoted, 1, quoted.n - 2);
    buf_init(&b, s.n * 4 + 8);
    while (s.n) {
        char c = s.p[0];
        s = str_from(s, 1);
        if (c == quote) return false;
        if (c != '\\') buf_char(&b, c);
        else if (!unquote_escape(&s, quote, &b)) return false;
    }
    *out = buf_dup(a, &b);
    return true;
}
