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
    buf_str(b, STR("What an image name means here, unless the file of images.file says otherwise or an image of that name is in the\n"
                   "store (`skiff image ls`). images.builtin = false switches these off.\n"
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
static void support_put(struct buf *b, const struct field_row *r)
{
    static const char *const words[] = {
        [FIELD_EXACT] = "as in Argo", [FIELD_DIFFERS] = "differs: ", [FIELD_NOTED] = "kept; no effect in this version (W0105): ",
        [FIELD_REFUSED] = "refused: "};
    if (r->flags & FIELD_IGNORED) buf_str(b, STR("accepted and kept; no effect on one machine (W0101)"));
    else if (r->was) buf_str(b, STR("a form of Argo 3.x: converted, with a note (N0102)"));
    else buf_printf(b, "%s%s", words[r->support], r->support == FIELD_EXACT ? "" : r->support_text);
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

/* `type`: what the field holds, when that has fields. */
static void field_put(struct arena *a, struct buf *b, struct str word, const struct field_row *row,
                      const struct field_type *type)
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
    if (row) {
        buf_str(b, STR("  support: "));
        support_put(b, row);
        buf_char(b, '\n');
    }
    if (type) members_put(a, b, type);
}

static bool below(struct arena *a, struct buf *b, struct str word, const struct field_type *root, struct str path)
{
    const struct field_row *row = NULL;
    const struct field_type *type = NULL;
    if (!field_lookup(root, path, &row, &type)) return false;
    field_put(a, b, word, row, row ? type : root);
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

/* ------------------------------------------------------------------------- the page of fields */

/* In a table cell a bar must be escaped. */
static void cell_put(struct buf *b, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|') buf_char(b, '\\');
        buf_char(b, *text);
    }
}

static void page_row_put(struct arena *a, struct buf *b, const struct field_row *r)
{
    static const char *const words[] = {[FIELD_EXACT] = "exact", [FIELD_DIFFERS] = "differs", [FIELD_NOTED] = "noted (W0105)",
                                        [FIELD_REFUSED] = "refused"};
    bool ignored = r->flags & FIELD_IGNORED;
    buf_printf(b, "| `%s` | %.*s | %s | ", r->name, STR_ARG(field_kind_text(a, r)),
               ignored ? "noted (W0101)" : r->was ? "3.x form (N0102)" : words[r->support]);
    if (ignored) buf_str(b, STR("no effect on one machine"));
    else cell_put(b, r->was ? r->was : r->support_text);
    buf_str(b, STR(" | "));
    cell_put(b, r->doc);
    buf_str(b, STR(" |\n"));
}

void explain_page_write(struct arena *a, struct buf *b)
{
    size_t n;
    const struct field_type *const *types = spec_types(&n);
    buf_str(b, STR("# Fields\n\nEvery field that Skiff knows, and what it does with it; `skiff explain TYPE.FIELD` says the same.\n\n"
                   "- **exact**: as in Argo.\n- **differs**: supported, but not in all as in Argo; the next column says how.\n"
                   "- **noted**: accepted and kept, without effect; a warning says so, with its place in the file.\n"
                   "- **refused**: an error that names the field.\n- **3.x form**: converted to what the next column says, with a note.\n\n"
                   "A field that is not listed is an error (E0101).\n"));
    for (size_t i = 0; i < n; i++) {
        if (!types[i]->n) continue;
        buf_printf(b, "\n## %s\n\n%s.\n\n| field | kind | support | how | meaning |\n|---|---|---|---|---|\n", types[i]->name, types[i]->doc);
        for (size_t k = 0; k < types[i]->n; k++) page_row_put(a, b, &types[i]->rows[k]);
    }
}
