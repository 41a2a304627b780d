/* sprig.* on numbers. See sprig.def. */
#include <math.h>

#include "base/limits.h"
#include "lang/gofmt.h"
#include "lang/sprig_p.h"

bool sprig_atoi(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(sprig_nearest_i64(args[0].s));
    return true;
}
bool sprig_int(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(sprig_int_of(&args[0]));
    return true;
}
bool sprig_int64(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = sprig_i64(sprig_int_of(&args[0]));
    return true;
}
bool sprig_float64(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_float(sprig_float_of(&args[0]));
    return true;
}

bool sprig_to_decimal(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = xv_text(x, &args[0]);
    uint64_t v = 0;
    bool minus = s.n && s.p[0] == '-';
    if (minus || (s.n && s.p[0] == '+')) s = str_from(s, 1);
    bool ok = s.n > 0;
    for (size_t i = 0; ok && i < s.n; i++) {
        ok = s.p[i] >= '0' && s.p[i] <= '7' && v <= UINT64_MAX / 8;
        if (ok) v = v * 8 + (uint64_t)(s.p[i] - '0');
    }
    ok = ok && v <= (uint64_t)INT64_MAX + minus;
    *out = sprig_i64(!ok ? 0 : (int64_t)(minus ? 0 - v : v));
    return true;
}

/* --- integers; overflow wraps, as in Go --- */

static int64_t wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t wrap_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t larger(int64_t a, int64_t b) { return MAX(a, b); }
static int64_t smaller(int64_t a, int64_t b) { return MIN(a, b); }

static bool fold(const struct xv *args, size_t n, int64_t (*fn)(int64_t, int64_t), struct xv *out)
{
    int64_t v = n ? sprig_int_of(&args[0]) : 0;
    for (size_t i = 1; i < n; i++) v = fn(v, sprig_int_of(&args[i]));
    *out = sprig_i64(v);
    return true;
}

bool sprig_add(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold(args, n, wrap_add, out);
}
bool sprig_mul(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold(args, n, wrap_mul, out);
}
bool sprig_max(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold(args, n, larger, out);
}
bool sprig_min(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold(args, n, smaller, out);
}

bool sprig_add1(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = sprig_i64(wrap_add(sprig_int_of(&args[0]), 1));
    return true;
}

bool sprig_sub(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = sprig_i64((int64_t)((uint64_t)sprig_int_of(&args[0]) - (uint64_t)sprig_int_of(&args[1])));
    return true;
}

static bool divide(struct xctx *x, const struct xv *args, bool rest, struct xv *out)
{
    int64_t a = sprig_int_of(&args[0]), b = sprig_int_of(&args[1]);
    if (!b) return xfail(x, "runtime error: integer divide by zero");
    if (b == -1) *out = sprig_i64(rest ? 0 : (int64_t)(0 - (uint64_t)a));
    else *out = sprig_i64(rest ? a % b : a / b);
    return true;
}

bool sprig_div(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return divide(x, args, false, out);
}
bool sprig_mod(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return divide(x, args, true, out);
}

/* --- floats. sprig computes in decimal: here with the shortest digits of each operand in 64 bits,
 * which leaves the digits of a double right. --- */

typedef long double decimal_fn(long double a, long double b);

static long double decimal(struct arena *a, double d)
{
    return strtold(gofmt_double_g(a, d).p, NULL);
}

static long double add(long double a, long double b) { return a + b; }
static long double subtract(long double a, long double b) { return a - b; }
static long double multiply(long double a, long double b) { return a * b; }

/* Sixteen places behind the point, as shopspring/decimal divides. */
static long double quotient(long double a, long double b)
{
    long double v = a / b;
    return fabsl(v) < 1000 ? roundl(v * 1e16L) / 1e16L : v;
}

static bool fold_decimal(struct xctx *x, const struct xv *args, size_t n, decimal_fn *fn, struct xv *out)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(sprig_float_of(&args[i]))) return xfail(x, "Cannot create a Decimal from %s", isnan(sprig_float_of(&args[i])) ? "NaN" : "Inf");
    long double v = n ? decimal(x->a, sprig_float_of(&args[0])) : 0;
    for (size_t i = 1; i < n; i++) {
        long double by = decimal(x->a, sprig_float_of(&args[i]));
        if (fn == quotient && by == 0) return xfail(x, "decimal division by 0");
        v = fn(v, by);
    }
    *out = xv_float(v == 0 ? 0 : (double)v); /* no negative zero */
    return true;
}

static bool foldf(const struct xv *args, size_t n, double (*fn)(double, double), struct xv *out)
{
    double v = n ? sprig_float_of(&args[0]) : 0;
    for (size_t i = 1; i < n; i++) v = fn(v, sprig_float_of(&args[i]));
    *out = xv_float(v);
    return true;
}

bool sprig_addf(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold_decimal(x, args, n, add, out);
}
bool sprig_subf(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold_decimal(x, args, n, subtract, out);
}
bool sprig_mulf(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold_decimal(x, args, n, multiply, out);
}
/* Go's: nothing is larger than infinity, else what is no number stays none. */
static double larger_float(double a, double b) { return isinf(a) == 1 || isinf(b) == 1 ? INFINITY : isnan(a) || isnan(b) ? NAN : fmax(a, b); }
static double smaller_float(double a, double b) { return isinf(a) == -1 || isinf(b) == -1 ? -INFINITY : isnan(a) || isnan(b) ? NAN : fmin(a, b); }

bool sprig_maxf(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return foldf(args, n, larger_float, out);
}
bool sprig_minf(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return foldf(args, n, smaller_float, out);
}

bool sprig_add1f(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv pair[2] = {args[0], xv_int(1)};
    return fold_decimal(x, pair, 2, add, out);
}

bool sprig_divf(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return fold_decimal(x, args, n, quotient, out);
}

bool sprig_ceil(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_float(ceil(sprig_float_of(&args[0])));
    return true;
}
bool sprig_floor(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_float(floor(sprig_float_of(&args[0])));
    return true;
}

bool sprig_round(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    double on = n == 3 ? xv_number(&args[2]) : 0.5, power = pow(10, (double)args[1].i), whole;
    double digit = power * sprig_float_of(&args[0]);
    double rest = modf(digit, &whole);
    *out = xv_float((rest >= on ? ceil(digit) : floor(digit)) / power);
    return true;
}

/* --- sequences --- */

static bool steps(struct xctx *x, const int64_t v[3], struct xv *out)
{
    struct xbuild b = {.a = x->a};
    int64_t from = v[0], to = v[1], step = v[2];
    bool down = to < from;
    if (down ? step < 0 : step > 0)
        for (int64_t i = from; down ? i > to : i < to;) {
            if (!xcharge(x, 1)) return false;
            xbuild_add(&b, xv_nil(), xv_int(i));
            i = wrap_add(i, step);
        }
    *out = xbuild_list(&b);
    out->sub = XS_INT;
    return true;
}

bool sprig_until(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t v[3] = {0, args[0].i, args[0].i < 0 ? -1 : 1};
    return steps(x, v, out);
}

bool sprig_until_step(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t v[3] = {args[0].i, args[1].i, args[2].i};
    return steps(x, v, out);
}

bool sprig_seq(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv list;
    int64_t from = n > 1 ? args[0].i : 1, to = n ? args[n - 1].i : 0;
    int64_t unit = to < from ? -1 : 1, step = n == 3 ? args[1].i : unit;
    *out = xv_str(STR(""));
    if (!n || n > 3 || (n == 3 && to < from && step > 0)) return true;
    int64_t v[3] = {from, wrap_add(to, unit), step};
    if (!steps(x, v, &list)) return false;
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t i = 0; i < list.list->n; i++)
        buf_printf(&b, "%s%lld", i ? " " : "", (long long)list.list->items[i].i);
    return sprig_done(x, &b, out);
}

bool sprig_rand_int(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t from = args[0].i, below = args[1].i;
    if (below <= from) return xfail(x, "invalid argument to Intn");
    uint64_t span = (uint64_t)below - (uint64_t)from;
    *out = xv_int((int64_t)((uint64_t)from + sprig_random(x) % span));
    return true;
}
