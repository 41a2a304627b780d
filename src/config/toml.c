/* The reader for toml.h: one line at a time, no state but the current section. */
#include "config/toml.h"

#include <ctype.h>

struct toml_reader {
    struct arena *a;
    const char *file;
    const char *at, *end, *line_start;
    int line;
    struct str section; /* "" or "a.b" */
    struct str *keys;   /* seen so far, for duplicates */
    size_t n_keys, cap_keys;
};

static bool toml_fail(struct toml_reader *r, const char *at, struct err *e, const char *what)
{
    return err_set(e, ERR_USAGE, "%s:%d:%d: %s", r->file, r->line, (int)(at - r->line_start) + 1, what);
}

static void blanks_skip(struct toml_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t')) r->at++;
}

static bool key_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == '-'; }

/* a, a.b, a.b.c */
static bool key_read(struct toml_reader *r, struct str *out, struct err *e)
{
    const char *start = r->at;
    while (r->at < r->end && (key_char(*r->at) || *r->at == '.')) r->at++;
    *out = str_n(start, (size_t)(r->at - start));
    bool dots = out->n > 0 && (out->p[0] == '.' || out->p[out->n - 1] == '.' || str_find(*out, STR(".."), 0) >= 0);
    if (out->n == 0 || dots) return toml_fail(r, start, e, "a name is expected");
    return true;
}

/* What may follow on a line that is done: a comment. */
static bool line_finish(struct toml_reader *r, struct err *e)
{
    blanks_skip(r);
    if (r->at < r->end && *r->at == '#')
        while (r->at < r->end && *r->at != '\n') r->at++;
    if (r->at < r->end && *r->at == '\r') r->at++;
    if (r->at < r->end && *r->at != '\n') return toml_fail(r, r->at, e, "the end of the line is expected");
    return true;
}

static bool section_read(struct toml_reader *r, struct err *e)
{
    const char *start = r->at++;
    if (r->at < r->end && *r->at == '[') return toml_fail(r, start, e, "lists of tables are not supported");
    blanks_skip(r);
    if (!key_read(r, &r->section, e)) return false;
    blanks_skip(r);
    if (r->at == r->end || *r->at != ']') return toml_fail(r, r->at, e, "']' is expected");
    r->at++;
    return line_finish(r, e);
}

static void utf8_put(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_char(b, (char)c);
    } else if (c < 0x800) {
        buf_char(b, (char)(0xc0 | c >> 6));
        buf_char(b, (char)(0x80 | (c & 63)));
    } else {
        buf_char(b, (char)(0xe0 | c >> 12));
        buf_char(b, (char)(0x80 | (c >> 6 & 63)));
        buf_char(b, (char)(0x80 | (c & 63)));
    }
}

static bool unicode_read(struct toml_reader *r, struct buf *b, struct err *e)
{
    uint32_t c = 0;
    for (int i = 0; i < 4; i++) {
        if (r->at == r->end || !isxdigit((unsigned char)*r->at))
            return toml_fail(r, r->at, e, "\\u takes four hexadecimal digits");
        char d = (char)tolower((unsigned char)*r->at++);
        c = c * 16 + (uint32_t)(d <= '9' ? d - '0' : d - 'a' + 10);
    }
    if (c == 0 || (c >= 0xd800 && c < 0xe000)) return toml_fail(r, r->at - 6, e, "no such character");
    utf8_put(b, c);
    return true;
}

static bool escape_read(struct toml_reader *r, struct buf *b, struct err *e)
{
    static const char from[] = "nrtbf\"\\", to[] = "\n\r\t\b\f\"\\";
    const char *start = r->at++;
    if (r->at == r->end) return toml_fail(r, start, e, "a string without end");
    char c = *r->at++;
    if (c == 'u') return unicode_read(r, b, e);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known) return toml_fail(r, start, e, "unknown escape in a string");
    buf_char(b, to[known - from]);
    return true;
}

static bool string_read(struct toml_reader *r, struct str *out, struct err *e)
{
    const char *start = r->at;
    char quote = *r->at++;
    if (r->at + 1 < r->end && r->at[0] == quote && r->at[1] == quote)
        return toml_fail(r, start, e, "multi-line strings are not supported");
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, (size_t)(r->end - start) + 1);
    while (r->at < r->end && *r->at != quote && *r->at != '\n') {
        if (*r->at == '\\' && quote == '"') {
            if (!escape_read(r, &b, e)) return false;
        } else {
            buf_char(&b, *r->at++);
        }
    }
    if (r->at == r->end || *r->at != quote) return toml_fail(r, start, e, "a string without end");
    r->at++;
    *out = buf_dup(r->a, &b);
    return true;
}

static bool bare_read(struct toml_reader *r, struct toml_row *row, struct err *e)
{
    const char *start = r->at;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 64);
    while (r->at < r->end && !strchr(" \t\r\n#", *r->at)) {
        if (*r->at != '_') buf_char(&b, *r->at);
        r->at++;
    }
    struct str raw = str_n(start, (size_t)(r->at - start));
    int64_t number;
    if (str_is(raw, "true") || str_is(raw, "false")) {
        row->kind = TOML_BOOL;
        row->text = str_dup(r->a, raw);
        return true;
    }
    if (!b.overflow && str_to_i64(buf_view(&b), &number)) {
        row->kind = TOML_INT;
        row->text = str_fmt(r->a, "%lld", (long long)number);
        return true;
    }
    return toml_fail(r, start, e, "a value is expected: \"text\", a whole number, true or false");
}

static bool key_is_new(struct toml_reader *r, struct str key)
{
    for (size_t i = 0; i < r->n_keys; i++)
        if (str_eq(r->keys[i], key)) return false;
    if (r->n_keys == r->cap_keys) {
        r->cap_keys = r->cap_keys ? r->cap_keys * 2 : 16;
        r->keys = mem_grow(r->keys, r->cap_keys * sizeof *r->keys);
    }
    r->keys[r->n_keys++] = key;
    return true;
}

static bool pair_read(struct toml_reader *r, toml_row_fn *each, void *ctx, struct err *e)
{
    const char *start = r->at;
    struct toml_row row = {.line = r->line, .col = (int)(start - r->line_start) + 1};
    struct str name;
    if (!key_read(r, &name, e)) return false;
    row.key = r->section.n ? str_fmt(r->a, "%.*s.%.*s", STR_ARG(r->section), STR_ARG(name)) : str_dup(r->a, name);
    if (!key_is_new(r, row.key)) return toml_fail(r, start, e, "this name was given before");
    blanks_skip(r);
    if (r->at == r->end || *r->at != '=') return toml_fail(r, r->at, e, "'=' is expected");
    r->at++;
    blanks_skip(r);
    bool quoted = r->at < r->end && (*r->at == '"' || *r->at == '\'');
    if (quoted ? !string_read(r, &row.text, e) : !bare_read(r, &row, e)) return false;
    return line_finish(r, e) && each(ctx, &row, e);
}

static bool line_read(struct toml_reader *r, toml_row_fn *each, void *ctx, struct err *e)
{
    blanks_skip(r);
    if (r->at < r->end && *r->at == '[') return section_read(r, e);
    if (r->at < r->end && !strchr("#\r\n", *r->at)) return pair_read(r, each, ctx, e);
    return line_finish(r, e);
}

bool toml_read(struct arena *a, struct str text, const char *file, toml_row_fn *each, void *ctx, struct err *e)
{
    struct toml_reader r = {.a = a, .file = file, .at = text.p, .end = text.p + text.n, .line = 0};
    bool ok = memchr(text.n ? text.p : "", 0, text.n) == NULL ||
              err_set(e, ERR_USAGE, "%s: a NUL byte in a text file", file);
    while (ok && r.at < r.end) {
        r.line++;
        r.line_start = r.at;
        ok = line_read(&r, each, ctx, e);
        if (ok && r.at < r.end) r.at++; /* the newline */
    }
    free(r.keys);
    return ok;
}
