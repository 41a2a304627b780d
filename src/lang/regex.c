/* See regex.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lang/regex.h"

#include <pcre2.h>

enum {
    MATCH_LIMIT = 1000000,  /* steps of one search */
    DEPTH_LIMIT = 100000,
    HEAP_LIMIT_KIB = 20480,
    REPEAT_MAX = 1000,      /* as RE2 */
    GROUP_DEPTH = 250,
};

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

struct check {
    struct str re;
    size_t at;
    struct err *e;
    size_t item;      /* where the item begins that a repeat would be of */
    bool is_anchor;   /* it matches a place: PCRE2 repeats those only inside of a group */
    struct buf fixed; /* the pattern with such groups, up to `copied` of re */
    size_t copied;
};

static bool refuse(struct check *c, const char *why, struct str what)
{
    return err_set(c->e, ERR_SPEC, "error parsing regexp: %s: `%.*s`", why, STR_ARG(what));
}

static char char_at(const struct check *c, size_t at) { return at < c->re.n ? c->re.p[at] : 0; }

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); }

/* At "\x41" or "\x{10ffff}". */
static bool check_hex(struct check *c)
{
    size_t at = c->at + 2, digits = 0;
    bool braces = char_at(c, at) == '{';
    for (at += braces; is_hex(char_at(c, at + digits)); digits++) {}
    bool fine = braces ? digits > 0 && digits <= 8 && char_at(c, at + digits) == '}' : digits >= 2;
    if (!fine) return refuse(c, "invalid escape sequence", str_sub(c->re, c->at, 3));
    c->at = braces ? at + digits + 1 : at + 2;
    return true;
}

/* At a backslash; steps past the escape. */
static bool check_escape(struct check *c, bool in_class)
{
    char next = char_at(c, c->at + 1);
    if (c->at + 1 >= c->re.n)
        return refuse(c, "trailing backslash at end of expression", STR(""));
    const char *known = in_class ? "afnrtvdDsSwWpPx0" : "afnrtvdDsSwWpPx0AbBzQ";
    bool octal = next >= '1' && next <= '7' && char_at(c, c->at + 2) >= '0' &&
                 char_at(c, c->at + 2) <= '7';
    if ((unsigned char)next >= 0x80 || (is_alnum(next) && !octal && !strchr(known, next)))
        return refuse(c, "invalid escape sequence", str_sub(c->re, c->at, 2));
    if (next == 'x') return check_hex(c);
    if (next == 'Q') {
        ptrdiff_t end = str_find(c->re, STR("\\E"), c->at);
        c->at = end < 0 ? c->re.n : (size_t)end + 2;
        return true;
    }
    c->at += 2;
    return true;
}

static bool is_posix_class(struct str name)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower",
                                        "print", "punct", "space", "upper", "word", "xdigit"};
    if (name.n && name.p[0] == '^') name = str_from(name, 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static bool check_class(struct check *c)
{
    size_t from = c->at++;
    if (char_at(c, c->at) == '^') c->at++;
    if (char_at(c, c->at) == ']') c->at++;
    while (c->at < c->re.n && c->re.p[c->at] != ']') {
        if (c->re.p[c->at] == '\\') {
            if (!check_escape(c, true)) return false;
        } else if (c->re.p[c->at] == '[' && char_at(c, c->at + 1) == ':') {
            ptrdiff_t end = str_find(c->re, STR(":]"), c->at + 2);
            struct str name = end < 0 ? STR_NONE : str_sub(c->re, c->at, (size_t)end + 2 - c->at);
            if (end >= 0 && !is_posix_class(str_sub(name, 2, name.n - 4)))
                return refuse(c, "invalid character class range", name);
            c->at = end < 0 ? c->at + 1 : (size_t)end + 2;
        } else {
            c->at++;
        }
    }
    if (c->at >= c->re.n) return refuse(c, "missing closing ]", str_from(c->re, from));
    c->at++;
    return true;
}

/* After "(": a plain group, (?flags), (?flags:, (?P<name> or (?<name>. */
static bool check_group(struct check *c)
{
    size_t from = c->at++;
    if (char_at(c, c->at) == '*')
        return refuse(c, "missing argument to repetition operator", STR("*"));
    if (char_at(c, c->at) != '?') return true;
    c->at++;
    char kind = char_at(c, c->at), after = char_at(c, c->at + 1);
    bool named = (kind == 'P' && after == '<') || (kind == '<' && after != '=' && after != '!');
    if (named) {
        ptrdiff_t end = str_find_char(c->re, '>', c->at);
        if (end < 0) return refuse(c, "invalid named capture", str_from(c->re, from));
        c->at = (size_t)end + 1;
        return true;
    }
    while (c->at < c->re.n && strchr("imsU-", c->re.p[c->at])) c->at++;
    char end = char_at(c, c->at);
    if (end == ':' || end == ')') {
        c->at += end == ':';
        return true;
    }
    return refuse(c, "invalid or unsupported Perl syntax", str_sub(c->re, from, c->at + 1 - from));
}

/* "{2,5}" as a repeat; false when it is only text. */
static bool read_repeat(const struct check *c, size_t *end, int64_t *most)
{
    size_t at = c->at + 1;
    int64_t bound[2] = {-1, -1};
    for (int i = 0; i < 2; i++) {
        size_t from = at;
        while (char_at(c, at) >= '0' && char_at(c, at) <= '9') at++;
        if (at > from && !str_to_i64(str_sub(c->re, from, at - from), &bound[i]))
            bound[i] = INT64_MAX;
        if (char_at(c, at) != ',' || i) break;
        at++;
    }
    if (bound[0] < 0 || char_at(c, at) != '}') return false;
    *end = at + 1;
    *most = MAX(bound[0], bound[1]);
    return true;
}

/* What stands before a repeat: nothing to repeat, something, or another repeat. RE2 has no
 * possessive ones. */
enum before { BEFORE_NOTHING, BEFORE_ITEM, BEFORE_REPEAT };

static bool check_repeat(struct check *c, enum before *before)
{
    size_t from = c->at, end = c->at + 1;
    int64_t most = 0;
    if (c->re.p[c->at] == '{' && !read_repeat(c, &end, &most)) {
        c->at++;
        *before = BEFORE_ITEM;
        return true;
    }
    struct str op = str_sub(c->re, from, end - from);
    if (*before == BEFORE_NOTHING) return refuse(c, "missing argument to repetition operator", op);
    if (*before == BEFORE_REPEAT)
        return refuse(c, "invalid nested repetition operator", str_sub(c->re, from - 1, op.n + 1));
    if (most > REPEAT_MAX) return refuse(c, "invalid repeat count", op);
    if (c->is_anchor) {
        buf_str(&c->fixed, str_sub(c->re, c->copied, c->item - c->copied));
        buf_printf(&c->fixed, "(?:%.*s)", (int)(from - c->item), c->re.p + c->item);
        c->copied = from;
    }
    c->at = end;
    if (char_at(c, c->at) == '?') c->at++;
    *before = BEFORE_REPEAT;
    return true;
}

static bool check_item(struct check *c, int *open)
{
    switch (c->re.p[c->at]) {
    case '\\': return check_escape(c, false);
    case '[': return check_class(c);
    case '(': {
        size_t from = c->at;
        if (!check_group(c)) return false;
        bool flags = c->at > from + 1 && c->re.p[c->at - 1] != ':' && c->re.p[c->at - 1] != '>';
        if (flags && c->re.p[c->at] == ')') c->at++; /* "(?i)" opens nothing */
        else ++*open;
        return true;
    }
    case ')':
        if (--*open < 0) return refuse(c, "unexpected )", c->re);
        c->at++;
        return true;
    default: c->at++; return true;
    }
}

static bool at_anchor(const struct check *c)
{
    char here = c->re.p[c->at], next = char_at(c, c->at + 1);
    return here == '^' || here == '$' || (here == '\\' && next && strchr("bBAz", next));
}

static bool check_syntax(struct check *c)
{
    struct str re = c->re;
    enum before before = BEFORE_NOTHING;
    int open = 0;
    while (c->at < re.n) {
        char here = re.p[c->at];
        if (here && strchr("*+?{", here)) {
            if (!check_repeat(c, &before)) return false;
            continue;
        }
        before = here == '(' || here == '|' ? BEFORE_NOTHING : BEFORE_ITEM;
        c->item = c->at;
        c->is_anchor = at_anchor(c);
        if (!check_item(c, &open)) return false;
    }
    if (open) return refuse(c, "missing closing )", re);
    buf_str(&c->fixed, str_from(re, c->copied));
    return true;
}

static bool compile(struct regex *r, struct str pattern, struct err *e)
{
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);
    ASSERT(ctx);
    pcre2_set_parens_nest_limit(ctx, GROUP_DEPTH);
    uint32_t opts = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                    PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES;
    r->code = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n, opts, &code, &at,
                            ctx);
    pcre2_compile_context_free(ctx);
    if (r->code) return true;
    PCRE2_UCHAR text[200];
    pcre2_get_error_message(code, text, sizeof text);
    return err_set(e, ERR_SPEC, "error parsing regexp: %s: `%.*s`", (char *)text, STR_ARG(pattern));
}

struct regex *regex_new(struct str pattern, struct err *e)
{
    struct check c = {.re = pattern, .e = e};
    buf_init(&c.fixed, pattern.n * 6 + 1);
    struct regex *r = check_syntax(&c) ? mem_zalloc(sizeof *r) : NULL;
    if (r && !compile(r, buf_view(&c.fixed), e)) {
        free(r);
        r = NULL;
    }
    buf_fini(&c.fixed);
    if (!r) return NULL;
    r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->limits = pcre2_match_context_create(NULL);
    ASSERT(r->data && r->limits);
    pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
    return r;
}

void regex_free(struct regex *r)
{
    if (!r) return;
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    free(r);
}

void regex_clear(struct regex **r) { regex_free(*r); }

bool regex_search(struct regex *r, struct str text, size_t from, struct regex_hit *hit,
                  struct err *e)
{
    *hit = (struct regex_hit){0};
    if (from > text.n) return true;
    int n = pcre2_match(r->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, from, 0, r->data,
                        r->limits);
    if (n == PCRE2_ERROR_NOMATCH) return true;
    if (n < 0) return err_set(e, ERR_LIMIT, "the regular expression needs too many steps");
    hit->found = true;
    hit->at = pcre2_get_ovector_pointer(r->data);
    hit->groups = pcre2_get_ovector_count(r->data);
    hit->from = hit->at[0];
    hit->to = hit->at[1];
    return true;
}

int regex_group(const struct regex *r, struct str name)
{
    char z[64];
    if (name.n >= sizeof z) return -1;
    if (name.n) memcpy(z, name.p, name.n);
    z[name.n] = 0;
    int i = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)z);
    return i < 0 ? -1 : i;
}

bool regex_match(struct str pattern, struct str text, bool *out, struct err *e)
{
    struct regex *r CLEANUP(regex_clear) = regex_new(pattern, e);
    struct regex_hit hit;
    if (!r || !regex_search(r, text, 0, &hit, e)) return false;
    *out = hit.found;
    return true;
}
