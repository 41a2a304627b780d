/* Real-time priority where it is permitted. */
#include "os/sched.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

bool sched_realtime_set(bool on)
{
    struct sched_param p = {.sched_priority = on ? 1 : 0};
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
