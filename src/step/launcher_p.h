/* Between slot.c and launcher.c. Runs on: the engine. */
#pragma once
#include "step/launcher.h"

/* A supervisor with this configuration; `passed` is its end of the slot's socket. */
bool launcher_request(struct launcher *l, struct str config, int passed, struct err *e);
bool slot_config_encode(const struct slot_config *c, struct buf *out, struct err *e);
