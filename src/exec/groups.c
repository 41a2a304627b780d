/* Control groups, by which steps are limited: where they can be made, and what is left of them.
 *
 * One group stands for the state directory, and in it each supervisor makes one for its steps (step/groups.c), which
 * it removes itself. Where the group is, is noted in <state>/cgroups for as long as something may be left of it: a
 * supervisor that was killed removes nothing. Runs on: the loop thread. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "os/cgroup.h"
#include "os/dir.h"
#include "os/fd.h"
#include "exec/exec_p.h"

enum { NOTE_MAX = 64 << 10 };

struct groups {
    struct cgroups c;
    bool looked; /* `c` is known */
    VEC(char *) dirs;  /* that may be there: lines of the note */
    VEC(char *) slots; /* of dead supervisors, whose groups could not be removed yet */
};

static struct groups *groups_of(struct exec *x)
{
    if (!x->groups) x->groups = mem_zalloc(sizeof *x->groups);
    return x->groups;
}

static const char *note_path(struct exec *x) { return str_fmt(&x->scratch, "%.*s/cgroups", STR_ARG(x->o.state_dir)).p; }

/* ---- removing what is left ---- */

/* Nobody holds the lock of its journal. Called before journals are opened here. */
static bool slot_is_dead(struct exec *x, struct str slot)
{
    const char *path = str_fmt(&x->scratch, "%.*s/slots/%.*s", STR_ARG(x->o.state_dir), STR_ARG(slot)).p;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool dead = fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0) close(fd);
    return dead;
}

/* True: nothing is left of it. */
static bool sweep_dir(struct exec *x, const char *dir)
{
    struct dir_list l;
    struct err e;
    if (!dir_read(&x->scratch, dir, &l, &e)) return !file_exists(dir);
    for (size_t i = 0; i < l.n; i++)
        if (l.items[i].type == DT_DIR && slot_is_dead(x, l.items[i].name))
            rmdir(str_fmt(&x->scratch, "%s/%.*s", dir, STR_ARG(l.items[i].name)).p);
    return rmdir(dir) == 0;
}

bool groups_sweep(struct exec *x, struct err *e)
{
    const char *path = note_path(x);
    struct str text, line;
    bool left = false;
    if (!file_exists(path)) return true;
    if (!file_read(&x->scratch, path, NOTE_MAX, &text, e)) return false;
    while (text.n) {
        if (!str_cut(text, '\n', &line, &text)) text = STR("");
        if (!str_starts(line, STR(CGROUP_TOP "/")) || sweep_dir(x, str_z(&x->scratch, line))) continue;
        VEC_PUSH(&groups_of(x)->dirs, mem_strdup(str_z(&x->scratch, line)));
        left = true;
    }
    return left || unlink(path) == 0 || err_sys(e, "%s", path);
}

static bool slot_remove(struct groups *g, const char *slot)
{
    char path[4096];
    bool gone = true;
    for (size_t i = 0; i < g->dirs.n; i++) {
        snprintf(path, sizeof path, "%s/%s", g->dirs.items[i], slot);
        if (rmdir(path) != 0 && errno != ENOENT) gone = false;
    }
    return gone;
}

/* Its processes are dying: perhaps it is too early. */
void groups_slot_dead(struct exec *x, const char *slot)
{
    if (x->groups && !slot_remove(x->groups, slot)) VEC_PUSH(&x->groups->slots, mem_strdup(slot));
}

void groups_close(struct exec *x)
{
    struct groups *g = x->groups;
    bool left = false;
    if (!g) return;
    for (size_t i = 0; i < g->slots.n; i++) {
        slot_remove(g, g->slots.items[i]);
        free(g->slots.items[i]);
    }
    for (size_t i = 0; i < g->dirs.n; i++) {
        left = (rmdir(g->dirs.items[i]) != 0 && errno != ENOENT) || left;
        free(g->dirs.items[i]);
    }
    if (!left) unlink(note_path(x)); /* else whoever is the engine next looks again */
    VEC_FINI(&g->slots);
    VEC_FINI(&g->dirs);
    free(g);
}

/* ---- limits ---- */

static void dir_add(struct groups *g, const char *dir)
{
    for (size_t i = 0; i < g->dirs.n; i++)
        if (strcmp(g->dirs.items[i], dir) == 0) return;
    VEC_PUSH(&g->dirs, mem_strdup(dir));
}

/* Noted before a supervisor can make anything in it. */
static void look(struct exec *x, struct groups *g)
{
    struct str name = str_fmt(&x->scratch, "skiff-%016llx", (unsigned long long)str_hash(x->o.state_dir)), text = STR("");
    struct err e;
    g->looked = true;
    cgroups_open(&x->arena, name.p, &g->c);
    for (int k = 0; k < CGROUP_KINDS; k++)
        if (g->c.of[k].dir.p) dir_add(g, g->c.of[k].dir.p);
    for (size_t i = 0; i < g->dirs.n; i++) text = str_fmt(&x->scratch, "%.*s%s\n", STR_ARG(text), g->dirs.items[i]);
    if (text.n && !file_write_atomic(note_path(x), text, 0600, false, &e)) log_line(LOG_WARN, "%s", e.text);
}

void groups_apply(struct job *j, struct step_limits *l)
{
    static const struct { enum step_group group; const char *what; } kinds[CGROUP_KINDS] = {
        [CGROUP_CPU] = {STEP_GROUP_CPU, "processors"}, [CGROUP_MEMORY] = {STEP_GROUP_MEMORY, "memory"},
        [CGROUP_PIDS] = {STEP_GROUP_PIDS, "processes"}};
    struct exec *x = j->x;
    l->pids = x->containers ? 0 : x->max_processes; /* else the engine's to hold */
    const uint64_t wanted[CGROUP_KINDS] = {[CGROUP_CPU] = l->cpu_milli | l->share_milli, [CGROUP_MEMORY] = l->memory_bytes, [CGROUP_PIDS] = l->pids};
    if (!wanted[CGROUP_CPU] && !wanted[CGROUP_MEMORY] && !wanted[CGROUP_PIDS]) return;
    struct groups *g = groups_of(x);
    if (!g->looked) look(x, g);
    for (int k = 0; k < CGROUP_KINDS; k++) {
        const struct cgroup_place *p = &g->c.of[k];
        l->groups[kinds[k].group].dir = p->dir;
        l->groups[kinds[k].group].unified = p->unified;
        if (p->dir.p || !wanted[k] || (j->live->unlimited_told >> k & 1)) continue;
        j->live->unlimited_told |= (uint8_t)(1u << k);
        say(j->live, j->node, "limits of %s are not applied: no control group for it (%.*s); see `skiff doctor`", kinds[k].what, STR_ARG(p->why));
    }
}
