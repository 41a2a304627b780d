/* Status as JSON: nodes and the workflow in Argo's shape (types.go NodeStatus, WorkflowStatus), and
 * beside it the private part that a restart needs. */
#include "base/rfc3339.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

/* ---- small writers ---- */

static void key(struct buf *b, const char *name)
{
    size_t n = strlen(name);
    bool first = !b->n || b->p[b->n - 1] == '{';
    char *to = buf_room(b, n + 4);
    if (!to) return;
    char *p = to;
    if (!first) *p++ = ',';
    *p++ = '"';
    memcpy(p, name, n);
    p += n;
    *p++ = '"';
    *p++ = ':';
    *p = 0;
    buf_added(b, (size_t)(p - to));
}

static void put(struct buf *b, const char *name, struct str value)
{
    if (!value.p) return;
    key(b, name);
    buf_json(b, value);
}

static void put_raw(struct buf *b, const char *name, struct str json)
{
    if (!json.n) return;
    key(b, name);
    buf_str(b, json);
}

static char *two_digits(char *p, int v)
{
    *p++ = (char)('0' + v / 10 % 10);
    *p++ = (char)('0' + v % 10);
    return p;
}

/* Whole seconds; null while unknown, as metav1.Time. */
static void put_time(struct buf *b, const char *name, int64_t us)
{
    key(b, name);
    if (!us) {
        buf_str(b, STR("null"));
        return;
    }
    struct civil c = civil_from_us(us);
    const int parts[] = {c.year / 100, c.year, c.month, c.day, c.hour, c.minute, c.second};
    static const char after[] = {0, '-', '-', 'T', ':', ':', 'Z'};
    char text[24], *p = text; /* "2000-01-01T00:00:00Z" with its quotes is 22 long */
    *p++ = '"';
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        p = two_digits(p, parts[i]);
        if (after[i]) *p++ = after[i];
    }
    *p++ = '"';
    buf_add(b, text, (size_t)(p - text));
}

static void put_id(struct buf *b, const struct run *r, const struct node *n)
{
    if (str_eq(n->name, r->name)) {
        buf_json(b, r->name);
        return;
    }
    buf_char(b, '"');
    buf_str(b, r->name);
    buf_char(b, '-');
    buf_u64(b, n->hash);
    buf_char(b, '"');
}

static void put_ids(struct buf *b, const struct run *r, const char *name, const uint32_t *idx,
                    uint32_t n)
{
    if (!n) return;
    key(b, name);
    buf_char(b, '[');
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_char(b, ',');
        put_id(b, r, r->nodes.items[idx[i]]);
    }
    buf_char(b, ']');
}

static void put_num(struct buf *b, const char *name, int64_t v)
{
    key(b, name);
    buf_i64(b, v);
}

/* ---- a node ---- */

static bool is_instance(const struct node *n)
{
    return (n->type == NTYPE_STEPS || n->type == NTYPE_DAG) && n->body;
}

/* A hook is called by the entry of a map of hooks: of its parent's call, or of the workflow. */
static const struct val *called_ref(const struct run *r, const struct node *n)
{
    if (!n->hooked) return n->call ? val_get(n->call->src, STR("templateRef")) : NULL;
    if (n->hook >= HOOK_FIRST) return val_get(&lifecycle_hook(r, n->parent, n->hook)->v, STR("templateRef"));
    bool of_workflow = !n->parent && n->in_exit;
    if (n->hook != HOOK_EXIT && !of_workflow) return NULL;
    return val_path(of_workflow ? r->spec : n->parent->call->src, "hooks.exit.templateRef");
}

static void put_template(struct buf *b, const struct run *r, const struct node *n)
{
    if (n->type == NTYPE_CONTAINER) n = n->parent; /* made of the same template */
    const struct val *ref = called_ref(r, n);
    const struct tmpl_scope *scope = n->boundary ? n->boundary->tmpl->scope : r->local;
    if (ref) {
        key(b, "templateRef");
        json_write(b, ref, 0);
    } else if (n->tmpl && n->tmpl->name.n) {
        put(b, "templateName", n->tmpl->name);
    }
    if (scope != r->local) {
        put(b, "templateScope", scope->key);
        return;
    }
    key(b, "templateScope");
    buf_str(b, STR("\"local/"));
    buf_str(b, r->name);
    buf_char(b, '"');
}

static void put_flags(struct buf *b, const struct node *n)
{
    if (!n->hooked && !n->retried) return;
    key(b, "nodeFlag");
    buf_printf(b, "{%s%s%s}", n->hooked ? "\"hooked\":true" : "",
               n->hooked && n->retried ? "," : "", n->retried ? "\"retried\":true" : "");
}

static void put_gate(struct buf *b, const struct gate *g)
{
    if (g && g->key.p) {
        key(b, "memoizationStatus");
        buf_printf(b, "{\"hit\":%s", g->hit ? "true" : "false");
        put(b, "key", g->key);
        put(b, "cacheName", g->cache);
        buf_char(b, '}');
    }
    if (g && g->waiting && g->waiting_for.p) {
        key(b, "synchronizationStatus");
        buf_char(b, '{');
        put(b, "waiting", g->waiting_for);
        buf_char(b, '}');
    }
}

static void put_usage(struct buf *b, const char *name, const struct node *n)
{
    if (!n->extra || !n->extra->used.n) return;
    key(b, name);
    usage_write(b, &n->extra->used);
}

static void put_progress(struct buf *b, struct progress p)
{
    key(b, "progress");
    buf_char(b, '"');
    buf_i64(b, p.done);
    buf_char(b, '/');
    buf_i64(b, p.of);
    buf_char(b, '"');
}

void node_write_status(struct buf *b, const struct run *r, const struct node *n)
{
    buf_char(b, '{');
    key(b, "id");
    put_id(b, r, n);
    put(b, "name", n->name);
    put(b, "displayName", node_display(n));
    put(b, "type", str_of(ntype_text(n->type)));
    put_template(b, r, n);
    put(b, "phase", str_of(phase_text(n->phase)));
    if (n->boundary) {
        key(b, "boundaryID");
        put_id(b, r, n->boundary);
    }
    if (n->message.n) put(b, "message", n->message);
    put_time(b, "startedAt", n->started_us);
    put_time(b, "finishedAt", n->finished_us);
    if (n->extra && n->extra->estimated_s) put_num(b, "estimatedDuration", n->extra->estimated_s);
    if (progress_counts(n)) put_progress(b, progress_of(n));
    if (phase_fulfilled(n->phase)) put_usage(b, "resourcesDuration", n);
    put_raw(b, "inputs", n->inputs);
    put_raw(b, "outputs", n->outputs);
    put_flags(b, n);
    if (n->daemoned) put_raw(b, "daemoned", STR("true"));
    if (node_is_daemon(n) && n->phase != NODE_PENDING) put(b, "podIP", node_address(n));
    put_gate(b, n->gate);
    put_ids(b, r, "children", n->children, n->n_children);
    if (is_instance(n)) put_ids(b, r, "outboundNodes", n->body->outbound, n->body->n_outbound);
    if (n->type == NTYPE_POD) put(b, "hostNodeName", STR("localhost"));
    buf_char(b, '}');
}

static void put_indexes(struct buf *b, const char *name, const uint32_t *idx, uint32_t n)
{
    if (!n) return;
    key(b, name);
    buf_char(b, '[');
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_char(b, ',');
        buf_u64(b, idx[i]);
    }
    buf_char(b, ']');
}

/* Items that a loop was expanded to: of a task group, or of each loop of a step group. They are
 * needed as long as the instance lives, for what later calls refer to. */
static void put_loops(struct buf *b, const struct node *n)
{
    const struct body *body = n->boundary ? n->boundary->body : NULL;
    bool group = n->type == NTYPE_TASKGROUP || n->type == NTYPE_STEPGROUP;
    if (!group || !body || !body->calls) return;
    uint32_t from = n->call ? n->call->idx : 0, to = n->call ? from + 1 : body->tmpl->n_calls;
    uint32_t index = n->call ? 0 : step_group_index(n);
    key(b, "loops");
    buf_char(b, '{');
    for (uint32_t i = from; i < to; i++) {
        const struct group_frame *g = body->calls[i].loop;
        if (!g || body->tmpl->calls[i].group != index) continue;
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        put_raw(b, text, g->items_json);
    }
    buf_char(b, '}');
}

void node_write_private(struct buf *b, const struct run *r, const struct node *n)
{
    int flags = (n->hooked ? FLAG_HOOKED : 0) | (n->retried ? FLAG_RETRIED : 0) |
                (n->in_exit ? FLAG_IN_EXIT : 0) | (n->killed ? FLAG_KILLED : 0) |
                (n->hook_done ? FLAG_HOOK_DONE : 0) | (n->condemned ? FLAG_CONDEMNED : 0) |
                (n->bad_outputs ? FLAG_BAD_OUTPUTS : 0) | (n->broken ? FLAG_BROKEN : 0) | (n->again ? FLAG_AGAIN : 0) |
                (n->daemoned ? FLAG_DAEMONED : 0);
    (void)r;
    buf_char(b, '{');
    put_num(b, "s", n->started_us);
    put_num(b, "f", n->finished_us);
    if (n->deadline_us) put_num(b, "d", n->deadline_us);
    if (flags) put_num(b, "fl", flags);
    if (n->parent) put_num(b, "p", n->parent->idx);
    if (n->boundary) put_num(b, "b", n->boundary->idx);
    if (n->attempt) put_num(b, "a", n->attempt);
    if (n->container) put_num(b, "ct", n->container);
    if (n->hook) put_num(b, "h", n->hook);
    if (n->hooks_fired) put_num(b, "hf", n->hooks_fired);
    if (n->wf_status) put_num(b, "ws", n->wf_status);
    if (n->tmpl) put(b, "t", n->tmpl->key);
    if (n->call) put_num(b, "c", n->call->idx);
    put_raw(b, "i", n->item);
    if (n->extra && n->extra->display) put(b, "dn", *n->extra->display);
    put_indexes(b, "u", n->up, n->n_up);
    if (n->type == NTYPE_STEPGROUP && n->group) put(b, "er", n->group->error);
    if (is_instance(n)) put_indexes(b, "o", n->body->outbound, n->body->n_outbound);
    put_loops(b, n);
    if (has_parts(n)) parts_write(b, n);
    if (!phase_fulfilled(n->phase)) put_usage(b, "rd", n);
    sync_write_private(b, n->gate);
    buf_char(b, '}');
}

/* ---- the workflow ---- */

static void put_outputs(struct buf *b, const struct run *r)
{
    struct arena a;
    if (!r->globals_out.n && !r->artifacts_out.n) return;
    arena_init(&a);
    key(b, "outputs");
    buf_char(b, '{');
    for (int k = 0; k < 2; k++) {
        const struct val_pair *items = k ? r->artifacts_out.items : r->globals_out.items;
        size_t n = k ? r->artifacts_out.n : r->globals_out.n;
        if (!n) continue;
        key(b, k ? "artifacts" : "parameters");
        buf_char(b, '[');
        for (size_t i = 0; i < n; i++) {
            if (i) buf_char(b, ',');
            buf_str(b, json_text(&a, &items[i].v));
        }
        buf_char(b, ']');
    }
    buf_char(b, '}');
    arena_fini(&a);
}

static void put_conditions(struct buf *b, const struct run *r)
{
    key(b, "conditions");
    buf_printf(b, "[{\"type\":\"PodRunning\",\"status\":\"%s\"}%s]",
               r->active_pods && !r->done ? "True" : "False",
               r->done ? ",{\"type\":\"Completed\",\"status\":\"True\"}" : "");
    if (!r->metrics_error.p) return;
    b->n--; /* the bracket */
    buf_str(b, STR(",{\"type\":\"MetricsError\",\"status\":\"True\",\"message\":"));
    buf_json(b, r->metrics_error);
    buf_str(b, STR("}]"));
}

static void status_members(struct buf *b, const struct run *r)
{
    if (r->begun || r->postponed) put(b, "phase", str_of(phase_text(r->phase)));
    put_time(b, "startedAt", r->started_us);
    put_time(b, "finishedAt", r->finished_us);
    if (r->message.n) put(b, "message", r->message);
    if (r->opts.estimated_s) {
        key(b, "estimatedDuration");
        buf_i64(b, r->opts.estimated_s);
    }
    if (r->progress.of) put_progress(b, r->progress);
    if (r->used.n) {
        key(b, "resourcesDuration");
        usage_write(b, &r->used);
    }
    put_conditions(b, r);
    put_outputs(b, r);
    if (lock_party_lines(r->party)) {
        key(b, "synchronization");
        lock_party_write(b, r->party);
    }
}

void run_write_status(struct buf *b, const struct run *r)
{
    buf_char(b, '{');
    status_members(b, r);
    buf_char(b, '}');
}

static void put_looked_up(struct buf *b, const struct run *r)
{
    if (!r->looked_up.n) return;
    key(b, "params");
    buf_char(b, '{');
    for (size_t i = 0; i < r->looked_up.n; i++) {
        if (i) buf_char(b, ',');
        buf_json(b, r->looked_up.items[i].key);
        buf_char(b, ':');
        buf_json(b, r->looked_up.items[i].v.s);
    }
    buf_char(b, '}');
}

void run_write_private(struct buf *b, const struct run *r)
{
    buf_char(b, '{');
    put_num(b, "s", r->started_us);
    put_num(b, "f", r->finished_us);
    put_num(b, "d", r->deadline_us);
    put_num(b, "begun", r->begun);
    put_num(b, "stop", r->stop);
    put_num(b, "suspended", r->suspended);
    put_num(b, "late", r->deadline_passed);
    put_num(b, "exit", r->exit_started);
    put_num(b, "done", r->done);
    if (r->entry_error) put_num(b, "entryError", 1);
    put_num(b, "seed", (int64_t)(r->opts.seed >> 1));
    if (r->exit_node) put_num(b, "exitNode", r->exit_node->idx);
    if (r->metrics_error.p) put(b, "metricsError", r->metrics_error);
    if (r->opts.estimated_s) put_num(b, "est", r->opts.estimated_s);
    struct scope_value v;
    if (scope_get(&r->globals, STR("workflow.failures"), &v)) put(b, "failures", v.str);
    put_looked_up(b, r);
    put_outputs(b, r);
    sync_write_private(b, r->gate);
    buf_char(b, '}');
}

static void nodes_write(struct buf *b, const struct run *r)
{
    struct arena a CLEANUP(arena_fini);
    struct buf own CLEANUP(buf_fini);
    struct val nodes;
    arena_init(&a);
    buf_init(&own, b->max);
    buf_char(&own, '{');
    for (size_t i = 0; i < r->nodes.n; i++) {
        if (i) buf_char(&own, ',');
        put_id(&own, r, r->nodes.items[i]);
        buf_char(&own, ':');
        node_write_status(&own, r, r->nodes.items[i]);
    }
    buf_char(&own, '}');
    bool ok = json_parse(&a, buf_view(&own), NULL, &nodes, NULL);
    ASSERT(ok);
    nodes = nodes_sum(&a, &nodes);
    json_write(b, &nodes, 0);
}

void run_write_workflow(struct buf *b, const struct run *r)
{
    const struct val *wf = r->opts.workflow;
    buf_char(b, '{');
    for (uint32_t i = 0; i < wf->n; i++) {
        if (str_is(wf->map[i].key, "status")) continue;
        buf_json(b, wf->map[i].key);
        buf_char(b, ':');
        json_write(b, &wf->map[i].v, 0);
        buf_char(b, ',');
    }
    buf_str(b, STR("\"status\":{"));
    status_members(b, r);
    key(b, "nodes");
    nodes_write(b, r);
    buf_str(b, STR("}}"));
}
