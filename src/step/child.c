/* The child between clone and exec; see child_p.h. Everything marked "child side" runs in memory
 * shared with the supervisor and uses raw system calls only. */
#include "step/child_p.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step/raw_p.h"

enum { INIT_STACK_BYTES = 32 << 10, STEP_STACK_BYTES = 32 << 10 };

/* Sanitizers keep state in memory that both sides would share. */
#define CHILD_SIDE __attribute__((no_sanitize("address", "undefined")))

struct child_stacks {
    _Alignas(64) char init[INIT_STACK_BYTES];
    _Alignas(64) char step[STEP_STACK_BYTES];
};

struct launch { /* what the two entry functions get */
    struct child *c;
    struct child_stacks *stacks;
    sigset_t no_signals;
};

struct child_stacks *child_stacks_new(void)
{
    void *p = mmap(NULL, sizeof(struct child_stacks), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(p != MAP_FAILED);
    return p;
}

/* ---- child side ---- */

CHILD_SIDE static long raw_mkdir(const char *path, long mode)
{
    long r = RAW3(mkdirat, AT_FDCWD, path, mode);
    return r == -EEXIST ? 0 : r;
}

CHILD_SIDE static long raw_mkdirs(const char *path, long mode)
{
    char part[4096];
    size_t n = 0;
    for (; path[n]; n++) {
        if (n >= sizeof part - 1) return -ENAMETOOLONG;
        part[n] = path[n];
        if (n == 0 || path[n] != '/') continue;
        part[n] = 0;
        long r = raw_mkdir(part, 0755);
        /* on a read-only file system an existing directory still gives EEXIST */
        if (r < 0) return r;
        part[n] = '/';
    }
    part[n] = 0;
    return raw_mkdir(part, mode);
}

CHILD_SIDE static long raw_touch(const char *path)
{
    long fd = RAW4(openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd < 0) return RAW3(faccessat, AT_FDCWD, path, 0) == 0 ? 0 : fd;
    RAW1(close, fd);
    return 0;
}

CHILD_SIDE static long raw_write_file(const struct child *c, const struct child_op *op)
{
    long fd = RAW4(openat, AT_FDCWD, op->b, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    long r = 0;
    for (size_t done = 0; done < op->n && r >= 0; done += (size_t)r)
        r = RAW3(write, fd, op->data + done, op->n - done);
    if (r >= 0 && (c->uid >= 0 || c->gid >= 0)) r = RAW3(fchown, fd, c->uid, c->gid);
    if (r >= 0) r = RAW2(fchmod, fd, op->flags);
    RAW1(close, fd);
    return r;
}

CHILD_SIDE static long raw_proc(void)
{
    long fs = RAW2(fsopen, "proc", FSOPEN_CLOEXEC);
    if (fs < 0) return fs;
    long r = RAW5(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
    if (r >= 0)
        r = RAW3(fsmount, fs, FSMOUNT_CLOEXEC,
                 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    RAW1(close, fs);
    return r;
}

CHILD_SIDE static long raw_pivot(void)
{
    long r = RAW2(pivot_root, ".", ".");
    if (r == 0) r = RAW2(umount2, ".", MNT_DETACH);
    if (r == 0) r = RAW1(chdir, "/");
    return r;
}

CHILD_SIDE static long raw_loopback(void)
{
    long s = RAW3(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0) return s;
    struct ifreq r = {.ifr_name = "lo"};
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    long result = RAW3(ioctl, s, 0x8914 /* SIOCSIFFLAGS */, &r);
    RAW1(close, s);
    return result;
}

CHILD_SIDE static long raw_fd_to(int *at, long fd)
{
    if (fd >= 0) *at = (int)fd;
    return fd;
}

CHILD_SIDE static long run_op(struct child *c, struct child_op *op)
{
    switch (op->kind) {
    case OP_MOUNT: return RAW5(mount, op->a, op->b, op->c, op->flags, op->data);
    case OP_MKDIR: return raw_mkdir(op->b, (long)op->flags);
    case OP_MKDIRS: return raw_mkdirs(op->b, (long)op->flags);
    case OP_TOUCH: return raw_touch(op->b);
    case OP_CHDIR: return op->b ? RAW1(chdir, op->b) : RAW1(fchdir, op->fd);
    case OP_CLONE: return raw_fd_to(op->fd_at, RAW3(open_tree, AT_FDCWD, op->b, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    case OP_PROC: return raw_fd_to(op->fd_at, raw_proc());
    case OP_ATTACH:
        return RAW5(move_mount, op->fd_at ? *op->fd_at : op->fd, "", AT_FDCWD, op->b,
                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
    case OP_PIVOT: return raw_pivot();
    case OP_SYMLINK: {
        long r = RAW3(symlinkat, op->a, AT_FDCWD, op->b);
        return r == -EEXIST ? 0 : r;
    }
    case OP_WRITE: return raw_write_file(c, op);
    case OP_ROOT_RO: {
        struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
        return RAW5(mount_setattr, AT_FDCWD, "/", 0, &ro, sizeof ro);
    }
    case OP_OPEN:
        return raw_fd_to(op->fd_at, RAW4(openat, AT_FDCWD, op->b, (op->flags ? O_RDONLY : O_PATH) | O_CLOEXEC, 0));
    case OP_LOOPBACK: return raw_loopback();
    }
    return -ENOSYS;
}

CHILD_SIDE static bool fail(struct child *c, long result, const char *what, const struct child_op *op)
{
    c->error = (int)-result;
    c->error_what = what;
    c->error_op = op;
    return false;
}

CHILD_SIDE static void announce(struct child *c)
{
    __atomic_store_n(&c->started, 1, __ATOMIC_SEQ_CST);
    RAW3(futex, &c->started, FUTEX_WAKE, 1);
}

CHILD_SIDE static bool step_identity(struct child *c)
{
    long r;
    unsigned int gid = (unsigned int)c->gid;
    if (c->gid >= 0 || c->uid >= 0) {
        r = c->gid >= 0 ? RAW2(setgroups, 1, &gid) : RAW2(setgroups, 0, NULL);
        if (r < 0 && r != -EPERM) return fail(c, r, "setgroups", NULL);
    }
    if (c->gid >= 0 && (r = RAW3(setresgid, c->gid, c->gid, c->gid)) < 0) return fail(c, r, "runAsGroup", NULL);
    if (c->uid >= 0 && (r = RAW3(setresuid, c->uid, c->uid, c->uid)) < 0) return fail(c, r, "runAsUser", NULL);
    return true;
}

CHILD_SIDE static bool step_prepare(struct launch *l)
{
    struct child *c = l->c;
    long r = RAW0(setsid);
    RAW3(dup3, c->in, 0, 0);
    RAW3(dup3, c->out, 1, 0);
    RAW3(dup3, c->err, 2, 0);
    RAW3(close_range, 3, ~0u, 0);
    RAW1(umask, 022);
    for (size_t i = 0; i < c->n_rlimits; i++) {
        uint64_t v[2] = {c->rlimits[i].soft, c->rlimits[i].hard};
        if ((r = RAW4(prlimit64, 0, c->rlimits[i].resource, v, NULL)) < 0) return fail(c, r, "resource limit", NULL);
    }
    if (!step_identity(c)) return false;
    if ((r = RAW1(chdir, c->cwd)) < 0) return fail(c, r, "working directory", NULL);
    if (!c->sandbox) { /* after the change of identity, which clears it */
        RAW2(prctl, PR_SET_PDEATHSIG, SIGKILL);
    }
    RAW4(rt_sigprocmask, SIG_SETMASK, &l->no_signals, NULL, 8);
    return true;
}

CHILD_SIDE static int step_main(void *arg)
{
    struct launch *l = arg;
    struct child *c = l->c;
    if (!step_prepare(l)) return 126;
    long worst = -ENOENT, normal = 0; /* struct sched_param: priority 0 */
    if (c->realtime && (worst = RAW3(sched_setscheduler, 0, SCHED_OTHER, &normal)) < 0) {
        fail(c, worst, "scheduling class", NULL);
        return 126;
    }
    worst = -ENOENT;
    for (const char *const *p = c->programs; *p; p++) {
        long r = RAW3(execve, *p, c->argv, c->env);
        if (r != -ENOENT && r != -ENOTDIR) worst = r;
        if (r != -ENOENT && r != -ENOTDIR && r != -EACCES) break;
    }
    fail(c, worst, "exec", NULL);
    return 127;
}

CHILD_SIDE static bool parent_is_dead(struct child *c)
{
    struct pollfd p = {.fd = c->parent_pidfd, .events = POLLIN};
    struct { long s, ns; } zero = {0, 0};
    return RAW5(ppoll, &p, 1, &zero, NULL, 8) == 1;
}

CHILD_SIDE static bool init_build(struct child *c)
{
    RAW2(prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (parent_is_dead(c)) return false;
    RAW1(umask, 0);
    for (size_t i = 0; i < c->ops.n; i++) {
        long r = run_op(c, &c->ops.items[i]);
        if (r < 0 && !c->ops.items[i].soft) return fail(c, r, NULL, &c->ops.items[i]);
    }
    size_t n = 0;
    while (c->hostname[n]) n++;
    RAW2(sethostname, c->hostname, n);
    return true;
}

/* As pid 1: reaps everything until the step proper has ended, then leaves, which kills the rest. */
CHILD_SIDE static void init_reap(struct child *c, long main_pid)
{
    for (;;) {
        int status;
        struct rusage usage;
        long pid = RAW4(wait4, -1, &status, __WALL, &usage);
        if (pid == -EINTR) continue;
        if (pid < 0) return;
        if (pid != main_pid) continue;
        c->status = status;
        c->rusage = usage;
        __atomic_store_n(&c->done, 1, __ATOMIC_SEQ_CST);
        return;
    }
}

CHILD_SIDE static int init_main(void *arg)
{
    struct launch *l = arg;
    struct child *c = l->c;
    long pid = -1;
    if (init_build(c)) {
        pid = clone(step_main, l->stacks->step + STEP_STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, l,
                    &c->main_pidfd);
        if (pid < 0) fail(c, -EAGAIN, "clone", NULL);
    }
    announce(c);
    if (pid > 0) init_reap(c, pid);
    return 0;
}

/* ---- supervisor side ---- */

static void wait_started(struct child *c, pid_t pid)
{
    struct timespec slice = {.tv_nsec = 20000000};
    while (!__atomic_load_n(&c->started, __ATOMIC_SEQ_CST)) {
        syscall(SYS_futex, &c->started, FUTEX_WAIT, 0, &slice, NULL, 0);
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) break;
    }
}

bool child_start(struct child *c, struct child_stacks *stacks, pid_t *init_pid, int *init_pidfd, struct err *e)
{
    static struct launch l; /* outlives this call: the init uses it until the step has begun */
    l = (struct launch){.c = c, .stacks = stacks};
    sigemptyset(&l.no_signals);
    c->main_pidfd = -1;
    int flags = CLONE_VM | CLONE_PIDFD | SIGCHLD;
    if (c->sandbox)
        flags |= CLONE_FILES | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 (c->private_net ? CLONE_NEWNET : 0);
    else
        flags |= CLONE_VFORK;
    char *top = c->sandbox ? stacks->init + INIT_STACK_BYTES : stacks->step + STEP_STACK_BYTES;
    *init_pid = clone(c->sandbox ? init_main : step_main, top, flags, &l, init_pidfd);
    if (*init_pid < 0) return err_sys(e, "starting the step");
    if (c->sandbox) wait_started(c, *init_pid);
    bool ok = c->error == 0 && (!c->sandbox || c->main_pidfd >= 0);
    if (ok) return true;
    while (waitpid(*init_pid, NULL, 0) < 0 && errno == EINTR) {}
    close(*init_pidfd);
    if (c->main_pidfd >= 0) close(c->main_pidfd);
    c->main_pidfd = -1;
    child_error_text(c, e);
    return false;
}

static const char *const op_names[] = {
    [OP_MOUNT] = "mount", [OP_MKDIR] = "mkdir", [OP_MKDIRS] = "mkdir", [OP_TOUCH] = "create",
    [OP_CHDIR] = "chdir", [OP_CLONE] = "open_tree", [OP_PROC] = "mount /proc", [OP_ATTACH] = "mount on",
    [OP_PIVOT] = "pivot_root", [OP_SYMLINK] = "symlink", [OP_WRITE] = "write", [OP_ROOT_RO] = "read-only root",
    [OP_OPEN] = "open", [OP_LOOPBACK] = "loopback device",
};

void child_error_text(const struct child *c, struct err *e)
{
    const struct child_op *op = c->error_op;
    int sys = c->error ? c->error : ECHILD;
    if (op)
        err_set(e, ERR_IO, "sandbox: %s %s: %s", op_names[op->kind], op->b ? op->b : "", strerror(sys));
    else if (!c->error_what)
        err_set(e, ERR_IO, "the step died while it was being started");
    else if (strcmp(c->error_what, "exec") != 0)
        err_set(e, ERR_IO, "%s: %s", c->error_what, strerror(sys));
    else if (sys == ENOENT)
        err_set(e, ERR_NOT_FOUND, "executable \"%s\" not found", c->argv[0]);
    else
        err_set(e, ERR_IO, "executable \"%s\": %s", c->argv[0], strerror(sys));
    if (e) e->sys = sys;
}
