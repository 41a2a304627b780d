/* One step in a supervisor: directory and lock, pipes, start, the loop over output and messages, the
 * end of all its processes, outputs. See supervisor_p.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step/io_p.h"
#include "step/supervisor_p.h"

/* ---- killing ---- */

/* The step's process group as this process numbers it: the group of the step proper. */
static pid_t main_pid(const struct supervisor *sv)
{
    if (sv->plain) return sv->run.init_pid;
    char name[40], text[512];
    snprintf(name, sizeof name, "self/fdinfo/%d", sv->run.plan.child.main_pidfd);
    int fd = openat(sv->sb.proc_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (n <= 0) return -1;
    text[n] = 0;
    const char *at = strstr(text, "\nPid:");
    return at ? (pid_t)strtol(at + 5, NULL, 10) : -1;
}

static void kill_all(struct supervisor *sv)
{
    /* the step first: its init then notes how it ended, and takes everything else along */
    syscall(SYS_pidfd_send_signal, sv->plain ? sv->run.init_pidfd : sv->run.plan.child.main_pidfd, SIGKILL, NULL, 0);
    if (sv->plain) kill(-sv->run.init_pid, SIGKILL);
    sv->run.result.killed = true;
    sv->run.kill_at_ms = io_mono_ms() + 1000; /* and once more, should that ever not do */
}

void run_kill(struct supervisor *sv, int signo, uint32_t grace_ms)
{
    sv->run.result.killed = true;
    if (signo == SIGKILL) {
        kill_all(sv);
        return;
    }
    pid_t pid = main_pid(sv);
    if (pid > 0 && kill(-pid, signo) != 0) kill(pid, signo);
    if (pid > 0) kill(-pid, SIGCONT);
    int64_t at = io_mono_ms() + (grace_ms ? grace_ms : sv->run.spec.grace_ms);
    if (!sv->run.kill_at_ms || at < sv->run.kill_at_ms) sv->run.kill_at_ms = at;
}

/* Tier none: what the step left behind became a child of this subreaper. */
static void sweep_children(void)
{
    char path[64];
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (ended < 0 && errno == ECHILD) return; /* nearly always */
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
    ssize_t n = read(sv->run.pipes[s], chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n > 0) {
        steplog_feed(&sv->run.log, s, chunk, (size_t)n);
        return;
    }
    close(sv->run.pipes[s]);
    sv->run.pipes[s] = -1;
}

/* What is due now is done; how long until something else is, in ms (-1: for ever). */
static int run_clock(struct supervisor *sv)
{
    struct run *r = &sv->run;
    if (!r->kill_at_ms && !r->tell_at_ms) return -1;
    int64_t now = io_mono_ms(), next = INT64_MAX;
    if (r->tell_at_ms && now >= r->tell_at_ms) {
        r->tell_at_ms = 0;
        supervisor_started(sv);
    }
    if (r->kill_at_ms && r->init_pidfd >= 0 && now >= r->kill_at_ms) kill_all(sv);
    if (r->tell_at_ms) next = r->tell_at_ms;
    if (r->kill_at_ms && r->init_pidfd >= 0) next = MIN(next, r->kill_at_ms);
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

static void reap(struct supervisor *sv)
{
    struct run *r = &sv->run;
    struct rusage usage;
    int status = 0;
    while (wait4(r->init_pid, &status, 0, &usage) < 0 && errno == EINTR) {}
    close(r->init_pidfd);
    r->init_pidfd = -1;
    r->result.finished_us = io_now_us();
    struct child *c = &r->plan.child;
    if (c->done) {
        status = c->status;
        usage = c->rusage;
    } else if (!sv->plain) {
        status = SIGKILL; /* the init was killed before its step */
    }
    fill_usage(&r->result, &usage);
    r->result.end = WIFSIGNALED(status) ? STEP_END_SIGNAL : STEP_END_EXIT;
    if (WIFSIGNALED(status)) r->result.signo = WTERMSIG(status);
    else r->result.exit_code = WEXITSTATUS(status);
    if (!sv->plain) return;
    kill(-r->init_pid, SIGKILL);
    sweep_children();
}

static void run_loop(struct supervisor *sv)
{
    struct run *r = &sv->run;
    r->tell_at_ms = io_mono_ms() + LIMIT_STEP_QUIET_MS;
    while (r->init_pidfd >= 0 || r->pipes[0] >= 0 || r->pipes[1] >= 0) {
        struct pollfd p[5] = {{.fd = r->pipes[0], .events = POLLIN}, {.fd = r->pipes[1], .events = POLLIN},
                              {.fd = r->init_pidfd, .events = POLLIN}, {.fd = sv->sock, .events = POLLIN},
                              {.fd = sv->listener, .events = POLLIN}};
        int n = poll(p, 5, run_clock(sv));
        if (n < 0 && errno != EINTR) break;
        if (n <= 0) continue;
        if (p[0].revents) read_output(sv, STEPLOG_OUT);
        if (p[1].revents) read_output(sv, STEPLOG_ERR);
        if (p[2].revents) reap(sv);
        if (p[3].revents || p[4].revents) supervisor_engine_event(sv);
    }
}

/* ---- start and end ---- */

/* The step's directory as this process sees it, made and locked. A RESULT in it means that the step
 * is over: then `over` is set and the result is that one. */
static bool open_step_dir(struct supervisor *sv, struct err *e)
{
    struct run *r = &sv->run;
    const char *path = step_dir_path(&sv->arena, str_of(sv->state_dir), r->spec.id).p;
    if (mkdir(path, 0700) != 0 && errno != EEXIST && !io_mkdirs(path, 0700)) return err_sys(e, "%s", path);
    r->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (r->dir_fd < 0) return err_sys(e, "%s", path);
    if (flock(r->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        close(r->dir_fd); /* whoever runs it will write its RESULT there */
        r->dir_fd = -1;
        return err_set(e, ERR_CONFLICT, "the step is already running");
    }
    r->plan.dir = path;
    struct str old;
    struct err ignored;
    /* also when the directory is new: an engine may have declared the step lost since it was made */
    if (!io_read_file(&sv->arena, r->dir_fd, "RESULT", LIMIT_STEP_SPEC_BYTES, &old)) return true;
    r->over = step_result_decode(&sv->arena, old, &r->result, &ignored);
    return true;
}

static bool open_pipes(struct run *r, int write_ends[2], struct err *e)
{
    write_ends[0] = write_ends[1] = -1;
    for (int s = 0; s < STEPLOG_STREAMS; s++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return err_sys(e, "pipe");
        r->pipes[s] = ends[0];
        write_ends[s] = ends[1];
    }
    return true;
}

static bool start(struct supervisor *sv, struct err *e)
{
    struct run *r = &sv->run;
    r->plan.arena = &sv->arena;
    r->plan.sb = sv->plain ? NULL : &sv->sb;
    r->plan.spec = &r->spec;
    if (sv->broken.code) {
        *e = sv->broken;
        return false;
    }
    int ends[2];
    bool ok = plan_make(&r->plan, e) && open_pipes(r, ends, e);
    if (!ok) return false;
    struct child *c = &r->plan.child;
    c->in = sv->null_fd;
    c->out = ends[0];
    c->err = ends[1];
    c->parent_pidfd = sv->self_pidfd;
    c->realtime = sv->realtime;
    r->result.started_us = io_now_us();
    ok = child_start(c, sv->stacks, &r->init_pid, &r->init_pidfd, e);
    close(ends[0]);
    close(ends[1]);
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

static void finish(struct supervisor *sv)
{
    struct run *r = &sv->run;
    struct err e = {0};
    steplog_end(&r->log);
    r->result.log_cut = r->log.cut;
    if (r->spec.capture_result) {
        r->result.has_result = true;
        r->result.result = steplog_result(&r->log, &r->result.result_cut);
    }
    if (!collect_outputs(&r->plan, r->dir_fd, &r->result, &e)) end_error(sv, &e);
}

void run_step(struct supervisor *sv, struct str spec_bytes)
{
    struct run *r = &sv->run;
    struct err e = {0};
    *r = (struct run){.dir_fd = -1, .pipes = {-1, -1}, .init_pidfd = -1};
    r->plan.root_fd = r->plan.ns_fd = r->plan.proc_tree = -1;
    r->plan.child.main_pidfd = -1;
    if (!step_spec_decode(&sv->arena, spec_bytes, &r->spec, &e)) {
        r->result.id = r->spec.id;
        end_error(sv, &e);
        return;
    }
    r->result.id = r->spec.id;
    steplog_init(&r->log, -1, &r->spec);
    bool ok = open_step_dir(sv, &e);
    if (r->over) return;
    r->log.dir_fd = r->dir_fd;
    if (ok) ok = start(sv, &e);
    if (!ok) {
        end_error(sv, &e);
        return;
    }
    run_loop(sv);
    finish(sv);
}

/* The private files of a step that is over are removed by a process of its own: neither this result
 * nor the next step waits for it. */
static void janitor(struct run *r)
{
    if (!r->plan.work || fork() != 0) return;
    int dir = openat(r->dir_fd, ".", O_RDONLY | O_DIRECTORY); /* its own: not the locked one */
    if (dir >= 0 && dup2(dir, 0) == 0) {
        syscall(SYS_close_range, 1, ~0u, 0);
        io_remove_tree(0, "work");
    }
    _exit(0);
}

void run_clean(struct supervisor *sv)
{
    struct run *r = &sv->run;
    bool printed = r->log.tail.cap || r->log.out.cap;
    if (r->plan.child.main_pidfd >= 0) close(r->plan.child.main_pidfd);
    for (int s = 0; s < STEPLOG_STREAMS; s++)
        if (r->pipes[s] >= 0) close(r->pipes[s]);
    struct plan *p = &r->plan;
    plan_fini(p);
    janitor(r);
    if (r->dir_fd >= 0) close(r->dir_fd);
    steplog_fini(&r->log);
    if (printed) malloc_trim(0);
}
