/* Runs in memory: what the engine decided goes into the transaction, its actions become jobs. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/random.h"
#include "exec/op_p.h"

enum { ROW_MAX = 256 << 20 };

struct active *active_new(struct exec *x, int64_t id, const struct val *workflow)
{
    struct active *l = mem_zalloc(sizeof *l);
    *l = (struct active){.x = x, .id = id, .at = x->lives.n};
    arena_init(&l->arena);
    l->workflow = val_copy(&l->arena, workflow);
    VEC_PUSH(&x->lives, l);
    return l;
}

void active_free(struct active *l)
{
    throttle_remove(l->ticket);
    budget_run_over(l);
    run_free(l->run);
    map_fini(&l->estimates);
    trace_free(l->trace);
    arena_fini(&l->arena);
    free(l->jobs);
    free(l->ops);
    free(l->requests);
    pod_networks_free(l);
    VEC_FINI(&l->waiting);
    free(l);
}

void active_forget(struct active *l)
{
    struct exec *x = l->x;
    struct active *last = VEC_POP(&x->lives);
    if (last != l) {
        x->lives.items[l->at] = last;
        last->at = l->at;
    }
    active_free(l);
}

static bool put_node(struct active *l, const struct node *n, struct buf *status, struct buf *priv,
                     struct err *e)
{
    struct exec *x = l->x;
    struct arena *a = &x->scratch;
    buf_reset(status);
    buf_reset(priv);
    node_write_status(status, l->run, n);
    node_write_private(priv, l->run, n);
    if (status->overflow || priv->overflow)
        return err_set(e, ERR_LIMIT, "node '%.*s' is larger than a row may be", STR_ARG(node_name(n)));
    struct node_row row = {.run = l->id, .idx = node_index(n), .id = node_id_text(a, l->run, n),
                           .status = buf_view(status), .private = buf_view(priv)};
    struct change_row change = {.run = l->id, .kind = STR("node"), .payload = row.status};
    trace_node(l, n, &row);
    return store_node_put(x->store, &row, e) && store_change_add(x->store, &change, NULL, e);
}

static bool put_run(struct active *l, struct buf *b, struct err *e)
{
    struct exec *x = l->x;
    struct val status, priv;
    buf_reset(b);
    run_write_private(b, l->run);
    if (!store_value_put(x->store, l->id, STR("private"), buf_view(b), e)) return false;
    if (!json_parse(&x->scratch, buf_view(b), NULL, &priv, e)) return false;
    buf_reset(b);
    run_write_status(b, l->run);
    if (!store_value_put(x->store, l->id, STR("status"), buf_view(b), e)) return false;
    if (!json_parse(&x->scratch, buf_view(b), NULL, &status, e)) return false;
    struct run_row row = {.run = l->id, .phase = val_get_str(&status, "phase"),
                          .message = val_get_str(&status, "message"),
                          .progress = val_get_str(&status, "progress"), .completed = run_is_done(l->run)};
    const struct val *s = val_get(&priv, STR("s")), *f = val_get(&priv, STR("f"));
    if (s) val_i64(s, &row.started_us);
    if (f) val_i64(f, &row.finished_us);
    unsigned fields = RUN_PHASE | RUN_STARTED | RUN_FINISHED | RUN_MESSAGE | RUN_PROGRESS | RUN_COMPLETED;
    if (!row.message.p) row.message = STR("");
    if (!row.progress.p) row.progress = STR("");
    struct change_row change = {.run = l->id, .kind = STR("workflow"), .payload = buf_view(b)};
    measure_run(l, &row);
    trace_run(l, &row);
    return store_run_update(x->store, &row, fields, e) && store_change_add(x->store, &change, NULL, e);
}

bool active_persist(struct active *l, const struct outbox *out, struct err *e)
{
    struct buf status CLEANUP(buf_fini), priv CLEANUP(buf_fini);
    bool ok = true;
    buf_init(&status, ROW_MAX);
    buf_init(&priv, ROW_MAX);
    for (size_t i = 0; ok && i < out->n_dirty; i++) ok = put_node(l, out->dirty[i], &status, &priv, e);
    if (ok && out->n_dirty && !out->run_dirty && !l->stale) ok = store_run_update(l->x->store, &(struct run_row){.run = l->id}, 0, e); /* its version */
    if (!out->run_dirty || l->stale) return ok;
    l->stale = true;
    VEC_PUSH(&l->x->stale, l);
    return ok;
}

bool actives_flush(struct exec *x, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    bool ok = true;
    buf_init(&b, ROW_MAX);
    for (size_t i = 0; i < x->stale.n; i++) {
        x->stale.items[i]->stale = false;
        ok = ok && put_run(x->stale.items[i], &b, e);
    }
    x->stale.n = 0;
    return ok;
}

static bool act(struct active *l, const struct action *a, struct err *e)
{
    struct exec *x = l->x;
    struct job *j;
    switch (a->kind) {
    case ACTION_START: return op_is(a->tmpl) ? op_new(l, a->node, e) : job_new(l, a->node, a->part, e) != NULL;
    case ACTION_KILL:
        op_kill(l, a->node);
        if (!(j = job_of(l, a->node, a->part)) || j->in_kills) return true;
        j->in_kills = true;
        VEC_PUSH(&x->kills, j);
        return true;
    case ACTION_REQUEST: return request_new(l, a->node, e);
    case ACTION_CANCEL: return request_cancel(l, a->node, e);
    case ACTION_DONE:
        if (l->over) return true;
        VEC_PUSH(&x->over, l);
        l->over = true;
        throttle_remove(l->ticket);
        l->ticket = NULL;
        timetable_note(x, &l->workflow);
        return retire_run(l, e);
    }
    return false;
}

bool active_event(struct active *l, const struct outbox *given, struct err *e)
{
    struct outbox mine = *given;
    const struct outbox *out = &mine;
    bool told;
    if (!active_metrics(l, out, &told, e)) return false;
    mine.run_dirty = mine.run_dirty || told;
    if (!active_persist(l, out, e)) return false;
    for (size_t i = 0; i < out->n_actions; i++)
        if (!act(l, &out->actions[i], e)) return false;
    for (size_t i = 0; i < out->n_dirty; i++) {
        struct node *n = out->dirty[i];
        if (!node_has_containers(n)) continue;
        budget_settle(l, n); /* a set may be ended between two tries of a container: no job will tell */
        pod_network_drop(l, n);
    }
    timer_note(l);
    arena_reset(&l->x->scratch);
    return locks_pump(l->x, e);
}

static struct str labels_json(struct arena *a, const struct val *workflow)
{
    const struct val *labels = val_path(workflow, "metadata.labels");
    return labels && labels->n ? json_text(a, labels) : STR("{}");
}

/* Kept with the run, because steps that are to come need it too; what it refers to is held as well. */
static bool memo_put(struct active *l, const struct val *memo, struct err *e)
{
    struct exec *x = l->x;
    struct str ns = val_text(val_path(&l->workflow, "metadata.namespace"));
    for (uint32_t i = 0; i < memo->n; i++) {
        const struct val *list = val_path(&memo->map[i].v, "outputs.artifacts");
        for (uint32_t k = 0; list && k < list->n; k++) {
            struct str key = val_text(val_path(&list->items[k], "s3.key"));
            if (key.n && !store_artifact_ref(x->store, l->id, ns, key, e)) return false;
        }
    }
    return store_value_put(x->store, l->id, STR("memo"), json_text(&x->scratch, memo), e);
}

/* The object as it is once spec.workflowMetadata is applied. */
static struct val labelled(struct exec *x, struct active *l, const struct val *workflow)
{
    struct run_opts opts = {.workflow = workflow, .lookup = exec_lookup, .lookup_ctx = l};
    struct err e;
    struct val meta, out = *workflow;
    struct val_builder b;
    if (!val_path(workflow, "spec.workflowMetadata")) return out;
    struct run *r = run_new(&opts, &e);
    if (r && run_metadata(&x->scratch, r, &meta, &e)) {
        map_begin(&b, &x->scratch);
        for (uint32_t i = 0; i < workflow->n; i++) map_add(&b, workflow->map[i].key, workflow->map[i].v);
        map_set(&b, STR("metadata"), meta);
        out = map_done(&b);
    }
    run_free(r);
    return out;
}

/* NULL: it cannot be run. */
static struct active *active_make(struct exec *x, const struct val *workflow, const struct val *memo, struct err *e)
{
    struct active *l = active_new(x, 0, workflow);
    struct run_opts opts = active_opts(l);
    opts.seed = random_u64() >> 1;
    opts.estimated_s = estimate_of_run(l);
    if (memo) {
        struct val *own = ARENA_NEW(&l->arena, struct val);
        *own = val_copy(&l->arena, memo);
        opts.memo = own;
    }
    if ((l->run = run_new(&opts, e))) return l;
    active_forget(l);
    return NULL;
}

static bool priority_note(struct active *l, struct err *e)
{
    int64_t priority;
    const struct val *v = val_path(&l->workflow, "spec.priority");
    if (!v || !val_i64(v, &priority) || !priority) return true;
    return store_value_put(l->x->store, l->id, STR(EXEC_PRIORITY_KEY), str_fmt(&l->x->scratch, "%lld", (long long)priority), e);
}

static bool creator_note(struct active *l, int64_t creator, struct err *e)
{
    l->creator = creator;
    struct str text = str_fmt(&l->x->scratch, "%lld", (long long)creator);
    return !creator || store_value_put(l->x->store, l->id, STR("creator"), text, e);
}

/* With a change of its own, so that who follows changes can tell a new run from one that changes. */
static bool run_store(struct exec *x, const struct val *workflow, int64_t *out_run, struct err *e)
{
    const struct val *meta = val_get(workflow, STR("metadata"));
    struct run_row row = {.uid = val_get_str(meta, "uid"), .ns = val_get_str(meta, "namespace"),
                          .name = val_get_str(meta, "name"), .phase = STR("Pending"),
                          .created_us = clock_now_us(), .labels = labels_json(&x->scratch, workflow),
                          .message = STR(""), .progress = STR("")};
    struct change_row change = {.kind = STR("added"), .payload = STR("")};
    struct owned what = {STR("Workflow"), row.ns, row.name, row.uid};
    if (!store_run_insert(x->store, &row, json_text(&x->scratch, workflow), &change.run, e)) return false;
    *out_run = change.run;
    return owners_note(x->store, workflow, &what, e) && store_change_add(x->store, &change, NULL, e);
}

static bool submit(struct exec *x, const struct val *given, const struct val *memo, int64_t creator, int64_t *out_run,
                   struct err *e)
{
    struct active asking = {.x = x, .workflow = *given}; /* for look-ups alone */
    if (!exec_begin(x, e)) return false;
    arena_init(&asking.arena);
    struct val workflow = labelled(x, &asking, given);
    struct active *l = active_make(x, &workflow, memo, e);
    arena_fini(&asking.arena);
    if (!l) return false;
    if (!run_store(x, &l->workflow, out_run, e)) {
        active_forget(l);
        return false;
    }
    l->id = *out_run;
    l->accepted_us = clock_mono_us();
    VEC_PUSH(&x->begun, l);
    run_number_set(l->run, (uint64_t)l->id);
    if (memo && !memo_put(l, memo, e)) return false; /* the caller rolls back */
    timetable_note(x, &l->workflow);
    return creator_note(l, creator, e) && priority_note(l, e) && estimate_note(l, e) && active_begin(l, e);
}

bool exec_submit(struct exec *x, const struct val *workflow, const struct val *memo, int64_t *out_run, struct err *e)
{
    return submit(x, workflow, memo, 0, out_run, e);
}

bool run_submit(struct active *by, const struct val *workflow, struct err *e)
{
    int64_t run;
    return submit(by->x, workflow, NULL, by->creator ? by->creator : by->id, &run, e);
}

size_t exec_descendants_active(const struct exec *x, const int64_t *runs, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < x->lives.n; i++) {
        const struct active *l = x->lives.items[i];
        bool ours = false;
        for (size_t k = 0; l->creator && !l->over && k < n; k++) ours = ours || l->creator == runs[k];
        found += ours;
    }
    return found;
}

struct active *active_of(const struct exec *x, int64_t run)
{
    for (size_t i = 0; i < x->lives.n; i++)
        if (x->lives.items[i]->id == run) return x->lives.items[i];
    return NULL;
}

bool exec_has_run(const struct exec *x, int64_t run)
{
    struct active *l = active_of(x, run);
    return l && !l->over;
}

bool exec_stop(struct exec *x, int64_t run, enum stop_strategy how, struct err *e)
{
    struct active *l = active_of(x, run);
    struct outbox out;
    if (!l) return err_set(e, ERR_NOT_NOW, "the workflow is not running");
    if (!exec_begin(x, e)) return false;
    run_stop(l->run, how, clock_now_us(), &out);
    if (!active_event(l, &out, e)) return false;
    if (run_has_begun(l->run) || l->over) return true;
    throttle_let_in(l->ticket); /* it ends as everything that is stopped, at once */
    run_start(l->run, clock_now_us(), &out);
    return active_event(l, &out, e);
}

/* Finished runs leave memory once their end is committed. */
void actives_reap(struct exec *x)
{
    x->begun.n = 0;
    for (size_t i = 0; i < x->over.n; i++) {
        jobs_orphan(x->over.items[i]);
        ops_orphan(x->over.items[i]);
        requests_orphan(x->over.items[i]);
        pods_dir_drop(x->over.items[i]);
        active_forget(x->over.items[i]);
    }
    x->over.n = 0;
}

/* Nothing else is in the transaction that was rolled back. */
void actives_drop(struct exec *x)
{
    for (size_t i = 0; i < x->stale.n; i++) x->stale.items[i]->stale = false;
    x->over.n = x->stale.n = 0;
    while (x->begun.n) active_forget(VEC_POP(&x->begun));
}
