/* Reading: one workflow whole, many in short, where the logs of one lie. */
#include "base/limits.h"
#include "base/id.h"
#include "base/map.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "os/clock.h"
#include "resource/selector.h"
#include "service/service_p.h"

/* ---- names ---- */

static bool no_state(struct service *s, struct err *e)
{
    if (service_store(s)) return false;
    err_set(e, ERR_NOT_FOUND, "no workflow was ever run in '%.*s'", STR_ARG(s->o.state_dir));
    return true;
}

static bool newest(struct arena *a, struct service *s, const struct run_filter *f, const char *what,
                   struct run_page *page, struct err *e)
{
    if (!store_run_list(a, service_store(s), f, page, e)) return false;
    return page->n > 0 || err_set(e, ERR_NOT_FOUND, "no workflow %s", what);
}

bool service_find(struct arena *a, struct service *s, struct str ns, struct str name,
                  struct workflow_ref *out, struct err *e)
{
    struct run_filter f = {.ns = ns, .limit = 2};
    struct run_page page;
    struct run_row row;
    if (no_state(s, e)) return false;
    if (str_is(name, "@latest")) {
        if (!newest(a, s, &f, "in this namespace", &page, e)) return false;
        *out = (struct workflow_ref){page.rows[0].ns, page.rows[0].name};
        return true;
    }
    if (store_run_find(a, service_store(s), ns, name, &row, e)) {
        *out = (struct workflow_ref){row.ns, row.name};
        return true;
    }
    if (e->code != ERR_NOT_FOUND) return false;
    f.prefix = name;
    if (!newest(a, s, &f, str_fmt(a, "'%.*s' in namespace '%.*s'", STR_ARG(name), STR_ARG(ns)).p, &page, e))
        return false;
    if (page.n > 1)
        return err_set(e, ERR_NOT_FOUND, "no workflow '%.*s', and several begin so: '%.*s', '%.*s', …", STR_ARG(name),
                       STR_ARG(page.rows[0].name), STR_ARG(page.rows[1].name));
    *out = (struct workflow_ref){page.rows[0].ns, page.rows[0].name};
    return true;
}

bool service_metrics(struct arena *a, struct service *s, struct str *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct metrics *m = metrics_new();
    bool ok = !no_state(s, e) && exec_metrics_read(service_store(s), m, e);
    if (ok) metrics_write(&b, m, "argo_workflows_", clock_now_us());
    if (ok) *out = buf_dup(a, &b);
    metrics_free(m);
    return ok;
}

bool service_phase(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str *phase, bool *ended,
                   struct err *e)
{
    struct run_row row;
    if (no_state(s, e) || !store_run_find(a, service_store(s), ref->ns, ref->name, &row, e)) return false;
    *phase = row.phase;
    *ended = row.completed;
    return true;
}

/* ---- whole ---- */

struct reading {
    struct arena *a;
    VEC(struct val) nodes; /* by index */
    VEC(struct str) ids;
    VEC(struct val) parents; /* lists of indexes */
    struct val status;
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
    return map_done(&map);
}

static bool read_value(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct reading *x = ctx;
    return !str_is(key, "status") || json_parse(x->a, bytes, NULL, &x->status, e);
}

/* Argo mirrors phase and completion in labels, and clients select by them. */
static struct val with_labels(struct arena *a, const struct val *meta, const struct run_row *row)
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

bool service_get(struct arena *a, struct service *s, struct str ns, struct str name, struct val *out,
                 struct err *e)
{
    struct reading x = {.a = a};
    struct run_row row;
    struct str doc;
    struct val wf, nodes;
    if (no_state(s, e)) return false;
    struct store *st = service_store(s);
    if (!store_run_find(a, st, ns, name, &row, e) || !store_run_doc(a, st, row.run, &doc, e) ||
        !json_parse(a, doc, NULL, &wf, e))
        return false;
    bool ok = store_nodes_load(st, row.run, read_node, &x, e) && store_values_load(st, row.run, read_value, &x, e);
    nodes = nodes_map(&x);
    if (!ok) return false;
    struct val_builder b, status;
    map_begin(&status, a);
    for (uint32_t i = 0; x.status.kind == VAL_MAP && i < x.status.n; i++)
        map_add(&status, x.status.map[i].key, x.status.map[i].v);
    map_set(&status, STR("nodes"), nodes);
    map_begin(&b, a);
    for (uint32_t i = 0; i < wf.n; i++)
        map_add(&b, wf.map[i].key, str_is(wf.map[i].key, "metadata") ? with_labels(a, &wf.map[i].v, &row) : wf.map[i].v);
    map_set(&b, STR("status"), map_done(&status));
    *out = map_done(&b);
    return true;
}

/* ---- many ---- */

static struct val short_form(struct arena *a, const struct run_row *row)
{
    struct val_builder b, m, st;
    struct val labels = {.kind = VAL_MAP};
    json_parse(a, row->labels, NULL, &labels, NULL);
    map_begin(&m, a);
    map_add_str(&m, "name", row->name);
    map_add_str(&m, "namespace", row->ns);
    map_add_str(&m, "uid", row->uid);
    map_add_str(&m, "creationTimestamp", rfc3339(a, row->created_us));
    map_add(&m, STR("labels"), labels);
    struct val meta = map_done(&m);
    map_begin(&st, a);
    map_add_str(&st, "phase", row->phase);
    map_add_str(&st, "startedAt", rfc3339(a, row->started_us));
    map_add_str(&st, "finishedAt", rfc3339(a, row->finished_us));
    if (row->message.n) map_add_str(&st, "message", row->message);
    if (row->progress.n) map_add_str(&st, "progress", row->progress);
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), with_labels(a, &meta, row));
    map_add(&b, STR("status"), map_done(&st));
    return map_done(&b);
}

bool service_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e)
{
    struct run_filter f = {.ns = o->ns, .phases = o->phases, .n_phases = o->n_phases, .prefix = o->prefix,
                           .completed = o->completed, .created_after_us = o->created_after_us,
                           .finished_before_us = o->finished_before_us};
    struct selector sel;
    struct val_builder list;
    bool ok = true;
    list_begin(&list, a);
    if (o->selector.n && !selector_parse(a, o->selector, &sel, e)) return list_done(&list), false;
    while (ok && service_store(s)) {
        struct run_page page;
        ok = store_run_list(a, service_store(s), &f, &page, e);
        for (size_t i = 0; ok && i < page.n && (!o->limit || list.n < o->limit); i++) {
            struct val v = short_form(a, &page.rows[i]);
            if (!o->selector.n || selector_matches(&sel, val_path(&v, "metadata.labels"))) list_add(&list, v);
        }
        if (!ok || !(f.before_run = page.next) || (o->limit && list.n >= o->limit)) break;
    }
    *out = list_done(&list);
    return ok;
}

/* ---- logs ---- */

struct finding {
    struct arena *a;
    struct service *s;
    const struct run_row *run;
    VEC(struct step_log) logs;
    struct map steps; /* node index -> step id, as texts */
};

static bool find_step(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct finding *x = ctx;
    struct str *id = ARENA_NEW(x->a, struct str);
    (void)e;
    if (!str_starts(key, STR("step/"))) return true;
    *id = str_dup(x->a, bytes);
    map_set_ptr(&x->steps, str_dup(x->a, str_from(key, 5)), id);
    return true;
}

static bool find_log(void *ctx, const struct node_row *row, struct err *e)
{
    struct finding *x = ctx;
    struct arena *a = x->a;
    struct str *id = map_ptr(&x->steps, str_fmt(a, "%u", row->idx));
    struct val v;
    int64_t step;
    if (!id || !str_to_i64(*id, &step)) return true;
    if (!json_parse(a, row->status, NULL, &v, e)) return false;
    struct str tmpl = val_get_str(&v, "templateName"), name = val_get_str(&v, "name");
    struct str shown = val_get_str(&v, "displayName"), container = STR("main");
    bool of_set = str_is(val_get_str(&v, "type"), "Container") && name.n > shown.n;
    if (of_set) { /* "POD.CONTAINER" */
        container = shown;
        name = str_sub(name, 0, name.n - shown.n - 1);
    }
    struct step_log log = {
        .node_id = str_dup(a, row->id), .template_name = tmpl, .container = container, .of_set = of_set,
        .display_name = shown,
        .pod_name = pod_name(a, x->run->name, tmpl, name),
        .path = exec_step_log_path(a, x->s->o.state_dir, step),
        .finished = val_get(&v, STR("finishedAt")) && val_get(&v, STR("finishedAt"))->kind == VAL_STR,
    };
    rfc3339_parse(val_get_str(&v, "startedAt"), &log.started_us);
    VEC_PUSH(&x->logs, log);
    return true;
}

bool service_logs(struct arena *a, struct service *s, struct str ns, struct str name,
                  struct step_log **out, size_t *n, struct err *e)
{
    struct run_row row;
    struct finding x = {.a = a, .s = s, .run = &row};
    if (no_state(s, e)) return false;
    struct store *st = service_store(s);
    bool ok = store_run_find(a, st, ns, name, &row, e) && store_values_load(st, row.run, find_step, &x, e) &&
              store_nodes_load(st, row.run, find_log, &x, e);
    *n = x.logs.n;
    *out = ARENA_ARRAY(a, struct step_log, x.logs.n + 1);
    if (x.logs.n) memcpy(*out, x.logs.items, x.logs.n * sizeof **out);
    VEC_FINI(&x.logs);
    map_fini(&x.steps);
    return ok;
}
