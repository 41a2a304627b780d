/* What this host lets an unprivileged or privileged process do: for `skiff doctor` and for the
 * choice of the default tier. Trying is the only honest test, so host_caps_probe forks: call it
 * before threads are started, or in doctor. Runs on: the main thread. */
#pragma once
#include <spawn.h>

#include "base/err.h"
#include "base/str.h"

enum host_cap {
#define HOST_CAP(name, what, remedy) HOST_CAP_##name,
#include "os/host_caps.def"
#undef HOST_CAP
    HOST_CAP_MAX
};

struct host_caps {
    bool root;            /* effective uid 0 */
    bool has[HOST_CAP_MAX];
    int error[HOST_CAP_MAX]; /* errno of the attempt that failed */
    unsigned cpus;
    uint64_t ram_bytes;
};
void host_caps_probe(struct host_caps *out);
const char *host_cap_name(enum host_cap c);
const char *host_cap_what(enum host_cap c);   /* what it is needed for */
const char *host_cap_remedy(enum host_cap c); /* what to set when it is missing */
/* Can steps be sandboxed at all (as root: overlay; else: user namespaces)? */
bool host_caps_sandbox(const struct host_caps *c);

/* One field of /proc/<pid>/status ("Seccomp", "CapEff"); pid 0 = self. */
bool proc_status_field(struct arena *a, int pid, const char *field, struct str *out, struct err *e);
/* A program of ours: beside the one that runs, or in ../libexec/skiff. NULL: in neither place. For free(). */
char *proc_program(const char *name);
/* For a program of ours: no signal is blocked or ignored in it; and `flags` (POSIX_SPAWN_*). For posix_spawnattr_destroy(). */
void proc_spawnattr_init(posix_spawnattr_t *attr, int flags);
/* Has this process the capability (CAP_*)? */
bool proc_has_capability(unsigned capability);
uint64_t host_ram_bytes(void);
unsigned host_cpus(void);
