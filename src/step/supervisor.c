/* The supervisor's life: configuration, sandbox, messages, results, being alone. See supervisor_p.h. */
#include "step/supervisor_p.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/codec_p.h"
#include "step/io_p.h"
#include "step/proto_p.h"

/* ---- configuration ---- */

static void visit_config(struct codec *c, struct slot_config *s)
{
    codec_text(c, &s->state_dir);
    codec_bool(c, &s->plain);
    CODEC_LIST(c, &s->masked, 4);
    for (size_t i = 0; i < s->masked.n && !c->failed; i++) codec_text(c, &s->masked.items[i]);
    codec_u64(c, &s->scratch_bytes);
    codec_bool(c, &s->realtime);
}

bool slot_config_encode(const struct slot_config *s, struct buf *out, struct err *e)
{
    struct slot_config copy = *s;
    struct codec c = {.out = out};
    if (s->state_dir.n == 0 || s->state_dir.p[0] != '/')
        return err_set(e, ERR_USAGE, "the state directory \"%.*s\" is not absolute", STR_ARG(s->state_dir));
    visit_config(&c, &copy);
    return (!c.failed && !out->overflow) || err_set(e, ERR_LIMIT, "slot configuration is too large");
}

bool slot_config_decode(struct arena *a, struct str bytes, struct slot_config *s, struct err *e)
{
    struct codec c = {.p = bytes.p, .end = bytes.p + bytes.n, .arena = a};
    *s = (struct slot_config){0};
    visit_config(&c, s);
    return (!c.failed && c.p == c.end) || err_set(e, ERR_INTERNAL, "slot configuration is damaged");
}

/* ---- real-time priority ---- */

static void leave_realtime(int signo)
{
    (void)signo;
    struct sched_param p = {0};
    sched_setscheduler(0, SCHED_OTHER, &p);
}

/* Whoever runs 100 ms without waiting falls back to normal. The set-up of a step inherits the
 * priority, so that it does not wait for a time slice; the step drops it just before exec. */
static bool enter_realtime(void)
{
    struct sched_param p = {.sched_priority = 1};
    struct rlimit watchdog = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    struct sigaction a = {.sa_handler = leave_realtime};
    sigaction(SIGXCPU, &a, NULL);
    return setrlimit(RLIMIT_RTTIME, &watchdog) == 0 && sched_setscheduler(0, SCHED_FIFO, &p) == 0;
}

/* ---- talking to the engine ---- */

static void send_engine(struct supervisor *sv, enum proto_kind kind, struct str body)
{
    struct proto_head h = {.kind = kind, .id = sv->run.spec.id, .a = sv->run.init_pid,
                           .time_us = sv->run.result.started_us};
    struct err ignored;
    if (sv->sock >= 0) proto_send(sv->sock, &h, body, -1, &ignored);
}

void supervisor_started(struct supervisor *sv) { send_engine(sv, PROTO_STARTED, STR("")); }

/* The engine is gone: from now on this process can be found by the step's id. */
static void listen_alone(struct supervisor *sv)
{
    sv->alone = true;
    if (sv->listener >= 0) return;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%" PRIu64 ".sock", sv->run.spec.id);
    /* a relative name: the state directory's path may be longer than a socket address */
    if (fchdir(sv->run_dir) != 0) return;
    unlink(at.sun_path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(077);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4) == 0;
    umask(old);
    if (chdir("/") != 0) ok = false;
    if (ok) sv->listener = fd;
    else if (fd >= 0) close(fd);
}

static void unlisten(struct supervisor *sv)
{
    char name[40];
    if (sv->listener < 0) return;
    snprintf(name, sizeof name, "%" PRIu64 ".sock", sv->run.spec.id);
    unlinkat(sv->run_dir, name, 0);
    close(sv->listener);
    sv->listener = -1;
}

static void accept_engine(struct supervisor *sv)
{
    int fd = accept4(sv->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    struct ucred peer;
    socklen_t n = sizeof peer;
    bool ours = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == geteuid() || peer.uid == 0);
    if (!ours) {
        close(fd);
        return;
    }
    if (sv->sock >= 0) close(sv->sock);
    sv->sock = fd;
    send_engine(sv, PROTO_HELLO, STR(""));
}

void supervisor_engine_event(struct supervisor *sv)
{
    struct proto_head h;
    struct str body;
    struct arena a;
    if (sv->sock >= 0) {
        arena_init(&a);
        enum proto_got got = proto_recv(sv->sock, &a, &h, &body, NULL);
        if (got == PROTO_MESSAGE && h.kind == PROTO_KILL && h.id == sv->run.spec.id && sv->run.init_pidfd >= 0)
            run_kill(sv, h.a, h.b);
        arena_fini(&a);
        if (got == PROTO_CLOSED) {
            close(sv->sock);
            sv->sock = -1;
            listen_alone(sv);
        }
    }
    if (sv->listener >= 0) accept_engine(sv);
}

/* ---- results ---- */

/* RESULT could not be written: the result is kept here until an engine takes it, or room is found. */
static void linger(struct supervisor *sv, struct str bytes)
{
    int64_t until = io_mono_ms() + (int64_t)LIMIT_STEP_LINGER_S * 1000;
    struct err ignored;
    if (sv->sock < 0) listen_alone(sv);
    while (io_mono_ms() < until) {
        struct pollfd p = {.fd = sv->listener, .events = POLLIN};
        if (poll(&p, 1, 10000) > 0) accept_engine(sv);
        if (sv->sock >= 0) {
            send_engine(sv, PROTO_RESULT, bytes);
            return;
        }
        if (io_write_file(sv->run.dir_fd, "RESULT", bytes, true, &ignored)) return;
    }
}

static void deliver(struct supervisor *sv)
{
    struct run *r = &sv->run;
    struct err e = {0};
    struct buf b;
    buf_init(&b, LIMIT_STEP_SPEC_BYTES);
    if (!step_result_encode(&r->result, &b, &e)) {
        r->result = (struct step_result){.id = r->spec.id, .end = STEP_END_ERROR, .error = str_of(e.text)};
        buf_reset(&b);
        ASSERT(step_result_encode(&r->result, &b, &e));
    }
    bool kept = r->over || (r->dir_fd >= 0 && io_write_file(r->dir_fd, "RESULT", buf_view(&b), r->spec.fsync_result, &e));
    if (kept || sv->sock >= 0) unlisten(sv); /* before the result is known: nobody comes any more */
    if (sv->sock >= 0) send_engine(sv, PROTO_RESULT, buf_view(&b));
    else if (!kept && r->dir_fd >= 0) linger(sv, buf_view(&b));
    unlisten(sv);
    buf_fini(&b);
}

static void supervise(struct supervisor *sv)
{
    while (!sv->alone) {
        struct proto_head h;
        struct str body;
        struct pollfd p = {.fd = sv->sock, .events = POLLIN};
        if (poll(&p, 1, -1) < 0) continue;
        arena_init(&sv->arena);
        enum proto_got got = proto_recv(sv->sock, &sv->arena, &h, &body, NULL);
        if (got == PROTO_CLOSED) return;
        if (got == PROTO_MESSAGE && h.kind == PROTO_START && !(p.revents & POLLHUP)) {
            run_step(sv, body);
            deliver(sv);
            run_clean(sv);
        }
        arena_fini(&sv->arena);
        while (waitpid(-1, NULL, WNOHANG) > 0) {} /* janitors */
    }
}

static bool open_dirs(struct supervisor *sv, const char *state, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/steps", state);
    if (!io_mkdirs(path, 0700)) return err_sys(e, "%s", path);
    snprintf(path, sizeof path, "%s/run", state);
    if (!io_mkdirs(path, 0700)) return err_sys(e, "%s", path);
    sv->run_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return sv->run_dir >= 0 || err_sys(e, "%s", path);
}

static void prepare(struct supervisor *sv, const struct slot_config *c)
{
    static struct arena keep; /* as long as the process */
    arena_init(&keep);
    const char *state = str_dup(&keep, c->state_dir).p;
    sv->state_dir = state;
    sv->plain = c->plain;
    if (!open_dirs(sv, state, &sv->broken)) return;
    if (!c->plain) {
        uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
        struct sandbox_config sc = {.state_dir = state, .masked = c->masked.items, .n_masked = c->masked.n,
                                    .scratch_bytes = c->scratch_bytes ? c->scratch_bytes : MIN(ram / 4, (uint64_t)2 << 30)};
        if (!sandbox_enter(&sv->sb, &sc, &sv->broken)) return;
        sv->state_dir = str_fmt(&keep, "/hostrw%s", sv->sb.state_dir).p;
        /* its memory is shared with the step's init, which lives among the step's processes */
        prctl(PR_SET_DUMPABLE, 0);
        close(sv->run_dir);
        sv->run_dir = open(str_fmt(&keep, "%s/run", sv->state_dir).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    sv->realtime = c->realtime && enter_realtime();
}

NORETURN void supervisor_main(int sock, struct str config)
{
    static struct supervisor sv;
    struct arena a;
    struct slot_config c;
    sv = (struct supervisor){.sock = sock, .listener = -1, .run_dir = -1};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "skiff-slot");
    sv.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    sv.self_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    sv.stacks = child_stacks_new();
    arena_init(&a);
    if (slot_config_decode(&a, config, &c, &sv.broken)) prepare(&sv, &c);
    arena_fini(&a);
    supervise(&sv);
    _exit(0);
}
