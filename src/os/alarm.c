/* See alarm.h. */
#include "os/alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

int alarm_open(struct err *e)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) err_sys(e, "timerfd_create");
    return fd;
}

static bool arm(int fd, int64_t at_us)
{
    struct itimerspec t = {0};
    if (at_us < INT64_MAX) {
        at_us = MAX(at_us, 1); /* 0 would disarm it */
        t.it_value = (struct timespec){.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
    }
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL) == 0) return true;
    ASSERT(errno == ECANCELED);
    return false;
}

/* ECANCELED: it is armed, but the clock was set since it was read last, which it does not say again. So it rings at once. */
void alarm_set(int fd, int64_t at_us)
{
    while (!arm(fd, at_us)) at_us = 1;
}

/* ECANCELED says that the clock was set; whoever looks at the time again needs to know no more. */
void alarm_read(int fd)
{
    uint64_t times;
    ssize_t ignored = read(fd, &times, sizeof times);
    (void)ignored;
}
