/* What stop and terminate share. Runs on: the main thread. */
#pragma once
#include "cli/select.h"

enum { STOPPING_FLAGS = 3 };
extern const struct flag stopping_flags[STOPPING_FLAGS];
/* `done` is the word for it: "stopped", "terminated". */
bool stopping_run(struct cli *cli, enum service_stop how, const char *done, struct err *e);
