/* A workflow as one object: its document, its status, and its nodes when they are wanted. */
#include "base/map.h"
#include "doc/json.h"
#include "exec/exec_p.h"

struct reading {
    struct arena *a;
    VEC(struct val) nodes; /* by index */
    VEC(struct str) ids;
    VEC(struct val) parents; /* lists of indexes */
    struct val status, priv;
    struct map libraries; /* "KIND/NAME" -> documents that the run has used */
};

static bool read_node(void *ctx, const struct node_row *row, struct err *e)
{
    struct reading *x = ctx;
    struct val v, priv;
    if (!json_parse(x->a, row->status, NULL, &v, e) || !json_parse(x->a, row->private, NULL, &priv, e)) return false;
    const struct val *up = val_get(&priv, STR("u"));
    VEC_PUSH(&x->nodes, v);
    VEC_PUSH(&x->ids, str_dup(x->a, row->id));
    VEC_PUSH(&x->parents, up ? *up : val_null);
    return true;
}

/* Children stand with the children (engine.h, node_write_status); here they come back to their
 * parents. Rows are in index order without gaps. */
static struct val nodes_map(struct reading *x)
{
    struct arena *a = x->a;
    size_t n = x->nodes.n;
    struct val_builder map, *kids = ARENA_ARRAY(a, struct val_builder, n + 1);
    for (size_t i = 0; i < n; i++) list_begin(&kids[i], a);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; x->parents.items[i].kind == VAL_LIST && k < x->parents.items[i].n; k++) {
            int64_t p = -1;
            if (val_i64(&x->parents.items[i].items[k], &p) && p >= 0 && (size_t)p < n)
                list_add(&kids[p], val_of_str(x->ids.items[i]));
        }
    map_begin(&map, a);
    for (size_t i = 0; i < n; i++) {
        struct val list = list_done(&kids[i]), v = x->nodes.items[i];
        struct val_builder b;
        map_begin(&b, a);
        for (uint32_t m = 0; m < v.n; m++) map_add(&b, v.map[m].key, v.map[m].v);
        if (list.n) map_set(&b, STR("children"), list);
        map_add(&map, x->ids.items[i], map_done(&b));
    }
    VEC_FINI(&x->nodes);
    VEC_FINI(&x->ids);
    VEC_FINI(&x->parents);
    struct val all = map_done(&map);
    return nodes_sum(a, &all);
}

static bool read_value(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct reading *x = ctx;
    if (str_is(key, "private")) return json_parse(x->a, bytes, NULL, &x->priv, e);
    if (str_starts(key, STR(EXEC_DOC_KEY))) {
        struct val *doc = ARENA_NEW(x->a, struct val);
        map_set_ptr(&x->libraries, str_dup(x->a, str_from(key, sizeof EXEC_DOC_KEY - 1)), doc);
        return json_parse(x->a, str_dup(x->a, bytes), NULL, doc, e);
    }
    return !str_is(key, "status") || json_parse(x->a, bytes, NULL, &x->status, e);
}

struct val exec_workflow_meta(struct arena *a, const struct val *meta, const struct run_row *row)
{
    struct val_builder m, l;
    const struct val *labels = val_get(meta, STR("labels"));
    map_begin(&l, a);
    for (uint32_t i = 0; labels && i < labels->n; i++) map_add(&l, labels->map[i].key, labels->map[i].v);
    map_set(&l, STR("workflows.argoproj.io/completed"), val_of_str(row->completed ? STR("true") : STR("false")));
    map_set(&l, STR("workflows.argoproj.io/phase"), val_of_str(row->phase));
    map_begin(&m, a);
    for (uint32_t i = 0; meta && i < meta->n; i++) map_add(&m, meta->map[i].key, meta->map[i].v);
    map_set(&m, STR("resourceVersion"), val_of_str(str_fmt(a, "%lld", (long long)row->rv)));
    map_set(&m, STR("labels"), map_done(&l));
    return map_done(&m);
}

static int64_t asked(const struct val *priv, const char *what)
{
    int64_t n = 0;
    const struct val *v = val_get(priv, str_of(what));
    return v && val_i64(v, &n) ? n : 0;
}

const struct val *exec_given_spec(const struct val *stored)
{
    const struct val *given = val_get(stored, STR(EXEC_GIVEN));
    return given ? given : val_get(stored, STR("spec"));
}

struct val exec_workflow_spec(struct arena *a, const struct val *spec, const struct val *priv)
{
    struct val_builder b;
    int64_t stop = asked(priv, "stop");
    map_begin(&b, a);
    for (uint32_t i = 0; spec && i < spec->n; i++)
        if (!str_is(spec->map[i].key, "suspend")) map_add(&b, spec->map[i].key, spec->map[i].v);
    if (asked(priv, "suspended")) map_set(&b, STR("suspend"), val_of_bool(true));
    if (stop) map_set(&b, STR("shutdown"), val_of_str(stop == STOP_STOP ? STR("Stop") : STR("Terminate")));
    return map_done(&b);
}

/* What a node was made of, as Argo names it in status.storedTemplates (workflow_types.go
 * resolveTemplateReference); false: a template of the workflow's own. */
static bool library_of(struct arena *a, const struct val *node, struct str *at, struct str *library, struct str *name)
{
    const struct val *ref = val_get(node, STR("templateRef"));
    struct str scope = val_get_str(node, "templateScope"), kind;
    if (str_is(val_get_str(node, "type"), "Skipped")) return false; /* nobody looked it up */
    *name = val_get_str(ref ? ref : node, ref ? "template" : "templateName");
    const struct val *cluster = val_get(ref, STR("clusterScope"));
    bool of_cluster = cluster && cluster->kind == VAL_BOOL && cluster->b;
    if (ref) scope = str_fmt(a, "%s/%.*s", of_cluster ? "cluster" : "namespaced", STR_ARG(val_get_str(ref, "name")));
    if (!name->n || !str_cut(scope, '/', &kind, library) || str_is(kind, "local")) return false;
    *library = str_cat(a, str_is(kind, "cluster") ? STR("ClusterWorkflowTemplate/") : STR("WorkflowTemplate/"), *library);
    *at = str_fmt(a, "%.*s/%.*s", STR_ARG(scope), STR_ARG(*name));
    return true;
}

static const struct val *template_named(const struct val *doc, struct str name)
{
    const struct val *list = val_path(doc, "spec.templates");
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

bool exec_templates_load(struct arena *a, struct store *st, int64_t run, struct exec_templates *out, struct err *e)
{
    struct reading x = {.a = a};
    struct str doc;
    bool ok = store_run_doc(a, st, run, &doc, e) && json_parse(a, doc, NULL, &out->workflow, e) && store_values_load(st, run, read_value, &x, e);
    out->libraries = x.libraries;
    return ok;
}

void exec_templates_fini(struct exec_templates *t) { map_fini(&t->libraries); }

const struct val *exec_template_of(struct arena *a, const struct exec_templates *t, const struct val *node, bool *unknown)
{
    struct str at, library, name = STR_NONE;
    bool foreign = library_of(a, node, &at, &library, &name);
    const struct val *doc = foreign ? map_ptr(&t->libraries, library) : &t->workflow;
    *unknown = !doc;
    return template_named(doc, name);
}

/* The templates of other documents as they were when the run first used them. */
static struct val stored_templates(struct reading *x, const struct val *nodes)
{
    struct val_builder b;
    struct map seen = {0};
    map_begin(&b, x->a);
    for (uint32_t i = 0; x->libraries.n && i < nodes->n; i++) {
        struct str at, library, name;
        if (!library_of(x->a, &nodes->map[i].v, &at, &library, &name) || map_ptr(&seen, at)) continue;
        const struct val *tmpl = template_named(map_ptr(&x->libraries, library), name);
        if (!tmpl) continue;
        map_set_ptr(&seen, at, (void *)(uintptr_t)tmpl);
        map_add(&b, at, *tmpl);
    }
    map_fini(&seen);
    return map_done(&b);
}

static struct val status_of(struct reading *x, const struct val *wf, const struct val *nodes)
{
    const struct val *spec = val_get(wf, STR("spec"));
    struct val_builder b;
    map_begin(&b, x->a);
    for (uint32_t i = 0; x->status.kind == VAL_MAP && i < x->status.n; i++)
        map_add(&b, x->status.map[i].key, x->status.map[i].v);
    if (val_get(spec, STR("workflowTemplateRef"))) map_set(&b, STR("storedWorkflowTemplateSpec"), *spec);
    if (!nodes) return map_done(&b);
    struct val stored = stored_templates(x, nodes);
    if (stored.n) map_set(&b, STR("storedTemplates"), stored);
    map_set(&b, STR("nodes"), *nodes);
    return map_done(&b);
}

bool exec_workflow(struct arena *a, struct store *st, const struct run_row *row, bool with_nodes, struct val *out,
                   struct err *e)
{
    struct reading x = {.a = a};
    struct str doc;
    struct val wf, nodes;
    if (!store_run_doc(a, st, row->run, &doc, e) || !json_parse(a, doc, NULL, &wf, e)) return false;
    bool ok = (!with_nodes || store_nodes_load(st, row->run, read_node, &x, e)) &&
              store_values_load(st, row->run, read_value, &x, e);
    nodes = nodes_map(&x);
    struct val status = ok ? status_of(&x, &wf, with_nodes ? &nodes : NULL) : val_null;
    map_fini(&x.libraries);
    if (!ok) return false;
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; i < wf.n; i++) {
        struct val v = wf.map[i].v;
        if (str_is(wf.map[i].key, "metadata")) v = exec_workflow_meta(a, &v, row);
        if (str_is(wf.map[i].key, EXEC_GIVEN)) continue;
        if (str_is(wf.map[i].key, "spec")) v = exec_workflow_spec(a, exec_given_spec(&wf), &x.priv);
        map_add(&b, wf.map[i].key, v);
    }
    map_set(&b, STR("status"), status);
    *out = map_done(&b);
    return true;
}
