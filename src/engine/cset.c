/* Container sets: several containers of one pod, each a node of type Container below the pod's node
 * (container_set_template.go; the emissary's rules for `dependencies` and retries).
 *
 * A container starts when all those that it depends on have ended well; after one that has not, it
 * ends at once with Argo's code 64. Outputs come from the container named main alone. When all have
 * ended the pod's phase follows: that of the first bad one by name. */
#include "base/limits.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/duration.h"

enum { CODE_BROKEN = 64 };

struct set_ctr {
    struct str name;
    struct node *node;
    uint32_t waiting; /* those it depends on that have not ended well */
    uint32_t n_out, *out;
};

struct set_frame {
    uint32_t n, open;
    bool begun;       /* its init containers are over */
    bool shared;      /* some output lies in a mount that all containers have: it is read when all have ended */
    int64_t tries;    /* of one container */
    int64_t pause_us; /* between two */
    struct set_ctr *ctrs;
};

/* ---- the frame ---- */

static bool strategy_read(const struct val *set, struct set_frame *f, struct err *e)
{
    const struct val *retry = val_get(set, STR("retryStrategy"));
    struct str retries = val_text(val_get(retry, STR("retries"))), pause = val_get_str(retry, "duration");
    int64_t ns = 0;
    f->tries = 1;
    if (retries.n && !str_to_i64(retries, &f->tries))
        return err_set(e, ERR_SPEC, "containerSet.retryStrategy.retries '%.*s' is not a number", STR_ARG(retries));
    if (retries.n && pause.n && !duration_parse(pause, &ns, e))
        return err_ctx(e, "containerSet.retryStrategy.duration"), false;
    f->tries = MAX(f->tries, 1);
    f->pause_us = ns / 1000;
    return true;
}

static int64_t index_of(const struct set_frame *f, struct str name)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (str_eq(f->ctrs[i].name, name)) return i;
    return -1;
}

static bool edges_read(struct run *r, const struct val *list, struct set_frame *f, struct err *e)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct val *on = val_get(&list->items[i], STR("dependencies"));
        for (uint32_t k = 0; on && on->kind == VAL_LIST && k < on->n; k++) {
            int64_t dep = index_of(f, val_text(&on->items[k]));
            if (dep < 0)
                return err_set(e, ERR_SPEC, "container '%.*s': dependency '%.*s' is not in the set",
                               STR_ARG(f->ctrs[i].name), STR_ARG(val_text(&on->items[k])));
            struct set_ctr *d = &f->ctrs[dep];
            if (!d->out) d->out = ARENA_ARRAY(&r->arena, uint32_t, f->n);
            d->out[d->n_out++] = i;
            f->ctrs[i].waiting++;
        }
    }
    return true;
}

static bool acyclic(struct run *r, const struct set_frame *f)
{
    uint32_t *left = ARENA_ARRAY(&r->scratch, uint32_t, f->n), *queue = ARENA_ARRAY(&r->scratch, uint32_t, f->n);
    uint32_t head = 0, tail = 0;
    for (uint32_t i = 0; i < f->n; i++)
        if (!(left[i] = f->ctrs[i].waiting)) queue[tail++] = i;
    for (; head < tail; head++)
        for (uint32_t k = 0; k < f->ctrs[queue[head]].n_out; k++)
            if (!--left[f->ctrs[queue[head]].out[k]]) queue[tail++] = f->ctrs[queue[head]].out[k];
    return tail == f->n;
}

static bool under(const struct val *mounts, struct str path)
{
    for (uint32_t i = 0; mounts && mounts->kind == VAL_LIST && i < mounts->n; i++) {
        struct str at = val_get_str(&mounts->items[i], "mountPath");
        while (at.n > 1 && at.p[at.n - 1] == '/') at.n--;
        if (at.n && str_starts(path, at) && (path.n == at.n || path.p[at.n] == '/')) return true;
    }
    return false;
}

static bool shares_outputs(const struct val *tmpl)
{
    const struct val *mounts = val_path(tmpl, "containerSet.volumeMounts");
    const struct val *params = val_path(tmpl, "outputs.parameters"), *arts = val_path(tmpl, "outputs.artifacts");
    for (uint32_t i = 0; params && i < params->n; i++)
        if (under(mounts, val_text(val_path(&params->items[i], "valueFrom.path")))) return true;
    for (uint32_t i = 0; arts && i < arts->n; i++)
        if (under(mounts, val_get_str(&arts->items[i], "path"))) return true;
    return false;
}

/* NULL: e says why. */
static struct set_frame *frame_new(struct run *r, const struct val *tmpl, struct err *e)
{
    const struct val *set = val_get(tmpl, STR("containerSet")), *list = val_get(set, STR("containers"));
    struct set_frame *f = ARENA_NEW(&r->arena, struct set_frame);
    if (!list || list->kind != VAL_LIST || !list->n || list->n > LIMIT_SET_CONTAINERS) {
        err_set(e, ERR_SPEC, "a container set has 1 to LIMIT_SET_CONTAINERS (%d) containers", (int)LIMIT_SET_CONTAINERS);
        return NULL;
    }
    f->n = list->n;
    f->shared = shares_outputs(tmpl);
    f->ctrs = ARENA_ARRAY(&r->arena, struct set_ctr, f->n);
    for (uint32_t i = 0; i < f->n; i++)
        f->ctrs[i].name = str_dup(&r->arena, val_get_str(&list->items[i], "name"));
    if (!strategy_read(set, f, e) || !edges_read(r, list, f, e)) return NULL;
    if (acyclic(r, f)) return f;
    err_set(e, ERR_SPEC, "the containers of the set wait for one another in a circle");
    return NULL;
}

static struct set_ctr *ctr_of(const struct node *c)
{
    return &c->parent->set->ctrs[c->container - 1];
}

const struct node *node_set_container(const struct node *pod, uint32_t i)
{
    return has_set(pod) && i < pod->set->n ? pod->set->ctrs[i].node : NULL;
}

/* ---- beginning ---- */

static void ctr_start(struct run *r, struct node *c, const struct val *tmpl)
{
    struct err e;
    if (!tmpl && !pod_template(r, c->parent, &tmpl, &e)) {
        node_finish(r, c, NODE_ERROR, str_of(e.text));
        return;
    }
    struct action a = {.kind = ACTION_START, .node = c, .tmpl = tmpl};
    c->deadline_us = 0;
    VEC_PUSH(&r->actions, a);
}

static struct node *ctr_make(struct run *r, struct node *pod, uint32_t i)
{
    struct str name = str_fmt(&r->scratch, "%.*s.%.*s", STR_ARG(pod->name), STR_ARG(pod->set->ctrs[i].name));
    struct node *c = node_make(r, name, NTYPE_CONTAINER, pod);
    c->parent = pod;
    c->tmpl = pod->tmpl;
    c->container = (uint16_t)(i + 1);
    c->in_exit = pod->in_exit;
    c->hooked = pod->hooked;
    c->retried = pod->retried;
    return c;
}

static void ctrs_link(struct run *r, struct node *pod)
{
    const struct set_frame *f = pod->set;
    for (uint32_t i = 0; i < f->n; i++)
        if (!f->ctrs[i].waiting) node_child(r, pod, f->ctrs[i].node);
    for (uint32_t i = 0; i < f->n; i++)
        for (uint32_t k = 0; k < f->ctrs[i].n_out; k++)
            node_child(r, f->ctrs[i].node, f->ctrs[f->ctrs[i].out[k]].node);
}

bool cset_begin(struct run *r, struct node *pod, const struct val *tmpl, struct err *e)
{
    struct set_frame *f = frame_new(r, tmpl, e);
    if (!f) return false;
    pod->set = f;
    for (uint32_t i = 0; i < f->n; i++) f->ctrs[i].node = ctr_make(r, pod, i);
    ctrs_link(r, pod);
    f->open = f->n;
    return true;
}

void cset_go(struct run *r, struct node *pod, const struct val *tmpl)
{
    struct set_frame *f = pod->set;
    f->begun = true;
    for (uint32_t i = 0; i < f->n; i++)
        if (!f->ctrs[i].waiting) ctr_start(r, f->ctrs[i].node, tmpl);
}

void cset_drop(struct run *r, struct node *pod)
{
    for (uint32_t i = 0; i < pod->set->n; i++) {
        struct node *c = pod->set->ctrs[i].node;
        if (!phase_fulfilled(c->phase)) node_finish(r, c, (enum node_phase)pod->phase, pod->message);
    }
}

void cset_release(struct run *r, struct node *pod)
{
    for (uint32_t i = 0; i < pod->set->n; i++) {
        struct node *c = pod->set->ctrs[i].node;
        struct action a = {.kind = ACTION_KILL, .node = c};
        if (phase_fulfilled(c->phase)) continue;
        if (!pod->set->ctrs[i].waiting && !c->deadline_us) VEC_PUSH(&r->actions, a);
        node_finish(r, c, NODE_SUCCEEDED, STR_NONE);
    }
}

/* ---- ends ---- */

static void main_outputs(struct run *r, struct node *pod, const struct step_outcome *how)
{
    struct err e;
    if (pod->set->shared) { /* no more than a beginning */
        struct err ignored;
        outputs_of_step(r, pod, how, &pod->outputs, &ignored);
        node_touch(r, pod);
        return;
    }
    if (outputs_of_step(r, pod, how, &pod->outputs, &e) || how->phase != NODE_SUCCEEDED) {
        node_touch(r, pod);
        return;
    }
    pod->bad_outputs = true;
    node_message_set(r, pod, str_of(e.text));
    node_touch(r, pod);
}

/* What a container other than main gives: its log, when that is kept. */
static void artifacts_add(struct run *r, struct node *pod, const struct val *more)
{
    struct val had = parsed(&r->scratch, pod->outputs);
    const struct val *list = val_get(&had, STR("artifacts"));
    struct val_builder b;
    if (!more || !more->n) return;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; list && i < list->n; i++) list_add(&b, list->items[i]);
    for (uint32_t i = 0; i < more->n; i++) list_add(&b, more->items[i]);
    had = map_with(&r->scratch, had.kind == VAL_MAP ? &had : NULL, STR("artifacts"), list_done(&b));
    pod->outputs = json_text(&r->arena, &had);
    node_touch(r, pod);
}

static void outputs_take(struct run *r, struct node *pod, const struct step_outcome *how)
{
    struct val before = parsed(&r->scratch, pod->outputs);
    struct val *logs = ARENA_NEW(&r->scratch, struct val); /* of those that ended sooner */
    if (how->exit_code == STEP_NO_EXIT_CODE) return;
    if (val_get(&before, STR("artifacts"))) *logs = *val_get(&before, STR("artifacts"));
    main_outputs(r, pod, how);
    artifacts_add(r, pod, logs);
}
/* The pod's own words begin with the container's name; a container's do not. */
static struct str plain_message(const struct step_outcome *how)
{
    struct str main = STR("main: ");
    return str_starts(how->message, main) ? str_from(how->message, main.n) : how->message;
}

static bool again(struct run *r, struct node *c, const struct step_outcome *how)
{
    const struct set_frame *f = c->parent->set;
    if (how->phase != NODE_FAILED || c->killed || c->parent->killed || (int64_t)c->attempt + 1 >= f->tries) return false;
    c->attempt++;
    c->deadline_us = r->now_us + f->pause_us;
    node_touch(r, c);
    if (f->pause_us) timer_add(r, c->deadline_us, c);
    else ctr_start(r, c, NULL);
    return true;
}

void cset_retry_due(struct run *r, struct node *c)
{
    ctr_start(r, c, NULL);
    node_touch(r, c);
}

void cset_step_started(struct run *r, struct node *c)
{
    if (c->phase == NODE_PENDING) node_phase_set(r, c, NODE_RUNNING);
    if (c->parent->phase == NODE_PENDING) node_phase_set(r, c->parent, NODE_RUNNING);
}

void cset_step_done(struct run *r, struct node *c, const struct step_outcome *how)
{
    if (how->exit_code != STEP_NO_EXIT_CODE) cset_step_started(r, c);
    if (again(r, c, how)) return;
    if (str_is(ctr_of(c)->name, "main")) outputs_take(r, c->parent, how);
    else artifacts_add(r, c->parent, how->artifacts);
    c->broken = how->phase == NODE_ERROR && how->exit_code == STEP_NO_EXIT_CODE;
    enum node_phase p = c->killed ? NODE_FAILED : how->exit_code == CODE_BROKEN ? NODE_ERROR : how->phase;
    /* what the runtime could not collect is the pod's fault, not its container's */
    if (p == NODE_ERROR && how->exit_code == 0) {
        c->parent->bad_outputs = true;
        node_message_set(r, c->parent, how->message);
        p = NODE_SUCCEEDED;
    }
    node_finish(r, c, p, c->killed ? c->message : p == NODE_SUCCEEDED ? STR_NONE : plain_message(how));
}

/* "…(exit code N)…" */
static int64_t code_in(struct str message)
{
    struct str mark = STR("(exit code ");
    ptrdiff_t at = str_find(message, mark, 0);
    ptrdiff_t close = at < 0 ? -1 : str_find_char(message, ')', (size_t)at);
    int64_t code = CODE_BROKEN;
    if (close > 0) str_to_i64(str_sub(message, (size_t)at + mark.n, (size_t)close - (size_t)at - mark.n), &code);
    return code;
}

static void dependents(struct run *r, struct node *c)
{
    struct set_frame *f = c->parent->set;
    const struct set_ctr *own = ctr_of(c);
    for (uint32_t k = 0; k < own->n_out; k++) {
        struct set_ctr *next = &f->ctrs[own->out[k]];
        if (phase_fulfilled(next->node->phase)) continue;
        if (phase_failed(c->phase)) {
            next->node->killed = false;
            node_finish(r, next->node, NODE_ERROR,
                        str_fmt(&r->scratch, "Error (exit code %d): dependency \"%.*s\" exited with non-zero code: %lld",
                                CODE_BROKEN, STR_ARG(own->name), (long long)code_in(c->message)));
        } else if (!--next->waiting && !c->parent->killed) {
            ctr_start(r, next->node, NULL);
        }
    }
}

static const struct set_ctr *first_bad(const struct set_frame *f)
{
    const struct set_ctr *bad = NULL;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct set_ctr *c = &f->ctrs[i];
        if (!phase_failed(c->node->phase)) continue;
        bool worse = bad && c->node->broken != bad->node->broken;
        if (!bad || (worse ? c->node->broken : str_cmp(c->name, bad->name) < 0)) bad = c;
    }
    return bad;
}

/* Once more the pod, now for what its containers left in their common mounts. */
static void collect_begin(struct run *r, struct node *pod)
{
    struct err e;
    const struct val *tmpl;
    if (!pod_template(r, pod, &tmpl, &e)) {
        node_finish(r, pod, NODE_ERROR, str_of(e.text));
        return;
    }
    struct action a = {.kind = ACTION_START, .node = pod, .tmpl = tmpl};
    VEC_PUSH(&r->actions, a);
}

static struct str value_of(struct run *r, const struct val *outputs, struct str name)
{
    return text_of(&r->scratch, val_get(named(val_get(outputs, STR("parameters")), name), STR("value")));
}

/* What main gave and what was collected, together. */
static struct step_outcome merged(struct run *r, const struct node *pod, const struct step_outcome *how)
{
    struct val *before = ARENA_NEW(&r->scratch, struct val), *arts = ARENA_NEW(&r->scratch, struct val);
    *before = parsed(&r->scratch, pod->outputs);
    const struct val *had = val_get(before, STR("parameters")), *kept = val_get(before, STR("artifacts"));
    struct step_outcome all = {.phase = NODE_SUCCEEDED, .exit_code = STEP_NO_EXIT_CODE, .artifacts = arts};
    struct step_outcome_param *params =
        ARENA_ARRAY(&r->scratch, struct step_outcome_param, (had ? had->n : 0) + how->n_params + 1);
    for (size_t i = 0; i < how->n_params; i++)
        if (how->params[i].value.p) params[all.n_params++] = how->params[i];
    for (uint32_t i = 0; had && i < had->n; i++) {
        struct str name = val_get_str(&had->items[i], "name");
        params[all.n_params++] = (struct step_outcome_param){name, value_of(r, before, name)};
    }
    struct val_builder b;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; kept && i < kept->n; i++) list_add(&b, kept->items[i]);
    for (uint32_t i = 0; how->artifacts && i < how->artifacts->n; i++) list_add(&b, how->artifacts->items[i]);
    *arts = list_done(&b);
    int64_t code;
    if (str_to_i64(val_get_str(before, "exitCode"), &code)) all.exit_code = (int)code;
    all.params = params;
    all.result = val_get_str(before, "result");
    return all;
}

static void pod_end(struct run *r, struct node *pod, enum node_phase p, struct str message)
{
    if (p == NODE_SUCCEEDED && node_is_daemon(pod)) p = NODE_FAILED; /* it should have gone on */
    if (has_parts(pod)) parts_set_over(r, pod, p, message);
    else node_finish(r, pod, p, message);
}

static void pod_judge(struct run *r, struct node *pod)
{
    const struct set_ctr *bad = first_bad(pod->set);
    if (pod->killed) {
        pod_end(r, pod, NODE_FAILED, pod->message);
    } else if (bad) {
        struct str text = str_fmt(&r->scratch, "%.*s: %.*s", STR_ARG(bad->name), STR_ARG(bad->node->message));
        pod_end(r, pod, bad->node->broken ? NODE_ERROR : NODE_FAILED, text);
    } else {
        pod_end(r, pod, pod->bad_outputs ? NODE_ERROR : NODE_SUCCEEDED, pod->bad_outputs ? pod->message : STR_NONE);
    }
}

void cset_collected(struct run *r, struct node *pod, const struct step_outcome *how)
{
    struct step_outcome all = merged(r, pod, how);
    struct err e;
    bool ok = outputs_of_step(r, pod, &all, &pod->outputs, &e);
    if (how->phase == NODE_ERROR && how->message.p) ok = err_set(&e, ERR_SPEC, "%.*s", STR_ARG(how->message));
    pod->bad_outputs = !ok;
    if (!ok && !pod->killed) node_message_set(r, pod, str_of(e.text));
    pod_judge(r, pod);
}

void cset_container_done(struct run *r, struct node *c)
{
    struct node *pod = c->parent;
    if (phase_fulfilled(pod->phase)) return;
    dependents(r, c);
    ASSERT(pod->set->open > 0);
    if (--pod->set->open) return;
    bool gave = str_find(pod->outputs, STR("\"exitCode\""), 0) >= 0 && pod->set->shared && !pod->killed; /* main has run */
    if (gave) collect_begin(r, pod);
    else pod_judge(r, pod);
}

/* Those at work are told; those that wait for others or for their next try end here. */
void cset_kill(struct run *r, struct node *pod, struct str why)
{
    struct set_frame *f = pod->set;
    struct action a = {.kind = ACTION_KILL, .node = pod};
    if (!f->open) VEC_PUSH(&r->actions, a); /* only its outputs are still read */
    for (uint32_t i = 0; i < f->n; i++) {
        struct node *c = f->ctrs[i].node;
        if (phase_fulfilled(c->phase)) continue;
        if (f->ctrs[i].waiting || c->deadline_us || !f->begun) node_finish(r, c, NODE_FAILED, why);
        else node_kill(r, c, why);
    }
}

/* ---- after a restart ---- */

bool cset_restore(struct run *r, struct node *pod, struct err *e)
{
    const struct val *tmpl;
    if (!pod_template(r, pod, &tmpl, e) || !(pod->set = frame_new(r, tmpl, e))) return false;
    return true;
}

/* Each of its containers, in the order of their rows; a container comes after its pod. */
bool cset_restore_container(struct node *c)
{
    struct node *pod = c->parent;
    if (!pod || !pod->set || !c->container || c->container > pod->set->n) return false;
    pod->set->ctrs[c->container - 1].node = c;
    return true;
}

bool cset_restored(struct run *r, struct node *pod)
{
    struct set_frame *f = pod->set;
    f->begun = !has_parts(pod) || node_part_is_at_work(pod, 0);
    for (uint32_t i = 0; i < f->n; i++) {
        struct node *c = f->ctrs[i].node;
        if (!c) return false;
        if (!phase_fulfilled(c->phase)) {
            f->open++;
            if (c->deadline_us) timer_add(r, c->deadline_us, c);
            continue;
        }
        for (uint32_t k = 0; k < f->ctrs[i].n_out && !phase_failed(c->phase); k++) f->ctrs[f->ctrs[i].out[k]].waiting--;
    }
    return true;
}
