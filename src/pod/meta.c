/* Labels and annotations that the pod would have: the workflow's podMetadata, over it the template's
 * metadata, over both what Argo adds. Steps see them through fieldRef. */
#include "pod/pod_p.h"

struct str pod_meta(const struct pod_input *in, bool label, struct str key)
{
    const char *kind = label ? "labels" : "annotations";
    struct { const char *key; struct str value; } own[] = {
        {label ? "workflows.argoproj.io/workflow" : "workflows.argoproj.io/node-name",
         label ? val_get_str(val_get(in->workflow, STR("metadata")), "name") : in->node_name},
        {label ? "workflows.argoproj.io/completed" : "workflows.argoproj.io/node-id", label ? STR("false") : in->node_id},
    };
    const struct val *all = val_path(in->workflow, "spec.podMetadata"), *tmpl = val_get(in->tmpl, STR("metadata"));
    const struct val *levels[] = {val_get(tmpl, str_of(kind)), val_get(all, str_of(kind))};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_is(key, own[i].key)) return own[i].value;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        const struct val *v = val_get(levels[i], key);
        if (v) return val_text(v);
    }
    return STR_NONE;
}
