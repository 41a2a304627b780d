/* See yaml_pos.h. */
#include "doc/yaml_pos.h"

#include "doc/utf8.h"

void yaml_cursor_init(struct yaml_cursor *c, struct str text)
{
    uint64_t high = 0, w;
    size_t i = 0;
    for (; i + 8 <= text.n; i += 8) {
        memcpy(&w, text.p + i, 8);
        high |= w;
    }
    for (; i < text.n; i++) high |= (uint64_t)(unsigned char)text.p[i];
    *c = (struct yaml_cursor){.text = text, .ascii = !(high & 0x8080808080808080u)};
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

static void cursor_move(struct yaml_cursor *c, uint32_t line, uint32_t column)
{
    if (c->line > line || (c->line == line && c->column > column))
        c->at = c->line_start = c->line = c->column = 0;
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
