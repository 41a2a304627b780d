/* The flags with which list, delete, stop and logs pick several runs. Runs on: the main thread. */
#pragma once
#include "cli/session.h"

/* Fills service's list options from -A, --completed, --running, --status, --since, --older,
 * --prefix, -l, --resubmitted, as far as the command has these flags. */
bool select_read(struct cli *cli, struct list_opts *o, struct err *e);
/* True when any of these flags was given. */
bool select_given(const struct cli *cli);
