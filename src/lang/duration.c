/* See duration.h. */
#include "lang/duration.h"

struct unit {
    const char *name;
    uint64_t ns;
};

/* Longest match is not needed: Go reads up to the next digit or dot. */
static const struct unit units[] = {
    {"ns", 1},          {"us", 1000},        {"\xc2\xb5s", 1000},      {"\xce\xbcs", 1000},
    {"ms", 1000000},    {"s", 1000000000},   {"m", 60 * 1000000000ull}, {"h", 3600 * 1000000000ull},
};

static const uint64_t half = (uint64_t)1 << 63;

static uint64_t unit_ns(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_is(name, units[i].name)) return units[i].ns;
    return 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool read_whole(struct str *s, uint64_t *v)
{
    *v = 0;
    for (; s->n && is_digit(s->p[0]); s->p++, s->n--) {
        if (*v > half / 10) return false;
        *v = *v * 10 + (uint64_t)(s->p[0] - '0');
        if (*v > half) return false;
    }
    return true;
}

/* Digits after the dot; those beyond the precision of an int64 are dropped, as Go does. */
static uint64_t read_fraction(struct str *s, double *scale)
{
    uint64_t f = 0;
    bool full = false;
    *scale = 1;
    for (; s->n && is_digit(s->p[0]); s->p++, s->n--) {
        uint64_t next = f * 10 + (uint64_t)(s->p[0] - '0');
        if (full || f > (half - 1) / 10 || next > half) {
            full = true;
            continue;
        }
        f = next;
        *scale *= 10;
    }
    return f;
}

static struct str read_unit(struct str *s)
{
    size_t n = 0;
    while (n < s->n && s->p[n] != '.' && !is_digit(s->p[n])) n++;
    struct str name = str_sub(*s, 0, n);
    *s = str_from(*s, n);
    return name;
}

static bool invalid(struct err *e, struct str s)
{
    return err_set(e, ERR_SPEC, "time: invalid duration \"%.*s\"", STR_ARG(s));
}

/* One "12.5ms" off the front of *rest, added to *sum. */
static bool read_part(struct str *rest, struct str whole, uint64_t *sum, struct err *e)
{
    if (rest->p[0] != '.' && !is_digit(rest->p[0])) return invalid(e, whole);
    uint64_t v;
    size_t before = rest->n;
    if (!read_whole(rest, &v)) return invalid(e, whole);
    bool digits = rest->n != before;
    uint64_t f = 0;
    double scale = 1;
    if (rest->n && rest->p[0] == '.') {
        *rest = str_from(*rest, 1);
        before = rest->n;
        f = read_fraction(rest, &scale);
        digits = digits || rest->n != before;
    }
    if (!digits) return invalid(e, whole);
    struct str name = read_unit(rest);
    if (!name.n) {
        return err_set(e, ERR_SPEC, "time: missing unit in duration \"%.*s\"", STR_ARG(whole));
    }
    uint64_t ns = unit_ns(name);
    if (!ns)
        return err_set(e, ERR_SPEC, "time: unknown unit \"%.*s\" in duration \"%.*s\"",
                       STR_ARG(name), STR_ARG(whole));
    if (v > half / ns) return invalid(e, whole);
    v *= ns;
    if (f) v += (uint64_t)((double)f * ((double)ns / scale));
    if (v > half || *sum + v > half) return invalid(e, whole);
    *sum += v;
    return true;
}

bool duration_parse(struct str s, int64_t *out_ns, struct err *e)
{
    struct str rest = s;
    bool minus = rest.n && rest.p[0] == '-';
    if (rest.n && (rest.p[0] == '-' || rest.p[0] == '+')) rest = str_from(rest, 1);
    if (str_is(rest, "0")) {
        *out_ns = 0;
        return true;
    }
    if (!rest.n) return invalid(e, s);
    uint64_t sum = 0;
    while (rest.n)
        if (!read_part(&rest, s, &sum, e)) return false;
    if (!minus && sum > half - 1) return invalid(e, s);
    *out_ns = minus ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool duration_parse_seconds(struct str s, int64_t *out_ns, struct err *e)
{
    int64_t seconds;
    if (!str_to_i64(s, &seconds)) return duration_parse(s, out_ns, e);
    if (__builtin_mul_overflow(seconds, (int64_t)1000000000, out_ns)) return invalid(e, s);
    return true;
}

/* value / 10^digits without trailing zeros, right-aligned before `end`; returns the new start.
 * *value becomes the whole part. */
static char *put_fraction(char *end, uint64_t *value, int digits)
{
    bool print = false;
    for (int i = 0; i < digits; i++) {
        char digit = (char)('0' + *value % 10);
        print = print || digit != '0';
        if (print) *--end = digit;
        *value /= 10;
    }
    if (print) *--end = '.';
    return end;
}

static char *put_whole(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return end;
}

static char *put_small(char *end, uint64_t ns)
{
    *--end = 's';
    if (ns < 1000) {
        *--end = 'n';
        return put_whole(end, ns);
    }
    if (ns < 1000000) {
        *--end = '\xb5'; /* "µ" */
        *--end = '\xc2';
        end = put_fraction(end, &ns, 3);
        return put_whole(end, ns);
    }
    *--end = 'm';
    end = put_fraction(end, &ns, 6);
    return put_whole(end, ns);
}

static char *put_large(char *end, uint64_t ns)
{
    *--end = 's';
    end = put_fraction(end, &ns, 9);
    end = put_whole(end, ns % 60);
    ns /= 60;
    if (!ns) return end;
    *--end = 'm';
    end = put_whole(end, ns % 60);
    ns /= 60;
    if (!ns) return end;
    *--end = 'h';
    return put_whole(end, ns);
}

struct str duration_text(struct arena *a, int64_t ns)
{
    char space[40], *end = space + sizeof space, *at;
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (!u) return str_dup(a, STR("0s"));
    at = u < 1000000000 ? put_small(end, u) : put_large(end, u);
    if (ns < 0) *--at = '-';
    return str_dup(a, str_n(at, (size_t)(end - at)));
}
