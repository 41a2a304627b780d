/* Jobs and slots: commands wait for their commit, then for a slot, then for their supervisor.
 *
 * At most max_running steps run at once; of those only as many as there are processors may be
 * younger than FRESH_US, so that a thousand short steps do not trample each other while long ones
 * still fan out at once. */
#include <signal.h>

#include "base/limits.h"
#include "os/clock.h"
#include "exec/exec_p.h"

/* ---- jobs ---- */

static void job_forget(struct job *j)
{
    struct exec *x = j->x;
    for (size_t i = 0; i < x->jobs.n; i++)
        if (x->jobs.items[i] == j) {
            x->jobs.items[i] = VEC_POP(&x->jobs);
            break;
        }
    for (size_t i = 0; i < x->kills.n; i++)
        if (x->kills.items[i] == j) x->kills.items[i] = NULL;
    free(j);
}

struct job *job_of(struct exec *x, const struct active *l, const struct node *n)
{
    for (size_t i = 0; i < x->jobs.n; i++)
        if (x->jobs.items[i]->live == l && x->jobs.items[i]->node == n) return x->jobs.items[i];
    return NULL;
}

struct job *job_new(struct active *l, struct node *n, struct err *e)
{
    struct exec *x = l->x;
    struct command_row row = {.run = l->id, .node = node_index(n), .kind = 1, .payload = STR("")};
    struct arena *a = &x->scratch;
    int64_t id;
    if (!store_command_put(x->store, &row, &id, e)) return NULL;
    struct str key = str_fmt(a, "step/%u", node_index(n)), value = str_fmt(a, "%lld", (long long)id);
    if (!store_value_put(x->store, l->id, key, value, e)) return NULL;
    struct job *j = mem_zalloc(sizeof *j);
    *j = (struct job){.x = x, .live = l, .node = n, .id = id, .state = JOB_DECIDED};
    VEC_PUSH(&x->jobs, j);
    VEC_PUSH(&x->decided, j);
    return j;
}

/* An event of the engine about this job's node; the job is over when `how` is given. */
static void job_event(struct job *j, const struct step_outcome *how)
{
    struct active *l = j->live;
    struct exec *x = l->x;
    struct outbox out;
    struct err e;
    int64_t now = clock_now_us();
    if (!exec_begin(x, &e)) return;
    if (how) run_step_done(l->run, j->node, how, now, &out);
    else run_step_started(l->run, j->node, now, &out);
    bool ok = active_event(l, &out, &e);
    if (ok && how) ok = store_command_ack(x->store, j->id, &e);
    if (!ok) exec_fail(x, &e);
    if (how) job_forget(j);
    loop_again(x->o.loop);
}

/* Its workflow is over (failFast can end one while others of its steps run): only the command is
 * left to be forgotten. */
static void job_orphan_done(struct job *j)
{
    struct exec *x = j->x;
    struct err e;
    if (!exec_begin(x, &e) || !store_command_ack(x->store, j->id, &e)) exec_fail(x, &e);
    job_forget(j);
    loop_again(x->o.loop);
}

void job_failed(struct job *j, const char *text)
{
    if (!j->live) {
        job_orphan_done(j);
        return;
    }
    struct step_outcome how = {.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = str_of(text)};
    job_event(j, &how);
}

void jobs_orphan(struct active *l)
{
    struct exec *x = l->x;
    for (size_t i = 0; i < x->jobs.n; i++) {
        struct job *j = x->jobs.items[i];
        if (j->live != l) continue;
        j->live = NULL;
        j->node = NULL;
        job_kill(j);
    }
}

void job_result(struct job *j, const struct step_result *r)
{
    struct step_outcome how;
    struct err e;
    if (!j->live) job_orphan_done(j);
    else if (exec_begin(j->x, &e) && job_outcome(j, r, &how, &e)) job_event(j, &how);
    else job_failed(j, e.text);
}

/* ---- lanes ---- */

static void lane_free(struct lane *l)
{
    struct exec *x = l->x;
    loop_fd_free(l->watch);
    slot_close(l->slot);
    for (size_t i = 0; i < x->lanes.n; i++)
        if (x->lanes.items[i] == l) {
            x->lanes.items[i] = VEC_POP(&x->lanes);
            break;
        }
    free(l);
}

void lanes_close(struct exec *x)
{
    while (x->lanes.n) lane_free(x->lanes.items[x->lanes.n - 1]);
}

static struct job *lane_release(struct lane *l)
{
    struct job *j = l->job;
    struct exec *x = l->x;
    if (!j) return NULL;
    l->job = NULL;
    j->lane = NULL;
    j->state = JOB_ENDED;
    x->running--;
    if (clock_mono_us() - j->started_us < FRESH_US && x->fresh) x->fresh--;
    return j;
}

/* False: the lane is gone. */
static bool lane_event(struct lane *l, struct slot_event *ev)
{
    struct job *j;
    if (ev->kind == SLOT_RESULT) {
        bool adopted = l->adopted;
        if ((j = lane_release(l))) job_result(j, &ev->result);
        if (adopted) lane_free(l);
        return !adopted;
    }
    if (ev->kind == SLOT_EXITED) {
        if ((j = lane_release(l))) job_failed(j, "step lost: its supervisor is gone");
        lane_free(l);
        return false;
    }
    return true; /* SLOT_STARTED: told when the step has run for a moment */
}

static void lane_ready(void *user, unsigned events)
{
    struct lane *l = user;
    struct arena a CLEANUP(arena_fini);
    struct slot_event ev;
    (void)events;
    arena_init(&a);
    do slot_read(l->slot, &a, &ev);
    while (ev.kind != SLOT_NOTHING && lane_event(l, &ev));
}

static struct lane *lane_add(struct exec *x, struct slot *s, struct err *e)
{
    struct lane *l = mem_zalloc(sizeof *l);
    *l = (struct lane){.x = x, .slot = s};
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

static struct lane *lane_idle(struct exec *x, struct err *e)
{
    for (size_t i = x->lanes.n; i-- > 0;)
        if (!x->lanes.items[i]->job && !x->lanes.items[i]->adopted) return x->lanes.items[i];
    struct slot_config c = {.state_dir = x->o.state_dir, .plain = x->plain};
    if (x->o.host_home.n) c.masked = (struct step_strs){&x->o.host_home, 1};
    struct slot *s = slot_open(x->o.launcher, &c, e);
    return s ? lane_add(x, s, e) : NULL;
}

static void lane_take(struct lane *l, struct job *j)
{
    l->job = j;
    j->lane = l;
    j->state = JOB_RUNNING;
    j->started_us = clock_mono_us();
    l->x->running++;
}

void job_adopt(struct job *j, struct slot *s)
{
    struct err e;
    struct lane *l = lane_add(j->x, s, &e);
    if (!l) {
        job_failed(j, e.text);
        return;
    }
    l->adopted = true;
    lane_take(l, j);
    j->started_us -= FRESH_US;
}

/* ---- starting ---- */

static bool job_start(struct job *j, struct err *e)
{
    struct exec *x = j->x;
    struct buf wire CLEANUP(buf_fini);
    struct pod_plan plan;
    buf_init(&wire, LIMIT_STEP_SPEC_BYTES);
    if (!job_plan(j, &plan, e) || !plan_prepare(x, &plan, e)) return false;
    if (!step_spec_encode(&plan.spec, &wire, e)) return err_ctx(e, "step");
    struct lane *l = lane_idle(x, e);
    if (!l || !slot_start(l->slot, &plan.spec, buf_view(&wire), e)) return err_ctx(e, "step");
    lane_take(l, j);
    x->fresh++;
    if (!loop_timer_armed(x->fresh_timer)) loop_timer_arm_us(x->fresh_timer, FRESH_US);
    return true;
}

/* Those that run for a moment are shown as Running; shorter ones go from Pending to their end. */
static void tell_started(struct exec *x)
{
    int64_t now = clock_mono_us();
    bool more = false;
    for (size_t i = 0; i < x->jobs.n; i++) {
        struct job *j = x->jobs.items[i];
        if (j->state != JOB_RUNNING || j->told_started || !j->live) continue;
        if (now - j->started_us < FRESH_US) {
            more = true;
            continue;
        }
        j->told_started = true;
        job_event(j, NULL);
    }
    if (more && !loop_timer_armed(x->fresh_timer)) loop_timer_arm_us(x->fresh_timer, FRESH_US);
}

void jobs_dispatch(struct exec *x)
{
    struct err e;
    tell_started(x);
    while (!x->failed && x->queue_head < x->queue.n && x->running < x->max_running &&
           x->fresh < x->max_fresh) {
        struct job *j = x->queue.items[x->queue_head++];
        if (!j->killed && job_start(j, &e)) continue;
        if (j->killed) snprintf(e.text, sizeof e.text, "stopped before it began");
        job_failed(j, e.text);
    }
    if (x->queue_head == x->queue.n) x->queue_head = x->queue.n = 0;
    arena_reset(&x->scratch);
}

/* The transaction is committed: its starts may go, its kills are carried out. */
void jobs_committed(struct exec *x)
{
    for (size_t i = 0; i < x->decided.n; i++) {
        x->decided.items[i]->state = JOB_QUEUED;
        VEC_PUSH(&x->queue, x->decided.items[i]);
    }
    x->decided.n = 0;
    for (size_t i = 0; i < x->kills.n; i++)
        if (x->kills.items[i]) job_kill(x->kills.items[i]);
    x->kills.n = 0;
    actives_reap(x);
}

void jobs_dropped(struct exec *x)
{
    while (x->decided.n) job_forget(VEC_POP(&x->decided));
    x->kills.n = 0;
}

void job_kill(struct job *j)
{
    struct err e;
    uint32_t grace_ms = (uint32_t)config_int(j->x->o.config, CONFIG_GRACE) * 1000;
    j->killed = true;
    if (j->lane) slot_kill(j->lane->slot, SIGTERM, grace_ms, &e);
}

void exec_kill_all(struct exec *x)
{
    struct err e;
    for (size_t i = 0; i < x->jobs.n; i++) {
        struct job *j = x->jobs.items[i];
        j->killed = true;
        if (j->lane) slot_kill(j->lane->slot, SIGKILL, 0, &e);
    }
}
