/* argo submit --from KIND/NAME (common/convert.go, util.go NewWorkflowFromWorkflowTemplate). */
#include "resource/resource.h"
#include "service/service_p.h"

static bool kind_read(struct str word, enum resource_kind_id *out)
{
    static const struct { const char *word; enum resource_kind_id kind; } also[] = {
        {"workflowtemplate", RESOURCE_WORKFLOW_TEMPLATE}, {"wftmpl", RESOURCE_WORKFLOW_TEMPLATE},
        {"cwft", RESOURCE_CLUSTER_WORKFLOW_TEMPLATE},     {"cronwf", RESOURCE_CRON_WORKFLOW},
        {"cwf", RESOURCE_CRON_WORKFLOW},
    };
    for (size_t i = 0; i < ARRAY_LEN(also); i++)
        if (str_is(word, also[i].word)) return *out = also[i].kind, true;
    return resource_kind_find(word, out) && (*out == RESOURCE_WORKFLOW_TEMPLATE ||
           *out == RESOURCE_CLUSTER_WORKFLOW_TEMPLATE || *out == RESOURCE_CRON_WORKFLOW);
}

static struct val text_map(struct arena *a, const char *key, struct str value)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, key, value);
    return map_done(&b);
}

static struct val refer_spec(struct arena *a, enum resource_kind_id kind, struct str name)
{
    struct val_builder b;
    struct val ref = text_map(a, "name", name);
    if (kind == RESOURCE_CLUSTER_WORKFLOW_TEMPLATE) ref = map_with(a, &ref, "clusterScope", val_of_bool(true));
    map_begin(&b, a);
    map_add(&b, STR("workflowTemplateRef"), ref);
    return map_done(&b);
}

/* Labels and annotations of spec.workflowMetadata go along with a CronWorkflow's workflow. */
static struct val cron_meta(struct arena *a, const struct val *cron, struct val meta, struct str name)
{
    static const char *const kinds[] = {"labels", "annotations"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct val *given = val_get(val_path(cron, "spec.workflowMetadata"), str_of(kinds[k]));
        struct val map = given && given->kind == VAL_MAP ? *given : (struct val){.kind = VAL_MAP};
        if (k == 0) map = map_with(a, &map, "workflows.argoproj.io/cron-workflow", val_of_str(name));
        if (map.n) meta = map_with(a, &meta, kinds[k], map);
    }
    return meta;
}

bool service_from(struct arena *a, struct service *s, struct str ns, struct str from, struct val *out, struct err *e)
{
    struct resource_key key = {.ns = ns};
    struct val_builder b;
    struct val doc;
    struct str kind;
    if (!str_cut(from, '/', &kind, &key.name) || !kind_read(kind, &key.kind))
        return err_set(e, ERR_USAGE, "--from is workflowtemplate/NAME, clusterworkflowtemplate/NAME or cronworkflow/NAME, "
                       "not '%.*s'", STR_ARG(from));
    if (!service_store(s) || !resource_get(a, service_store(s), &key, &doc, e))
        return service_store(s) ? false : err_set(e, ERR_NOT_FOUND, "nothing is stored in this state directory");
    bool cron = key.kind == RESOURCE_CRON_WORKFLOW;
    const struct val *spec = val_path(&doc, "spec.workflowSpec");
    struct val meta = text_map(a, "generateName", str_fmt(a, "%.*s-", STR_ARG(key.name)));
    meta = map_with(a, &meta, "namespace", val_of_str(ns));
    if (cron) meta = cron_meta(a, &doc, meta, key.name);
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("spec"), cron ? (spec ? *spec : val_null) : refer_spec(a, key.kind, key.name));
    *out = map_done(&b);
    return true;
}
