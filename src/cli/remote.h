/* The server elsewhere that a command is for: --argo-server and its like, ARGO_SERVER and its like, as argo reads them.
 * Runs on: the main thread. */
#pragma once
#include "cli/cli_p.h"

/* Does it work on one? */
bool remote_named(const struct cli *cli);
/* What --token or ARGO_TOKEN says is sent as Authorization; absent or "": nothing. */
struct str remote_authorization(struct cli *cli);
/* Sets cli->server, or leaves it NULL: nobody named one, or this command works on this machine alone, which it then says. */
bool remote_choose(struct cli *cli, struct err *e);
