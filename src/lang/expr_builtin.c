/* Builtins on numbers, bits, times, JSON. Texts are in expr_text.c, lists in expr_list.c. */
#include "lang/expr_builtin.h"

#include <math.h>

#include "base/limits.h"
#include "doc/base64.h"
#include "lang/duration.h"
#include "lang/rune.h"

bool builtin_len(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    const struct xv *v = &args[0];
    if (v->kind == X_STR) *out = xv_int((int64_t)rune_count(v->s));
    else if (v->kind == X_LIST) *out = xv_int((int64_t)v->list->n);
    else if (v->kind == X_MAP) *out = xv_int((int64_t)v->map->n);
    else return xfail(x, "invalid argument for len (type %s)", xv_type(v));
    return true;
}

bool builtin_type(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    static const char *const kinds[] = {
        [X_NIL] = "nil", [X_BOOL] = "bool", [X_INT] = "int", [X_FLOAT] = "float",
        [X_STR] = "string", [X_LIST] = "array", [X_MAP] = "map", [X_TIME] = "time.Time",
        [X_DURATION] = "time.Duration", [X_FUNC] = "func", [X_SPRIG] = "map",
        [X_ZONE] = "time.Location",
    };
    *out = xv_str(str_of(args[0].kind == X_OBJECT ? xobject_full_type(&args[0]) : kinds[args[0].kind]));
    return true;
}

/* Months and weekdays are integers only where Go's reflection looks at them. */
static bool is_plain_number(const struct xv *v)
{
    return v->kind == X_FLOAT || (v->kind == X_INT && v->sub < XI_WEEKDAY);
}

bool builtin_abs(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = args[0];
    if (out->kind == X_INT && out->i < 0) out->i = (int64_t)(0 - (uint64_t)out->i);
    else if (out->kind == X_FLOAT && out->d < 0) out->d = -out->d;
    return is_plain_number(out) || xfail(x, "invalid argument for abs (type %s)", xv_type(out));
}

static bool rounded(struct xctx *x, const char *name, const struct xv *v, double (*fn)(double),
                    struct xv *out)
{
    if (!is_plain_number(v)) return xfail(x, "invalid argument for %s (type %s)", name, xv_type(v));
    *out = xv_float(fn(xv_number(v)));
    return true;
}

bool builtin_ceil(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return rounded(x, "ceil", &args[0], ceil, out);
}
bool builtin_floor(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return rounded(x, "floor", &args[0], floor, out);
}
bool builtin_round(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return rounded(x, "round", &args[0], round, out);
}

bool builtin_int(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    const struct xv *v = &args[0];
    int64_t i;
    switch ((enum xkind)v->kind) {
    case X_INT:
    case X_DURATION: *out = xv_int(v->i); return true;
    case X_FLOAT: *out = xv_int(xv_to_int(v->d)); return true;
    case X_STR:
        if (!str_to_i64(v->s, &i)) return xfail(x, "invalid operation: int(%.*s)", STR_ARG(v->s));
        *out = xv_int(i);
        return true;
    default: return xfail(x, "invalid operation: int(%s)", xv_type(v));
    }
}

bool builtin_float(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    const struct xv *v = &args[0];
    double d;
    if (is_plain_number(v)) {
        *out = xv_float(xv_number(v));
        return true;
    }
    if (v->kind != X_STR) return xfail(x, "invalid operation: float(%s)", xv_type(v));
    if (!xv_parse_float(v->s, &d)) return xfail(x, "invalid operation: float(%.*s)", STR_ARG(v->s));
    *out = xv_float(d);
    return true;
}

bool builtin_string(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(xv_text(x, &args[0]));
    return true;
}

/* --- many numbers --- */

struct numbers {
    struct xctx *x;
    const char *name;
    double *items;
    size_t n, cap;
    struct xv best; /* max and min keep the type of the number */
    bool largest;
};

static void number_push(struct numbers *s, const struct xv *v)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        double *items = ARENA_ARRAY(s->x->a, double, cap);
        if (s->n) memcpy(items, s->items, s->n * sizeof *items);
        s->items = items;
        s->cap = cap;
    }
    s->items[s->n++] = xv_number(v);
    int order = s->best.kind == X_NIL ? 0 : xv_order(v, &s->best);
    if (s->best.kind == X_NIL || (s->largest ? order > 0 : order < 0)) s->best = *v;
}

static bool numbers_of(struct numbers *s, const struct xv *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct xv *v = &args[i];
        if (xv_is_number(v)) {
            number_push(s, v);
        } else if (v->kind == X_LIST) {
            if (!xcharge(s->x, v->list->n)) return false;
            if (!numbers_of(s, v->list->items, v->list->n)) return false;
        } else {
            return xfail(s->x, "invalid argument for %s (type %s)", s->name, xv_type(v));
        }
    }
    return true;
}

bool builtin_max(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct numbers s = {.x = x, .name = "max", .largest = true};
    if (!numbers_of(&s, args, n)) return false;
    *out = s.best;
    return true;
}

bool builtin_min(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct numbers s = {.x = x, .name = "min"};
    if (!numbers_of(&s, args, n)) return false;
    *out = s.best;
    return true;
}

bool builtin_mean(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct numbers s = {.x = x, .name = "mean"};
    if (!numbers_of(&s, args, n)) return false;
    double sum = 0;
    for (size_t i = 0; i < s.n; i++) sum += s.items[i];
    *out = xv_float(s.n ? sum / (double)s.n : 0);
    return true;
}

static int double_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool builtin_median(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct numbers s = {.x = x, .name = "median"};
    if (!numbers_of(&s, args, n)) return false;
    if (s.n) qsort(s.items, s.n, sizeof *s.items, double_order);
    if (!s.n) *out = xv_float(0);
    else if (s.n % 2) *out = xv_float(s.items[s.n / 2]);
    else *out = xv_float((s.items[s.n / 2 - 1] + s.items[s.n / 2]) / 2);
    return true;
}

/* --- JSON, base64 --- */

bool builtin_to_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = xv_json(x, &args[0], 2);
    *out = xv_str(s);
    return str_set(s);
}

bool builtin_from_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return xcharge(x, args[0].s.n / 64) && xv_from_json(x, args[0].s, out);
}

bool builtin_to_base64(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(base64_encode(x->a, args[0].s));
    return true;
}

bool builtin_from_base64(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s;
    if (!base64_decode(x->a, args[0].s, &s)) return xfail(x, "illegal base64 data");
    *out = xv_str(s);
    return true;
}

/* --- times --- */

bool builtin_now(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct moment m = moment_utc(x->env ? x->env->clock.now_us : 0);
    if (n && args[0].kind != X_ZONE)
        return xfail(x, "invalid number of arguments (expected 0, got %zu)", n);
    if (n && args[0].offset_s) {
        m.offset_s = args[0].offset_s;
        m.zone[0] = 0;
    }
    *out = xv_time(x->a, m);
    return true;
}

bool builtin_duration(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t ns;
    struct err inner = {0};
    if (!duration_parse(args[0].s, &ns, &inner)) return xfail(x, "%s", inner.text);
    *out = xv_duration(ns);
    return true;
}

/* "UTC", "", "Local", and fixed offsets such as "+02:00"; there are no zone files here. */
static bool zone_of(struct xctx *x, struct str name, struct xv *out)
{
    struct moment m;
    *out = (struct xv){.kind = X_ZONE};
    if (!name.n || str_is(name, "UTC") || str_is(name, "Local")) return true;
    if (timefmt_parse(STR("-07:00"), name, &m)) {
        out->offset_s = m.offset_s;
        return true;
    }
    return xfail(x, "unknown time zone %.*s", STR_ARG(name));
}

bool builtin_timezone(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return zone_of(x, args[0].s, out);
}

static bool in_zone(struct moment *m, const struct xv *zone)
{
    if (!zone || !zone->offset_s || strcmp(m->zone, "UTC") != 0) return true;
    m->s -= zone->offset_s;
    m->offset_s = zone->offset_s;
    m->zone[0] = 0;
    return true;
}

static bool parse_date(struct xctx *x, struct str layout, struct str date, struct moment *m)
{
    static const char *const layouts[] = {
        "2006-01-02", "15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00",
        "02 Jan 06 15:04 MST", "Monday, 02-Jan-06 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 MST",
    };
    if (str_set(layout)) {
        if (timefmt_parse(layout, date, m)) return true;
        return xfail(x, "parsing time \"%.*s\" as \"%.*s\": cannot parse", STR_ARG(date), STR_ARG(layout));
    }
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
        if (timefmt_parse(str_of(layouts[i]), date, m)) return true;
    return xfail(x, "invalid date %.*s", STR_ARG(date));
}

/* date(text), date(text, layout), date(text, layout, zone), each also with a zone in front. */
bool builtin_date(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv named;
    const struct xv *zone = args[0].kind == X_ZONE ? &args[0] : NULL;
    if (zone) args++, n--;
    if (n < 1 || n > 3) return xfail(x, "invalid number of arguments (expected at least 1, got %zu)", n);
    for (size_t i = 0; i < n; i++)
        if (args[i].kind != X_STR)
            return xfail(x, "interface conversion: interface {} is %s, not string", xv_type(&args[i]));
    if (n == 3) {
        if (!zone_of(x, args[2].s, &named)) return false;
        zone = &named;
    }
    struct moment m;
    if (!parse_date(x, n > 1 ? args[1].s : STR_NONE, args[0].s, &m)) return false;
    in_zone(&m, zone);
    *out = xv_time(x->a, m);
    return true;
}

/* --- bits --- */

bool builtin_bitand(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(args[0].i & args[1].i);
    return true;
}
bool builtin_bitor(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(args[0].i | args[1].i);
    return true;
}
bool builtin_bitxor(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(args[0].i ^ args[1].i);
    return true;
}
bool builtin_bitnand(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(args[0].i & ~args[1].i);
    return true;
}
bool builtin_bitnot(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(~args[0].i);
    return true;
}

static bool shift_ok(struct xctx *x, int64_t by)
{
    return by >= 0 || xfail(x, "invalid operation: negative shift count %lld (type int)", (long long)by);
}

bool builtin_bitshl(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!shift_ok(x, args[1].i)) return false;
    *out = xv_int(args[1].i > 63 ? 0 : (int64_t)((uint64_t)args[0].i << args[1].i));
    return true;
}
bool builtin_bitshr(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!shift_ok(x, args[1].i)) return false;
    *out = xv_int(args[0].i >> MIN(args[1].i, 63));
    return true;
}
bool builtin_bitushr(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!shift_ok(x, args[1].i)) return false;
    *out = xv_int(args[1].i > 63 ? 0 : (int64_t)((uint64_t)args[0].i >> args[1].i));
    return true;
}
