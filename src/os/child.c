/* See child.h. The child is made with vfork: a fork of a large engine is slow. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"
#include "os/clock.h"
#include "os/fd.h"

enum { LOOK_MS = 100, BLOCK = 16 << 10, STATUS_NO_EXEC = 127, FILES_MAX = 1024 };

struct pipes {
    int out[2], said[2];
};

static void limit(int what, rlim_t most)
{
    struct rlimit r = {most, most};
    setrlimit(what, &r);
}

/* In the child, which still shares the parent's memory: system calls alone. Every handler goes before
 * signals are let in, or it would run here on the parent's data. */
static void become(const struct child *c, const struct pipes *p, int null, int64_t seconds)
{
    sigset_t none;
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, FILES_MAX);
    limit(RLIMIT_CPU, (rlim_t)seconds);
    if (chdir(c->dir) < 0 || dup2(null, 0) < 0 || dup2(p->out[1], 1) < 0 || dup2(p->said[1], 2) < 0) _exit(STATUS_NO_EXEC);
    syscall(SYS_close_range, 3u, ~0u, 0u);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(c->argv[0], (char *const *)c->argv, (char *const *)c->env);
    _exit(STATUS_NO_EXEC);
}

__attribute__((noinline)) static pid_t spawn(const struct child *c, const struct pipes *p, int null)
{
    pid_t pid = vfork();
    if (pid == 0) become(c, p, null, c->limit_ms / 1000 + 1);
    return pid;
}

static int input_open(const struct child *c, struct err *e)
{
    int fd = c->input.n ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) err_sys(e, "cannot give '%s' its input", c->argv[0]);
    if (fd < 0 || !c->input.n) return fd;
    if (fd_write_all(fd, c->input, e) && lseek(fd, 0, SEEK_SET) == 0) return fd;
    close(fd);
    return -1;
}

static pid_t start(const struct child *c, const struct pipes *p, struct err *e)
{
    sigset_t all, before;
    int null CLEANUP(close_fd) = input_open(c, e);
    if (null < 0) return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = spawn(c, p, null);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) err_sys(e, "cannot start '%s'", c->argv[0]);
    return pid;
}

/* One read. False: there is nothing (more) to read. */
static bool take(int fd, struct buf *b)
{
    char block[BLOCK];
    ssize_t n;
    do n = read(fd, block, sizeof block);
    while (n < 0 && errno == EINTR);
    if (n > 0) buf_add(b, block, MIN((size_t)n, b->max - b->n));
    return n > 0;
}

static bool must_end(const struct child *c, int64_t until_us)
{
    return clock_mono_us() >= until_us || (c->cancelled && atomic_load(c->cancelled));
}

/* Reads until it has exited; what it left running is ended and keeps nobody waiting. True: not hurried. */
static bool follow(const struct child *c, pid_t pid, int pidfd, const struct pipes *p, struct buf *out, struct buf *said)
{
    int64_t until_us = clock_mono_us() + c->limit_ms * 1000;
    struct pollfd fds[3] = {{.fd = pidfd, .events = POLLIN}, {.fd = p->out[0], .events = POLLIN}, {.fd = p->said[0], .events = POLLIN}};
    bool late = false;
    while (!fds[0].revents) {
        if (poll(fds, ARRAY_LEN(fds), LOOK_MS) <= 0) fds[0].revents = fds[1].revents = fds[2].revents = 0;
        if (fds[1].revents && !take(p->out[0], out)) fds[1].fd = -1;
        if (fds[2].revents && !take(p->said[0], said)) fds[2].fd = -1;
        if (!late && must_end(c, until_us)) late = kill(-pid, SIGKILL) == 0;
    }
    kill(-pid, SIGKILL);
    while (fd_set_nonblock(p->out[0], true, NULL) && take(p->out[0], out)) continue;
    while (fd_set_nonblock(p->said[0], true, NULL) && take(p->said[0], said)) continue;
    return !late;
}

static bool pipes_make(struct pipes *p, struct err *e)
{
    *p = (struct pipes){{-1, -1}, {-1, -1}};
    return (pipe2(p->out, O_CLOEXEC) == 0 && pipe2(p->said, O_CLOEXEC) == 0) || err_sys(e, "cannot make a pipe");
}

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 2; i++) {
        close_fd(&p->out[i]);
        close_fd(&p->said[i]);
    }
}

bool child_run(struct arena *a, const struct child *c, int *status, struct str *out, struct str *said, struct err *e)
{
    struct buf o CLEANUP(buf_fini), s CLEANUP(buf_fini);
    struct pipes p;
    int raw = 0;
    buf_init(&o, c->most_bytes);
    buf_init(&s, c->most_bytes);
    pid_t pid = pipes_make(&p, e) ? start(c, &p, e) : -1;
    close_fd(&p.out[1]);
    close_fd(&p.said[1]);
    int pidfd CLEANUP(close_fd) = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    bool ok = pid > 0 && (pidfd >= 0 || err_sys(e, "cannot watch '%s'", c->argv[0]));
    if (pid > 0 && !ok) kill(-pid, SIGKILL);
    if (ok && !follow(c, pid, pidfd, &p, &o, &s))
        ok = err_set(e, ERR_TIMEOUT, "'%s' was ended: it took too long, or is not wanted any more", c->argv[0]);
    while (pid > 0 && waitpid(pid, &raw, 0) < 0 && errno == EINTR) continue;
    pipes_close(&p);
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    *out = buf_dup(a, &o);
    *said = buf_dup(a, &s);
    return ok;
}
