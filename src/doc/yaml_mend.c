/* See yaml_mend.h. */
#include "doc/yaml_mend.h"

static bool opens_value(struct str line, size_t at)
{
    size_t i = at;
    while (i > 0 && line.p[i - 1] == ' ') i--;
    if (i == 0) return false;
    char c = line.p[i - 1];
    if (c == ':' || c == '-') return i < at;
    return c == '[' || c == ',' || c == '{';
}

/* The value ends with the line or its comment; between brackets, at the comma or bracket behind the tags. */
static size_t value_end(struct str line, size_t at, bool flow)
{
    size_t i = at, depth = 0;
    for (; i < line.n; i++) {
        if (str_starts(str_from(line, i), STR("{{"))) depth++, i++;
        else if (depth && str_starts(str_from(line, i), STR("}}"))) depth--, i++;
        else if (!depth && flow && strchr(",]}", line.p[i])) break;
        else if (!depth && line.p[i] == '#' && line.p[i - 1] == ' ') break;
    }
    while (i > at && strchr(" \t\r", line.p[i - 1])) i--;
    return i;
}

/* Between brackets a comma and a closing bracket end a value. */
static bool in_flow(struct str line, size_t at)
{
    int depth = 0;
    for (size_t i = 0; i < at; i++) {
        if (str_starts(str_from(line, i), STR("{{"))) i++, depth++;
        else if (str_starts(str_from(line, i), STR("}}"))) i++, depth--;
        else if (line.p[i] == '[' || line.p[i] == '{') depth++;
        else if (line.p[i] == ']' || line.p[i] == '}') depth--;
    }
    return depth > 0;
}

static struct str quoted(struct arena *a, struct str s)
{
    if (str_find_char(s, '"', 0) < 0 && str_find_char(s, '\\', 0) < 0) return str_fmt(a, "\"%.*s\"", STR_ARG(s));
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_char(&b, '\'');
        buf_char(&b, s.p[i]);
    }
    return str_fmt(a, "'%.*s'", STR_ARG(buf_view(&b)));
}

/* Every value of the line that begins with a tag. */
static void quote_tags(struct diags *d, struct diag *g, struct str line)
{
    for (ptrdiff_t at = 0; (at = str_find(line, STR("{{"), (size_t)at)) >= 0;) {
        size_t from = (size_t)at;
        at += 2;
        if (!opens_value(line, from)) continue;
        size_t to = value_end(line, from, in_flow(line, from));
        diag_fix(d, g, FIX_TEXT, g->line, (uint32_t)from + 1, quoted(d->a, str_sub(line, from, to - from)))->len =
            (uint32_t)(to - from);
        at = (ptrdiff_t)to;
    }
}

void yaml_mend(struct diags *d, struct diag *g, struct str text)
{
    struct source_file f = {.text = text};
    struct str line = source_line(&f, g->line);
    free(f.lines);
    if (!line.p || g->fix) return;
    size_t blank = 0, tabs = 0;
    for (; blank < line.n && (line.p[blank] == ' ' || line.p[blank] == '\t'); blank++) tabs += line.p[blank] == '\t';
    if (str_find(line, STR("{{"), 0) >= 0) quote_tags(d, g, line);
    if (tabs == 0 || g->fix) return;
    /* one step to the right of the tab's column, as the eye sees it with tabs of two columns */
    struct str spaces = str_fmt(d->a, "%*s", (int)MIN(blank + tabs, (size_t)1000), "");
    diag_fix(d, g, FIX_TEXT, g->line, 1, spaces)->len = (uint32_t)blank;
}
