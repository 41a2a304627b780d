/* skiff template list|get|create|… */
#include "cli/cmds.h"
#include "cli/object_verbs.h"

OBJECT_VERBS("template", SERVICE_TEMPLATE, "WorkflowTemplate");
OBJECT_PUT_VERBS("template", SERVICE_TEMPLATE, "WorkflowTemplate", object_put_flags, "FILE…");

static const struct cmd *const verbs[] = {&verb_list, &verb_get, &verb_create, &verb_update, &verb_apply, &verb_lint, &verb_delete};

const struct cmd cmd_template = {
    .name = "template",
    .aliases = NULL,
    .group = "STORE",
    .usage = "VERB …",
    .summary = "stored WorkflowTemplates, which runs may refer to",
    .details = NULL,
    .examples = "  skiff template create templates.yaml\n  skiff template list\n  skiff run --from workflowtemplate/train -p epochs=20",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
