/* The engine's end of a slot, and adoption. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/limits.h"
#include "step/journal_p.h"
#include "step/launcher_p.h"
#include "step/past.h"
#include "step/proto_p.h"
#include "step/slot_p.h"

struct slot {
    int sock;
    bool busy, adopted, gone;
    uint64_t id;
    char name[JOURNAL_NAME_MAX];
};

static struct slot *slot_new(int sock, const char *name)
{
    struct slot *s = mem_zalloc(sizeof *s);
    s->sock = sock;
    snprintf(s->name, sizeof s->name, "%s", name);
    return s;
}

static bool ask(struct launcher *l, const struct slot_config *c, const char *name, const int *passed, struct err *e)
{
    struct slot_config named = *c;
    struct buf config;
    named.name = str_of(name);
    buf_init(&config, PROTO_INLINE_BYTES);
    bool ok = slot_config_encode(&named, &config, e) && launcher_request(l, PROTO_OPEN, buf_view(&config), passed, e);
    buf_fini(&config);
    return ok;
}

/* The journal is not kept open here: its lock is to end with the supervisor. */
struct slot *slot_open(struct launcher *l, const struct slot_config *c, int user_ns, struct err *e)
{
    int ends[2];
    char name[JOURNAL_NAME_MAX];
    int journal = journal_new(c->state_dir, name, c->durable, e);
    if (journal < 0) return NULL;
    if (fail_point(FAIL_SLOT_JOURNAL) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        err_sys(e, "slot");
        close(journal);
        return NULL;
    }
    bool ok = ask(l, c, name, (int[PROTO_PASSED]){ends[1], journal, user_ns}, e);
    close(ends[1]);
    close(journal);
    if (ok) return slot_new(ends[0], name);
    close(ends[0]);
    past_remove(c->state_dir, name);
    return NULL;
}

void slot_close(struct slot *s)
{
    if (!s) return;
    close(s->sock);
    free(s);
}

int slot_fd(const struct slot *s) { return s->sock; }
bool slot_busy(const struct slot *s) { return s->busy; }
const char *slot_name(const struct slot *s) { return s->name; }

bool slot_start(struct slot *s, const struct step_spec *spec, struct str bytes, const struct slot_start_opts *o, struct err *e)
{
    ASSERT(!s->busy && !s->adopted);
    if (s->gone) return err_set(e, ERR_UNREACHABLE, "the slot's supervisor is gone");
    int pass[PROTO_PASSED] = {-1, -1, -1}, n = 0;
    struct proto_head h = {.kind = PROTO_START, .id = spec->id, .b = o->quiet};
    if (o->hold_fd >= 0) pass[n++] = o->hold_fd, h.a |= PROTO_START_HOLD;
    if (o->net_fd >= 0) pass[n++] = o->net_fd, h.a |= PROTO_START_NET;
    if (fail_point(FAIL_START_BEFORE)) return err_sys(e, "message to a supervisor");
    if (!proto_send(s->sock, &h, bytes, pass, e)) return false;
    fail_point(FAIL_START_AFTER);
    s->id = spec->id;
    s->busy = true;
    return true;
}

bool slot_kill(struct slot *s, int signo, uint32_t grace_ms, struct err *e)
{
    struct proto_head h = {.kind = PROTO_KILL, .id = s->id, .a = signo, .b = grace_ms};
    if (!s->busy) return err_set(e, ERR_CONFLICT, "no step runs in this slot");
    return proto_send(s->sock, &h, STR(""), NULL, e);
}

bool slot_probe(struct slot *s, uint32_t number, const struct step_strs *argv, uint32_t timeout_ms, struct err *e)
{
    struct proto_head h = {.kind = PROTO_PROBE, .id = s->id, .a = (int32_t)number, .b = timeout_ms};
    struct buf words;
    ASSERT(number < SLOT_PROBES);
    if (!s->busy) return err_set(e, ERR_CONFLICT, "no step runs in this slot");
    buf_init(&words, LIMIT_STEP_SPEC_BYTES);
    bool ok = step_words_encode(argv, &words, e) && proto_send(s->sock, &h, buf_view(&words), NULL, e);
    buf_fini(&words);
    return ok;
}

void slot_read(struct slot *s, struct arena *a, struct slot_event *out)
{
    struct proto_head h;
    struct str body;
    struct err ignored;
    int passed[PROTO_PASSED];
    *out = (struct slot_event){.id = s->id, .net_fd = -1};
    for (;;) {
        enum proto_got got = proto_recv(s->sock, a, &h, &body, passed);
        if (got == PROTO_NONE) return;
        if (got == PROTO_CLOSED) {
            s->gone = true;
            s->busy = false;
            out->kind = SLOT_EXITED;
            return;
        }
        if (passed[0] >= 0 && (h.kind != PROTO_HELLO || h.id != s->id || !s->busy)) close(passed[0]);
        if (h.id != s->id || !s->busy) continue; /* a late word about a step before */
        out->pid = h.a;
        out->time_us = h.time_us;
        out->kind = SLOT_STARTED;
        if (h.kind == PROTO_HELLO) {
            out->net_fd = passed[0];
            out->line = body;
        }
        if (h.kind == PROTO_STARTED || h.kind == PROTO_HELLO) return;
        if (h.kind == PROTO_PROBED) {
            out->kind = SLOT_PROBED;
            out->number = h.b;
            out->code = h.a;
            return;
        }
        if (h.kind == PROTO_PROGRESS) {
            out->kind = SLOT_PROGRESS;
            out->line = body;
            return;
        }
        if (h.kind != PROTO_RESULT || !step_result_decode(a, body, &out->result, &ignored)) continue;
        fail_point(FAIL_RESULT_READ);
        out->kind = SLOT_RESULT;
        out->bytes = body.n;
        s->busy = false;
        return;
    }
}

/* ---- adoption ---- */

static bool is_ours(int sock)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

struct slot *slot_connect(int slots_dir, const char *name, uint64_t id)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    /* a socket address holds 108 bytes only, the state directory's path may be longer */
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s.sock", slots_dir, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return NULL;
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0 || !is_ours(fd)) {
        close(fd);
        return NULL;
    }
    fail_point(FAIL_ADOPTED);
    struct slot *s = slot_new(fd, name);
    s->busy = s->adopted = true;
    s->id = id;
    return s;
}
