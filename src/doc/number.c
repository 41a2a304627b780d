/* See number.h. */
#include "doc/number.h"

#include <float.h>
#include <math.h>

/* Digits and decimal exponent (value = 0.DIGITS * 10^exp) of the shortest round-trip text. */
struct digits {
    char d[20];
    int n, exp;
    bool negative;
};

static struct digits digits_shortest(double v)
{
    char t[40];
    /* Any decimal of 15 digits survives the trip through float64, so fewer need no search. Denormals
     * have less than that. */
    int precision = fabs(v) < DBL_MIN ? 1 : 15;
    for (; precision < 17; precision++) {
        snprintf(t, sizeof t, "%.*e", precision - 1, v);
        if (strtod(t, NULL) == v) break;
    }
    if (precision == 17) snprintf(t, sizeof t, "%.16e", v);
    struct digits r = {.negative = t[0] == '-'};
    const char *p = t + r.negative;
    for (; *p && *p != 'e'; p++)
        if (*p != '.') r.d[r.n++] = *p;
    r.exp = (int)strtol(p + 1, NULL, 10) + 1;
    while (r.n > 1 && r.d[r.n - 1] == '0') r.n--;
    return r;
}

static size_t text_exponent(char *out, const struct digits *g)
{
    size_t n = 0;
    out[n++] = g->d[0];
    if (g->n > 1) {
        out[n++] = '.';
        memcpy(out + n, g->d + 1, (size_t)g->n - 1);
        n += (size_t)g->n - 1;
    }
    return n + (size_t)snprintf(out + n, 8, "e%+d", g->exp - 1);
}

static size_t text_plain(char *out, const struct digits *g)
{
    size_t n = 0;
    if (g->exp <= 0) {
        memcpy(out, "0.", 2);
        n = 2;
        for (int i = g->exp; i < 0; i++) out[n++] = '0';
    }
    for (int i = 0; i < g->n; i++) {
        if (i == g->exp && i > 0) out[n++] = '.';
        out[n++] = g->d[i];
    }
    for (int i = g->n; i < g->exp; i++) out[n++] = '0';
    return n;
}

size_t number_text(char out[NUMBER_TEXT_MAX], double d)
{
    ASSERT(isfinite(d));
    size_t n = 0;
    if (d == 0) {
        if (signbit(d)) out[n++] = '-';
        out[n++] = '0';
    } else {
        struct digits g = digits_shortest(d);
        if (g.negative) out[n++] = '-';
        bool exponent = fabs(d) < 1e-6 || fabs(d) >= 1e21;
        n += exponent ? text_exponent(out + n, &g) : text_plain(out + n, &g);
    }
    out[n] = 0;
    return n;
}

struct val number_val(struct arena *a, double d)
{
    char t[NUMBER_TEXT_MAX];
    size_t n = number_text(t, d == 0 ? 0 : d);
    bool whole = !memchr(t, '.', n) && !memchr(t, 'e', n);
    return (struct val){.kind = whole ? VAL_INT : VAL_FLOAT, .s = str_dup(a, str_n(t, n))};
}

struct val number_int(struct arena *a, bool negative, uint64_t magnitude)
{
    char t[NUMBER_TEXT_MAX];
    size_t at = sizeof t;
    t[--at] = 0;
    do t[--at] = (char)('0' + magnitude % 10);
    while (magnitude /= 10);
    if (negative && (t[at] != '0')) t[--at] = '-';
    return (struct val){.kind = VAL_INT, .s = str_dup(a, str_n(t + at, sizeof t - 1 - at))};
}

bool number_read(struct str s, double *out)
{
    char small[128], *z = small, *end;
    if (!s.n) return false;
    if (s.n >= sizeof small) z = mem_alloc(s.n + 1);
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    *out = strtod(z, &end);
    bool ok = end == z + s.n && isfinite(*out);
    if (z != small) free(z);
    return ok;
}
