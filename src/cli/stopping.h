/* Names or a selection of runs, then the service's operation for each: stop, terminate, suspend, resume
 * and node set. Runs on: the main thread. */
#pragma once
#include "cli/select.h"

struct steering {
    const char *done;   /* "stopped": workflow NAME stopped */
    bool (*one)(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct err *e);
};
/* The flags that they share come first in their tables. */
#define STEERING_FLAGS \
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "every run with these labels that is not completed"}, \
    {"field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "every run with these fields that is not completed"}, \
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "with a selector: of every namespace"}, \
    {"dry-run", 0, FLAG_BOOL, NULL, "say what would be done, do nothing"}
bool steering_run(struct cli *cli, const struct steering *what, struct err *e);
