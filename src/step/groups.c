/* See groups_p.h. Files of the groups: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst,
 * scheduler/sched-bwc.rst. */
#include "step/groups_p.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "step/io_p.h"

enum { PERIOD_US = 100000, QUOTA_MIN_US = 1000, MAKE_TRIES = 100 };

void groups_init(struct groups *g, const char *slot)
{
    *g = (struct groups){.slot = slot, .top = open(STEP_GROUPS_TOP, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    for (size_t i = 0; i < STEP_GROUPS; i++) g->of[i].dir = g->of[i].procs = -1;
}

/* ---- values ---- */

static bool put(const struct group *g, const char *file, const char *text)
{
    int fd = openat(g->dir, file, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int why = errno;
    if (fd >= 0) close(fd);
    errno = why;
    return ok;
}

static bool put_number(const struct group *g, const char *file, uint64_t n, const char *none)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, n);
    return put(g, file, n ? text : none);
}

static bool put_memory(const struct group *g, uint64_t bytes)
{
    if (g->unified) {
        put_number(g, "memory.swap.max", 0, bytes ? "0" : "max"); /* missing without swap */
        return put_number(g, "memory.max", bytes, "max");
    }
    put(g, "memory.memsw.limit_in_bytes", "-1"); /* it may not be below the other one */
    bool ok = put_number(g, "memory.limit_in_bytes", bytes, "-1");
    int why = errno;
    if (ok && bytes) put_number(g, "memory.memsw.limit_in_bytes", bytes, "-1");
    errno = why;
    return ok;
}

static bool put_quota(const struct group *g, uint64_t milli)
{
    uint64_t us = milli ? MAX(milli * PERIOD_US / 1000, (uint64_t)QUOTA_MIN_US) : 0;
    char text[64];
    if (!g->unified) return put_number(g, "cpu.cfs_quota_us", us, "-1");
    snprintf(text, sizeof text, "%" PRIu64 " %d", us, PERIOD_US);
    return put(g, "cpu.max", us ? text : "max");
}

/* As a kubelet translates them: 1024 shares are a processor, and weights span the same range. */
static bool put_share(const struct group *g, uint64_t milli)
{
    uint64_t shares = MIN(MAX(milli * 1024 / 1000, 2), 262144);
    if (!g->unified) return put_number(g, "cpu.shares", milli ? shares : 1024, NULL);
    return put_number(g, "cpu.weight", milli ? 1 + (shares - 2) * 9999 / 262142 : 100, NULL);
}

static bool set_kind(struct groups *g, enum step_group k, const struct step_limits *l)
{
    struct step_limits *now = &g->now;
    const struct group *o = &g->of[k];
    if (k == STEP_GROUP_MEMORY) {
        if (now->memory_bytes != l->memory_bytes && !put_memory(o, l->memory_bytes)) return false;
        now->memory_bytes = l->memory_bytes;
    } else if (k == STEP_GROUP_PIDS) {
        if (now->pids != l->pids && !put_number(o, "pids.max", l->pids, "max")) return false;
        now->pids = l->pids;
    } else {
        if (now->cpu_milli != l->cpu_milli && !put_quota(o, l->cpu_milli)) return false;
        now->cpu_milli = l->cpu_milli;
        if (now->share_milli != l->share_milli && !put_share(o, l->share_milli)) return false;
        now->share_milli = l->share_milli;
    }
    return true;
}

/* ---- making and removing them ---- */

static const char *below_top(struct str dir) { return dir.p + sizeof STEP_GROUPS_TOP; }

/* The groups of all slots are in one, which goes with the last of them, perhaps just now. */
static bool make_parent(const struct groups *g, struct str dir, bool unified)
{
    static const char *const controllers[] = {"+cpu", "+memory", "+pids"};
    char path[4096];
    if (mkdirat(g->top, below_top(dir), 0755) != 0 && errno != EEXIST) return false;
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", below_top(dir));
    int fd = unified ? openat(g->top, path, O_WRONLY | O_CLOEXEC) : -1;
    for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(controllers); i++)
        if (write(fd, controllers[i], strlen(controllers[i])) < 0) continue; /* not all need be there */
    if (fd >= 0) close(fd);
    struct group parent = {.dir = openat(g->top, below_top(dir), O_PATH | O_DIRECTORY | O_CLOEXEC), .unified = unified};
    put_share(&parent, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) * 1000); /* together they count as a machine, not as one process */
    if (parent.dir >= 0) close(parent.dir);
    return true;
}

static bool make_dir(const struct groups *g, struct str dir, bool unified, const char *path)
{
    for (int i = 0; i < MAKE_TRIES; i++) {
        if (!make_parent(g, dir, unified)) return false;
        if (mkdirat(g->top, path, 0755) == 0) return true;
        if (errno == EEXIST && unlinkat(g->top, path, AT_REMOVEDIR) != 0) return false; /* of a dead one, with its limits */
        if (errno != EEXIST && errno != ENOENT) return false;
    }
    return false;
}

/* Of kinds that share a group, the last to leave removes it. */
static void leave(struct groups *g, enum step_group k)
{
    struct group o = g->of[k];
    g->of[k] = (struct group){.dir = -1, .procs = -1};
    if (!o.path) return;
    for (size_t i = 0; i < STEP_GROUPS; i++)
        if (g->of[i].path == o.path) return;
    if (o.dir >= 0) close(o.dir);
    if (o.procs >= 0) close(o.procs);
    unlinkat(g->top, o.path, AT_REMOVEDIR);
    *strrchr(o.path, '/') = 0;
    unlinkat(g->top, o.path, AT_REMOVEDIR); /* unless others are in it */
    free(o.path);
}

static bool make(struct groups *g, enum step_group k, const struct step_limits *l)
{
    struct str dir = l->groups[k].dir;
    struct group *o = &g->of[k];
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", below_top(dir), g->slot) >= sizeof path) return errno = ENAMETOOLONG, false;
    for (size_t i = 0; i < STEP_GROUPS; i++)
        if (g->of[i].path && strcmp(g->of[i].path, path) == 0) return *o = g->of[i], true;
    if (g->top < 0 || !make_dir(g, dir, l->groups[k].unified, path)) return false;
    *o = (struct group){.path = mem_strdup(path), .unified = l->groups[k].unified};
    o->dir = openat(g->top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    o->procs = openat(o->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (o->unified) put(o, "memory.oom.group", "1"); /* all of a step or nothing, not just its largest process */
    if (o->procs >= 0) return true;
    int why = errno;
    leave(g, k);
    errno = why;
    return false;
}

static bool wants(const struct step_limits *l, enum step_group k)
{
    bool any[STEP_GROUPS] = {[STEP_GROUP_CPU] = l->cpu_milli || l->share_milli, [STEP_GROUP_MEMORY] = l->memory_bytes,
                             [STEP_GROUP_PIDS] = l->pids};
    return any[k] && str_set(l->groups[k].dir);
}

static bool joined(const struct groups *g, const struct group *o)
{
    for (size_t i = 0; i < g->n_joins; i++)
        if (g->joins[i] == o->procs) return true;
    return false;
}

bool groups_set(struct groups *g, const struct step_limits *l, struct err *e)
{
    static const char *const names[STEP_GROUPS] = {"cpu", "memory", "process"};
    g->n_joins = 0;
    for (enum step_group k = 0; k < STEP_GROUPS; k++) {
        if (!wants(l, k)) continue;
        if (!g->of[k].path && !make(g, k, l)) return err_sys(e, "control group %.*s", STR_ARG(l->groups[k].dir));
        if (!joined(g, &g->of[k])) g->joins[g->n_joins++] = g->of[k].procs;
    }
    for (enum step_group k = 0; g->n_joins && k < STEP_GROUPS; k++) { /* and nothing of a step before */
        bool other = !g->of[k].path && l->groups[k].unified && str_set(l->groups[k].dir);
        if (other && !make(g, k, l)) return err_sys(e, "control group %.*s", STR_ARG(l->groups[k].dir));
        if (g->of[k].path && joined(g, &g->of[k]) && !set_kind(g, k, l)) return err_sys(e, "%s limit", names[k]);
    }
    return true;
}

void groups_leave(struct groups *g)
{
    for (enum step_group k = 0; k < STEP_GROUPS; k++) leave(g, k);
}

/* ---- looking ---- */

bool groups_killed(struct groups *g)
{
    const struct group *o = &g->of[STEP_GROUP_MEMORY];
    char text[4096];
    int fd = o->path ? openat(o->dir, o->unified ? "memory.events" : "memory.oom_control", O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    if (n < 0) return false;
    text[n] = 0;
    const char *at = strstr(text, "oom_kill ");
    uint64_t kills = at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0, before = g->kills;
    g->kills = kills;
    return kills > before;
}
