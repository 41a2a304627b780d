/* Tokens of the expression language. See expr_p.h. A lexical error becomes a token, so that it is
 * reported only when the parser gets there. */
#include "lang/expr_p.h"
#include "lang/rune.h"

struct lexer {
    struct arena *a;
    struct str text;
    size_t at, from;
    struct xtokens *out;
    bool failed;
};

static void push(struct lexer *l, enum xtoken_kind kind, struct str text)
{
    struct xtokens *v = l->out;
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 32;
        struct xtoken *items = arena_alloc_raw(l->a, cap * sizeof *items);
        if (v->n) memcpy(items, v->items, v->n * sizeof *items);
        v->items = items;
        v->cap = cap;
    }
    v->items[v->n++] = (struct xtoken){(uint8_t)kind, (uint32_t)l->from, text};
}

static void fail(struct lexer *l, const char *message)
{
    l->from = l->at ? l->at - 1 : 0;
    if (!l->failed) push(l, XT_ERROR, str_dup(l->a, str_of(message)));
    l->failed = true;
}

static struct str word(const struct lexer *l) { return str_sub(l->text, l->from, l->at - l->from); }
static char peek(const struct lexer *l) { return l->at < l->text.n ? l->text.p[l->at] : 0; }

static bool accept(struct lexer *l, const char *set)
{
    if (l->at >= l->text.n || !peek(l) || !strchr(set, peek(l))) return false;
    l->at++;
    return true;
}

static inline bool is_alnum_rune(uint32_t r)
{
    static const bool ascii[0x80] = {
        ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true, ['$'] = true,
    };
    return r < 0x80 ? ascii[r] : rune_is_letter(r) || rune_is_digit(r);
}

static inline bool at_alnum(const struct lexer *l, size_t *len)
{
    return l->at < l->text.n && is_alnum_rune(rune_read(str_from(l->text, l->at), len));
}

static void skip_alnums(struct lexer *l)
{
    for (size_t len; at_alnum(l, &len); l->at += len) {}
}

static void lex_number(struct lexer *l)
{
    const char *digits = "0123456789_";
    if (accept(l, "0")) {
        if (accept(l, "xX")) digits = "0123456789abcdefABCDEF_";
        else if (accept(l, "oO")) digits = "01234567_";
        else if (accept(l, "bB")) digits = "01_";
    }
    while (accept(l, digits)) {}
    size_t end = l->at, len;
    if (accept(l, ".")) {
        if (peek(l) == '.') { /* "1..2" is a range */
            l->at = end;
            push(l, XT_NUMBER, word(l));
            return;
        }
        while (accept(l, digits)) {}
    }
    if (accept(l, "eE")) {
        accept(l, "+-");
        while (accept(l, digits)) {}
    }
    if (at_alnum(l, &len)) {
        l->at += len;
        struct str message = str_fmt(l->a, "bad number syntax: \"%.*s\"", STR_ARG(word(l)));
        fail(l, message.p);
        return;
    }
    push(l, XT_NUMBER, word(l));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_code(struct lexer *l, int base, size_t n, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = l->at < l->text.n ? hex_digit(peek(l)) : -1;
        if (digit < 0 || digit >= base) return false;
        *out = *out * (uint32_t)base + (uint32_t)digit;
        l->at++;
    }
    return *out <= 0x10ffff;
}

static bool read_braced_code(struct lexer *l, uint32_t *out)
{
    size_t n = 0;
    l->at++;
    while (l->at + n < l->text.n && hex_digit(l->text.p[l->at + n]) >= 0) n++;
    if (!n || n > 6 || !read_code(l, 16, n, out) || peek(l) != '}') return false;
    l->at++;
    return true;
}

/* After a backslash. */
static bool read_escape(struct lexer *l, char quote, struct buf *b)
{
    static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
    if (l->at >= l->text.n) return false;
    char c = l->text.p[l->at++];
    const char *name = c ? strchr(names, c) : NULL;
    uint32_t code = 0;
    bool ok;
    if (name || c == quote) {
        buf_char(b, name ? values[name - names] : c);
        return true;
    }
    if (c >= '0' && c <= '3') {
        l->at--;
        ok = read_code(l, 8, 3, &code);
    } else if (c == 'u' && peek(l) == '{') {
        ok = read_braced_code(l, &code);
    } else {
        size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        ok = n && read_code(l, 16, n, &code);
    }
    if (ok) rune_put(b, code);
    return ok;
}

/* One without anything that stands for something else. */
static bool lex_plain_string(struct lexer *l, char quote)
{
    size_t from = l->at + 1, end = from;
    const char *p = l->text.p;
    while (end < l->text.n && p[end] != quote && p[end] != '\\' && p[end] != '\n' && p[end] != '\r') end++;
    if (end == l->text.n || p[end] != quote) return false;
    l->at = end + 1;
    push(l, XT_STRING, str_dup(l->a, str_sub(l->text, from, end - from)));
    return true;
}

static void lex_string(struct lexer *l, char quote)
{
    if (lex_plain_string(l, quote)) return;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, l->text.n + 8);
    for (l->at++;;) {
        char c = peek(l);
        if (l->at >= l->text.n || c == '\n') {
            l->at++;
            fail(l, "literal not terminated");
            return;
        }
        l->at++;
        if (c == quote) break;
        if (c == '\\') {
            if (!read_escape(l, quote, &b)) {
                fail(l, "invalid char escape");
                return;
            }
        } else if (c == '\r') { /* line ends are normalized */
            if (peek(l) != '\n') buf_char(&b, '\n');
        } else {
            buf_char(&b, c);
        }
    }
    push(l, XT_STRING, buf_dup(l->a, &b));
}

/* `raw`; two backquotes inside stand for one. */
static void lex_raw_string(struct lexer *l)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, l->text.n + 1);
    for (l->at++; l->at < l->text.n; l->at++) {
        char c = peek(l);
        if (c == '`') {
            l->at++;
            if (peek(l) != '`') {
                push(l, XT_STRING, buf_dup(l->a, &b));
                return;
            }
        }
        buf_char(&b, c);
    }
    l->at++;
    fail(l, "literal not terminated");
}

static bool is_operator(struct str w)
{
    static const struct str operators[] = {STR("in"), STR("or"), STR("and"), STR("matches"), STR("contains"), STR("startsWith"),
                                           STR("endsWith"), STR("let"), STR("if"), STR("else"), STR("not")};
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (str_eq(w, operators[i])) return true;
    return false;
}

static void lex_word(struct lexer *l)
{
    skip_alnums(l);
    push(l, is_operator(word(l)) ? XT_OP : XT_IDENT, word(l));
}

/* "#" and what follows it at once: "#acc" is a pointer and a name. */
static void lex_pointer(struct lexer *l)
{
    l->at++;
    accept(l, "#");
    push(l, XT_OP, word(l));
    l->from = l->at;
    skip_alnums(l);
    if (l->at > l->from) push(l, XT_IDENT, word(l));
}

static void lex_slash(struct lexer *l)
{
    l->at++;
    if (accept(l, "/")) {
        while (l->at < l->text.n && peek(l) != '\n') l->at++;
    } else if (accept(l, "*")) {
        ptrdiff_t end = str_find(l->text, STR("*/"), l->at);
        l->at = end < 0 ? l->text.n + 1 : (size_t)end + 2;
        if (end < 0) fail(l, "unclosed comment");
    } else {
        push(l, XT_OP, word(l));
    }
}

static void lex_other(struct lexer *l, uint32_t r, size_t len)
{
    static const char *const second[0x80] = {
        ['&'] = "&=*", ['!'] = "&=*", ['='] = "&=*", ['*'] = "&=*", ['<'] = "&=*", ['>'] = "&=*",
        ['|'] = "|", [':'] = ":", ['?'] = ".?",
        [','] = "", [';'] = "", ['%'] = "", ['+'] = "", ['-'] = "", ['^'] = "",
    };
    l->at += len;
    if (r < 0x80 && strchr("([{)]}", (char)r)) {
        push(l, XT_BRACKET, word(l));
        return;
    }
    if (r < 0x80 && second[r]) {
        accept(l, second[r]);
        push(l, XT_OP, word(l));
        return;
    }
    char text[80];
    snprintf(text, sizeof text, "unrecognized character: U+%04X '%.*s'", (unsigned)r, (int)len,
             l->text.p + l->at - len);
    l->at -= len - 1;
    fail(l, text);
}

static void lex_one(struct lexer *l)
{
    size_t len;
    uint32_t r = rune_read(str_from(l->text, l->at), &len);
    l->from = l->at;
    if (rune_is_space(r)) {
        l->at += len;
    } else if (r == '\'' || r == '"') {
        lex_string(l, (char)r);
    } else if (r == '`') {
        lex_raw_string(l);
    } else if (r >= '0' && r <= '9') {
        lex_number(l);
    } else if (r == '.') {
        char next = l->at + 1 < l->text.n ? l->text.p[l->at + 1] : 0;
        if (next >= '0' && next <= '9') {
            lex_number(l);
            return;
        }
        l->at++;
        accept(l, ".");
        push(l, XT_OP, word(l));
    } else if (r == '#') {
        lex_pointer(l);
    } else if (r == '/') {
        lex_slash(l);
    } else if (r && is_alnum_rune(r)) {
        lex_word(l);
    } else {
        lex_other(l, r, len);
    }
}

void xlex(struct arena *a, struct str text, struct xtokens *out)
{
    struct lexer l = {.a = a, .text = text, .out = out};
    *out = (struct xtokens){0};
    while (l.at < text.n && !l.failed) lex_one(&l);
    l.from = text.n ? text.n - 1 : 0;
    if (!l.failed) push(&l, XT_EOF, STR(""));
}
