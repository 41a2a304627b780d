/* skiff lint */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "spec/lint.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "pretty|simple|short|json", "form of the findings (json: one object a line)"},
    {"offline", 0, FLAG_BOOL, NULL, "every referenced template must be among the files"},
    {"strict", 0, FLAG_BOOL, NULL, NULL},
    {"kinds", 0, FLAG_STR, "KINDS", NULL},
};

static void verdict_put(struct cli *cli, const struct diags *d, struct buf *b)
{
    if (d->errors == 0) {
        style_put(b, &cli->style, STYLE_OK, str_of(style_pick(&cli->style, "✔", "ok:")));
        buf_str(b, STR(" no linting errors found!\n"));
        return;
    }
    style_put(b, &cli->style, STYLE_FAILED, str_of(style_pick(&cli->style, "✖", "failed:")));
    buf_printf(b, " %zu linting error%s found!\n", d->errors, d->errors == 1 ? "" : "s");
}

static bool lint_run(struct cli *cli, struct err *e)
{
    struct inputs in;
    const char *form = args_str(&cli->args, "output");
    CLEANUP(buf_fini) struct buf b;
    bool ok = true;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    inputs_init(&in, cli);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = inputs_add(&in, cli->args.words[i], e);
    if (ok) {
        struct lint_opts o = {.default_ns = cli_namespace(cli), .refs_required = args_on(&cli->args, "offline")};
        spec_lint(&cli->a, &in.docs, &o, &in.diags);
        inputs_diags_put(&in, form, &cli->style, &b);
        if (!form || strcmp(form, "json") != 0) verdict_put(cli, &in.diags, &b);
        cli_out(cli, buf_view(&b));
        if (in.diags.errors) cli->exit_status = err_exit_status(ERR_SPEC);
    }
    inputs_fini(&in);
    return ok;
}

const struct cmd cmd_lint = {
    .name = "lint",
    .group = "WRITE",
    .usage = "FILE|DIRECTORY…",
    .summary = "find mistakes in documents before they run",
    .details = "Every finding has a code, a place and often a fix; skiff explain CODE says more.\n"
               "The exit status is 3 when there are errors.",
    .examples = "  skiff lint pipeline.yaml\n  skiff lint --offline pipelines/\n  skiff lint -o json pipelines/ | jq .code",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_FILE,
    .run = lint_run,
};
