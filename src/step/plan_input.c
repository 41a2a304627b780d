/* Input artifacts: a step may change what it gets, and what is stored stays as it is.
 *
 * A small file is written among the step's own files. Whatever is larger is an overlay over what is stored:
 * that takes the same time for any size, and only what the step changes is ever copied. It is a copy where
 * an overlay cannot do: others' owner or modes, containers that share it, a file system that refuses. What
 * lies in a volume is put into the volume, as others may have it mounted too.
 *
 * Overlays are mounted here, below STAGE_INPUTS, because a prepared child is out of reach of paths; what the child
 * gets is a detached copy. All is unmounted at once when the step's end is known: each time costs a grace period. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "step/io_p.h"
#include "step/plan_p.h"

struct given {
    const struct step_input *in;
    const char *target; /* without slashes at its end */
    int fd;             /* the source; -1: it is a text */
    struct stat st;
};

static bool fail(const struct given *g, struct err *e) { return err_sys(e, "input artifact %s", g->target); }

static bool given_open(struct plan *p, const struct step_input *in, struct given *g, struct err *e)
{
    struct str at = in->target;
    while (at.n > 1 && at.p[at.n - 1] == '/') at.n--;
    *g = (struct given){.in = in, .target = str_dup(p->arena, at).p, .fd = -1};
    if (!str_set(in->source)) {
        g->st.st_mode = S_IFREG | 0644;
        g->st.st_size = (off_t)in->content.n;
        return true;
    }
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    if (p->sb) g->fd = io_open_in(p->sb->hostrw, in->source.p, flags, RESOLVE_IN_ROOT);
    else g->fd = open(in->source.p, flags | O_CLOEXEC);
    return (g->fd >= 0 && fstat(g->fd, &g->st) == 0) || err_sys(e, "input artifact %s: %s", g->target, in->source.p);
}

static bool is_dir(const struct given *g) { return S_ISDIR(g->st.st_mode); }

/* Who is not the owner of what is stored would not be allowed to change it. */
static bool other_user(const struct plan *p)
{
    return (p->child.uid >= 0 && p->child.uid != geteuid()) || (p->child.gid >= 0 && p->child.gid != getegid());
}

/* ---- copies ---- */

static bool text_put(const struct plan *p, const struct given *g, int dir_fd, const char *name)
{
    const struct step_input *in = g->in;
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && io_write_all(fd, in->content.p, in->content.n) &&
              (!other_user(p) || fchown(fd, (uid_t)p->child.uid, (gid_t)p->child.gid) == 0) &&
              fchmod(fd, in->mode >= 0 ? (mode_t)in->mode & 0777 : 0644) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

static bool copy_put(const struct plan *p, const struct given *g, int dir_fd, const char *name, size_t max_entries)
{
    struct io_copy how = {.mode = g->in->mode, .recurse = g->in->recurse, .add_mode = g->in->mode < 0 ? S_IWUSR : 0,
                          .uid = p->child.uid, .gid = p->child.gid, .max_entries = max_entries};
    if (g->fd < 0) return text_put(p, g, dir_fd, name);
    return io_copy_tree(g->fd, dir_fd, name, &how);
}

static bool mount_point(struct plan *p, const struct given *g, int tree, struct err *e)
{
    plan_mount_point(p, str_of(g->target), is_dir(g));
    return plan_attach(p, tree, g->target, e);
}

/* Shows what lies at `host`, a copy that belongs to the step or its pod. */
static bool copy_show(struct plan *p, const struct given *g, const char *host, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    int tree = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
        fail(g, e);
        close(tree);
        return false;
    }
    VEC_PUSH(&p->views, ((struct plan_view){.target = g->target, .mounted = true}));
    return mount_point(p, g, tree, e);
}

/* ---- room for private halves and copies ---- */

/* A file system in memory for the inputs of this step. */
static bool memory_ready(struct plan *p)
{
    const char *size = plan_size(p, p->spec->scratch_bytes, ",mode=0755");
    if (!p->input_memory) p->input_memory = mount("tmpfs", STAGE_INPUTS, "tmpfs", MS_NOSUID | MS_NODEV, size) == 0;
    return p->input_memory;
}

/* An overlay without a superuser needs user attributes in its upper half: in memory since Linux 6.6. */
static bool memory_suits(struct plan *p)
{
    struct sandbox *sb = p->sb;
    if (sb->inputs_on_disk || !memory_ready(p)) return false;
    sb->inputs_on_disk = !sb->root && setxattr(STAGE_INPUTS, "user.skiff", "", 0, 0) != 0;
    return !sb->inputs_on_disk;
}

/* A new directory for what this step has of one input: where its other private files are, but for what
 * could fill the memory. (On a busy disk each new directory may take milliseconds.) */
static const char *room(struct plan *p, uint64_t bytes)
{
    uint64_t scratch = p->spec->scratch_bytes ? p->spec->scratch_bytes : p->sb->scratch_bytes;
    const char *top = p->work;
    if (!top && bytes && bytes <= scratch / LIMIT_STEP_INPUT_MEMORY_PART && memory_suits(p)) top = STAGE_INPUTS;
    if (!top) {
        top = str_fmt(p->arena, "%s/inputs", p->own_dir).p;
        if (!io_mkdirs(p->own_dir, 0700) || !io_mkdirs(top, 0755)) return NULL;
    }
    const char *dir = str_fmt(p->arena, "%s/input-%u", top, p->n_private++).p;
    return mkdir(dir, 0755) == 0 ? dir : NULL;
}

static uint64_t bytes_of(const struct given *g) { return is_dir(g) ? g->in->bytes : (uint64_t)MAX(g->st.st_size, 1); }

/* `max_entries` (0: any number): false with errno E2BIG when there are more. */
static bool own_copy(struct plan *p, const struct given *g, size_t max_entries, struct err *e)
{
    const char *dir = room(p, bytes_of(g));
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && copy_put(p, g, fd, "copy", max_entries);
    int why = errno;
    if (fd >= 0 && !ok) io_remove_tree(fd, "copy");
    if (fd >= 0) close(fd);
    errno = why;
    return ok ? copy_show(p, g, str_fmt(p->arena, "%s/copy", dir).p, e) : fail(g, e);
}

/* ---- files of the step's own ---- */

static bool is_small(const struct plan *p, const struct given *g)
{
    return S_ISREG(g->st.st_mode) && g->st.st_size <= LIMIT_STEP_INPUT_WRITE_BYTES &&
           p->written + (uint64_t)g->st.st_size <= LIMIT_STEP_INPUTS_WRITE_BYTES;
}

/* What was at that path in the root goes: it might be a link. */
static bool small_file(struct plan *p, const struct given *g, struct err *e)
{
    const struct step_input *in = g->in;
    mode_t mode = in->mode >= 0 ? (mode_t)in->mode : g->st.st_mode | S_IWUSR;
    size_t n = (size_t)g->st.st_size, done = 0;
    char *bytes = arena_alloc_bytes(p->arena, n + 1);
    while (g->fd >= 0 && done < n) {
        ssize_t r = read(g->fd, bytes + done, n - done);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return fail(g, e);
        if (r == 0) break;
        done += (size_t)r;
    }
    p->written += n;
    plan_mount_parents(p, str_of(g->target));
    plan_op(p, OP_UNLINK, g->target);
    struct child_op *op = plan_op(p, OP_WRITE, g->target);
    op->data = g->fd >= 0 ? bytes : in->content.p;
    op->n = g->fd >= 0 ? done : n;
    op->flags = mode & 0777;
    return true;
}

/* ---- overlays ---- */

static bool suits_overlay(const struct plan *p, const struct given *g)
{
    const struct step_input *in = g->in;
    mode_t mode = g->st.st_mode & 0777;
    if (g->fd < 0 || other_user(p) || g->st.st_uid != geteuid()) return false;
    if (in->mode < 0) return mode & S_IWUSR;
    return is_dir(g) ? !in->recurse : ((mode_t)in->mode & 0777) == mode;
}

/* Where the source is, as this process sees it: directory and name. */
static bool source_place(const struct plan *p, const struct given *g, struct str *dir, struct str *name)
{
    char link[40], real[4096];
    snprintf(link, sizeof link, "self/fd/%d", g->fd);
    ssize_t n = readlinkat(p->sb->proc_fd, link, real, sizeof real);
    if (n <= 0 || n == sizeof real || real[0] != '/') return false;
    *dir = str_dup(p->arena, str_n(real, (size_t)n));
    *name = STR("");
    if (is_dir(g)) return true;
    while (dir->n && dir->p[dir->n - 1] != '/') dir->n--;
    *name = str_from(str_n(dir->p, (size_t)n), dir->n);
    dir->n--;
    return dir->n > 0;
}

static const char *overlay_options(struct plan *p, struct str lower, const char *own)
{
    struct buf data;
    buf_init(&data, 4000); /* the kernel reads one page */
    buf_str(&data, STR("lowerdir="));
    plan_escape(&data, str_z(p->arena, lower));
    buf_str(&data, STR(",upperdir="));
    plan_escape(&data, own);
    buf_str(&data, STR("/upper,workdir="));
    plan_escape(&data, own);
    buf_str(&data, STR("/work,volatile"));
    buf_str(&data, p->sb->root ? STR(",metacopy=off,redirect_dir=on") : STR(",userxattr"));
    const char *options = data.overflow ? NULL : buf_dup(p->arena, &data).p;
    buf_fini(&data);
    return options;
}

/* The detached mount of the input, or -1: the host does not allow it. Of a file, its whole directory is
 * overlaid, and the step gets the one file. */
static int overlay_make(struct plan *p, const struct given *g, const char *own, struct str name, const char *options)
{
    const char *upper = str_fmt(p->arena, "%s/upper", own).p, *side = str_fmt(p->arena, STAGE_INPUTS "/view%s", strrchr(own, '-')).p;
    mode_t mode = is_dir(g) && g->in->mode >= 0 ? (mode_t)g->in->mode & 0777 : g->st.st_mode & 0777;
    if (mkdir(upper, 0755) != 0 || (is_dir(g) && chmod(upper, mode) != 0)) return -1;
    if (mkdir(str_fmt(p->arena, "%s/work", own).p, 0755) != 0 || !memory_ready(p) || mkdir(side, 0755) != 0) return -1;
    if (mount("overlay", side, "overlay", MS_NOSUID | MS_NODEV, options) != 0) return -1;
    return open_tree(AT_FDCWD, str_fmt(p->arena, "%s%s%s", side, name.n ? "/" : "", name.n ? name.p : "").p,
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

/* -1: a copy must do. */
static int overlay(struct plan *p, const struct given *g)
{
    struct str lower, name;
    if (!suits_overlay(p, g) || !source_place(p, g, &lower, &name)) return -1;
    const char *own = room(p, bytes_of(g));
    const char *options = own ? overlay_options(p, lower, own) : NULL;
    int tree = options ? overlay_make(p, g, own, name, options) : -1;
    if (tree < 0) return -1;
    const char *upper = p->work ? str_fmt(p->arena, "%s/upper", own).p : NULL;
    VEC_PUSH(&p->views, ((struct plan_view){.target = g->target, .host = upper, .file = is_dir(g) ? NULL : name.p, .mounted = true}));
    return tree;
}

/* Without a superuser a directory cannot be renamed in an overlay, but few files are copied as fast. */
static bool few_files(const struct plan *p, const struct given *g)
{
    return is_dir(g) && !p->sb->root && g->in->bytes && g->in->bytes <= LIMIT_STEP_INPUT_WRITE_BYTES;
}

static bool own_input(struct plan *p, const struct given *g, struct err *e)
{
    struct err too_many;
    if (is_small(p, g)) return small_file(p, g, e);
    if (few_files(p, g) && own_copy(p, g, LIMIT_STEP_INPUT_ENTRIES, &too_many)) return true;
    int tree = overlay(p, g);
    return tree >= 0 ? mount_point(p, g, tree, e) : own_copy(p, g, 0, e);
}

/* ---- volumes ---- */

static bool lies_in(struct str path, struct str dir)
{
    while (dir.n > 0 && dir.p[dir.n - 1] == '/') dir.n--;
    return path.n > dir.n + 1 && str_starts(path, dir) && path.p[dir.n] == '/';
}

bool plan_in_volume(const struct plan *p, struct str path, const struct step_bind **bind)
{
    const struct step_spec *s = p->spec;
    struct str best = STR_NONE;
    *bind = NULL;
    for (size_t i = 0; i < s->binds.n; i++)
        if (lies_in(path, s->binds.items[i].target) && s->binds.items[i].target.n > best.n) {
            *bind = &s->binds.items[i];
            best = s->binds.items[i].target;
        }
    for (size_t i = 0; i < s->tmpfs.n; i++)
        if (lies_in(path, s->tmpfs.items[i].path) && s->tmpfs.items[i].path.n > best.n) {
            *bind = NULL;
            best = s->tmpfs.items[i].path;
        }
    return str_set(best);
}

/* The directory that `path` (relative) lies in, made where it is missing; no link leads out of `top`. The
 * rest is its name there. -1: errno. */
static int parent_beneath(const struct plan *p, int top, const char *path, const char **name)
{
    char part[4096];
    int at = io_open_in(top, ".", O_PATH | O_DIRECTORY, 0);
    for (const char *from = path, *slash; at >= 0; from = slash + 1) {
        if (!(slash = strchr(from, '/'))) {
            *name = from;
            return at;
        }
        if (slash == from) continue;
        snprintf(part, sizeof part, "%.*s", (int)(slash - from), from);
        bool fresh = mkdirat(at, part, 0755) == 0;
        if (fresh && other_user(p) && fchownat(at, part, (uid_t)p->child.uid, (gid_t)p->child.gid, AT_SYMLINK_NOFOLLOW) != 0) break;
        if (!fresh && errno != EEXIST) break;
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        close(at);
        at = io_open_in(top, part, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    }
    int why = errno;
    if (at >= 0) close(at);
    errno = why;
    return -1;
}

/* As Argo's init container does it: made aside, then renamed; a directory that holds something already stays. */
static bool put_beneath(struct plan *p, const struct given *g, int top, const char *rest, bool again)
{
    const char *name, *aside = str_fmt(p->arena, ".skiff-%llu-%u", (unsigned long long)p->spec->id, p->n_private++).p;
    int dir = parent_beneath(p, top, rest, &name);
    if (dir < 0) return false;
    int fd = io_open_in(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    io_remove_tree(dir, aside);
    bool ok = fd >= 0 && copy_put(p, g, fd, aside, 0) && (!again || io_remove_tree(fd, name)) && renameat(fd, aside, fd, name) == 0;
    int why = errno;
    if (!ok) io_remove_tree(dir, aside);
    if (fd >= 0) close(fd);
    close(dir);
    errno = why;
    return ok;
}

static bool into_volume(struct plan *p, const struct given *g, const struct step_bind *v, bool again, struct err *e)
{
    struct str at = v->target;
    while (at.n > 0 && at.p[at.n - 1] == '/') at.n--;
    if (v->read_only)
        return err_set(e, ERR_SPEC, "input artifact %s: its volume %.*s is mounted read-only", g->target, STR_ARG(v->target));
    int top = plan_bind_source(p, v);
    bool ok = top >= 0 && put_beneath(p, g, top, g->target + at.n + 1, again);
    int why = errno;
    if (top >= 0) close(top);
    errno = why;
    return ok || fail(g, e);
}

/* ---- one for several containers ---- */

/* Whoever comes first makes the copy, the others wait for it. `begun` without `done`: who made it died. */
static bool share_make(struct plan *p, const struct given *g, int dir, const struct step_bind *v, struct err *e)
{
    if (faccessat(dir, "done", F_OK, 0) == 0) return true;
    bool again = mkdirat(dir, "begun", 0700) != 0;
    if (again && errno != EEXIST) return fail(g, e); /* on a full disk nobody has begun: nothing is to be removed */
    if (v ? !into_volume(p, g, v, again, e) : !((!again || io_remove_tree(dir, "copy")) && copy_put(p, g, dir, "copy", 0)))
        return v ? false : fail(g, e);
    return mkdirat(dir, "done", 0700) == 0 || fail(g, e);
}

static bool share(struct plan *p, const struct given *g, const char *path, const struct step_bind *v, struct err *e)
{
    int dir = io_mkdirs(path, 0755) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = dir >= 0 && flock(dir, LOCK_EX) == 0 ? share_make(p, g, dir, v, e) : fail(g, e);
    if (dir >= 0) close(dir); /* and the lock is gone */
    return ok;
}

static bool shared_input(struct plan *p, const struct given *g, const struct step_bind *v, struct err *e)
{
    const char *path = str_fmt(p->arena, "/hostrw%.*s", STR_ARG(g->in->shared)).p;
    return share(p, g, path, v, e) && (v || copy_show(p, g, str_fmt(p->arena, "%s/copy", path).p, e));
}

bool plan_input(struct plan *p, const struct step_input *in, struct err *e)
{
    struct given g;
    const struct step_bind *v;
    bool ok = given_open(p, in, &g, e);
    plan_in_volume(p, str_of(g.target), &v);
    if (ok && str_set(in->shared)) ok = shared_input(p, &g, v, e);
    else if (ok) ok = v ? into_volume(p, &g, v, false, e) : own_input(p, &g, e);
    if (g.fd >= 0) close(g.fd);
    return ok;
}

static bool put_new(struct plan *p, const struct given *g, struct err *e)
{
    const char *slash = strrchr(g->target, '/');
    const char *parent = str_dup(p->arena, str_n(g->target, MAX((size_t)(slash - g->target), 1))).p;
    int dir = io_mkdirs(parent, 0755) ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = (dir >= 0 && copy_put(p, g, dir, slash + 1, 0)) || fail(g, e);
    if (dir >= 0) close(dir);
    return ok;
}

/* Without a sandbox nothing can be shown at another path: the target is the copy's own. */
bool plan_plain_input(struct plan *p, const struct step_input *in, struct err *e)
{
    struct given g;
    bool ok = given_open(p, in, &g, e) && (str_set(in->shared) ? share(p, &g, in->shared.p, NULL, e) : put_new(p, &g, e));
    if (g.fd >= 0) close(g.fd);
    return ok;
}

void plan_inputs_end(struct plan *p)
{
    if (p->input_memory) umount2(STAGE_INPUTS, MNT_DETACH);
    p->input_memory = false;
}
