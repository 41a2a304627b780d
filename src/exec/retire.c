/* What goes by itself: artifacts by their artifactGC, steps' directories by podGC, claims by volumeClaimGC,
 * finished runs by ttlStrategy, and in the end by archive_ttl. What is to go later is a value of no run, "due/TIME/WHAT/ID" in order of
 * time; whoever is the engine then does it. Files go once the transaction is committed, on the pool.
 * Runs on: the loop thread. */
#include "base/fail.h"
#include "base/limits.h"
#include "doc/json.h"
#include "lang/duration.h"
#include "os/clock.h"
#include "resource/selector.h"
#include "exec/exec_p.h"

enum { NO_RUN = 0, POD_GC_DELAY_US = 5000000, END_US = 1000 /* until the end of a run is committed, or more */ };

#define SWEPT_KEY STR("swept")
#define DAY_US (86400 * (int64_t)1000000)
#define SOON_US (60 * (int64_t)1000000)
#define SECOND_US ((int64_t)1000000)
#define HOUR_US (3600 * (int64_t)1000000)

/* ---- later ---- */

static struct str due_time(struct exec *x, int64_t at_us) { return str_fmt(&x->scratch, "due/%020lld", (long long)at_us); }

/* What can wait goes in whole seconds, so that what thousands of steps leave goes together. */
static bool due_add(struct exec *x, int64_t at_us, const char *what, int64_t id, struct err *e)
{
    if (at_us - clock_now_us() >= 1000000) at_us = (at_us + 999999) / 1000000 * 1000000;
    struct str key = str_fmt(&x->scratch, "%.*s/%s/%lld", STR_ARG(due_time(x, at_us)), what, (long long)id);
    if (!x->due_us || at_us < x->due_us) x->due_us = at_us;
    return store_value_put(x->store, NO_RUN, key, STR(""), e);
}

struct due {
    struct exec *x;
    VEC(struct str) keys; /* in x->scratch */
};

static bool due_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct due *d = ctx;
    (void)bytes;
    (void)e;
    VEC_PUSH(&d->keys, str_dup(&d->x->scratch, key));
    return true;
}

static bool sweep_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct exec *x = ctx;
    (void)bytes;
    (void)e;
    x->sweep_due |= str_find(key, STR("/sweep/"), 0) > 0;
    return true;
}

/* One is always due some day: each gives way to the next. Looked for once, because there may be many others. */
static bool sweep_ensure(struct exec *x, int64_t now_us, struct err *e)
{
    if (x->sweep_due) return true;
    if (!store_values_load_prefix(x->store, NO_RUN, STR("due/"), sweep_see, x, e)) return false;
    if (x->sweep_due) return true;
    x->sweep_due = true;
    return exec_begin(x, e) && due_add(x, now_us + DAY_US, "sweep", 0, e);
}

/* When the first of what is not due yet will be. */
static bool due_next(struct exec *x, int64_t now_us, struct err *e)
{
    struct str key, part;
    struct err none = {0};
    int64_t at;
    if (!store_value_next(&x->scratch, x->store, NO_RUN, due_time(x, now_us + 1), &key, &none)) {
        if (none.code == ERR_NOT_FOUND) return true;
        *e = none;
        return false;
    }
    bool is_due = str_cut(key, '/', &part, &key) && str_is(part, "due") && str_cut(key, '/', &part, &key) && str_to_i64(part, &at);
    if (is_due && (!x->due_us || at < x->due_us)) x->due_us = at;
    return true;
}

static void step_dir_drop(struct exec *x, int64_t step)
{
    struct str dir = step_dir_path(&x->scratch, x->o.state_dir, (uint64_t)step);
    VEC_PUSH(&x->dead, mem_strdup(dir.p));
}

/* Behind the last one that the search before this one, which did not reach the end, has looked at. */
static size_t sweep_first(struct exec *x, const struct str *ids, size_t n)
{
    struct str last;
    struct err none;
    if (n <= LIMIT_SWEEP_CONTENTS || !store_value_get(&x->scratch, x->store, NO_RUN, SWEPT_KEY, &last, &none)) return 0;
    for (size_t i = 0; i < n; i++)
        if (str_cmp(ids[i], last) > 0) return i;
    return 0;
}

/* Contents that no row shows: an engine died between taking one in and its commit. Only while no step is
 * under way, because what a step gave is taken in once more when an engine finds it again. */
static bool contents_sweep(struct exec *x, struct err *e)
{
    struct str *ids;
    size_t n;
    if (x->jobs.n) return due_add(x, clock_now_us() + SOON_US, "sweep", 0, e);
    if (!artifact_list(&x->scratch, x->repo, &ids, &n, e)) return false;
    size_t first = sweep_first(x, ids, n), some = MIN(n, LIMIT_SWEEP_CONTENTS);
    for (size_t i = 0; i < some; i++) {
        struct str id = ids[(first + i) % n];
        int64_t uses = 1;
        if (!store_content_uses(x->store, id, &uses, e)) return false;
        if (!uses) VEC_PUSH(&x->dead_contents, mem_strdup(str_z(&x->scratch, id)));
    }
    if (some < n && !store_value_put(x->store, NO_RUN, SWEPT_KEY, ids[(first + some - 1) % n], e)) return false;
    return due_add(x, clock_now_us() + DAY_US, "sweep", 0, e);
}

static bool too_old_drop(struct exec *x, int64_t run, struct err *e)
{
    struct run_row row;
    struct err gone;
    return !store_run_get(&x->scratch, x->store, run, &row, &gone) || exec_delete(x, &row, e);
}

/* Finished runs that are too old, some at a time; looked for when an engine begins, and then each hour. A run may have gone
 * with the one that owned it. */
static bool archive_sweep(struct exec *x, int64_t now_us, struct err *e)
{
    struct run_filter f = {.completed = 1, .finished_before_us = now_us - x->archive_ttl_us, .limit = LIMIT_ARCHIVE_SWEEP};
    struct run_page page;
    if (!x->archive_ttl_us) return true;
    if (now_us >= x->archive_at_us) {
        if (!store_run_list(&x->scratch, x->store, &f, &page, e)) return false;
        x->archive_at_us = now_us + (page.next ? SECOND_US : HOUR_US);
        for (size_t i = 0; i < page.n; i++)
            if (!too_old_drop(x, page.rows[i].run, e)) return false;
    }
    if (!x->due_us || x->archive_at_us < x->due_us) x->due_us = x->archive_at_us;
    return true;
}

/* Its row says whether it is completed; of one that has just ended that is written with the commit, which comes first. */
static bool run_due(struct exec *x, int64_t run, struct err *e)
{
    struct run_row row;
    struct err gone;
    for (size_t i = 0; i < x->over.n; i++)
        if (x->over.items[i]->id == run) return due_add(x, clock_now_us() + END_US, "run", run, e);
    return !store_run_get(&x->scratch, x->store, run, &row, &gone) || !row.completed || exec_delete(x, &row, e);
}

static bool due_do(struct exec *x, struct str key, struct err *e)
{
    struct str part, what, id_text;
    int64_t id;
    str_cut(key, '/', &part, &key);
    str_cut(key, '/', &part, &key);
    if (!str_cut(key, '/', &what, &id_text) || !str_to_i64(id_text, &id)) return true;
    if (str_is(what, "step")) step_dir_drop(x, id);
    if (str_is(what, "sweep")) return contents_sweep(x, e);
    return !str_is(what, "run") || run_due(x, id, e);
}

bool retire_due(struct exec *x, struct err *e)
{
    struct due d = {.x = x};
    int64_t now_us = clock_now_us();
    x->due_us = 0;
    bool ok = sweep_ensure(x, now_us, e) &&
              store_values_load_between(x->store, NO_RUN, STR("due/"), due_time(x, now_us + 1), due_see, &d, e) && due_next(x, now_us, e);
    if (ok && d.keys.n) ok = exec_begin(x, e);
    for (size_t i = 0; ok && i < d.keys.n; i++)
        ok = store_value_del(x->store, NO_RUN, d.keys.items[i], e) && due_do(x, d.keys.items[i], e);
    VEC_FINI(&d.keys);
    return ok && archive_sweep(x, now_us, e);
}

/* ---- artifacts ---- */

/* Which of the run's artifacts is to go when: noted when it is kept. */
bool artifact_gc_note(struct active *l, const struct val *art, struct str key, struct err *e)
{
    struct exec *x = l->x;
    struct str strategy = val_text(val_path(art, "artifactGC.strategy"));
    if (!strategy.n) strategy = val_text(val_path(&l->workflow, "spec.artifactGC.strategy"));
    if (!strategy.n || str_is(strategy, "Never")) return true;
    l->gc_noted = true;
    return store_value_put(x->store, l->id, str_fmt(&x->scratch, "gc/%.*s", STR_ARG(key)), strategy, e);
}

struct collecting {
    struct exec *x;
    const char *strategy; /* NULL: whatever is not yet gone */
    VEC(struct str) keys, steps;
};

static bool gc_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct collecting *c = ctx;
    (void)e;
    if (!c->strategy || str_is(bytes, c->strategy)) VEC_PUSH(&c->keys, str_dup(&c->x->scratch, str_from(key, STR("gc/").n)));
    return true;
}

static bool dir_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct collecting *c = ctx;
    (void)key;
    (void)e;
    VEC_PUSH(&c->steps, str_dup(&c->x->scratch, bytes));
    return true;
}

/* The row, and the content when no other key shows it. One that somebody removed already is fine. */
static bool artifact_drop(struct exec *x, struct str ns, struct str key, struct err *e)
{
    struct artifact_row row;
    struct err gone;
    int64_t uses = 0;
    if (!store_artifact_get(&x->scratch, x->store, ns, key, &row, &gone)) return true;
    if (!store_artifact_delete(x->store, ns, key, e) || !store_content_uses(x->store, row.content, &uses, e)) return false;
    if (!uses) VEC_PUSH(&x->dead_contents, mem_strdup(str_z(&x->scratch, row.content)));
    return true;
}

static bool artifacts_drop(struct exec *x, int64_t run, struct str ns, const char *strategy, struct err *e)
{
    struct collecting c = {.x = x, .strategy = strategy};
    bool ok = store_values_load_prefix(x->store, run, STR("gc/"), gc_see, &c, e);
    for (size_t i = 0; ok && i < c.keys.n; i++)
        ok = artifact_drop(x, ns, c.keys.items[i], e) &&
             store_value_del(x->store, run, str_fmt(&x->scratch, "gc/%.*s", STR_ARG(c.keys.items[i])), e);
    VEC_FINI(&c.keys);
    VEC_FINI(&c.steps);
    return ok;
}

/* ---- a step and a run that are over ---- */

static struct str pod_gc(const struct active *l) { return val_text(val_path(&l->workflow, "spec.podGC.strategy")); }

static int64_t pod_gc_delay_us(const struct active *l)
{
    struct str text = val_text(val_path(&l->workflow, "spec.podGC.deleteDelayDuration"));
    int64_t ns;
    struct err e;
    return text.n && duration_parse_seconds(text, &ns, &e) ? ns / 1000 : POD_GC_DELAY_US;
}

/* By the labels that its pod would have; without a selector all are meant. A selector that is none selects nothing, nor does any a pod
 * whose labels cannot be made: neither is the engine's failure. */
static bool pod_gc_selects(struct active *l, struct node *n)
{
    struct arena *a = &l->x->scratch;
    const struct val *by = val_path(&l->workflow, "spec.podGC.labelSelector");
    struct selector sel;
    struct val labels;
    struct err ignored;
    if (!by || !by->n) return true;
    return selector_from_val(a, by, &sel, &ignored) && pod_labels(l, n, &labels, &ignored) && selector_matches(&sel, &labels);
}

struct earlier {
    struct str prefix;
    VEC(int64_t) steps;
};

static bool earlier_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct earlier *x = ctx;
    int64_t s;
    (void)bytes;
    (void)e;
    if (str_to_i64(str_from(key, x->prefix.n), &s)) VEC_PUSH(&x->steps, s);
    return true;
}

/* The steps of the containers that ended sooner go as the last one does. */
static bool containers_retire(struct active *l, struct node *n, int64_t last, struct err *e)
{
    struct earlier x = {.prefix = str_fmt(&l->x->scratch, "setgc/%u/", node_index(node_pod(n)))};
    bool ok = store_values_load_prefix(l->x->store, l->id, x.prefix, earlier_see, &x, e);
    for (size_t i = 0; ok && i < x.steps.n; i++) {
        struct str key = str_fmt(&l->x->scratch, "%.*s%lld", STR_ARG(x.prefix), (long long)x.steps.items[i]);
        ok = store_value_del(l->x->store, l->id, key, e);
        if (ok && x.steps.items[i] != last) ok = retire_step(l, node_pod(n), x.steps.items[i], e);
    }
    VEC_FINI(&x.steps);
    return ok;
}

bool retire_step(struct active *l, struct node *n, int64_t step, struct err *e)
{
    struct exec *x = l->x;
    struct str strategy = pod_gc(l);
    if (!strategy.n) return true;
    if (!phase_fulfilled(node_phase(node_pod(n)))) /* a container before the others: with the last one */
        return store_value_put(x->store, l->id, str_fmt(&x->scratch, "setgc/%u/%lld", node_index(node_pod(n)), (long long)step),
                               STR(""), e);
    if ((node_container(n).p || node_parts(n)) && !containers_retire(l, n, step, e)) return false;
    if (!pod_gc_selects(l, node_pod(n))) return true;
    bool now = str_is(strategy, "OnPodCompletion") ||
               (str_is(strategy, "OnPodSuccess") && node_phase(node_pod(n)) == NODE_SUCCEEDED);
    if (now) return due_add(x, clock_now_us() + pod_gc_delay_us(l), "step", step, e);
    struct str key = str_fmt(&x->scratch, "podgc/%lld", (long long)step);
    return !str_starts(strategy, STR("OnWorkflow")) || store_value_put(x->store, l->id, key, STR(""), e);
}

struct steps_due {
    struct active *l;
    int64_t at_us;
    VEC(int64_t) steps;
};

static bool step_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct steps_due *s = ctx;
    int64_t step;
    (void)bytes;
    (void)e;
    if (str_to_i64(str_from(key, 6), &step)) VEC_PUSH(&s->steps, step);
    return true;
}

static bool steps_retire(struct active *l, bool well, struct err *e)
{
    struct str strategy = pod_gc(l);
    struct steps_due s = {.l = l, .at_us = clock_now_us() + pod_gc_delay_us(l)};
    if (!str_is(strategy, "OnWorkflowCompletion") && !(str_is(strategy, "OnWorkflowSuccess") && well)) return true;
    bool ok = store_values_load_prefix(l->x->store, l->id, STR("podgc/"), step_see, &s, e);
    for (size_t i = 0; ok && i < s.steps.n; i++) ok = due_add(l->x, s.at_us, "step", s.steps.items[i], e);
    VEC_FINI(&s.steps);
    return ok;
}

/* A claim made for this run alone; without a strategy it is kept for a retry when the run went wrong. */
static void claims_retire(struct active *l, bool well)
{
    struct exec *x = l->x;
    const struct val *list = val_path(&l->workflow, "spec.volumeClaimTemplates");
    struct str strategy = val_text(val_path(&l->workflow, "spec.volumeClaimGC.strategy")), ns = run_namespace(l->run);
    if (!well && !str_is(strategy, "OnWorkflowCompletion")) return;
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str name = val_text(val_path(&list->items[i], "metadata.name"));
        if (!name.n || str_find_char(name, '/', 0) >= 0) continue;
        struct str dir = str_fmt(&x->scratch, "%.*s/volumes/%.*s/%.*s-%.*s", STR_ARG(x->o.state_dir), STR_ARG(ns),
                                 STR_ARG(run_name(l->run)), STR_ARG(name));
        VEC_PUSH(&x->dead, mem_strdup(dir.p));
    }
}

static bool ttl_us(const struct active *l, bool well, int64_t *out)
{
    const struct val *ttl = val_path(&l->workflow, "spec.ttlStrategy");
    const struct val *own = val_get(ttl, well ? STR("secondsAfterSuccess") : STR("secondsAfterFailure"));
    const struct val *any = val_get(ttl, STR("secondsAfterCompletion"));
    int64_t s;
    if (!own) own = any;
    if (!own || !val_i64(own, &s) || s < 0 || s > INT32_MAX) return false;
    *out = s * 1000000;
    return true;
}

bool retire_run(struct active *l, struct err *e)
{
    enum node_phase phase;
    int64_t ttl;
    bool well = run_phase(l->run, &phase) && phase == NODE_SUCCEEDED;
    claims_retire(l, well);
    bool dropped = !l->gc_noted || artifacts_drop(l->x, l->id, run_namespace(l->run), "OnWorkflowCompletion", e);
    return dropped && steps_retire(l, well, e) &&
           (!ttl_us(l, well, &ttl) || due_add(l->x, clock_now_us() + ttl, "run", l->id, e));
}

/* ---- deleting ---- */

bool run_rows_delete(struct exec *x, const struct run_row *row, struct err *e)
{
    struct collecting c = {.x = x};
    bool ok = artifacts_drop(x, row->run, row->ns, NULL, e) && store_values_load_prefix(x->store, row->run, STR("step/"), dir_see, &c, e) &&
              store_values_load_prefix(x->store, row->run, STR("lost/"), dir_see, &c, e) &&
              store_run_delete(x->store, row->run, clock_now_us(), e);
    for (size_t i = 0; ok && i < c.steps.n; i++) {
        int64_t step;
        if (str_to_i64(c.steps.items[i], &step)) step_dir_drop(x, step);
    }
    if (ok) VEC_PUSH(&x->dead, mem_strdup(str_fmt(&x->scratch, "%.*s/pods/%.*s", STR_ARG(x->o.state_dir), STR_ARG(row->uid)).p));
    VEC_FINI(&c.keys);
    VEC_FINI(&c.steps);
    return ok;
}

/* Nobody refers to these any more: it is committed. */
void retired_remove(struct exec *x)
{
    if (x->dead.n || x->dead_contents.n) fail_point(FAIL_RETIRE);
    for (size_t i = 0; i < x->dead.n; i++) {
        rubbish_add(x, x->dead.items[i], false);
        free(x->dead.items[i]);
    }
    for (size_t i = 0; i < x->dead_contents.n; i++) {
        content_drop(x, str_of(x->dead_contents.items[i]));
        free(x->dead_contents.items[i]);
    }
    x->dead.n = x->dead_contents.n = 0;
}

/* It was rolled back: all of it stays. */
void retired_keep(struct exec *x)
{
    for (size_t i = 0; i < x->dead.n; i++) free(x->dead.items[i]);
    for (size_t i = 0; i < x->dead_contents.n; i++) free(x->dead_contents.items[i]);
    x->dead.n = x->dead_contents.n = 0;
}
