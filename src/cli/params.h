/* Parameters and labels from flags: -p, --parameter-file and --labels, as far as a command has them.
 * What is found lives in cli->a. Runs on: the main thread. */
#pragma once
#include "cli/session.h"

bool params_read(struct cli *cli, const struct param **out, size_t *n, struct err *e);
bool labels_read(struct cli *cli, const struct param **out, size_t *n, struct err *e);
/* `flag` is for the message. */
bool pair_cut(const char *flag, struct str text, struct param *out, struct err *e);
