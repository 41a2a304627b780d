/* From a template to a step: argv, environment, mounts, files, outputs (ARCHITECTURE.md, running a
 * step). Pure: host facts come in as policy and answers of look-up functions, and what must exist on
 * the host before the start comes out as a list. All runtimes begin here; --dry-run prints it.
 * Reference: argo-workflows workflow/controller/workflowpod.go, Kubernetes core/v1 Pod.
 * Runs on: the loop thread. */
#pragma once
#include "config/images.h"
#include "doc/val.h"
#include "pod/resources.h"
#include "step/step_spec.h"

/* What Argo calls the pods of exit handlers. */
#define POD_ON_EXIT_LABEL "workflows.argoproj.io/on-exit"

/* One value of a Secret or ConfigMap, or (absent key) all of them through `each`. Secret values are
 * decoded. NOT_FOUND names what is missing. */
struct pod_lookup {
    bool (*value)(void *ctx, bool secret, struct str name, struct str key, struct str *out,
                  struct err *e);
    bool (*all)(void *ctx, bool secret, struct str name, struct val *map, struct err *e);
    void *ctx;
};

/* What `image:` means, by name and imagePullPolicy; texts live in the arena, or as long as pod_build runs. Never IMAGE_ABSENT. */
struct pod_images {
    bool (*find)(void *ctx, struct arena *a, struct str name, struct str policy, struct image *out, struct err *e);
    void *ctx;
};

/* An input artifact that is there already. */
struct pod_artifact {
    struct str name, path; /* path in the step */
    struct str source;     /* host file or directory; absent: `content` is the file */
    struct str content;
    uint64_t bytes;        /* at most so much lies at `source`; 0: unknown */
    int64_t mode;          /* permission bits, or -1 */
    bool recurse;          /* `mode` is for all that is in a directory, too */
};

struct pod_input {
    const struct val *tmpl;     /* everything substituted */
    const struct val *workflow; /* the whole object: spec.volumes, metadata */
    struct str container;       /* of a container set: which one to run; absent: the template is no set */
    struct str part;            /* an init container or sidecar to run instead of the main one; absent: none */
    bool on_exit;               /* of an exit handler */
    bool collect;               /* of a set: runs nothing, collects what lies in the mounts that all containers have */
    struct str pod_dir;         /* host directory for what the containers of one pod share; absent: the step's own */
    unsigned cpus;              /* of the machine */
    uint64_t ram_bytes;
    bool private_net;           /* the pod has a network of its own, */
    struct str address, host_address; /* with this address, and the machine that; absent: 127.0.0.1 */
    struct str hosts, resolv;   /* the machine's /etc/hosts and /etc/resolv.conf */
    struct str node_id, node_name, pod_name;
    uint64_t step_id;
    enum step_tier tier;
    struct str state_dir;
    struct pod_images images;
    bool one_user;              /* steps can be nobody but who runs Skiff */
    bool engine_image;          /* a container engine has the image and what stands in it: pod/container.h */
    bool capture_result;
    const struct pod_artifact *artifacts;
    size_t n_artifacts;
    struct str devices[POD_RESOURCES]; /* numbers of those that the container has, "0,1", or ""; absent: nothing is known of such */
    struct pod_lookup lookup;
    uint32_t grace_ms;
    uint64_t log_max_bytes; /* 0: no limit */
};

/* What must be at a path of the host, or is made there. */
struct pod_host_path {
    struct str path;
    const char *type; /* of a hostPath volume */
};

struct pod_plan {
    struct step_spec spec;
    size_t n_command;                   /* words of argv that take the place of the image's entrypoint */
    const struct val *container;        /* with patches: the one that is to run */
    struct val pod;                     /* what the pod has beside containers and volumes (spec/pod_patch.h) */
    struct step_strs file_dirs;         /* with engine_image: mounts that are made of files */
    struct {
        struct pod_host_path *items;
        size_t n;
    } host_paths;                       /* looked at before the start */
    struct step_strs make_dirs;         /* host directories, mode 0777, made before the start, */
    int64_t dirs_gid;                   /* and of this group, set-gid; -1: as they are */
    struct {
        struct step_bind *items;        /* symbolic links to make: target -> source (host paths) */
        size_t n;
    } links;
    struct str notice;                  /* something the user should know once; absent: nothing */
};

/* The init container or sidecar of that name; NULL: there is none. */
const struct val *pod_part(const struct val *tmpl, struct str name);

/* hostNetwork, with patches: then there is no private network. */
bool pod_uses_host_network(struct arena *a, const struct val *workflow, const struct val *tmpl, bool *out, struct err *e);

bool pod_build(struct arena *a, const struct pod_input *in, struct pod_plan *out, struct err *e);
