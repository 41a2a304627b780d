/* The launcher process: forks slot supervisors on request and ends with the engine. */
#include "step/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "step/launcher_p.h"
#include "step/netkeeper_p.h"
#include "step/supervisor_p.h"

struct launcher {
    int sock;
    struct rlimit files; /* before the engine raised its own */
};

/* Plain steps can read the command line of this process and its children: nothing of the engine's
 * arguments and environment may be in it. Both lie in one piece after argv[0]. */
static void blank_strings(int argc, char **argv)
{
    for (char **env = environ; env && *env; env++) explicit_bzero(*env, strlen(*env));
    static char *none[] = {NULL};
    environ = none;
    for (int i = 0; i < argc; i++) explicit_bzero(argv[i], strlen(argv[i]));
    size_t room = argc > 0 ? (size_t)(argv[argc - 1] - argv[0]) : 0;
    if (room >= sizeof "skiff") memcpy(argv[0], "skiff", sizeof "skiff");
}

static void reset_signals(void)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++) sigaction(s, &normal, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void only_socket(int *sock)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (*sock != 3) dup2(*sock, 3);
    *sock = 3;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    syscall(SYS_close_range, 4, ~0u, 0);
}

static pid_t clone_pid_ns(unsigned long flags) { return (pid_t)syscall(SYS_clone, CLONE_NEWPID | flags | SIGCHLD, 0, 0, 0, 0); }

/* A process cannot come back from a user namespace: another one goes there, and makes the supervisor in its place. */
static pid_t fork_beside(struct supervisor_birth *b, int user_ns)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    b->user_ns = b->mapped = true;
    if (setns(user_ns, CLONE_NEWUSER) != 0) return err_sys(&b->broken, "user namespace of the pod's network"), 0;
    pid = clone_pid_ns(CLONE_PARENT);
    if (pid > 0) _exit(0);
    if (pid < 0) err_sys(&b->broken, "new pid namespace");
    return 0;
}

/* In a sandbox the supervisor is the first process of a pid namespace: whatever a step starts dies with
 * it. Without the right to make one it takes a user namespace along. */
static pid_t fork_into(struct supervisor_birth *b, int user_ns)
{
    b->uid = geteuid();
    b->gid = getegid();
    if (b->config.plain) return fork();
    if (user_ns >= 0) return fork_beside(b, user_ns);
    pid_t pid = b->uid == 0 ? clone_pid_ns(0) : -1;
    if (pid >= 0) return pid;
    b->user_ns = true;
    pid = clone_pid_ns(CLONE_NEWUSER);
    if (pid >= 0) return pid;
    err_sys(&b->broken, "new user namespace");
    return fork();
}

static void make_supervisor(const int *passed, struct str config)
{
    enum { FIRST = 4 }; /* 3 is the launcher's socket */
    struct supervisor_birth b = {.sock = FIRST, .journal = FIRST + 1};
    struct arena a;
    arena_init(&a);
    bool known = slot_config_decode(&a, config, &b.config, &b.broken);
    fail_point(FAIL_SLOT_ASKED);
    pid_t pid = known ? fork_into(&b, passed[2]) : fork();
    if (pid == 0) {
        reset_signals();
        setsid();
        int journal = fcntl(passed[1], F_DUPFD, 64); /* out of the way of the other one */
        dup2(passed[0], b.sock);
        dup2(journal, b.journal);
        syscall(SYS_close_range, b.journal + 1, ~0u, 0);
        close(3);
        fcntl(b.sock, F_SETFD, FD_CLOEXEC);
        fcntl(b.journal, F_SETFD, FD_CLOEXEC);
        supervisor_main(&b);
    }
    fail_point(FAIL_SLOT_FORKED);
    arena_fini(&a);
}

static bool may_make_networks(void)
{
    if (geteuid() != 0) return false; /* its slots will be in user namespaces */
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{0}};
    return syscall(SYS_capget, &head, sets) == 0 && (sets[0].effective >> CAP_SYS_ADMIN & 1);
}

static bool own_user_ns(struct err *e)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    prctl(PR_SET_DUMPABLE, 1); /* its map belongs to root otherwise */
    bool ok = (unshare(CLONE_NEWUSER) == 0 || err_sys(e, "new user namespace")) && sandbox_map_user(uid, gid, e);
    prctl(PR_SET_DUMPABLE, 0);
    return ok;
}

static void make_keeper(int sock, struct str text)
{
    enum { KEEPER = 4 };
    struct err broken = {0};
    if (fork() != 0) return;
    reset_signals();
    setsid();
    dup2(sock, KEEPER);
    syscall(SYS_close_range, KEEPER + 1, ~0u, 0);
    close(3);
    if (!may_make_networks()) own_user_ns(&broken);
    netkeeper_main(KEEPER, text, &broken);
}

NORETURN static void launcher_main(int sock, int argc, char **argv)
{
    reset_signals();
    only_socket(&sock);
    if (argv) blank_strings(argc, argv);
    setsid();
    prctl(PR_SET_NAME, "skiff-launcher");
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGCHLD, SIG_IGN); /* supervisors are never waited for */
    signal(SIGINT, SIG_IGN);
    for (;;) {
        struct pollfd p = {.fd = sock, .events = POLLIN};
        if (poll(&p, 1, -1) < 0) continue;
        struct arena a;
        struct proto_head h;
        struct str body;
        int passed[PROTO_PASSED];
        arena_init(&a);
        enum proto_got got = proto_recv(sock, &a, &h, &body, passed);
        if (got == PROTO_CLOSED) _exit(0);
        if (got == PROTO_MESSAGE && h.kind == PROTO_OPEN && passed[1] >= 0) make_supervisor(passed, body);
        if (got == PROTO_MESSAGE && h.kind == PROTO_NET && passed[0] >= 0) make_keeper(passed[0], body);
        for (size_t i = 0; got == PROTO_MESSAGE && i < PROTO_PASSED; i++)
            if (passed[i] >= 0) close(passed[i]);
        arena_fini(&a);
    }
}

/* ---- the engine's side ---- */

struct launcher *launcher_start(int argc, char **argv, struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        err_sys(e, "launcher");
        return NULL;
    }
    struct launcher *l = mem_zalloc(sizeof *l);
    l->sock = ends[0];
    getrlimit(RLIMIT_NOFILE, &l->files);
    pid_t pid = fork();
    if (pid == 0) launcher_main(ends[1], argc, argv);
    if (pid < 0) err_sys(e, "launcher");
    close(ends[1]);
    if (pid > 0) return l;
    launcher_stop(l);
    return NULL;
}

void launcher_stop(struct launcher *l)
{
    if (!l) return;
    close(l->sock);
    free(l);
}

/* The word after the name of a process that is to be a launcher, with its socket at descriptor 3. */
static const char again[] = "--launcher";

void launcher_take_part(int argc, char **argv)
{
    struct stat st;
    if (argc == 2 && strcmp(argv[1], again) == 0 && fstat(3, &st) == 0 && S_ISSOCK(st.st_mode)) launcher_main(3, argc, argv);
}

/* In place of one that was killed. By now this process has threads and libraries, which do not expect to be forked: the program is
 * executed anew, also when its file was replaced. */
static bool launcher_replace(struct launcher *l, struct err *e)
{
    int ends[2];
    pid_t pid;
    char *argv[] = {"skiff", (char *)(uintptr_t)again, NULL}, *env[] = {NULL};
    posix_spawn_file_actions_t files;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return err_sys(e, "launcher");
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], 3);
    errno = posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, env);
    bool ok = errno == 0 || err_sys(e, "launcher");
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (ok) prlimit(pid, RLIMIT_NOFILE, &l->files, NULL); /* as the first one had it, before it makes anybody */
    close(ok ? l->sock : ends[0]);
    if (ok) l->sock = ends[0];
    return ok;
}

bool launcher_request(struct launcher *l, enum proto_kind kind, struct str config, const int *passed, struct err *e)
{
    struct proto_head h = {.kind = kind};
    if (proto_send(l->sock, &h, config, passed, e)) return true;
    bool dead = e->sys == EPIPE || e->sys == ECONNRESET;
    return dead && launcher_replace(l, e) && proto_send(l->sock, &h, config, passed, e);
}
