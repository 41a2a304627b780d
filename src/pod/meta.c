/* Labels and annotations that the pod would have: the workflow's podMetadata, over it the template's
 * metadata, over both what Argo adds. Steps see them through fieldRef. */
#include "base/limits.h"
#include "pod/pod_p.h"

struct str pod_meta(const struct pod_input *in, bool label, struct str key)
{
    const char *kind = label ? "labels" : "annotations";
    if (label && in->on_exit && str_is(key, POD_ON_EXIT_LABEL)) return STR("true");
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

static int key_order(const void *x, const void *y)
{
    return str_cmp(((const struct val_pair *)x)->key, ((const struct val_pair *)y)->key);
}

struct str pod_meta_all(struct arena *a, const struct pod_input *in, bool labels)
{
    const char *kind = labels ? "labels" : "annotations";
    const struct val *levels[] = {val_get(val_path(in->workflow, "spec.podMetadata"), str_of(kind)),
                                  val_get(val_get(in->tmpl, STR("metadata")), str_of(kind))};
    struct val_builder b;
    map_begin(&b, a);
    for (size_t k = 0; k < ARRAY_LEN(levels); k++)
        for (uint32_t i = 0; levels[k] && levels[k]->kind == VAL_MAP && i < levels[k]->n; i++)
            map_set(&b, levels[k]->map[i].key, levels[k]->map[i].v);
    static const char *const own[2][2] = {{"workflows.argoproj.io/node-name", "workflows.argoproj.io/node-id"},
                                          {"workflows.argoproj.io/workflow", "workflows.argoproj.io/completed"}};
    for (size_t i = 0; i < 2; i++) map_set(&b, str_of(own[labels][i]), val_of_str(pod_meta(in, labels, str_of(own[labels][i]))));
    if (labels && in->on_exit) map_set(&b, STR(POD_ON_EXIT_LABEL), val_of_str(STR("true")));
    struct val all = map_done(&b);
    struct val_pair *sorted = ARENA_ARRAY(a, struct val_pair, all.n + 1);
    if (all.n) memcpy(sorted, all.map, all.n * sizeof *sorted);
    qsort(sorted, all.n, sizeof *sorted, key_order);
    struct buf text CLEANUP(buf_fini);
    buf_init(&text, LIMIT_VALUE_BYTES);
    for (uint32_t i = 0; i < all.n; i++) {
        buf_printf(&text, "%s%.*s=", i ? "\n" : "", STR_ARG(sorted[i].key));
        buf_json(&text, val_text(&sorted[i].v));
    }
    return buf_dup(a, &text);
}
