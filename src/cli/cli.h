/* The command line's entry: words in, exit status out (base/errors.def; docs/exit-codes.md).
 *
 * stdout carries data only; progress, notices and errors go to stderr. Runs on: the main thread. */
#pragma once
#include "base/base.h"

struct cli_env {
    int out_fd, err_fd;     /* normally 1 and 2 */
    struct launcher *steps; /* started by main before any thread; NULL: no steps can run */
};

int cli_main(int argc, char **argv, struct cli_env *env);
