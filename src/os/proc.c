/* What this host permits: each capability is tried in a child process of its own. */
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/sched.h"

static const struct { const char *name, *what, *remedy; } rows[HOST_CAP_MAX] = {
#define HOST_CAP(name, what, remedy) {#name, what, remedy},
#include "os/host_caps.def"
#undef HOST_CAP
};

const char *host_cap_name(enum host_cap c) { return rows[c].name; }
const char *host_cap_what(enum host_cap c) { return rows[c].what; }
const char *host_cap_remedy(enum host_cap c) { return rows[c].remedy; }

uint64_t host_ram_bytes(void) { return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE); }
unsigned host_cpus(void) { return (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1); }

bool proc_status_field(struct arena *a, int pid, const char *field, struct str *out, struct err *e)
{
    char path[64] = "/proc/self/status";
    struct str text, line;
    if (pid) snprintf(path, sizeof path, "/proc/%d/status", pid);
    if (!file_read(a, path, 1 << 20, &text, e)) return false;
    while (str_set(text)) {
        struct str name, value;
        str_cut(text, '\n', &line, &text);
        if (!str_cut(line, ':', &name, &value) || !str_is(name, field)) continue;
        *out = str_trim(value);
        return true;
    }
    return err_set(e, ERR_NOT_FOUND, "no field %s in %s", field, path);
}

void proc_spawnattr_init(posix_spawnattr_t *attr, int flags)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(attr);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setflags(attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | flags));
}

bool proc_has_capability(unsigned capability)
{
    struct arena a CLEANUP(arena_fini);
    struct str caps;
    arena_init(&a);
    return proc_status_field(&a, 0, "CapEff", &caps, NULL) && (strtoull(str_z(&a, caps), NULL, 16) >> capability & 1);
}

/* ---- attempts: each runs in a fresh child and gives 0 or an errno ---- */

static bool put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return ok;
}

/* As a supervisor would: with root rights, else in a user namespace. */
static int enter(int flags)
{
    char map[64];
    uid_t uid = geteuid();
    if (uid == 0 && unshare(flags) == 0) return 0;
    if (unshare(CLONE_NEWUSER | flags) != 0) return errno;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    return put("/proc/self/uid_map", map) ? 0 : errno;
}

static int try_user_ns(void)
{
    char map[64];
    uid_t uid = geteuid();
    if (unshare(CLONE_NEWUSER) != 0) return errno;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    return put("/proc/self/uid_map", map) ? 0 : errno;
}

static int try_mount_ns(void)
{
    int r = enter(CLONE_NEWNS);
    if (r) return r;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
    return mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 ? 0 : errno;
}

static int try_pid_ns(void) { return enter(CLONE_NEWPID); }

static int try_proc_mount(void)
{
    int r = enter(CLONE_NEWPID | CLONE_NEWNS);
    if (r) return r;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
    pid_t pid = fork();
    if (pid == 0) _exit(mount("proc", "/proc", "proc", MS_RDONLY, NULL) == 0 ? 0 : errno);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static int try_overlay(void)
{
    int r = try_mount_ns();
    if (r) return r;
    if (mkdir("/tmp/u", 0755) || mkdir("/tmp/w", 0755) || mkdir("/tmp/l", 0755)) return errno;
    const char *options = geteuid() == 0 ? "lowerdir=/,upperdir=/tmp/u,workdir=/tmp/w"
                                         : "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w,userxattr";
    return mount("overlay", "/tmp/l", "overlay", 0, options) == 0 ? 0 : errno;
}

static int try_seccomp(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

static int try_mount_setattr(void)
{
    int r = try_mount_ns();
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
    if (r) return r;
    return mount_setattr(AT_FDCWD, "/tmp", AT_RECURSIVE, &ro, sizeof ro) == 0 ? 0 : errno;
}

static int try_net_ns(void) { return enter(CLONE_NEWNET); }

static int try_realtime(void) { return sched_realtime_possible() ? 0 : EPERM; }

static int (*const attempts[HOST_CAP_MAX])(void) = {
    [HOST_CAP_USER_NS] = try_user_ns, [HOST_CAP_MOUNT_NS] = try_mount_ns, [HOST_CAP_PID_NS] = try_pid_ns,
    [HOST_CAP_PROC_MOUNT] = try_proc_mount, [HOST_CAP_OVERLAY] = try_overlay, [HOST_CAP_SECCOMP] = try_seccomp,
    [HOST_CAP_MOUNT_SETATTR] = try_mount_setattr, [HOST_CAP_NET_NS] = try_net_ns,
    [HOST_CAP_REALTIME] = try_realtime,
};

void host_caps_probe(struct host_caps *out)
{
    *out = (struct host_caps){.root = geteuid() == 0, .cpus = host_cpus(), .ram_bytes = host_ram_bytes()};
    for (int i = 0; i < HOST_CAP_MAX; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_DUMPABLE, 1); /* else it may not map its user */
            _exit(attempts[i]());
        }
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        out->error[i] = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
        out->has[i] = out->error[i] == 0;
    }
}

bool host_caps_sandbox(const struct host_caps *c)
{
    return c->has[HOST_CAP_MOUNT_NS] && c->has[HOST_CAP_PID_NS] && c->has[HOST_CAP_PROC_MOUNT] &&
           c->has[HOST_CAP_SECCOMP] && c->has[HOST_CAP_MOUNT_SETATTR];
}

char *proc_program(const char *name)
{
    static const char *const places[] = {"", "/../libexec/skiff"};
    char exe[PATH_MAX], path[2 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0) return NULL;
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash) *slash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        snprintf(path, sizeof path, "%s%s/%s", exe, places[i], name);
        if (access(path, X_OK) == 0) return mem_strdup(path);
    }
    return NULL;
}
