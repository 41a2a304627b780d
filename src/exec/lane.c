/* Lanes: slots and their watches; which job gets one, and when it is told about.
 *
 * At most max_running steps run at once; of those only six times as many as there are processors may be
 * younger than FRESH_US, so that a thousand short steps do not trample each other while long ones
 * still fan out quickly. Runs on: the loop thread. */
#include <poll.h>
#include <signal.h>

#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/fd.h"
#include "container/container.h"
#include "exec/exec_p.h"
#include "pod/container.h"

/* ---- lanes ---- */

static void idle_leave(struct lane *l)
{
    struct exec *x = l->x;
    for (size_t i = x->idle.n; i-- > 0;)
        if (x->idle.items[i] == l) {
            x->idle.items[i] = VEC_POP(&x->idle);
            return;
        }
}

/* Its journal goes once what it reported is committed; with a step that is missing it is searched first. */
static void lane_free(struct lane *l, bool settled)
{
    struct exec *x = l->x;
    const char *name = slot_name(l->slot);
    if (settled) VEC_PUSH(&x->old_slots, mem_strdup(name));
    else if (!x->closing) past_add(x->past, name, l->adopted);
    struct lane *last = VEC_POP(&x->lanes);
    if (last != l) {
        x->lanes.items[l->at] = last;
        last->at = l->at;
    }
    if (!l->job && !l->adopted) idle_leave(l);
    loop_fd_free(l->watch);
    slot_close(l->slot);
    free(l);
}

void lanes_close(struct exec *x)
{
    while (x->lanes.n) {
        struct lane *l = x->lanes.items[x->lanes.n - 1];
        lane_free(l, !l->job && !x->failed);
    }
}

void lane_kill(struct lane *l, int signo, uint32_t grace_ms)
{
    struct err ignored; /* its end is reported in any case */
    if (signo == SIGKILL && l->job && container_is(l->x, l->job->id)) { /* that has to go, too */
        signo = CONTAINER_KILL_SIGNAL;
        grace_ms = POD_CONTAINER_MARGIN_MS;
    }
    slot_kill(l->slot, signo, grace_ms, &ignored);
}

static void fresh_leave(struct job *j)
{
    struct exec *x = j->x;
    for (size_t i = 0; j->fresh && i < x->fresh.n; i++)
        if (x->fresh.items[i] == j) {
            x->fresh.items[i] = VEC_POP(&x->fresh);
            j->fresh = false;
        }
}

/* The step is over, or its supervisor is. */
static struct job *lane_release(struct lane *l)
{
    struct job *j = l->job;
    struct exec *x = l->x;
    if (!j) return NULL;
    l->job = NULL;
    if (!l->adopted) VEC_PUSH(&x->idle, l);
    j->lane = NULL;
    job_move(j, JOB_ENDED);
    x->running -= !j->aside;
    fresh_leave(j);
    job_list_leave(j); /* it may have been young */
    return j;
}

/* False: the lane is gone. */
static bool lane_event(struct lane *l, struct slot_event *ev)
{
    struct exec *x = l->x;
    struct job *j;
    struct err e;
    if (ev->kind == SLOT_RESULT) {
        l->bytes += ev->bytes;
        bool last = l->adopted || ++l->steps >= LIMIT_SLOT_STEPS || l->bytes >= LIMIT_SLOT_FULL_BYTES;
        if ((j = lane_release(l))) job_result(j, &ev->result);
        if (last) lane_free(l, true);
        return !last;
    }
    if (ev->kind == SLOT_PROBED && l->job) probes_answered(l->job, ev->number, ev->code == 0);
    if (ev->kind == SLOT_PROGRESS && l->job) job_progress(l->job, ev->line);
    if (ev->kind == SLOT_EXITED) {
        j = lane_release(l);
        groups_slot_dead(x, slot_name(l->slot));
        lane_free(l, j == NULL);
        if (j && !job_seek(j, &e)) exec_fail(x, &e);
        return false;
    }
    if (ev->kind == SLOT_STARTED && l->job) pod_network_known(l->job, ev->net_fd, ev->line); /* else told when the step has run for a moment */
    return true;
}

static void lane_ready(void *user, unsigned events)
{
    struct lane *l = user;
    struct arena a CLEANUP(arena_fini);
    struct slot_event ev;
    (void)events;
    arena_init(&a);
    do slot_read(l->slot, &a, &ev);
    while ((ev.kind == SLOT_STARTED || ev.kind == SLOT_PROGRESS || ev.kind == SLOT_PROBED) && lane_event(l, &ev));
    if (ev.kind == SLOT_RESULT || ev.kind == SLOT_EXITED) lane_event(l, &ev); /* nothing follows before the next start */
}

static struct lane *lane_add(struct exec *x, struct slot *s, struct err *e)
{
    struct lane *l = mem_zalloc(sizeof *l);
    *l = (struct lane){.x = x, .slot = s, .at = x->lanes.n};
    l->watch = loop_fd_new(x->o.loop, slot_fd(s), lane_ready, l, e);
    if (!l->watch) {
        slot_close(s);
        free(l);
        return NULL;
    }
    loop_fd_watch(l->watch, LOOP_READ);
    VEC_PUSH(&x->lanes, l);
    return l;
}

static struct lane *lane_open(struct exec *x, const struct pod_network *net, struct err *e)
{
    uint64_t id = 0;
    struct slot_config c = {.state_dir = x->o.state_dir, .plain = x->plain || x->containers, .tools = x->tools, .durable = x->full,
                            .realtime = x->realtime};
    if (x->o.host_home.n) c.masked = (struct step_strs){&x->o.host_home, 1};
    int user_ns = net && net->user_ns ? net_user_ns(net->fd, &id) : -1;
    struct slot *s = slot_open(x->o.launcher, &c, user_ns, e);
    struct lane *l = s ? lane_add(x, s, e) : NULL;
    close_fd(&user_ns);
    if (!l) return NULL;
    l->user_ns = id;
    VEC_PUSH(&x->idle, l);
    return l;
}

void job_tell_started(struct job *j)
{
    j->told_started = true;
    if (j->live) job_event(j, NULL);
}

static void lane_take(struct lane *l, struct job *j)
{
    struct exec *x = l->x;
    l->job = j;
    j->lane = l;
    job_move(j, JOB_RUNNING);
    j->started_us = clock_mono_us();
    x->running += !j->aside;
    if (x->containers && j->live && (!j->old || container_is(x, j->id))) job_await_begin(j);
    else if (!j->told_started && j->live && job_has_post_start(j)) job_tell_started(j);
    else if (!j->told_started && j->live) job_list_push(&x->young, j);
    else if (j->part) probes_begin(j);
    if (j->part && j->told_waiting) job_waits(j, STR_NONE); /* its start is no event of its node */
}

/* The first that it says is which network its pod has; other containers of the pod must not begin in another. */
static void await_network(struct job *j, struct slot *s)
{
    struct pollfd p = {.fd = slot_fd(s), .events = POLLIN};
    struct slot_event ev;
    if (!j->x->private_net || poll(&p, 1, ADOPT_MS) <= 0) return;
    slot_read(s, &j->x->scratch, &ev);
    if (ev.kind == SLOT_STARTED) pod_network_known(j, ev.net_fd, ev.line);
}

bool job_adopt(struct job *j, struct slot *s, struct err *e)
{
    await_network(j, s);
    struct lane *l = lane_add(j->x, s, e);
    if (!l) return false;
    l->adopted = true;
    lane_take(l, j);
    return true;
}

/* ---- starting ---- */

/* The one that was used last, of those whose steps may enter the network; it becomes the last. */
static struct lane *idle_find(struct exec *x, const struct pod_network *net)
{
    for (size_t i = x->idle.n; i-- > 0;) {
        struct lane *l = x->idle.items[i], **last = &x->idle.items[x->idle.n - 1];
        if (net && l->user_ns != net->user_ns) continue;
        x->idle.items[i] = *last;
        return *last = l;
    }
    return NULL;
}

/* A supervisor that was killed while it was idle may not have been missed yet, and a launcher may die with the request for a new one:
 * then another is asked. What could not be sent has not been seen by anybody. */
static bool lane_start(struct job *j, const struct pod_plan *plan, struct str wire, const struct pod_network *net, struct err *e)
{
    struct exec *x = j->x;
    struct slot_start_opts o = {.quiet = x->fresh.n < x->quiet, .hold_fd = j->hold, .net_fd = net ? net->fd : -1};
    for (int opened = 0;;) {
        struct lane *l = idle_find(x, net);
        if (!l && (opened++ == SLOT_TRIES || !(l = lane_open(x, net, e)))) return false;
        bool sent = slot_start(l->slot, &plan->spec, wire, &o, e);
        if (sent) {
            x->idle.n--;
            lane_take(l, j);
            return true;
        }
        if (e->code == ERR_LIMIT) return false;
        lane_free(l, true);
    }
}

/* What a plan leaves out of what was asked for. */
static void tell_notice(struct exec *x, const struct pod_plan *plan)
{
    if (!plan->notice.n || x->noticed) return;
    x->noticed = true;
    log_line(LOG_WARN, "%.*s", STR_ARG(plan->notice));
}

static bool plan_send(struct job *j, struct pod_plan *plan, const struct pod_network *net, struct err *e)
{
    struct exec *x = j->x;
    struct buf wire CLEANUP(buf_fini);
    buf_init(&wire, LIMIT_STEP_SPEC_BYTES);
    tell_notice(x, plan);
    groups_apply(j, &plan->spec.limits);
    plan->spec.fsync_result = x->full;
    j->grace_ms = plan->spec.grace_ms;
    return (step_spec_encode(&plan->spec, &wire, e) && lane_start(j, plan, buf_view(&wire), net, e)) || err_ctx(e, "step");
}

/* True: its supervisor has it, or it waits for its image. */
static bool job_start(struct job *j, struct err *e)
{
    struct exec *x = j->x;
    struct pod_plan plan;
    struct pod_network *net;
    bool ok = pod_network_take(j, &net, e) && job_plan(j, net, &plan, e) && plan_prepare(x, &plan, e) && plan_send(j, &plan, net, e);
    close_fd(&j->hold); /* the supervisor has its own */
    if (!ok && j->pull) {
        job_move(j, JOB_PULLING);
        job_waits(j, str_of(e->text));
        return true;
    }
    if (!ok) return false;
    j->fresh = true;
    VEC_PUSH(&x->fresh, j);
    return true;
}

/* Those that run for a moment are shown as Running; shorter ones go from Pending to their end. */
static void tell_started(struct exec *x, int64_t now)
{
    while (x->young.first && now - x->young.first->started_us >= TELL_US) {
        job_tell_started(job_list_pop(&x->young));
    }
    for (size_t i = x->fresh.n; i-- > 0;) {
        if (now - x->fresh.items[i]->started_us < FRESH_US) continue;
        x->fresh.items[i]->fresh = false;
        x->fresh.items[i] = VEC_POP(&x->fresh);
    }
}

static void job_timer_arm(struct exec *x, int64_t now)
{
    int64_t at = x->sought.first ? now + SEEK_US : INT64_MAX;
    if (x->young.first) at = MIN(at, x->young.first->started_us + TELL_US);
    for (size_t i = 0; (x->queue.first || x->asides.first) && i < x->fresh.n; i++) at = MIN(at, x->fresh.items[i]->started_us + FRESH_US);
    if (x->queue.first && !x->queue.first->paced && pace_next(&x->pace) > now) at = MIN(at, pace_next(&x->pace));
    if (at == INT64_MAX || (loop_timer_armed(x->job_timer) && x->job_due_us <= at)) return;
    x->job_due_us = at;
    loop_timer_arm_us(x->job_timer, MAX(at - now, 0));
}

static void job_next(struct exec *x, struct job_list *list)
{
    struct job *j = job_list_pop(list);
    struct err e;
    if (!job_start(j, &e)) job_failed(j, e.text);
    arena_reset(&x->scratch);
}

/* The first that waits may begin. One that has to fetch its image comes back, and has had its turn. */
static bool in_pace(struct exec *x, int64_t now)
{
    struct job *j = x->queue.first;
    return j->paced || (j->paced = pace_take(&x->pace, now));
}

bool lane_is_free(const struct exec *x) { return x->running < x->max_running && x->fresh.n < x->max_fresh; }

void jobs_dispatch(struct exec *x)
{
    struct job *j;
    int64_t now = clock_mono_us();
    if (x->failed) return;
    tell_started(x, now);
    while (!x->failed && (j = job_list_pop(&x->stopped))) job_failed(j, "stopped before it began");
    budget_serve(x);
    while (!x->failed && x->asides.first && x->fresh.n < x->max_fresh) job_next(x, &x->asides);
    while (!x->failed && x->queue.first && lane_is_free(x) && in_pace(x, now)) {
        job_next(x, &x->queue);
    }
    job_timer_arm(x, now);
}
