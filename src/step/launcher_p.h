/* Between slot.c and launcher.c. Runs on: the engine. */
#pragma once
#include "step/launcher.h"

/* A supervisor with this configuration; `passed` are its end of the slot's socket and its journal. */
bool launcher_request(struct launcher *l, struct str config, const int passed[2], struct err *e);
bool slot_config_encode(const struct slot_config *c, struct buf *out, struct err *e);
