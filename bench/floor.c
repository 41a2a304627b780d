/* The floor: the least that any engine must do to run N commands, as a bare loop.
 *
 *   floor [--tier plain|ro|overlay] [--rootless] [--workers N] [--count N]
 *         [--shape independent|layered|chain] [--journal FILE] [--rss] -- COMMAND...
 *   floor --fsync FILE      microseconds of one 64-byte append + fdatasync (median of 200)
 *
 * --rss prints the greatest resident set of a step in KiB.
 * Each worker is a process with a namespace that was prepared once: a read-only view of the host, an
 * own /dev, the filter loaded, the bounding set empty. It takes the next number, waits for the steps
 * that this one depends on, starts it with clone(CLONE_VM | CLONE_VFORK), reaps it with wait4 and
 * appends a 64-byte record to the journal. Tier ro adds four namespaces, /tmp, /run, /proc and two
 * binds to a step; tier overlay a fresh tmpfs, an overlay over the host as root, and the same mounts.
 * There are no logs, no outputs, no time-outs, no status: what an engine needs beyond this loop is
 * what the bench measures. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LAYER_WIDTH = 50, STACK_BYTES = 64 << 10, FSYNC_ROUNDS = 200, STEP_NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS };
enum tier { TIER_PLAIN, TIER_RO, TIER_OVERLAY };
enum shape { SHAPE_INDEPENDENT, SHAPE_LAYERED, SHAPE_CHAIN };

static const char *const tier_names[] = {"plain", "ro", "overlay"};
static const char *const shape_names[] = {"independent", "layered", "chain"};
#define BASE "/tmp" /* where a worker builds its view; hidden below it afterwards */

static struct {
    enum tier tier;
    enum shape shape;
    bool rootless, rss;
    unsigned workers, count;
    int journal;
    char **command;
} opt = {.workers = 2, .count = 1000, .journal = -1};

struct shared {
    uint32_t next;
    uint32_t failed;
    uint32_t max_rss_kib; /* with one worker */
    uint32_t done[]; /* one word a step: a futex */
};
static struct shared *shared;

static void die(const char *what)
{
    dprintf(2, "floor: %s: %s\n", what, strerror(errno));
    _exit(2);
}

static void must(bool ok, const char *what)
{
    if (!ok) die(what);
}

static void mount_must(const char *from, const char *at, const char *type, unsigned long flags, const char *data)
{
    must(mount(from, at, type, flags, data) == 0, at);
}

/* ---- a worker's namespace, prepared once ---- */

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    close(fd);
}

static void enter_namespaces(void)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    must(unshare(CLONE_NEWNS | (opt.rootless ? CLONE_NEWUSER : 0)) == 0, "unshare");
    if (opt.rootless) {
        put("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "%u %u 1", gid, gid);
        put("/proc/self/gid_map", map);
        snprintf(map, sizeof map, "%u %u 1", uid, uid);
        put("/proc/self/uid_map", map);
    }
    mount_must(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void make_dev(void)
{
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    mount_must("tmpfs", BASE "/view/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0755");
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char from[64], at[64];
        snprintf(from, sizeof from, "/dev/%s", nodes[i]);
        snprintf(at, sizeof at, BASE "/view/dev/%s", nodes[i]);
        close(open(at, O_WRONLY | O_CREAT, 0666));
        mount_must(from, at, NULL, MS_BIND, NULL);
    }
}

/* Denied with EPERM; clone3 is answered with ENOSYS, so that libc falls back to clone. */
static void load_filter(void)
{
    static const int denied[] = {SYS_ptrace, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_bpf, SYS_userfaultfd,
                                 SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_perf_event_open,
                                 SYS_setns, SYS_unshare, SYS_kexec_load, SYS_init_module, SYS_finit_module,
                                 SYS_delete_module, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct};
    enum { N = sizeof denied / sizeof *denied };
    struct sock_filter code[N + 5];
    size_t n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, N + 2, 0);
    for (size_t i = 0; i < N; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)denied[i], (uint8_t)(N - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

/* Afterwards: / is the read-only host, /dev is small, /mnt is the worker's scratch with in, out and t. */
static void prepare(void)
{
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    enter_namespaces();
    mount_must("tmpfs", BASE, "tmpfs", 0, "mode=0755");
    must(mkdir(BASE "/view", 0755) == 0, BASE "/view");
    int host = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (opt.rootless ? AT_RECURSIVE : 0));
    must(host >= 0, "view of /");
    must(mount_setattr(host, "", AT_EMPTY_PATH | (opt.rootless ? AT_RECURSIVE : 0), &ro, sizeof ro) == 0, "read-only view");
    must(move_mount(host, "", AT_FDCWD, BASE "/view", MOVE_MOUNT_F_EMPTY_PATH) == 0, "move_mount");
    make_dev();
    mount_must("tmpfs", BASE "/view/mnt", "tmpfs", 0, "size=1m,mode=0755");
    must(!mkdir(BASE "/view/mnt/in", 0755) && !mkdir(BASE "/view/mnt/out", 0755) && !mkdir(BASE "/view/mnt/t", 0755), "mkdir");
    if (opt.rootless) mount_must("/proc", BASE "/view/proc", NULL, MS_BIND | MS_REC, NULL);
    must(chdir(BASE "/view") == 0 && syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
    must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "umount of the old root");
    for (int cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) != 0) break;
    load_filter();
}

/* ---- one step: the child shares the worker's memory, the worker waits ---- */

static void mount_in(const char *root, const char *name, const char *type, const char *data)
{
    char at[64];
    snprintf(at, sizeof at, "%s/%s", root, name);
    mount_must(type, at, type, MS_NOSUID | MS_NODEV, data);
}

static void bind_in(const char *from, const char *root, const char *name)
{
    char at[64];
    snprintf(at, sizeof at, "%s/%s", root, name);
    must(mkdir(at, 0755) == 0, at);
    mount_must(from, at, NULL, MS_BIND, NULL);
}

static void step_mounts(void)
{
    const char *root = "";
    if (opt.tier == TIER_OVERLAY) {
        root = "/mnt/t/r";
        mount_must("tmpfs", "/mnt/t", "tmpfs", 0, "mode=0755");
        must(!mkdir("/mnt/t/u", 0755) && !mkdir("/mnt/t/w", 0755) && !mkdir(root, 0755), "mkdir");
        mount_must("overlay", root, "overlay", 0, "lowerdir=/,upperdir=/mnt/t/u,workdir=/mnt/t/w,volatile");
        mount_must("/dev", "/mnt/t/r/dev", NULL, MS_BIND | MS_REC, NULL);
    }
    mount_in(root, "proc", "proc", NULL);
    mount_in(root, "tmp", "tmpfs", "mode=1777");
    mount_in(root, "run", "tmpfs", "mode=0755");
    bind_in("/mnt/in", root, "tmp/in");
    bind_in("/mnt/out", root, "tmp/out");
    if (opt.tier == TIER_OVERLAY) {
        must(chdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
        must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "umount of the old root");
    }
}

static int step_main(void *unused)
{
    (void)unused;
    if (opt.tier != TIER_PLAIN) {
        step_mounts();
        setsid();
    }
    execv(opt.command[0], opt.command);
    die(opt.command[0]);
    return 2;
}

static bool step_run(char *stack)
{
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (opt.tier == TIER_PLAIN ? 0 : STEP_NAMESPACES);
    int status;
    struct rusage use;
    pid_t pid = clone(step_main, stack + STACK_BYTES, flags, NULL);
    must(pid > 0, "clone");
    while (wait4(pid, &status, 0, &use) < 0) must(errno == EINTR, "wait4");
    if ((uint32_t)use.ru_maxrss > shared->max_rss_kib) shared->max_rss_kib = (uint32_t)use.ru_maxrss;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- workers ---- */

static void wait_for(uint32_t step)
{
    while (!__atomic_load_n(&shared->done[step], __ATOMIC_ACQUIRE))
        syscall(SYS_futex, &shared->done[step], FUTEX_WAIT, 0, NULL, NULL, 0);
}

/* A step of layer n waits for three steps of layer n - 1, one of a chain for the one before. */
static void wait_for_dependencies(uint32_t step)
{
    if (opt.shape == SHAPE_CHAIN && step > 0) wait_for(step - 1);
    if (opt.shape != SHAPE_LAYERED || step < LAYER_WIDTH) return;
    uint32_t layer = step / LAYER_WIDTH - 1, at = step % LAYER_WIDTH;
    for (uint32_t i = 0; i < 3; i++) wait_for(layer * LAYER_WIDTH + (at + i) % LAYER_WIDTH);
}

static void worker(void)
{
    static char stack[STACK_BYTES] __attribute__((aligned(16)));
    char record[64] = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (opt.tier != TIER_PLAIN) prepare();
    for (;;) {
        uint32_t step = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (step >= opt.count) break;
        wait_for_dependencies(step);
        if (!step_run(stack)) __atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED);
        snprintf(record, sizeof record, "%u", step);
        if (opt.journal >= 0) must(write(opt.journal, record, sizeof record) == sizeof record, "journal");
        __atomic_store_n(&shared->done[step], 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &shared->done[step], FUTEX_WAKE, 64, NULL, NULL, 0);
    }
    _exit(0);
}

static int run_all(void)
{
    size_t bytes = sizeof *shared + opt.count * sizeof shared->done[0];
    shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED, "mmap");
    for (unsigned i = 0; i < opt.workers; i++) {
        pid_t pid = fork();
        must(pid >= 0, "fork");
        if (pid == 0) worker();
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad += status != 0;
    if (opt.rss) printf("%u\n", shared->max_rss_kib);
    if (bad || shared->failed) dprintf(2, "floor: %d workers and %u steps failed\n", bad, shared->failed);
    return bad || shared->failed ? 1 : 0;
}

/* ---- the cost of a promise ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure_fsync(const char *path)
{
    static double us[FSYNC_ROUNDS];
    char record[64] = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    for (int i = 0; i < FSYNC_ROUNDS; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        must(write(fd, record, sizeof record) == sizeof record && fdatasync(fd) == 0, path);
        clock_gettime(CLOCK_MONOTONIC, &b);
        us[i] = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
    }
    qsort(us, FSYNC_ROUNDS, sizeof *us, by_value);
    printf("%.1f\n", us[FSYNC_ROUNDS / 2]);
    return 0;
}

static int name_index(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return i;
    errno = EINVAL;
    die(name);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"tier", 1, NULL, 't'}, {"rootless", 0, NULL, 'r'}, {"workers", 1, NULL, 'w'}, {"count", 1, NULL, 'n'},
        {"shape", 1, NULL, 's'}, {"journal", 1, NULL, 'j'}, {"fsync", 1, NULL, 'f'}, {"rss", 0, NULL, 'm'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        if (c == 't') opt.tier = name_index(tier_names, 3, optarg);
        else if (c == 's') opt.shape = name_index(shape_names, 3, optarg);
        else if (c == 'r') opt.rootless = true;
        else if (c == 'm') opt.rss = true;
        else if (c == 'w') opt.workers = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'n') opt.count = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'j') must((opt.journal = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) >= 0, optarg);
        else if (c == 'f') return measure_fsync(optarg);
        else return 2;
    }
    if (!argv[optind]) {
        dprintf(2, "usage: floor [--tier T] [--rootless] [--workers N] [--count N] [--shape S] [--journal FILE] [--rss] -- COMMAND...\n");
        return 2;
    }
    opt.command = argv + optind;
    return run_all();
}
