/* skiff explain FIELD|CODE|SETTING|images */
#include "base/limits.h"
#include "cli/cli_p.h"
#include "cli/cmds.h"
#include "cli/explain.h"

static bool explain_run(struct cli *cli, struct err *e)
{
    struct str word = str_of(cli->args.words[0]);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!explain_write(&cli->a, &b, word))
        return err_set(e, ERR_NOT_FOUND, "nothing is known of '%.*s' (a field such as spec.templates, a code such as E0101)",
                       STR_ARG(word));
    cli_out(cli, buf_view(&b));
    return true;
}

const struct cmd cmd_explain = {
    .name = "explain",
    .where = WHERE_NOWHERE,
    .group = "WRITE",
    .usage = "FIELD|CODE|SETTING|images",
    .summary = "say what a field, a finding's code or a setting means",
    .examples = "  skiff explain spec.templates.dag.tasks\n  skiff explain CronWorkflow.spec.schedules\n"
                "  skiff explain DAGTask.depends\n  skiff explain E0101\n  skiff explain images",
    .min_words = 1,
    .max_words = 1,
    .run = explain_run,
};
