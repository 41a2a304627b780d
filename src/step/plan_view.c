/* The assembled root: an own directory (tmpfs or disk) with read-only binds of the host's top
 * directories, for tier ro and wherever an overlay over / is refused.
 *
 * A path that a step wants to write although it lies in such a bind is opened up: an overlay over
 * its deepest existing directory, so that what is there stays visible. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "step/io_p.h"
#include "step/plan_p.h"

bool plan_assembled_root(struct plan *p, struct err *e)
{
    if (!p->work) {
        plan_mount(p, "tmpfs", "/new", "tmpfs", plan_size(p, p->spec->scratch_bytes, ",mode=0755"));
        return true;
    }
    const char *host = str_fmt(p->arena, "%s/root", p->work).p;
    if (mkdir(host, 0755) != 0) return err_sys(e, "%s", host);
    plan_mount(p, host, "/new", NULL, NULL);
    VEC_PUSH(&p->views, ((struct plan_view){.target = "", .host = host}));
    return true;
}

bool plan_assembled_tops(struct plan *p, struct err *e)
{
    for (size_t i = 0; i < p->sb->tops.n; i++) {
        const struct sandbox_dir *top = &p->sb->tops.items[i];
        const char *at = str_fmt(p->arena, "/%s", top->name).p;
        if (top->link_to) {
            plan_op(p, OP_SYMLINK, at)->a = top->link_to;
            continue;
        }
        const char *from = str_fmt(p->arena, "/host%s", at).p;
        int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (fd < 0 && errno == ENOENT) continue; /* removed since the slot began */
        plan_op(p, OP_MKDIR, at)->flags = 0755;
        if (!plan_attach(p, fd, at, e)) return false;
    }
    return true;
}

/* ---- which part of the host a path lies in ---- */

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static bool is_covered(const struct plan *p, const char *path)
{
    for (size_t i = 0; i < p->covered.n; i++)
        if (below(path, p->covered.items[i])) return true;
    return false;
}

static bool in_tops(const struct sandbox *sb, const char *path)
{
    for (size_t i = 0; i < sb->tops.n; i++) {
        char top[300];
        snprintf(top, sizeof top, "/%s", sb->tops.items[i].name);
        if (!sb->tops.items[i].link_to && below(path, top)) return true;
    }
    return false;
}

bool plan_in_view(const struct plan *p, const char *path) { return is_covered(p, path) || in_tops(p->sb, path); }

/* The deepest existing directory of `path` in the read-only view, without symlinks ("" = the root),
 * and the rest of the path below it. */
static bool deepest(struct plan *p, struct str path, const char **dir, struct str *rest, struct err *e)
{
    int host = open("/host", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct str at = path;
    int fd = -1;
    for (;;) {
        const char *z = at.n ? str_dup(p->arena, at).p : "/";
        fd = host < 0 ? -1 : io_open_in(host, z, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
        if (fd >= 0 || at.n == 0 || (errno != ENOENT && errno != ENOTDIR && errno != EACCES)) break;
        while (at.n > 0 && at.p[at.n - 1] != '/') at.n--;
        if (at.n > 0) at.n--;
    }
    if (host >= 0) close(host);
    if (fd < 0) return err_sys(e, "%.*s", STR_ARG(path));
    char real[4096], link[40];
    snprintf(link, sizeof link, "self/fd/%d", fd);
    ssize_t n = readlinkat(p->sb->proc_fd, link, real, sizeof real);
    close(fd);
    if (n < 5 || n == sizeof real || memcmp(real, "/host", 5) != 0) return err_sys(e, "%.*s", STR_ARG(path));
    *dir = str_dup(p->arena, str_n(real + 5, (size_t)n - 5)).p;
    *rest = str_from(path, at.n);
    return true;
}

/* ---- opening paths up for writing ---- */

void plan_escape(struct buf *out, const char *path)
{
    for (; *path; path++) {
        if (strchr("\\:,", *path)) buf_char(out, '\\');
        buf_char(out, *path);
    }
}

void plan_scratch(struct plan *p)
{
    plan_mount(p, "tmpfs", "/t", "tmpfs", plan_size(p, p->spec->scratch_bytes, ",mode=0755"));
    p->scratch = true;
}

/* An overlay over `dir` of the read-only view, mounted aside before the pivot. */
static bool open_up(struct plan *p, const char *dir, struct err *e)
{
    struct stat st;
    const char *lower = str_fmt(p->arena, "/host%s", dir).p;
    if (stat(lower, &st) != 0) return err_sys(e, "%s", dir);
    unsigned k = p->n_private++;
    const char *side = str_fmt(p->arena, "/m/%u", k).p, *name = str_fmt(p->arena, "cow-%u", k).p;
    if (mkdir(side, 0755) != 0 && errno != EEXIST) return err_sys(e, "%s", side);
    if (!p->work && !p->scratch) plan_scratch(p);
    plan_op(p, OP_CHDIR, p->work ? p->work : "/t");
    plan_op(p, OP_MKDIR, name)->flags = 0755;
    plan_op(p, OP_CHDIR, name);
    plan_op(p, OP_MKDIR, "upper")->flags = p->child.uid >= 0 ? 0777 : st.st_mode & 01777;
    plan_op(p, OP_MKDIR, "work")->flags = 0755;
    struct buf data;
    buf_init(&data, 3 * 4096);
    buf_str(&data, STR("lowerdir=/host"));
    plan_escape(&data, dir);
    buf_str(&data, STR(",upperdir=upper,workdir=work,volatile"));
    buf_str(&data, p->sb->root ? STR(",metacopy=off,redirect_dir=off") : STR(",userxattr"));
    plan_mount(p, "overlay", side, "overlay", buf_dup(p->arena, &data).p);
    buf_fini(&data);
    int *fd_at = ARENA_NEW(p->arena, int);
    plan_op(p, OP_CLONE, side)->fd_at = fd_at;
    VEC_PUSH(&p->covered, dir);
    VEC_PUSH(&p->opened, ((struct plan_opened){.dir = dir, .fd_at = fd_at}));
    if (p->work)
        VEC_PUSH(&p->views, ((struct plan_view){.target = dir,
                                                .host = str_fmt(p->arena, "%s/%s/upper", p->work, name).p,
                                                .lower = lower}));
    return true;
}

/* `write`: the directory itself must be writable; else it need only exist. */
static bool want_dir(struct plan *p, struct str path, bool write, struct err *e)
{
    const char *dir;
    struct str rest;
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    if (path.n == 1 || is_covered(p, str_dup(p->arena, path).p)) return true;
    if (!deepest(p, path, &dir, &rest, e)) return false;
    if (rest.n == 0 && !write) return true;
    if (in_tops(p->sb, dir)) return is_covered(p, dir) || open_up(p, dir, e);
    /* in the own root: a directory of it will do, unless that becomes read-only */
    if (p->spec->tier == STEP_TIER_RO && write) VEC_PUSH(&p->own_dirs, str_dup(p->arena, path).p);
    return true;
}

static struct str parent_of(struct str path)
{
    while (path.n > 0 && path.p[path.n - 1] != '/') path.n--;
    return path.n > 1 ? str_sub(path, 0, path.n - 1) : STR("/");
}

/* Something is there that can be mounted on. */
static bool is_covered_file(const struct plan *p, const struct step_file *f)
{
    struct stat st;
    return f->over && lstat(str_fmt(p->arena, "/host%s", f->path.p).p, &st) == 0;
}

static int by_path(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

bool plan_open_paths(struct plan *p, struct err *e)
{
    const struct step_spec *s = p->spec;
    for (size_t i = 0; i < p->sb->n_private; i++) VEC_PUSH(&p->covered, p->sb->private_dirs[i].p);
    static const char *const own[] = {"/tmp", "/run", "/var/tmp", "/dev", "/proc", "/sys"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) VEC_PUSH(&p->covered, own[i]);
    struct str *writable = ARENA_ARRAY(p->arena, struct str, s->writable.n);
    for (size_t i = 0; i < s->writable.n; i++) writable[i] = s->writable.items[i];
    if (s->writable.n) qsort(writable, s->writable.n, sizeof *writable, by_path); /* parents first */
    for (size_t i = 0; i < s->writable.n; i++)
        if (!want_dir(p, writable[i], true, e)) return false;
    for (size_t i = 0; i < s->files.n; i++)
        if (!is_covered_file(p, &s->files.items[i]) && !want_dir(p, parent_of(s->files.items[i].path), true, e)) return false;
    for (size_t i = 0; i < s->tmpfs.n; i++)
        if (!want_dir(p, s->tmpfs.items[i].path, false, e)) return false;
    for (size_t i = 0; i < s->binds.n; i++)
        if (!plan_ready_has(p, s->binds.items[i].target.p) && !want_dir(p, parent_of(s->binds.items[i].target), true, e)) return false;
    for (size_t i = 0; i < s->inputs.n; i++) {
        const struct step_bind *volume;
        struct str at = s->inputs.items[i].target;
        if (plan_in_volume(p, at, &volume) || plan_ready_has(p, at.p)) continue;
        if (!want_dir(p, parent_of(at), true, e)) return false;
    }
    return !str_set(s->cwd) || want_dir(p, s->cwd, false, e);
}

/* An overlay shows what the host has below its directory, mounts over that not being part of it: what is
 * to stay hidden is covered again. Private directories follow. */
void plan_attach_opened(struct plan *p, const char *root)
{
    const char *state = p->sb->state_dir;
    for (size_t i = 0; i < p->opened.n; i++) {
        const struct plan_opened *o = &p->opened.items[i];
        plan_op(p, OP_ATTACH, str_fmt(p->arena, "%s%s", root, o->dir).p)->fd_at = o->fd_at;
        if (below(state, o->dir)) plan_mount(p, str_fmt(p->arena, "%s/dev/mqueue", root).p, str_fmt(p->arena, "%s%s", root, state).p, NULL, NULL);
    }
}

/* The private places of a root that is otherwise the host's: after the pivot. */
bool plan_assembled_private(struct plan *p, struct err *e)
{
    static const struct { const char *path; mode_t mode; } always[] = {{"/tmp", 01777}, {"/run", 0755}, {"/mnt", 0755}};
    plan_attach_opened(p, "");
    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        bool own = p->spec->tier == STEP_TIER_RO && i < 2;
        if (own && !plan_private_dir(p, always[i].path, always[i].mode, e)) return false;
        if (!own) plan_mkdirs(p, always[i].path, always[i].mode);
    }
    if (access("/host/var/tmp", F_OK) == 0 && !plan_private_dir(p, "/var/tmp", 01777, e)) return false;
    for (size_t i = 0; i < p->sb->n_private; i++) {
        const char *at = p->sb->private_dirs[i].p;
        if (p->spec->tier != STEP_TIER_RO && !in_tops(p->sb, at)) plan_mkdirs(p, at, 0755);
        else if (!plan_private_dir(p, at, 0755, e)) return false;
    }
    for (size_t i = 0; i < p->own_dirs.n; i++)
        if (!plan_private_dir(p, p->own_dirs.items[i], 0777, e)) return false;
    return true;
}
