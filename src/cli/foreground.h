/* What run, retry and resubmit do with runs that are on their way. Runs on: the main thread. */
#pragma once
#include "cli/params.h"

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
