/* One pass over the text: strings, comments, words and brackets are all that matters. See jq_text.h. */
#include "helper/jq_text.h"

enum { DEPTH = 500 };

enum frame { BRACKET, IN_STRING /* "…\( */, IF, IF_ELSE };

struct scan {
    struct buf *out;
    struct str t;
    size_t at;
    enum frame stack[DEPTH];
    size_t n;
    bool large; /* an integer beyond 2^53 was seen */
};

static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->t.n ? s->t.p[s->at + ahead] : '\0';
}

static char before(const struct scan *s)
{
    return s->at ? s->t.p[s->at - 1] : '\0';
}

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static void take(struct scan *s, size_t n)
{
    buf_str(s->out, str_sub(s->t, s->at, n));
    s->at += n;
}

static bool push(struct scan *s, enum frame f)
{
    if (s->n == DEPTH) return false;
    s->stack[s->n++] = f;
    return true;
}

static bool top_is(const struct scan *s, enum frame f)
{
    return s->n && s->stack[s->n - 1] == f;
}

static void comment(struct scan *s)
{
    while (s->at < s->t.n && peek(s, 0) != '\n') take(s, 1);
}

/* From inside of a string to its end, or to an expression in it. */
static bool string_rest(struct scan *s)
{
    while (s->at < s->t.n) {
        char c = peek(s, 0);
        if (c == '\\' && peek(s, 1) == '(') {
            take(s, 2);
            return push(s, IN_STRING);
        }
        take(s, c == '\\' ? 2 : 1);
        if (c == '"') return true;
    }
    return false;
}

/* A name after a dot, a dollar, an at or two colons, or before a colon, is no keyword. */
static bool is_plain(const struct scan *s, size_t n)
{
    char c = before(s);
    size_t i = n;
    bool in_module = c == ':' && s->at > 1 && s->t.p[s->at - 2] == ':';
    while (peek(s, i) == ' ') i++;
    return c == '.' || c == '$' || c == '@' || in_module || peek(s, i) == ':';
}

/* No fraction and no exponent: an integer of any size for gojq, a double for libjq. */
static bool is_large(const struct scan *s, struct str w)
{
    int64_t i;
    for (size_t k = 0; k < w.n; k++)
        if (w.p[k] < '0' || w.p[k] > '9') return false;
    return peek(s, w.n) != '.' && (!str_to_i64(w, &i) || i > 1LL << 53);
}

static bool word(struct scan *s)
{
    size_t n = 0;
    while (is_word(peek(s, n))) n++;
    struct str w = str_sub(s->t, s->at, n);
    bool plain = is_plain(s, n), ok = true;
    s->large = s->large || (before(s) != '.' && is_large(s, w));
    if (!plain && str_is(w, "if")) ok = push(s, IF);
    if (!plain && str_is(w, "else") && top_is(s, IF)) s->stack[s->n - 1] = IF_ELSE;
    if (!plain && str_is(w, "end") && top_is(s, IF)) buf_str(s->out, STR("else . "));
    if (!plain && str_is(w, "end") && (top_is(s, IF) || top_is(s, IF_ELSE))) s->n--;
    take(s, n);
    return ok;
}

static bool closing(struct scan *s)
{
    bool text = top_is(s, IN_STRING) && peek(s, 0) == ')';
    if (!text && !top_is(s, BRACKET)) return false;
    s->n--;
    take(s, 1);
    return !text || string_rest(s);
}

/* False: this is no program, or one that is nested too deep. */
static bool token(struct scan *s)
{
    char c = peek(s, 0), last = before(s);
    if (c == '#') return comment(s), true;
    if (c == '"') return take(s, 1), string_rest(s);
    if (c == '(' || c == '[' || c == '{') return take(s, 1), push(s, BRACKET);
    if (c == ')' || c == ']' || c == '}') return closing(s);
    if (is_word(c)) return word(s);
    bool indexes = c == '.' && peek(s, 1) == '[' && (is_word(last) || (last && strchr("])\"?", last)));
    if (indexes) s->at++;
    else take(s, 1);
    return true;
}

bool jq_text_adapt(struct buf *out, struct str program)
{
    struct scan s = {.out = out, .t = program};
    while (s.at < program.n && token(&s)) continue;
    buf_str(out, str_from(program, s.at));
    return !s.large;
}
