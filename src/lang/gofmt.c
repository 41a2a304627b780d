/* See gofmt.h. Integers by verb are in gofmt_int.c. */
#include "lang/gofmt.h"

#include <math.h>

#include "base/limits.h"
#include "doc/json_write.h"
#include "lang/rune.h"

static void quote_rune(struct buf *b, uint32_t rune, bool bad_byte, unsigned char byte)
{
    static const char names[] = "\a\b\f\n\r\t\v\\\"";
    const char *name = rune && rune < 0x80 ? strchr(names, (int)rune) : NULL;
    if (bad_byte) {
        buf_printf(b, "\\x%02x", byte);
    } else if (name) {
        buf_char(b, '\\');
        buf_char(b, "abfnrtv\\\""[name - names]);
    } else if (rune_prints(rune)) {
        rune_put(b, rune);
    } else if (rune < 0x80) {
        buf_printf(b, "\\x%02x", (unsigned)rune);
    } else {
        buf_printf(b, rune < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)rune);
    }
}

struct str gofmt_quote(struct arena *a, struct str s)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, (size_t)LIMIT_VALUE_BYTES * 4 + 2);
    buf_char(&b, '"');
    while (s.n) {
        size_t len;
        uint32_t rune = rune_read(s, &len);
        bool bad = rune == 0xfffd && len == 1;
        quote_rune(&b, rune, bad, (unsigned char)s.p[0]);
        s = str_from(s, len);
    }
    buf_char(&b, '"');
    return buf_dup(a, &b);
}

/* The fewest decimal digits that read back as d (> 0, finite): d = 0.DIGITS * 10^*point. */
static size_t double_digits(double d, char digits[20], int *point)
{
    char text[40];
    for (int precision = d < 2.3e-308 ? 0 : 14; precision <= 16; precision++) { /* subnormals: few digits */
        snprintf(text, sizeof text, "%.*e", precision, d);
        if (precision == 16 || strtod(text, NULL) == d) break;
    }
    size_t n = 0;
    char *at = text;
    for (; *at && *at != 'e'; at++)
        if (*at != '.') digits[n++] = *at;
    *point = (int)strtol(at + 1, NULL, 10) + 1;
    while (n > 1 && digits[n - 1] == '0') n--;
    return n;
}

static void put_plain(struct buf *b, const char *digits, size_t n, int point)
{
    if (point <= 0) buf_str(b, STR("0"));
    for (int i = 0; i < point; i++) buf_char(b, (size_t)i < n ? digits[i] : '0');
    if ((int)n <= point) return;
    buf_char(b, '.');
    for (int i = point; i < 0; i++) buf_char(b, '0');
    for (size_t i = point > 0 ? (size_t)point : 0; i < n; i++) buf_char(b, digits[i]);
}

static void put_exponent(struct buf *b, const char *digits, size_t n, int point)
{
    buf_char(b, digits[0]);
    if (n > 1) buf_char(b, '.');
    buf_add(b, digits + 1, n - 1);
    int exponent = point - 1;
    buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

/* Exponent form outside [10^low, 10^high); never when low is INT_MIN. */
static struct str double_text(struct arena *a, double d, int low, int high)
{
    if (isnan(d)) return str_dup(a, STR("NaN"));
    if (isinf(d)) return str_dup(a, d < 0 ? STR("-Inf") : STR("+Inf"));
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 512);
    if (signbit(d)) buf_char(&b, '-');
    char digits[20] = "0";
    int point = 1;
    size_t n = d == 0 ? 1 : double_digits(fabs(d), digits, &point);
    if (d != 0 && (point - 1 < low || point - 1 >= high))
        put_exponent(&b, digits, n, point);
    else
        put_plain(&b, digits, n, point);
    return buf_dup(a, &b);
}

struct str gofmt_double(struct arena *a, double d)
{
    return double_text(a, d, -1000, 1000);
}

struct str gofmt_double_g(struct arena *a, double d)
{
    return double_text(a, d, -4, 6);
}

struct str gofmt_double_json(struct arena *a, double d)
{
    struct str s = double_text(a, d, -6, 21);
    if (s.n > 4 && s.p[s.n - 4] == 'e' && s.p[s.n - 2] == '0') { /* e-09 becomes e-9 */
        char *p = arena_alloc_bytes(a, s.n);
        memcpy(p, s.p, s.n - 2);
        p[s.n - 2] = s.p[s.n - 1];
        p[s.n - 1] = 0;
        return str_n(p, s.n - 1);
    }
    return s;
}

static int pair_order(const void *x, const void *y)
{
    const struct val_pair *const *a = x, *const *b = y;
    return str_cmp((*a)->key, (*b)->key);
}

static void put_value(struct buf *b, struct arena *a, const struct val *v, int depth);

static void put_map(struct buf *b, struct arena *a, const struct val *v, int depth)
{
    const struct val_pair **pairs = ARENA_ARRAY(a, const struct val_pair *, v->n + 1);
    for (uint32_t i = 0; i < v->n; i++) pairs[i] = &v->map[i];
    qsort(pairs, v->n, sizeof *pairs, pair_order);
    buf_str(b, STR("map["));
    for (uint32_t i = 0; i < v->n; i++) {
        if (i) buf_char(b, ' ');
        buf_str(b, pairs[i]->key);
        buf_char(b, ':');
        put_value(b, a, &pairs[i]->v, depth);
    }
    buf_char(b, ']');
}

static void put_value(struct buf *b, struct arena *a, const struct val *v, int depth)
{
    double d;
    if (depth > LIMIT_DOC_DEPTH) return;
    switch ((enum val_kind)v->kind) {
    case VAL_NULL: buf_str(b, STR("<nil>")); return;
    case VAL_BOOL: buf_str(b, v->b ? STR("true") : STR("false")); return;
    case VAL_STR: buf_str(b, v->s); return;
    case VAL_INT:
    case VAL_FLOAT: /* decoded JSON holds every number as a float64 */
        buf_str(b, str_to_double(v->s, &d) ? gofmt_double_g(a, d) : v->s);
        return;
    case VAL_MAP: put_map(b, a, v, depth + 1); return;
    case VAL_LIST:
        buf_char(b, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (i) buf_char(b, ' ');
            put_value(b, a, &v->items[i], depth + 1);
        }
        buf_char(b, ']');
        return;
    }
}

struct str gofmt_value(struct arena *a, const struct val *v)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    put_value(&b, a, v, 0);
    return buf_dup(a, &b);
}

static struct str item_text(struct arena *a, const struct val *v)
{
    return v->kind == VAL_STR ? v->s : json_text(a, v);
}

struct str gofmt_item(struct arena *a, const struct val *v)
{
    if (v->kind != VAL_LIST) return item_text(a, v);
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    buf_char(&b, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i) buf_char(&b, ' ');
        buf_str(&b, item_text(a, &v->items[i]));
    }
    buf_char(&b, ']');
    return buf_dup(a, &b);
}
