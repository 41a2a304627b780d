/* The lexer of `when`: govaluate's, character for character. See when.h.
 *
 * Quirks kept: a backslash escapes anything, also outside strings; either quote closes a string;
 * a string that reads as a date is a time; a symbol runs up to the next letter, digit, quote or
 * bracket. */
#include "base/limits.h"
#include "lang/gofmt.h"
#include "lang/rune.h"
#include "lang/when_p.h"

#define BIT(kind) (1u << (kind))
#define OPERANDS (BIT(W_NUMERIC) | BIT(W_BOOLEAN) | BIT(W_VARIABLE) | BIT(W_ACCESSOR) | BIT(W_STRING))
#define START (OPERANDS | BIT(W_PREFIX) | BIT(W_TIME) | BIT(W_CLAUSE))
#define INFIX (BIT(W_MODIFIER) | BIT(W_COMPARATOR) | BIT(W_LOGICALOP) | BIT(W_CLAUSE_CLOSE) | BIT(W_SEPARATOR))

static const struct {
    const char *name;
    uint32_t next; /* kinds that may follow */
    bool ends;     /* may be the last */
} kinds[W_KINDS] = {
    [W_UNKNOWN] = {"UNKNOWN", START, false},
    [W_PREFIX] = {"PREFIX", (OPERANDS & ~BIT(W_STRING)) | BIT(W_CLAUSE) | BIT(W_CLAUSE_CLOSE), false},
    [W_NUMERIC] = {"NUMERIC", INFIX | BIT(W_TERNARY), true},
    [W_BOOLEAN] = {"BOOLEAN", INFIX | BIT(W_TERNARY), true},
    [W_STRING] = {"STRING", INFIX | BIT(W_TERNARY), true},
    [W_TIME] = {"TIME", INFIX, true},
    [W_VARIABLE] = {"VARIABLE", INFIX | BIT(W_TERNARY), true},
    [W_ACCESSOR] = {"ACCESSOR", INFIX | BIT(W_TERNARY) | BIT(W_CLAUSE), true},
    [W_COMPARATOR] = {"COMPARATOR", START | BIT(W_CLAUSE_CLOSE), false},
    [W_LOGICALOP] = {"LOGICALOP", START | BIT(W_CLAUSE_CLOSE), false},
    [W_MODIFIER] = {"MODIFIER", OPERANDS | BIT(W_PREFIX) | BIT(W_CLAUSE) | BIT(W_CLAUSE_CLOSE), false},
    [W_CLAUSE] = {"CLAUSE", START | BIT(W_CLAUSE_CLOSE), false},
    [W_CLAUSE_CLOSE] = {"CLAUSE_CLOSE", INFIX | BIT(W_NUMERIC) | BIT(W_BOOLEAN) | BIT(W_VARIABLE) |
                        BIT(W_STRING) | BIT(W_TIME) | BIT(W_CLAUSE) | BIT(W_TERNARY), true},
    [W_TERNARY] = {"TERNARY", START | BIT(W_SEPARATOR), false},
    [W_SEPARATOR] = {"SEPARATOR", START, false},
};

/* In the order in which the kinds are tried. */
static const struct {
    const char *text;
    uint8_t kind, op;
} symbols[] = {
    {"-", W_PREFIX, OP_NEGATE}, {"!", W_PREFIX, OP_INVERT}, {"~", W_PREFIX, OP_BITNOT},
    {"+", W_MODIFIER, OP_PLUS}, {"-", W_MODIFIER, OP_MINUS}, {"*", W_MODIFIER, OP_MULTIPLY},
    {"/", W_MODIFIER, OP_DIVIDE}, {"%", W_MODIFIER, OP_MODULUS}, {"**", W_MODIFIER, OP_EXPONENT},
    {"&", W_MODIFIER, OP_BITAND}, {"|", W_MODIFIER, OP_BITOR}, {"^", W_MODIFIER, OP_BITXOR},
    {">>", W_MODIFIER, OP_RSHIFT}, {"<<", W_MODIFIER, OP_LSHIFT},
    {"&&", W_LOGICALOP, OP_AND}, {"||", W_LOGICALOP, OP_OR},
    {"==", W_COMPARATOR, OP_EQ}, {"!=", W_COMPARATOR, OP_NEQ}, {">", W_COMPARATOR, OP_GT},
    {">=", W_COMPARATOR, OP_GTE}, {"<", W_COMPARATOR, OP_LT}, {"<=", W_COMPARATOR, OP_LTE},
    {"=~", W_COMPARATOR, OP_REQ}, {"!~", W_COMPARATOR, OP_NREQ},
    {"?", W_TERNARY, OP_IF}, {":", W_TERNARY, OP_ELSE}, {"??", W_TERNARY, OP_COALESCE},
};

struct lexer {
    struct arena *a;
    struct str text;
    size_t at;
    struct err *e;
};

static bool in_number(uint32_t r) { return rune_is_digit(r) || r == '.'; }
static bool in_name(uint32_t r) { return rune_is_letter(r) || in_number(r) || r == '_'; }
static bool in_string(uint32_t r) { return r != '\'' && r != '"'; }
static bool in_brackets(uint32_t r) { return r != ']'; }
static bool in_symbol(uint32_t r)
{
    return !rune_is_digit(r) && !rune_is_letter(r) && in_string(r) && r != '(' && r != ')' &&
           r != '[' && r != ']';
}
static bool in_hex(uint32_t r)
{
    r = rune_lower(r);
    return rune_is_digit(r) || (r >= 'a' && r <= 'f');
}

/* Reads while `fits`; spaces end a token unless `spaces`. *closed = something ended it. The result
 * points into the text unless a backslash had to be taken out. */
static struct str read_run(struct lexer *l, bool (*fits)(uint32_t), bool spaces, bool *closed)
{
    size_t from = l->at;
    char *copy = NULL;
    size_t n = 0;
    *closed = false;
    while (l->at < l->text.n) {
        size_t len, here = l->at;
        uint32_t r = rune_read(str_from(l->text, here), &len);
        if (r == '\\' && here + 1 < l->text.n) {
            if (!copy) copy = memcpy(arena_alloc_bytes(l->a, l->text.n + 1), l->text.p + from, n);
            rune_read(str_from(l->text, here + 1), &len);
            memcpy(copy + n, l->text.p + here + 1, len);
            l->at += 1 + len;
            n += len;
            continue;
        }
        *closed = r != '\\' && ((!spaces && rune_is_space(r)) || !fits(r));
        if (*closed || r == '\\') break;
        if (copy) memcpy(copy + n, l->text.p + here, len);
        n += len;
        l->at += len;
    }
    return str_n(copy ? copy : l->text.p + from, n);
}

static bool lex_number(struct lexer *l, struct when_token *t)
{
    bool closed;
    t->kind = W_NUMERIC;
    if (l->at + 2 < l->text.n && l->text.p[l->at] == '0' && l->text.p[l->at + 1] == 'x') {
        l->at += 2;
        struct str hex = read_run(l, in_hex, false, &closed);
        uint64_t v = 0;
        bool ok = hex.n > 0 && hex.n <= 16;
        for (size_t i = 0; ok && i < hex.n; i++) {
            char c = hex.p[i];
            unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
            ok = digit < 16;
            v = v * 16 + digit;
        }
        if (!ok)
            return err_set(l->e, ERR_SPEC, "Unable to parse hex value '%.*s' to uint64", STR_ARG(hex));
        t->num = (double)v;
        return true;
    }
    struct str text = read_run(l, in_number, false, &closed);
    struct str body = text.n && text.p[text.n - 1] == '.' ? str_sub(text, 0, text.n - 1) : text;
    if (!str_to_double(body, &t->num))
        return err_set(l->e, ERR_SPEC, "Unable to parse numeric value '%.*s' to float64",
                       STR_ARG(text));
    return true;
}

/* "a.B" is an access to a field of a parameter; lower-case fields are refused outright. */
static bool lex_accessor(struct lexer *l, struct when_token *t)
{
    struct str rest = t->text, part;
    if (rest.p[rest.n - 1] == '.')
        return err_set(l->e, ERR_SPEC, "Hanging accessor on token '%.*s'", STR_ARG(t->text));
    t->kind = W_ACCESSOR;
    str_cut(rest, '.', &part, &rest);
    while (str_set(rest)) {
        size_t len;
        str_cut(rest, '.', &part, &rest);
        uint32_t first = part.n ? rune_read(part, &len) : 0;
        if (rune_upper(first) != first)
            return err_set(l->e, ERR_SPEC, "Unable to access unexported field '%.*s' in token '%.*s'",
                           STR_ARG(part), STR_ARG(t->text));
    }
    return true;
}

static bool lex_name(struct lexer *l, struct when_token *t)
{
    bool closed;
    t->text = read_run(l, in_name, false, &closed);
    t->kind = W_VARIABLE;
    if (str_is(t->text, "true") || str_is(t->text, "false")) {
        t->kind = W_BOOLEAN;
        t->b = t->text.p[0] == 't';
    } else if (str_is(t->text, "in") || str_is(t->text, "IN")) {
        t->kind = W_COMPARATOR;
        t->op = OP_IN;
        t->text = STR("in");
    }
    return str_find_char(t->text, '.', 1) > 0 ? lex_accessor(l, t) : true;
}

static bool read_time(struct arena *a, struct str s, struct when_token *t)
{
    static const char *const layouts[] = {
        "Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006",
        "Mon Jan 02 15:04:05 -0700 2006", "3:04PM", "2006-01-02T15:04:05Z07:00",
        "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02", "2006-01-02 15:04",
        "2006-01-02 15:04:05", "2006-01-02 15:04:05-07:00", "2006-01-02T15Z0700",
        "2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z0700",
        "2006-01-02T15:04:05.999999999Z0700",
    };
    if (s.n < 5 || s.n > 64) return false;
    struct moment m;
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        if (!timefmt_parse(str_of(layouts[i]), s, &m)) continue;
        struct moment *kept = ARENA_NEW(a, struct moment);
        *kept = m;
        t->time = kept;
        return true;
    }
    return false;
}

static bool lex_string(struct lexer *l, struct when_token *t)
{
    bool closed;
    l->at++;
    t->text = read_run(l, in_string, true, &closed);
    if (!closed) return err_set(l->e, ERR_SPEC, "Unclosed string literal");
    l->at++;
    t->kind = read_time(l->a, t->text, t) ? W_TIME : W_STRING;
    return true;
}

static bool lex_bracket(struct lexer *l, struct when_token *t)
{
    bool closed;
    l->at++;
    t->text = read_run(l, in_brackets, true, &closed);
    t->kind = W_VARIABLE;
    if (!closed) return err_set(l->e, ERR_SPEC, "Unclosed parameter bracket");
    l->at++;
    return true;
}

static bool lex_symbol(struct lexer *l, enum when_kind before, struct when_token *t)
{
    bool closed;
    t->text = read_run(l, in_symbol, false, &closed);
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        if (!str_is(t->text, symbols[i].text)) continue;
        if (symbols[i].kind == W_PREFIX && !(kinds[before].next & BIT(W_PREFIX))) continue;
        t->kind = symbols[i].kind;
        t->op = symbols[i].op;
        return true;
    }
    return err_set(l->e, ERR_SPEC, "Invalid token: '%.*s'", STR_ARG(t->text));
}

static bool lex_token(struct lexer *l, uint32_t r, enum when_kind before, struct when_token *t)
{
    if (in_number(r)) return lex_number(l, t);
    if (rune_is_letter(r)) return lex_name(l, t);
    if (!in_string(r)) return lex_string(l, t);
    if (r == '[') return lex_bracket(l, t);
    if (r != ',' && r != '(' && r != ')') return lex_symbol(l, before, t);
    t->text = str_sub(l->text, l->at++, 1);
    t->kind = r == ',' ? W_SEPARATOR : r == '(' ? W_CLAUSE : W_CLAUSE_CLOSE;
    if (r == ',') t->op = OP_SEPARATE;
    return true;
}

static void push(struct arena *a, struct when_tokens *v, const struct when_token *t)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 16;
        struct when_token *items = ARENA_ARRAY(a, struct when_token, cap);
        if (v->n) memcpy(items, v->items, v->n * sizeof *items);
        v->items = items;
        v->cap = cap;
    }
    v->items[v->n++] = *t;
}

bool when_lex(struct arena *a, struct str expr, struct when_tokens *out, struct err *e)
{
    struct lexer l = {a, expr, 0, e};
    enum when_kind before = W_UNKNOWN;
    int64_t open = 0;
    *out = (struct when_tokens){0};
    for (;;) {
        size_t len = 0;
        uint32_t r = 0;
        for (; l.at < expr.n; l.at += len)
            if (!rune_is_space(r = rune_read(str_from(expr, l.at), &len))) break;
        if (l.at >= expr.n) break;
        struct when_token t = {0};
        if (!lex_token(&l, r, before, &t)) return false;
        open += (t.kind == W_CLAUSE) - (t.kind == W_CLAUSE_CLOSE);
        before = t.kind;
        push(a, out, &t);
    }
    return open ? err_set(e, ERR_SPEC, "Unbalanced parenthesis") : true;
}

/* A token as Go's %v shows it in the message below. */
static struct str shown(struct arena *a, const struct when_token *t)
{
    switch (t ? t->kind : W_UNKNOWN) {
    case W_UNKNOWN: return STR("<nil>");
    case W_NUMERIC: return gofmt_double_g(a, t->num);
    case W_CLAUSE: return STR("40");
    case W_CLAUSE_CLOSE: return STR("41");
    case W_TIME: return timefmt_string(a, *t->time);
    case W_ACCESSOR: {
        struct str s = str_fmt(a, "[%.*s]", STR_ARG(t->text));
        for (size_t i = 0; i < s.n; i++)
            if (s.p[i] == '.') ((char *)s.p)[i] = ' ';
        return s;
    }
    default: return t->text;
    }
}

bool when_check(struct arena *a, const struct when_tokens *tokens, struct err *e)
{
    const struct when_token *last = NULL;
    for (size_t i = 0; i < tokens->n; i++) {
        const struct when_token *t = &tokens->items[i];
        enum when_kind state = last ? last->kind : W_UNKNOWN;
        bool pattern = state == W_STRING && last->b; /* no "?" after one */
        if (!(kinds[state].next & BIT(t->kind)) || (pattern && t->kind == W_TERNARY)) {
            if (state == W_VARIABLE && t->kind == W_CLAUSE)
                return err_set(e, ERR_SPEC, "Undefined function %.*s", STR_ARG(last->text));
            struct str from = shown(a, last), to = shown(a, t);
            return err_set(e, ERR_SPEC, "Cannot transition token types from %s [%.*s] to %s [%.*s]",
                           pattern ? "PATTERN" : kinds[state].name, STR_ARG(from), kinds[t->kind].name, STR_ARG(to));
        }
        last = t;
    }
    if (!last || !kinds[last->kind].ends) return err_set(e, ERR_SPEC, "Unexpected end of expression");
    return true;
}
