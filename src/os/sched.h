/* Real-time priority for the few threads that others wait for, only when it is permitted and the
 * machine is busy. SCHED_FIFO 1 with RESET_ON_FORK, so that no child inherits it; where it is not
 * permitted everything silently stays as it is. Runs on: any thread (acts on the calling one). */
#pragma once
#include "base/base.h"

bool sched_realtime_possible(void);
/* True when it is on now. After 100 ms without a wait the thread falls back to normal by itself. */
bool sched_realtime_set(bool on);
/* More runnable tasks than processors (/proc/loadavg's running count)? */
bool sched_pressure(void);
