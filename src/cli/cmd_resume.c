/* skiff resume */
#include "cli/cmds.h"
#include "cli/stopping.h"

static const struct flag flags[] = {
    STEERING_FLAGS,
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "complete only these suspend nodes"},
};

static bool one_resume(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct err *e)
{
    return service_resume(s, ref->ns, ref->name, str_of(args_str(&cli->args, "node-field-selector")), e);
}

static bool resume_run(struct cli *cli, struct err *e)
{
    static const struct steering what = {.done = "resumed", .one = one_resume};
    return steering_run(cli, &what, e);
}

const struct cmd cmd_resume = {
    .name = "resume",
    .group = "CONTROL",
    .usage = "NAME… | -l LABELS",
    .summary = "let suspended runs go on and complete their suspend steps",
    .details = "A suspend step whose outputs are to be supplied (valueFrom.supplied) must have them, from\n"
               "`skiff node set` or by default; else nothing is resumed. A run that an engine left unfinished goes on\n"
               "with `skiff run --resume NAME`.",
    .examples = "  skiff resume @latest\n  skiff resume @latest --node-field-selector displayName=approve",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = resume_run,
};
