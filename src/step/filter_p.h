/* The system call filter of syscalls.def as a BPF program. Runs on: the supervisor. */
#pragma once
#include <linux/filter.h>

#include "base/err.h"

/* Builds the program; its length. `max` is the room of `out`. */
size_t filter_build(struct sock_filter *out, size_t max);
/* Loads it for this thread and all it will start. Needs no_new_privs or CAP_SYS_ADMIN. */
bool filter_load(struct err *e);
