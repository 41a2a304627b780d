/* See json.h. Recursive descent over the text in one pass; children wait on the tree stack. */
#include "doc/json.h"

#include <stdarg.h>

#include "base/limits.h"
#include "doc/number.h"
#include "doc/tree.h"
#include "doc/utf8.h"

struct reader {
    const char *p, *end;
    const char *line_start;
    uint32_t line;
    unsigned depth;
    size_t nodes;
    struct json_opts opts;
    struct tree tree;
    struct err *e;
};

static bool value_read(struct reader *r, struct val *out);

PRINTF_LIKE(4, 5)
static bool fail(struct reader *r, const char *at, enum err_code code, const char *fmt, ...)
{
    struct doc_error d = {.file = r->opts.file, .line = r->line,
                          .col = (uint32_t)(at - r->line_start) + 1};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d.text, sizeof d.text, fmt, ap);
    va_end(ap);
    return doc_error_raise(&d, r->opts.where, code, r->e);
}

/* What stands at the reading position, for messages. */
static bool fail_here(struct reader *r, const char *wanted)
{
    if (r->p == r->end) return fail(r, r->p, ERR_SPEC, "expected %s, the text ends here", wanted);
    unsigned char c = (unsigned char)*r->p;
    if (!c) return fail(r, r->p, ERR_SPEC, "NUL byte in JSON text");
    if (c < 0x20 || c >= 0x7f)
        return fail(r, r->p, ERR_SPEC, "expected %s, not byte 0x%02x", wanted, c);
    return fail(r, r->p, ERR_SPEC, "expected %s, not '%c'", wanted, c);
}

static void skip_space(struct reader *r)
{
    for (; r->p < r->end; r->p++) {
        char c = *r->p;
        if (c == '\n') {
            r->line++;
            r->line_start = r->p + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static bool hex4(const char *p, const char *end, uint32_t *out)
{
    if (end - p < 4) return false;
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        int d = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (d < 0) return false;
        *out = *out << 4 | (uint32_t)d;
    }
    return true;
}

/* \uXXXX, with its pair when it is a high surrogate; r->p stands behind the 'u'. */
static bool unicode_escape(struct reader *r, char **to)
{
    uint32_t c, low;
    if (!hex4(r->p, r->end, &c)) return fail(r, r->p, ERR_SPEC, "bad \\u escape: four hex digits must follow");
    r->p += 4;
    if (c >= 0xd800 && c < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' &&
        hex4(r->p + 2, r->end, &low) && low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        r->p += 6;
    }
    if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
    *to += utf8_put(*to, c);
    return true;
}

static bool escape_read(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (++r->p == r->end) return fail(r, r->p, ERR_SPEC, "string is not closed");
    char c = *r->p++;
    if (c == 'u') return unicode_escape(r, to);
    const char *hit = c ? strchr(from, c) : NULL;
    if (!hit) return fail(r, r->p - 1, ERR_SPEC, "unknown escape in a string");
    *(*to)++ = into[hit - from];
    return true;
}

static bool string_char_bad(struct reader *r)
{
    unsigned char c = (unsigned char)*r->p;
    if (!c) return fail(r, r->p, ERR_SPEC, "NUL byte in JSON text");
    if (c == '\n') return fail(r, r->p, ERR_SPEC, "string is not closed at the end of the line");
    if (c < 0x20) return fail(r, r->p, ERR_SPEC, "control character 0x%02x in a string must be escaped", c);
    return fail(r, r->p, ERR_SPEC, "text is not valid UTF-8 (byte 0x%02x)", c);
}

/* First byte from p on that is not plain string content. */
static const char *plain_end(const char *p, const char *end)
{
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == '"' || c == '\\') break;
        size_t len = c < 0x80 ? 1 : utf8_next(p, (size_t)(end - p));
        if (!len) break;
        p += len;
    }
    return p;
}

/* The rest of a string that has an escape at r->p; what was read so far is `head`. Escapes only
 * shrink, so the room up to the closing quote is enough. */
static bool string_escaped(struct reader *r, struct str head, struct str *out)
{
    const char *q = r->p;
    while (q < r->end && *q != '"') q += *q == '\\' && q + 1 < r->end ? 2 : 1;
    char *start = arena_alloc_bytes(r->tree.a, head.n + (size_t)(q - r->p) + 1), *to = start;
    if (head.n) memcpy(to, head.p, head.n);
    to += head.n;
    while (r->p < r->end && *r->p != '"') {
        const char *stop = plain_end(r->p, r->end);
        size_t n = (size_t)(stop - r->p);
        memcpy(to, r->p, n);
        to += n;
        r->p = stop;
        if (stop == r->end || *stop == '"') break;
        if (*stop != '\\') return string_char_bad(r);
        if (!escape_read(r, &to)) return false;
    }
    *to = 0;
    *out = str_n(start, (size_t)(to - start));
    return true;
}

/* r->p stands on the opening quote. */
static bool string_read(struct reader *r, struct str *out)
{
    const char *open = r->p++, *stop = plain_end(r->p, r->end);
    struct str head = str_n(r->p, (size_t)(stop - r->p));
    r->p = stop;
    if (stop < r->end && *stop == '\\') {
        if (!string_escaped(r, head, out)) return false;
    } else {
        *out = str_dup(r->tree.a, head);
    }
    if (r->p == r->end) return fail(r, open, ERR_SPEC, "string is not closed");
    if (*r->p != '"') return string_char_bad(r);
    r->p++;
    return true;
}

static size_t digits_skip(struct reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
    return (size_t)(r->p - from);
}

/* Checks the grammar; r->p ends behind the number. */
static bool number_scan(struct reader *r, bool *whole)
{
    if (*r->p == '-') r->p++;
    const char *first = r->p;
    if (!digits_skip(r)) return fail_here(r, "a digit");
    if (*first == '0' && r->p - first > 1)
        return fail(r, first, ERR_SPEC, "a number must not start with 0");
    *whole = true;
    if (r->p < r->end && *r->p == '.') {
        *whole = false;
        r->p++;
        if (!digits_skip(r)) return fail_here(r, "a digit");
    }
    if (r->p < r->end && (*r->p | 0x20) == 'e') {
        *whole = false;
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
        if (!digits_skip(r)) return fail_here(r, "a digit");
    }
    return true;
}

/* Whole numbers of up to 64 bits stand for themselves. */
static bool is_exact(struct str s)
{
    enum { SURE_DIGITS = 18 };
    static const char most[] = "18446744073709551615", least[] = "9223372036854775808";
    bool negative = s.p[0] == '-';
    struct str d = str_from(s, negative);
    struct str limit = negative ? str_of(least) : str_of(most);
    if (d.n <= SURE_DIGITS) return !(negative && d.p[0] == '0');
    return d.n < limit.n || (d.n == limit.n && memcmp(d.p, limit.p, d.n) <= 0);
}

static bool number_value(struct reader *r, struct val *out)
{
    const char *from = r->p;
    bool whole;
    double d;
    if (!number_scan(r, &whole)) return false;
    struct str text = str_n(from, (size_t)(r->p - from));
    if (r->opts.raw_numbers || (whole && is_exact(text))) {
        out->kind = whole ? VAL_INT : VAL_FLOAT;
        out->s = str_dup(r->tree.a, text);
        return true;
    }
    if (!number_read(text, &d)) return fail(r, from, ERR_SPEC, "number is out of range");
    struct val v = number_val(r->tree.a, d);
    out->kind = v.kind;
    out->s = v.s;
    return true;
}

static bool literal_read(struct reader *r, struct str word)
{
    struct str rest = str_n(r->p, (size_t)(r->end - r->p));
    if (!str_starts(rest, word)) return fail_here(r, "a value");
    r->p += word.n;
    return true;
}

static bool enter(struct reader *r)
{
    if (++r->depth <= LIMIT_DOC_DEPTH) return true;
    return fail(r, r->p, ERR_LIMIT, "exceeded max depth of %d (LIMIT_DOC_DEPTH)", LIMIT_DOC_DEPTH);
}

static bool list_read(struct reader *r, struct val *out)
{
    size_t base = r->tree.n;
    if (!enter(r)) return false;
    r->p++;
    skip_space(r);
    while (r->p < r->end && *r->p != ']') {
        struct val v;
        if (!value_read(r, &v)) return false;
        tree_push(&r->tree)->v = v;
        skip_space(r);
        if (r->p < r->end && *r->p == ']') break;
        if (r->p == r->end || *r->p != ',') return fail_here(r, "',' or ']' after a list item");
        r->p++;
        skip_space(r);
        if (r->p < r->end && *r->p == ']') return fail_here(r, "a list item after ','");
    }
    if (r->p == r->end) return fail_here(r, "']'");
    r->p++;
    r->depth--;
    tree_list(&r->tree, base, out);
    return true;
}

static bool member_read(struct reader *r)
{
    struct val_pair pair = {.line = r->line, .col = (uint32_t)(r->p - r->line_start) + 1};
    if (r->p == r->end || *r->p != '"') return fail_here(r, "a key in double quotes");
    if (!string_read(r, &pair.key)) return false;
    skip_space(r);
    if (r->p == r->end || *r->p != ':') return fail_here(r, "':' after a key");
    r->p++;
    skip_space(r);
    if (!value_read(r, &pair.v)) return false;
    *tree_push(&r->tree) = pair;
    return true;
}

static bool map_close(struct reader *r, size_t base, struct val *out)
{
    struct tree_duplicate dup;
    r->p++;
    r->depth--;
    if (tree_map(&r->tree, base, out, r->opts.strict ? &dup : NULL)) return true;
    return tree_duplicate_raise(&dup, r->opts.file, r->opts.where, r->e);
}

static bool map_read(struct reader *r, struct val *out)
{
    size_t base = r->tree.n;
    if (!enter(r)) return false;
    r->p++;
    skip_space(r);
    while (r->p < r->end && *r->p != '}') {
        if (!member_read(r)) return false;
        skip_space(r);
        if (r->p < r->end && *r->p == '}') break;
        if (r->p == r->end || *r->p != ',') return fail_here(r, "',' or '}' after a map member");
        r->p++;
        skip_space(r);
        if (r->p < r->end && *r->p == '}') return fail_here(r, "a key in double quotes");
    }
    if (r->p == r->end) return fail_here(r, "'}'");
    return map_close(r, base, out);
}

static bool value_read(struct reader *r, struct val *out)
{
    *out = (struct val){.kind = VAL_NULL, .file = r->opts.file, .line = r->line,
                        .col = (uint32_t)(r->p - r->line_start) + 1};
    if (r->p == r->end) return fail_here(r, "a value");
    if (++r->nodes > LIMIT_DOC_NODES)
        return fail(r, r->p, ERR_LIMIT, "more than %d values (LIMIT_DOC_NODES)", LIMIT_DOC_NODES);
    switch (*r->p) {
    case '{': return map_read(r, out);
    case '[': return list_read(r, out);
    case '"': out->kind = VAL_STR; return string_read(r, &out->s);
    case 't': out->kind = VAL_BOOL; out->b = true; return literal_read(r, STR("true"));
    case 'f': out->kind = VAL_BOOL; return literal_read(r, STR("false"));
    case 'n': return literal_read(r, STR("null"));
    case '-':
    case '0' ... '9': return number_value(r, out);
    default: return fail_here(r, "a value");
    }
}

static bool text_read(struct reader *r, struct val *out)
{
    skip_space(r);
    if (!value_read(r, out)) return false;
    skip_space(r);
    return r->p == r->end || fail_here(r, "the end of the text");
}

bool json_parse(struct arena *a, struct str text, const struct json_opts *opts, struct val *out,
                struct err *e)
{
    static const struct json_opts defaults;
    const struct str bom = STR("\xef\xbb\xbf");
    struct reader r = {.line = 1, .opts = opts ? *opts : defaults, .e = e};
    struct val v;
    r.p = r.line_start = text.p ? text.p : "";
    r.end = r.p + text.n;
    size_t most = r.opts.max_bytes ? r.opts.max_bytes : LIMIT_DOC_BYTES;
    if (text.n > most) return fail(&r, r.p, ERR_LIMIT, "text is longer than %zu bytes%s", most, r.opts.max_bytes ? "" : " (LIMIT_DOC_BYTES)");
    if (str_starts(text, bom)) r.p = r.line_start += bom.n;
    tree_init(&r.tree, a);
    bool ok = text_read(&r, &v);
    tree_fini(&r.tree);
    if (ok) *out = v;
    return ok;
}
