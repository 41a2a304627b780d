/* Rewrites of expr-lang's optimizer that show in results: what they skip is never evaluated, so
 * that its errors do not happen. See expr_p.h. */
#include "lang/expr_p.h"

static bool is_call(const struct xnode *n, const char *name, uint32_t args)
{
    return n->kind == XN_BUILTIN && n->n == args && !strcmp(n->builtin->name, name);
}

static void become_builtin(struct xnode *n, const char *name, const struct xnode *like)
{
    n->kind = XN_BUILTIN;
    n->builtin = xbuiltin_find(str_of(name));
    n->n = like->n;
    n->kids = like->kids;
    n->op = XO_NONE;
}

/* "x && true" is x, whatever x is; "x && false" is false without looking at x. */
static void fold_logic(struct xnode *n)
{
    bool unit = n->op == XO_AND;
    for (int i = 0; i < 2; i++)
        if (n->kids[i]->kind == XN_BOOL && n->kids[i]->b == unit) {
            *n = *n->kids[!i];
            return;
        }
    if (n->kids[0]->kind == XN_BOOL || n->kids[1]->kind == XN_BOOL) {
        n->kind = XN_BOOL;
        n->b = !unit;
        n->n = 0;
    }
}

static void fold_compare(struct xnode *n)
{
    const struct xnode *count = n->kids[0], *limit = n->kids[1];
    if (!is_call(count, "count", 2) || limit->kind != XN_INT) return;
    if ((n->op == XO_GT && limit->i == 0) || (n->op == XO_GE && limit->i == 1))
        become_builtin(n, "any", count);
}

/* "x in ['a', 'b']" becomes a look-up in a map of strings: see contained. */
static void mark_strings(struct xnode *n)
{
    const struct xnode *list = n->kids[1];
    if (list->kind != XN_ARRAY || !list->n) return;
    for (uint32_t i = 0; i < list->n; i++)
        if (list->kids[i]->kind != XN_STR) return;
    n->optional = true;
}

static void fold_binary(struct xnode *n)
{
    switch ((enum xop)n->op) {
    case XO_AND:
    case XO_OR: fold_logic(n); return;
    case XO_GT:
    case XO_GE: fold_compare(n); return;
    case XO_IN: mark_strings(n); return;
    default: return;
    }
}

/* first(filter(…)) stops at the first hit. */
static void fold_builtin(struct xnode *n)
{
    if (n->n != 1 || !n->kids[0] || !is_call(n->kids[0], "filter", 2)) return;
    const struct xnode *filter = n->kids[0];
    if (is_call(n, "first", 1)) become_builtin(n, "find", filter);
    else if (is_call(n, "last", 1)) become_builtin(n, "findLast", filter);
    else if (is_call(n, "len", 1)) become_builtin(n, "count", filter);
}

static bool all_literals(const struct xnode *list)
{
    for (uint32_t i = 0; i < list->n; i++) {
        uint8_t kind = list->kids[i]->kind;
        if (kind != XN_INT && kind != XN_FLOAT && kind != XN_STR && kind != XN_BOOL) return false;
    }
    return true;
}

/* sum([a, b, c]) is a + (b + c): it also joins strings. */
static void fold_sum(struct arena *a, struct xnode *n)
{
    if (!is_call(n, "sum", 1) || n->kids[0]->kind != XN_ARRAY) return;
    const struct xnode *list = n->kids[0];
    if (list->n < 2 || all_literals(list)) return;
    struct xnode *right = list->kids[list->n - 1];
    for (uint32_t i = list->n - 1; i-- > 0;) {
        struct xnode *sum = i ? ARENA_NEW(a, struct xnode) : n;
        *sum = (struct xnode){.kind = XN_BINARY, .op = XO_ADD, .at = n->at, .n = 2, .op_text = STR("+"),
                              .depth = n->depth, .kids = ARENA_ARRAY(a, struct xnode *, 2)};
        sum->kids[0] = list->kids[i];
        sum->kids[1] = right;
        right = sum;
    }
}

void xfold(struct arena *a, struct xnode *n)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (n->kids[i] && (!i || n->kids[i] != n->kids[i - 1])) xfold(a, n->kids[i]);
    bool sign = n->kind == XN_UNARY && (n->op == XO_NEG || n->op == XO_PLUS);
    if (sign && n->kids[0]->kind == XN_INT) {
        n->kind = XN_INT;
        n->i = n->op == XO_NEG ? (int64_t)(0 - (uint64_t)n->kids[0]->i) : n->kids[0]->i;
        n->n = 0;
    } else if (sign && n->kids[0]->kind == XN_FLOAT) {
        n->kind = XN_FLOAT;
        n->d = n->op == XO_NEG ? -n->kids[0]->d : n->kids[0]->d;
        n->n = 0;
    } else if (n->kind == XN_UNARY && n->op == XO_NOT && n->kids[0]->kind == XN_BOOL) {
        n->kind = XN_BOOL;
        n->b = !n->kids[0]->b;
        n->n = 0;
    } else if (n->kind == XN_BINARY) {
        fold_binary(n);
    } else if (n->kind == XN_BUILTIN) {
        fold_builtin(n);
        fold_sum(a, n);
    }
}
