/* One owner at a time, by flock on a file that stays. The lock goes with the descriptor (and with
 * the process); it is not inherited over exec. Runs on: any thread. */
#pragma once
#include "base/err.h"

/* The descriptor that holds the lock; -1 and ERR_CONFLICT when somebody else has it. */
int lockfile_take(const char *path, struct err *e);
/* Is it held by anybody? Takes nothing. False also when the file is missing. */
bool lockfile_held(const char *path);
