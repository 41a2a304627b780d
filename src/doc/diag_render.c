/* The shapes of a diagnostic (see diag.h). */
#include "doc/diag.h"

enum { LINE_SHOWN_MAX = 300 }; /* bytes of a source line that are shown */

static const char *const severity_names[] = {"error", "warning", "note"};
static const char *const severity_colours[] = {"\033[1;31m", "\033[1;33m", "\033[1;32m"};
static const char blue[] = "\033[1;34m", bold[] = "\033[1m", off[] = "\033[0m";

struct painter {
    struct buf *b;
    bool colour;
};

static void paint(struct painter *p, const char *escape)
{
    if (p->colour) buf_str(p->b, str_of(escape));
}

static void painted(struct painter *p, const char *escape, const char *text)
{
    paint(p, escape);
    buf_str(p->b, str_of(text));
    paint(p, off);
}

static void spaces(struct buf *b, size_t n)
{
    while (n--) buf_char(b, ' ');
}

/* Control bytes could drive the terminal; they are shown as spaces or '?'. */
static void text_show(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0) { /* U+0080 to U+009F */
            buf_char(b, '?');
            i++;
            continue;
        }
        buf_char(b, c == '\t' ? ' ' : c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
}

static void place_write(struct buf *b, const struct diag *d, const struct source_file *f)
{
    if (f) text_show(b, f->path);
    if (d->line) buf_printf(b, "%s%u:%u", f ? ":" : "", d->line, d->col);
}

/* "error[E0012]: message" */
static void title_write(struct painter *p, const struct diag *d)
{
    paint(p, severity_colours[d->severity]);
    buf_str(p->b, str_of(severity_names[d->severity]));
    if (d->code) buf_printf(p->b, "[%s]", d->code);
    paint(p, off);
    paint(p, bold);
    buf_str(p->b, STR(": "));
    text_show(p->b, d->message);
    paint(p, off);
    buf_char(p->b, '\n');
}

static size_t digits_of(uint32_t n)
{
    size_t w = 1;
    while (n /= 10) w++;
    return w;
}

/* Columns that bytes [0, n) of a line take; a tab counts one, as it is shown as one space. */
static size_t columns(struct str line, size_t n)
{
    size_t c = 0;
    for (size_t i = 0; i < n && i < line.n; i++) c += (line.p[i] & 0xc0) != 0x80;
    return c;
}

static void gutter(struct painter *p, size_t width, const char *text)
{
    spaces(p->b, width);
    painted(p, blue, text);
}

static void carets_write(struct painter *p, const struct diag *d, struct str line)
{
    size_t at = d->col - 1, end = at + MAX(d->len, 1u);
    spaces(p->b, columns(line, at));
    paint(p, severity_colours[d->severity]);
    size_t n = MAX(columns(line, MIN(end, line.n)) - columns(line, at), (size_t)1);
    while (n--) buf_char(p->b, '^');
    if (str_set(d->label)) {
        buf_char(p->b, ' ');
        text_show(p->b, d->label);
    }
    paint(p, off);
    buf_char(p->b, '\n');
}

static void source_write(struct painter *p, const struct diag *d, const struct source_file *f,
                         size_t width)
{
    struct str line = source_line(f, d->line);
    if (!line.p) return;
    line = str_sub(line, 0, LINE_SHOWN_MAX);
    gutter(p, width, " |\n");
    paint(p, blue);
    buf_printf(p->b, "%*u |", (int)width, d->line);
    paint(p, off);
    buf_char(p->b, ' ');
    text_show(p->b, line);
    buf_char(p->b, '\n');
    if (!d->col || d->col > line.n + 1) return;
    gutter(p, width, " | ");
    carets_write(p, d, line);
}

static void remark_write(struct painter *p, size_t width, const char *kind, struct str text)
{
    if (!str_set(text)) return;
    gutter(p, width, " = ");
    painted(p, bold, kind);
    text_show(p->b, text);
    buf_char(p->b, '\n');
}

static void human_write(struct painter *p, const struct diag *d, const struct source_file *f)
{
    size_t width = digits_of(d->line);
    title_write(p, d);
    if (f || d->line) {
        gutter(p, width, "--> ");
        place_write(p->b, d, f);
        buf_char(p->b, '\n');
    }
    if (f && d->line) source_write(p, d, f, width);
    for (size_t i = 0; i < d->n_notes; i++) remark_write(p, width, "note: ", d->notes[i]);
    remark_write(p, width, "help: ", d->help);
}

static void short_write(struct buf *b, const struct diag *d, const struct source_file *f)
{
    if (f || d->line) {
        place_write(b, d, f);
        buf_str(b, STR(": "));
    }
    buf_printf(b, "%s: ", severity_names[d->severity]);
    text_show(b, d->message);
    if (d->code) buf_printf(b, " [%s]", d->code);
    buf_char(b, '\n');
}

static void member_write(struct buf *b, const char *name, struct str text)
{
    if (!str_set(text)) return;
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, text);
}

/* {"edits":[{"from":10,"to":14,"text":"x"}]}: bytes of the file, in order, to be made together. */
static void edits_write(struct buf *b, const struct diag *d)
{
    if (!d->n_edits) return;
    buf_str(b, STR(",\"fix\":{\"edits\":["));
    for (size_t i = 0; i < d->n_edits; i++) {
        const struct diag_edit *x = &d->edits[i];
        buf_printf(b, "%s{\"from\":%u,\"to\":%u,\"text\":", i ? "," : "", x->from, x->to);
        buf_json(b, x->text);
        buf_char(b, '}');
    }
    buf_str(b, STR("]}"));
}

static void object_write(struct buf *b, const struct diag *d, const struct source_file *f)
{
    buf_printf(b, "{\"severity\":\"%s\"", severity_names[d->severity]);
    member_write(b, "code", str_of(d->code));
    if (f) member_write(b, "file", f->path);
    if (d->line) buf_printf(b, ",\"line\":%u,\"column\":%u,\"length\":%u", d->line, d->col, d->len);
    member_write(b, "message", d->message);
    member_write(b, "label", d->label);
    if (d->n_notes) {
        buf_str(b, STR(",\"notes\":["));
        for (size_t i = 0; i < d->n_notes; i++) {
            if (i) buf_char(b, ',');
            buf_json(b, d->notes[i]);
        }
        buf_char(b, ']');
    }
    member_write(b, "help", d->help);
    edits_write(b, d);
    buf_str(b, STR("}\n"));
}

/* GitHub's workflow commands: % and line ends are escaped everywhere, : and , in properties. */
static void command_text(struct buf *b, struct str text, bool property)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool escape = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
        if (escape) buf_printf(b, "%%%02X", (unsigned char)c);
        else text_show(b, str_n(&c, 1));
    }
}

static void command_line(struct buf *b, struct str text)
{
    if (!str_set(text)) return;
    buf_str(b, STR("%0A"));
    command_text(b, text, false);
}

static void github_write(struct buf *b, const struct diag *d, const struct source_file *f)
{
    static const char *const names[] = {"error", "warning", "notice"};
    buf_printf(b, "::%s ", names[d->severity]);
    if (f) {
        buf_str(b, STR("file="));
        command_text(b, f->path, true);
        buf_char(b, ',');
    }
    if (d->line) buf_printf(b, "line=%u,endLine=%u,col=%u,endColumn=%u,", d->line, d->line, d->col, d->col + d->len);
    buf_printf(b, "title=%s::", d->code ? d->code : "skiff");
    command_text(b, d->message, false);
    command_line(b, d->label);
    for (size_t i = 0; i < d->n_notes; i++) command_line(b, d->notes[i]);
    command_line(b, d->help);
    buf_char(b, '\n');
}

void diag_render(struct buf *b, const struct diag *d, const struct source_files *files,
                 struct diag_style style)
{
    const struct source_file *f = source_files_get(files, d->file);
    struct painter p = {.b = b, .colour = style.colour};
    switch (style.format) {
    case DIAG_HUMAN: human_write(&p, d, f); return;
    case DIAG_SHORT: short_write(b, d, f); return;
    case DIAG_JSON: object_write(b, d, f); return;
    case DIAG_GITHUB: github_write(b, d, f); return;
    }
}

void diags_render(struct buf *b, const struct diags *d, const struct source_files *files,
                  struct diag_style style)
{
    for (size_t i = 0; i < d->n; i++) {
        diag_render(b, &d->items[i], files, style);
        if (style.format == DIAG_HUMAN) buf_char(b, '\n');
    }
    if (!d->dropped || style.format == DIAG_JSON) return;
    if (style.format == DIAG_GITHUB) buf_str(b, STR("::notice::"));
    buf_printf(b, "note: %zu more not shown\n", d->dropped);
}
