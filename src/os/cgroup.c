/* See cgroup.h. */
#include "os/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

enum { TEXT_MAX = 1 << 20 };

static const char *const names[CGROUP_KINDS] = {"cpu", "memory", "pids"};

const char *cgroup_kind_name(enum cgroup_kind k) { return names[k]; }

/* ---- which group this process is in ---- */

static bool next_line(struct str *text, struct str *line)
{
    if (!text->n) return false;
    if (!str_cut(*text, '\n', line, text)) *text = STR("");
    return true;
}

/* "5:memory:/a/b"; v2: "0::/a/b" (controller NULL). */
static struct str own_path(struct str own, const char *controller)
{
    struct str line, number, list, path;
    while (next_line(&own, &line)) {
        if (!str_cut(line, ':', &number, &line) || !str_cut(line, ':', &list, &path)) continue;
        if (controller ? str_has_word(list, ',', str_of(controller)) : !list.n) return path;
    }
    return STR_NONE;
}

/* A container may see only a part of the tree: what is mounted begins at `root` then. */
static struct str inside(struct str path, struct str root)
{
    if (str_find(path, STR("/.."), 0) >= 0) return STR("");
    if (root.n > 1 && str_starts(path, root)) path = str_from(path, root.n);
    else if (root.n > 1) return STR("");
    return str_is(path, "/") ? STR("") : path;
}

struct mount_line {
    struct str root, at, type, options;
};

static bool mount_parse(struct str line, struct mount_line *m)
{
    struct str skip, rest;
    ptrdiff_t dash = str_find(line, STR(" - "), 0);
    if (dash < 0) return false;
    rest = str_from(line, (size_t)dash + 3);
    bool ok = str_cut(rest, ' ', &m->type, &rest) && str_cut(rest, ' ', &skip, &m->options);
    for (int i = 0; ok && i < 3; i++) ok = str_cut(line, ' ', &skip, &line);
    return ok && str_cut(line, ' ', &m->root, &line) && str_cut(line, ' ', &m->at, &line);
}

/* `controller` NULL: of v2. */
static void place_from(struct arena *a, const struct mount_line *m, struct str own, const char *controller, struct cgroup_place *p)
{
    struct str path = own_path(own, controller);
    *p = (struct cgroup_place){.mount = str_dup(a, m->at), .unified = !controller};
    if (path.p) p->dir = str_fmt(a, "%.*s%.*s", STR_ARG(m->at), STR_ARG(inside(path, m->root)));
}

void cgroups_parse(struct arena *a, struct str mountinfo, struct str own, struct cgroups *out)
{
    struct str line;
    *out = (struct cgroups){0};
    for (int k = 0; k < CGROUP_KINDS; k++) out->of[k].why = STR("no control groups are mounted below " CGROUP_TOP);
    while (next_line(&mountinfo, &line)) {
        struct mount_line m;
        if (!mount_parse(line, &m) || !(str_is(m.at, CGROUP_TOP) || str_starts(m.at, STR(CGROUP_TOP "/")))) continue;
        for (int k = 0; k < CGROUP_KINDS; k++) { /* a controller that stands in a tree of v1 is in no other */
            struct cgroup_place *p = &out->of[k];
            if (str_is(m.type, "cgroup") && str_has_word(m.options, ',', str_of(names[k]))) place_from(a, &m, own, names[k], p);
            else if (str_is(m.type, "cgroup2") && !p->dir.p) place_from(a, &m, own, NULL, p);
        }
    }
}

/* ---- making one ---- */

static bool write_word(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return ok;
}

static bool gives(struct arena *a, const char *dir, enum cgroup_kind k)
{
    struct str list;
    return file_read(a, str_fmt(a, "%s/cgroup.subtree_control", dir).p, TEXT_MAX, &list, NULL) &&
           str_has_word(str_trim(list), ' ', str_of(names[k]));
}

/* Groups in it have the controller: they have, or it can be arranged. */
static bool give(struct arena *a, const char *dir, enum cgroup_kind k)
{
    if (gives(a, dir, k)) return true;
    write_word(str_fmt(a, "%s/cgroup.subtree_control", dir).p, str_fmt(a, "+%s", names[k]).p);
    return gives(a, dir, k);
}

static bool group_make(struct arena *a, struct cgroup_place *p, struct str in, const char *name)
{
    struct str dir = str_fmt(a, "%.*s/%s", STR_ARG(in), name);
    if (mkdir(dir.p, 0755) != 0 && errno != EEXIST) {
        p->why = str_fmt(a, "%.*s: %s", STR_ARG(in), strerror(errno));
        return false;
    }
    p->dir = dir;
    p->why = STR_NONE;
    return true;
}

static struct str parent_of(struct arena *a, struct str dir)
{
    while (dir.n && dir.p[dir.n - 1] != '/') dir.n--;
    return str_dup(a, str_sub(dir, 0, dir.n ? dir.n - 1 : 0));
}

/* Is `dir` where groups of ours can stand? A process has one group in the whole tree, so all kinds go together;
 * memory is what counts most. */
static bool unified_try(struct arena *a, const char *name, struct cgroups *c, unsigned wanted, struct str dir)
{
    unsigned given = 0;
    if (access(str_fmt(a, "%.*s/cgroup.procs", STR_ARG(dir)).p, W_OK) != 0) { /* processes come from below it */
        for (int k = 0; k < CGROUP_KINDS; k++)
            if (wanted >> k & 1) c->of[k].why = str_fmt(a, "%.*s is not this user's", STR_ARG(dir));
        return false;
    }
    for (int k = 0; k < CGROUP_KINDS; k++) {
        if (!(wanted >> k & 1)) continue;
        if (give(a, dir.p, k)) given |= 1u << k;
        else c->of[k].why = str_fmt(a, "%.*s does not give the controller to groups in it", STR_ARG(dir));
    }
    if (!given || (wanted & ~given) >> CGROUP_MEMORY & 1) return false;
    for (int k = 0; k < CGROUP_KINDS; k++)
        if ((given >> k & 1) && !group_make(a, &c->of[k], dir, name)) return false;
    return true;
}

/* From its own group upwards. What is said is why it cannot be there. */
static void unified_make(struct arena *a, const char *name, struct cgroups *c, unsigned wanted, const struct cgroup_place *own)
{
    struct str dir = own->dir;
    size_t top = own->mount.n;
    for (bool first = true; dir.n >= top; dir = parent_of(a, dir), first = false) {
        struct cgroups one = *c;
        bool found = unified_try(a, name, &one, wanted, dir);
        if (found || first) *c = one;
        if (found) return;
    }
}

void cgroups_make(struct arena *a, const char *name, struct cgroups *c)
{
    struct cgroup_place own = {0};
    unsigned wanted = 0;
    for (int k = 0; k < CGROUP_KINDS; k++) {
        struct cgroup_place *p = &c->of[k];
        struct str dir = p->dir;
        p->dir = STR_NONE;
        if (!dir.p) continue;
        if (p->unified) own = *p, own.dir = dir, wanted |= 1u << k;
        else group_make(a, p, dir, name);
    }
    if (wanted) unified_make(a, name, c, wanted, &own);
}

void cgroups_open(struct arena *a, const char *name, struct cgroups *out)
{
    struct str mounts = STR(""), own = STR("");
    file_read(a, "/proc/self/mountinfo", TEXT_MAX, &mounts, NULL);
    file_read(a, "/proc/self/cgroup", TEXT_MAX, &own, NULL);
    cgroups_parse(a, mounts, own, out);
    cgroups_make(a, name, out);
}
