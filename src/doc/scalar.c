/* See scalar.h. The first byte decides which tests a scalar gets, as in go-yaml's resolve.go, so
 * that most text is settled by one table look-up. */
#include "doc/scalar.h"

#include <errno.h>

#include "doc/number.h"

struct word {
    const char *text;
    enum scalar_kind kind;
};

static const struct word words[] = {
    {"~", SCALAR_NULL},      {"null", SCALAR_NULL},   {"Null", SCALAR_NULL},  {"NULL", SCALAR_NULL},
    {"y", SCALAR_TRUE},      {"Y", SCALAR_TRUE},      {"yes", SCALAR_TRUE},   {"Yes", SCALAR_TRUE},
    {"YES", SCALAR_TRUE},    {"on", SCALAR_TRUE},     {"On", SCALAR_TRUE},    {"ON", SCALAR_TRUE},
    {"true", SCALAR_TRUE},   {"True", SCALAR_TRUE},   {"TRUE", SCALAR_TRUE},  {"n", SCALAR_FALSE},
    {"N", SCALAR_FALSE},     {"no", SCALAR_FALSE},    {"No", SCALAR_FALSE},   {"NO", SCALAR_FALSE},
    {"off", SCALAR_FALSE},   {"Off", SCALAR_FALSE},   {"OFF", SCALAR_FALSE},  {"false", SCALAR_FALSE},
    {"False", SCALAR_FALSE}, {"FALSE", SCALAR_FALSE}, {"<<", SCALAR_MERGE},
    {".nan", SCALAR_SPECIAL_FLOAT},  {".NaN", SCALAR_SPECIAL_FLOAT},  {".NAN", SCALAR_SPECIAL_FLOAT},
    {".inf", SCALAR_SPECIAL_FLOAT},  {".Inf", SCALAR_SPECIAL_FLOAT},  {".INF", SCALAR_SPECIAL_FLOAT},
    {"+.inf", SCALAR_SPECIAL_FLOAT}, {"+.Inf", SCALAR_SPECIAL_FLOAT}, {"+.INF", SCALAR_SPECIAL_FLOAT},
    {"-.inf", SCALAR_SPECIAL_FLOAT}, {"-.Inf", SCALAR_SPECIAL_FLOAT}, {"-.INF", SCALAR_SPECIAL_FLOAT},
};

enum { WORD_MAX = 5 }; /* longest of the words */

static enum scalar_kind word_kind(struct str s)
{
    if (s.n > WORD_MAX) return SCALAR_STR;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].text[0] == s.p[0] && str_is(s, words[i].text)) return words[i].kind;
    return SCALAR_STR;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t skip_digits(struct str s, size_t i)
{
    while (i < s.n && is_digit(s.p[i])) i++;
    return i;
}

/* ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$ */
static bool is_float(struct str s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
    size_t whole = skip_digits(s, i) - i, fraction = 0;
    i += whole;
    if (i < s.n && s.p[i] == '.') {
        fraction = skip_digits(s, i + 1) - (i + 1);
        i += 1 + fraction;
    }
    if (!whole && !fraction) return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
        size_t end = skip_digits(s, i);
        if (end == i) return false;
        i = end;
    }
    return i == s.n;
}

static int digit_value(char c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Base prefix of Go's ParseInt(s, 0): 0x, 0o, 0b, or a plain leading 0 (octal). */
static unsigned base_cut(struct str *s)
{
    if (s->n < 2 || s->p[0] != '0') return 10;
    char c = (char)(s->p[1] | 0x20);
    unsigned base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    *s = str_from(*s, base ? 2 : 1);
    return base ? base : 8;
}

/* ParseInt(s, 0, 64), then ParseUint, which takes no sign. */
static bool int_read(struct str s, bool *negative, uint64_t *out)
{
    bool sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    *negative = sign && s.p[0] == '-';
    if (sign) s = str_from(s, 1);
    unsigned base = base_cut(&s);
    if (!s.n) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)digit_value(s.p[i]);
        if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *out = v;
    uint64_t most = sign ? (uint64_t)INT64_MAX + *negative : UINT64_MAX;
    return v <= most;
}

/* Text without its underscores; `buf` serves when it is needed. */
static struct str without_underscores(struct str s, char *buf, size_t cap)
{
    if (str_find_char(s, '_', 0) < 0) return s;
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < cap; i++)
        if (s.p[i] != '_') buf[n++] = s.p[i];
    return str_n(buf, n);
}

static struct scalar float_scalar(struct arena *a, struct str s)
{
    double d;
    if (!number_read(s, &d)) return (struct scalar){.kind = SCALAR_STR}; /* out of range */
    struct scalar r = {.kind = SCALAR_FLOAT};
    if (a) r.number = number_val(a, d);
    return r;
}

static struct scalar number_scalar(struct arena *a, struct str s)
{
    enum { NUMBER_BYTES_MAX = 512 }; /* longer ones are text to any reader's eye */
    char buf[NUMBER_BYTES_MAX];
    bool negative;
    uint64_t v;
    if (s.n > NUMBER_BYTES_MAX) return (struct scalar){.kind = SCALAR_STR};
    struct str plain = without_underscores(s, buf, sizeof buf);
    if (int_read(plain, &negative, &v)) {
        struct scalar r = {.kind = SCALAR_INT};
        if (a) r.number = number_int(a, negative, v);
        return r;
    }
    if (is_float(plain)) return float_scalar(a, plain);
    return (struct scalar){.kind = SCALAR_STR};
}

struct scalar scalar_resolve(struct arena *a, struct str s)
{
    if (!s.n) return (struct scalar){.kind = SCALAR_NULL};
    switch (s.p[0]) {
    case '0' ... '9': return number_scalar(a, s);
    case '+':
    case '-':
    case '.': break;
    case 'y': case 'Y': case 'n': case 'N': case 't': case 'T':
    case 'f': case 'F': case 'o': case 'O': case '~': case '<':
        return (struct scalar){.kind = word_kind(s)};
    default: return (struct scalar){.kind = SCALAR_STR};
    }
    enum scalar_kind word = word_kind(s);
    if (word != SCALAR_STR) return (struct scalar){.kind = word};
    if (s.p[0] != '.') return number_scalar(a, s);
    return is_float(s) ? float_scalar(a, s) : (struct scalar){.kind = SCALAR_STR};
}

/* Go layouts 2006-1-2 with nothing, a T/t or a space and a digit behind. */
static bool is_timestamp(struct str s)
{
    size_t i = skip_digits(s, 0), end;
    if (i != 4) return false;
    for (int part = 0; part < 2; part++) {
        if (i >= s.n || s.p[i] != '-') return false;
        end = skip_digits(s, i + 1);
        if (end == i + 1 || end > i + 3) return false;
        i = end;
    }
    if (i == s.n) return true;
    return char_is_one_of(s.p[i], "Tt ") && i + 1 < s.n && is_digit(s.p[i + 1]);
}

/* ^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$ */
static bool is_base60(struct str s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0, groups = 0;
    if (i >= s.n || !is_digit(s.p[i])) return false;
    while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_')) i++;
    for (; i < s.n && s.p[i] == ':'; groups++) {
        size_t end = skip_digits(s, i + 1), n = end - (i + 1);
        if (n < 1 || n > 2 || (n == 2 && s.p[i + 1] > '5')) return false;
        i = end;
    }
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && (is_digit(s.p[i]) || s.p[i] == '_');) i++;
    return groups && i == s.n;
}

bool scalar_needs_quotes(struct str s)
{
    return scalar_resolve(NULL, s).kind != SCALAR_STR || is_timestamp(s) || is_base60(s);
}
