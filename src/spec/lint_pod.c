/* podSpecPatch as far as it can be read without a run: it is YAML or JSON, and a map; fields that only a
 * cluster knows are named. A patch with tags is read when they are replaced. See lint_p.h. */
#include "doc/yaml.h"
#include "spec/lint_p.h"

void lint_pod_patch(struct lint *l, const struct val *src)
{
    const struct val *v = val_get(src, STR("podSpecPatch"));
    struct val patch;
    struct err e = {0};
    if (!v || v->kind != VAL_STR || !v->s.n || str_find(v->s, STR("{{"), 0) >= 0) return;
    if (!yaml_parse(l->a, v->s, NULL, &patch, &e)) {
        LINT(l, DIAG_ERROR, "E0320", v, "the patch is not valid YAML: %s", e.text);
        return;
    }
    if (patch.kind != VAL_MAP) {
        LINT(l, DIAG_ERROR, "E0320", v, "the patch is no map of fields of a pod's spec");
        return;
    }
    for (uint32_t i = 0; i < patch.n; i++) {
        struct str key = patch.map[i].key;
        if (!str_starts(key, STR("$")) && !field_find(&argo_pod_spec_type, key))
            LINT(l, DIAG_WARNING, "W0101", v, "`%.*s` of this patch has no effect on one machine", STR_ARG(key));
    }
}
