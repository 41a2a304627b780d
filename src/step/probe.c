/* Commands that run beside a step, in its sandbox: what an exec probe asks (slot_probe).
 *
 * Such a process is another child of the supervisor, in the step's pid namespace. It gets the step's root by a
 * chroot into what the step's child left open, and then what the step got: its capabilities, no descriptor of
 * ours. Until it executes its command it shares the supervisor's memory, which is not dumpable, so the step
 * cannot look through /proc at the root that it has before. It dies with the step at the latest.
 * Runs on: supervisors. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "step/io_p.h"
#include "step/proto_p.h"
#include "step/supervisor_p.h"

void probes_init(struct supervisor *sv)
{
    for (uint32_t i = 0; i < SLOT_PROBES; i++) sv->run.probes[i].pidfd = -1;
}

static void kill_probe(const struct probe *p)
{
    syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
    kill(-p->pid, SIGKILL); /* and whoever it started */
}

/* The step's own child, with another command. */
static bool start(struct supervisor *sv, struct probe *p, struct arena *a, struct str words, struct err *e)
{
    struct run *r = &sv->run;
    struct step_spec spec = r->spec;
    struct child c = r->plan.child;
    struct child_ready none = {0};
    if (!step_words_decode(a, words, &spec.argv, e)) return false;
    c.pre = NULL;
    c.ops = (struct child_ops){0};
    c.error = 0;
    c.error_op = NULL;
    c.error_what = NULL;
    plan_command(a, &spec, &c);
    c.in = c.out = c.err = sv->null_fd;
    if (c.sandbox && r->plan.root_fd < 0) return err_set(e, ERR_IO, "the step's files are gone");
    if (r->net_fd >= 0) VEC_PUSH(&c.ops, ((struct child_op){.kind = OP_NETWORK, .fd = r->net_fd}));
    VEC_PUSH(&c.ops, ((struct child_op){.kind = OP_CHDIR, .fd = r->plan.root_fd}));
    VEC_PUSH(&c.ops, ((struct child_op){.kind = OP_CHROOT, .b = "."}));
    bool ok = child_start(&c, &none, sv->stack, &p->pid, &p->pidfd, e);
    VEC_FINI(&c.ops);
    return ok;
}

void probe_start(struct supervisor *sv, uint32_t number, uint32_t timeout_ms, struct str words)
{
    struct arena a CLEANUP(arena_fini);
    struct err e;
    if (number >= SLOT_PROBES || !sv->run.spec.probed) return;
    struct probe *p = &sv->run.probes[number];
    if (p->pidfd >= 0) kill_probe(p), probe_event(sv, number); /* of an engine before this one */
    arena_init(&a);
    if (start(sv, p, &a, words, &e)) {
        p->kill_at_ms = io_mono_ms() + timeout_ms;
        return;
    }
    p->pidfd = -1;
    supervisor_probed(sv, number, PROTO_PROBE_NONE);
}

int64_t probes_clock(struct supervisor *sv, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < SLOT_PROBES; i++) {
        struct probe *p = &sv->run.probes[i];
        if (p->pidfd < 0) continue;
        if (now_ms >= p->kill_at_ms) {
            kill_probe(p);
            p->kill_at_ms = INT64_MAX; /* it is over soon, and was too late */
        }
        next = MIN(next, p->kill_at_ms);
    }
    return next;
}

void probe_event(struct supervisor *sv, uint32_t number)
{
    struct probe *p = &sv->run.probes[number];
    int status = 0;
    kill(-p->pid, SIGKILL); /* what it left in its group, which is its own as long as nobody has waited for it */
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR) {}
    close(p->pidfd);
    p->pidfd = -1;
    bool ended = WIFEXITED(status) && p->kill_at_ms != INT64_MAX;
    supervisor_probed(sv, number, ended ? WEXITSTATUS(status) : PROTO_PROBE_NONE);
}

/* They were killed with all others of the step, and waited for. */
void probes_end(struct supervisor *sv)
{
    for (uint32_t i = 0; i < SLOT_PROBES; i++) {
        struct probe *p = &sv->run.probes[i];
        if (p->pidfd < 0) continue;
        close(p->pidfd);
        p->pidfd = -1;
    }
}
