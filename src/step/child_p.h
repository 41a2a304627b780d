/* The step's birth: a list of prepared operations that the child carries out with raw system calls.
 *
 * The child shares the supervisor's memory, and in a sandbox its descriptors, until it executes the
 * step's program; the supervisor waits until then. In a sandbox the supervisor is the first process of
 * the slot's pid namespace, and the child builds its view of the files in a mount namespace of its own.
 * Everything dies with the supervisor (the pid namespace; tier none: PDEATHSIG).
 * Runs on: supervisors. */
#pragma once
#include <linux/capability.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "step/step_spec.h"

enum child_op_kind {
    OP_MOUNT,   /* mount(a, b, c, flags, data) */
    OP_MKDIR,   /* b, mode flags; existing is fine */
    OP_MKDIRS,  /* b and its parents; existing is fine */
    OP_TOUCH,   /* b: an empty file when nothing is there: a mount point */
    OP_UNLINK,  /* b, if something is there */
    OP_CHDIR,   /* b, or fd when b is NULL */
    OP_CLONE,   /* *fd_at = detached copy of the mount at b */
    OP_ATTACH,  /* the detached mount fd (or *fd_at) goes to b */
    OP_PIVOT,   /* the current directory becomes the root; the old one is gone */
    OP_CHROOT,  /* b becomes the root and the current directory */
    OP_SYMLINK, /* a at b; existing is fine */
    OP_WRITE,   /* file b gets `data`, n bytes, mode flags, owner uid:gid */
    OP_ROOT_RO, /* the root mount (alone) becomes read-only */
    OP_OPEN,    /* *fd_at = open(b, O_PATH) or, with flags, O_RDONLY */
    OP_LOOPBACK,/* the loopback device goes up */
    OP_NETWORK, /* enters the network namespace fd */
};

struct child_op {
    enum child_op_kind kind;
    bool soft; /* a failure is ignored */
    const char *a, *b, *c;
    unsigned long flags;
    const char *data;
    size_t n;
    int fd;
    int *fd_at;
};

struct child_ops {
    struct child_op *items;
    size_t n, cap;
};

/* Mount namespaces: the one whose mounts a child with `pre` copies, and the supervisor's own, to come back to. */
struct child_ns {
    int slim, whole; /* slim -1: the supervisor's own is copied */
};

/* What the child needs and what it reports. Lives in the supervisor's memory. */
struct child {
    const struct child_ops *pre; /* run first; NULL: none */
    struct child_ns ns;
    struct child_ops ops;        /* then these, in this order */
    const char *hostname;
    char *const *argv, *const *env;
    const char *const *programs; /* candidates for exec, NULL-terminated */
    const char *cwd;
    int in, out, err; /* become 0, 1, 2 */
    int64_t uid, gid;
    const unsigned *groups; /* further ones */
    size_t n_groups;
    const struct step_rlimit *rlimits;
    size_t n_rlimits;
    const int *joins; /* cgroup.procs of the groups that it goes into */
    size_t n_joins;
    struct __user_cap_data_struct capabilities[2]; /* sandboxes of root: the supervisor's, with what the step inherits */
    bool sets_capabilities;
    bool sandbox;
    bool private_net; /* a new network namespace */
    bool realtime; /* the set-up runs at the supervisor's priority, the step at normal */

    /* reported */
    int error;                /* errno of the failed operation */
    const struct child_op *error_op; /* NULL: exec or what precedes it */
    const char *error_what;
};

char *child_stack_new(void); /* one per supervisor: one step at a time */

/* A child that waits for its step with `pre` already done: its namespaces are there when they are
 * needed. It sees nothing of the supervisor's work meanwhile but this. */
struct child_ready {
    const struct child_ops *pre; /* NULL: there is none */
    struct child *c;             /* its step, when it comes */
    pid_t pid;
    int pidfd;
    int go;                      /* futex: 1 = begin */
    int alive;                   /* futex: 0 = it has executed the program or is dead */
    struct child blank;          /* reports for `pre` */
};

/* Makes one. Without success there is none, and the step's own child will report why. */
void child_ready_new(struct child_ready *r, const struct child_ops *pre, struct child_ns ns, char *stack);
void child_ready_drop(struct child_ready *r);

/* Starts the step, in the ready child when its `pre` is the same (another one is dropped). False with
 * e: nothing is left running. */
bool child_start(struct child *c, struct child_ready *r, char *stack, pid_t *pid, int *pidfd, struct err *e);
/* "executable not found", "mount overlay on /new": the text for c->error. */
void child_error_text(const struct child *c, struct err *e);
