/* argo submit --from KIND/NAME (common/convert.go, util.go NewWorkflowFromWorkflowTemplate). */
#include "engine/cron.h"
#include "os/clock.h"
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

bool service_from(struct arena *a, struct service *s, struct str ns, struct str from, struct val *out, struct err *e)
{
    struct resource_key key = {.ns = ns};
    struct val_builder b;
    struct val doc;
    struct str kind;
    if (!str_cut(from, '/', &kind, &key.name) || !kind_read(kind, &key.kind))
        return err_set(e, ERR_USAGE, "--from is workflowtemplate/NAME, clusterworkflowtemplate/NAME or cronworkflow/NAME, "
                       "not '%.*s'", STR_ARG(from));
    enum service_kind stored = key.kind == RESOURCE_CRON_WORKFLOW ? SERVICE_CRON : key.kind == RESOURCE_WORKFLOW_TEMPLATE
                                 ? SERVICE_TEMPLATE : SERVICE_CLUSTER_TEMPLATE;
    if (!service_object_get(a, s, stored, ns, key.name, &doc, e)) return false;
    if (key.kind == RESOURCE_CRON_WORKFLOW) {
        *out = cron_workflow(a, &doc, STR_NONE, clock_now_us());
        return true;
    }
    struct val meta = text_map(a, "generateName", str_fmt(a, "%.*s-", STR_ARG(key.name)));
    meta = map_with(a, &meta, "namespace", val_of_str(ns));
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("spec"), refer_spec(a, key.kind, key.name));
    *out = map_done(&b);
    return true;
}
