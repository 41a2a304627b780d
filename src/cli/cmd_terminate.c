/* skiff terminate */
#include "cli/cmds.h"
#include "cli/stopping.h"

static const struct flag flags[] = {STEERING_FLAGS};

static bool one_terminate(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct err *e)
{
    (void)cli;
    return service_stop(s, ref->ns, ref->name, SERVICE_TERMINATE, e);
}

static bool terminate_run(struct cli *cli, struct err *e)
{
    static const struct steering what = {.done = "terminated", .one = one_terminate};
    return steering_run(cli, &what, e);
}

const struct cmd cmd_terminate = {
    .name = "terminate",
    .group = "CONTROL",
    .usage = "NAME… | -l LABELS",
    .summary = "stop runs at once, without exit handlers",
    .examples = "  skiff terminate @latest",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = terminate_run,
};
