/* Binary operators of the expression language, by the types of their operands. See expr_p.h. */
#include "base/limits.h"
#include "lang/expr_p.h"
#include "lang/gomath.h"
#include "lang/regex.h"

static const char *const names[] = {
    [XO_LT] = "<", [XO_GT] = ">", [XO_GE] = ">=", [XO_LE] = "<=", [XO_ADD] = "+",
    [XO_SUB] = "-", [XO_MUL] = "*", [XO_DIV] = "/", [XO_MOD] = "%",
};

static bool mismatch(struct xctx *x, enum xop op, const struct xv v[2])
{
    return xfail(x, "invalid operation: %s %s %s", xv_type(&v[0]), names[op], xv_type(&v[1]));
}

static bool compare(struct xctx *x, enum xop op, const struct xv v[2], struct xv *out)
{
    bool numbers = xv_is_number(&v[0]) && xv_is_number(&v[1]);
    bool same = v[0].kind == v[1].kind &&
                (v[0].kind == X_STR || v[0].kind == X_TIME || v[0].kind == X_DURATION);
    if (!numbers && !same) return mismatch(x, op, v);
    if (numbers && (v[0].kind == X_FLOAT || v[1].kind == X_FLOAT)) {
        double a = xv_number(&v[0]), b = xv_number(&v[1]);
        *out = xv_bool(op == XO_LT ? a < b : op == XO_GT ? a > b : op == XO_LE ? a <= b : a >= b);
        return true;
    }
    int c = xv_order(&v[0], &v[1]);
    *out = xv_bool(op == XO_LT ? c < 0 : op == XO_GT ? c > 0 : op == XO_LE ? c <= 0 : c >= 0);
    return true;
}

static bool add_times(struct xctx *x, const struct xv v[2], struct xv *out)
{
    const struct xv *time = v[0].kind == X_TIME ? &v[0] : &v[1];
    const struct xv *other = time == &v[0] ? &v[1] : &v[0];
    if (v[0].kind == X_DURATION && v[1].kind == X_DURATION)
        *out = xv_duration((int64_t)((uint64_t)v[0].i + (uint64_t)v[1].i));
    else if (time->kind == X_TIME && other->kind == X_DURATION)
        *out = xv_time(x->a, moment_add(*time->time, other->i));
    else
        return mismatch(x, XO_ADD, v);
    return true;
}

static bool add(struct xctx *x, const struct xv v[2], struct xv *out)
{
    if (v[0].kind == X_INT && v[1].kind == X_INT) {
        *out = xv_int((int64_t)((uint64_t)v[0].i + (uint64_t)v[1].i));
    } else if (xv_is_number(&v[0]) && xv_is_number(&v[1])) {
        *out = xv_float(xv_number(&v[0]) + xv_number(&v[1]));
    } else if (v[0].kind == X_STR && v[1].kind == X_STR) {
        size_t n = v[0].s.n + v[1].s.n;
        if (n > LIMIT_VALUE_BYTES) return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
        if (!xcharge(x, n / 256)) return false;
        *out = xv_str(str_cat(x->a, v[0].s, v[1].s));
    } else {
        return add_times(x, v, out);
    }
    return true;
}

static bool subtract(struct xctx *x, const struct xv v[2], struct xv *out)
{
    if (v[0].kind == X_INT && v[1].kind == X_INT)
        *out = xv_int((int64_t)((uint64_t)v[0].i - (uint64_t)v[1].i));
    else if (xv_is_number(&v[0]) && xv_is_number(&v[1]))
        *out = xv_float(xv_number(&v[0]) - xv_number(&v[1]));
    else if (v[0].kind == X_TIME && v[1].kind == X_TIME)
        *out = xv_duration(moment_diff(*v[0].time, *v[1].time));
    else if (v[0].kind == X_TIME && v[1].kind == X_DURATION)
        *out = xv_time(x->a, moment_add(*v[0].time, (int64_t)(0 - (uint64_t)v[1].i)));
    else if (v[0].kind == X_DURATION && v[1].kind == X_DURATION)
        *out = xv_duration((int64_t)((uint64_t)v[0].i - (uint64_t)v[1].i));
    else
        return mismatch(x, XO_SUB, v);
    return true;
}

static bool multiply(struct xctx *x, const struct xv v[2], struct xv *out)
{
    bool durations = v[0].kind == X_DURATION || v[1].kind == X_DURATION;
    bool whole = v[0].kind != X_FLOAT && v[1].kind != X_FLOAT;
    for (int i = 0; i < 2; i++)
        if (!xv_is_number(&v[i]) && v[i].kind != X_DURATION) return mismatch(x, XO_MUL, v);
    if (whole) {
        *out = xv_int((int64_t)((uint64_t)v[0].i * (uint64_t)v[1].i));
        if (durations) out->kind = X_DURATION;
    } else { /* a duration counts as its nanoseconds then */
        double a = v[0].kind == X_FLOAT ? v[0].d : (double)v[0].i;
        double b = v[1].kind == X_FLOAT ? v[1].d : (double)v[1].i;
        *out = xv_float(a * b);
    }
    return true;
}

static bool divide(struct xctx *x, enum xop op, const struct xv v[2], struct xv *out)
{
    if (op == XO_DIV) {
        if (!xv_is_number(&v[0]) || !xv_is_number(&v[1])) return mismatch(x, op, v);
        *out = xv_float(xv_number(&v[0]) / xv_number(&v[1]));
        return true;
    }
    if (v[0].kind != X_INT || v[1].kind != X_INT) return mismatch(x, op, v);
    if (!v[1].i) return xfail(x, "runtime error: integer divide by zero");
    *out = xv_int(v[1].i == -1 ? 0 : v[0].i % v[1].i);
    return true;
}

static bool power(struct xctx *x, const struct xv v[2], struct xv *out)
{
    for (int i = 0; i < 2; i++)
        if (!xv_is_number(&v[i])) return xfail(x, "invalid operation: float(%s)", xv_type(&v[i]));
    *out = xv_float(gomath_pow(xv_number(&v[0]), xv_number(&v[1])));
    return true;
}

static bool range(struct xctx *x, const struct xv v[2], struct xv *out)
{
    int64_t bound[2];
    for (int i = 0; i < 2; i++) {
        if (!xv_is_number(&v[i])) return xfail(x, "invalid operation: int(%s)", xv_type(&v[i]));
        bound[i] = v[i].kind == X_INT ? v[i].i : xv_to_int(v[i].d);
    }
    uint64_t n = bound[1] < bound[0] ? 0 : (uint64_t)bound[1] - (uint64_t)bound[0] + 1;
    if (!xcharge(x, n > LIMIT_EXPR_STEPS || (!n && bound[1] > bound[0]) ? LIMIT_EXPR_STEPS + 1 : n))
        return false;
    *out = xv_list(x->a, n);
    out->sub = XS_INT;
    for (uint64_t i = 0; i < n; i++) xv_items(out)[i] = xv_int(bound[0] + (int64_t)i);
    return true;
}

static bool contained(struct xctx *x, const struct xv v[2], struct xv *out)
{
    const struct xv *in = &v[1];
    *out = xv_bool(false);
    if (in->kind == X_NIL) return true;
    if (in->kind == X_MAP) {
        const struct xv *hit;
        if (!xmap_find(x, in, &v[0], &hit)) return false;
        out->b = hit != NULL;
        return true;
    }
    if (in->kind == X_SPRIG) {
        out->b = v[0].kind == X_STR && sprig_find(v[0].s);
        return true;
    }
    if (in->kind == X_OBJECT) return xobject_has(x, in, &v[0], &out->b);
    if (in->kind != X_LIST) return xfail(x, "operator \"in\" not defined on %s", xv_type(in));
    if (!xcharge(x, in->list->n / 8) || ((v[0].kind == X_LIST || v[0].kind == X_MAP) && !xweigh(x, in))) return false;
    for (size_t i = 0; i < in->list->n && !out->b; i++) out->b = xv_eq(&in->list->items[i], &v[0]);
    return true;
}

static bool match(struct xctx *x, const struct xv v[2], struct xv *out)
{
    bool hit;
    struct err inner = {0};
    if (!regex_match(v[1].s, v[0].s, &hit, &inner)) return xfail(x, "%s", inner.text);
    *out = xv_bool(hit);
    return true;
}

/* matches, contains, startsWith, endsWith: false when a side is nil. */
static bool strings(struct xctx *x, enum xop op, const struct xv v[2], struct xv *out)
{
    *out = xv_bool(false);
    if (v[0].kind == X_NIL || v[1].kind == X_NIL) return true;
    for (int i = 1; i >= 0; i--)
        if (v[i].kind != X_STR)
            return xfail(x, "interface conversion: interface {} is %s, not string", xv_type(&v[i]));
    if (op == XO_MATCHES) return match(x, v, out);
    if (op == XO_CONTAINS) out->b = str_find(v[0].s, v[1].s, 0) >= 0;
    else if (op == XO_STARTS) out->b = str_starts(v[0].s, v[1].s);
    else out->b = str_ends(v[0].s, v[1].s);
    return true;
}

bool xbinary(struct xctx *x, enum xop op, const struct xv v[2], struct xv *out)
{
    switch (op) {
    case XO_EQ:
    case XO_NE:
        if (v[0].kind == v[1].kind && !xweigh(x, &v[0])) return false;
        *out = xv_bool(xv_eq(&v[0], &v[1]) == (op == XO_EQ));
        return true;
    case XO_LT:
    case XO_GT:
    case XO_LE:
    case XO_GE: return compare(x, op, v, out);
    case XO_ADD: return add(x, v, out);
    case XO_SUB: return subtract(x, v, out);
    case XO_MUL: return multiply(x, v, out);
    case XO_DIV:
    case XO_MOD: return divide(x, op, v, out);
    case XO_POW: return power(x, v, out);
    case XO_RANGE: return range(x, v, out);
    case XO_IN: return contained(x, v, out);
    case XO_MATCHES:
    case XO_CONTAINS:
    case XO_STARTS:
    case XO_ENDS: return strings(x, op, v, out);
    default: IMPOSSIBLE("binary operator");
    }
}
