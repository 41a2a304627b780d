/* An engine in the background: what drives workflows that nobody waits for, where no server is at work.
 *
 * It is `skiff server --until-idle` in a session of its own, with this process' environment and settings; its lines go to
 * engine.log in the state directory. Who starts it waits until it answers, or until it has said why it cannot. Two that are
 * started at once do no harm: the second sees the first and ends. Runs on: the main thread. */
#pragma once
#include "cli/session.h"

/* service_opts.start_engine, with the struct cli. */
bool background_start(void *cli, struct err *e);
/* What runs there: serves engine.sock alone, until nothing has been at work for `idle_s` seconds, or it is told to end. */
bool background_run(struct cli *cli, int64_t idle_s, struct err *e);
