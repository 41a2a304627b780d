/* skiff stop */
#include "cli/cmds.h"
#include "cli/stopping.h"

static bool stop_run(struct cli *cli, struct err *e) { return stopping_run(cli, SERVICE_STOP, "stopped", e); }

const struct cmd cmd_stop = {
    .name = "stop",
    .steps = true,
    .group = "CONTROL",
    .usage = "NAME… | -l LABELS",
    .summary = "stop runs; their exit handlers still run",
    .examples = "  skiff stop @latest",
    .flags = stopping_flags,
    .n_flags = STOPPING_FLAGS,
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = stop_run,
};
