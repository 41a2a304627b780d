/* A submitted Workflow made complete: name, uid, parameters, references merged in. */
#include "base/id.h"
#include "base/rfc3339.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "service/service_p.h"
#include "spec/merge.h"

struct str uuid_random(struct arena *a)
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    return uuid_text(a, bytes);
}

/* metadata with more labels or annotations */
static struct val with_pairs(struct arena *a, const struct val *meta, const char *key, const struct param *p, size_t n)
{
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < n; i++) map_add(&b, p[i].name, val_of_str(p[i].value));
    struct val more = map_done(&b);
    return map_with(a, meta, str_of(key), map_with_all(a, val_get(meta, str_of(key)), &more));
}

static struct str namespace_of(const struct submit_opts *o)
{
    return o->ns.n ? o->ns : STR("default");
}

static bool is_cluster(const struct val *ref)
{
    const struct val *cluster = val_get(ref, STR("clusterScope"));
    return cluster && cluster->kind == VAL_BOOL && cluster->b;
}

/* As Kubernetes' API server: another one when it is taken. */
static struct str name_make(struct arena *a, struct service *s, struct str ns, struct str base)
{
    enum { TRIES = 8 };
    struct str name = STR_NONE;
    struct run_row row;
    struct err absent;
    bool taken = true;
    for (int i = 0; taken && i < TRIES; i++) {
        name = str_cat(a, base.n ? base : STR("workflow-"), name_suffix(a, random_u64()));
        struct store *st = service_store(s);
        taken = st && store_run_find(a, st, ns, name, &row, &absent);
    }
    return name;
}

static struct val metadata(struct arena *a, struct service *s, const struct val *doc, const struct submit_opts *o,
                           const struct val *ref)
{
    struct val meta = val_null;
    const struct val *given = val_get(doc, STR("metadata"));
    struct str name = val_get_str(given, "name"), base = val_get_str(given, "generateName");
    struct str ns = val_get_str(given, "namespace");
    if (o->generate_name.n) base = o->generate_name, name = STR_NONE;
    if (o->name.n) name = o->name;
    if (!ns.n) ns = namespace_of(o); /* as argo submit: the document's own comes first */
    if (!name.n) name = name_make(a, s, ns, base);
    meta = map_with(a, given, STR("name"), val_of_str(name));
    if (o->generate_name.n) meta = map_with(a, &meta, STR("generateName"), val_of_str(base)); /* a copy is named after it */
    meta = map_with(a, &meta, STR("namespace"), val_of_str(ns));
    meta = map_with(a, &meta, STR("uid"), val_of_str(o->uid.n ? o->uid : uuid_random(a)));
    meta = map_with(a, &meta, STR("creationTimestamp"), val_of_str(rfc3339(a, clock_now_us())));
    if (o->n_annotations) meta = with_pairs(a, &meta, "annotations", o->annotations, o->n_annotations);
    struct param from = {is_cluster(ref) ? STR("workflows.argoproj.io/cluster-workflow-template")
                                         : STR("workflows.argoproj.io/workflow-template"), val_get_str(ref, "name")};
    if (from.value.n) meta = with_pairs(a, &meta, "labels", &from, 1);
    return o->n_labels ? with_pairs(a, &meta, "labels", o->labels, o->n_labels) : meta;
}

static const struct val *declared(const struct val *list, struct str name)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

/* Of several with one name the last counts. */
static bool said_again(const struct submit_opts *o, size_t k)
{
    for (size_t i = k + 1; i < o->n_params; i++)
        if (str_eq(o->params[i].name, o->params[k].name)) return true;
    return false;
}

static bool overridden(const struct submit_opts *o, struct str name)
{
    for (size_t i = 0; i < o->n_params; i++)
        if (str_eq(o->params[i].name, name)) return true;
    return false;
}

/* -p name=value, as argo submit -p: these first, each in place of the whole declaration (valueFrom, enum and all). */
static struct val parameters(struct arena *a, const struct val *spec, const struct submit_opts *o)
{
    const struct val *args = val_get(spec, STR("arguments")), *list = val_get(args, STR("parameters"));
    struct val_builder b;
    if (!o->n_params) return *spec;
    list_begin(&b, a);
    for (size_t k = 0; k < o->n_params; k++) {
        const struct val *was = declared(list, o->params[k].name);
        if (said_again(o, k)) continue;
        struct val p = map_with(a, NULL, STR("name"), val_of_str(o->params[k].name));
        p = map_with(a, &p, STR("value"), val_of_str(o->params[k].value));
        if (was) p.file = was->file, p.line = was->line, p.col = was->col;
        list_add(&b, p);
    }
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (!overridden(o, val_get_str(&list->items[i], "name"))) list_add(&b, list->items[i]);
    struct val all = list_done(&b);
    return map_with(a, spec, STR("arguments"), map_with(a, args, STR("parameters"), all));
}

struct val workflow_override(struct arena *a, const struct val *doc, const struct submit_opts *o)
{
    const struct val *given = val_get(doc, STR("spec"));
    int64_t priority;
    if (!given) return *doc;
    struct val spec = *given;
    if (o->service_account.n) spec = map_with(a, &spec, STR("serviceAccountName"), val_of_str(o->service_account));
    if (o->priority.n && str_to_i64(o->priority, &priority)) spec = map_with(a, &spec, STR("priority"), val_of_i64(a, priority));
    if (o->entrypoint.n) spec = map_with(a, &spec, STR("entrypoint"), val_of_str(o->entrypoint));
    return map_with(a, doc, STR("spec"), parameters(a, &spec, o));
}

static bool template_spec(struct arena *a, struct service *s, const struct val *ref, struct str ns,
                          struct val *out, struct err *e)
{
    struct val doc;
    enum service_kind kind = is_cluster(ref) ? SERVICE_CLUSTER_TEMPLATE : SERVICE_TEMPLATE;
    if (!service_object_get(a, s, kind, ns, val_get_str(ref, "name"), &doc, e)) return err_ctx(e, "workflowTemplateRef");
    const struct val *spec = val_get(&doc, STR("spec"));
    *out = spec ? *spec : val_null;
    return true;
}

/* Both specs and the metadata; `given` is what the submission said, `spec` what will run. */
static bool assembled(struct arena *a, struct service *s, const struct val *doc, const struct submit_opts *o, const struct val *given,
                      const struct val *spec, struct val *out, struct err *e)
{
    struct val meta = metadata(a, s, doc, o, val_get(given, STR("workflowTemplateRef")));
    struct val_builder b;
    /* both become parts of host paths */
    if (!dns_subdomain_check(val_get_str(&meta, "name"), e)) return err_ctx(e, "metadata.name");
    if (!dns_subdomain_check(val_get_str(&meta, "namespace"), e)) return err_ctx(e, "metadata.namespace");
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("spec"), *spec);
    if (given && !val_eq(given, spec)) map_add(&b, STR(EXEC_GIVEN), *given);
    *out = map_done(&b);
    return true;
}

static struct val renamed(struct arena *a, struct val meta, const struct submit_opts *o)
{
    if (o->generate_name.n) {
        meta = map_without(a, &meta, STR("name"));
        meta = map_with(a, &meta, STR("generateName"), val_of_str(o->generate_name));
    }
    return o->name.n ? map_with(a, &meta, STR("name"), val_of_str(o->name)) : meta;
}

struct val service_cron_override(struct arena *a, const struct val *cron, const struct submit_opts *o, struct str schedule)
{
    static const struct val empty = {.kind = VAL_MAP};
    const struct val *spec = val_get(cron, STR("spec")), *meta = val_get(cron, STR("metadata"));
    const struct val *child = val_get(spec, STR("workflowMetadata")), *run = val_get(spec, STR("workflowSpec"));
    struct val_builder b;
    struct val mine = spec ? *spec : empty, inner = map_with(a, NULL, STR("spec"), run ? *run : empty);
    inner = workflow_override(a, &inner, o);
    mine = map_with(a, &mine, STR("workflowSpec"), *val_get(&inner, STR("spec")));
    if (schedule.n) {
        list_begin(&b, a);
        list_add(&b, val_of_str(schedule));
        mine = map_with(a, &mine, STR("schedules"), list_done(&b));
    }
    if (o->n_labels) mine = map_with(a, &mine, STR("workflowMetadata"), with_pairs(a, child ? child : &empty, "labels", o->labels, o->n_labels));
    struct val out = map_with(a, cron, STR("spec"), mine);
    return map_with(a, &out, STR("metadata"), renamed(a, meta ? *meta : empty, o));
}

struct val workflow_to_send(struct arena *a, const struct val *doc, const struct submit_opts *o)
{
    struct val v = workflow_override(a, doc, o);
    const struct val *given = val_get(doc, STR("metadata"));
    struct val meta = renamed(a, given ? *given : (struct val){.kind = VAL_MAP}, o);
    if (!val_get_str(&meta, "name").n && !val_get_str(&meta, "generateName").n)
        meta = map_with(a, &meta, STR("generateName"), val_of_str(STR("workflow-")));
    if (!val_get_str(&meta, "namespace").n) meta = map_with(a, &meta, STR("namespace"), val_of_str(namespace_of(o)));
    if (o->n_annotations) meta = with_pairs(a, &meta, "annotations", o->annotations, o->n_annotations);
    if (o->n_labels) meta = with_pairs(a, &meta, "labels", o->labels, o->n_labels);
    return map_with(a, &v, STR("metadata"), meta);
}

bool workflow_complete(struct arena *a, struct service *s, const struct val *doc,
                       const struct submit_opts *o, struct val *out, struct err *e)
{
    struct val own = workflow_override(a, doc, o);
    const struct val *given = val_get(&own, STR("spec"));
    const struct val *ref = val_get(given, STR("workflowTemplateRef"));
    struct str ns = val_text(val_path(doc, "metadata.namespace"));
    struct val spec = given ? *given : val_null, base;
    if (!ns.n) ns = namespace_of(o);
    if (ref) {
        if (!template_spec(a, s, ref, ns, &base, e)) return false;
        spec = merge_workflow_spec(a, &spec, &base, NULL);
    }
    spec = merge_spec_defaults(a, &spec);
    return assembled(a, s, doc, o, given, &spec, out, e);
}

struct val workflow_stored_override(struct arena *a, const struct val *stored, const struct submit_opts *o)
{
    const struct val *given = val_get(stored, STR(EXEC_GIVEN));
    struct val v = workflow_override(a, stored, o);
    if (!given) return v;
    struct val other = map_with(a, NULL, STR("spec"), *given);
    other = workflow_override(a, &other, o);
    return map_with(a, &v, STR(EXEC_GIVEN), *val_get(&other, STR("spec")));
}

bool workflow_copy(struct arena *a, struct service *s, const struct val *stored, const struct submit_opts *o, struct val *out, struct err *e)
{
    struct val v = workflow_stored_override(a, stored, o);
    return assembled(a, s, stored, o, exec_given_spec(&v), val_get(&v, STR("spec")), out, e);
}
