/* What a slot prepares once for all its steps: namespaces, a stage with two views of the host, a
 * /dev, masks, the system call filter. Every mount here is copied at each start of a step, so there
 * are few.
 *
 * The supervisor's root becomes the stage, a small tmpfs:
 *   /hostrw  the host as it is (sources of binds, the state directory)
 *   /host    the host read-only, masked paths empty
 *   /skel    top overlay layer: mount points, private /tmp ..., masked paths as opaque directories
 *   /ro      the root of tier ro, complete but for what is private to a step; the other tiers take /proc,
 *            /sys and /dev from it. The process is the first of its pid namespace, and /proc hides it.
 *   /new /t /m /img   mount points for the child
 *   /top     the top layer of images, made with the first (plan_image.c)
 *   /u       overlays of inputs and their private halves, while a step has such (plan_input.c)
 * Runs on: supervisors. */
#pragma once
#include <linux/capability.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "base/str.h"
#include "step/child_p.h"

#define STAGE_RO "/ro"
#define STAGE_INPUTS "/u"
#define STAGE_TOP "/top"
#define STAGE_SPARE "/mnt", "/argo" /* empty there: for volumes, and for what Argo's steps find below /argo: */
#define STAGE_SPARE_BELOW "/argo/bin", "/argo/staging", "/argo/files"

/* How often the sandbox needs a host directory: tops of the assembled root, mounts of the overlay. */
struct sandbox_dir {
    const char *name;    /* "usr", or "data/big" for a mount */
    const char *link_to; /* the entry is a symlink; else NULL */
};

struct sandbox_dirs {
    struct sandbox_dir *items;
    size_t n, cap;
};

struct sandbox {
    struct arena arena;
    bool root;                  /* real root, no user namespace */
    bool overlay_root;          /* an overlay over the host's root works */
    const char *state_dir;      /* resolved */
    struct str *private_dirs;   /* masked paths that steps get as private writable directories ($HOME) */
    size_t n_private;
    struct sandbox_dirs tops;   /* entries of / that steps see */
    struct sandbox_dirs mounts; /* mount points below / that steps see, parents first */
    const char *resolv_path; /* /etc/resolv.conf leads to a masked path: its content goes there */
    struct str resolv;
    uint64_t scratch_bytes;
    bool inputs_on_disk;     /* an overlay cannot have its upper half in memory here */
    bool top;                /* STAGE_TOP is made, with what was then in the host's */
    size_t n_img;            /* mount points below /img that are made */
    struct timespec resolv_seen, hosts_seen;
    const char *tools; /* resolved; NULL: none */
    int proc_fd; /* the host's /proc */
    int hostrw;  /* O_PATH */
    struct child_ns ns;
    struct __user_cap_data_struct capabilities[2]; /* of the supervisor */
};

struct sandbox_config {
    const char *state_dir;
    struct str *masked;
    size_t n_masked;
    const char *tools; /* or NULL */
    uint64_t scratch_bytes;
    bool user_ns; /* the process is in a user namespace, */
    bool mapped;  /* which is mapped already; else to these: */
    uid_t uid;
    gid_t gid;
};

/* Maps one id, to itself, in the calling process' new user namespace. */
bool sandbox_map_user(uid_t uid, gid_t gid, struct err *e);
/* Moves the calling process into its stage, for good. */
bool sandbox_enter(struct sandbox *sb, const struct sandbox_config *c, struct err *e);
