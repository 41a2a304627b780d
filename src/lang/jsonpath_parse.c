/* From the text of a path to its tokens, as evilmonkeyinc/jsonpath cuts it: see jsonpath_p.h. */
#include "base/limits.h"
#include "lang/jsonpath_p.h"

enum { PARTS_MAX = 1000 };

static bool bad_token(struct xctx *x, struct str text)
{
    return xfail(x, "invalid JSONPath selector: invalid token. '%.*s' does not match any token format", STR_ARG(text));
}

/* --- into pieces --- */

struct pieces {
    struct str items[PARTS_MAX];
    size_t n;
};

static bool piece_add(struct xctx *x, struct pieces *p, struct str s)
{
    if (p->n >= PARTS_MAX) return xlimit(x, "the path has too many parts", PARTS_MAX);
    p->items[p->n++] = s;
    return true;
}

static struct str without_dot(struct str s) { return s.n && s.p[0] == '.' ? str_from(s, 1) : s; }

static size_t count_char(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

struct cutter {
    struct str text;
    size_t from, at; /* the piece so far is text[from … at] */
    int quotes, open, closed, brackets, brackets_closed;
};

static void cutter_see(struct cutter *c, char here)
{
    if (c->from == c->at) c->quotes = c->open = c->closed = 0;
    c->quotes += here == '\'';
    c->open += here == '(';
    c->closed += here == ')';
    c->brackets += here == '[';
    c->brackets_closed += here == ']';
}

/* The character at c->at is part of the piece; adds the pieces that end with it. */
static bool cut_one(struct xctx *x, struct cutter *c, struct pieces *out)
{
    char here = c->text.p[c->at];
    cutter_see(c, here);
    struct str piece = str_sub(c->text, c->from, c->at + 1 - c->from);
    bool inside = c->quotes % 2 == 1 || c->open != c->closed;
    if (str_is(piece, ".")) return true;
    if (str_is(piece, "..")) {
        c->from = c->at + 1;
        return piece_add(x, out, piece);
    }
    if (here == '[') {
        if (str_is(piece, "[") || str_is(piece, ".[") || count_char(piece, '[') > 1) return true;
        c->from = c->at;
        return piece_add(x, out, without_dot(str_sub(piece, 0, piece.n - 1)));
    }
    if (str_find_char(piece, '[', 0) >= 0) {
        if (inside || here != ']' || c->brackets != c->brackets_closed) return true;
        c->from = c->at + 1;
        return piece_add(x, out, without_dot(piece));
    }
    if (here != '.' || inside) return true;
    c->from = c->at;
    return piece_add(x, out, without_dot(str_sub(piece, 0, piece.n - 1)));
}

static bool cut(struct xctx *x, struct str text, struct pieces *out)
{
    struct cutter c = {.text = text};
    out->n = 0;
    bool starts = text.n && (text.p[0] == '$' || text.p[0] == '@');
    if (!starts || (text.n > 1 && text.p[1] != '.' && text.p[1] != '['))
        return xfail(x, "invalid JSONPath selector '%.*s' unexpected token '%.*s' at index %d", STR_ARG(text),
                     (int)MIN(text.n - MIN(text.n, (size_t)starts), (size_t)1), text.n ? text.p + starts : "", starts);
    if (!piece_add(x, out, str_sub(text, 0, 1))) return false;
    for (c.from = c.at = 1; c.at < text.n; c.at++)
        if (!cut_one(x, &c, out)) return false;
    return c.from >= text.n || piece_add(x, out, without_dot(str_from(text, c.from)));
}

/* --- brackets --- */

enum part_kind { P_NIL, P_INT, P_TEXT, P_COLON, P_COMMA };

struct part {
    uint8_t kind;
    int64_t i;
    struct str s;
};

struct bracket {
    struct xctx *x;
    struct str token; /* for messages */
    char *buffer;
    size_t n;
    struct part parts[PARTS_MAX];
    size_t n_parts;
    int open, closed;
    bool single, twice; /* in quotes */
};

static bool part_add(struct bracket *b, struct part p)
{
    if (b->n_parts >= PARTS_MAX) return xlimit(b->x, "a bracket has too many parts", PARTS_MAX);
    b->parts[b->n_parts++] = p;
    return true;
}

static struct str buffered(const struct bracket *b) { return str_n(b->buffer, b->n); }

static bool is_key(struct str s)
{
    return s.n > 1 && (s.p[0] == '\'' || s.p[0] == '"') && s.p[s.n - 1] == s.p[0];
}

static bool is_script(struct str s) { return s.n > 2 && s.p[0] == '(' && s.p[s.n - 1] == ')'; }

static bool take_text(struct bracket *b)
{
    struct part p = {P_TEXT, 0, str_dup(b->x->a, buffered(b))};
    b->n = 0;
    return part_add(b, p);
}

static bool at_quote(struct bracket *b, char quote, bool *mine, bool other)
{
    if (other || b->open != b->closed) return true;
    if (b->n > 1 && b->buffer[b->n - 2] == '\\') {
        b->buffer[--b->n - 1] = quote;
        return true;
    }
    *mine = !*mine;
    if (*mine) return b->n == 1 || bad_token(b->x, b->token);
    return is_key(buffered(b)) ? take_text(b) : bad_token(b->x, b->token);
}

static bool at_separator(struct bracket *b, char c, bool first)
{
    struct part p = {P_NIL, 0, STR_NONE};
    struct str arg = str_sub(buffered(b), 0, b->n - 1);
    if (b->single || b->twice || b->open != b->closed) return true;
    if (arg.n && str_to_i64(arg, &p.i)) {
        p.kind = P_INT;
    } else if (arg.n && c == ',') {
        p = (struct part){P_TEXT, 0, str_dup(b->x->a, arg)};
    } else if (arg.n) {
        return bad_token(b->x, b->token);
    }
    bool add = arg.n || (c == ':' && first);
    b->n = 0;
    if (add && !part_add(b, p)) return false;
    return part_add(b, (struct part){c == ':' ? P_COLON : P_COMMA, 0, STR_NONE});
}

static bool bracket_char(struct bracket *b, char c, bool first)
{
    b->buffer[b->n++] = c;
    bool quoted = b->single || b->twice;
    switch (c) {
    case ' ':
        if (!quoted && b->open == b->closed) {
            struct str s = str_trim(buffered(b));
            memmove(b->buffer, s.p, s.n);
            b->n = s.n;
        }
        return true;
    case '(': b->open += !quoted; return true;
    case ')':
        if (++b->closed != b->open) return true;
        return is_script(buffered(b)) ? take_text(b) : bad_token(b->x, buffered(b));
    case '\'': return at_quote(b, c, &b->single, b->twice);
    case '"': return at_quote(b, c, &b->twice, b->single);
    case ':':
    case ',': return at_separator(b, c, first);
    default: return true;
    }
}

/* A script (where keys are allowed also a key) or a number. */
static bool to_arg(struct bracket *b, const struct part *p, bool keys, struct jarg *out)
{
    *out = (struct jarg){.kind = JA_NIL};
    if (p->kind == P_NIL) return !keys || bad_token(b->x, b->token);
    if (p->kind == P_INT) return *out = (struct jarg){.kind = JA_INT, .i = p->i}, true;
    if (is_script(p->s)) {
        out->kind = JA_SCRIPT;
        return jscript_compile(b->x, str_sub(p->s, 1, p->s.n - 2), &out->script);
    }
    if (!keys || !is_key(p->s)) return bad_token(b->x, b->token);
    return *out = (struct jarg){.kind = JA_KEY, .s = str_sub(p->s, 1, p->s.n - 2)}, true;
}

static bool several(struct bracket *b, struct jtoken *out)
{
    struct part *args = ARENA_ARRAY(b->x->a, struct part, b->n_parts + 1);
    size_t n = 0, colons = 0, commas = 0;
    bool was_colon = false;
    for (size_t i = 0; i < b->n_parts; i++) {
        const struct part *p = &b->parts[i];
        if (p->kind == P_COLON) {
            colons++;
            if (was_colon) args[n++] = (struct part){.kind = P_NIL};
            was_colon = true;
            continue;
        }
        was_colon = false;
        if (p->kind == P_COMMA) commas++;
        else args[n++] = *p;
    }
    if ((colons && commas) || colons > 2 || (!colons && !commas)) return bad_token(b->x, b->token);
    if (commas && commas >= n) return bad_token(b->x, b->token);
    if (colons == 1 && n == 1) args[n++] = (struct part){.kind = P_NIL};
    if (colons && n < 2) return bad_token(b->x, b->token);
    *out = (struct jtoken){.kind = colons ? J_RANGE : J_UNION, .n = colons ? 3 : n};
    out->args = ARENA_ARRAY(b->x->a, struct jarg, MAX(n, (size_t)3));
    for (size_t i = 0; i < n && i < out->n; i++)
        if (!to_arg(b, &args[i], !colons, &out->args[i])) return false;
    return true;
}

static bool read_parts(struct bracket *b, struct str inside, struct jtoken *out)
{
    for (size_t i = 0; i < inside.n; i++)
        if (!bracket_char(b, inside.p[i], i == 0)) return false;
    int64_t number;
    if (b->n) {
        struct part p = {P_TEXT, 0, str_dup(b->x->a, buffered(b))};
        if (str_to_i64(p.s, &number)) p = (struct part){P_INT, number, STR_NONE};
        if (!part_add(b, p)) return false;
    }
    if (b->n_parts != 1) return several(b, out);
    const struct part *one = &b->parts[0];
    *out = (struct jtoken){.kind = one->kind == P_INT ? J_INDEX : J_KEY};
    if (one->kind == P_NIL || one->kind > P_TEXT || !to_arg(b, one, true, &out->arg)) return bad_token(b->x, b->token);
    if (out->arg.kind == JA_SCRIPT) out->kind = J_SCRIPT;
    return true;
}

static bool parse_bracket(struct xctx *x, struct str token, struct jtoken *out)
{
    struct str inside = str_trim(str_sub(token, 1, token.n - 2));
    if (!inside.n) return bad_token(x, token);
    if (str_is(inside, "*")) return *out = (struct jtoken){.kind = J_WILDCARD}, true;
    if (inside.p[0] == '?') {
        if (!str_starts(inside, STR("?(")) || inside.p[inside.n - 1] != ')') return bad_token(x, token);
        *out = (struct jtoken){.kind = J_FILTER, .arg = {.kind = JA_SCRIPT}};
        return jscript_compile(x, str_trim(str_sub(inside, 2, inside.n - 3)), &out->arg.script);
    }
    struct bracket *b = ARENA_NEW(x->a, struct bracket);
    b->x = x;
    b->token = token;
    b->buffer = arena_alloc_bytes(x->a, inside.n + 1);
    return read_parts(b, inside, out);
}

static bool parse_token(struct xctx *x, struct str token, struct jtoken *out)
{
    static const struct {
        const char *text;
        uint8_t kind;
    } fixed[] = {{"$", J_ROOT}, {"@", J_CURRENT}, {"*", J_WILDCARD}, {"..", J_RECURSIVE}, {"length", J_LENGTH}};
    token = str_trim(token);
    if (!token.n) return xfail(x, "invalid JSONPath selector: invalid token. token string is empty");
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (str_is(token, fixed[i].text)) return *out = (struct jtoken){.kind = fixed[i].kind}, true;
    if (token.p[0] != '[') return *out = (struct jtoken){.kind = J_KEY, .arg = {.kind = JA_KEY, .s = token}}, true;
    if (token.n < 2 || token.p[token.n - 1] != ']') return bad_token(x, token);
    return parse_bracket(x, token, out);
}

bool jpath_compile(struct xctx *x, struct str text, struct jpath *out)
{
    struct pieces *pieces = ARENA_NEW(x->a, struct pieces);
    if (!xcharge(x, text.n / 16 + 1) || !cut(x, text, pieces)) return false;
    *out = (struct jpath){ARENA_ARRAY(x->a, struct jtoken, pieces->n), pieces->n};
    for (size_t i = 0; i < pieces->n; i++)
        if (!parse_token(x, pieces->items[i], &out->tokens[i])) return false;
    return true;
}
