/* Arming one fail-point; see fail.h. */
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

enum fail_point fail_armed;

static const char *const names[] = {
#define FAIL_POINT(name, who, doc) [FAIL_##name] = #name,
#include "base/fail_points.def"
#undef FAIL_POINT
};

static const struct {
    const char *word;
    int sys, signo;
} actions[] = {{"kill", 0, SIGKILL}, {"stop", 0, SIGSTOP}, {"enospc", ENOSPC, 0}, {"eio", EIO, 0}, {"eintr", EINTR, 0}, {"emfile", EMFILE, 0}};

static struct {
    size_t action;
    uint32_t nth;
    atomic_uint *count; /* shared by all processes */
} armed;

/* The first process of a pid namespace takes no such signal from within: it ends, and all of its namespace, or waits. */
static void be_gone(int signo)
{
    if (signo == SIGKILL) _exit(128 + SIGKILL);
    for (;;) pause();
}

bool fail_pass(void)
{
    if (atomic_fetch_add(armed.count, 1) + 1 != armed.nth) return false;
    if (actions[armed.action].signo) kill(getpid(), actions[armed.action].signo);
    if (actions[armed.action].signo && getpid() == 1) be_gone(actions[armed.action].signo);
    errno = actions[armed.action].sys;
    return errno != 0;
}

static bool count_share(struct str file, struct err *e)
{
    char path[4096];
    int fd = -1, flags = MAP_SHARED | MAP_ANONYMOUS;
    if (file.n) {
        snprintf(path, sizeof path, "%.*s", STR_ARG(file));
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || ftruncate(fd, sizeof *armed.count) != 0) return err_sys(e, "SKIFF_FAIL: '%s'", path);
        flags = MAP_SHARED;
    }
    armed.count = mmap(NULL, sizeof *armed.count, PROT_READ | PROT_WRITE, flags, fd, 0);
    bool ok = armed.count != MAP_FAILED || err_sys(e, "SKIFF_FAIL");
    if (fd >= 0) close(fd);
    return ok;
}

bool fail_init(struct err *e)
{
    const char *text = getenv("SKIFF_FAIL");
    struct str point, action, nth, file = STR_NONE;
    int64_t n = 1;
    if (!text || !*text) return true;
    bool ok = str_cut(str_of(text), '=', &point, &action);
    if (ok && str_find_char(action, '@', 0) >= 0) str_cut(action, '@', &action, &file);
    if (ok && str_find_char(point, ':', 0) >= 0) ok = str_cut(point, ':', &point, &nth) && str_to_i64(nth, &n) && n > 0 && n < UINT32_MAX;
    enum fail_point p = FAIL_NONE + 1;
    while (p < FAIL_MAX && !str_is(point, names[p])) p++;
    armed.action = 0;
    while (armed.action < ARRAY_LEN(actions) && !str_is(action, actions[armed.action].word)) armed.action++;
    if (!ok || p == FAIL_MAX || armed.action == ARRAY_LEN(actions))
        return err_set(e, ERR_USAGE, "SKIFF_FAIL: '%s' is not POINT[:N]=ACTION[@FILE]", text);
    armed.nth = (uint32_t)n;
    if (!count_share(file, e)) return false;
    fail_armed = p;
    return true;
}
