/* Nodes: making them, moving their phase, linking them, and who comes out at their end. */
#include "base/id.h"
#include "base/sm.h"
#include "engine/engine_p.h"

struct phase_row {
    const char *text;
    bool fulfilled, completed, failed;
};

static const struct phase_row phases[NODE_PHASE_MAX] = {
#define PHASE(name, text, fulfilled, completed, failed, doc) \
    [NODE_##name] = {text, fulfilled, completed, failed},
#include "engine/phases.def"
#undef PHASE
};

struct ntype_row {
    const char *text;
    bool counted;
};

static const struct ntype_row ntypes[NTYPE_MAX] = {
#define NTYPE(name, text, counted, doc) [NTYPE_##name] = {text, counted},
#include "engine/types.def"
#undef NTYPE
};

enum { PROGRESS_US = 1000000 };

enum {
    ENDS = SM_BIT(NODE_SUCCEEDED) | SM_BIT(NODE_FAILED) | SM_BIT(NODE_ERROR) | SM_BIT(NODE_SKIPPED),
};

static const struct sm_edges node_edges[NODE_PHASE_MAX] = {
    [NODE_PENDING] = {ENDS | SM_BIT(NODE_RUNNING) | SM_BIT(NODE_OMITTED)},
    [NODE_RUNNING] = {ENDS},
};

const char *phase_text(enum node_phase p) { return phases[p].text; }
bool phase_fulfilled(enum node_phase p) { return phases[p].fulfilled; }
bool phase_completed(enum node_phase p) { return phases[p].completed; }
bool phase_failed(enum node_phase p) { return phases[p].failed; }
const char *ntype_text(enum node_type t) { return ntypes[t].text; }

bool phase_parse(struct str text, enum node_phase *out)
{
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (str_is(text, phases[i].text)) return *out = (enum node_phase)i, true;
    return false;
}

bool ntype_parse(struct str text, enum node_type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(ntypes); i++)
        if (str_is(text, ntypes[i].text)) return *out = (enum node_type)i, true;
    return false;
}

void node_touch(struct run *r, struct node *n)
{
    if (n->dirty) return;
    n->dirty = true;
    VEC_PUSH(&r->dirty_nodes, n);
}

/* Parallelism and failFast look at the direct children of an instance. */
static void count_begin(struct run *r, struct node *n)
{
    if (!ntypes[n->type].counted || n->counted) return;
    n->counted = true;
    if (n->type == NTYPE_POD) r->active_pods++;
    if (!n->boundary || !n->boundary->body) return; /* containers, below a pod, are not counted */
    n->boundary->body->active_children++;
    if (n->type == NTYPE_POD) n->boundary->body->active_pods++;
}

void node_count_pod(struct run *r, struct node *n, bool at_work)
{
    struct body *b = n->boundary ? n->boundary->body : NULL;
    if (n->type != NTYPE_POD || !n->counted) return;
    ASSERT(at_work || r->active_pods > 0);
    r->active_pods += at_work ? 1 : -1u;
    if (b) b->active_pods += at_work ? 1 : -1u;
}

/* A busy run shows its progress, but not step by step. */
static void progress_show(struct run *r, const struct node *n)
{
    if (!progress_counts(n)) return;
    if (r->now_us - r->progress_us < PROGRESS_US) return;
    r->progress_us = r->now_us;
    r->dirty = true;
}

static void count_end(struct run *r, struct node *n)
{
    if (!n->counted) return;
    n->counted = false;
    if (n->type == NTYPE_POD) {
        ASSERT(r->active_pods > 0);
        r->active_pods--;
    }
    struct body *b = n->boundary ? n->boundary->body : NULL;
    if (!b) return;
    ASSERT(b->active_children > 0);
    b->active_children--;
    if (n->type == NTYPE_POD) b->active_pods--;
    if (phases[n->phase].failed) b->bad_children++;
}

static void estimate(struct run *r, struct node *n)
{
    int64_t s = r->opts.estimate ? r->opts.estimate(r->opts.lookup_ctx, str_from(n->name, r->name.n)) : 0;
    if (s > 0) extra_of(r, n)->estimated_s = s;
}

/* What one event may still make once the limit is reached: the templates that stand in each other, each with its
 * group and its retry node, and the containers of one set. */
enum { SPARE_NODES = 8 * LIMIT_TEMPLATE_DEPTH + LIMIT_SET_CONTAINERS };

uint32_t node_limit(const struct run *r)
{
    return r->opts.max_nodes ? r->opts.max_nodes : LIMIT_RUN_NODES - SPARE_NODES;
}

struct node *node_make(struct run *r, struct str name, enum node_type type, struct node *boundary)
{
    struct node *n = ARENA_NEW(&r->arena, struct node);
    n->idx = (uint32_t)r->nodes.n;
    n->name = str_dup(&r->arena, name);
    n->hash = fnv1a32(name);
    n->type = (uint8_t)type;
    n->phase = NODE_PENDING;
    n->boundary = boundary;
    n->started_us = r->now_us;
    VEC_PUSH(&r->nodes, n);
    r->full = r->nodes.n > node_limit(r);
    estimate(r, n);
    progress_give(r, n);
    r->full = r->nodes.n > node_limit(r);
    count_begin(r, n);
    node_touch(r, n);
    return n;
}

void node_message_set(struct run *r, struct node *n, struct str message)
{
    if (str_eq(n->message, message)) return;
    n->message = message.n ? str_dup(&r->arena, message) : STR_NONE;
    node_touch(r, n);
}

void node_phase_set(struct run *r, struct node *n, enum node_phase p)
{
    if (n->phase == p) return;
    progress_take(r, n);
    SM_MOVE(node_edges, &n->phase, p);
    progress_give(r, n);
    node_touch(r, n);
    if (!phases[p].fulfilled) {
        if (n->type == NTYPE_POD) leaf_runs(r, n);
        lifecycle_note(r, n);
        return;
    }
    n->finished_us = r->now_us;
    n->deadline_us = 0;
    n->daemoned = false;
    progress_show(r, n);
    if (n->type == NTYPE_POD) usage_total(r, n);
    if (n->gate) sync_leave(r, n);
    count_end(r, n);
    VEC_PUSH(&r->finished, n);
}

/* Outputs are kept once the node has them. What cannot be kept makes a pod an error; steps and dags stay
 * what they are (operator.go podReconciliation; steps.go, dag.go). */
static bool kept(struct run *r, struct node *n, enum node_phase p, struct err *e)
{
    bool keeps = n->type == NTYPE_POD || n->type == NTYPE_HTTP || n->type == NTYPE_PLUGIN;
    bool composite = n->type == NTYPE_STEPS || n->type == NTYPE_DAG;
    if (p != NODE_SUCCEEDED || !n->gate || !n->gate->key.p || n->gate->hit || !(keeps || composite)) return true;
    return memo_save(r, n, e) || composite;
}

void node_finish(struct run *r, struct node *n, enum node_phase p, struct str message)
{
    struct err e;
    if (!kept(r, n, p, &e)) {
        p = NODE_ERROR;
        message = str_of(e.text);
    }
    node_message_set(r, n, message);
    node_phase_set(r, n, p);
}

void node_condemn(struct run *r, struct node *n, struct str why)
{
    bool begun = (n->type == NTYPE_STEPS || n->type == NTYPE_DAG) && n->body; /* else it waits for its lock */
    if (phases[n->phase].fulfilled) {
        struct body *b = n->boundary ? n->boundary->body : NULL;
        ASSERT(!n->told || !n->parent);
        if (b && ntypes[n->type].counted && !phases[n->phase].failed) b->bad_children++;
        progress_take(r, n);
        n->phase = NODE_ERROR;
        progress_give(r, n);
        node_touch(r, n);
        node_message_set(r, n, why);
        return;
    }
    if (begun) body_break(r, n, NODE_ERROR, why);
    else node_finish(r, n, NODE_ERROR, why);
}

static void child_push(struct run *r, struct node *n, uint32_t idx)
{
    if (n->n_children == n->cap_children) {
        uint32_t cap = n->cap_children ? n->cap_children * 2 : 2;
        r->frame_bytes += (cap - n->cap_children) * sizeof(uint32_t);
        n->children = mem_grow(n->children, cap * sizeof(uint32_t));
        n->cap_children = cap;
    }
    n->children[n->n_children++] = idx;
}

/* As many as the step has dependencies, as a rule: the run's arena has room for exactly these. */
static void up_push(struct run *r, struct node *n, uint32_t idx)
{
    if (n->n_up == n->cap_up) {
        uint32_t first = n->call && n->call->n_in ? n->call->n_in : 1;
        uint32_t cap = n->cap_up ? n->cap_up * 2 : first;
        uint32_t *list = arena_alloc(&r->arena, cap * sizeof *list);
        if (n->n_up) memcpy(list, n->up, n->n_up * sizeof *list);
        r->frame_bytes += (cap - n->cap_up) * sizeof *list;
        n->up = list;
        n->cap_up = cap;
    }
    n->up[n->n_up++] = idx;
}

/* An edge of the graph, once (operator.go addChildNode). New edges come last, so a repeated one is
 * found near the end. The row of the child keeps it: a parent of thousands is not written again for
 * each of them. */
void node_child(struct run *r, struct node *parent, struct node *child)
{
    for (uint32_t i = parent->n_children; i-- > 0;)
        if (parent->children[i] == child->idx) return;
        else if (parent->children[i] < child->idx) break;
    child_push(r, parent, child->idx);
    up_push(r, child, parent->idx);
    node_touch(r, child);
    if (parent->type == NTYPE_RETRY) node_touch(r, parent); /* shows its attempts while it runs */
}

void node_outbound(struct run *r, struct node *n, void (*fn)(void *ctx, struct node *out), void *ctx)
{
    switch ((enum node_type)n->type) {
    case NTYPE_TASKGROUP:
        if (!n->n_children) break;
        for (uint32_t i = 0; i < n->n_children; i++)
            node_outbound(r, r->nodes.items[n->children[i]], fn, ctx);
        return;
    case NTYPE_RETRY:
        if (!n->n_children || (n->gate && n->gate->hit)) break; /* a hit has no attempts, but may have successors */
        fn(ctx, r->nodes.items[n->children[n->n_children - 1]]);
        return;
    case NTYPE_STEPS:
    case NTYPE_DAG:
        if (!n->body || !n->body->n_outbound) break;
        for (uint32_t i = 0; i < n->body->n_outbound; i++)
            node_outbound(r, r->nodes.items[n->body->outbound[i]], fn, ctx);
        return;
    default: break;
    }
    fn(ctx, n);
}

struct following {
    struct run *r;
    struct node *to;
};

static void follow(void *ctx, struct node *from)
{
    struct following *f = ctx;
    node_child(f->r, from, f->to);
}

void node_follow(struct run *r, struct node *before, struct node *n)
{
    node_outbound(r, before, follow, &(struct following){r, n});
}

struct str node_name_within(struct str name, const struct node *boundary)
{
    if (!boundary) return name;
    struct str d = str_from(name, boundary->name.n);
    if (d.n && d.p[0] == '[') {
        ptrdiff_t close = str_find_char(d, ']', 0);
        if (close > 0) d = str_from(d, (size_t)close + 1);
    }
    return d.n && d.p[0] == '.' ? str_from(d, 1) : d;
}

void show_as(struct run *r, struct node *n, struct str display)
{
    if (!display.n) return;
    struct str *kept = ARENA_NEW(&r->arena, struct str);
    *kept = str_dup(&r->arena, display);
    extra_of(r, n)->display = kept;
}

struct str node_display(const struct node *n)
{
    if (n->extra && n->extra->display) return *n->extra->display;
    if (n->type == NTYPE_STEPGROUP) return str_from(n->name, n->boundary->name.n);
    return node_name_within(n->name, n->boundary);
}

uint32_t step_group_index(const struct node *n)
{
    struct str d = str_from(n->name, n->boundary->name.n + 1);
    int64_t i = 0;
    str_to_i64(str_sub(d, 0, d.n ? d.n - 1 : 0), &i);
    return (uint32_t)i;
}

uint32_t node_item_index(const struct node *n)
{
    struct str d = str_from(n->name, n->boundary->name.n);
    ptrdiff_t at = str_find_char(d, '(', 0);
    ptrdiff_t colon = at < 0 ? -1 : str_find_char(d, ':', (size_t)at);
    int64_t i = 0;
    if (colon > 0) str_to_i64(str_sub(d, (size_t)at + 1, (size_t)(colon - at - 1)), &i);
    return (uint32_t)i;
}

uint32_t node_index(const struct node *n) { return n->idx; }
enum node_phase node_phase(const struct node *n) { return (enum node_phase)n->phase; }
enum node_type node_type(const struct node *n) { return (enum node_type)n->type; }
struct str node_name(const struct node *n) { return n->name; }
struct str node_message(const struct node *n) { return n->message; }
struct str node_item(const struct node *n) { return n->item; }
struct str node_inputs(const struct node *n) { return n->type == NTYPE_CONTAINER ? n->parent->inputs : n->inputs; }
struct str node_outputs(const struct node *n) { return n->outputs; }
int64_t node_started_us(const struct node *n) { return n->started_us; }
int64_t node_finished_us(const struct node *n) { return n->finished_us; }
struct node *node_pod(struct node *n) { return n->type == NTYPE_CONTAINER ? n->parent : n; }

bool node_has_containers(const struct node *n)
{
    return n->type == NTYPE_POD && n->tmpl && n->tmpl->type == TMPL_CONTAINERSET;
}

struct str node_container(const struct node *n)
{
    return n->type == NTYPE_CONTAINER ? str_from(n->name, n->parent->name.n + 1) : STR_NONE;
}

bool node_in_exit(const struct node *n) { return n->in_exit; }

bool node_captures_result(const struct node *n)
{
    const struct node *pod = n->type == NTYPE_CONTAINER ? n->parent : n;
    bool main = pod == n || str_is(node_container(n), "main");
    return main && pod->call && pod->call->captures_result;
}

bool node_is_killed(const struct node *n) { return n->killed; }
bool node_is_waiting(const struct node *n) { return n->gate && n->gate->waiting; }

struct str node_id_text(struct arena *a, const struct run *r, const struct node *n)
{
    if (str_eq(n->name, r->name)) return str_dup(a, r->name);
    return str_fmt(a, "%.*s-%u", STR_ARG(r->name), n->hash);
}

struct str node_template_name(const struct node *n) { return n->tmpl ? n->tmpl->name : STR_NONE; }

struct str node_pod_name(struct arena *a, const struct run *r, const struct node *n)
{
    const struct node *pod = n->type == NTYPE_CONTAINER ? n->parent : n;
    return pod_name(a, r->name, r->pods_by_id ? STR_NONE : node_template_name(pod), pod->name);
}
