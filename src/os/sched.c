/* Real-time priority where it is permitted. */
#include "os/sched.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WATCHDOG_US = 100000 };

static pid_t raised; /* the thread that runs at real-time priority */

static void fall_back(int signo)
{
    struct sched_param p = {0};
    (void)signo;
    sched_setscheduler(raised, SCHED_OTHER, &p);
}

/* A thread that runs so long without waiting would starve the machine: the kernel then signals. */
static bool watchdog_set(void)
{
    struct rlimit limit;
    struct sigaction a = {.sa_handler = fall_back, .sa_flags = SA_RESTART};
    if (getrlimit(RLIMIT_RTTIME, &limit) < 0 || sigaction(SIGXCPU, &a, NULL) < 0) return false;
    limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)WATCHDOG_US);
    return setrlimit(RLIMIT_RTTIME, &limit) == 0;
}

bool sched_realtime_set(bool on)
{
    struct sched_param p = {.sched_priority = on ? 1 : 0};
    raised = gettid();
    if (on && !watchdog_set()) return false;
    return sched_setscheduler(0, (on ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK, &p) == 0 && on;
}

bool sched_realtime_possible(void)
{
    int before = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
    if (before == SCHED_FIFO || before == SCHED_RR) return true;
    struct sched_param none = {0};
    bool possible = sched_realtime_set(true);
    if (possible) sched_setscheduler(0, before, &none);
    return possible;
}

bool sched_pressure(void)
{
    char text[128];
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (n <= 0) return false;
    text[n] = 0;
    const char *at = text; /* "0.50 0.40 0.30 running/all last" */
    for (int i = 0; i < 3 && at; i++) {
        at = strchr(at, ' ');
        if (at) at++;
    }
    return at && strtol(at, NULL, 10) > sysconf(_SC_NPROCESSORS_ONLN);
}
