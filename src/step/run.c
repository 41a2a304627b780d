/* One step in a supervisor: pipes, start, the loop over output and messages, the end of all its
 * processes, outputs. See supervisor_p.h. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "step/io_p.h"
#include "step/journal_p.h"
#include "step/supervisor_p.h"

/* ---- killing ---- */

/* The step's own process, then, in a sandbox, all others of the slot's pid namespace. */
static void kill_all(struct supervisor *sv)
{
    struct run *r = &sv->run;
    syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
    kill(sv->plain ? -r->pid : -1, SIGKILL);
    r->result.killed = true;
    r->kill_at_ms = io_mono_ms() + 1000; /* and once more, should that ever not do */
}

void run_kill(struct supervisor *sv, int signo, uint32_t grace_ms)
{
    pid_t pid = sv->run.pid;
    sv->run.result.killed = true;
    if (signo == SIGKILL) {
        kill_all(sv);
        return;
    }
    if (kill(-pid, signo) != 0) kill(pid, signo);
    kill(-pid, SIGCONT);
    int64_t at = io_mono_ms() + (grace_ms ? grace_ms : sv->run.spec.grace_ms);
    if (!sv->run.kill_at_ms || at < sv->run.kill_at_ms) sv->run.kill_at_ms = at;
}

/* Nearly always: whoever was its child or became an orphan has been waited for. */
static bool nobody_left(void)
{
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {}
    return ended < 0 && errno == ECHILD;
}

/* As the first process of the namespace: nothing but this process is left in it. */
static void sweep_namespace(void)
{
    pid_t ended;
    do {
        kill(-1, SIGKILL);
        ended = waitpid(-1, NULL, 0);
    } while (ended > 0 || errno == EINTR);
}

/* Tier none: what the step left behind became a child of this subreaper. */
static void sweep_children(pid_t group)
{
    char path[64];
    kill(-group, SIGKILL);
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (;;) {
        FILE *f = fopen(path, "re");
        int pid, n = 0;
        while (f && fscanf(f, "%d", &pid) == 1) {
            kill(pid, SIGKILL);
            n++;
        }
        if (f) fclose(f);
        if (n == 0) return;
        while (waitpid(-1, NULL, 0) < 0 && errno == EINTR) {}
    }
}

/* ---- the loop ---- */

static void read_output(struct supervisor *sv, int s)
{
    static char chunk[32 << 10];
    ssize_t n = read(sv->pipes[s], chunk, sizeof chunk);
    if (n > 0) steplog_feed(&sv->run.log, s, chunk, (size_t)n);
}

/* All of its processes are dead: what others than the first have printed since is in the pipes. */
static void drain(struct supervisor *sv)
{
    struct pollfd p[STEPLOG_STREAMS] = {{.fd = sv->pipes[0], .events = POLLIN}, {.fd = sv->pipes[1], .events = POLLIN}};
    while (poll(p, STEPLOG_STREAMS, 0) > 0)
        for (int s = 0; s < STEPLOG_STREAMS; s++)
            if (p[s].revents) read_output(sv, s);
}

/* What is due now is done; how long until something else is, in ms (-1: for ever). */
static int run_clock(struct supervisor *sv)
{
    struct run *r = &sv->run;
    bool probed = r->spec.probed;
    if (!r->kill_at_ms && !r->tell_at_ms && !r->progress.due_ms && !probed) return -1;
    int64_t now = io_mono_ms(), next = probed ? probes_clock(sv, now) : INT64_MAX;
    if (r->tell_at_ms && now >= r->tell_at_ms) {
        r->tell_at_ms = 0;
        supervisor_started(sv);
    }
    if (r->kill_at_ms && r->pidfd >= 0 && now >= r->kill_at_ms) kill_all(sv);
    if (r->progress.due_ms && now >= r->progress.due_ms) progress_look(sv);
    if (r->tell_at_ms) next = r->tell_at_ms;
    if (r->kill_at_ms && r->pidfd >= 0) next = MIN(next, r->kill_at_ms);
    if (r->progress.due_ms) next = MIN(next, r->progress.due_ms);
    return next == INT64_MAX ? -1 : (int)MIN(MAX(next - now, 0), 1 << 20);
}

static void fill_usage(struct step_result *r, const struct rusage *u)
{
    r->rusage = (struct step_rusage){
        .user_us = (uint64_t)u->ru_utime.tv_sec * 1000000 + (uint64_t)u->ru_utime.tv_usec,
        .system_us = (uint64_t)u->ru_stime.tv_sec * 1000000 + (uint64_t)u->ru_stime.tv_usec,
        .max_rss_bytes = (uint64_t)u->ru_maxrss * 1024,
        .read_blocks = (uint64_t)u->ru_inblock,
        .write_blocks = (uint64_t)u->ru_oublock,
    };
}

/* True: there may be output that the loop has not seen. */
static bool reap(struct supervisor *sv)
{
    struct run *r = &sv->run;
    struct rusage usage;
    int status = 0;
    while (wait4(r->pid, &status, 0, &usage) < 0 && errno == EINTR) {}
    close(r->pidfd);
    r->pidfd = -1;
    r->result.finished_us = io_now_us();
    fill_usage(&r->result, &usage);
    r->result.end = WIFSIGNALED(status) ? STEP_END_SIGNAL : STEP_END_EXIT;
    if (WIFSIGNALED(status)) r->result.signo = WTERMSIG(status);
    else r->result.exit_code = WEXITSTATUS(status);
    if (nobody_left()) return false;
    if (sv->plain) sweep_children(r->pid);
    else sweep_namespace();
    return true;
}

/* Only a bug or a broken process gets here: the step must not go on unseen, nor its slot get another one. */
static void run_break(struct supervisor *sv, struct err *e)
{
    err_sys(e, "the supervisor cannot watch its step any more");
    kill_all(sv);
    if (reap(sv)) drain(sv);
    sv->alone = true;
}

static bool run_loop(struct supervisor *sv, struct err *e)
{
    struct run *r = &sv->run;
    r->tell_at_ms = io_mono_ms() + LIMIT_STEP_QUIET_MS;
    while (r->pidfd >= 0) {
        int timeout_ms = run_clock(sv); /* may begin to watch */
        struct pollfd p[6 + SLOT_PROBES] = {{.fd = r->pidfd, .events = POLLIN}, {.fd = sv->pipes[0], .events = POLLIN},
                              {.fd = sv->pipes[1], .events = POLLIN}, {.fd = sv->sock, .events = POLLIN},
                              {.fd = sv->listener, .events = POLLIN}, {.fd = progress_fd(sv), .events = POLLIN}};
        for (uint32_t i = 0; i < SLOT_PROBES; i++) p[6 + i] = (struct pollfd){.fd = r->probes[i].pidfd, .events = POLLIN};
        int n = poll(p, r->spec.probed ? ARRAY_LEN(p) : 6, timeout_ms);
        if (n < 0 && errno != EINTR) return run_break(sv, e), false;
        if (n <= 0) continue;
        if (p[1].revents) read_output(sv, STEPLOG_OUT);
        if (p[2].revents) read_output(sv, STEPLOG_ERR);
        if (p[0].revents && (reap(sv) | p[1].revents | p[2].revents)) drain(sv);
        if (p[5].revents) progress_event(sv);
        for (uint32_t i = 0; r->spec.probed && i < SLOT_PROBES; i++)
            if (p[6 + i].revents && r->pidfd >= 0) probe_event(sv, i);
        if (p[3].revents || p[4].revents) supervisor_engine_event(sv);
    }
    return true;
}

/* ---- start and end ---- */

/* In a sandbox each step has its own, so that nobody whom a step gave its output to writes into a later
 * step's log. Without one they last as long as the slot. */
static bool open_pipes(struct supervisor *sv, struct err *e)
{
    for (int s = 0; s < STEPLOG_STREAMS; s++) {
        int ends[2];
        if (sv->pipes[s] >= 0) continue;
        if (pipe2(ends, O_CLOEXEC) != 0) return err_sys(e, "pipe");
        sv->pipes[s] = ends[0];
        sv->write_ends[s] = ends[1];
    }
    return true;
}

static void close_pipes(struct supervisor *sv)
{
    for (int s = 0; s < STEPLOG_STREAMS; s++) {
        if (sv->pipes[s] < 0) continue;
        close(sv->pipes[s]);
        close(sv->write_ends[s]);
        sv->pipes[s] = sv->write_ends[s] = -1;
    }
}

static bool start(struct supervisor *sv, struct err *e)
{
    struct run *r = &sv->run;
    r->plan.arena = &sv->arena;
    r->plan.sb = sv->plain ? NULL : &sv->sb;
    r->plan.common = sv->common;
    sv->last_tier = r->spec.tier;
    r->plan.spec = &r->spec;
    r->plan.net_fd = r->net_fd;
    r->plan.own_dir = step_work_path(&sv->arena, str_of(sv->state_dir), r->spec.id).p;
    if (sv->broken.code) {
        *e = sv->broken;
        return false;
    }
    if (!plan_make(&r->plan, e) || !open_pipes(sv, e)) return false;
    struct child *c = &r->plan.child;
    c->in = sv->null_fd;
    c->out = sv->write_ends[STEPLOG_OUT];
    c->err = sv->write_ends[STEPLOG_ERR];
    c->realtime = sv->realtime;
    if (!groups_set(&sv->groups, &r->spec.limits, e)) return plan_close_fds(&r->plan), false;
    c->joins = sv->groups.joins;
    c->n_joins = sv->groups.n_joins;
    r->result.started_us = io_now_us();
    bool ok = child_start(c, &sv->ready, sv->stack, &r->pid, &r->pidfd, e);
    if (!ok) r->pidfd = -1;
    plan_close_fds(&r->plan);
    return ok;
}

static void end_error(struct supervisor *sv, const struct err *e)
{
    struct step_result *r = &sv->run.result;
    r->end = STEP_END_ERROR;
    r->error = str_dup(&sv->arena, str_of(e->text));
    r->error_sys = e->sys;
    if (!r->started_us) r->started_us = io_now_us();
    r->finished_us = io_now_us();
}

/* `broken`: how it ended is not to be believed. */
static void finish(struct supervisor *sv, const struct err *broken)
{
    struct run *r = &sv->run;
    struct err e = {0};
    steplog_end(&r->log);
    r->result.log_cut = r->log.cut;
    if (r->spec.capture_result) {
        r->result.has_result = true;
        r->result.result = steplog_result(&r->log, &r->result.result_cut);
    }
    if (broken) end_error(sv, broken);
    else if (!collect_outputs(&r->plan, &r->result, &e)) end_error(sv, &e);
}

static bool begin(struct supervisor *sv, struct str spec_bytes, struct err *e)
{
    struct run *r = &sv->run;
    bool known = step_spec_decode(&sv->arena, spec_bytes, &r->spec, e);
    r->result.id = r->spec.id;
    r->dir.path = step_dir_path(&sv->arena, str_of(sv->state_dir), r->spec.id).p;
    steplog_init(&r->log, &r->dir, &r->spec);
    if (!known) return false;
    if (!journal_begin(sv->journal, r->spec.id, r->spec.fsync_result)) return err_sys(e, "%s/slots/%s", sv->state_dir, sv->name);
    progress_prepare(sv);
    return start(sv, e);
}

void run_step(struct supervisor *sv, struct str spec_bytes, int net_fd)
{
    struct run *r = &sv->run;
    struct err e = {0};
    *r = (struct run){.dir.fd = -1, .pidfd = -1, .net_fd = net_fd, .result.end = STEP_END_ERROR};
    r->plan.root_fd = r->plan.ns_fd = r->plan.progress_fd = -1;
    probes_init(sv);
    if (!begin(sv, spec_bytes, &e)) {
        end_error(sv, &e);
        return;
    }
    fail_point(FAIL_STEP_STARTED);
    progress_begin(sv);
    bool watched = run_loop(sv, &e);
    bool oom = sv->groups.n_joins && groups_killed(&sv->groups); /* counted also where the limit was not the step's */
    if (oom && r->spec.limits.memory_bytes) r->result.memory_limit = r->spec.limits.memory_bytes;
    probes_end(sv);
    progress_end(sv);
    fail_point(FAIL_STEP_ENDED);
    finish(sv, watched ? NULL : &e);
}

void run_clean(struct supervisor *sv)
{
    struct run *r = &sv->run;
    bool printed = r->log.tail.cap || r->log.out.cap;
    if (!sv->plain) close_pipes(sv);
    plan_fini(&r->plan);
    if (r->net_fd >= 0) close(r->net_fd);
    step_dir_close(&r->dir);
    steplog_fini(&r->log);
    if (printed) malloc_trim(0);
}

void run_get_ready(struct supervisor *sv)
{
#ifdef __SANITIZE_THREAD__
    if (!sv->ready.pre) return; /* its runtime does not know a child in the same memory while the parent goes on */
#endif
    const struct child_ops *pre = sv->plain || sv->broken.code ? NULL : plan_common_ops(sv->common, sv->last_tier);
    if (pre && !sv->ready.pre) child_ready_new(&sv->ready, pre, sv->sb.ns, sv->stack);
}
