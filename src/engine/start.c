/* Executing a template under a name (operator.go executeTemplate): inputs, retries, then by type. */
#include "base/id.h"
#include "base/limits.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/duration.h"
#include "lang/when.h"

struct str start_pod_name(struct run *r, const struct start *s)
{
    return pod_name(&r->scratch, r->name, s->tmpl->name, s->name);
}

bool when_decide(struct run *r, struct str when, bool *go, struct err *e)
{
    *go = true;
    if (!when.n) return true;
    return when_eval(&r->scratch, when, go, e);
}

static struct node *make(struct run *r, const struct start *s, enum node_type type)
{
    struct node *n = node_make(r, s->name, type, s->boundary);
    n->parent = s->parent;
    n->tmpl = s->tmpl;
    n->call = s->call;
    n->hooked = s->hooked;
    n->in_exit = s->in_exit || (s->boundary && s->boundary->in_exit);
    n->retried = s->retried;
    n->attempt = s->attempt;
    n->inputs = s->inputs;
    n->item = s->item.p ? str_dup(&r->arena, s->item) : STR_NONE;
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

/* timeout and activeDeadlineSeconds of a leaf, whichever ends first; 0 = none, -1 = error. A wait for a
 * lock counts for the timeout only. */
static int64_t leaf_deadline_us(struct run *r, const struct node *n, const struct val *tmpl, struct err *e)
{
    struct str timeout = val_get_str(tmpl, "timeout");
    struct str active = val_text(val_get(tmpl, STR("activeDeadlineSeconds")));
    int64_t best = 0;
    if (timeout.n) {
        int64_t us = duration_us(timeout, e);
        if (us < 0) return err_ctx(e, "timeout"), -1;
        best = n->started_us + us;
    }
    if (active.n) {
        int64_t s;
        if (!str_to_i64(active, &s) || s < 0)
            return err_set(e, ERR_SPEC, "activeDeadlineSeconds '%.*s' is not a number",
                           STR_ARG(active)), -1;
        if (!best || r->now_us + s * 1000000 < best) best = r->now_us + s * 1000000;
    }
    return best;
}

static void start_pod(struct run *r, struct node *n)
{
    struct err e;
    const struct val *tmpl;
    int64_t deadline = 0;
    if (!pod_template(r, n, &tmpl, &e) || (deadline = leaf_deadline_us(r, n, tmpl, &e)) < 0) {
        node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    n->deadline_us = deadline;
    if (deadline) timer_add(r, deadline, n);
    struct action a = {.kind = ACTION_START, .node = n, .tmpl = tmpl};
    VEC_PUSH(&r->actions, a);
}

/* A stopped or overdue workflow starts nothing but its exit handlers. */
static struct str refusal(const struct run *r, const struct node *n)
{
    if (r->stop == STOP_TERMINATE) return STR("workflow shutdown with strategy:  Terminate");
    if (n->in_exit) return STR_NONE;
    if (r->stop == STOP_STOP) return STR("workflow shutdown with strategy:  Stop");
    return r->deadline_passed ? STR("Step exceeded its deadline") : STR_NONE;
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

static void begin(struct run *r, struct node *n)
{
    struct str no = refusal(r, n);
    if (no.p && n->type != NTYPE_STEPS && n->type != NTYPE_DAG) {
        node_finish(r, n, NODE_FAILED, no);
        return;
    }
    switch (n->tmpl->type) {
    case TMPL_CONTAINER:
    case TMPL_CONTAINERSET:
    case TMPL_SCRIPT: start_pod(r, n); break;
    case TMPL_SUSPEND: suspend_begin(r, n); break;
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
        .retried = true,
        .attempt = retry->retry->attempts++,
        .inputs = retry->inputs,
    };
    struct node *n = make(r, &s, type_of(s.tmpl));
    n->gate = gate_of_attempt(r, retry);
    begin(r, n);
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
    n->retry->first_started_us = r->now_us;
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
    bool locks = gate && gate->n_names && !refusal(r, n).p;
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
    struct gate *gate;
    struct err e;
    if (gate_make(r, s, &gate, &e)) return start_gated(r, s, gate);
    if (!s->boundary && !s->hooked) r->entry_error = true;
    return start_skipped(r, s, NODE_ERROR, str_of(e.text));
}

struct node *start_template(struct run *r, const struct start *start)
{
    struct start s = *start;
    struct err e;
    if (inputs_decide(r, &s, &s.inputs, &e)) return start_prepared(r, &s);
    if (!s.boundary && !s.hooked) r->entry_error = true;
    return start_skipped(r, &s, NODE_ERROR, str_of(e.text));
}

/* ---- one step or task, one item ---- */

/* Hooks and inline templates have tags of their own, which are filled in later. */
bool item_task(struct run *r, const struct val *task, const struct val *item, struct val *out,
               struct err *e)
{
    struct scope s CLEANUP(scope_fini) = {0};
    struct val_builder b;
    bool ok = true;
    scope_init(&s, &r->globals);
    item_scope(&r->scratch, &s, item);
    struct tags_opts opts = {.scope = &s, .policy = TAGS_FAIL, .clock = run_clock(r)};
    map_begin(&b, &r->scratch);
    for (uint32_t i = 0; ok && i < task->n; i++) {
        struct val v = task->map[i].v;
        bool later = str_is(task->map[i].key, "hooks") || str_is(task->map[i].key, "inline");
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

/* Template, arguments and inputs, which can fail, come before a limit is asked; false: *n shows why. */
static bool call_prepare(struct run *r, const struct val *task, struct start *s, struct node **n)
{
    struct node *boundary = s->boundary;
    struct val *args = ARENA_NEW(&r->scratch, struct val);
    struct err e;
    s->args = val_get(task, STR("arguments"));
    bool ok = tmpl_resolve(r, boundary->tmpl->scope, boundary->tmpl, s->call, task, &s->tmpl, &e);
    if (ok && s->item.p && val_get(s->args, STR("artifacts"))) { /* an item may stand in a `from` */
        ok = args_resolve(r, boundary, s->args, TAGS_FAIL_PREFIXES, args, &e);
        s->args = args;
    }
    if (ok && inputs_decide(r, s, &s->inputs, &e)) return true;
    *n = start_skipped(r, s, NODE_ERROR, str_of(e.text));
    return false;
}

/* A step that could not even be started makes its whole group an error, and those after it in the
 * group are not tried (steps.go executeStepGroup). */
void start_fault(struct run *r, const struct node *n)
{
    struct node *group = n->parent;
    if (!group || group->type != NTYPE_STEPGROUP || phase_fulfilled(group->phase) || group->group->error.p) return;
    group->group->error =
        str_fmt(&r->arena, "step group deemed errored due to child %.*s error: %.*s",
                STR_ARG(n->name), STR_ARG(n->message));
    limit_drop(n->boundary);
}

/* A task says so (dag.go executeDAGTask), a step does not. */
struct str start_fault_text(struct run *r, const struct node *n, struct str why)
{
    bool task = n->call && !n->hooked && n->boundary->type == NTYPE_DAG;
    return task ? str_fmt(&r->scratch, "task '%.*s' errored: %.*s", STR_ARG(n->name), STR_ARG(why)) : why;
}

void call_start(struct run *r, struct node *boundary, const struct blocked *b,
                const struct val *task)
{
    struct start s = {.parent = b->parent, .boundary = boundary, .call = b->call, .item = b->item};
    struct err e;
    struct val resolved, mine;
    struct node *n;
    struct str base = str_fmt(&r->scratch, "%.*s.%.*s",
                              STR_ARG(b->parent->type == NTYPE_STEPGROUP ? b->parent->name
                                                                         : boundary->name),
                              STR_ARG(b->call->name));
    s.name = base;
    bool ok = task || call_resolve(r, boundary, b->call, &resolved, &e);
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
