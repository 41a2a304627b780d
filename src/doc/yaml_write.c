/* See yaml_write.h. Styles are chosen as go-yaml v2's encoder and libyaml's emitter do: plain when it
 * reads back as the same string, double quotes when it would read as another type, single quotes when
 * only its punctuation stands in the way, | for several lines. */
#include "doc/yaml_write.h"

#include "doc/scalar.h"
#include "doc/utf8.h"

enum style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL };

enum { INDENT = 2, SIMPLE_KEY_MAX = 128 };

/* libyaml's IS_PRINTABLE as go-yaml has it: no tab, nothing beyond the basic plane. */
static bool is_printable(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    if (len == 1) return p[0] == '\n' || (p[0] >= 0x20 && p[0] <= 0x7e);
    if (len == 2) return p[0] > 0xc2 || p[1] >= 0xa0;
    if (len != 3) return false;
    bool line_break = !memcmp(s, "\xe2\x80\xa8", 3) || !memcmp(s, "\xe2\x80\xa9", 3);
    bool bom = !memcmp(s, "\xef\xbb\xbf", 3), none = p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe;
    return !line_break && !bom && !none;
}

static bool all_printable(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_next(s.p + i, s.n - i);
        if (!len || !is_printable(s.p + i, len)) return false;
        i += len;
    }
    return true;
}

static bool blank_at(struct str s, size_t i) { return i >= s.n || s.p[i] == ' ' || s.p[i] == '\n'; }

/* May it stand without quotes in block context? It is one line and printable. */
static bool plain_allowed(struct str s)
{
    if (s.p[0] == ' ' || s.p[s.n - 1] == ' ') return false;
    if (str_starts(s, STR("---")) || str_starts(s, STR("..."))) return false;
    if (strchr("#,[]{}&*!|>'\"%@`", s.p[0])) return false;
    if (strchr("?:-", s.p[0]) && blank_at(s, 1)) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ':' && blank_at(s, i + 1)) return false;
        if (s.p[i] == '#' && i && s.p[i - 1] == ' ') return false;
    }
    return true;
}

/* A literal block cannot hold trailing spaces on a line in libyaml's eyes, nor end in a space. */
static bool literal_allowed(struct str s)
{
    return str_find(s, STR(" \n"), 0) < 0 && s.p[s.n - 1] != ' ';
}

static enum style style_of(struct str s, bool key)
{
    if (!s.n || !all_printable(s)) return STYLE_DOUBLE;
    if (str_find_char(s, '\n', 0) >= 0)
        return !key && literal_allowed(s) ? STYLE_LITERAL : STYLE_DOUBLE;
    if (scalar_needs_quotes(s)) return STYLE_DOUBLE;
    return plain_allowed(s) ? STYLE_PLAIN : STYLE_SINGLE;
}

static void spaces(struct buf *b, int n)
{
    for (int i = 0; i < n; i++) buf_char(b, ' ');
}

static void single_write(struct buf *b, struct str s)
{
    buf_char(b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_char(b, '\'');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '\'');
}

static uint32_t code_point(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = p[0] & mask[len];
    for (size_t i = 1; i < len; i++) c = c << 6 | (p[i] & 0x3f);
    return c;
}

static void escape_write(struct buf *b, uint32_t c)
{
    static const char from[] = "\a\b\t\n\v\f\r\x1b\"\\", to[] = "abtnvfre\"\\";
    const char *hit = c && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (!c) buf_str(b, STR("\\0"));
    else if (hit) buf_printf(b, "\\%c", to[hit - from]);
    else if (c <= 0xff) buf_printf(b, "\\x%02X", c);
    else if (c <= 0xffff) buf_printf(b, "\\u%04X", c);
    else buf_printf(b, "\\U%08X", c);
}

static void double_write(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_next(s.p + i, s.n - i);
        bool raw = len && is_printable(s.p + i, len) && !strchr("\"\\\n", s.p[i]);
        if (raw) buf_add(b, s.p + i, len);
        else escape_write(b, len ? code_point(s.p + i, len) : 0xfffd);
        i += len ? len : 1;
    }
    buf_char(b, '"');
}

/* "|" with indentation and chomping marks, and the lines; ends without a newline of its own. */
static void literal_write(struct buf *b, struct str s, int indent)
{
    bool ends = s.p[s.n - 1] == '\n';
    bool keep = ends && (s.n == 1 || s.p[s.n - 2] == '\n');
    buf_char(b, '|');
    if (s.p[0] == ' ' || s.p[0] == '\n') buf_printf(b, "%d", INDENT);
    if (!ends) buf_char(b, '-');
    else if (keep) buf_char(b, '+');
    struct str rest = ends ? str_sub(s, 0, s.n - 1) : s, line;
    while (rest.p) {
        str_cut(rest, '\n', &line, &rest);
        buf_char(b, '\n');
        if (line.n) spaces(b, indent);
        buf_str(b, line);
    }
}

static void string_write(struct buf *b, struct str s, int indent, bool key)
{
    switch (style_of(s, key)) {
    case STYLE_PLAIN: buf_str(b, s); return;
    case STYLE_SINGLE: single_write(b, s); return;
    case STYLE_DOUBLE: double_write(b, s); return;
    case STYLE_LITERAL: literal_write(b, s, indent); return;
    }
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c & 0x80); }

/* Number that starts at s[*i] behind the digits `n`; *i is moved to its end. */
static uint64_t run_number(struct str s, size_t *i, uint64_t n)
{
    for (; *i < s.n && is_digit(s.p[*i]); (*i)++) n = n * 10 + (uint64_t)(s.p[*i] - '0');
    return n;
}

/* Is there a digit other than 0 in the run that ends before i? Then zeros are not leading ones. */
static bool inside_number(struct str s, size_t i)
{
    while (i-- > 0 && is_digit(s.p[i]))
        if (s.p[i] != '0') return true;
    return false;
}

/* go-yaml's keyList.Less: digits as numbers, letters after other signs. */
static int key_cmp(const void *x, const void *y)
{
    struct str a = ((const struct val_pair *)x)->key, b = ((const struct val_pair *)y)->key;
    size_t i = 0, n = MIN(a.n, b.n);
    while (i < n && a.p[i] == b.p[i]) i++;
    if (i == n) return (a.n > b.n) - (a.n < b.n);
    char ca = a.p[i], cb = b.p[i];
    bool la = is_letter(ca), lb = is_letter(cb), digits = i && is_digit(a.p[i - 1]);
    int bytes = (unsigned char)ca < (unsigned char)cb ? -1 : 1;
    if (la && lb) return bytes;
    if (la || lb) return (digits ? la : lb) ? -1 : 1;
    uint64_t lead = (ca == '0' || cb == '0') && inside_number(a, i);
    size_t ia = i, ib = i;
    uint64_t na = run_number(a, &ia, lead), nb = run_number(b, &ib, lead);
    if (na != nb) return na < nb ? -1 : 1;
    if (ia != ib) return ia < ib ? -1 : 1;
    return bytes;
}

struct writer {
    struct buf *b;
    bool sort_keys;
};

static void value_write(struct writer *w, const struct val *v, int indent);

static void newline(struct writer *w, int indent)
{
    buf_char(w->b, '\n');
    spaces(w->b, indent);
}

static bool is_block(const struct val *v) { return (v->kind == VAL_LIST || v->kind == VAL_MAP) && v->n; }

/* The first item continues the current line, which stands at column `indent`. */
static void list_write(struct writer *w, const struct val *v, int indent)
{
    for (uint32_t i = 0; i < v->n && !w->b->overflow; i++) {
        if (i) newline(w, indent);
        buf_str(w->b, STR("- "));
        value_write(w, &v->items[i], indent + INDENT);
    }
}

static void pair_write(struct writer *w, const struct val_pair *p, int indent)
{
    if (p->key.n > SIMPLE_KEY_MAX) { /* "? key" form: a long key cannot stand before a colon */
        buf_str(w->b, STR("? "));
        string_write(w->b, p->key, indent + INDENT, true);
        newline(w, indent);
        buf_str(w->b, STR(": "));
        value_write(w, &p->v, indent + INDENT);
        return;
    }
    string_write(w->b, p->key, indent, true);
    buf_char(w->b, ':');
    if (!is_block(&p->v)) {
        buf_char(w->b, ' ');
        value_write(w, &p->v, indent + INDENT);
        return;
    }
    int deeper = p->v.kind == VAL_LIST ? indent : indent + INDENT; /* lists stand under their key */
    newline(w, deeper);
    value_write(w, &p->v, deeper);
}

static void map_write(struct writer *w, const struct val *v, int indent)
{
    struct val_pair *sorted CLEANUP(free_ptr) = NULL;
    const struct val_pair *pairs = v->map;
    if (w->sort_keys) {
        sorted = mem_alloc(v->n * sizeof *sorted);
        memcpy(sorted, v->map, v->n * sizeof *sorted);
        qsort(sorted, v->n, sizeof *sorted, key_cmp);
        pairs = sorted;
    }
    for (uint32_t i = 0; i < v->n && !w->b->overflow; i++) {
        if (i) newline(w, indent);
        pair_write(w, &pairs[i], indent);
    }
}

static void value_write(struct writer *w, const struct val *v, int indent)
{
    switch ((enum val_kind)v->kind) {
    case VAL_NULL: buf_str(w->b, STR("null")); return;
    case VAL_BOOL: buf_str(w->b, v->b ? STR("true") : STR("false")); return;
    case VAL_INT:
    case VAL_FLOAT: buf_str(w->b, v->s); return;
    case VAL_STR: string_write(w->b, v->s, MAX(indent, INDENT), false); return;
    case VAL_LIST:
        if (v->n) list_write(w, v, indent);
        else buf_str(w->b, STR("[]"));
        return;
    case VAL_MAP:
        if (v->n) map_write(w, v, indent);
        else buf_str(w->b, STR("{}"));
        return;
    }
    IMPOSSIBLE("kind of a value");
}

void yaml_write(struct buf *b, const struct val *v, bool sort_keys)
{
    struct writer w = {.b = b, .sort_keys = sort_keys};
    value_write(&w, v, 0);
    buf_char(b, '\n');
}
