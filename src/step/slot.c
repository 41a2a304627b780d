/* The engine's end of a slot, and adoption. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/io_p.h"
#include "step/launcher_p.h"
#include "step/proto_p.h"

struct slot {
    int sock;
    bool busy, adopted, gone;
    uint64_t id;
    char *step_dir; /* of the current step: where its RESULT is, should the supervisor die */
};

static struct slot *slot_new(int sock)
{
    struct slot *s = mem_zalloc(sizeof *s);
    s->sock = sock;
    return s;
}

struct slot *slot_open(struct launcher *l, const struct slot_config *c, struct err *e)
{
    int ends[2];
    struct buf config;
    buf_init(&config, PROTO_INLINE_BYTES);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        err_sys(e, "slot");
        return NULL;
    }
    bool ok = slot_config_encode(c, &config, e) && launcher_request(l, buf_view(&config), ends[1], e);
    buf_fini(&config);
    close(ends[1]);
    if (ok) return slot_new(ends[0]);
    close(ends[0]);
    return NULL;
}

void slot_close(struct slot *s)
{
    if (!s) return;
    close(s->sock);
    free(s->step_dir);
    free(s);
}

int slot_fd(const struct slot *s) { return s->sock; }
bool slot_busy(const struct slot *s) { return s->busy; }

bool slot_start(struct slot *s, const struct step_spec *spec, struct str bytes, struct err *e)
{
    ASSERT(!s->busy && !s->adopted);
    if (s->gone) return err_set(e, ERR_UNREACHABLE, "the slot's supervisor is gone");
    struct proto_head h = {.kind = PROTO_START, .id = spec->id};
    if (!proto_send(s->sock, &h, bytes, -1, e)) return false;
    free(s->step_dir);
    s->step_dir = mem_alloc(spec->step_dir.n + 1);
    memcpy(s->step_dir, spec->step_dir.p, spec->step_dir.n);
    s->step_dir[spec->step_dir.n] = 0;
    s->id = spec->id;
    s->busy = true;
    return true;
}

bool slot_kill(struct slot *s, int signo, uint32_t grace_ms, struct err *e)
{
    struct proto_head h = {.kind = PROTO_KILL, .id = s->id, .a = signo, .b = grace_ms};
    if (!s->busy) return err_set(e, ERR_CONFLICT, "no step runs in this slot");
    return proto_send(s->sock, &h, STR(""), -1, e);
}

/* The supervisor is gone. It writes RESULT before it announces or ends, so look there first. */
static void read_gone(struct slot *s, struct arena *a, struct slot_event *out)
{
    struct err ignored;
    s->gone = true;
    out->kind = SLOT_EXITED;
    if (!s->busy) return;
    s->busy = false;
    if (step_result_read(a, s->step_dir, &out->result, &ignored)) out->kind = SLOT_RESULT;
}

void slot_read(struct slot *s, struct arena *a, struct slot_event *out)
{
    struct proto_head h;
    struct str body;
    struct err ignored;
    *out = (struct slot_event){.id = s->id};
    for (;;) {
        enum proto_got got = proto_recv(s->sock, a, &h, &body, NULL);
        if (got == PROTO_NONE) return;
        if (got == PROTO_CLOSED) {
            read_gone(s, a, out);
            return;
        }
        if (h.id != s->id || !s->busy) continue; /* a late word about a step before */
        out->pid = h.a;
        out->time_us = h.time_us;
        out->kind = SLOT_STARTED;
        if (h.kind == PROTO_STARTED || h.kind == PROTO_HELLO) return;
        if (h.kind != PROTO_RESULT || !step_result_decode(a, body, &out->result, &ignored)) continue;
        out->kind = SLOT_RESULT;
        s->busy = false;
        return;
    }
}

/* ---- adoption ---- */

static int connect_step(struct str state_dir, uint64_t id)
{
    char path[4096];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(path, sizeof path, "%.*s/run", STR_ARG(state_dir));
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return -1;
    /* a socket address holds 108 bytes only */
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%" PRIu64 ".sock", dir, id);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(dir);
    struct ucred peer;
    socklen_t n = sizeof peer;
    if (ok && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == geteuid() || peer.uid == 0))
        return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* Nobody runs the step (its lock is ours): from now on nobody will, for RESULT says so. */
static enum adopt_outcome fence(int dir_fd, uint64_t id, struct err *e)
{
    struct step_result lost = {.id = id, .end = STEP_END_LOST, .error = STR("step lost"), .finished_us = io_now_us()};
    return step_result_write(dir_fd, &lost, true, e) ? ADOPT_LOST : ADOPT_FAILED;
}

static enum adopt_outcome finished(const struct step_result *r) { return r->end == STEP_END_LOST ? ADOPT_LOST : ADOPT_FINISHED; }

enum adopt_outcome slot_adopt(struct arena *a, struct str state_dir, uint64_t id, struct slot **slot,
                              struct step_result *result, struct err *e)
{
    struct err ignored;
    const char *dir = step_dir_path(a, state_dir, id).p;
    *slot = NULL;
    if (step_result_read(a, dir, result, &ignored)) return finished(result);
    if (!io_mkdirs(dir, 0700)) {
        err_sys(e, "%s", dir);
        return ADOPT_FAILED;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        err_sys(e, "%s", dir);
        return ADOPT_FAILED;
    }
    enum adopt_outcome outcome = ADOPT_BUSY;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        outcome = step_result_read(a, dir, result, &ignored) ? finished(result) : fence(fd, id, e);
    close(fd);
    if (outcome != ADOPT_BUSY) return outcome;
    int sock = connect_step(state_dir, id);
    if (sock < 0) return ADOPT_BUSY;
    *slot = slot_new(sock);
    (*slot)->busy = (*slot)->adopted = true;
    (*slot)->id = id;
    (*slot)->step_dir = mem_strdup(dir);
    return ADOPT_RUNNING;
}
