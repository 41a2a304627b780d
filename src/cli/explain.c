/* See explain.h. */
#include "cli/explain.h"

#include <strings.h>

#include "config/config.h"
#include "config/images.h"
#include "cli/text.h"
#include "spec/documents.h"
#include "spec/lint.h"

/* Paragraphs wrapped at 80 columns, indented. */
static void wrapped_put(struct buf *b, struct str text, size_t indent)
{
    struct str word, rest = text;
    size_t col = 0;
    while (str_set(rest)) {
        ptrdiff_t space = str_find_char(rest, ' ', 0), line = str_find_char(rest, '\n', 0);
        bool newline = line >= 0 && (space < 0 || line < space);
        str_cut(rest, newline ? '\n' : ' ', &word, &rest);
        if (col && col + 1 + text_width(word) > 80) buf_char(b, '\n'), col = 0;
        if (!col) text_pad(b, indent), col = indent;
        else if (word.n) buf_char(b, ' '), col++;
        buf_str(b, word);
        col += text_width(word);
        if (newline) buf_char(b, '\n'), col = 0;
    }
    if (col) buf_char(b, '\n');
}

static bool code_put(struct buf *b, struct str word)
{
    const struct spec_code *c = spec_code_find(word);
    if (!c || !c->title) return false;
    static const char *const severities[] = {"error", "warning", "note"};
    buf_printf(b, "%s[%s]: %s\n\n", severities[c->severity], c->code, c->title);
    wrapped_put(b, str_of(c->text), 0);
    return true;
}

static bool setting_put(struct buf *b, struct str word)
{
    for (int i = 0; i < CONFIG_MAX; i++) {
        const struct config_row *r = &config_rows[i];
        if (!str_is(word, r->key) && !str_is(word, r->env)) continue;
        buf_printf(b, "setting %s    (environment: %s, default: %s)\n\n", r->key, r->env, r->dflt[0] ? r->dflt : "unset");
        wrapped_put(b, str_of(r->doc), 0);
        return true;
    }
    return false;
}

static bool images_put(struct arena *a, struct buf *b, struct str word)
{
    const struct image_row_doc *rows;
    struct table t;
    if (!str_is(word, "images")) return false;
    buf_str(b, STR("What an image name means here, unless the file of images.file says otherwise.\n"
                   "A pattern without a tag stands for every tag.\n\n"));
    table_begin(&t, a);
    for (size_t i = 0, n = image_builtin(&rows); i < n; i++) {
        table_cell(&t, str_of(rows[i].pattern));
        table_cell(&t, str_of(rows[i].doc));
        table_row_end(&t);
    }
    table_print(&t, 2, b);
    return true;
}

/* ---------------------------------------------------------------------------------- fields */

/* What this version does with a field. */
static const char *support(const struct field_type *type, const struct field_row *r)
{
    const char *later = type ? spec_field_later(type->name, r->name) : NULL;
    if (r->was && !(r->flags & FIELD_IGNORED)) return "a form of Argo 3.x: converted, with a note (N0102)";
    if (r->flags & FIELD_IGNORED) return "accepted and kept; no effect on one machine (W0101)";
    return later ? "kept; no effect in this version (W0105): " : "read and checked";
}

static void row_put(struct arena *a, struct buf *b, const struct field_row *r)
{
    buf_printf(b, "  %s  <%.*s>%s%s%s\n", r->name, STR_ARG(field_kind_text(a, r)),
               r->flags & FIELD_REQUIRED ? "  required" : "", r->flags & FIELD_IGNORED ? "  no effect on one machine" : "",
               r->was ? "  3.x" : "");
    if (r->doc) wrapped_put(b, str_of(r->doc), 6);
}

static void members_put(struct arena *a, struct buf *b, const struct field_type *type)
{
    if (type->n == 0) return;
    buf_printf(b, "\nFIELDS of %s:\n", type->name);
    for (size_t i = 0; i < type->n; i++) row_put(a, b, &type->rows[i]);
}

/* `owner` is the type that the field belongs to; `type` what it holds, when that has fields. */
static void field_put(struct arena *a, struct buf *b, struct str word, const struct field_type *owner,
                      const struct field_row *row, const struct field_type *type)
{
    buf_printf(b, row ? "FIELD: %.*s" : "TYPE: %.*s", STR_ARG(word));
    if (row) buf_printf(b, "  <%.*s>%s", STR_ARG(field_kind_text(a, row)), row->flags & FIELD_REQUIRED ? "  required" : "");
    buf_char(b, '\n');
    const char *doc = row && row->doc ? row->doc : type ? type->doc : NULL;
    if (doc) wrapped_put(b, str_of(doc), 2);
    if (row && row->enum_values) {
        buf_str(b, STR("  one of: "));
        for (const char *p = row->enum_values; *p; p++) buf_str(b, *p == '|' ? STR(", ") : str_n(p, 1));
        buf_char(b, '\n');
    }
    if (row && row->since) buf_printf(b, "  since: %s\n", row->since);
    if (row && row->was) buf_printf(b, "  in 4.x: %s\n", row->was);
    if (row && row->merge_key) buf_printf(b, "  merged by: %s\n", row->merge_key);
    const char *later = row ? spec_field_later(owner->name, row->name) : NULL;
    if (row) buf_printf(b, "  support: %s%s\n", support(owner, row), later ? later : "");
    if (type) members_put(a, b, type);
}

static bool below(struct arena *a, struct buf *b, struct str word, const struct field_type *root, struct str path)
{
    const struct field_row *row = NULL;
    const struct field_type *type = NULL, *owner = root;
    struct str parent = path;
    if (!field_lookup(root, path, &row, &type)) return false;
    while (parent.n > 0 && parent.p[parent.n - 1] != '.') parent.n--;
    if (parent.n > 0) {
        const struct field_row *r;
        const struct field_type *t = NULL;
        if (field_lookup(root, str_n(parent.p, parent.n - 1), &r, &t) && t) owner = t;
    }
    field_put(a, b, word, owner, row, row ? type : root);
    return true;
}

/* "spec.templates", "CronWorkflow.spec", "DAGTask.depends": a kind or a type may lead; Workflow is meant otherwise. */
static bool field_explain(struct arena *a, struct buf *b, struct str word)
{
    struct str head, rest;
    str_cut(word, '.', &head, &rest);
    if (!rest.p) rest = STR("");
    const struct field_type *root = spec_type_find(head);
    if (root && below(a, b, word, root, rest)) return true;
    return below(a, b, word, doc_kind_type(DOC_WORKFLOW), word) ||
           below(a, b, word, doc_kind_type(DOC_WORKFLOW), str_cat(a, STR("spec."), word));
}

bool explain_write(struct arena *a, struct buf *b, struct str word)
{
    return code_put(b, word) || setting_put(b, word) || images_put(a, b, word) || field_explain(a, b, word);
}
