/* See world.h. One event at a time: engine, commit, actions; a crash may come before or after the
 * commit, and then the engine is rebuilt from what was committed and the world goes on. */
#include "world.h"

#include "base/rfc3339.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "spec/merge.h"

/* ---- the state directory ---- */

static void node_put(struct world *w, const struct node *n, struct buf *b)
{
    uint32_t idx = node_index(n);
    struct saved_node row;
    buf_reset(b);
    node_write_status(b, w->run, n);
    row.status = buf_dup(&w->arena, b);
    buf_reset(b);
    node_write_private(b, w->run, n);
    row.priv = buf_dup(&w->arena, b);
    while (w->stored.rows.n <= idx) VEC_PUSH(&w->stored.rows, row);
    w->stored.rows.items[idx] = row;
}

static void own_put(struct world *w, struct buf *b)
{
    buf_reset(b);
    run_write_status(b, w->run);
    w->stored.status = buf_dup(&w->arena, b);
    buf_reset(b);
    run_write_private(b, w->run);
    w->stored.priv = buf_dup(&w->arena, b);
}

static void stored_put(struct world *w, const struct outbox *out)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 30);
    for (size_t i = 0; i < out->n_dirty; i++) node_put(w, out->dirty[i], &b);
    if (out->run_dirty) own_put(w, &b);
    w->n_maps = w->maps.n;
    buf_fini(&b);
}

void world_store(struct world *w)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 30);
    w->stored.rows.n = 0;
    for (size_t i = 0; i < run_node_count(w->run); i++) node_put(w, run_node_at(w->run, i), &b);
    own_put(w, &b);
    buf_fini(&b);
}

static bool crash_now(struct world *w)
{
    struct stream s = {w->crash_state};
    uint64_t r = draw(&s);
    w->crash_state = s.state;
    return w->crash_pct && r % 100 < w->crash_pct;
}

/* ---- pods ---- */

static struct pod *pod_of(struct world *w, uint32_t node, uint32_t part)
{
    for (size_t i = 0; i < w->pods.n; i++)
        if (w->pods.items[i].node == node && w->pods.items[i].part == part) return &w->pods.items[i];
    return NULL;
}

static bool pod_start(struct world *w, struct node *n, uint32_t part, struct err *e)
{
    const struct val *tmpl = node_template(w->run, n, e);
    if (!tmpl) return false;
    struct fate f = fate_of_part(w, n, part, tmpl);
    int64_t from = MAX(node_started_us(n), w->now_us);
    struct pod p = {node_index(n), part, from, f.duration_us == NEVER ? NEVER : from + f.duration_us, str_dup(&w->arena, node_name(n))};
    VEC_PUSH(&w->pods, p);
    return true;
}

static bool probe_start(struct world *w, struct node *n, struct err *e)
{
    const struct val *tmpl = node_template(w->run, n, e);
    int64_t us = tmpl ? fate_ready_us(tmpl) : NEVER;
    if (!tmpl) return false;
    if (us == NEVER) return true;
    struct pod p = {node_index(n), PART_PROBE, w->now_us, w->now_us + us, str_dup(&w->arena, node_name(n))};
    VEC_PUSH(&w->pods, p);
    return true;
}

static void pod_forget(struct world *w, uint32_t node, uint32_t part)
{
    struct pod *p = pod_of(w, node, part);
    if (p) *p = w->pods.items[--w->pods.n];
}

static void pods_forget(struct world *w, uint32_t node)
{
    for (size_t i = w->pods.n; i-- > 0;)
        if (w->pods.items[i].node == node) w->pods.items[i] = w->pods.items[--w->pods.n];
}

static struct pod *pod_first(struct world *w)
{
    struct pod *best = NULL;
    for (size_t i = 0; i < w->pods.n; i++) {
        struct pod *p = &w->pods.items[i];
        if (p->end_us == NEVER) continue;
        int by_name = best ? str_cmp(p->name, best->name) : 0;
        if (!best || p->end_us < best->end_us ||
            (p->end_us == best->end_us && (by_name < 0 || (by_name == 0 && p->part < best->part))))
            best = p;
    }
    return best;
}

/* ---- events ---- */

enum event_kind { EVENT_START, EVENT_POD, EVENT_KILLED, EVENT_TIMER, EVENT_STARTED, EVENT_COMMAND };

struct event {
    enum event_kind kind;
    uint32_t node, part;
};

static void lasted(struct world *w, const struct event *ev, struct fate *f)
{
    const struct pod *p = pod_of(w, ev->node, ev->part);
    if (!p) return;
    f->how.started_us = p->from_us;
    f->how.finished_us = w->now_us;
}

static void deliver(struct world *w, const struct event *ev, struct outbox *out, struct err *e)
{
    bool of_node = ev->kind != EVENT_START && ev->kind != EVENT_TIMER && ev->kind != EVENT_COMMAND;
    struct node *n = of_node ? run_node_at(w->run, ev->node) : NULL;
    if (ev->kind == EVENT_COMMAND) {
        command_deliver(w, &w->commands->items[ev->node], out);
    } else if (ev->kind == EVENT_START) {
        run_start(w->run, w->now_us, out);
    } else if (ev->kind == EVENT_STARTED) {
        run_step_started(w->run, n, w->now_us, out);
    } else if (ev->kind == EVENT_TIMER) {
        run_tick(w->run, w->now_us, out);
    } else if (ev->kind == EVENT_KILLED) {
        struct step_outcome how = {.phase = NODE_FAILED, .exit_code = STEP_NO_EXIT_CODE};
        if (ev->part) run_part_done(w->run, n, ev->part, &how, w->now_us, out);
        else run_step_done(w->run, n, &how, w->now_us, out);
    } else if (ev->part == PART_PROBE) {
        run_step_ready(w->run, n, w->now_us, out);
    } else if (ev->part) {
        struct fate f = fate_of_part(w, n, ev->part, node_template(w->run, n, e));
        lasted(w, ev, &f);
        run_part_done(w->run, n, ev->part, &f.how, w->now_us, out);
    } else {
        const struct val *tmpl = node_template(w->run, n, e);
        struct fate f = fate_of(w, n, tmpl);
        lasted(w, ev, &f);
        run_step_done(w->run, n, &f.how, w->now_us, out);
    }
}

static bool happen(struct world *w, const struct event *ev, struct err *e);

/* The engine is gone; a new one takes over what was committed, and looks at every pod. */
static bool crash(struct world *w, struct err *e)
{
    struct outbox out;
    run_free(w->run);
    w->crashes++;
    w->run = NULL;
    w->maps.n = w->n_maps;
    if (!w->stored.status.p) {
        w->run = run_new(&w->opts, e);
        return w->run != NULL;
    }
    w->run = run_load(&w->opts, w->stored.status, w->stored.priv, w->stored.rows.items,
                      w->stored.rows.n, e);
    if (!w->run) return false;
    run_continue(w->run, w->now_us, &out);
    ASSERT(w->in_command || (!out.n_dirty && !out.n_actions)); /* whatever was due has been committed with its cause */
    return true;
}

/* One container of a pod that has not ended. */
static bool part_catch_up(struct world *w, size_t i, uint32_t part, bool *killed, struct err *e)
{
    struct node *n = run_node_at(w->run, i);
    uint32_t idx = node_index(n);
    bool http = node_type(n) == NTYPE_HTTP;
    if (!node_part_is_at_work(n, part)) return true;
    if (!pod_of(w, idx, part) && !pod_start(w, n, part, e)) return false;
    if (http) return true; /* Pending to its end */
    if (!part && node_phase(n) == NODE_PENDING && !happen(w, &(struct event){EVENT_STARTED, idx, 0}, e)) return false;
    n = run_node_at(w->run, i);
    if (!part && node_is_daemon(n) && !node_is_ready(n) && !pod_of(w, idx, PART_PROBE) && !probe_start(w, n, e)) return false;
    if (!node_part_is_ending(n, part)) return true;
    pod_forget(w, idx, part);
    *killed = true;
    return happen(w, &(struct event){EVENT_KILLED, idx, part}, e);
}

/* Pods that should be there and are not, and such that should end: what commands do after a crash. */
static bool catch_up(struct world *w, struct err *e)
{
    for (size_t i = 0; i < run_node_count(w->run); i++) {
        struct node *n = run_node_at(w->run, i);
        bool http = node_type(n) == NTYPE_HTTP;
        if ((node_type(n) != NTYPE_POD && !http) || node_is_waiting(n)) continue;
        if (phase_fulfilled(node_phase(n))) pods_forget(w, node_index(n)); /* its request was dropped, its daemon ended */
        for (uint32_t part = 0; part <= node_parts(n) && !phase_fulfilled(node_phase(n)); part++) {
            bool killed = false;
            if (!part_catch_up(w, i, part, &killed, e)) return false;
            n = run_node_at(w->run, i);
            if (!killed || !phase_fulfilled(node_phase(n))) continue;
            i = (size_t)-1; /* its lock may have let an earlier node go */
            break;
        }
    }
    return true;
}

static bool happen(struct world *w, const struct event *ev, struct err *e)
{
    struct outbox out;
    w->in_command = ev->kind == EVENT_COMMAND;
    deliver(w, ev, &out, e);
    while (crash_now(w)) { /* before the commit: the event comes again */
        if (!crash(w, e)) return false;
        deliver(w, ev, &out, e);
    }
    stored_put(w, &out);
    w->in_command = false;
    if (ev->kind == EVENT_POD) pod_forget(w, ev->node, ev->part);
    if (crash_now(w) && !crash(w, e)) return false; /* after it: the actions were not carried out */
    return true;
}

static bool next_event(struct world *w, struct event *ev)
{
    struct pod *p = pod_first(w);
    int64_t timer = run_next_timer_us(w->run);
    struct node *tn = timer ? run_next_timer_node(w->run) : NULL;
    struct str timer_name = tn ? node_name(tn) : STR("");
    bool pod = p && (!timer || p->end_us < timer ||
                     (p->end_us == timer && str_cmp(p->name, timer_name) <= 0));
    int64_t command = command_due(w);
    if (command != INT64_MAX && (!p || command <= p->end_us) && (!timer || command <= timer)) {
        *ev = (struct event){EVENT_COMMAND, w->next_command++, 0};
        w->now_us = MAX(w->now_us, command);
        return w->now_us <= w->end_us;
    }
    if (!p && !timer) return false;
    *ev = pod ? (struct event){EVENT_POD, p->node, p->part} : (struct event){EVENT_TIMER, 0, 0};
    w->now_us = MAX(w->now_us, pod ? p->end_us : timer);
    return w->now_us <= w->end_us;
}

static const struct val *find_template(void *ctx, struct str kind, struct str ns, struct str name)
{
    struct world *w = ctx;
    (void)ns;
    for (uint32_t i = 0; i < w->templates->n; i++) {
        const struct val *d = &w->templates->items[i];
        if (str_eq(val_get_str(d, "kind"), kind) &&
            str_eq(val_text(val_path(d, "metadata.name")), name))
            return d;
    }
    return NULL;
}

/* The spec with what it refers to, as a submission makes it. */
static struct val whole_spec(struct world *w, const struct val *spec)
{
    const struct val *ref = val_get(spec, STR("workflowTemplateRef"));
    bool cluster = str_is(val_get_str(ref, "clusterScope"), "true");
    struct str kind = cluster ? STR("ClusterWorkflowTemplate") : STR("WorkflowTemplate");
    const struct val *found = ref ? find_template(w, kind, STR("default"), val_get_str(ref, "name")) : NULL;
    struct val merged = found ? merge_workflow_spec(&w->arena, spec, val_get(found, STR("spec")), NULL) : *spec;
    return merge_spec_defaults(&w->arena, &merged);
}

static bool map_read(void *ctx, struct arena *a, struct str ns, struct str name, struct val *doc)
{
    struct world *w = ctx;
    for (size_t i = w->maps.n; i-- > 0;)
        if (str_eq(w->maps.items[i].name, name)) return json_parse(a, w->maps.items[i].text, NULL, doc, NULL);
    const struct val *given = find_template(w, STR("ConfigMap"), ns, name);
    if (given) *doc = *given;
    return given != NULL;
}

static bool map_write(void *ctx, const struct val *doc, struct err *e)
{
    struct world *w = ctx;
    (void)e;
    struct kept_map m = {str_dup(&w->arena, val_text(val_path(doc, "metadata.name"))), json_text(&w->arena, doc)};
    VEC_PUSH(&w->maps, m);
    return true;
}

/* Metadata as a submission would have completed it. */
static void complete(struct world *w, const struct val *wf, struct str name, struct val *out)
{
    static const char *const keys[] = {"name", "namespace", "uid", "creationTimestamp"};
    struct str values[] = {name, STR("default"), STR("00000000-0000-4000-8000-000000000000"), rfc3339(&w->arena, w->now_us)};
    const struct val *meta = val_get(wf, STR("metadata"));
    struct val_builder m, b;
    map_begin(&m, &w->arena);
    for (uint32_t i = 0; meta && i < meta->n; i++) map_set(&m, meta->map[i].key, meta->map[i].v);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) map_set(&m, str_of(keys[i]), val_of_str(values[i]));
    map_begin(&b, &w->arena);
    for (uint32_t i = 0; i < wf->n; i++) map_add(&b, wf->map[i].key, wf->map[i].v);
    map_set(&b, STR("metadata"), map_done(&m));
    if (w->shell) map_set(&b, STR("spec"), whole_spec(w, val_get(wf, STR("spec"))));
    *out = map_done(&b);
}

void world_rename(struct world *w, struct str name)
{
    struct val *wf = ARENA_NEW(&w->arena, struct val);
    complete(w, w->opts.workflow, name, wf);
    w->opts.workflow = wf;
}

static bool world_prepare(struct world *w, const struct val *c, struct err *e)
{
    const struct val *docs = val_get(c, STR("documents"));
    struct val *wf = ARENA_NEW(&w->arena, struct val);
    if (!docs || !docs->n) return err_set(e, ERR_SPEC, "a case needs documents");
    int64_t limit = val_number(c, "limit_us");
    w->fate = val_get(c, STR("fate"));
    w->commands = val_get(c, STR("commands"));
    w->templates = docs;
    w->shell = str_is(val_get_str(c, "shell"), "true");
    w->given = val_get(c, STR("pods"));
    w->now_us = w->start_us = val_number(c, "now_us");
    w->end_us = w->now_us + (limit ? limit : 86400000000);
    w->crash_state ^= (uint64_t)val_number(c, "seed") * 0x9E3779B97F4A7C15u;
    complete(w, &docs->items[docs->n - 1], val_get_str(c, "name"), wf);
    w->opts = (struct run_opts){.workflow = wf, .lookup = find_template, .lookup_ctx = w,
                                .cache = {map_read, map_write, NULL},
                                .seed = (uint64_t)val_number(c, "seed")};
    w->run = run_new(&w->opts, e);
    return w->run != NULL;
}

bool world_run(struct world *w, const struct val *the_case, struct err *e)
{
    struct event ev = {EVENT_START, 0, 0};
    if (!world_prepare(w, the_case, e)) return false;
    do {
        if (!happen(w, &ev, e) || !catch_up(w, e)) return false;
    } while ((!run_is_done(w->run) || command_due(w) != INT64_MAX) && next_event(w, &ev));
    return true;
}

void world_fini(struct world *w)
{
    run_free(w->run);
    VEC_FINI(&w->pods);
    VEC_FINI(&w->maps);
    VEC_FINI(&w->stored.rows);
    arena_fini(&w->arena);
}
