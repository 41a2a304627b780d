/* A submitted Workflow made complete: name, uid, parameters, references merged in. */
#include "base/id.h"
#include "base/rfc3339.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "service/service_p.h"
#include "spec/merge.h"

static struct val with(struct arena *a, const struct val *map, const char *key, struct val v)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++)
        map_add(&b, map->map[i].key, map->map[i].v);
    map_set(&b, str_of(key), v);
    struct val out = map_done(&b);
    if (map) out.file = map->file, out.line = map->line, out.col = map->col;
    return out;
}

struct str uuid_random(struct arena *a)
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    return uuid_text(a, bytes);
}

static struct val metadata(struct arena *a, const struct val *doc, const struct submit_opts *o,
                           const struct val *ref)
{
    struct val meta = val_null;
    struct str template_label = val_get_str(ref, "name");
    const struct val *cluster = val_get(ref, STR("clusterScope"));
    const char *label = cluster && cluster->kind == VAL_BOOL && cluster->b ? "workflows.argoproj.io/cluster-workflow-template"
                                                                           : "workflows.argoproj.io/workflow-template";
    const struct val *given = val_get(doc, STR("metadata"));
    struct str name = val_get_str(given, "name"), base = val_get_str(given, "generateName");
    struct str ns = val_get_str(given, "namespace");
    if (o->generate_name.n) base = o->generate_name, name = STR_NONE;
    if (o->name.n) name = o->name;
    if (!name.n) name = str_cat(a, base.n ? base : STR("workflow-"), name_suffix(a, random_u64()));
    if (!ns.n) ns = o->ns.n ? o->ns : STR("default"); /* as argo submit: the document's own comes first */
    meta = with(a, given, "name", val_of_str(name));
    meta = with(a, &meta, "namespace", val_of_str(ns));
    meta = with(a, &meta, "uid", val_of_str(o->uid.n ? o->uid : uuid_random(a)));
    meta = with(a, &meta, "creationTimestamp", val_of_str(rfc3339(a, clock_now_us())));
    const struct val *own = val_get(&meta, STR("labels"));
    if (!template_label.n && !o->n_labels) return meta;
    struct val labels = own ? *own : (struct val){.kind = VAL_MAP};
    if (template_label.n)
        labels = with(a, &labels, label, val_of_str(template_label));
    for (size_t i = 0; i < o->n_labels; i++)
        labels = with(a, &labels, str_z(a, o->labels[i].name), val_of_str(o->labels[i].value));
    return with(a, &meta, "labels", labels);
}

/* -p name=value: replaces a declared parameter's value or adds one (argo submit -p). */
static struct val parameters(struct arena *a, const struct val *spec, const struct submit_opts *o)
{
    const struct val *args = val_get(spec, STR("arguments")), *list = val_get(args, STR("parameters"));
    struct val_builder b;
    list_begin(&b, a);
    for (uint32_t i = 0; list && i < list->n; i++) {
        struct val p = list->items[i];
        for (size_t k = 0; k < o->n_params; k++)
            if (str_eq(val_get_str(&p, "name"), o->params[k].name))
                p = with(a, &p, "value", val_of_str(o->params[k].value));
        list_add(&b, p);
    }
    for (size_t k = 0; k < o->n_params; k++) {
        bool known = false, later = false;
        for (uint32_t i = 0; list && i < list->n; i++)
            known = known || str_eq(val_get_str(&list->items[i], "name"), o->params[k].name);
        for (size_t i = k + 1; i < o->n_params; i++)
            later = later || str_eq(o->params[i].name, o->params[k].name);
        if (known || later) continue;
        struct val p = with(a, NULL, "name", val_of_str(o->params[k].name));
        list_add(&b, with(a, &p, "value", val_of_str(o->params[k].value)));
    }
    struct val all = list_done(&b), with_params = with(a, args, "parameters", all);
    return all.n ? with(a, spec, "arguments", with_params) : *spec;
}

struct val workflow_override(struct arena *a, const struct val *doc, const struct submit_opts *o)
{
    const struct val *given = val_get(doc, STR("spec"));
    if (!given || (!o->entrypoint.n && !o->n_params)) return *doc;
    struct val spec = *given;
    if (o->entrypoint.n) spec = with(a, &spec, "entrypoint", val_of_str(o->entrypoint));
    return with(a, doc, "spec", parameters(a, &spec, o));
}

static bool template_spec(struct arena *a, struct service *s, const struct val *ref, struct str ns,
                          struct val *out, struct err *e)
{
    const struct val *cluster = val_get(ref, STR("clusterScope"));
    bool is_cluster = cluster && cluster->kind == VAL_BOOL && cluster->b;
    struct resource_key key = {
        .kind = is_cluster ? RESOURCE_CLUSTER_WORKFLOW_TEMPLATE : RESOURCE_WORKFLOW_TEMPLATE,
        .ns = ns, .name = val_get_str(ref, "name")};
    struct val doc;
    if (!resource_get(a, service_store(s), &key, &doc, e)) return err_ctx(e, "workflowTemplateRef");
    const struct val *spec = val_get(&doc, STR("spec"));
    *out = spec ? *spec : val_null;
    return true;
}

bool workflow_complete(struct arena *a, struct service *s, const struct val *doc,
                       const struct submit_opts *o, struct val *out, struct err *e)
{
    struct val own = workflow_override(a, doc, o);
    const struct val *given = val_get(&own, STR("spec"));
    const struct val *ref = val_get(given, STR("workflowTemplateRef"));
    struct val meta = metadata(a, doc, o, ref);
    struct val spec = given ? *given : val_null, base;
    /* both become parts of host paths */
    if (!dns_subdomain_check(val_get_str(&meta, "name"), e)) return err_ctx(e, "metadata.name");
    if (!dns_subdomain_check(val_get_str(&meta, "namespace"), e)) return err_ctx(e, "metadata.namespace");
    if (ref) {
        if (!template_spec(a, s, ref, val_get_str(&meta, "namespace"), &base, e)) return false;
        spec = merge_workflow_spec(a, &spec, &base, NULL);
    }
    spec = merge_spec_defaults(a, &spec);
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("spec"), spec);
    *out = map_done(&b);
    return true;
}
