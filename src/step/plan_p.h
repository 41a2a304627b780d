/* From a step description and a prepared sandbox to the list of operations of the child, and to a
 * map from the step's paths to where their files really are (for moving outputs). Nothing is
 * mounted here; detached mounts are made as descriptors. Runs on: supervisors. */
#pragma once
#include "step/child_p.h"
#include "step/sandbox_p.h"
#include "step/step_spec.h"

/* Files below `target` in the step are the files below `host` (a stage path) on the disk. */
struct plan_view {
    const char *target;
    const char *host;  /* NULL: nowhere that something could be moved from */
    const char *lower; /* a merged directory: its lower half, as a stage path; else NULL */
    const char *file;  /* the target is a file, with this name in `host`; else NULL */
    bool mounted;      /* lies over other views; only files are below `host`, when they are new or changed */
};

struct plan_opened {
    const char *dir;
    int *fd_at; /* filled by the child, which closes nothing: see plan_close_fds */
};

struct plan_common;

struct plan {
    struct arena *arena; /* of this step */
    struct plan_common *common;
    struct sandbox *sb;  /* NULL: tier none */
    const struct step_spec *spec;
    const char *own_dir; /* <state>/work/<id>, as the supervisor sees it; made when needed */
    const char *work;    /* <own_dir>/private, or NULL: everything private is in memory */
    struct child child;
    struct {
        int *items;
        size_t n, cap;
    } fds; /* to close when the child has begun */
    struct {
        struct plan_view *items;
        size_t n, cap;
    } views;
    struct {
        const char **items;
        size_t n, cap;
    } covered; /* directories of the assembled root that are private already */
    struct {
        struct plan_opened *items;
        size_t n, cap;
    } opened; /* overlays over directories of the read-only view */
    struct {
        const char **items;
        size_t n, cap;
    } own_dirs; /* writable directories of a read-only root */
    bool assembled, scratch; /* a root made of the host's directories; /t is mounted */
    bool ready;              /* and it is the prepared one */
    bool etc_is_link;        /* an image's /etc leads elsewhere in it */
    unsigned n_private;
    uint64_t written;  /* bytes of inputs that the child writes */
    bool input_memory; /* STAGE_INPUTS is mounted, until the step is over */
    int net_fd;    /* of the step's network; -1: none was passed */
    int root_fd;   /* filled by the child, for outputs and probes only: O_PATH of the step's root */
    int ns_fd;     /* likewise: keeps the step's mounts until outputs are collected */
    int progress_fd; /* likewise: the directory of the progress file */
};

bool plan_make(struct plan *p, struct err *e);
/* What it executes. */
void plan_command(struct arena *a, const struct step_spec *s, struct child *c);
void plan_close_fds(struct plan *p);
void plan_fini(struct plan *p); /* closes root_fd, ns_fd and progress_fd too */

/* For the other files of plan */
struct child_op *plan_mount(struct plan *p, const char *source, const char *at, const char *type, const char *data);
struct child_op *plan_op(struct plan *p, enum child_op_kind kind, const char *at);
bool plan_attach(struct plan *p, int fd, const char *at, struct err *e); /* takes fd */
int plan_bind_source(const struct plan *p, const struct step_bind *b); /* O_PATH; -1: errno, EXDEV: out of the volume */
void plan_mkdirs(struct plan *p, const char *at, mode_t mode);
const char *plan_size(struct plan *p, uint64_t bytes, const char *rest);
/* A private writable directory at `at`, on the disk when the step has one, else a tmpfs. */
bool plan_private_dir(struct plan *p, const char *at, mode_t mode, struct err *e);
/* Emitted before the pivot: private copies of what `spec` wants to write, and the assembled root. */
bool plan_open_paths(struct plan *p, struct err *e);
bool plan_assembled_root(struct plan *p, struct err *e);
/* Emitted after the pivot. */
bool plan_assembled_tops(struct plan *p, struct err *e);
bool plan_assembled_private(struct plan *p, struct err *e);
/* Is there a directory of the view, or a private one, that the path lies in? */
bool plan_in_view(const struct plan *p, const char *path);
/* The copies that plan_open_paths made go to their places below `root`. */
void plan_attach_opened(struct plan *p, const char *root);
void plan_scratch(struct plan *p); /* /t becomes an own file system in memory */

/* After the pivot: the place of a mount, and the directory it is in. */
void plan_mount_point(struct plan *p, struct str target, bool is_dir);
void plan_mount_parents(struct plan *p, struct str target);
void plan_escape(struct buf *out, const char *path); /* as a value among the options of an overlay */

/* plan_image.c: before the pivot; `lower` gets directories of an overlay, topmost first */
bool plan_layers(struct plan *p, struct buf *lower, struct err *e);
bool plan_linked_etc(struct plan *p, struct err *e); /* after it, with etc_is_link */

/* plan_input.c: after the pivot, and when the step is over. Does a path lie in a volume (strictly)? `bind`: in
 * that one, or NULL: in memory. */
bool plan_input(struct plan *p, const struct step_input *in, struct err *e);
bool plan_plain_input(struct plan *p, const struct step_input *in, struct err *e); /* in a slot without a sandbox */
void plan_inputs_end(struct plan *p);
bool plan_in_volume(const struct plan *p, struct str path, const struct step_bind **bind);

/* plan_ready.c: after plan_open_paths, does the prepared root of tier ro do? Then it is the root, after
 * this. Is something of that name in it already, free for the step's use? */
bool plan_ready_suits(const struct plan *p);
bool plan_ready_root(struct plan *p, struct err *e);
void plan_ready_spares(struct plan *p); /* what is private below the root's spare directories; after the root */
bool plan_ready_has(const struct plan *p, const char *path);
/* The root of tier overlay, complete but for what the spec adds. */
bool plan_host_root(struct plan *p, struct err *e);

/* plan_common.c: operations that all steps of a tier begin with, made once for a slot: a child can
 * carry them out before its step is known. NULL: the tier has none. */
struct plan_common *plan_common_new(struct sandbox *sb);
const struct child_ops *plan_common_ops(struct plan_common *c, enum step_tier tier);
