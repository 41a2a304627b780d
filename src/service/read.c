/* Reading: one workflow, by any of its names. Many: list.c. */
#include "base/limits.h"
#include "base/id.h"
#include "base/map.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "engine/engine.h"
#include "os/clock.h"
#include "resource/selector.h"
#include "service/remote_p.h"

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
    if (s->remote) return remote_find_uid(a, s, STR_NONE, uid, out, e);
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
    if (!name.n) return err_set(e, ERR_NOT_FOUND, "no workflow has an empty name"); /* which every name begins with */
    if (s->remote) return remote_find(a, s, ns, name, out, e);
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
    f.name = name;
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
    if (s->remote) return remote_text(a, s->remote, "/metrics", out, e);
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

bool service_version(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    return service_ask(a, s, "GET", "/api/v1/version", STR_NONE, out, e) &&
           (!s->remote || val_get(out, STR("version")) || remote_strange(s->remote, "no version", e));
}

struct stats *service_stats(struct service *s) { return s->exec ? exec_stats(s->exec) : NULL; }

bool service_phase(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str *phase, bool *ended,
                   struct err *e)
{
    struct run_row row;
    if (s->remote) return remote_phase(a, s, ref, phase, ended, e);
    if (no_state(s, e) || !store_run_find(a, service_store(s), ref->ns, ref->name, &row, e)) return false;
    *phase = row.phase;
    *ended = row.completed;
    return true;
}

/* ---- whole ---- */

bool service_get_part(struct arena *a, struct service *s, const struct workflow_ref *ref, bool nodes, struct val *out,
                      struct err *e)
{
    struct run_row row;
    if (s->remote) return remote_get_part(a, s, ref, nodes, out, e);
    if (no_state(s, e)) return false;
    return store_run_find(a, service_store(s), ref->ns, ref->name, &row, e) &&
           exec_workflow(a, service_store(s), &row, nodes, out, e);
}

bool service_get(struct arena *a, struct service *s, struct str ns, struct str name, struct val *out,
                 struct err *e)
{
    return service_get_part(a, s, &(struct workflow_ref){ns, name}, true, out, e);
}
