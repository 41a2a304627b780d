/* skiff convert */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/list.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "yaml|json", "form of the output (default: yaml)"},
    {"strict", 0, FLAG_BOOL, NULL, "unknown fields are errors (the default; --strict=false: they are dropped with a warning)"},
};

/* Also when it goes on: a document that is skipped is not in the new file. */
static void findings_put(struct cli *cli, struct inputs *in)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!in->diags.errors && !in->diags.warnings) return; /* notes are about the old forms, which go */
    inputs_diags_put(in, NULL, &cli->err_style, &b);
    cli_err(cli, buf_view(&b));
}

static bool converted_put(struct cli *cli, struct inputs *in, enum output form, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    for (size_t i = 0; i < in->docs.n; i++) {
        if (i && form == OUTPUT_YAML) buf_str(&b, STR("---\n"));
        output_put(in->docs.items[i].val, form, &b);
    }
    if (b.overflow) return err_set(e, ERR_LIMIT, "the documents are too large to be printed: convert them one by one");
    cli_out(cli, buf_view(&b));
    return true;
}

static bool convert_run(struct cli *cli, struct err *e)
{
    struct inputs in;
    enum output form;
    inputs_init(&in, cli);
    bool ok = cli_output(cli, &form, e);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = inputs_add(&in, cli->args.words[i], e);
    if (ok) findings_put(cli, &in);
    if (ok && in.diags.errors) ok = err_set(e, ERR_SPEC, "the documents are not valid; nothing was converted");
    if (ok && !in.docs.n) ok = err_set(e, ERR_SPEC, "found nothing to convert: there is no document of a kind that is known here");
    ok = ok && converted_put(cli, &in, form == OUTPUT_JSON ? OUTPUT_JSON : OUTPUT_YAML, e);
    inputs_fini(&in);
    return ok;
}

const struct cmd cmd_convert = {
    .name = "convert",
    .group = "WRITE",
    .where = WHERE_NOWHERE,
    .usage = "FILE|URL|DIRECTORY… [-o yaml|json]",
    .summary = "print documents in the forms of Argo 4",
    .details = "schedule becomes schedules, mutex and semaphore become mutexes and semaphores, and the like, as argo's command does. Comments are\n"
               "not kept: skiff fmt --fix changes the files themselves and keeps them.",
    .examples = "  skiff convert old.yaml > new.yaml\n  skiff convert - < old.yaml",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_FILE,
    .run = convert_run,
};
