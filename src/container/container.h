/* Containers of Docker or Podman, one for each step, made by a process of their own: skiff-container.
 *
 * A slot's supervisor starts that process like any step (pod/container.h says with what), so that it outlives the engine
 * and is adopted by the next one. It pulls the image, makes and starts the container, writes what that prints to its own
 * stdout and stderr, passes on SIGTERM (stop, with the grace period) and SIGUSR1 (kill), fetches outputs, removes the
 * container, and exits as the container did. Whatever is killed, the mark in the step's directory stays until the
 * container is gone: container_remove. Containers bear labels: io.skiff.step, io.skiff.run, io.skiff.node.
 *
 * Reference: Docker Engine API 1.40, as Podman's compatible API has it too. Runs on: any thread that may wait. */
#pragma once
#include <signal.h>

#include "base/err.h"
#include "base/str.h"

enum { CONTAINER_KILL_SIGNAL = SIGUSR1 }; /* to skiff-container: kill at once; it still has something to do then */

/* Removes what the mark in this directory names, if there is one: the container, then the mark. */
bool container_remove(const char *work_dir, struct err *e);

/* What the exit status of skiff-container does not say. Neither: it says all. */
struct container_end {
    struct str error; /* there was no container, or nobody knows how it ended; or absent */
    bool oom;         /* it was killed for its memory limit */
};
void container_end_read(struct arena *a, const char *work_dir, struct container_end *out);

/* Asks who answers there: "Podman Engine 4.3.1 (API 1.41)". */
bool container_engine(struct arena *a, const char *socket, struct str *out, struct err *e);
