/* Parser of kubectl's JSONPath templates: see kubectl_p.h. Follows client-go's
 * util/jsonpath/parser.go, whose ways with quotes and brackets are part of the language. */
#include "lang/kubectl_p.h"

#include "base/limits.h"
#include "lang/rune.h"

enum { PARTS_MAX = 1000, UNTIL_END = UINT32_MAX };

struct parser {
    struct kubectl *k;
    struct str text;
    size_t at, from; /* where it reads; where what was not yet taken begins */
};

static bool fail(struct parser *p, const char *message) { return xfail(p->k->x, "%s", message); }

static bool add_node(struct kubectl *k, struct knode *list, struct knode node)
{
    if (list->n >= PARTS_MAX) return xfail(k->x, "more than %d parts in one action", PARTS_MAX);
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 4;
        struct knode *kids = ARENA_ARRAY(k->x->a, struct knode, cap);
        if (list->n) memcpy(kids, list->kids, list->n * sizeof *kids);
        list->kids = kids;
        list->cap = cap;
    }
    list->kids[list->n++] = node;
    return xcharge(k->x, 1);
}

static struct str take(struct parser *p)
{
    struct str s = str_sub(p->text, p->from, p->at - p->from);
    p->from = p->at;
    return s;
}

/* The next character, or UNTIL_END; *len 0 then. */
static uint32_t peek(const struct parser *p, size_t *len)
{
    *len = 0;
    return p->at < p->text.n ? rune_read(str_from(p->text, p->at), len) : UNTIL_END;
}

static uint32_t next(struct parser *p)
{
    size_t len;
    uint32_t r = peek(p, &len);
    p->at += len;
    return r;
}

static bool is_word(uint32_t r) { return r != UNTIL_END && (r == '_' || rune_is_letter(r) || rune_is_digit(r)); }

static bool ends_name(uint32_t r)
{
    return r == UNTIL_END || (r && r < 0x80 && strchr(" \t\r\n.,[]$@{}", (int)r));
}

static bool starts(const struct parser *p, const char *what)
{
    return str_starts(str_from(p->text, p->at), str_of(what));
}

/* "{text}" as one list. */
static bool parse_action(struct kubectl *k, struct str text, struct knode *out)
{
    struct knode root = {.kind = K_LIST};
    if (++k->depth > LIMIT_EXPR_DEPTH / 4) return xfail(k->x, "the template is nested too deep");
    bool ok = kpath_parse(k, str_fmt(k->x->a, "{%.*s}", STR_ARG(text)), &root);
    k->depth--;
    if (ok) *out = root.kids[0];
    return ok;
}

/* --- pieces of an action --- */

static bool parse_field(struct parser *p, struct knode *list)
{
    take(p);
    for (size_t len;;) {
        uint32_t r = peek(p, &len);
        if (ends_name(r)) break;
        p->at += len;
        if (r == '\\') next(p);
    }
    struct str raw = take(p);
    if (str_is(raw, "*")) return add_node(p->k, list, (struct knode){.kind = K_WILDCARD});
    char *z = arena_alloc_bytes(p->k->x->a, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] != '\\') z[n++] = raw.p[i];
    return add_node(p->k, list, (struct knode){.kind = K_FIELD, .s = str_n(z, n)});
}

static bool parse_recursive(struct parser *p, struct knode *list)
{
    size_t len;
    if (list->n && list->kids[list->n - 1].kind == K_RECURSIVE) return fail(p, "invalid multiple recursive descent");
    p->at += 2;
    take(p);
    if (!add_node(p->k, list, (struct knode){.kind = K_RECURSIVE})) return false;
    return !is_word(peek(p, &len)) || parse_field(p, list);
}

static bool parse_number(struct parser *p, struct knode *list)
{
    size_t len;
    if (starts(p, "+") || starts(p, "-")) p->at++;
    for (uint32_t r; (r = peek(p, &len)) == '.' || (r != UNTIL_END && rune_is_digit(r));) p->at += len;
    struct str s = take(p);
    struct knode node = {.kind = K_VALUE};
    int64_t i;
    double d;
    if (str_to_i64(s, &i)) node.v = xv_int(i);
    else if (xv_parse_float(s, &d)) node.v = xv_float(d);
    else return xfail(p->k->x, "cannot parse number %.*s", STR_ARG(s));
    return add_node(p->k, list, node);
}

static bool parse_word(struct parser *p, struct knode *list)
{
    for (size_t len; !ends_name(peek(p, &len));) p->at += len;
    struct str s = take(p);
    struct knode node = {.kind = K_WORD, .s = s};
    bool yes = str_is(s, "true");
    if (yes || str_is(s, "false")) node = (struct knode){.kind = K_VALUE, .v = xv_bool(yes)};
    return add_node(p->k, list, node);
}

static bool parse_quote(struct parser *p, char quote, struct knode *list)
{
    for (;;) {
        uint32_t r = next(p);
        if (r == UNTIL_END || r == '\n') return fail(p, "unterminated quoted string");
        if (r == (unsigned char)quote && p->text.p[p->at - 2] != '\\') break;
    }
    struct str raw = take(p), s;
    if (!kubectl_unquote(p->k->x->a, raw, &s)) return xfail(p->k->x, "unquote string %.*s error invalid syntax", STR_ARG(raw));
    return add_node(p->k, list, (struct knode){.kind = K_VALUE, .v = xv_str(s)});
}

/* --- brackets --- */

static bool parse_union(struct parser *p, struct str text, struct knode *list)
{
    struct knode all = {.kind = K_UNION};
    for (struct str part; str_set(text);) {
        str_cut(text, ',', &part, &text);
        while (part.n && part.p[0] == ' ') part = str_from(part, 1);
        while (part.n && part.p[part.n - 1] == ' ') part.n--;
        struct knode one;
        if (!parse_action(p->k, str_fmt(p->k->x->a, "[%.*s]", STR_ARG(part)), &one) || !add_node(p->k, &all, one))
            return false;
    }
    return add_node(p->k, list, all);
}

/* "a:b:c" of optional numbers; false when the text has another form. */
static bool read_slice(struct str text, struct knode *out, bool *number)
{
    *number = true;
    for (int i = 0; i < 3 && str_set(text); i++) {
        struct str part;
        str_cut(text, ':', &part, &text);
        for (size_t c = part.n && part.p[0] == '-'; c < part.n; c++)
            if (part.p[c] < '0' || part.p[c] > '9') return false;
        if (!part.n) {
            out->given |= i == 1 ? 8u : 0; /* ":" was there: no derived end */
            continue;
        }
        out->given |= 1u << i | (i == 1 ? 8u : 0);
        *number = *number && str_to_i64(part, &out->bound[i]);
    }
    return !str_set(text);
}

static bool parse_array(struct parser *p, struct knode *list)
{
    for (uint32_t r; (r = next(p)) != ']';)
        if (r == UNTIL_END || r == '\n') return fail(p, "unterminated array");
    struct str text = take(p);
    text = str_sub(text, 1, text.n - 2);
    if (str_is(text, "*")) text = STR(":");
    if (str_find_char(text, ',', 0) >= 0) return parse_union(p, text, list);
    bool key = text.n >= 2 && text.p[0] == '\'' && str_find_char(text, '\'', 1) == (ptrdiff_t)text.n - 1;
    if (key) {
        struct knode one;
        if (!parse_action(p->k, str_fmt(p->k->x->a, ".%.*s", (int)text.n - 2, text.p + 1), &one)) return false;
        for (uint32_t i = 0; i < one.n; i++)
            if (!add_node(p->k, list, one.kids[i])) return false;
        return true;
    }
    struct knode node = {.kind = K_ARRAY};
    bool number;
    if (!read_slice(text, &node, &number)) return xfail(p->k->x, "invalid array index %.*s", STR_ARG(text));
    if (!number) return xfail(p->k->x, "array index %.*s is not a number", STR_ARG(text));
    return add_node(p->k, list, node);
}

/* "left op right" at the first of !<>=; the operator takes as many of them as leave something right of it. */
static bool parse_filter_text(struct parser *p, struct str text, struct knode *list)
{
    struct knode node = {.kind = K_FILTER, .s = STR("exists"), .kids = ARENA_ARRAY(p->k->x->a, struct knode, 2), .n = 2};
    size_t op = 0, end;
    while (op < text.n && !strchr("!<>=", text.p[op])) op++;
    for (end = op; end < text.n && text.p[end] && strchr("!<>=", text.p[end]);) end++;
    if (end == text.n && end > op + 1) end--;
    bool compares = op && end > op && end < text.n;
    if (compares) node.s = str_sub(text, op, end - op);
    if (!parse_action(p->k, compares ? str_sub(text, 0, op) : text, &node.kids[0])) return false;
    if (compares && !parse_action(p->k, str_from(text, end), &node.kids[1])) return false;
    return add_node(p->k, list, node);
}

static bool parse_filter(struct parser *p, struct knode *list)
{
    bool begin = false, end = false;
    uint32_t pair = 0;
    p->at += 3;
    take(p);
    for (uint32_t r; (r = next(p)) != ')' || begin != end;) {
        if (r == UNTIL_END || r == '\n') return fail(p, "unterminated filter");
        if (r != '"' && r != '\'') continue;
        if (!begin) {
            begin = true;
            pair = r;
        } else if (p->text.p[p->at - 2] != '\\' && r == pair) {
            end = true;
        }
    }
    if (next(p) != ']') return fail(p, "unclosed array expect ]");
    struct str text = take(p);
    return parse_filter_text(p, str_sub(text, 0, text.n - 2), list);
}

/* --- */

static bool parse_piece(struct parser *p, struct knode *list)
{
    size_t len;
    if (starts(p, "[?(")) return parse_filter(p, list);
    if (starts(p, "..")) return parse_recursive(p, list);
    uint32_t r = peek(p, &len);
    if (r == '+' || r == '-' || (r != UNTIL_END && rune_is_digit(r))) return parse_number(p, list);
    if (is_word(r)) return parse_word(p, list);
    p->at += len;
    switch (r) {
    case UNTIL_END:
    case '\n':
    case '\r': return fail(p, "unclosed action");
    case ' ':
    case '@':
    case '$': take(p); return true;
    case '[': return parse_array(p, list);
    case '"':
    case '\'': return parse_quote(p, (char)r, list);
    case '.': return parse_field(p, list);
    default: return xfail(p->k->x, "unrecognized character in action: U+%04X", (unsigned)r);
    }
}

bool kpath_parse(struct kubectl *k, struct str text, struct knode *root)
{
    struct parser p = {.k = k, .text = text};
    while (p.at < text.n) {
        ptrdiff_t open = str_find_char(text, '{', p.at);
        p.at = open < 0 ? text.n : (size_t)open;
        struct str literal = take(&p);
        if (literal.n && !add_node(k, root, (struct knode){.kind = K_VALUE, .v = xv_str(literal)})) return false;
        if (open < 0) return true;
        struct knode list = {.kind = K_LIST};
        p.at++;
        take(&p);
        while (!starts(&p, "}"))
            if (!parse_piece(&p, &list)) return false;
        p.at++;
        take(&p);
        if (!add_node(k, root, list)) return false;
    }
    return true;
}
