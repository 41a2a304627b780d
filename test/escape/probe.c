/* Runs inside a step and tries to get out. One line an attempt: "ok NAME" (refused as it must be) or
 * "ESCAPE NAME: what happened". The denied system calls come from the filter's own table. After the word "caps" it expects
 * to have the capabilities of root in an image. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

enum {
    RIGHTS = 0
#define CAPABILITY(name, doc) | 1 << CAP_##name
#include "step/capabilities.def"
#undef CAPABILITY
};

static int escapes;
static unsigned rights; /* 0 or RIGHTS */

static void report(const char *name, int good, const char *what)
{
    if (good) {
        printf("ok %s\n", name);
        return;
    }
    printf("ESCAPE %s: %s\n", name, what);
    escapes++;
}

/* r must be -1 with one of the two errnos (b = 0: only a). */
static void refused(const char *name, long r, int a, int b)
{
    char what[100];
    int got = errno;
    snprintf(what, sizeof what, "result %ld, %s", r, strerror(got));
    report(name, r == -1 && (got == a || (b && got == b)), what);
}

static void denied_call(const char *name, long nr, unsigned arg, uint64_t value, int error)
{
    long a[6] = {0};
    a[arg] = (long)value;
    errno = 0;
    refused(name, syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]), error, 0);
}

static void denied_calls(void)
{
#define DENY(call, error, doc) denied_call("call " #call, __NR_##call, 0, 0, error);
#define DENY_ARG(call, arg, mask, value, error, doc) denied_call("call " #call " " #value, __NR_##call, arg, value, error);
#include "step/syscalls.def"
}

static void namespaces(void)
{
    static const struct { const char *name; int flag; } kinds[] = {
        {"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
        {"net", CLONE_NEWNET}, {"user", CLONE_NEWUSER}, {"user+mnt", CLONE_NEWUSER | CLONE_NEWNS}};
    char name[64];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(name, sizeof name, "unshare %s", kinds[i].name);
        refused(name, unshare(kinds[i].flag), EPERM, 0);
        snprintf(name, sizeof name, "clone %s", kinds[i].name);
        long pid = syscall(SYS_clone, (long)kinds[i].flag | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) _exit(0);
        refused(name, pid, EPERM, 0);
    }
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) _exit(0);
    refused("clone3 user", pid, ENOSYS, 0);
    int fd = open("/proc/1/ns/mnt", O_RDONLY);
    report("open /proc/1/ns/mnt", fd < 0, "opened");
    refused("setns net", setns(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), CLONE_NEWNET), EPERM, 0);
    refused("setns mnt", setns(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), CLONE_NEWNS), EPERM, 0);
}

static void mounts(void)
{
    mkdir("/tmp/m", 0755);
    refused("mount tmpfs", mount("tmpfs", "/tmp/m", "tmpfs", 0, NULL), EPERM, 0);
    refused("mount proc", mount("proc", "/tmp/m", "proc", 0, NULL), EPERM, 0);
    refused("mount bind", mount("/", "/tmp/m", NULL, MS_BIND, NULL), EPERM, 0);
    refused("remount / rw", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM, 0);
    refused("remount /proc rw", mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM, 0);
    refused("remount /sys rw", mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM, 0);
    refused("umount /proc", umount2("/proc", MNT_DETACH), EPERM, 0);
    refused("umount mask", umount2("/proc/keys", MNT_DETACH), EPERM, 0);
    refused("pivot_root", syscall(SYS_pivot_root, ".", "."), EPERM, 0);
    if (!rights) refused("chroot", chroot("/tmp"), EPERM, 0);
    refused("fsopen", syscall(SYS_fsopen, "tmpfs", 0), EPERM, 0);
    refused("open_tree clone", syscall(SYS_open_tree, AT_FDCWD, "/", 1), EPERM, 0);
    struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
    refused("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/sys", AT_RECURSIVE, &attr, sizeof attr), EPERM, 0);
    refused("mknod device", mknod("/tmp/disk", S_IFBLK | 0600, 254 << 8), EPERM, 0);
    report("sethostname", sethostname("x", 1) != 0, "changed");
}

static void cannot_open(const char *path, int flags)
{
    int fd = open(path, flags);
    char name[300], c;
    snprintf(name, sizeof name, "%s %s", flags & O_WRONLY ? "write" : "read", path);
    int harmless = fd < 0 || (!(flags & O_WRONLY) && read(fd, &c, 1) <= 0);
    report(name, harmless, "opened");
    if (fd >= 0) close(fd);
}

static void files(void)
{
    static const char *const writes[] = {
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/user/max_user_namespaces",
        "/proc/sys/vm/drop_caches", "/proc/sys/kernel/modprobe", "/proc/self/uid_map", "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state", "/dev/mem", "/dev/kmsg"};
    static const char *const reads[] = {
        "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug", "/proc/1/environ",
        "/proc/1/mem", "/proc/1/maps", "/proc/1/root/etc/passwd", "/proc/1/cwd/etc/passwd", "/proc/1/fd/3",
        "/dev/vda", "/dev/sda", "/dev/mem", "/dev/kmsg", "/proc/kmsg"};
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) cannot_open(writes[i], O_WRONLY);
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) cannot_open(reads[i], O_RDONLY);
    struct stat null, trigger;
    int same = stat("/proc/sysrq-trigger", &trigger) != 0 ||
               (stat("/dev/null", &null) == 0 && trigger.st_rdev == null.st_rdev);
    report("sysrq-trigger is masked", same || access("/proc/sysrq-trigger", W_OK) != 0, "it is the real one");
}

static void processes(void)
{
    kill(1, SIGKILL); /* allowed, but nothing reaches the init of a pid namespace from inside */
    kill(1, SIGSTOP);
    report("init lives after SIGKILL", kill(1, 0) == 0 || errno == EPERM, "gone");
    refused("attach to init", ptrace(PTRACE_ATTACH, 1, 0, 0), EPERM, 0);
    refused("seize init", ptrace(PTRACE_SEIZE, 1, 0, 0), EPERM, 0);
    struct rlimit none = {0, 0}, before;
    getrlimit(RLIMIT_CORE, &before);
    refused("limits of init", syscall(SYS_prlimit64, 1, RLIMIT_CORE, &none, NULL), EPERM, 0);
    refused("limits of init, read", syscall(SYS_prlimit64, 1, RLIMIT_CORE, NULL, &none), EPERM, 0);
    report("own limits can be set", syscall(SYS_prlimit64, 0, RLIMIT_CORE, &before, NULL) == 0, "refused");
    cpu_set_t cpus;
    struct sched_param normal = {0};
    uint64_t attr[7] = {sizeof attr};
    sched_getaffinity(0, sizeof cpus, &cpus);
    refused("processors of init", sched_setaffinity(1, sizeof cpus, &cpus), EPERM, 0);
    report("own processors can be set", sched_setaffinity(0, sizeof cpus, &cpus) == 0, "refused");
    refused("scheduling of init", syscall(SYS_sched_setscheduler, 1, SCHED_BATCH, &normal), EPERM, 0);
    refused("scheduling of init, again", syscall(SYS_sched_setparam, 1, &normal), EPERM, 0);
    refused("scheduling attributes of init", syscall(SYS_sched_setattr, 1, attr, 0), EPERM, 0);
    refused("niceness of init", setpriority(PRIO_PROCESS, 1, 19), EPERM, 0);
    refused("niceness of all", setpriority(PRIO_USER, 0, 19), EPERM, 0);
    refused("disk priority of init", syscall(SYS_ioprio_set, 1, 1, 3 << 13), EPERM, 0);
    refused("disk priority of all", syscall(SYS_ioprio_set, 3, 0, 3 << 13), EPERM, 0);
    report("own niceness can be set", setpriority(PRIO_PROCESS, 0, 19) == 0, "refused");
    report("no process outside", kill(-1, 0) != 0 || getpid() < 10, "others are visible");
    pid_t pid = fork();
    if (pid == 0) _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 1);
    int status;
    waitpid(pid, &status, 0);
    report("own children can be traced", status == 0, "refused");
}

static void descriptors(void)
{
    int n = 0;
    for (int fd = 3; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
    report("no inherited descriptor", n == 0, "one is open");
    struct stat in, null;
    report("stdin is /dev/null", fstat(0, &in) == 0 && stat("/dev/null", &null) == 0 && in.st_rdev == null.st_rdev, "it is not");
    report("no controlling terminal", open("/dev/tty", O_RDWR) < 0, "there is one");
}

static void chroot_tricks(void)
{
    int root = open("/", O_RDONLY | O_DIRECTORY);
    struct stat a, b;
    if (rights) report("chroot", chroot("/tmp/m") == 0 && fchdir(root) == 0, "refused"); /* the way out of such a root */
    for (int i = 0; i < 64; i++)
        if (chdir("..") != 0) break;
    stat(".", &a);
    fstat(root, &b);
    report("dot dot ends at the root", a.st_ino == b.st_ino && a.st_dev == b.st_dev, "another root");
    report("no stage", access("hostrw", F_OK) != 0 && access("skel", F_OK) != 0, "the stage is visible");
    if (rights) report("no root above", chroot(".") == 0 && access("/proc/self", F_OK) == 0, "it is not the step's");
    close(root);
}

static void privileges(void)
{
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        unsigned long long caps;
        if (sscanf(line, "CapEff: %llx", &caps) == 1 || sscanf(line, "CapPrm: %llx", &caps) == 1 ||
            sscanf(line, "CapInh: %llx", &caps) == 1)
            report("no capability but those", caps == rights, line);
        if (sscanf(line, "CapBnd: %llx", &caps) == 1) report("none to be had", caps == 0, line);
        int v;
        if (sscanf(line, "NoNewPrivs: %d", &v) == 1) report("no_new_privs", v == 1, line);
        if (sscanf(line, "Seccomp: %d", &v) == 1) report("filter", v == 2, line);
    }
    if (f) fclose(f);
    if (geteuid() != 0) report("no way to uid 0", setuid(0) != 0, "setuid(0) worked");
    if (!rights) report("no way to another uid", setresuid(1, 1, 1) != 0, "setresuid worked");
    if (!rights) refused("chown to another", (fclose(fopen("/tmp/own", "w")), chown("/tmp/own", 12345, 12345)), EPERM, EINVAL);
    int s = socket(AF_INET, SOCK_RAW, 1);
    report("no raw socket", s < 0, "opened");
}

/* A set-uid copy of this program, when the test has planted one: it must run without gaining. */
static void set_uid(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, "--whoami", (char *)NULL);
        _exit(200);
    }
    int status;
    waitpid(pid, &status, 0);
    report("set-uid gains nothing", WIFEXITED(status) && (WEXITSTATUS(status) == 200 || WEXITSTATUS(status) == 0), "euid changed");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--whoami") == 0) return geteuid() == getuid() ? 0 : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) { /* planted secrets, and a set-uid program */
        if (strcmp(argv[i], "caps") == 0) rights = RIGHTS;
        else if (strncmp(argv[i], "suid=", 5) == 0) set_uid(argv[i] + 5);
        else cannot_open(argv[i], O_RDONLY);
    }
    descriptors();
    denied_calls();
    namespaces();
    mounts();
    files();
    processes();
    chroot_tricks();
    privileges();
    printf("probe done: %d escapes\n", escapes);
    return escapes != 0;
}
