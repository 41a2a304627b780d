/* skiff terminate */
#include "cli/cmds.h"
#include "cli/stopping.h"

static bool terminate_run(struct cli *cli, struct err *e) { return stopping_run(cli, SERVICE_TERMINATE, "terminated", e); }

const struct cmd cmd_terminate = {
    .name = "terminate",
    .steps = true,
    .group = "CONTROL",
    .usage = "NAME… | -l LABELS",
    .summary = "stop runs at once, without exit handlers",
    .examples = "  skiff terminate @latest",
    .flags = stopping_flags,
    .n_flags = STOPPING_FLAGS,
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = terminate_run,
};
