/* Reading: one workflow whole, many in short. */
#include "base/limits.h"
#include "base/id.h"
#include "base/map.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "engine/engine.h"
#include "os/clock.h"
#include "resource/selector.h"
#include "service/service_p.h"

/* ---- names ---- */

bool no_state(struct service *s, struct err *e)
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

bool service_find_uid(struct arena *a, struct service *s, struct str uid, struct workflow_ref *out, struct err *e)
{
    struct run_row row;
    if (no_state(s, e) || !store_run_find_uid(a, service_store(s), uid, &row, e)) return false;
    *out = (struct workflow_ref){row.ns, row.name};
    return true;
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
    if (service_find_uid(a, s, name, out, e)) return true;
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
    if (s->exec) {
        exec_metrics_write(s->exec, &b);
        *out = buf_dup(a, &b);
        return true;
    }
    struct metrics *m = metrics_new();
    bool ok = !no_state(s, e) && exec_metrics_read(service_store(s), m, e);
    if (ok) metrics_write(&b, m, "argo_workflows_", clock_now_us());
    if (ok) *out = buf_dup(a, &b);
    metrics_free(m);
    return ok;
}

struct stats *service_stats(struct service *s) { return s->exec ? exec_stats(s->exec) : NULL; }

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

bool service_get(struct arena *a, struct service *s, struct str ns, struct str name, struct val *out,
                 struct err *e)
{
    struct run_row row;
    if (no_state(s, e)) return false;
    return store_run_find(a, service_store(s), ns, name, &row, e) &&
           exec_workflow(a, service_store(s), &row, true, out, e);
}

/* ---- many ---- */

/* Of runs at work and of those that were stopped the list shows more than their phase. */
static struct val short_spec(struct arena *a, struct store *st, const struct run_row *row)
{
    struct val priv = val_null;
    struct str text;
    struct err absent;
    bool worth = !row->completed || str_is(row->phase, "Failed");
    if (worth && store_value_get(a, st, row->run, STR("private"), &text, &absent))
        json_parse(a, text, NULL, &priv, NULL);
    struct val spec = exec_workflow_spec(a, NULL, &priv);
    int64_t priority;
    if (!store_value_get(a, st, row->run, STR(EXEC_PRIORITY_KEY), &text, &absent) || !str_to_i64(text, &priority)) return spec;
    return map_with(a, &spec, "priority", val_of_i64(a, priority));
}

struct val run_short_form(struct arena *a, struct store *s, const struct run_row *row)
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
    map_add(&b, STR("metadata"), exec_workflow_meta(a, &meta, row));
    struct val spec = short_spec(a, s, row);
    if (spec.n) map_add(&b, STR("spec"), spec);
    map_add(&b, STR("status"), map_done(&st));
    return map_done(&b);
}

bool service_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e)
{
    struct run_filter f = {.ns = o->ns, .phases = o->phases, .n_phases = o->n_phases, .prefix = o->prefix,
                           .completed = o->completed, .created_after_us = o->created_after_us,
                           .finished_before_us = o->finished_before_us};
    struct selector sel, fields;
    struct val_builder list;
    bool ok = true;
    list_begin(&list, a);
    if (!selector_parse(a, o->selector, &sel, e) || !field_selector_parse(a, o->fields, &fields, e))
        return list_done(&list), false;
    while (ok && service_store(s)) {
        struct run_page page;
        ok = store_run_list(a, service_store(s), &f, &page, e);
        for (size_t i = 0; ok && i < page.n && (!o->limit || list.n < o->limit); i++) {
            struct val v = run_short_form(a, service_store(s), &page.rows[i]);
            if (selector_matches(&sel, val_path(&v, "metadata.labels")) && field_selector_matches(&fields, &v))
                list_add(&list, v);
        }
        if (!ok || !(f.before_run = page.next) || (o->limit && list.n >= o->limit)) break;
    }
    *out = list_done(&list);
    return ok;
}
