/* What run, retry and resubmit do with runs that are on their way. Runs on: the main thread. */
#pragma once
#include "cli/params.h"

/* How the engine in this process runs steps. */
#define ENGINE_FLAGS \
    {"runtime", 0, FLAG_STR, "auto|none|ro|overlay|container", "how steps are isolated"}, \
    {"network", 0, FLAG_STR, "host|private", "the network that pods are in"}, \
    {"images", 0, FLAG_STR, "FILE", "what image names mean on this machine"}, \
    {"image-fallback", 0, FLAG_STR, "error|host", "what becomes of a step whose image cannot be had"}, \
    {"no-builtin-images", 0, FLAG_BOOL, NULL, "well-known image names do not mean this host's programs"}, \
    {"parallel", 0, FLAG_INT, "N", "most steps that run at once"}, \
    {"cpus", 0, FLAG_STR, "N", "processors that steps may ask for together, or auto for all; others wait"}, \
    {"memory", 0, FLAG_STR, "SIZE", "memory that steps may ask for together, such as 12Gi, or auto"}

/* How what runs is shown. */
#define SHOWN_FLAGS \
    {"log", 0, FLAG_BOOL, NULL, "print the log lines of the steps"}, \
    {"progress", 0, FLAG_STR, "auto|tty|plain|quiet", "how the run is shown"}

/* Follows them to their end as --progress, --log and -o say; Ctrl-C stops them. Sets cli->exit_status. */
bool foreground_run(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
/* --no-wait, `skiff submit`, or a server elsewhere: the runs are left to an engine. */
bool leaves(const struct cli *cli);
/* Opens the service for either. */
struct service *tryer_open(struct cli *cli, bool resume, struct err *e);
/* A line for each of them, which has ended. */
bool outcomes_put(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
/* Until they end, quietly; then a line for each. */
bool runs_wait(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
/* Runs on their way, of a service of tryer_open: followed, or left. Who leaves them sees what they are now, by -o, or their names; or, with --watch,
 * --log or --wait, how they go on. */
bool runs_show(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
