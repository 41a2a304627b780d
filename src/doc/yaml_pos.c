/* See yaml_pos.h. */
#include "doc/yaml_pos.h"

#include "doc/utf8.h"

static const uint64_t high_bits = 0x8080808080808080u;

static bool is_ascii(struct str text)
{
    uint64_t high = 0, w;
    size_t i = 0;
    for (; i + 8 <= text.n; i += 8) {
        memcpy(&w, text.p + i, 8);
        high |= w;
    }
    for (; i < text.n; i++) high |= (uint64_t)(unsigned char)text.p[i];
    return !(high & high_bits);
}

/* Length of the line break at p as libyaml counts them (CR LF, CR, LF, NEL, LS, PS), or 0. */
static size_t break_len(const char *p, size_t n)
{
    if (*p == '\n') return 1;
    if (*p == '\r') return n > 1 && p[1] == '\n' ? 2 : 1;
    if (n >= 2 && !memcmp(p, "\xc2\x85", 2)) return 2;
    if (n >= 3 && (!memcmp(p, "\xe2\x80\xa8", 3) || !memcmp(p, "\xe2\x80\xa9", 3))) return 3;
    return 0;
}

/* No lone CR, NEL, LS or PS. Stretches of ASCII are skipped by words. */
static bool has_plain_breaks(struct str text)
{
    for (ptrdiff_t at = -1; (at = str_find_char(text, '\r', (size_t)at + 1)) >= 0;)
        if ((size_t)at + 1 == text.n || text.p[at + 1] != '\n') return false;
    for (size_t i = 0; i < text.n;) {
        uint64_t w = high_bits;
        if (text.n - i >= sizeof w) memcpy(&w, text.p + i, sizeof w);
        if (!(w & high_bits)) {
            i += sizeof w;
            continue;
        }
        for (size_t end = MIN(i + sizeof w, text.n); i < end; i++)
            if (text.p[i] & 0x80 && break_len(text.p + i, text.n - i)) return false;
    }
    return true;
}

void yaml_cursor_init(struct yaml_cursor *c, struct str text)
{
    *c = (struct yaml_cursor){.text = text, .ascii = is_ascii(text)};
    c->plain_breaks = !c->ascii && has_plain_breaks(text);
}

static void cursor_step(struct yaml_cursor *c)
{
    const char *p = c->text.p + c->at;
    size_t left = c->text.n - c->at, len = break_len(p, left);
    if (len) {
        c->at += len;
        c->line_start = c->at;
        c->line++;
        c->column = 0;
        return;
    }
    len = utf8_next(p, left);
    c->at += len ? len : 1;
    c->column++;
}

/* Whole lines at a time. */
static void cursor_skip_lines(struct yaml_cursor *c, uint32_t line)
{
    while (c->line < line) {
        const char *end = memchr(c->text.p + c->at, '\n', c->text.n - c->at);
        if (!end) return;
        c->at = c->line_start = (size_t)(end - c->text.p) + 1;
        c->line++;
        c->column = 0;
    }
}

/* Eight characters at a time, while they are ASCII without a line break before the column. */
static void cursor_skip_ascii(struct yaml_cursor *c, uint32_t column)
{
    uint64_t w;
    while (c->column + sizeof w <= column && c->text.n - c->at >= sizeof w) {
        memcpy(&w, c->text.p + c->at, sizeof w);
        if (w & high_bits) return;
        c->at += sizeof w;
        c->column += sizeof w;
    }
}

static void cursor_move(struct yaml_cursor *c, uint32_t line, uint32_t column)
{
    if (c->line > line || (c->line == line && c->column > column))
        c->at = c->line_start = c->line = c->column = 0;
    if (c->plain_breaks) {
        cursor_skip_lines(c, line);
        if (c->line == line) cursor_skip_ascii(c, column);
    }
    while (c->at < c->text.n && (c->line < line || (c->line == line && c->column < column)))
        cursor_step(c);
}

uint32_t yaml_cursor_col(struct yaml_cursor *c, yaml_mark_t mark)
{
    if (c->ascii) return (uint32_t)mark.column + 1;
    cursor_move(c, (uint32_t)mark.line, (uint32_t)mark.column);
    return (uint32_t)(c->at - c->line_start) + 1;
}

static size_t line_offset(struct str text, uint32_t line)
{
    struct yaml_cursor c = {.text = text};
    cursor_move(&c, line - 1, 0);
    return c.at;
}

bool yaml_hint_template(struct doc_error *d, struct str text)
{
    if (!d->line) return false;
    struct str line = str_from(text, line_offset(text, d->line)), head, rest;
    str_cut(line, '\n', &head, &rest);
    ptrdiff_t open = str_find(head, STR("{{"), 0);
    if (open < 0) return false;
    ptrdiff_t close = str_find(head, STR("}}"), (size_t)open);
    size_t end = close < 0 ? head.n : (size_t)close + 2;
    struct str tag = str_sub(head, (size_t)open, MIN(end - (size_t)open, (size_t)100));
    d->col = (uint32_t)open + 1;
    d->len = (uint32_t)tag.n;
    snprintf(d->hint, sizeof d->hint, "quote the template expression: \"%.*s\"", STR_ARG(tag));
    return true;
}

struct hint {
    const char *problem, *text;
};

static const struct hint hints[] = {
    {"found character that cannot start any token",
     "quote the value: @, ` and % cannot start one, and tabs cannot indent"},
    {"mapping values are not allowed in this context",
     "check the indentation; a value that contains ': ' needs quotes"},
    {"did not find expected key", "check the indentation of this line and of the lines before"},
    {"did not find expected '-' indicator", "check the indentation of this line and of the lines before"},
    {"found a tab character that violates indentation", "indent with spaces, not tabs"},
    {"found a tab character where an indentation space is expected", "indent with spaces, not tabs"},
    {"found unknown escape character", "write the backslash twice, or use single quotes"},
    {"found unexpected end of stream", "a quote is not closed"},
    {"could not find expected ':'", "a key needs ': ' behind it; a text over several lines needs quotes or |"},
    {"control characters are not allowed", "remove the byte, or write it as an escape in double quotes"},
};

static const char *hint_for(const char *problem)
{
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (!strcmp(hints[i].problem, problem)) return hints[i].text;
    return "";
}

/* Reader errors (encoding, control characters) know a byte offset only. */
static void locate_offset(struct doc_error *d, struct str text, size_t offset)
{
    struct yaml_cursor c = {.text = text};
    while (c.at < MIN(offset, text.n)) cursor_step(&c);
    d->line = c.line + 1;
    d->col = (uint32_t)(c.at - c.line_start) + 1;
}

static void locate_mark(struct doc_error *d, struct str text, yaml_mark_t mark)
{
    struct yaml_cursor c = {.text = text};
    d->line = (uint32_t)mark.line + 1;
    d->col = yaml_cursor_col(&c, mark);
}

void yaml_problem(struct doc_error *d, const yaml_parser_t *p, struct str text)
{
    const char *problem = p->problem ? p->problem : "out of memory";
    if (p->error == YAML_READER_ERROR) locate_offset(d, text, p->problem_offset);
    else locate_mark(d, text, p->problem_mark);
    snprintf(d->text, sizeof d->text, "%s", problem);
    if (p->context && p->context_mark.line != p->problem_mark.line)
        snprintf(d->text, sizeof d->text, "%s (%s from line %zu)", problem, p->context,
                 p->context_mark.line + 1);
    if (!yaml_hint_template(d, text)) snprintf(d->hint, sizeof d->hint, "%s", hint_for(problem));
}
