/* The flags with which list, delete, stop and logs pick several runs. Runs on: the main thread. */
#pragma once
#include "cli/list.h"
#include "cli/session.h"

/* Fills service's list options from -A, --completed, --running, --status, --since, --older,
 * --prefix, -l, --resubmitted, as far as the command has these flags. */
bool select_read(struct cli *cli, struct list_opts *o, struct err *e);
/* The same where --status is about nodes. */
bool select_but_status(struct cli *cli, struct list_opts *o, struct err *e);
/* ERR_USAGE: the flag has an empty value. */
bool select_says(const struct cli *cli, const char *name, struct err *e);
/* *out: any of these flags was given, and picks runs. ERR_USAGE: one that has a value has an empty one. */
bool select_given(const struct cli *cli, bool *out, struct err *e);
/* The runs that `o` picks, newest first; none where nothing has run yet. */
bool select_list(struct cli *cli, const struct list_opts *o, struct val *items, struct err *e);
/* The same on stdout, in the form that --output, --all-namespaces and --no-headers ask for; `usual` has the columns without them. */
bool select_show(struct cli *cli, const struct list_opts *o, const struct list_view *usual, struct err *e);
