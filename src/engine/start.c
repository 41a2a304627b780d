/* Executing a template under a name (operator.go executeTemplate): inputs, retries, then by type. */
#include "base/id.h"
#include "base/limits.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/duration.h"
#include "lang/when.h"

struct str start_pod_name(struct run *r, const struct start *s)
{
    return pod_name(&r->scratch, r->name, r->pods_by_id ? STR_NONE : s->tmpl->name, s->name);
}

bool when_decide(struct run *r, struct str when, bool *go, struct err *e)
{
    *go = true;
    if (!when.n) return true;
    return when_eval(&r->scratch, when, go, e);
}

/* annotations of the template itself, not of its pods: workflows.argoproj.io/display-name */
static struct str display_name(struct run *r, const struct node *n)
{
    const struct val *notes = n->tmpl ? val_get(n->tmpl->src, STR("annotations")) : NULL;
    struct str text = val_get_str(notes, "workflows.argoproj.io/display-name");
    struct scope inputs CLEANUP(scope_fini) = {0}, locals CLEANUP(scope_fini) = {0};
    struct err e;
    if (!text.n) return STR_NONE;
    scope_init(&locals, globals_for(r, n->wf_status));
    scope_init(&inputs, &locals);
    locals_scope(r, &r->scratch, &locals, n);
    inputs_scope(r, &r->scratch, &inputs, n);
    struct tags_opts opts = {.scope = &inputs, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    if (tags_present(text) && !tags_replace(&r->scratch, text, &opts, &text, &e)) return STR_NONE;
    return text;
}

static struct node *make(struct run *r, const struct start *s, enum node_type type)
{
    struct node *n = node_make(r, s->name, type, s->boundary);
    n->parent = s->parent;
    n->tmpl = s->tmpl;
    n->call = s->call;
    n->hooked = s->hooked;
    n->hook = s->hook;
    n->wf_status = s->wf_status;
    n->in_exit = s->in_exit || (s->boundary && s->boundary->in_exit);
    n->retried = s->retried;
    n->attempt = s->attempt;
    n->inputs = s->inputs;
    n->item = s->item.p ? str_dup(&r->arena, s->item) : STR_NONE;
    if (!s->retried) show_as(r, n, display_name(r, n));
    lifecycle_note(r, n);
    return n;
}

struct node *start_skipped(struct run *r, const struct start *start, enum node_phase p,
                           struct str message)
{
    struct start s = *start;
    if (!s.tmpl && s.call && s.boundary) /* only to show what it would have been */
        tmpl_resolve(r, s.boundary->tmpl->scope, s.boundary->tmpl, s.call, s.call->src, &s.tmpl, NULL);
    struct node *n = make(r, &s, NTYPE_SKIP);
    node_finish(r, n, p, message);
    return n;
}

/* How deep the instance stands in others. */
static bool too_deep(const struct start *s)
{
    int depth = 0;
    for (const struct node *b = s->boundary; b; b = b->boundary)
        if (++depth > LIMIT_TEMPLATE_DEPTH) return true;
    return false;
}

/* -1 with e set: not a duration. */
int64_t duration_us(struct str text, struct err *e)
{
    int64_t ns;
    return duration_parse_seconds(text, &ns, e) ? ns / 1000 : -1;
}

static bool sooner(const struct val *tmpl, const char *field, int64_t from_us, int64_t *best, struct err *e)
{
    struct str text = val_text(val_get(tmpl, str_of(field)));
    if (!text.n) return true;
    int64_t us = duration_us(text, e);
    if (us < 0) return err_ctx(e, "%s", field), false;
    if (!*best || from_us + us < *best) *best = from_us + us;
    return true;
}

/* When a leaf is too late; 0 = never, -1 = error. `timeout` counts from the node's creation, a wait for a
 * lock included; pendingTimeout too, but only until it runs; activeDeadlineSeconds from then on. A later attempt
 * ends with its strategy's maxDuration. */
static int64_t leaf_deadline_us(struct run *r, const struct node *n, const struct val *tmpl, bool runs, struct err *e)
{
    int64_t best = 0;
    struct str active = val_text(val_get(tmpl, STR("activeDeadlineSeconds")));
    int64_t s;
    if (active.n && (!str_to_i64(active, &s) || s < 0))
        return err_set(e, ERR_SPEC, "activeDeadlineSeconds '%.*s' is not a number", STR_ARG(active)), -1;
    bool ok = sooner(tmpl, "timeout", n->started_us, &best, e) &&
              (runs ? sooner(tmpl, "activeDeadlineSeconds", r->now_us, &best, e)
                    : sooner(tmpl, "pendingTimeout", n->started_us, &best, e));
    int64_t over_us = retry_over_us(r, n);
    if (over_us && (!best || over_us < best)) best = over_us;
    return ok ? best : -1;
}

/* It runs now, so another deadline counts. */
void leaf_runs(struct run *r, struct node *n)
{
    const struct val *tmpl, *src = n->tmpl ? n->tmpl->src : NULL;
    struct err e;
    if (!val_get(src, STR("activeDeadlineSeconds")) && !val_get(src, STR("pendingTimeout"))) return;
    if (n->killed || !pod_template(r, n, &tmpl, &e)) return;
    int64_t deadline = leaf_deadline_us(r, n, tmpl, true, &e);
    if (deadline < 0 || deadline == n->deadline_us) return; /* it was judged when the node was made */
    n->deadline_us = deadline;
    node_touch(r, n);
    if (deadline) timer_add(r, deadline, n);
}

const struct val *leaf_begin(struct run *r, struct node *n)
{
    struct err e;
    const struct val *tmpl;
    int64_t deadline = 0;
    if (!pod_template(r, n, &tmpl, &e) || (deadline = leaf_deadline_us(r, n, tmpl, false, &e)) < 0) {
        node_finish(r, n, NODE_ERROR, str_of(e.text));
        return NULL;
    }
    n->deadline_us = deadline;
    if (deadline) timer_add(r, deadline, n);
    return tmpl;
}

static void start_pod(struct run *r, struct node *n)
{
    struct err e;
    const struct val *tmpl = leaf_begin(r, n);
    if (!tmpl) return;
    bool resource = n->tmpl->type == TMPL_RESOURCE || n->tmpl->type == TMPL_DATA;
    if (node_is_daemon(n) && resource) {
        node_finish(r, n, NODE_ERROR, STR("a daemon is a container, a script or a container set in this version of Skiff"));
        return;
    }
    const struct val *pod = node_pod_template(r, n, &e); /* a patch may add containers */
    if (!pod) {
        node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    if (parts_wanted(pod)) {
        if (!parts_begin(r, n, pod, &e)) node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    if (n->tmpl->type == TMPL_CONTAINERSET) {
        if (cset_begin(r, n, tmpl, &e)) cset_go(r, n, tmpl);
        else node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    struct action a = {.kind = ACTION_START, .node = n, .tmpl = tmpl};
    VEC_PUSH(&r->actions, a);
}

/* A stopped or overdue workflow starts nothing but its exit handlers. Argo's words for pods that were
 * running have one blank more (workflowpod.go, exec_control.go). */
struct str start_refusal(const struct run *r, const struct node *n)
{
    bool pod = n->type == NTYPE_POD;
    if (r->stop == STOP_TERMINATE) return pod ? STR("workflow shutdown with strategy: Terminate") : stopped_text(r);
    if (n->in_exit) return STR_NONE;
    if (r->stop == STOP_STOP) return pod ? STR("workflow shutdown with strategy: Stop") : stopped_text(r);
    return r->deadline_passed ? STR("Step exceeded its deadline") : STR_NONE;
}

/* It did well in the run that this one was made from: NULL when it did not. */
static struct node *memoized(struct run *r, const struct start *s, enum node_type type)
{
    bool leaf = type == NTYPE_POD || type == NTYPE_HTTP || type == NTYPE_PLUGIN;
    const struct val *memo = leaf ? map_ptr(&r->memo, str_from(s->name, r->name.n)) : NULL;
    if (!memo) return NULL;
    const struct val *outputs = val_get(memo, STR("outputs"));
    struct str id = val_get_str(memo, "id");
    struct node *n = make(r, s, NTYPE_SKIP);
    if (outputs) n->outputs = json_text(&r->arena, outputs);
    node_finish(r, n, NODE_SKIPPED, str_fmt(&r->scratch, "original pod: %.*s", STR_ARG(id)));
    return n;
}

static enum node_type type_of(const struct tmpl *t)
{
    static const enum node_type types[] = {
        [TMPL_CONTAINER] = NTYPE_POD, [TMPL_CONTAINERSET] = NTYPE_POD, [TMPL_SCRIPT] = NTYPE_POD,
        [TMPL_STEPS] = NTYPE_STEPS,   [TMPL_DAG] = NTYPE_DAG,          [TMPL_RESOURCE] = NTYPE_POD,
        [TMPL_DATA] = NTYPE_POD,      [TMPL_SUSPEND] = NTYPE_SUSPEND,  [TMPL_HTTP] = NTYPE_HTTP,
        [TMPL_PLUGIN] = NTYPE_PLUGIN,
    };
    return types[t->type];
}

/* One that was seen waiting for a lock is not new any more, and has no metrics of its begin. */
static void metrics_begin(struct run *r, struct node *n)
{
    if (!n->gate || !n->gate->told) metrics_of_node(r, n, true);
}

static void begin(struct run *r, struct node *n)
{
    metrics_begin(r, n);
    struct str no = start_refusal(r, n);
    if (no.p && n->type != NTYPE_STEPS && n->type != NTYPE_DAG) {
        node_finish(r, n, NODE_FAILED, no);
        return;
    }
    switch (n->tmpl->type) {
    case TMPL_CONTAINER:
    case TMPL_CONTAINERSET:
    case TMPL_RESOURCE:
    case TMPL_DATA:
    case TMPL_SCRIPT: start_pod(r, n); break;
    case TMPL_SUSPEND: suspend_begin(r, n); break;
    case TMPL_HTTP: http_begin(r, n); break;
    case TMPL_STEPS: node_phase_set(r, n, NODE_RUNNING); steps_begin(r, n); break;
    case TMPL_DAG: node_phase_set(r, n, NODE_RUNNING); dag_begin(r, n); break;
    default:
        node_finish(r, n, NODE_ERROR, STR("this template type is not supported by this version of "
                                          "Skiff; see docs/compatibility.md"));
    }
}

struct node *start_attempt(struct run *r, struct node *retry)
{
    struct start s = {
        .name = str_fmt(&r->scratch, "%.*s(%u)", STR_ARG(retry->name), retry->retry->attempts),
        .parent = retry,
        .boundary = retry->boundary,
        .call = retry->call,
        .tmpl = retry->tmpl,
        .item = retry->item,
        .hooked = retry->hooked,
        .in_exit = retry->in_exit,
        .wf_status = retry->wf_status,
        .retried = true,
        .attempt = retry->retry->attempts++,
        .inputs = retry->inputs,
    };
    if (!s.attempt) retry->retry->first_started_us = r->now_us; /* anew, when a reset has dropped them all */
    if (retry->retry->last) metrics_of_attempt(r, retry->retry->last);
    struct node *n = memoized(r, &s, type_of(s.tmpl));
    if (!n) {
        n = make(r, &s, type_of(s.tmpl));
        n->gate = gate_of_attempt(r, retry);
        begin(r, n);
    }
    retry->retry->last = n;
    node_child(r, retry, n);
    return n;
}

void start_open(struct run *r, struct node *n)
{
    if (n->type != NTYPE_RETRY) {
        begin(r, n);
        return;
    }
    metrics_begin(r, n);
    node_phase_set(r, n, NODE_RUNNING);
    start_attempt(r, n);
}

/* Locks first, then what the cache has, then the thing itself. */
static struct node *start_gated(struct run *r, const struct start *s, struct gate *gate)
{
    struct node *n = make(r, s, s->tmpl->retry ? NTYPE_RETRY : type_of(s->tmpl));
    struct err e;
    n->gate = gate;
    if (n->type == NTYPE_RETRY) n->retry = mem_zalloc(sizeof *n->retry);
    bool locks = gate && gate->n_names && !start_refusal(r, n).p;
    if (!locks) gate_pass(r, n);
    else if (!sync_wait(r, n, &e)) node_finish(r, n, NODE_ERROR, str_of(e.text));
    return n;
}

/* Inputs are decided: a retry node with its first attempt, or the thing itself. */
static struct node *start_prepared(struct run *r, const struct start *s)
{
    if (too_deep(s))
        return start_skipped(r, s, NODE_ERROR,
                             STR("Maximum recursion depth exceeded: a template calls itself more "
                                 "than 100 levels deep"));
    struct node *known = s->tmpl->retry ? NULL : memoized(r, s, type_of(s->tmpl));
    if (known) return known;
    struct gate *gate;
    struct err e;
    if (gate_make(r, s, &gate, &e)) return start_gated(r, s, gate);
    if (!s->boundary && !s->hooked) run_entry_fails(r);
    return start_skipped(r, s, NODE_ERROR, str_of(e.text));
}

struct node *start_template(struct run *r, const struct start *start)
{
    struct start s = *start;
    struct err e;
    if (s.boundary && !s.wf_status) s.wf_status = s.boundary->wf_status;
    if (inputs_decide(r, &s, &s.inputs, &e)) return start_prepared(r, &s);
    if (!s.boundary && !s.hooked) run_entry_fails(r);
    return start_skipped(r, &s, NODE_ERROR, str_of(e.text));
}

/* ---- one step or task, one item ---- */

/* A condition that is false as it stands, with the item not filled in: nothing needs to be resolved
 * (operator.go processItem). */
static bool surely_skipped(struct run *r, const struct val *task)
{
    struct err e;
    bool go;
    return when_decide(r, val_get_str(task, "when"), &go, &e) && !go;
}

static bool is_loop_key(struct str key)
{
    return str_is(key, "withItems") || str_is(key, "withParam") || str_is(key, "withSequence");
}

static struct val *without_list(struct arena *a, const struct val *task)
{
    struct val_builder b;
    struct val *copy = ARENA_NEW(a, struct val);
    map_begin(&b, a);
    for (uint32_t i = 0; i < task->n; i++)
        if (!is_loop_key(task->map[i].key)) map_add(&b, task->map[i].key, task->map[i].v);
    struct val v = map_done(&b);
    *copy = val_copy(a, &v);
    return copy;
}

/* Of a loop the first item that was held back resolves it for all: a fan-in would be read anew for each. */
static bool held_resolve(struct run *r, struct node *boundary, const struct blocked *b, struct val *out, struct err *e)
{
    struct group_frame *g = b->item.p ? boundary->body->calls[b->call->idx].loop : NULL;
    if (!g) return call_resolve(r, boundary, b->call, out, e);
    if (!g->task) {
        if (!call_resolve(r, boundary, b->call, out, e)) return false;
        g->task = without_list(&boundary->body->arena, out);
    }
    *out = *g->task;
    return true;
}

/* Hooks and inline templates have tags of their own, which are filled in later. */
bool item_task(struct run *r, const struct val *task, const struct val *item, struct val *out,
               struct err *e)
{
    struct scope s CLEANUP(scope_fini) = {0};
    struct val_builder b;
    bool ok = true;
    scope_init(&s, &r->globals);
    item_scope(&r->scratch, &s, item);
    struct tags_opts opts = {.scope = &s, .policy = surely_skipped(r, task) ? TAGS_LEAVE : TAGS_FAIL,
                             .clock = run_clock(r)};
    map_begin(&b, &r->scratch);
    for (uint32_t i = 0; ok && i < task->n; i++) {
        struct val v = task->map[i].v;
        bool later = str_is(task->map[i].key, "hooks") || str_is(task->map[i].key, "inline");
        if (is_loop_key(task->map[i].key)) continue; /* as long as all items together */
        if (!later) ok = tags_replace_val(&r->scratch, &task->map[i].v, &opts, &v, e);
        map_add(&b, task->map[i].key, v);
    }
    *out = map_done(&b);
    return ok;
}

/* Joins a new node to the graph: below its group, or after the tasks that it depends on. */
static void link_call(struct run *r, struct node *boundary, const struct blocked *b, struct node *n)
{
    struct call_state *c = &boundary->body->calls[b->call->idx];
    if (b->item.p) c->loop->items[b->item_idx] = n;
    else c->node = n;
    if (b->parent->type == NTYPE_DAG) dag_link(r, boundary, b->call, n);
    else node_child(r, b->parent, n);
}

/* False: `when` says no, or it cannot be judged; *n is then the node that shows it. */
static bool call_wanted(struct run *r, const struct val *task, struct start *s, struct node **n)
{
    struct str when = val_get_str(task, "when");
    struct err e;
    bool go;
    if (!when_decide(r, when, &go, &e)) {
        *n = start_skipped(r, s, NODE_ERROR, str_of(e.text));
        return false;
    }
    if (go) return true;
    *n = start_skipped(r, s, NODE_SKIPPED,
                       str_fmt(&r->scratch, "when '%.*s' evaluated false", STR_ARG(when)));
    return false;
}

struct str fault_text(struct run *r, const struct node *boundary, struct str name, struct str why)
{
    if (!boundary || boundary->type != NTYPE_DAG) return why;
    return str_fmt(&r->scratch, "task '%.*s' errored: %.*s", STR_ARG(name), STR_ARG(why));
}

/* Template, arguments and inputs, which can fail, come before a limit is asked; false: *n shows why. */
static bool call_prepare(struct run *r, const struct val *task, struct start *s, struct node **n)
{
    struct node *boundary = s->boundary;
    struct val *args = ARENA_NEW(&r->scratch, struct val);
    struct err e;
    s->args = val_get(task, STR("arguments"));
    bool ok = tmpl_resolve(r, boundary->tmpl->scope, boundary->tmpl, s->call, task, &s->tmpl, &e);
    if (ok && s->item.p && val_get(s->args, STR("artifacts"))) { /* an item may stand in a `from` */
        ok = args_resolve(r, &(struct asker){.boundary = boundary, .call = s->call}, s->args, TAGS_FAIL_PREFIXES, args, &e);
        s->args = args;
    }
    if (ok && inputs_decide(r, s, &s->inputs, &e)) return true;
    *n = start_skipped(r, s, NODE_ERROR, str_of(e.text));
    return false;
}

/* A step that could not even be started makes its whole group an error, and those after it in the
 * group are not tried (steps.go executeStepGroup). */
void fault_group(struct run *r, struct node *parent, const struct node *n, struct str why)
{
    if (!parent || parent->type != NTYPE_STEPGROUP || phase_fulfilled(parent->phase)) return;
    steps_group_error(r, parent, str_fmt(&r->scratch, "step group deemed errored due to child %.*s error: %.*s",
                                         STR_ARG(n->name), STR_ARG(why)));
}

void start_fault(struct run *r, const struct node *n) { fault_group(r, n->parent, n, n->message); }

/* A task says so (dag.go executeDAGTask), a step does not. */
struct str start_fault_text(struct run *r, const struct node *n, struct str why)
{
    bool task = n->call && !n->hooked && n->boundary->type == NTYPE_DAG;
    return task ? str_fmt(&r->scratch, "task '%.*s' errored: %.*s", STR_ARG(n->name), STR_ARG(why)) : why;
}

void call_start(struct run *r, struct node *boundary, const struct blocked *b,
                const struct val *task)
{
    struct start s = {.parent = b->parent, .boundary = boundary, .call = b->call, .item = b->item,
                      .wf_status = boundary->wf_status};
    struct err e;
    struct val resolved, mine;
    struct node *n;
    if (r->full) return;
    struct str base = str_fmt(&r->scratch, "%.*s.%.*s",
                              STR_ARG(b->parent->type == NTYPE_STEPGROUP ? b->parent->name
                                                                         : boundary->name),
                              STR_ARG(b->call->name));
    s.name = base;
    bool ok = task || held_resolve(r, boundary, b, &resolved, &e);
    if (ok && !task) task = &resolved;
    if (ok && b->item.p) {
        struct val item = parsed(&r->scratch, b->item);
        s.name = loop_name(&r->scratch, base, b->item_idx, &item);
        ok = item_task(r, task, &item, &mine, &e);
        task = &mine;
    }
    if (!ok) n = start_skipped(r, &s, NODE_ERROR, str_of(e.text));
    else if (call_wanted(r, task, &s, &n)) {
        bool prepared = call_prepare(r, task, &s, &n);
        if (prepared && !limit_pass(r, boundary, b)) return;
        if (prepared) n = start_prepared(r, &s);
        if (n->type == NTYPE_SKIP && n->phase == NODE_ERROR) node_message_set(r, n, start_fault_text(r, n, n->message));
    }
    link_call(r, boundary, b, n);
    if (n->type == NTYPE_SKIP && n->phase == NODE_ERROR) start_fault(r, n);
}
