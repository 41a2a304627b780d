/* The other containers of a pod: init containers, one after the other before main; sidecars, beside it
 * (workflowpod.go, operator.go inferFailedReason). An init container with restartPolicy Always goes on: the next one begins
 * once it has started, and it is ended, the last one first, when all others are over; its exit code says nothing.
 *
 * They are no nodes: as in Argo the pod's node alone shows what became of them. A container is known by
 * its number: 0 is main, then come the init containers in their order, then the sidecars. The node ends
 * when all have ended; its phase is main's, unless a sidecar ended badly by itself. */
#include "base/limits.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

/* The numbers are stored. */
enum part_state { PART_WAITS, PART_AT_WORK, PART_ENDING, PART_OVER, PART_BESIDE /* of those that go on: it has started */ };

enum { CODE_KILLED = 128 + 9, CODE_TERMINATED = 128 + 15 };

struct parts {
    uint32_t n_init, n; /* without main */
    uint32_t at_work;   /* started and not over, main included */
    struct str *names;  /* [0] is "main" */
    uint8_t *state;
    bool *goes_on;      /* an init container with restartPolicy Always */
    uint8_t main_phase; /* once it is over */
    uint8_t bad;        /* phase of the pod because of a sidecar; 0: none has ended badly */
    struct str why;     /* message of that sidecar */
};

static const char *const lists[] = {"initContainers", "sidecars"};

static const struct val *list_of(const struct val *tmpl, size_t k)
{
    const struct val *v = val_get(tmpl, str_of(lists[k]));
    return v && v->kind == VAL_LIST && v->n ? v : NULL;
}

bool parts_wanted(const struct val *tmpl)
{
    return list_of(tmpl, 0) || list_of(tmpl, 1);
}

/* ---- the frame ---- */

static bool name_add(struct run *r, struct parts *p, const struct val *set, struct str name, struct err *e)
{
    static const char *const taken[] = {"init", "wait"}; /* Argo's own containers */
    if (!name.n || str_find_char(name, '/', 0) >= 0) return err_set(e, ERR_SPEC, "an init container or sidecar has no proper name");
    for (uint32_t i = 0; i <= p->n; i++)
        if (str_eq(p->names[i], name)) return err_set(e, ERR_SPEC, "container name '%.*s' is not unique", STR_ARG(name));
    for (uint32_t i = 0; set && set->kind == VAL_LIST && i < set->n; i++)
        if (str_eq(val_get_str(&set->items[i], "name"), name))
            return err_set(e, ERR_SPEC, "container name '%.*s' is not unique", STR_ARG(name));
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        if (str_is(name, taken[i])) return err_set(e, ERR_SPEC, "container name '%s' is Argo's own", taken[i]);
    p->names[++p->n] = str_dup(&r->arena, name);
    return true;
}

/* NULL: e says why. */
static struct parts *parts_new(struct run *r, const struct node *n, const struct val *tmpl, struct err *e)
{
    const struct val *init = list_of(tmpl, 0), *beside = list_of(tmpl, 1), *set = val_path(tmpl, "containerSet.containers");
    uint32_t n_init = init ? init->n : 0, n_all = n_init + (beside ? beside->n : 0);
    struct parts *p = ARENA_NEW(&r->arena, struct parts);
    if (n->tmpl->type != TMPL_CONTAINER && n->tmpl->type != TMPL_SCRIPT && n->tmpl->type != TMPL_CONTAINERSET) {
        err_set(e, ERR_UNSUPPORTED, "`%s` belong to a container, a script or a container set in this version of Skiff", lists[!init]);
        return NULL;
    }
    if (n_all > LIMIT_POD_CONTAINERS) {
        err_set(e, ERR_LIMIT, "the pod has more than LIMIT_POD_CONTAINERS (%d) containers", (int)LIMIT_POD_CONTAINERS);
        return NULL;
    }
    p->names = ARENA_ARRAY(&r->arena, struct str, n_all + 1);
    p->state = ARENA_ARRAY(&r->arena, uint8_t, n_all + 1);
    p->goes_on = ARENA_ARRAY(&r->arena, bool, n_all + 1);
    p->names[0] = STR("main");
    for (uint32_t i = 0; i < n_all; i++) {
        const struct val *c = i < n_init ? &init->items[i] : &beside->items[i - n_init];
        if (!name_add(r, p, set, val_get_str(c, "name"), e)) return NULL;
        p->goes_on[i + 1] = i < n_init && str_is(val_get_str(c, "restartPolicy"), "Always");
    }
    p->n_init = n_init;
    return p;
}

/* ---- beginning ---- */

static void part_start(struct run *r, struct node *n, uint32_t part, const struct val *tmpl)
{
    struct action a = {.kind = ACTION_START, .node = n, .part = (uint16_t)part, .tmpl = tmpl};
    parts_of(n)->state[part] = PART_AT_WORK;
    parts_of(n)->at_work++;
    VEC_PUSH(&r->actions, a);
}

/* Its containers are nodes that start by themselves; together they are what main is elsewhere. */
static void set_start(struct run *r, struct node *n, const struct val *tmpl)
{
    parts_of(n)->state[0] = PART_AT_WORK;
    parts_of(n)->at_work++;
    cset_go(r, n, tmpl);
}

/* The next init container, unless one is at work, or main with all sidecars. */
static void go_on(struct run *r, struct node *n, const struct val *tmpl)
{
    struct parts *p = parts_of(n);
    for (uint32_t i = 1; i <= p->n_init; i++) {
        if (p->state[i] == PART_OVER || p->state[i] == PART_BESIDE) continue;
        if (p->state[i] == PART_WAITS) part_start(r, n, i, tmpl);
        return;
    }
    if (has_set(n)) set_start(r, n, tmpl);
    else part_start(r, n, 0, tmpl);
    for (uint32_t i = p->n_init + 1; i <= p->n; i++) part_start(r, n, i, tmpl);
}

bool parts_begin(struct run *r, struct node *n, const struct val *tmpl, struct err *e)
{
    struct parts *p = parts_new(r, n, tmpl, e);
    if (!p || (n->tmpl->type == TMPL_CONTAINERSET && !cset_begin(r, n, tmpl, e))) return false;
    extra_of(r, n)->parts = p;
    go_on(r, n, tmpl);
    return true;
}

static void go_on_or_fail(struct run *r, struct node *n)
{
    const struct val *tmpl;
    struct err e;
    if (pod_template(r, n, &tmpl, &e)) go_on(r, n, tmpl);
    else node_finish(r, n, NODE_ERROR, str_of(e.text));
}

void run_part_started(struct run *r, struct node *n, uint32_t part, int64_t now_us, struct outbox *out)
{
    struct parts *p = parts_of(n);
    event_begin(r, now_us);
    if (node_part_is_awaited(n, part)) {
        p->state[part] = PART_BESIDE;
        node_touch(r, n);
        go_on_or_fail(r, n);
    }
    event_end(r, out);
}

/* ---- ending ---- */

static bool is_at_work(const struct parts *p, uint32_t i) { return p->state[i] == PART_AT_WORK || p->state[i] == PART_BESIDE; }

static void part_end(struct run *r, struct node *n, uint32_t i)
{
    struct action a = {.kind = ACTION_KILL, .node = n, .part = (uint16_t)i};
    parts_of(n)->state[i] = PART_ENDING;
    if (i || !has_set(n)) VEC_PUSH(&r->actions, a);
}

/* Those at work are told; those that wait will not begin. */
static void end_from(struct run *r, struct node *n, uint32_t first)
{
    struct parts *p = parts_of(n);
    for (uint32_t i = first; i <= p->n; i++) {
        if (p->state[i] == PART_WAITS) p->state[i] = PART_OVER;
        if (is_at_work(p, i)) part_end(r, n, i);
    }
    node_touch(r, n);
}

void parts_kill(struct run *r, struct node *n)
{
    end_from(r, n, 0);
}

/* Those that go on are ended one by one, once nobody else is there. */
static void end_those_beside(struct run *r, struct node *n)
{
    const struct parts *p = parts_of(n);
    uint32_t last = 0;
    for (uint32_t i = 0; i <= p->n; i++) {
        if (p->state[i] == PART_BESIDE) last = i;
        else if (p->state[i] != PART_OVER) return;
    }
    if (!last) return;
    part_end(r, n, last);
    node_touch(r, n);
}

static void settle(struct run *r, struct node *n)
{
    const struct parts *p = parts_of(n);
    if (p->at_work && !n->killed) end_those_beside(r, n);
    if (p->at_work || phase_fulfilled(n->phase)) return;
    if (n->killed) node_finish(r, n, NODE_FAILED, n->message);
    else if (phase_failed(p->main_phase)) node_finish(r, n, p->main_phase, n->message);
    else if (p->bad) node_finish(r, n, p->bad, p->why);
    else node_finish(r, n, p->main_phase, STR_NONE);
}

/* What the runtime says about a step is said about main. */
static struct str said_of(struct run *r, struct str name, struct str message)
{
    struct str main = STR("main: ");
    if (str_starts(message, main)) message = str_from(message, main.n);
    return str_fmt(&r->scratch, "%.*s: %.*s", STR_ARG(name), STR_ARG(message));
}

static bool was_killed(const struct step_outcome *how)
{
    return how->exit_code == CODE_KILLED || how->exit_code == CODE_TERMINATED;
}

static void init_over(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how)
{
    struct parts *p = parts_of(n);
    if (n->killed) return;
    if (how->phase == NODE_SUCCEEDED) {
        go_on_or_fail(r, n);
        return;
    }
    end_from(r, n, 0);
    if (was_killed(how)) { /* Argo looks past it, at the container that never began */
        struct str next = p->names[part < p->n_init ? part + 1 : 0];
        node_finish(r, n, NODE_ERROR, str_fmt(&r->scratch, "Pod failed before %.*s container starts due to PodInitializing: ",
                                              STR_ARG(next)));
    } else {
        node_finish(r, n, how->phase, said_of(r, p->names[part], how->message));
    }
    if (has_set(n)) cset_drop(r, n);
}

/* One that ended while it was not asked to, or badly although it was, fails the pod; killed ones do not. One
 * that could not be run at all ends the others. */
static void sidecar_over(struct run *r, struct node *n, uint32_t part, bool asked, const struct step_outcome *how)
{
    struct parts *p = parts_of(n);
    bool never_ran = how->exit_code == STEP_NO_EXIT_CODE;
    if (how->phase == NODE_SUCCEEDED || was_killed(how) || p->bad || (asked && never_ran)) return;
    p->bad = (uint8_t)how->phase;
    p->why = str_dup(&r->arena, said_of(r, p->names[part], how->message));
    if (never_ran && has_set(n)) cset_kill(r, n, p->why);
    if (never_ran) end_from(r, n, 0);
}

static void main_over(struct run *r, struct node *n, const struct step_outcome *how)
{
    struct parts *p = parts_of(n);
    struct str message;
    p->main_phase = (uint8_t)step_end(r, n, how, &message);
    if (p->bad == NODE_ERROR) p->main_phase = NODE_SUCCEEDED; /* it was ended because of the other */
    else node_message_set(r, n, message);
    end_from(r, n, p->n_init + 1);
}

void parts_set_over(struct run *r, struct node *n, enum node_phase phase, struct str message)
{
    struct parts *p = parts_of(n);
    if (p->state[0] == PART_OVER || p->state[0] == PART_WAITS) return;
    p->state[0] = PART_OVER;
    p->at_work--;
    p->main_phase = p->bad == NODE_ERROR ? NODE_SUCCEEDED : (uint8_t)phase;
    if (!n->killed && p->bad != NODE_ERROR) node_message_set(r, n, message);
    end_from(r, n, p->n_init + 1);
    settle(r, n);
}

void parts_done(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how)
{
    struct parts *p = parts_of(n);
    if (phase_fulfilled(n->phase) || p->state[part] == PART_OVER || p->state[part] == PART_WAITS) return;
    bool asked = p->state[part] == PART_ENDING, beside = p->goes_on[part] && p->state[part] != PART_AT_WORK;
    p->state[part] = PART_OVER;
    p->at_work--;
    node_touch(r, n);
    if (beside) {} /* whatever became of it */
    else if (!part) main_over(r, n, how);
    else if (part <= p->n_init) init_over(r, n, part, how);
    else sidecar_over(r, n, part, asked, how);
    settle(r, n);
}

/* ---- looking, storing ---- */

uint32_t node_parts(const struct node *n) { return has_parts(n) ? parts_of(n)->n : 0; }

struct str node_part_name(const struct node *n, uint32_t part)
{
    return has_parts(n) && part && part <= parts_of(n)->n ? parts_of(n)->names[part] : STR_NONE;
}

bool node_part_is_ending(const struct node *n, uint32_t part)
{
    if (!has_parts(n) || part > parts_of(n)->n) return node_is_killed(n);
    return parts_of(n)->state[part] == PART_ENDING;
}

bool node_part_is_awaited(const struct node *n, uint32_t part)
{
    const struct parts *p = has_parts(n) && !phase_fulfilled(n->phase) && !n->killed ? parts_of(n) : NULL;
    return p && part <= p->n && p->goes_on[part] && p->state[part] == PART_AT_WORK;
}

bool node_part_is_at_work(const struct node *n, uint32_t part)
{
    if (phase_fulfilled(n->phase)) return false;
    if (!has_parts(n)) return !part;
    return part <= parts_of(n)->n && (is_at_work(parts_of(n), part) || parts_of(n)->state[part] == PART_ENDING);
}

bool node_part_is_aside(const struct node *n, uint32_t part)
{
    return node_is_daemon(n) || (part && has_parts(n) && part <= parts_of(n)->n && (part > parts_of(n)->n_init || parts_of(n)->goes_on[part]));
}

/* A digit for each container; then how main ended, and what a sidecar did to the pod. */
void parts_write(struct buf *b, const struct node *n)
{
    const struct parts *p = parts_of(n);
    buf_str(b, STR(",\"pt\":\""));
    for (uint32_t i = 0; i <= p->n; i++) buf_char(b, (char)('0' + p->state[i]));
    buf_printf(b, "\",\"pm\":%d", p->main_phase);
    if (!p->bad) return;
    buf_printf(b, ",\"pb\":%d,\"pw\":", p->bad);
    buf_json(b, p->why);
}

bool parts_restore(struct run *r, struct node *n, const struct val *priv, struct err *e)
{
    const struct val *tmpl;
    struct parts *p;
    struct str states = val_get_str(priv, "pt");
    if (!states.n) return true;
    if (!(tmpl = node_pod_template(r, n, e)) || !(p = parts_new(r, n, tmpl, e))) return false;
    extra_of(r, n)->parts = p;
    if (states.n != p->n + 1) return err_set(e, ERR_INTERNAL, "a stored node is damaged");
    for (uint32_t i = 0; i <= p->n; i++) {
        if (states.p[i] < '0' || states.p[i] > '0' + PART_BESIDE) return err_set(e, ERR_INTERNAL, "a stored node is damaged");
        p->state[i] = (uint8_t)(states.p[i] - '0');
        p->at_work += is_at_work(p, i) || p->state[i] == PART_ENDING;
    }
    int64_t main = num(priv, "pm"), bad = num(priv, "pb");
    if (main < 0 || main >= NODE_PHASE_MAX || bad < 0 || bad >= NODE_PHASE_MAX) return err_set(e, ERR_INTERNAL, "a stored node is damaged");
    p->main_phase = (uint8_t)main;
    p->bad = (uint8_t)bad;
    p->why = str_dup(&r->arena, val_get_str(priv, "pw"));
    return true;
}
