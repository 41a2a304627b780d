/* skiff suspend */
#include "cli/cmds.h"
#include "cli/stopping.h"

static const struct flag flags[] = {STEERING_FLAGS};

static bool one_suspend(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct err *e)
{
    (void)cli;
    return service_suspend(s, ref->ns, ref->name, e);
}

static bool suspend_run(struct cli *cli, struct err *e)
{
    static const struct steering what = {.done = "suspended", .one = one_suspend};
    return steering_run(cli, &what, e);
}

const struct cmd cmd_suspend = {
    .name = "suspend",
    .group = "CONTROL",
    .usage = "NAME… | -l LABELS",
    .summary = "let runs start nothing new until they are resumed",
    .details = "Steps that are at work run to their end. Neither exit handlers nor the end of the run come before\n"
               "`skiff resume`.",
    .examples = "  skiff suspend @latest",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = suspend_run,
};
