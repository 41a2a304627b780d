/* The child between clone and exec; see child_p.h. Everything marked "child side" runs in memory
 * shared with the supervisor and uses raw system calls only. */
#include "step/child_p.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step/raw_p.h"

enum { STACK_BYTES = 32 << 10 };

/* Sanitizers keep state in memory that both sides would share. */
#define CHILD_SIDE __attribute__((no_sanitize("address", "undefined")))

char *child_stack_new(void)
{
    void *p = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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
    long r = raw_mkdir(path, mode);
    if (r != -ENOENT) return r; /* mostly the parents are there */
    for (; path[n]; n++) {
        if (n >= sizeof part - 1) return -ENAMETOOLONG;
        part[n] = path[n];
        if (n == 0 || path[n] != '/') continue;
        part[n] = 0;
        r = raw_mkdir(part, 0755);
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

CHILD_SIDE static long raw_pivot(void)
{
    long r = RAW2(pivot_root, ".", ".");
    if (r == 0) r = RAW2(umount2, ".", MNT_DETACH);
    if (r == 0) r = RAW1(chdir, "/");
    return r;
}

CHILD_SIDE static long raw_chroot(const char *path)
{
    long r = RAW1(chroot, path);
    return r < 0 ? r : RAW1(chdir, "/");
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
    case OP_UNLINK: {
        long r = RAW3(unlinkat, AT_FDCWD, op->b, 0);
        return r == -ENOENT ? 0 : r;
    }
    case OP_CHDIR: return op->b ? RAW1(chdir, op->b) : RAW1(fchdir, op->fd);
    case OP_CLONE: return raw_fd_to(op->fd_at, RAW3(open_tree, AT_FDCWD, op->b, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    case OP_ATTACH:
        return RAW5(move_mount, op->fd_at ? *op->fd_at : op->fd, "", AT_FDCWD, op->b,
                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
    case OP_PIVOT: return raw_pivot();
    case OP_CHROOT: return raw_chroot(op->b);
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
    case OP_NETWORK: return RAW2(setns, op->fd, CLONE_NEWNET);
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

CHILD_SIDE static bool step_identity(struct child *c)
{
    long r;
    if (c->gid >= 0 || c->uid >= 0 || c->n_groups) {
        r = RAW2(setgroups, c->n_groups, c->groups);
        /* without root there are none but its own; whether that one is told next */
        if (r < 0 && (r != -EPERM || c->n_groups > (c->gid >= 0))) return fail(c, r, "supplementary groups", NULL);
    }
    if (c->gid >= 0 && (r = RAW3(setresgid, c->gid, c->gid, c->gid)) < 0) return fail(c, r, "runAsGroup", NULL);
    if (c->uid >= 0 && (r = RAW3(setresuid, c->uid, c->uid, c->uid)) < 0) return fail(c, r, "runAsUser", NULL);
    return true;
}

/* Root executes its program with what is inheritable and no more; any other user with nothing. */
CHILD_SIDE static bool step_capabilities(struct child *c)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    long r = c->sets_capabilities ? RAW2(capset, &head, c->capabilities) : 0;
    return r >= 0 || fail(c, r, "capabilities", NULL);
}

CHILD_SIDE static bool step_prepare(struct child *c)
{
    unsigned long no_signals = 0;
    long r = RAW2(setpgid, 0, 0); /* a session of its own would cost a scheduling group as well */
    if (!step_capabilities(c)) return false;
    /* until here descriptors were the supervisor's too */
    if (c->sandbox && (r = RAW3(close_range, ~0u, ~0u, CLOSE_RANGE_UNSHARE)) < 0) return fail(c, r, "close_range", NULL);
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
    RAW4(rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, 8);
    return true;
}

CHILD_SIDE static bool run_ops(struct child *c, const struct child_ops *ops)
{
    for (size_t i = 0; i < ops->n; i++) {
        long r = run_op(c, &ops->items[i]);
        if (r < 0 && !ops->items[i].soft) return fail(c, r, NULL, &ops->items[i]);
    }
    return true;
}

CHILD_SIDE static bool set_hostname(const struct child *c)
{
    size_t n = 0;
    while (c->hostname[n]) n++;
    RAW2(sethostname, c->hostname, n);
    return true;
}

/* The set-up of a step ran at the supervisor's priority, so that it did not wait for a time slice; the
 * step itself is normal. A slice of a millisecond lets it begin before those that have run for long,
 * with no more processor time in all (Linux 6.12; before that the value is ignored). */
CHILD_SIDE static bool leave_realtime(struct child *c)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } normal = {.size = sizeof normal, .policy = SCHED_OTHER, .runtime_ns = 1000000};
    if (!c->realtime) return true;
    normal.nice = (int32_t)(20 - RAW2(getpriority, PRIO_PROCESS, 0)); /* Skiff's own: a step may not take more */
    long r = RAW3(sched_setattr, 0, &normal, 0);
    return r >= 0 || fail(c, r, "scheduling class", NULL);
}

/* Its memory is the supervisor's until exec, so the group pays for nothing of it before. */
CHILD_SIDE static bool join_groups(struct child *c)
{
    for (size_t i = 0; i < c->n_joins; i++) {
        long r = RAW3(write, c->joins[i], "0", 1);
        if (r < 0) return fail(c, r, "control group", NULL);
    }
    return true;
}

/* The step's view of the files is complete. */
CHILD_SIDE static int step_exec(struct child *c)
{
    /* a group of v1 may have no time for real-time processes, and lets none in */
    if (c->n_joins && !(leave_realtime(c) && join_groups(c))) return 126;
    if (!step_prepare(c) || (!c->n_joins && !leave_realtime(c))) return 126;
    long worst = -ENOENT;
    for (const char *const *p = c->programs; *p; p++) {
        long r = RAW3(execve, *p, c->argv, c->env);
        if (r != -ENOENT && r != -ENOTDIR) worst = r;
        if (r != -ENOENT && r != -ENOTDIR && r != -EACCES) break;
    }
    fail(c, worst, "exec", NULL);
    return 127;
}

CHILD_SIDE static int step_main(void *arg)
{
    struct child *c = arg;
    RAW1(umask, 0);
    if (c->sandbox && ((c->pre && !run_ops(c, c->pre)) || !run_ops(c, &c->ops) || !set_hostname(c))) return 126;
    return step_exec(c);
}

CHILD_SIDE static int ready_main(void *arg)
{
    struct child_ready *r = arg;
    RAW1(umask, 0);
    if (!run_ops(&r->blank, r->pre)) return 126;
    while (!__atomic_load_n(&r->go, __ATOMIC_ACQUIRE)) RAW4(futex, &r->go, FUTEX_WAIT, 0, NULL);
    return run_ops(r->c, &r->c->ops) && set_hostname(r->c) ? step_exec(r->c) : 126;
}

/* ---- supervisor side ---- */

enum { SANDBOX_FLAGS = CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD };

static void reap(pid_t pid, int pidfd)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    close(pidfd);
}

/* A supervisor that could not come back would start all its steps on too little. */
static bool enter(const struct child_ns *ns) { return ns->slim >= 0 && setns(ns->slim, CLONE_NEWNS) == 0; }
static void leave(const struct child_ns *ns, bool entered) { ASSERT(!entered || setns(ns->whole, CLONE_NEWNS) == 0); }

void child_ready_new(struct child_ready *r, const struct child_ops *pre, struct child_ns ns, char *stack)
{
    *r = (struct child_ready){.pre = pre, .alive = 1};
    bool entered = enter(&ns);
    r->pid = clone(ready_main, stack + STACK_BYTES, SANDBOX_FLAGS | CLONE_CHILD_CLEARTID, r, &r->pidfd, NULL, &r->alive);
    leave(&ns, entered);
    if (r->pid < 0) r->pre = NULL;
}

void child_ready_drop(struct child_ready *r)
{
    if (!r->pre) return;
    kill(r->pid, SIGKILL);
    reap(r->pid, r->pidfd);
    r->pre = NULL;
}

/* The kernel clears `alive` when the child leaves our memory: it runs its program then, or is dead. */
static bool ready_start(struct child *c, struct child_ready *r, pid_t *pid, int *pidfd)
{
    /* a parent that waits by vfork is not killed with its child for the memory of the child's group */
    if (!r->pre || r->pre != c->pre || c->private_net || c->n_joins || !__atomic_load_n(&r->alive, __ATOMIC_ACQUIRE)) {
        child_ready_drop(r);
        return false;
    }
    r->c = c;
    __atomic_store_n(&r->go, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &r->go, FUTEX_WAKE, 1);
    while (__atomic_load_n(&r->alive, __ATOMIC_ACQUIRE)) syscall(SYS_futex, &r->alive, FUTEX_WAIT, 1, NULL);
    if (r->blank.error && !c->error) { /* it ended before it was asked */
        child_ready_drop(r);
        return false;
    }
    *pid = r->pid;
    *pidfd = r->pidfd;
    r->pre = NULL;
    return true;
}

static pid_t new_child(struct child *c, int flags, char *stack, int *pidfd)
{
    bool entered = c->pre && enter(&c->ns);
    pid_t pid = clone(step_main, stack + STACK_BYTES, flags, c, pidfd);
    leave(&c->ns, entered);
    return pid;
}

bool child_start(struct child *c, struct child_ready *r, char *stack, pid_t *pid, int *pidfd, struct err *e)
{
    int flags = CLONE_VFORK | (c->sandbox ? SANDBOX_FLAGS : CLONE_VM | CLONE_PIDFD | SIGCHLD) | (c->private_net ? CLONE_NEWNET : 0);
    if (!ready_start(c, r, pid, pidfd)) *pid = new_child(c, flags, stack, pidfd);
    if (*pid < 0) return err_sys(e, "starting the step");
    if (c->error == 0) return true;
    reap(*pid, *pidfd);
    child_error_text(c, e);
    return false;
}

static const char *const op_names[] = {
    [OP_MOUNT] = "mount", [OP_MKDIR] = "mkdir", [OP_MKDIRS] = "mkdir", [OP_TOUCH] = "create", [OP_UNLINK] = "unlink",
    [OP_CHDIR] = "chdir", [OP_CLONE] = "open_tree", [OP_ATTACH] = "mount on",
    [OP_PIVOT] = "pivot_root", [OP_CHROOT] = "chroot", [OP_SYMLINK] = "symlink", [OP_WRITE] = "write", [OP_ROOT_RO] = "read-only root",
    [OP_OPEN] = "open", [OP_LOOPBACK] = "loopback device", [OP_NETWORK] = "network namespace of the pod",
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
