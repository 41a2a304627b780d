/* Connecting to a supervisor that goes on alone. Runs on: one thread. */
#pragma once
#include "step/launcher.h"

/* The slot <slots_dir>/<name>, whose supervisor listens while it runs step `id`. NULL: not (yet). */
struct slot *slot_connect(int slots_dir, const char *name, uint64_t id);
