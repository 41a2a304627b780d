/* skiff cluster-template list|get|create|… */
#include "cli/cmds.h"
#include "cli/object_verbs.h"

OBJECT_VERBS("cluster-template", SERVICE_CLUSTER_TEMPLATE, "ClusterWorkflowTemplate");
OBJECT_PUT_VERBS("cluster-template", SERVICE_CLUSTER_TEMPLATE, "ClusterWorkflowTemplate", object_put_flags, "FILE…");

static const struct cmd *const verbs[] = {&verb_list, &verb_get, &verb_create, &verb_update, &verb_apply, &verb_lint, &verb_delete};

const struct cmd cmd_cluster_template = {
    .name = "cluster-template",
    .aliases = "clustertemplate",
    .group = "STORE",
    .usage = "VERB …",
    .summary = "stored ClusterWorkflowTemplates",
    .details = NULL,
    .examples = "  skiff cluster-template create shared.yaml\n  skiff cluster-template get build -o yaml",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
