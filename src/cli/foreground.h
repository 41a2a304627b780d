/* What run, retry and resubmit do with runs that are on their way. Runs on: the main thread. */
#pragma once
#include "cli/params.h"

/* Follows them to their end as --progress, --log and -o say; Ctrl-C stops them. Sets cli->exit_status. */
bool foreground_run(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
/* With --no-wait: may the runs be left to the engine that is at work? Without one they may not. */
bool leave_ok(struct cli *cli, struct service *s, struct err *e);
/* Prints what they are now, by -o; their names without it. */
bool leave_runs(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
