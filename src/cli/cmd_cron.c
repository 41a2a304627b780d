/* skiff cron list|get|create|… */
#include "cli/cmds.h"
#include "cli/object_verbs.h"

OBJECT_VERBS("cron", SERVICE_CRON, "CronWorkflow");
OBJECT_VERB(verb_suspend, "cron", "suspend", SERVICE_CRON, object_suspend, object_no_flags, "NAME…",
            "set spec.suspend", 1, -1, WORD_OBJECT);
OBJECT_VERB(verb_resume, "cron", "resume", SERVICE_CRON, object_resume, object_no_flags, "NAME…",
            "lift spec.suspend", 1, -1, WORD_OBJECT);

static const struct cmd *const verbs[] = {&verb_list, &verb_get, &verb_create, &verb_update, &verb_apply, &verb_lint, &verb_delete, &verb_suspend, &verb_resume};

const struct cmd cmd_cron = {
    .name = "cron",
    .aliases = NULL,
    .group = "STORE",
    .usage = "VERB …",
    .summary = "stored CronWorkflows",
    .details = "`skiff server` starts them when they are due. `skiff run --from cronworkflow/NAME` runs one now.",
    .examples = "  skiff cron create nightly.yaml\n  skiff cron list\n  skiff run --from cronworkflow/nightly",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
