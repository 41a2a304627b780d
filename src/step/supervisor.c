/* The supervisor's life: configuration, sandbox, messages, results, being alone. See supervisor_p.h. */
#include "step/supervisor_p.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/limits.h"
#include "step/codec_p.h"
#include "step/io_p.h"
#include "step/journal_p.h"
#include "step/proto_p.h"

/* ---- configuration ---- */

static void visit_config(struct codec *c, struct slot_config *s)
{
    codec_text(c, &s->state_dir);
    codec_text(c, &s->name);
    codec_bool(c, &s->plain);
    CODEC_LIST(c, &s->masked, 4);
    for (size_t i = 0; i < s->masked.n && !c->failed; i++) codec_text(c, &s->masked.items[i]);
    codec_text(c, &s->tools);
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

static void leave_realtime(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    struct sched_param p = {0};
    if (info->si_code == SI_KERNEL) sched_setscheduler(0, SCHED_OTHER, &p); /* not when a step sent it */
}

/* Whoever runs 100 ms without waiting falls back to normal. The set-up of a step inherits the
 * priority, so that it does not wait for a time slice; the step drops it just before exec. */
static bool enter_realtime(void)
{
    struct sched_param p = {.sched_priority = 1};
    struct rlimit watchdog = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    struct sigaction a = {.sa_sigaction = leave_realtime, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGXCPU, &a, NULL);
    return setrlimit(RLIMIT_RTTIME, &watchdog) == 0 && sched_setscheduler(0, SCHED_FIFO, &p) == 0;
}

/* ---- talking to the engine ---- */

static bool send_engine(struct supervisor *sv, enum proto_kind kind, struct str body)
{
    int net = kind == PROTO_HELLO ? sv->run.net_fd : -1;
    struct proto_head h = {.kind = kind, .id = sv->run.spec.id, .a = sv->run.pid,
                           .time_us = sv->run.result.started_us};
    struct err ignored;
    return sv->sock >= 0 && proto_send(sv->sock, &h, body, (int[PROTO_PASSED]){net, -1}, &ignored);
}

static void leave_engine(struct supervisor *sv)
{
    if (sv->sock >= 0) close(sv->sock);
    sv->sock = -1;
}

void supervisor_started(struct supervisor *sv) { send_engine(sv, PROTO_STARTED, STR("")); }
void supervisor_probed(struct supervisor *sv, uint32_t number, int code)
{
    struct proto_head h = {.kind = PROTO_PROBED, .id = sv->run.spec.id, .a = code, .b = number};
    struct err ignored;
    if (sv->sock >= 0) proto_send(sv->sock, &h, STR(""), NULL, &ignored);
}

void supervisor_progress(struct supervisor *sv, struct str line) { send_engine(sv, PROTO_PROGRESS, line); }

static void socket_name(const struct supervisor *sv, char *out, size_t max) { snprintf(out, max, "%s.sock", sv->name); }

/* The engine is gone: from now on this process can be found by the slot's name. */
static void listen_alone(struct supervisor *sv)
{
    sv->alone = true;
    if (sv->listener >= 0) return;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socket_name(sv, at.sun_path, sizeof at.sun_path);
    /* a relative name: the state directory's path may be longer than a socket address */
    if (fchdir(sv->slots_dir) != 0) return;
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
    socket_name(sv, name, sizeof name);
    unlinkat(sv->slots_dir, name, 0);
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
    leave_engine(sv);
    sv->sock = fd;
    send_engine(sv, PROTO_HELLO, sv->run.spec.address.n ? sv->run.spec.address : STR(""));
    progress_again(sv);
}

void supervisor_engine_event(struct supervisor *sv)
{
    struct proto_head h;
    struct str body;
    struct arena a;
    if (sv->sock >= 0) {
        arena_init(&a);
        enum proto_got got = proto_recv(sv->sock, &a, &h, &body, NULL);
        if (got == PROTO_MESSAGE && h.kind == PROTO_KILL && h.id == sv->run.spec.id && sv->run.pidfd >= 0)
            run_kill(sv, h.a, h.b);
        if (got == PROTO_MESSAGE && h.kind == PROTO_PROBE && h.id == sv->run.spec.id && sv->run.pidfd >= 0)
            probe_start(sv, (uint32_t)h.a, h.b, body);
        arena_fini(&a);
        if (got == PROTO_CLOSED) {
            leave_engine(sv);
            listen_alone(sv);
        }
    }
    if (sv->listener >= 0) accept_engine(sv);
}

/* ---- results ---- */

/* The journal took no more: the result is kept here until an engine takes it, or room is found. */
static void linger(struct supervisor *sv, struct str bytes)
{
    int64_t until = io_mono_ms() + (int64_t)LIMIT_STEP_LINGER_S * 1000;
    if (sv->sock < 0) listen_alone(sv);
    while (io_mono_ms() < until) {
        struct pollfd p = {.fd = sv->listener, .events = POLLIN};
        if (poll(&p, 1, 10000) > 0) accept_engine(sv);
        if (send_engine(sv, PROTO_RESULT, bytes)) return;
        leave_engine(sv);
        if (journal_end(sv->journal, sv->run.result.id, bytes, true)) return;
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
    bool kept = journal_end(sv->journal, r->result.id, buf_view(&b), r->spec.fsync_result);
    if (kept || sv->sock >= 0) unlisten(sv); /* before the result is known: nobody comes any more */
    bool told = send_engine(sv, PROTO_RESULT, buf_view(&b));
    if (told) fail_point(FAIL_RESULT_SENT);
    else sv->alone = true; /* an engine that cannot be told sees this process end, and reads the journal */
    if (!told) leave_engine(sv);
    if (!told && !kept) linger(sv, buf_view(&b));
    unlisten(sv);
    buf_fini(&b);
}

static void supervise(struct supervisor *sv)
{
    while (!sv->alone) {
        struct proto_head h;
        struct str body;
        int passed[PROTO_PASSED];
        struct pollfd p = {.fd = sv->sock, .events = POLLIN};
        if (poll(&p, 1, -1) < 0) { /* not for ever: a step of the same user may have taken its descriptors' limit */
            if (errno == EINTR) continue;
            return;
        }
        arena_init(&sv->arena);
        enum proto_got got = proto_recv(sv->sock, &sv->arena, &h, &body, passed);
        if (got == PROTO_CLOSED) return;
        if (got == PROTO_MESSAGE && h.kind == PROTO_START && !(p.revents & POLLHUP)) {
            int n = 0, hold = h.a & PROTO_START_HOLD ? passed[n++] : -1, net = h.a & PROTO_START_NET ? passed[n++] : -1;
            run_step(sv, body, net);
            if (hold >= 0) close(hold); /* before the end is told: who hears of it may remove what was held */
            deliver(sv);
            run_clean(sv);
            if (h.b && !sv->alone) run_get_ready(sv);
        }
        arena_fini(&sv->arena);
    }
}

static bool open_dirs(struct supervisor *sv, struct str state, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%.*s/steps", STR_ARG(state));
    if (!io_mkdirs(path, 0700)) return err_sys(e, "%s", path);
    sv->slots_dir = journal_dir(state);
    return sv->slots_dir >= 0 || err_sys(e, "%.*s/slots", STR_ARG(state));
}

static bool enter_sandbox(struct supervisor *sv, const struct supervisor_birth *b, struct arena *keep)
{
    const struct slot_config *c = &b->config;
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct sandbox_config sc = {.state_dir = sv->state_dir, .masked = c->masked.items, .n_masked = c->masked.n,
                                .tools = str_set(c->tools) ? str_dup(keep, c->tools).p : NULL,
                                .user_ns = b->user_ns, .mapped = b->mapped, .uid = b->uid, .gid = b->gid,
                                .scratch_bytes = c->scratch_bytes ? c->scratch_bytes : MIN(ram / 4, (uint64_t)2 << 30)};
    if (!sandbox_enter(&sv->sb, &sc, &sv->broken)) return false;
    sv->state_dir = str_fmt(keep, "/hostrw%s", sv->sb.state_dir).p;
    close(sv->slots_dir);
    sv->slots_dir = journal_dir(str_of(sv->state_dir));
    return sv->slots_dir >= 0 || err_sys(&sv->broken, "%s/slots", sv->state_dir);
}

static void prepare(struct supervisor *sv, const struct supervisor_birth *b)
{
    static struct arena keep; /* as long as the process */
    const struct slot_config *c = &b->config;
    arena_init(&keep);
    sv->state_dir = str_dup(&keep, c->state_dir).p;
    sv->name = str_dup(&keep, c->name).p;
    sv->plain = c->plain;
    groups_init(&sv->groups, sv->name);
    if (sv->broken.code || !open_dirs(sv, c->state_dir, &sv->broken)) return;
    if (!c->plain && !enter_sandbox(sv, b, &keep)) return;
    sv->realtime = c->realtime && enter_realtime();
}

NORETURN void supervisor_main(const struct supervisor_birth *b)
{
    static struct supervisor sv;
    sv = (struct supervisor){.sock = b->sock, .journal = b->journal, .listener = -1, .slots_dir = -1, .inotify = -1,
                             .pipes = {-1, -1}, .write_ends = {-1, -1}, .broken = b->broken};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "skiff-slot");
    prctl(PR_SET_DUMPABLE, 1); /* while it maps its user */
    sv.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    sv.stack = child_stack_new();
    sv.common = plan_common_new(&sv.sb);
    prepare(&sv, b);
    prctl(PR_SET_DUMPABLE, 0); /* it lives among the step's processes, its memory is the step's until exec, and secrets are in it */
    supervise(&sv);
    groups_leave(&sv.groups);
    _exit(0);
}
