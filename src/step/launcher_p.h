/* Between launcher.c, and slot.c and nets.c. Runs on: the engine. */
#pragma once
#include "step/launcher.h"
#include "step/proto_p.h"

/* PROTO_OPEN: a supervisor with this configuration; `passed` are its end of the slot's socket, its journal, and its user
 * namespace or -1. PROTO_NET: a keeper of networks, with its end of the socket. */
bool launcher_request(struct launcher *l, enum proto_kind kind, struct str config, const int *passed, struct err *e);
bool slot_config_encode(const struct slot_config *c, struct buf *out, struct err *e);
