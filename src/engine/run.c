/* A run from begin to end: global variables, the entry template, events, and the end. */
#include "base/rfc3339.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/timefmt.h"

/* splitmix64: one stream per run, so that a replay draws the same numbers. */
static uint64_t next_random(void *ctx)
{
    struct run *r = ctx;
    uint64_t z = (r->opts.seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct expr_clock run_clock(struct run *r)
{
    return (struct expr_clock){.now_us = r->now_us, .random = next_random, .random_ctx = r};
}

/* ---- global variables (docs of Argo: variables, Global) ---- */

static void set(struct run *r, const char *name, struct str value)
{
    if (value.p) scope_set(&r->globals, str_of(name), value);
}

static void set_map(struct run *r, const char *prefix, const struct val *map)
{
    struct val empty = {.kind = VAL_MAP};
    const struct val *shown = map && map->kind == VAL_MAP ? map : &empty;
    struct str json = json_text(&r->arena, shown);
    scope_set(&r->globals, str_of(prefix), json);
    scope_set(&r->globals, str_fmt(&r->arena, "%s.json", prefix), json);
    for (uint32_t i = 0; i < shown->n; i++)
        scope_set(&r->globals, str_fmt(&r->arena, "%s.%.*s", prefix, STR_ARG(shown->map[i].key)),
                  text_of(&r->arena, &shown->map[i].v));
}

static void set_creation(struct run *r, int64_t us)
{
    static const char letters[] = "aAbBcCdDefFGhHIjklLmMnNprRStTuUvVwWxXyYzZ";
    set(r, "workflow.creationTimestamp", rfc3339(&r->arena, us));
    set(r, "workflow.creationTimestamp.s", str_fmt(&r->arena, "%lld", (long long)(us / 1000000)));
    set(r, "workflow.creationTimestamp.RFC3339", rfc3339(&r->arena, us));
    for (const char *c = letters; *c; c++) {
        struct str text = timefmt_char(&r->arena, *c, us);
        struct str name = str_fmt(&r->arena, "workflow.creationTimestamp.%c", *c);
        if (text.p) scope_set(&r->globals, name, text);
    }
}

/* The value of an argument of the workflow. What a ConfigMap gives is decided once: a restart finds it in `kept`. */
static bool global_decide(struct run *r, const struct val *p, const struct val *kept, struct str *out, struct err *e)
{
    struct str name = val_get_str(p, "name"), value = text_of(&r->arena, val_get(p, STR("value")));
    bool asks = !value.p && val_path(p, "valueFrom.configMapKeyRef");
    const struct val *known = asks ? val_get(kept, name) : NULL;
    if (known) value = val_text(known);
    if (!value.p && !param_value_from(r, p, &value, e)) return false;
    if (!value.p) value = text_of(&r->arena, val_get(p, STR("default")));
    if (!value.p)
        return err_set(e, ERR_SPEC, "spec.arguments.%.*s.value or spec.arguments.%.*s.valueFrom is required",
                       STR_ARG(name), STR_ARG(name));
    *out = str_dup(&r->arena, value);
    if (!asks) return true;
    struct val_pair pair = {.key = name, .v = val_of_str(*out)};
    VEC_PUSH(&r->looked_up, pair);
    r->unkept = r->unkept || !known;
    return true;
}

static bool set_parameters(struct run *r, const struct val *kept, struct err *e)
{
    const struct val *params = val_path(r->spec, "arguments.parameters");
    struct val_builder list;
    list_begin(&list, &r->arena);
    for (uint32_t i = 0; params && i < params->n; i++) {
        const struct val *p = &params->items[i];
        struct str name = val_get_str(p, "name"), value;
        if (!global_decide(r, p, kept, &value, e)) return list_done(&list), false;
        scope_set(&r->globals, str_fmt(&r->arena, "workflow.parameters.%.*s", STR_ARG(name)), value);
        list_add(&list, map_with(&r->arena, p, STR("value"), val_of_str(value)));
    }
    struct val all = list_done(&list);
    struct str json = json_text(&r->arena, &all);
    set(r, "workflow.parameters", json);
    set(r, "workflow.parameters.json", json);
    return true;
}

/* workflow.duration is asked for, not kept up to date. */
static bool global_lookup(void *ctx, struct str key, struct scope_value *out)
{
    struct run *r = ctx;
    if (!str_is(key, "workflow.duration") || !r->started_us) return false;
    double s = (double)(r->now_us - r->started_us) / 1e6;
    *out = (struct scope_value){.kind = SCOPE_STR, .str = str_fmt(&r->scratch, "%.6f", s)};
    return true;
}

static bool globals_set(struct run *r, const struct val *kept, struct err *e)
{
    const struct val *wf = r->opts.workflow, *meta = val_get(wf, STR("metadata"));
    struct str account = val_get_str(r->spec, "serviceAccountName");
    struct str priority = val_text(val_get(r->spec, STR("priority")));
    int64_t created;
    scope_init(&r->globals, NULL);
    scope_set_lookup(&r->globals, global_lookup, r);
    set(r, "workflow.name", r->name);
    set(r, "workflow.namespace", r->ns);
    set(r, "workflow.uid", r->uid);
    set(r, "workflow.mainEntrypoint", val_get_str(r->spec, "entrypoint"));
    set(r, "workflow.serviceAccountName", account.n ? account : STR("default"));
    set(r, "workflow.priority", priority);
    set_map(r, "workflow.labels", val_get(meta, STR("labels")));
    set_map(r, "workflow.annotations", val_get(meta, STR("annotations")));
    const struct val *scheduled = val_get(val_get(meta, STR("annotations")),
                                          STR("workflows.argoproj.io/scheduled-time"));
    set(r, "workflow.scheduledTime", val_text(scheduled));
    if (rfc3339_parse(val_get_str(meta, "creationTimestamp"), &created)) set_creation(r, created);
    for (int p = 0; p < NODE_PHASE_MAX; p++) {
        scope_init(&r->status_globals[p], &r->globals);
        bool well = p == NODE_SKIPPED || p == NODE_OMITTED; /* as a workflow's phase */
        scope_set(&r->status_globals[p], STR("workflow.status"), str_of(phase_text(well ? NODE_SUCCEEDED : (enum node_phase)p)));
    }
    return set_parameters(r, kept, e);
}

const struct scope *globals_for(const struct run *r, uint8_t wf_status)
{
    return wf_status ? &r->status_globals[wf_status - 1] : &r->globals;
}

/* ---- making and freeing ---- */

static void local_scope(struct run *r)
{
    r->local = ARENA_NEW(&r->arena, struct tmpl_scope);
    r->local->key = STR("local");
    r->local->templates = val_get(r->spec, STR("templates"));
    VEC_PUSH(&r->scopes, r->local);
}

struct run *run_make(const struct run_opts *opts, const struct val *kept, struct err *e)
{
    struct run *r = mem_zalloc(sizeof *r);
    const struct val *meta = val_get(opts->workflow, STR("metadata"));
    const struct val *limit;
    int64_t n;
    r->opts = *opts;
    arena_init(&r->arena);
    arena_init(&r->scratch);
    r->name = val_get_str(meta, "name");
    r->ns = val_get_str(meta, "namespace");
    r->uid = val_get_str(meta, "uid");
    r->spec = val_get(opts->workflow, STR("spec"));
    r->suspended = val_is_true(r->spec, "suspend");
    struct str format = val_get_str(val_get(meta, STR("annotations")), "workflows.argoproj.io/pod-name-format");
    r->pods_by_id = str_is(format, "v1");
    limit = val_get(r->spec, STR("parallelism"));
    if (limit && val_i64(limit, &n)) r->parallelism = n;
    r->podspec_tags = podspec_has_tags(r->spec);
    local_scope(r);
    for (uint32_t i = 0; opts->memo && i < opts->memo->n; i++)
        map_set_ptr(&r->memo, opts->memo->map[i].key, (void *)&opts->memo->map[i].v);
    bool ok = r->name.n && r->spec;
    if (!ok) err_set(e, ERR_SPEC, "a workflow needs metadata.name and spec");
    if (ok && globals_set(r, kept, e)) return r;
    run_free(r);
    return NULL;
}

struct run *run_new(const struct run_opts *opts, struct err *e)
{
    return run_make(opts, NULL, e);
}

void node_frames_free(struct run *r, struct node *n)
{
    free(n->children);
    if ((n->type == NTYPE_STEPS || n->type == NTYPE_DAG) && n->body) {
        body_end(r, n);
        free(n->body->outbound);
        free(n->body);
    } else if (n->type == NTYPE_STEPGROUP) {
        free(n->group);
    } else if (n->type == NTYPE_RETRY) {
        free(n->retry);
    }
}

void run_free(struct run *r)
{
    if (!r) return;
    sync_fini(r);
    for (size_t i = 0; i < r->nodes.n; i++) node_frames_free(r, r->nodes.items[i]);
    for (size_t i = 0; i < r->scopes.n; i++) map_fini(&r->scopes.items[i]->by_name);
    for (size_t i = 0; i < r->tmpls.n; i++) map_fini(&r->tmpls.items[i]->call_by_name);
    map_fini(&r->tmpl_by_key);
    map_fini(&r->memo);
    for (int p = 0; p < NODE_PHASE_MAX; p++) scope_fini(&r->status_globals[p]);
    scope_fini(&r->globals);
    VEC_FINI(&r->scopes);
    VEC_FINI(&r->tmpls);
    VEC_FINI(&r->nodes);
    VEC_FINI(&r->again);
    VEC_FINI(&r->held);
    VEC_FINI(&r->looked_up);
    VEC_FINI(&r->daemons);
    VEC_FINI(&r->waits);
    VEC_FINI(&r->timers);
    VEC_FINI(&r->dirty_nodes);
    VEC_FINI(&r->actions);
    VEC_FINI(&r->metrics);
    VEC_FINI(&r->finished);
    VEC_FINI(&r->hook_due);
    VEC_FINI(&r->globals_out);
    VEC_FINI(&r->artifacts_out);
    arena_fini(&r->arena);
    arena_fini(&r->scratch);
    free(r);
}

void run_number_set(struct run *r, uint64_t number) { r->opts.number = number; }

/* ---- events ---- */

void run_close(struct run *r, enum node_phase p, struct str message)
{
    struct action a = {.kind = ACTION_DONE};
    r->done = r->dirty = true;
    r->finished_us = r->now_us;
    r->phase = p;
    r->message = message;
    sync_end(r);
    VEC_PUSH(&r->actions, a);
}

void event_begin(struct run *r, int64_t now_us)
{
    for (size_t i = 0; i < r->dirty_nodes.n; i++) r->dirty_nodes.items[i]->dirty = false;
    r->dirty_nodes.n = 0;
    r->actions.n = 0;
    r->metrics.n = 0;
    r->dirty = false;
    arena_reset(&r->scratch);
    if (now_us > r->now_us) r->now_us = now_us; /* a clock set back never moves a run back */
}

static int by_index(const void *x, const void *y)
{
    const struct node *a = *(struct node *const *)x, *b = *(struct node *const *)y;
    return (a->idx > b->idx) - (a->idx < b->idx);
}

void event_end(struct run *r, struct outbox *out)
{
    run_advance(r);
    sync_tell(r);
    r->dirty = r->dirty || r->unkept;
    r->unkept = false;
    if (r->dirty_nodes.n) qsort(r->dirty_nodes.items, r->dirty_nodes.n, sizeof *r->dirty_nodes.items, by_index);
    *out = (struct outbox){.actions = r->actions.items, .n_actions = r->actions.n,
                           .dirty = r->dirty_nodes.items, .n_dirty = r->dirty_nodes.n,
                           .run_dirty = r->dirty, .metrics = r->metrics.items, .n_metrics = r->metrics.n};
}

void run_entry_fails(struct run *r)
{
    r->entry_error = r->dirty = true; /* it may not be over with this event: its hooks, the exit handler */
}

void root_begin(struct run *r)
{
    struct val_builder b;
    struct err e;
    map_begin(&b, &r->scratch);
    map_add_str(&b, "template", val_get_str(r->spec, "entrypoint"));
    struct val holder = map_done(&b);
    struct start start = {.name = r->name, .args = val_get(r->spec, STR("arguments"))};
    if (tmpl_resolve(r, r->local, NULL, NULL, &holder, &start.tmpl, &e)) r->root = start_template(r, &start);
    else r->root = start_skipped(r, &start, NODE_ERROR, str_of(e.text));
}

/* One that no clock will ever show is none. */
int64_t run_deadline_us(const struct run *r)
{
    const struct val *v = val_get(r->spec, STR("activeDeadlineSeconds"));
    int64_t s, us;
    if (!v || !val_i64(v, &s) || __builtin_mul_overflow(s, (int64_t)1000000, &us) ||
        __builtin_add_overflow(us, r->now_us, &us))
        return 0;
    return us;
}

void run_begin(struct run *r)
{
    r->phase = NODE_RUNNING;
    r->message = STR_NONE;
    r->started_us = r->now_us;
    r->dirty = true;
    metrics_of_run(r, true);
    if ((r->deadline_us = run_deadline_us(r))) timer_add(r, r->deadline_us, NULL);
    struct val ignored;
    struct err e;
    if (!run_metadata(&r->scratch, r, &ignored, &e)) run_close(r, NODE_ERROR, str_dup(&r->arena, str_of(e.text)));
    else if (!r->suspended || r->stop) root_begin(r); /* spec.suspend: nothing is scheduled before it is resumed */
}

/* Its locks have come: for the first time, or after a reset. */
static void run_go(struct run *r)
{
    r->message = STR_NONE;
    if (r->started_us) again_begin(r);
    else run_begin(r);
}

/* Nothing has begun. Terminated, it is over, and well (operator.go
 * releaseLocksForPendingShuttingdownWfs). Stopped, all its steps fail at once, so they need no lock; an exit
 * handler runs, as ever, under the locks of its workflow. */
static void stop_waiting(struct run *r)
{
    if (r->started_us) { /* it was reset: what was to go on fails at once */
        if (r->stop == STOP_TERMINATE || !exit_exists(r)) again_begin(r);
    } else if (r->stop == STOP_TERMINATE) {
        r->started_us = r->now_us;
        run_close(r, NODE_SUCCEEDED, STR_NONE);
    } else if (!exit_exists(r)) {
        run_begin(r);
    }
}

void run_postpone(struct run *r, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    r->postponed = r->dirty = true;
    r->phase = NODE_PENDING;
    r->message = STR("Workflow processing has been postponed because too many workflows are already running");
    event_end(r, out);
}

void run_start(struct run *r, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    struct str shutdown = val_get_str(r->spec, "shutdown"); /* preset: fails without running */
    if (str_is(shutdown, "Stop")) r->stop = STOP_STOP;
    if (str_is(shutdown, "Terminate")) r->stop = STOP_TERMINATE;
    r->begun = r->dirty = true;
    r->phase = NODE_PENDING;
    r->message = STR_NONE;
    if (sync_begin(r)) run_begin(r);
    else if (r->stop && !r->done) stop_waiting(r);
    event_end(r, out);
}

void run_step_started(struct run *r, struct node *n, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    struct node *pod = node_pod(n);
    if (pod->phase == NODE_PENDING && !pod->killed) node_message_set(r, pod, STR_NONE); /* it waits no longer */
    if (n->type == NTYPE_CONTAINER) cset_step_started(r, n);
    else if (n->phase == NODE_PENDING) node_phase_set(r, n, NODE_RUNNING);
    if (node_is_daemon(n)) daemon_started(r, n);
    event_end(r, out);
}

void run_step_waits(struct run *r, struct node *n, struct str why, int64_t now_us, struct outbox *out)
{
    struct node *pod = node_pod(n);
    event_begin(r, now_us);
    if (pod->phase == NODE_PENDING && !pod->killed) node_message_set(r, pod, why);
    event_end(r, out);
}

enum node_phase step_end(struct run *r, struct node *n, const struct step_outcome *how, struct str *message)
{
    struct err e;
    enum node_phase p = n->killed ? NODE_FAILED : how->phase;
    bool ran = how->exit_code != STEP_NO_EXIT_CODE; /* else there is nothing to collect */
    *message = n->killed ? n->message : how->message;
    if (n->type == NTYPE_HTTP) n->outputs = http_outputs(r, how);
    if (ran && !outputs_of_step(r, n, how, &n->outputs, &e) && p == NODE_SUCCEEDED) {
        if (!message->p) *message = str_dup(&r->scratch, str_of(e.text));
        return NODE_ERROR;
    }
    if (p == NODE_SUCCEEDED) *message = STR_NONE;
    return p == NODE_SUCCEEDED && node_is_daemon(n) ? NODE_FAILED : p; /* it should have gone on */
}

/* It did run: hooks see that too. */
static void was_running(struct run *r, struct node *n, const struct step_outcome *how)
{
    if (n->phase != NODE_PENDING || how->exit_code == STEP_NO_EXIT_CODE) return;
    node_phase_set(r, n, NODE_RUNNING);
    lifecycle_look(r, n);
    lifecycle_look_watchers(r, n);
}

void run_step_done(struct run *r, struct node *n, const struct step_outcome *how, int64_t now_us,
                   struct outbox *out)
{
    struct str message;
    event_begin(r, now_us);
    if (!has_set(n)) usage_add(r, n, 0, how);
    if (n->type == NTYPE_CONTAINER || has_set(n)) {
        bool pod = n->type == NTYPE_POD;
        if (!phase_fulfilled(n->phase)) pod ? cset_collected(r, n, how) : cset_step_done(r, n, how);
        event_end(r, out);
        return;
    }
    if (!phase_fulfilled(n->phase)) was_running(r, n, how);
    if (has_parts(n)) {
        parts_done(r, n, 0, how);
    } else if (!phase_fulfilled(n->phase)) {
        enum node_phase p = step_end(r, n, how, &message);
        node_finish(r, n, p, message);
    }
    event_end(r, out);
}

void run_part_done(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how, int64_t now_us,
                   struct outbox *out)
{
    event_begin(r, now_us);
    if (part && part <= node_parts(n)) {
        usage_add(r, n, part, how);
        parts_done(r, n, part, how);
    }
    event_end(r, out);
}

void run_tick(struct run *r, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    timer_fire(r);
    event_end(r, out);
}

void run_continue(struct run *r, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    if (!run_is_waiting(r)) again_begin(r);
    event_end(r, out);
}

struct str stopped_text(const struct run *r)
{
    return r->stop == STOP_STOP ? STR("Stopped with strategy 'Stop'") : STR("Stopped with strategy 'Terminate'");
}

void run_stop(struct run *r, enum stop_strategy how, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    if (how > r->stop && !r->done) {
        r->stop = how;
        r->dirty = true;
        r->suspended = false;
        if (run_is_waiting(r)) stop_waiting(r);
        else if (!r->root && r->begun) root_begin(r); /* it was suspended: ends as everything that is stopped */
        work_end(r, how == STOP_STOP ? STR("workflow shutdown with strategy:  Stop")
                                     : STR("workflow shutdown with strategy:  Terminate"),
                 how == STOP_TERMINATE);
    }
    event_end(r, out);
}

void node_kill(struct run *r, struct node *n, struct str why)
{
    struct action a = {.kind = ACTION_KILL, .node = n};
    if (n->killed || phase_fulfilled(n->phase)) return;
    n->killed = true;
    node_message_set(r, n, why);
    if (has_set(n)) cset_kill(r, n, why);
    if (has_parts(n)) parts_kill(r, n);
    else if (!has_set(n)) VEC_PUSH(&r->actions, a);
}

/* ---- onward ---- */

/* Tells whoever waits for a node that nothing more will come from it. */
static void tell(struct run *r, struct node *n)
{
    struct node *p = n->parent;
    if (!p || (p->type != NTYPE_RETRY && phase_fulfilled(p->phase))) return;
    switch ((enum node_type)p->type) {
    case NTYPE_STEPGROUP: steps_child_done(r, p); break;
    case NTYPE_TASKGROUP: dag_group_child_done(r, p); break;
    case NTYPE_STEPS: steps_group_done(r, p, n); break;
    case NTYPE_DAG: dag_child_done(r, p, n); break;
    case NTYPE_RETRY: if (!phase_fulfilled(p->phase)) retry_child_done(r, p); break;
    default: IMPOSSIBLE("a node of this type waits for nobody");
    }
}

/* Fulfilled, and perhaps ready to be told: when its hooks are over. The exit hook of a task that is no
 * target comes after the others; elsewhere it runs beside them. */
static void node_settle(struct run *r, struct node *n)
{
    if (!n->ended || n->told) return;
    if (n->hooks_open && n->boundary && n->boundary->type == NTYPE_DAG && !hook_of_target(n)) return;
    if (!n->exit_open && hook_begin(r, n)) n->exit_open = true;
    if (n->exit_open || n->hooks_open) return;
    n->told = true;
    if (n->type == NTYPE_STEPS || n->type == NTYPE_DAG) body_end(r, n);
    tell(r, n);
}

static void hook_over(struct run *r, const struct node *h)
{
    struct node *n = h->parent;
    if (h->hook == HOOK_EXIT) n->exit_open = false;
    else if (n->hooks_open) n->hooks_open--;
    if (n->type == NTYPE_DAG && n->body && !phase_fulfilled(n->phase)) dag_hook_done(r, n);
    node_settle(r, n);
}

void daemon_tell(struct run *r, struct node *n)
{
    n->told = true;
    if (n->hook && n->parent) hook_over(r, n);
    else tell(r, n);
}

static void node_done(struct run *r, struct node *n)
{
    bool is_hook = n->hook && n->parent;
    struct node *b = n->boundary;
    if (n->type == NTYPE_CONTAINER) {
        cset_container_done(r, n);
        return;
    }
    if (n->outputs.n) outputs_globalize(r, n);
    metrics_of_node(r, n, false);
    if (n->told) return; /* a daemon: others went on long ago */
    bool judged_now = b && !b->retried; /* an attempt only when it is about to make a child */
    if (judged_now && !phase_fulfilled(b->phase) && limit_fail_fast(b)) body_fail_fast(r, b);
    if (is_hook) {
        if (n->type == NTYPE_STEPS || n->type == NTYPE_DAG) body_end(r, n);
        hook_over(r, n);
        return;
    }
    n->ended = true;
    lifecycle_look(r, n);
    lifecycle_look_watchers(r, n);
    node_settle(r, n);
}

static void run_end(struct run *r)
{
    const struct node *x = r->exit_node;
    r->phase = phase_failed(r->root->phase) ? r->root->phase : NODE_SUCCEEDED;
    if (r->entry_error) r->phase = NODE_ERROR;
    r->message = r->root->message;
    if (r->entry_error)
        r->message = str_fmt(&r->arena, "error in entry template execution: %.*s", STR_ARG(r->message));
    if (r->phase != NODE_SUCCEEDED && r->stop)
        r->message = stopped_text(r);
    if (r->phase == NODE_SUCCEEDED) r->message = STR_NONE;
    if (r->stop == STOP_TERMINATE) x = NULL; /* Argo does not look at it any more */
    if (r->phase == NODE_SUCCEEDED && x && phase_failed(x->phase)) {
        r->phase = x->phase;
        r->message = x->message;
    }
    metrics_of_run(r, false);
    run_close(r, r->phase, r->message);
}

static void hooks_due(struct run *r)
{
    while (r->hook_head < r->hook_due.n && !r->full) {
        struct node *n = r->hook_due.items[r->hook_head++];
        if (phase_fulfilled(n->phase)) continue; /* is looked at when it is done */
        lifecycle_look(r, n);
        lifecycle_look_watchers(r, n);
    }
    r->hook_head = r->hook_due.n = 0;
}

/* What this event was to begin does not begin. */
static void starts_drop(struct run *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->actions.n; i++) {
        struct action a = r->actions.items[i];
        if (a.kind != ACTION_START && a.kind != ACTION_REQUEST) r->actions.items[kept++] = a;
    }
    r->actions.n = kept;
}

/* More nodes than a run may have: it is over, without an exit handler, which would need some, too. */
static void overfull_end(struct run *r)
{
    struct str why = str_fmt(&r->arena, "more than %u nodes in one workflow (LIMIT_RUN_NODES)", node_limit(r));
    starts_drop(r);
    for (size_t i = 0; i < r->nodes.n; i++) {
        struct node *n = r->nodes.items[i];
        if (phase_fulfilled(n->phase)) continue;
        if (n->type == NTYPE_POD) node_kill(r, n, why);
        if (n->type == NTYPE_HTTP) http_end(r, n, why);
    }
    r->phase = NODE_ERROR;
    metrics_of_run(r, false);
    run_close(r, NODE_ERROR, why);
}

/* True: nobody is told of anything any more. */
static bool overfull(struct run *r)
{
    if (!r->full) return false;
    if (!r->done) overfull_end(r);
    r->finished_head = r->finished.n = r->hook_head = r->hook_due.n = 0;
    return true;
}

void run_advance(struct run *r)
{
    if (run_is_waiting(r) && sync_begin_again(r)) run_go(r);
    do {
        while (r->finished_head < r->finished.n && !r->full) node_done(r, r->finished.items[r->finished_head++]);
        if (overfull(r)) return;
        r->finished_head = r->finished.n = 0;
        hooks_due(r); /* what began and ended in one instant was never seen at work */
        if (r->finished.n) continue;
        limit_release(r);
        if (r->finished.n || r->hook_due.n) continue;
        lifecycle_workflow(r);
        limit_release(r); /* its hooks may ask for locks */
        if (r->finished.n || r->suspended || !r->root || !phase_fulfilled(r->root->phase) || r->root->hooks_open) continue;
        exit_begin(r);
        limit_release(r);
    } while (r->finished.n || r->hook_due.n);
    if (overfull(r)) return;
    if (r->done || r->suspended || !r->root || !phase_fulfilled(r->root->phase) || r->root->hooks_open) return;
    if (!r->exit_node || phase_fulfilled(r->exit_node->phase)) run_end(r);
}

/* ---- looking ---- */

struct str run_name(const struct run *r) { return r->name; }
struct str run_namespace(const struct run *r) { return r->ns; }
struct str run_uid(const struct run *r) { return r->uid; }
const struct val *run_workflow(const struct run *r) { return r->opts.workflow; }
struct str run_message(const struct run *r) { return r->message; }
bool run_is_done(const struct run *r) { return r->done; }
size_t run_node_count(const struct run *r) { return r->nodes.n; }
struct node *run_node_at(struct run *r, size_t idx) { return r->nodes.items[idx]; }

bool run_phase(const struct run *r, enum node_phase *out)
{
    *out = r->phase;
    return r->begun || r->postponed;
}

bool run_has_begun(const struct run *r) { return r->begun; }

size_t run_lock_waits(const struct run *r) { return lock_party_waits(r->party); }
bool run_is_waiting(const struct run *r) { return r->gate && r->gate->waiting && !r->done; }

size_t run_memory_bytes(const struct run *r)
{
    size_t vecs = r->nodes.cap * sizeof *r->nodes.items + r->timers.cap * sizeof *r->timers.items +
                  r->dirty_nodes.cap * sizeof *r->dirty_nodes.items;
    return r->nodes.n * sizeof(struct node) + r->frame_bytes + vecs;
}

const struct val *node_template(struct run *r, struct node *n, struct err *e)
{
    const struct val *v;
    return pod_template(r, node_pod(n), &v, e) ? v : NULL;
}
