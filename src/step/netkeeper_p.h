/* The process that makes network namespaces (nets.h). Runs on: its own process. */
#pragma once
#include "step/nets.h"

/* `broken` has a code: every answer is its text. `text`: what nets_open has sent. */
NORETURN void netkeeper_main(int sock, struct str text, const struct err *broken);
