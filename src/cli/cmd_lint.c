/* skiff lint */

#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/session.h"
#include "doc/fix.h"
#include "os/zonefile.h"
#include "spec/lint.h"
#include "spec/sarif.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "human|short|json|github|sarif|pretty|simple",
     "form of the findings (json: one object a line; github: annotations; pretty and simple as argo)"},
    {"format", 0, FLAG_STR, "human|short|json|github|sarif|pretty|simple", NULL},
    {"offline", 0, FLAG_BOOL, NULL, "every referenced template must be among the files"},
    {"strict", 0, FLAG_BOOL, NULL, "unknown fields and values are errors (the default; --strict=false: warnings)"},
    {"kinds", 0, FLAG_LIST, "KINDS", "check only workflows, workflowtemplates, clusterworkflowtemplates, cronworkflows"},
    {"fail-on", 0, FLAG_STR, "error|warning|never", "what makes the exit status 3 (default: error)"},
    {"no-hints", 0, FLAG_BOOL, NULL, "leave out notes on what could be better"},
};

static void verdict_put(struct cli *cli, const struct diags *d, struct buf *b)
{
    size_t fixable = diags_fixable(d);
    if (fixable)
        buf_printf(b, "%zu of these can be fixed: skiff fmt --fix FILE\n", fixable);
    if (d->errors == 0) {
        style_put(b, &cli->style, STYLE_OK, str_of(style_pick(&cli->style, "✔", "ok:")));
        buf_str(b, STR(" no linting errors found!\n"));
        return;
    }
    style_put(b, &cli->style, STYLE_FAILED, str_of(style_pick(&cli->style, "✖", "failed:")));
    buf_printf(b, " %zu linting error%s found!\n", d->errors, d->errors == 1 ? "" : "s");
}

/* "workflows,cronworkflow": a kind's plural or singular, in any case, or all. */
static bool kind_add(struct str word, uint32_t *kinds, struct err *e)
{
    struct str singular = word.n > 1 && (word.p[word.n - 1] | 0x20) == 's' ? str_n(word.p, word.n - 1) : word;
    if (str_is(word, "all")) {
        *kinds = UINT32_MAX;
        return true;
    }
    for (enum doc_kind k = DOC_NONE + 1; k < DOC_KIND_MAX; k++) {
        struct str text = str_of(doc_kind_text(k));
        if (text.n != singular.n || strncasecmp(text.p, singular.p, text.n) != 0) continue;
        *kinds |= 1u << k;
        return true;
    }
    return err_set(e, ERR_USAGE, "--kinds: '%.*s' is no kind; write workflows, workflowtemplates, "
                                 "clusterworkflowtemplates, cronworkflows or all", STR_ARG(word));
}

static bool kinds_read(const struct args *args, uint32_t *kinds, struct err *e)
{
    const char *value;
    for (size_t i = 0; (value = args_nth(args, "kinds", i)); i++) {
        struct str word, rest = str_of(value);
        while (rest.p) {
            str_cut(rest, ',', &word, &rest);
            if (word.n && !kind_add(str_trim(word), kinds, e)) return false;
        }
    }
    return true;
}

static const char *form_of(const struct args *args)
{
    const char *form = args_str(args, "output");
    if (!form) form = args_str(args, "format");
    return form ? form : "human";
}

static bool fails(const struct cli *cli, const struct diags *d)
{
    const char *on = args_str(&cli->args, "fail-on");
    if (on && strcmp(on, "never") == 0) return false;
    return d->errors || (on && strcmp(on, "warning") == 0 && d->warnings);
}

/* What cannot be read at all is among the findings. */
static bool anything_there(const struct inputs *in)
{
    for (size_t i = 0; i < in->docs.n; i++)
        if (documents_wanted(&in->docs, in->docs.items[i].kind)) return true;
    return in->diags.errors > 0;
}

static void findings_put(struct cli *cli, struct inputs *in)
{
    const char *form = form_of(&cli->args);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    inputs_diags_put(in, form, &cli->style, &b);
    if (strcmp(form, "sarif") == 0) {
        buf_reset(&b);
        sarif_write(&b, &in->diags, &in->files);
    } else if (strcmp(form, "json") != 0 && strcmp(form, "github") != 0 && anything_there(in)) {
        verdict_put(cli, &in->diags, &b);
    }
    cli_out(cli, buf_view(&b));
}

/* What could be better in a document of the server's is not what was asked. */
static void stored_notes_drop(struct diags *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].file || d->items[i].severity != DIAG_NOTE) d->items[n++] = d->items[i];
    d->n = n;
}

/* What a server elsewhere has stored counts as well. */
static bool lint_there(struct cli *cli, struct inputs *in, struct lint_opts *o, struct err *e)
{
    struct service *s = reader_open(cli, e);
    if (!s) return false;
    struct stored_templates *t = stored_templates_new(&cli->a, s);
    o->fetch = stored_templates_fetch;
    o->fetch_ctx = t;
    o->refs_required = true;
    spec_lint(&cli->a, &in->docs, o, &in->diags);
    stored_notes_drop(&in->diags);
    bool ok = stored_templates_end(t, e);
    service_close(s);
    return ok;
}

static bool lint_run(struct cli *cli, struct err *e)
{
    struct inputs in;
    const struct args *args = &cli->args;
    inputs_init(&in, cli);
    bool ok = kinds_read(args, &in.docs.kinds, e);
    if (args->cmd != &cmd_lint) in.docs.kinds = 1u << doc_kind_of(str_of(service_kind_text((enum service_kind)args->cmd->kind)));
    for (size_t i = 0; i < args->n_words && ok; i++) ok = inputs_add(&in, args->words[i], e);
    if (ok) {
        struct lint_opts o = {.default_ns = cli_namespace(cli), .refs_required = args_on(args, "offline"),
                              .files = &in.files, .hints = !args_on(args, "no-hints"), .zone_known = zonefile_known};
        ok = cli->server && !o.refs_required ? lint_there(cli, &in, &o, e) : (spec_lint(&cli->a, &in.docs, &o, &in.diags), true);
    }
    if (ok) {
        findings_put(cli, &in);
        if (fails(cli, &in.diags)) cli->exit_status = err_exit_status(ERR_SPEC);
        ok = anything_there(&in) || err_set(e, ERR_SPEC, "found nothing to lint: there is no document of a kind that is %s", in.docs.kinds ? "asked for" : "checked");
    }
    inputs_fini(&in);
    return ok;
}

const struct cmd cmd_lint = {
    .name = "lint",
    .group = "WRITE",
    .usage = "FILE|URL|DIRECTORY…",
    .summary = "find mistakes in documents before they run",
    .details = "Every finding has a code, a place and often a fix: skiff explain CODE says more, skiff fmt --fix\n"
               "mends what has a fix. Errors are what a cluster refuses too; warnings are what would go wrong in the\n"
               "run, or has no effect here; notes are hints. A file given as - is read from stdin.\n"
               "With a server elsewhere (--argo-server), templates that are referred to are looked up there.\n"
               "The exit status is 3 when there are errors, and when the paths hold nothing to check.",
    .examples = "  skiff lint pipeline.yaml\n  skiff lint --offline pipelines/\n  skiff lint -o github pipelines/\n"
                "  skiff lint -o sarif pipelines/ > findings.sarif\n  skiff lint -o json pipelines/ | jq .code",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_FILE,
    .run = lint_run,
};
