/* Control groups of both kinds (v2: one tree for all controllers, v1: one for each, and mixtures): where this
 * process may make groups of its own. Below that place each supervisor makes one for its steps (step/groups.c).
 *
 * In a tree of v2 a group that has processes cannot give controllers to groups in it, so the place is at or
 * above the group of this process. Format reference: proc_pid_mountinfo(5), cgroups(7). Runs on: any thread. */
#pragma once
#include "base/str.h"

#define CGROUP_TOP "/sys/fs/cgroup" /* places are below it */

enum cgroup_kind { CGROUP_CPU, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_KINDS };

struct cgroup_place {
    struct str mount, dir; /* absolute; `dir` at or below `mount`; absent: there is none */
    bool unified;          /* v2 */
    struct str why;        /* there is none: why */
};

struct cgroups {
    struct cgroup_place of[CGROUP_KINDS];
};

const char *cgroup_kind_name(enum cgroup_kind k); /* "cpu", "memory", "pids" */
/* The group of this process for each kind, from the texts of /proc/self/mountinfo and /proc/self/cgroup. Pure. */
void cgroups_parse(struct arena *a, struct str mountinfo, struct str own, struct cgroups *out);
/* Makes the group `name` where that is possible: `dir` becomes it, or absent. */
void cgroups_make(struct arena *a, const char *name, struct cgroups *c);
/* Both, for this process. */
void cgroups_open(struct arena *a, const char *name, struct cgroups *out);
