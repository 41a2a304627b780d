/* From a step as it would run here to one that runs in a container of Docker or Podman.
 *
 * What the supervisor gets is a plain process, skiff-container (src/container), which has the container made over
 * the engine's socket, passes on what it prints and how it ends, and fetches its outputs. What a supervisor does for any
 * step it does for this one: log, masks, result, progress, copies of inputs, saving of outputs. Everything in the
 * container comes from the engine's image; what Skiff adds is mounted from the step's private directory. Pure.
 *
 * Files in that directory, besides those that are mounted:
 *   container       {"socket", "name", "step"}: there as long as a container may exist; whoever removes the directory removes
 *                   that one first (container.h)
 *   container.json  what is to be done, secrets included: mode 0600, and gone as soon as skiff-container has read it
 *     {"mark", "begun", "said": paths, "image", "policy", "platform", "auth_file", "grace_s", "start": false = nothing runs in it,
 *      "create": Docker's ContainerCreate, "mounts": [{"target", "top", "path"}] what lies where: path below top is made when it is missing, without links; no top: memory,
 *      "outputs": [{"path", "to"}]}
 *   container.begun empty: it has started
 *   container.end   what its exit status does not say: {"error"} or {"oom": true}
 *
 * Reference: Docker Engine API 1.40, POST /containers/create. Runs on: the loop thread. */
#pragma once
#include "pod/pod.h"

#define POD_CONTAINER_MARK "container"
#define POD_CONTAINER_JOB "container.json"
#define POD_CONTAINER_BEGUN "container.begun"
#define POD_CONTAINER_END "container.end"
/* From SIGTERM to SIGKILL a supervisor gives skiff-container so much more time than it gives the container. */
enum { POD_CONTAINER_MARGIN_MS = 30000 };

struct pod_container {
    struct str program;    /* skiff-container */
    struct step_strs env;  /* its own; the container's is the plan's */
    struct str socket, network, platform, auth_file;
    struct str name;       /* of the container: the same for each try of one container of one pod */
    struct str work_dir;   /* of the step */
    struct str run, node;  /* for its labels */
    struct str pod_dir, pod_name;
    bool several;          /* others of its pod run, too, or others talk to it by its address */
    bool collect;          /* runs nothing */
    uint64_t max_processes; /* 0: no limit */
};

/* `plan` comes from pod_build with engine_image; afterwards its spec and directories are those of the process. What
 * containers cannot do is an error that names the field. */
bool pod_container(struct arena *a, struct pod_plan *plan, const struct pod_container *how, struct err *e);
