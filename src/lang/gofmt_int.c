/* fmt.Sprintf with one int, as withSequence's format needs it. See gofmt.h; the order of the
 * checks is that of Go's doPrintf, because it decides how mistakes are shown. */
#include "base/limits.h"
#include "lang/gofmt.h"
#include "lang/rune.h"

enum { WIDTH_MAX = 1000000 }; /* a larger width is no number to Go either */

struct verb {
    bool plus, minus, sharp, space, zero, wid_set, prec_set;
    int wid, prec;
    uint32_t c;
};

static void put_padded(struct buf *b, const struct verb *v, struct str text, bool zero)
{
    size_t runes = 0;
    for (size_t i = 0; i < text.n; i++) runes += (text.p[i] & 0xc0) != 0x80;
    size_t fill = v->wid_set && (size_t)v->wid > runes ? (size_t)v->wid - runes : 0;
    if (v->minus) buf_str(b, text);
    for (size_t i = 0; i < fill; i++) buf_char(b, zero && !v->minus ? '0' : ' ');
    if (!v->minus) buf_str(b, text);
}

static void put_prefix(struct buf *b, const struct verb *v, int base, bool starts_zero)
{
    if (v->sharp && base == 2) buf_str(b, STR("0b"));
    if (v->sharp && base == 8 && !starts_zero) buf_char(b, '0');
    if (v->sharp && base == 16) buf_str(b, v->c == 'X' ? STR("0X") : STR("0x"));
    if (v->c == 'O') buf_str(b, STR("0o"));
}

static void put_integer(struct buf *b, const struct verb *v, int64_t value, int base)
{
    uint64_t u = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int prec = 0;
    if (v->prec_set) {
        prec = v->prec;
        if (!prec && !u) return put_padded(b, v, STR(""), false);
    } else if (v->zero && !v->minus && v->wid_set) {
        prec = v->wid - (value < 0 || v->plus || v->space);
    }
    const char *set = v->c == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[64];
    int at = (int)sizeof digits;
    do {
        digits[--at] = set[u % (unsigned)base];
        u /= (unsigned)base;
    } while (u);
    int n = (int)sizeof digits - at;
    struct buf t CLEANUP(buf_fini);
    buf_init(&t, WIDTH_MAX + 100);
    if (value < 0) buf_char(&t, '-');
    else if (v->plus) buf_char(&t, '+');
    else if (v->space) buf_char(&t, ' ');
    put_prefix(&t, v, base, prec > n || digits[at] == '0');
    for (int i = n; i < prec; i++) buf_char(&t, '0');
    buf_add(&t, digits + at, (size_t)n);
    put_padded(b, v, buf_view(&t), false);
}

static void put_char(struct buf *b, const struct verb *v, int64_t value)
{
    uint32_t rune = value < 0 || value > 0x10ffff ? 0xfffd : (uint32_t)value;
    struct buf t CLEANUP(buf_fini);
    buf_init(&t, 100);
    bool as_name = v->c == 'U';
    if (as_name) buf_printf(&t, "U+%0*llX", v->prec_set && v->prec > 4 && v->prec < 60 ? v->prec : 4,
                            (unsigned long long)value);
    if (v->c == 'c') rune_put(&t, rune);
    if (v->c == 'q') {
        char raw[64];
        struct buf one = {0};
        buf_init(&one, sizeof raw);
        rune_put(&one, rune);
        struct arena a;
        arena_init(&a);
        struct str quoted = gofmt_quote(&a, buf_view(&one));
        if (rune == '\'') quoted = STR("\"\\'\"");
        if (rune == '"') quoted = STR("\"\"\"");
        buf_printf(&t, "'%.*s'", (int)quoted.n - 2, quoted.p + 1);
        arena_fini(&a);
        buf_fini(&one);
    }
    if (as_name && v->sharp && (uint64_t)value == rune && (rune < 0xd800 || rune > 0xdfff) && rune_prints(rune)) {
        buf_str(&t, STR(" '"));
        rune_put(&t, rune);
        buf_char(&t, '\'');
    }
    put_padded(b, v, buf_view(&t), !as_name && v->zero);
}

static void put_verb(struct buf *b, const struct verb *v, int64_t value)
{
    struct verb plain = *v;
    switch (v->c) {
    case 'v':
        plain.plus = plain.sharp = false;
        return put_integer(b, &plain, value, 10);
    case 'd': return put_integer(b, v, value, 10);
    case 'b': return put_integer(b, v, value, 2);
    case 'o':
    case 'O': return put_integer(b, v, value, 8);
    case 'x':
    case 'X': return put_integer(b, v, value, 16);
    case 'c':
    case 'q':
    case 'U': return put_char(b, v, value);
    case 'T': return put_padded(b, v, STR("int"), v->zero);
    default:
        buf_str(b, STR("%!"));
        rune_put(b, v->c);
        buf_printf(b, "(int=%lld)", (long long)value);
    }
}

struct scan {
    struct str f;
    size_t at;
    int arg; /* index of the next argument; there is one */
    bool reordered, good;
};

static bool scan_number(struct scan *s, int *out)
{
    size_t from = s->at;
    int64_t n = 0;
    while (s->at < s->f.n && s->f.p[s->at] >= '0' && s->f.p[s->at] <= '9') {
        n = n * 10 + (s->f.p[s->at++] - '0');
        if (n > WIDTH_MAX) {
            s->at = s->f.n;
            return false;
        }
    }
    *out = (int)n;
    return s->at > from;
}

/* "[1]": the argument to use. */
static void scan_index(struct scan *s)
{
    if (s->at >= s->f.n || s->f.p[s->at] != '[') return;
    s->reordered = true;
    ptrdiff_t close = str_find_char(s->f, ']', s->at);
    int64_t n;
    bool ok = close >= 0 && str_to_i64(str_sub(s->f, s->at + 1, (size_t)close - s->at - 1), &n);
    s->good = ok && n == 1;
    if (s->good) s->arg = 0;
    s->at = close >= 0 ? (size_t)close + 1 : s->at + 1;
}

static void scan_flags(struct scan *s, struct verb *v)
{
    for (; s->at < s->f.n; s->at++) {
        switch (s->f.p[s->at]) {
        case '#': v->sharp = true; break;
        case '0': v->zero = true; break;
        case '+': v->plus = true; break;
        case '-': v->minus = true; break;
        case ' ': v->space = true; break;
        default: return;
        }
    }
}

/* Width and precision; '*' takes the value itself. */
static void scan_sizes(struct scan *s, struct verb *v, struct buf *b, int64_t value)
{
    scan_index(s);
    if (s->at < s->f.n && s->f.p[s->at] == '*') {
        s->at++;
        v->wid_set = s->arg == 0 && value >= -WIDTH_MAX && value <= WIDTH_MAX;
        if (!v->wid_set) buf_str(b, STR("%!(BADWIDTH)"));
        v->wid = v->wid_set ? (int)(value < 0 ? -value : value) : 0;
        v->minus = v->minus || (v->wid_set && value < 0);
        s->arg++;
    } else {
        v->wid_set = scan_number(s, &v->wid);
    }
    if (s->at >= s->f.n || s->f.p[s->at] != '.') return;
    s->at++;
    v->prec_set = true;
    if (!scan_number(s, &v->prec)) v->prec = 0;
}

static void format_verb(struct scan *s, struct buf *b, int64_t value)
{
    struct verb v = {0};
    s->good = true;
    scan_flags(s, &v);
    scan_sizes(s, &v, b, value);
    scan_index(s);
    if (s->at >= s->f.n) {
        buf_str(b, STR("%!(NOVERB)"));
        return;
    }
    size_t len;
    v.c = rune_read(str_from(s->f, s->at), &len);
    struct str name = str_sub(s->f, s->at, len);
    s->at += len;
    if (v.c == '%') {
        buf_char(b, '%');
    } else if (!s->good) {
        buf_printf(b, "%%!%.*s(BADINDEX)", STR_ARG(name));
    } else if (s->arg > 0) {
        buf_printf(b, "%%!%.*s(MISSING)", STR_ARG(name));
    } else {
        put_verb(b, &v, value);
        s->arg++;
    }
}

struct str gofmt_int(struct arena *a, struct str format, int64_t value)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    struct scan s = {.f = format};
    while (s.at < format.n && !b.overflow) {
        if (format.p[s.at] != '%') {
            buf_char(&b, format.p[s.at++]);
            continue;
        }
        s.at++;
        format_verb(&s, &b, value);
    }
    if (!s.reordered && s.arg == 0) buf_printf(&b, "%%!(EXTRA int=%lld)", (long long)value);
    return b.overflow ? STR_NONE : buf_dup(a, &b);
}
