/* skiff convert */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/list.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "yaml|json", "form of the output (default: yaml)"},
};

static bool convert_run(struct cli *cli, struct err *e)
{
    struct inputs in;
    enum output form;
    CLEANUP(buf_fini) struct buf b, told;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    buf_init(&told, LIMIT_SHOWN_BYTES);
    inputs_init(&in, cli);
    bool ok = cli_output(cli, &form, e);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = inputs_add(&in, cli->args.words[i], e);
    if (ok && in.diags.errors) {
        inputs_diags_put(&in, NULL, &cli->err_style, &told);
        cli_err(cli, buf_view(&told));
        ok = err_set(e, ERR_SPEC, "the documents are not valid; nothing was converted");
    }
    for (size_t i = 0; i < in.docs.n && ok; i++) {
        if (i && form != OUTPUT_JSON) buf_str(&b, STR("---\n"));
        output_put(in.docs.items[i].val, form == OUTPUT_JSON ? OUTPUT_JSON : OUTPUT_YAML, &b);
    }
    if (ok) cli_out(cli, buf_view(&b));
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
