/* See sarif.h. Columns count characters, from 1 (columnKind unicodeCodePoints). */
#include "spec/sarif.h"

#include "base/version.h"

static const char *const levels[] = {"error", "warning", "note"};

static void member(struct buf *b, const char *before, struct str text)
{
    buf_str(b, str_of(before));
    buf_json(b, text);
}

/* A path as a relative or absolute URI reference. */
static void uri_write(struct buf *b, struct str path)
{
    buf_str(b, STR("{\"uri\":\""));
    if (str_starts(path, STR("/"))) buf_str(b, STR("file://"));
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~/", c));
        if (plain) buf_char(b, (char)c);
        else buf_printf(b, "%%%02X", c);
    }
    buf_str(b, STR("\"}"));
}

static void rules_write(struct buf *b)
{
    size_t n;
    const struct spec_code *codes = spec_codes(&n);
    for (size_t i = 0; i < n; i++) {
        const struct spec_code *c = &codes[i];
        buf_printf(b, "%s{\"id\":\"%s\"", i ? "," : "", c->code);
        member(b, ",\"shortDescription\":{\"text\":", str_of(c->title));
        member(b, "},\"fullDescription\":{\"text\":", str_of(c->text));
        member(b, "},\"help\":{\"text\":", str_of(c->text));
        buf_printf(b, "},\"defaultConfiguration\":{\"level\":\"%s\"}}", levels[c->severity]);
    }
}

static size_t characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static void location_write(struct buf *b, const struct diag *d, const struct source_file *f)
{
    buf_str(b, STR(",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":"));
    uri_write(b, f->path);
    if (d->line) {
        struct str line = source_line(f, d->line);
        size_t col = characters(str_sub(line, 0, d->col ? d->col - 1 : 0)) + 1;
        size_t n = characters(str_sub(line, d->col ? d->col - 1 : 0, d->len));
        buf_printf(b, ",\"region\":{\"startLine\":%u,\"startColumn\":%zu,\"endColumn\":%zu}", d->line, col,
                   col + MAX(n, 1u));
    }
    buf_str(b, STR("}}]"));
}

static void fix_write(struct buf *b, const struct diag *d, const struct source_file *f)
{
    if (!d->n_edits) return;
    buf_str(b, STR(",\"fixes\":[{"));
    member(b, "\"description\":{\"text\":", str_set(d->label) ? d->label : str_set(d->help) ? d->help : d->message);
    buf_str(b, STR("},\"artifactChanges\":[{\"artifactLocation\":"));
    uri_write(b, f->path);
    buf_str(b, STR(",\"replacements\":["));
    for (size_t i = 0; i < d->n_edits; i++) {
        const struct diag_edit *x = &d->edits[i];
        buf_printf(b, "%s{\"deletedRegion\":{\"byteOffset\":%u,\"byteLength\":%u}", i ? "," : "", x->from,
                   x->to - x->from);
        member(b, ",\"insertedContent\":{\"text\":", x->text);
        buf_str(b, STR("}}"));
    }
    buf_str(b, STR("]}]}]"));
}

static void message_write(struct buf *b, const struct diag *d)
{
    struct buf text CLEANUP(buf_fini);
    buf_init(&text, 1 << 20);
    buf_str(&text, d->message);
    if (str_set(d->label)) buf_printf(&text, "; %.*s", STR_ARG(d->label));
    for (size_t i = 0; i < d->n_notes; i++) buf_printf(&text, "\n%.*s", STR_ARG(d->notes[i]));
    if (str_set(d->help)) buf_printf(&text, "\n%.*s", STR_ARG(d->help));
    member(b, ",\"message\":{\"text\":", buf_view(&text));
    buf_char(b, '}');
}

static void result_write(struct buf *b, const struct diag *d, const struct source_files *files)
{
    size_t n;
    const struct spec_code *codes = spec_codes(&n), *c = d->code ? spec_code_find(str_of(d->code)) : NULL;
    const struct source_file *f = source_files_get(files, d->file);
    buf_printf(b, "{\"level\":\"%s\"", levels[d->severity]);
    if (c) buf_printf(b, ",\"ruleId\":\"%s\",\"ruleIndex\":%zu", c->code, (size_t)(c - codes));
    message_write(b, d);
    if (f) location_write(b, d, f);
    if (f) fix_write(b, d, f);
    buf_char(b, '}');
}

void sarif_write(struct buf *b, const struct diags *d, const struct source_files *files)
{
    buf_str(b, STR("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{"
                   "\"tool\":{\"driver\":{\"name\":\"skiff\",\"version\":\"" SKIFF_VERSION "\",\"rules\":["));
    rules_write(b);
    buf_str(b, STR("]}},\"columnKind\":\"unicodeCodePoints\",\"results\":["));
    for (size_t i = 0; i < d->n; i++) {
        buf_str(b, i ? STR(",\n") : STR("\n"));
        result_write(b, &d->items[i], files);
    }
    buf_str(b, STR("]}]}\n"));
}
