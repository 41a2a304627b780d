/* See diag.h: the list and the source registry. Rendering is in diag_render.c. */
#include "doc/diag.h"

#include <stdarg.h>

#include "base/limits.h"

void source_files_fini(struct source_files *f)
{
    for (size_t i = 0; i < f->n; i++) free(f->items[i].lines);
    free(f->items);
    *f = (struct source_files){0};
}

uint16_t source_files_add(struct source_files *f, struct str path, struct str text)
{
    if (f->n == UINT16_MAX) return 0;
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 4;
        f->items = mem_grow(f->items, f->cap * sizeof *f->items);
    }
    f->items[f->n++] = (struct source_file){.path = path, .text = text};
    return (uint16_t)f->n;
}

const struct source_file *source_files_get(const struct source_files *f, uint16_t index)
{
    return f && index && index <= f->n ? &f->items[index - 1] : NULL;
}

/* It may lead a text and is no part of its first line. */
static const struct str byte_order_mark = {"\xef\xbb\xbf", 3};

static void lines_find(struct source_file *f)
{
    size_t cap = 1;
    for (ptrdiff_t at = -1; (at = str_find_char(f->text, '\n', (size_t)at + 1)) >= 0;) cap++;
    f->lines = mem_alloc(cap * sizeof *f->lines);
    f->lines[0] = str_starts(f->text, byte_order_mark) ? 3 : 0;
    f->n_lines = 1;
    for (ptrdiff_t at = -1; (at = str_find_char(f->text, '\n', (size_t)at + 1)) >= 0;)
        f->lines[f->n_lines++] = (uint32_t)at + 1;
}

/* For a few lines near the beginning an index would cost more than it saves. */
static struct str line_walk(struct str text, uint32_t line)
{
    struct str head = STR_NONE, rest = str_starts(text, byte_order_mark) ? str_from(text, 3) : text;
    for (uint32_t i = 0; i < line; i++) {
        if (!rest.p) return STR_NONE;
        str_cut(rest, '\n', &head, &rest);
    }
    if (str_ends(head, STR("\r"))) head.n--;
    return head;
}

struct str source_line(const struct source_file *f, uint32_t line)
{
    enum { WALKED_LINES = 5000, WALKS = 16 };
    struct source_file *cache = (struct source_file *)(uintptr_t)f; /* asking changes nothing else */
    if (!f->text.p) return STR_NONE;
    if (!f->lines && line <= WALKED_LINES && cache->asked++ < WALKS) return line_walk(f->text, line);
    if (!f->lines) lines_find(cache);
    if (line == 0 || line > f->n_lines) return STR_NONE;
    size_t from = f->lines[line - 1], to = line < f->n_lines ? f->lines[line] - 1 : f->text.n;
    struct str head = str_sub(f->text, from, to - from);
    if (str_ends(head, STR("\r"))) head.n--;
    return head;
}

void diags_init(struct diags *d, struct arena *a) { *d = (struct diags){.a = a}; }

void diags_fini(struct diags *d)
{
    free(d->items);
    diags_init(d, d->a);
}

static struct str fmt_va(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    ASSERT(n >= 0);
    char *p = arena_alloc_bytes(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    return str_n(p, (size_t)n);
}

/* Room for one more; the place behind the last kept one serves as scratch once the list is full. */
static struct diag *next_slot(struct diags *d)
{
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->items = mem_grow(d->items, d->cap * sizeof *d->items);
    }
    struct diag *slot = &d->items[d->n];
    if (d->n < LIMIT_DIAGS) d->n++;
    else d->dropped++;
    return slot;
}

struct diag *diags_add(struct diags *d, enum diag_severity severity, const char *code,
                       const char *fmt, ...)
{
    struct diag *slot = next_slot(d);
    va_list ap;
    va_start(ap, fmt);
    *slot = (struct diag){.severity = severity, .code = code, .message = fmt_va(d->a, fmt, ap)};
    va_end(ap);
    d->errors += severity == DIAG_ERROR;
    d->warnings += severity == DIAG_WARNING;
    return slot;
}

void diag_at(struct diag *d, const struct val *v)
{
    enum { MARKED_BYTES = 4096 }; /* nobody looks at more carets */
    if (!v) return;
    struct str text = val_text(v);
    d->file = v->file;
    d->line = v->line;
    d->col = v->col;
    bool marked = text.p && text.n <= MARKED_BYTES && str_find_char(text, '\n', 0) < 0;
    d->len = marked ? (uint32_t)text.n : 1;
}

void diag_at_key(struct diag *d, const struct val_pair *pair, uint16_t file)
{
    d->file = file;
    d->line = pair->line;
    d->col = pair->col;
    d->len = (uint32_t)pair->key.n;
}

void diag_note(struct diags *d, struct diag *to, const char *fmt, ...)
{
    if (to->n_notes == DIAG_NOTES_MAX) return;
    va_list ap;
    va_start(ap, fmt);
    to->notes[to->n_notes++] = fmt_va(d->a, fmt, ap);
    va_end(ap);
}

void diag_help(struct diags *d, struct diag *to, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    to->help = fmt_va(d->a, fmt, ap);
    va_end(ap);
}

void diag_label(struct diags *d, struct diag *to, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    to->label = fmt_va(d->a, fmt, ap);
    va_end(ap);
}

struct fix_step *diag_fix(struct diags *d, struct diag *to, enum fix_op op, uint32_t line, uint32_t col,
                          struct str text)
{
    struct fix_step **end = &to->fix, *step = ARENA_NEW(d->a, struct fix_step);
    while (*end) end = &(*end)->next;
    *step = (struct fix_step){.op = op, .line = line, .col = col, .text = text};
    return *end = step;
}

void diag_fix_val(struct diags *d, struct diag *to, enum fix_op op, const struct val *v, struct str text)
{
    if (v && v->line && v->file == to->file) diag_fix(d, to, op, v->line, v->col, text);
}

void diag_fix_key(struct diags *d, struct diag *to, enum fix_op op, const struct val *map,
                  const char *key, struct str text)
{
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) {
        const struct val_pair *p = &map->map[i];
        if (!str_is(p->key, key) || !p->line || map->file != to->file) continue;
        diag_fix(d, to, op, p->line, p->col, text);
        return;
    }
}

size_t diags_fixable(const struct diags *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) n += d->items[i].n_edits > 0;
    return n;
}

struct diag *diags_add_doc_error(struct diags *d, const char *code, const struct doc_error *e)
{
    struct diag *to = diags_add(d, DIAG_ERROR, code, "%s", e->text);
    to->file = e->file;
    to->line = e->line;
    to->col = e->col;
    to->len = e->len;
    if (e->hint[0]) diag_help(d, to, "%s", e->hint);
    return to;
}

struct ranked {
    struct diag d;
    size_t rank;
};

static int diag_cmp(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->d.file != b->d.file) return a->d.file < b->d.file ? -1 : 1;
    if (a->d.line != b->d.line) return a->d.line < b->d.line ? -1 : 1;
    if (a->d.col != b->d.col) return a->d.col < b->d.col ? -1 : 1;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* A template that several documents refer to is looked at for each of them. */
static bool is_same(const struct diag *a, const struct diag *b)
{
    return a->line && a->file == b->file && a->line == b->line && a->col == b->col && a->severity == b->severity && a->code && b->code && strcmp(a->code, b->code) == 0 &&
           str_eq(a->message, b->message);
}

static void repeats_drop(struct diags *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        bool said = false;
        for (size_t k = n; k-- > 0 && d->items[k].line == d->items[i].line && d->items[k].file == d->items[i].file && !said;)
            said = is_same(&d->items[k], &d->items[i]);
        if (!said) d->items[n++] = d->items[i];
        else if (d->items[i].severity == DIAG_ERROR) d->errors--;
        else if (d->items[i].severity == DIAG_WARNING) d->warnings--;
    }
    d->n = n;
}

void diags_sort(struct diags *d)
{
    struct ranked *r = mem_alloc(d->n * sizeof *r);
    for (size_t i = 0; i < d->n; i++) r[i] = (struct ranked){.d = d->items[i], .rank = i};
    qsort(r, d->n, sizeof *r, diag_cmp);
    for (size_t i = 0; i < d->n; i++) d->items[i] = r[i].d;
    free(r);
    repeats_drop(d);
}
