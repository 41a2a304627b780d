/* skiff completion */
#include "base/limits.h"
#include "cli/cli_p.h"
#include "cli/cmds.h"

static bool completion_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (!completion_script(&b, cli->args.words[0], e)) return false;
    cli_out(cli, buf_view(&b));
    return true;
}

const struct cmd cmd_completion = {
    .name = "completion",
    .where = WHERE_NOWHERE,
    .group = "HELP",
    .usage = "bash|zsh|fish",
    .summary = "print a script that completes commands, flags and names",
    .examples = "  source <(skiff completion bash)\n  skiff completion fish | source",
    .min_words = 1,
    .max_words = 1,
    .word = WORD_SHELL,
    .run = completion_run,
};
