/* A descriptor that becomes readable at a time of the wall clock, and when that clock is set: timers of the loop go by the
 * monotonic clock, which stands still while the machine sleeps. Runs on: one thread for each. */
#pragma once
#include "base/err.h"

int alarm_open(struct err *e); /* -1: e is set. CLOEXEC, non-blocking */
/* INT64_MAX: never, and not when the clock is set either. A time that has passed comes at once, and so
 * does a clock that was set since the last alarm_read. */
void alarm_set(int fd, int64_t at_us);
void alarm_read(int fd); /* so that it is not readable any more; then it is to be set again */
