/* See world.h. One event at a time: engine, commit, actions; a crash may come before or after the
 * commit, and then the engine is rebuilt from what was committed and the world goes on. */
#include "world.h"

#include "doc/json_write.h"

/* ---- fate (README.md section 2) ---- */

struct stream {
    uint64_t state;
};

static uint64_t draw(struct stream *s)
{
    uint64_t z = (s->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t fnv64(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3u;
    return h;
}

static int64_t number(const struct val *map, const char *key)
{
    int64_t n = 0;
    str_to_i64(val_text(val_get(map, str_of(key))), &n);
    return n;
}

static struct str note(const struct val *tmpl, const char *kind, struct str name)
{
    struct arena a;
    arena_init(&a);
    struct str key = str_fmt(&a, "sim/%s%.*s", kind, STR_ARG(name));
    struct str v = val_text(val_get(val_path(tmpl, "metadata.annotations"), key));
    arena_fini(&a);
    return v;
}

/* The number in the last "(digits)" of a node name. */
static int64_t attempt_of(struct str name)
{
    for (size_t i = name.n; i-- > 0;) {
        int64_t n;
        if (name.p[i] != '(') continue;
        ptrdiff_t close = str_find_char(name, ')', i);
        if (close > 0 && str_to_i64(str_sub(name, i + 1, (size_t)close - i - 1), &n)) return n;
    }
    return 0;
}

struct fate {
    int64_t duration_us;
    struct step_outcome how;
};

static void fate_exit(struct arena *a, struct step_outcome *how, int64_t code)
{
    how->phase = code ? NODE_FAILED : NODE_SUCCEEDED;
    how->exit_code = (int)code;
    how->message = code ? str_fmt(a, "main: Error (exit code %lld)", (long long)code) : STR_NONE;
}

static void fate_error(struct step_outcome *how)
{
    *how = (struct step_outcome){.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE,
                                 .message = STR("sim: infrastructure error")};
}

static void fate_params(struct world *w, const struct val *tmpl, struct stream *s,
                        struct step_outcome *how)
{
    const struct val *params = val_path(tmpl, "outputs.parameters");
    struct step_outcome_param *out = ARENA_ARRAY(&w->arena, struct step_outcome_param, params ? params->n + 1 : 1);
    for (uint32_t i = 0; params && i < params->n; i++) {
        const struct val *p = &params->items[i];
        struct str name = val_get_str(p, "name");
        const struct val *from = val_get(p, STR("valueFrom"));
        if (!val_get(from, STR("path")) && !val_get(from, STR("jsonPath")) && !val_get(from, STR("jqFilter"))) continue;
        struct str value = str_fmt(&w->arena, "v%llu", (unsigned long long)(draw(s) % 5));
        struct str given = note(tmpl, "out-", name);
        bool missing = str_is(note(tmpl, "missing-", name), "true");
        if (given.p) value = given;
        if (missing) value = STR_NONE;
        bool fatal = missing && !val_path(p, "valueFrom.default");
        if (fatal && !how->message.p && how->phase == NODE_SUCCEEDED)
            how->message = str_fmt(&w->arena, "sim: missing output %.*s", STR_ARG(name));
        out[how->n_params++] = (struct step_outcome_param){name, value};
    }
    how->params = out;
}

/* A request: always with a result when there is an answer, and never with an exit code. */
static void fate_http(struct world *w, struct step_outcome *how, bool error, struct str result)
{
    int code = how->exit_code;
    *how = (struct step_outcome){.phase = error ? NODE_FAILED : how->phase, .exit_code = STEP_NO_EXIT_CODE};
    if (error) how->message = STR("sim: no answer");
    else how->result = result;
    if (!error && code) how->message = str_fmt(&w->arena, "received non-2xx response code: %d", code);
}

static struct fate fate_of(struct world *w, const struct node *n, const struct val *given)
{
    /* the engine's own copy lives only until its next event */
    struct val copy = val_copy(&w->arena, given);
    const struct val *tmpl = &copy;
    struct str name = node_name(n);
    struct str seed = str_fmt(&w->arena, "%lld/%.*s", (long long)number(w->fate, "seed"), STR_ARG(name));
    struct stream s = {fnv64(seed)};
    struct fate f = {.duration_us = 1000 * (int64_t)(1 + draw(&s) % 50)};
    int64_t pct = (int64_t)(draw(&s) % 100), error_pct = number(w->fate, "error_pct");
    int64_t code = (int64_t)(1 + draw(&s) % 3), fail_pct = number(w->fate, "fail_pct");
    struct str result = str_fmt(&w->arena, "%llu", (unsigned long long)(draw(&s) % 10));
    bool error = pct < error_pct;
    fate_exit(&w->arena, &f.how, pct < error_pct + fail_pct ? code : 0);

    struct str exit_note = note(tmpl, "exit", STR("")), fails = note(tmpl, "fail-attempts", STR(""));
    int64_t v;
    if (fails.n && str_to_i64(fails, &v)) {
        error = false;
        fate_exit(&w->arena, &f.how, attempt_of(name) < v ? 1 : 0);
    } else if (exit_note.n) {
        error = str_is(exit_note, "error");
        if (str_to_i64(exit_note, &v)) fate_exit(&w->arena, &f.how, v);
    }
    if (str_to_i64(note(tmpl, "duration-ms", STR("")), &v)) f.duration_us = 1000 * v;
    struct str result_note = note(tmpl, "result", STR(""));
    if (node_type(n) == NTYPE_HTTP) {
        fate_http(w, &f.how, error, result_note.p ? result_note : result);
        return f;
    }
    if (error) {
        fate_error(&f.how);
        return f;
    }
    if (node_captures_result(n) || val_get(tmpl, STR("data"))) f.how.result = result_note.p ? result_note : result;
    fate_params(w, tmpl, &s, &f.how);
    return f;
}

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
    own_put(w, &b);
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

/* README.md section 2: a container beside main. */
static struct fate fate_of_part(struct world *w, const struct node *n, uint32_t part, const struct val *tmpl)
{
    struct str name = node_part_name(n, part);
    struct fate f = {.duration_us = node_part_is_aside(n, part) ? NEVER : 10000};
    int64_t v;
    fate_exit(&w->arena, &f.how, str_to_i64(note(tmpl, "exit-", name), &v) ? v : 0);
    if (str_to_i64(note(tmpl, "duration-ms-", name), &v)) f.duration_us = 1000 * v;
    return f;
}

static bool pod_start(struct world *w, struct node *n, uint32_t part, struct err *e)
{
    const struct val *tmpl = node_template(w->run, n, e);
    if (!tmpl) return false;
    struct fate f = part ? fate_of_part(w, n, part, tmpl) : fate_of(w, n, tmpl);
    int64_t from = node_parts(n) || node_is_daemon(n) ? w->now_us : node_started_us(n);
    if (node_is_daemon(n) && !part && !note(tmpl, "duration-ms", STR("")).n) f.duration_us = NEVER;
    struct pod p = {node_index(n), part, f.duration_us == NEVER ? NEVER : from + f.duration_us, str_dup(&w->arena, node_name(n))};
    VEC_PUSH(&w->pods, p);
    return true;
}

static bool probe_start(struct world *w, struct node *n, struct err *e)
{
    const struct val *tmpl = node_template(w->run, n, e);
    int64_t ms;
    if (!tmpl) return false;
    if (!str_to_i64(note(tmpl, "ready-ms", STR("")), &ms)) return true;
    struct pod p = {node_index(n), PART_PROBE, w->now_us + 1000 * ms, str_dup(&w->arena, node_name(n))};
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
        run_part_done(w->run, n, ev->part, &f.how, w->now_us, out);
    } else {
        const struct val *tmpl = node_template(w->run, n, e);
        struct fate f = fate_of(w, n, tmpl);
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
    if (!w->stored.rows.n) {
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
static bool part_catch_up(struct world *w, size_t i, uint32_t part, struct err *e)
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
    return happen(w, &(struct event){EVENT_KILLED, idx, part}, e);
}

/* Pods that should be there and are not, and such that should end: what commands do after a crash. */
static bool catch_up(struct world *w, struct err *e)
{
    for (size_t i = 0; i < run_node_count(w->run); i++) {
        struct node *n = run_node_at(w->run, i);
        bool http = node_type(n) == NTYPE_HTTP;
        if (node_type(n) != NTYPE_POD && !http) continue;
        if (phase_fulfilled(node_phase(n))) pods_forget(w, node_index(n)); /* its request was dropped, its daemon ended */
        for (uint32_t part = 0; part <= node_parts(n) && !phase_fulfilled(node_phase(n)); part++) {
            if (!part_catch_up(w, i, part, e)) return false;
            n = run_node_at(w->run, i);
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

/* Metadata as a submission would have completed it. */
static void complete(struct world *w, const struct val *wf, struct str name, struct val *out)
{
    static const char *const keys[] = {"name", "namespace", "uid"};
    struct str values[] = {name, STR("default"), STR("00000000-0000-4000-8000-000000000000")};
    const struct val *meta = val_get(wf, STR("metadata"));
    struct val_builder m, b;
    map_begin(&m, &w->arena);
    for (uint32_t i = 0; meta && i < meta->n; i++) map_set(&m, meta->map[i].key, meta->map[i].v);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) map_set(&m, str_of(keys[i]), val_of_str(values[i]));
    map_begin(&b, &w->arena);
    for (uint32_t i = 0; i < wf->n; i++) map_add(&b, wf->map[i].key, wf->map[i].v);
    map_set(&b, STR("metadata"), map_done(&m));
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
    int64_t limit = number(c, "limit_us");
    w->fate = val_get(c, STR("fate"));
    w->commands = val_get(c, STR("commands"));
    w->templates = docs;
    w->now_us = w->start_us = number(c, "now_us");
    w->end_us = w->now_us + (limit ? limit : 86400000000);
    w->crash_state ^= (uint64_t)number(c, "seed") * 0x9E3779B97F4A7C15u;
    complete(w, &docs->items[docs->n - 1], val_get_str(c, "name"), wf);
    w->opts = (struct run_opts){.workflow = wf, .lookup = find_template, .lookup_ctx = w,
                                .seed = (uint64_t)number(c, "seed")};
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
    VEC_FINI(&w->stored.rows);
    arena_fini(&w->arena);
}
