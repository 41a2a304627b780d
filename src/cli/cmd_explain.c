/* skiff explain FIELD|CODE|SETTING|images */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/text.h"
#include "config/images.h"
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
    buf_printf(b, "%s[%s]: %s\n\n", c->severity == DIAG_ERROR ? "error" : "warning", c->code, c->title);
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

static bool images_put(struct cli *cli, struct buf *b, struct str word)
{
    const struct image_row_doc *rows;
    struct table t;
    if (!str_is(word, "images")) return false;
    buf_str(b, STR("What an image name means here, unless the file of images.file says otherwise.\n"
                   "A pattern without a tag stands for every tag.\n\n"));
    table_begin(&t, &cli->a);
    for (size_t i = 0, n = image_builtin(&rows); i < n; i++) {
        table_cell(&t, str_of(rows[i].pattern));
        table_cell(&t, str_of(rows[i].doc));
        table_row_end(&t);
    }
    table_print(&t, 2, b);
    return true;
}

static void members_put(struct cli *cli, struct buf *b, const struct field_type *type)
{
    buf_str(b, STR("\nFIELDS:\n"));
    for (size_t i = 0; i < type->n; i++) {
        const struct field_row *r = &type->rows[i];
        buf_printf(b, "  %s  <%.*s>%s%s\n", r->name, STR_ARG(field_kind_text(&cli->a, r)),
                   r->flags & FIELD_REQUIRED ? "  required" : "", r->flags & FIELD_IGNORED ? "  no effect on one machine" : "");
        if (r->doc) wrapped_put(b, str_of(r->doc), 6);
    }
}

static void field_put(struct cli *cli, struct buf *b, struct str word, const struct field_row *row,
                      const struct field_type *type)
{
    buf_printf(b, "FIELD: %.*s", STR_ARG(word));
    if (row) buf_printf(b, "  <%.*s>", STR_ARG(field_kind_text(&cli->a, row)));
    buf_char(b, '\n');
    const char *doc = row && row->doc ? row->doc : type ? type->doc : NULL;
    if (doc) wrapped_put(b, str_of(doc), 2);
    if (row && row->enum_values) buf_printf(b, "  one of: %s\n", row->enum_values);
    if (row && row->since) buf_printf(b, "  since: %s\n", row->since);
    if (row && row->was) buf_printf(b, "  in 4.x: %s\n", row->was);
    if (type) members_put(cli, b, type);
}

/* "spec.templates", "workflow.spec", "CronWorkflow.spec": a kind may lead, Workflow is meant otherwise. */
static bool field_explain(struct cli *cli, struct buf *b, struct str word)
{
    struct str head, rest;
    const struct field_row *row = NULL;
    const struct field_type *type = NULL;
    str_cut(word, '.', &head, &rest);
    for (int k = DOC_NONE + 1; k < DOC_KIND_MAX; k++) {
        const struct field_type *root = doc_kind_type((enum doc_kind)k);
        struct str text = str_of(doc_kind_text((enum doc_kind)k));
        bool same = root && text.n == head.n && strncasecmp(text.p, head.p, head.n) == 0;
        if (!same || !field_lookup(root, str_set(rest) ? rest : STR(""), &row, &type)) continue;
        field_put(cli, b, word, row, type ? type : str_set(rest) ? NULL : root);
        return true;
    }
    if (!field_lookup(doc_kind_type(DOC_WORKFLOW), word, &row, &type)) return false;
    field_put(cli, b, word, row, type);
    return true;
}

static bool explain_run(struct cli *cli, struct err *e)
{
    struct str word = str_of(cli->args.words[0]);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    bool found = code_put(&b, word) || setting_put(&b, word) || images_put(cli, &b, word) || field_explain(cli, &b, word);
    if (!found)
        return err_set(e, ERR_NOT_FOUND, "nothing is known of '%.*s' (a field such as spec.templates, a code such as E0012)",
                       STR_ARG(word));
    cli_out(cli, buf_view(&b));
    return true;
}

const struct cmd cmd_explain = {
    .name = "explain",
    .group = "WRITE",
    .usage = "FIELD|CODE|SETTING|images",
    .summary = "say what a field, a finding's code or a setting means",
    .examples = "  skiff explain spec.templates.dag.tasks\n  skiff explain CronWorkflow.spec.schedules\n"
                "  skiff explain E0012\n  skiff explain images",
    .min_words = 1,
    .max_words = 1,
    .run = explain_run,
};
