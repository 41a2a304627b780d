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
        {"cwf", RESOURCE_CRON_WORKFLOW},                  {"cwftmpl", RESOURCE_CLUSTER_WORKFLOW_TEMPLATE},
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
    if (kind == RESOURCE_CLUSTER_WORKFLOW_TEMPLATE) ref = map_with(a, &ref, STR("clusterScope"), val_of_bool(true));
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
        struct val made = cron_workflow(a, &doc, STR_NONE, clock_now_us());
        *out = owner_ref_add(a, &made, &(struct owner_ref){STR("argoproj.io/v1alpha1"), STR("CronWorkflow"), key.name, val_text(val_path(&doc, "metadata.uid")), true});
        return true;
    }
    struct val meta = text_map(a, "generateName", str_fmt(a, "%.*s-", STR_ARG(key.name)));
    meta = map_with(a, &meta, STR("namespace"), val_of_str(ns));
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("spec"), refer_spec(a, key.kind, key.name));
    *out = map_done(&b);
    return true;
}

/* ---- what a request says besides ---- */

/* Only the local repository has keys here. */
static bool key_set(struct arena *a, const struct val *artifact, struct str key, struct val *out, struct err *e)
{
    static const char *const keyless[] = {"artifactory", "azure", "from", "fromExpression", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw"};
    for (size_t i = 0; i < ARRAY_LEN(keyless); i++)
        if (val_get(artifact, str_of(keyless[i])))
            return err_set(e, ERR_SPEC, "failed to set key for artifact %.*s: it comes from `%s`", STR_ARG(val_get_str(artifact, "name")), keyless[i]);
    struct val s3 = map_with(a, val_get(artifact, STR("s3")), STR("key"), val_of_str(key));
    *out = map_with(a, artifact, STR("s3"), s3);
    return true;
}

static const struct param *override_of(const struct from_more *m, struct str name)
{
    for (size_t i = m->n_artifacts; i-- > 0;) /* of several the last counts */
        if (str_eq(m->artifacts[i].name, name)) return &m->artifacts[i];
    return NULL;
}

/* Those of `from` that have got another key, and with `all` the others as well. */
static bool artifacts_of(struct arena *a, const struct val *from, bool all, const struct from_more *m, struct val *out, struct err *e)
{
    struct val_builder list;
    struct val one;
    list_begin(&list, a);
    for (uint32_t i = 0; from && from->kind == VAL_LIST && i < from->n; i++) {
        const struct param *p = override_of(m, val_get_str(&from->items[i], "name"));
        if (p && !key_set(a, &from->items[i], p->value, &one, e)) return false;
        if (p || all) list_add(&list, p ? one : from->items[i]);
    }
    *out = list_done(&list);
    return true;
}

static bool all_matched(const struct val *artifacts, const struct from_more *m, struct err *e)
{
    for (size_t i = 0; i < m->n_artifacts; i++) {
        bool found = false;
        for (uint32_t k = 0; !found && k < artifacts->n; k++) found = str_eq(val_get_str(&artifacts->items[k], "name"), m->artifacts[i].name);
        if (!found) return err_set(e, ERR_SPEC, "artifact override(s) matched no artifact: %.*s", STR_ARG(m->artifacts[i].name));
    }
    return true;
}

/* The artifacts of a workflow that refers to a template stand there; what is given for them takes their place. */
static bool artifacts_override(struct arena *a, struct service *s, struct str ns, const struct from_more *m, struct val *spec, struct err *e)
{
    const struct val *ref = val_get(spec, STR("workflowTemplateRef")), *cluster = val_get(ref, STR("clusterScope"));
    const struct val *from = val_path(spec, "arguments.artifacts");
    enum service_kind kind = cluster && cluster->b ? SERVICE_CLUSTER_TEMPLATE : SERVICE_TEMPLATE;
    struct val stored, artifacts;
    if (ref && !service_object_get(a, s, kind, ns, val_get_str(ref, "name"), &stored, e)) return false;
    if (ref) from = val_path(&stored, "spec.arguments.artifacts");
    if (!artifacts_of(a, from, !ref, m, &artifacts, e) || !all_matched(&artifacts, m, e)) return false;
    *spec = map_with(a, spec, STR("arguments"), map_with(a, val_get(spec, STR("arguments")), STR("artifacts"), artifacts));
    return true;
}

bool service_from_more(struct arena *a, struct service *s, const struct from_more *more, struct val *workflow, struct err *e)
{
    const struct val *given = val_get(workflow, STR("spec"));
    struct val spec = given ? *given : (struct val){.kind = VAL_MAP}, meta = *val_get(workflow, STR("metadata"));
    if (more->pod_priority_class.n) spec = map_with(a, &spec, STR("podPriorityClassName"), val_of_str(more->pod_priority_class));
    if (more->n_artifacts && !artifacts_override(a, s, val_get_str(&meta, "namespace"), more, &spec, e)) return false;
    if (more->owner) {
        struct val_builder owners;
        const struct val *own = val_get(&meta, STR("ownerReferences"));
        list_begin(&owners, a);
        for (uint32_t i = 0; own && i < own->n; i++) list_add(&owners, own->items[i]);
        list_add(&owners, *more->owner);
        meta = map_with(a, &meta, STR("ownerReferences"), list_done(&owners));
    }
    *workflow = map_with(a, workflow, STR("metadata"), meta);
    *workflow = map_with(a, workflow, STR("spec"), spec);
    return true;
}
