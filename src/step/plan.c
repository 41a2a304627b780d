/* The operations of the child, in order: root mount, detached mounts, pivot, then everything else
 * inside the new root, where symlinks of images lead nowhere else. See plan_p.h. */
#include "step/plan_p.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "step/io_p.h"

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct child_op *plan_op(struct plan *p, enum child_op_kind kind, const char *at)
{
    VEC_PUSH(&p->child.ops, ((struct child_op){.kind = kind, .b = at}));
    return &p->child.ops.items[p->child.ops.n - 1];
}

struct child_op *plan_mount(struct plan *p, const char *source, const char *at, const char *type, const char *data)
{
    struct child_op *op = plan_op(p, OP_MOUNT, at);
    op->a = source;
    op->c = type;
    op->flags = type ? MS_NOSUID | MS_NODEV : MS_BIND;
    op->data = data;
    return op;
}

void plan_mkdirs(struct plan *p, const char *at, mode_t mode) { plan_op(p, OP_MKDIRS, at)->flags = mode; }

bool plan_attach(struct plan *p, int fd, const char *at, struct err *e)
{
    if (fd < 0) return err_sys(e, "sandbox: %s", at);
    VEC_PUSH(&p->fds, fd);
    plan_op(p, OP_ATTACH, at)->fd = fd;
    return true;
}

const char *plan_size(struct plan *p, uint64_t bytes, const char *rest)
{
    return str_fmt(p->arena, "size=%llu%s", (unsigned long long)(bytes ? bytes : p->sb->scratch_bytes), rest).p;
}

bool plan_private_dir(struct plan *p, const char *at, mode_t mode, struct err *e)
{
    const char *rest = mode == 01777 ? ",mode=1777" : ",mode=0777";
    plan_mkdirs(p, at, mode);
    VEC_PUSH(&p->covered, at);
    if (!p->work) {
        plan_mount(p, "tmpfs", at, "tmpfs", plan_size(p, p->spec->scratch_bytes, rest));
        return true;
    }
    const char *host = str_fmt(p->arena, "%s/private-%u", p->work, p->n_private++).p;
    if (mkdir(host, mode) != 0 || chmod(host, mode) != 0) return err_sys(e, "%s", host);
    VEC_PUSH(&p->views, ((struct plan_view){.target = at, .host = host}));
    return plan_attach(p, open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), at, e);
}

/* ---- before the pivot ---- */

static bool plan_overlay_root(struct plan *p, struct err *e)
{
    struct buf data;
    buf_init(&data, 4096);
    buf_str(&data, STR("lowerdir="));
    bool image = p->spec->tier == STEP_TIER_IMAGE;
    bool ok = !image || plan_layers(p, &data, e);
    if (!image) buf_str(&data, STR("/skel:/hostrw"));
    buf_str(&data, STR(",upperdir=upper,workdir=work,volatile"));
    buf_str(&data, p->sb->root ? STR(",metacopy=off,redirect_dir=off") : STR(",userxattr"));
    const char *options = buf_dup(p->arena, &data).p;
    buf_fini(&data);
    if (!ok) return false;
    if (p->work) {
        plan_op(p, OP_CHDIR, p->work);
        VEC_PUSH(&p->views, ((struct plan_view){.target = "", .host = str_fmt(p->arena, "%s/upper", p->work).p,
                                                .lower = image ? "/" : "/hostrw"}));
    } else {
        plan_scratch(p);
        plan_op(p, OP_CHDIR, "/t");
    }
    plan_op(p, OP_MKDIR, "upper")->flags = 0755;
    plan_op(p, OP_MKDIR, "work")->flags = 0755;
    plan_mount(p, "overlay", "/new", "overlay", options);
    return true;
}

/* Parts of the prepared root (stage.c) that every step has. */
static const char *const api_dirs[] = {"/proc", "/sys", "/dev", STEP_TOOLS_DIR};
static size_t n_api_dirs(const struct plan *p) { return ARRAY_LEN(api_dirs) - (p->sb->tools ? 0 : 1); }

/* /proc and the like, bound before the pivot: the host's root has no surprising symlinks. Host file
 * systems below / are not part of an overlay over it: they come back read-only. */
bool plan_host_root(struct plan *p, struct err *e)
{
    if (!plan_overlay_root(p, e)) return false;
    for (size_t i = 0; i < p->sb->mounts.n; i++) {
        const char *name = p->sb->mounts.items[i].name;
        struct child_op *op = plan_mount(p, str_fmt(p->arena, "/host/%s", name).p, str_fmt(p->arena, "/new/%s", name).p, NULL, NULL);
        op->flags |= MS_REC;
        op->soft = true; /* gone since, or below a masked path */
    }
    for (size_t i = 0; i < n_api_dirs(p); i++)
        plan_mount(p, str_fmt(p->arena, STAGE_RO "%s", api_dirs[i]).p, str_fmt(p->arena, "/new%s", api_dirs[i]).p, NULL, NULL)->flags |= MS_REC;
    if (p->work) {
        plan_mount(p, "tmpfs", "/new/dev/shm", "tmpfs", plan_size(p, p->spec->scratch_bytes, ",mode=1777"));
    } else {
        plan_op(p, OP_MKDIR, "/t/shm")->flags = 01777;
        plan_mount(p, "/t/shm", "/new/dev/shm", NULL, NULL);
    }
    plan_op(p, OP_CHDIR, "/new");
    plan_op(p, OP_PIVOT, NULL);
    return true;
}

/* ---- after the pivot ---- */

static bool plan_api_mounts(struct plan *p, struct err *e)
{
    for (size_t i = 0; i < n_api_dirs(p); i++) {
        const char *from = str_fmt(p->arena, STAGE_RO "%s", api_dirs[i]).p;
        int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        plan_mkdirs(p, api_dirs[i], 0755);
        if (!plan_attach(p, fd, api_dirs[i], e)) return false;
    }
    plan_mount(p, "tmpfs", "/dev/shm", "tmpfs", plan_size(p, p->spec->scratch_bytes, ",mode=1777"));
    return true;
}

int plan_bind_source(const struct plan *p, const struct step_bind *b)
{
    struct stat st;
    int top = io_open_in(p->sb->hostrw, b->source.p, O_PATH, RESOLVE_IN_ROOT);
    if (top < 0 || !b->sub_path.n) return top;
    /* as a kubelet makes it: with the mode of the volume */
    int at = fstat(top, &st) == 0 ? io_open_beneath(top, b->sub_path.p, st.st_mode & 0777) : -1;
    int why = errno;
    close(top);
    errno = why;
    return at;
}

static bool bad_source(const struct step_bind *b, struct err *e)
{
    if (errno == EXDEV)
        return err_set(e, ERR_SPEC, "mount at %s: the subPath %.*s leads out of its volume", b->target.p, STR_ARG(b->sub_path));
    return err_sys(e, "mount source %s%s%.*s", b->source.p, b->sub_path.n ? "/" : "", STR_ARG(b->sub_path));
}

static bool plan_bind(struct plan *p, const struct step_bind *b, struct err *e)
{
    struct stat st;
    int at = plan_bind_source(p, b);
    if (at < 0 && errno == ENOENT && b->optional) return true;
    if (at < 0 || fstat(at, &st) != 0) return bad_source(b, e);
    int fd = open_tree(at, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int why = errno;
    close(at);
    errno = why;
    if (fd < 0) return bad_source(b, e);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | (b->read_only ? MOUNT_ATTR_RDONLY : 0)};
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0) {
        err_sys(e, "read-only view of %s", b->source.p);
        close(fd);
        return false;
    }
    plan_mount_point(p, b->target, S_ISDIR(st.st_mode));
    VEC_PUSH(&p->views, ((struct plan_view){.target = b->target.p, .mounted = true}));
    return plan_attach(p, fd, b->target.p, e);
}

void plan_mount_parents(struct plan *p, struct str target)
{
    size_t n = target.n;
    while (target.p[n - 1] != '/') n--;
    if (n > 1) plan_mkdirs(p, str_dup(p->arena, str_sub(target, 0, n - 1)).p, 0755);
}

void plan_mount_point(struct plan *p, struct str target, bool is_dir)
{
    if (is_dir) {
        plan_mkdirs(p, target.p, 0755);
    } else {
        plan_mount_parents(p, target);
        plan_op(p, OP_TOUCH, target.p);
    }
}

static bool plan_tmpfs(struct plan *p, const struct step_tmpfs *t)
{
    plan_mkdirs(p, t->path.p, 0755);
    struct child_op *op = plan_mount(p, "tmpfs", t->path.p, "tmpfs", plan_size(p, t->size, ",mode=0777"));
    if (t->read_only) op->flags |= MS_RDONLY;
    VEC_PUSH(&p->views, ((struct plan_view){.target = t->path.p, .mounted = true}));
    return true;
}

struct placed {
    struct str target;
    const struct step_bind *bind; /* or */
    const struct step_tmpfs *tmpfs; /* or */
    const struct step_input *input;
};

static int by_target(const void *a, const void *b)
{
    return str_cmp(((const struct placed *)a)->target, ((const struct placed *)b)->target);
}

static bool plan_placed(struct plan *p, const struct placed *one, struct err *e)
{
    if (one->bind) return plan_bind(p, one->bind, e);
    return one->tmpfs ? plan_tmpfs(p, one->tmpfs) : plan_input(p, one->input, e);
}

static bool plan_mounts(struct plan *p, struct err *e)
{
    const struct step_spec *s = p->spec;
    size_t n = 0;
    struct placed *all = ARENA_ARRAY(p->arena, struct placed, s->binds.n + s->tmpfs.n + s->inputs.n);
    for (size_t i = 0; i < s->binds.n; i++) all[n++] = (struct placed){s->binds.items[i].target, .bind = &s->binds.items[i]};
    for (size_t i = 0; i < s->tmpfs.n; i++) all[n++] = (struct placed){s->tmpfs.items[i].path, .tmpfs = &s->tmpfs.items[i]};
    for (size_t i = 0; i < s->inputs.n; i++) all[n++] = (struct placed){s->inputs.items[i].target, .input = &s->inputs.items[i]};
    if (n) qsort(all, n, sizeof *all, by_target); /* parents before what is in them */
    for (size_t i = 0; i < n; i++)
        if (!plan_placed(p, &all[i], e)) return false;
    return true;
}

static void plan_write(struct plan *p, const char *path, struct str content, mode_t mode)
{
    struct child_op *op = plan_op(p, OP_WRITE, path);
    op->data = content.p;
    op->n = content.n;
    op->flags = mode;
}

static void plan_file(struct plan *p, const char *path, struct str content, mode_t mode)
{
    plan_mount_parents(p, str_of(path));
    plan_write(p, path, content, mode);
}

/* Secrets do not stay in a volume: there is an empty file in it, as in a cluster, and this is mounted on it. So is what
 * takes the place of a file of the root. */
static void plan_file_apart(struct plan *p, const struct step_file *f)
{
    const char *own = str_fmt(p->arena, "/dev/shm/.skiff-%u", p->n_private++).p;
    plan_mount_point(p, f->path, false);
    plan_write(p, own, f->content, f->mode & 07777);
    plan_mount(p, own, f->path.p, NULL, NULL);
    plan_op(p, OP_UNLINK, own);
    VEC_PUSH(&p->views, ((struct plan_view){.target = f->path.p, .mounted = true}));
}

static void plan_files(struct plan *p)
{
    for (size_t i = 0; i < p->spec->files.n; i++) {
        const struct step_file *f = &p->spec->files.items[i];
        const struct step_bind *volume = NULL;
        if (f->over || (f->apart && plan_in_volume(p, f->path, &volume) && volume)) plan_file_apart(p, f);
        else plan_file(p, f->path.p, f->content, f->mode & 07777);
    }
}

static bool plan_spec_paths(struct plan *p, struct err *e)
{
    const struct step_spec *s = p->spec;
    if (!plan_mounts(p, e)) return false;
    /* as in a container, what is missing is for the step to make, unless its root leaves no place for that */
    for (size_t i = 0; s->tier != STEP_TIER_OVERLAY && i < s->writable.n; i++) plan_mkdirs(p, s->writable.items[i].p, 0777);
    if (p->sb->resolv_path && s->tier != STEP_TIER_IMAGE) { /* before another takes its place */
        plan_file(p, p->sb->resolv_path, p->sb->resolv, 0644);
        p->child.ops.items[p->child.ops.n - 1].soft = true;
        p->child.ops.items[p->child.ops.n - 2].soft = true;
    }
    plan_files(p);
    if (str_set(s->cwd)) plan_mkdirs(p, s->cwd.p, 0755);
    return true;
}

static bool in_root(struct str path) { return path.n > 1 && str_find_char(path, '/', 1) < 0; }

/* "/" itself among the writable paths, as for an output at /result.txt, or a file of the step's own there: the root's
 * own level, a fresh directory, stays open; the host's directories below it are read-only mounts all the same. */
static bool root_is_declared(const struct step_spec *s)
{
    for (size_t i = 0; i < s->writable.n; i++)
        if (str_is(s->writable.items[i], "/")) return true;
    for (size_t i = 0; i < s->inputs.n; i++)
        if (in_root(s->inputs.items[i].target)) return true;
    for (size_t i = 0; i < s->files.n; i++)
        if (in_root(s->files.items[i].path)) return true;
    return false;
}

/* Its directory is the step's to write to, and is watched from outside. A step can do without. */
static void plan_progress(struct plan *p)
{
    struct str path = p->spec->progress;
    if (!str_set(path)) return;
    while (path.p[path.n - 1] != '/') path.n--;
    const char *dir = str_dup(p->arena, str_sub(path, 0, path.n > 1 ? path.n - 1 : 1)).p;
    plan_mkdirs(p, dir, 0777);
    p->child.ops.items[p->child.ops.n - 1].soft = true;
    if (p->spec->root_read_only && !p->ready) /* a volume in a cluster */
        plan_mount(p, "tmpfs", dir, "tmpfs", plan_size(p, p->spec->scratch_bytes, ",mode=0777"))->soft = true;
    struct child_op *op = plan_op(p, OP_OPEN, dir);
    op->fd_at = &p->progress_fd;
    op->soft = true;
}

static void plan_end(struct plan *p)
{
    plan_progress(p);
    if (p->spec->private_net && p->net_fd >= 0) plan_op(p, OP_NETWORK, NULL)->fd = p->net_fd;
    else if (p->spec->private_net) plan_op(p, OP_LOOPBACK, NULL);
    bool declared = p->spec->tier != STEP_TIER_RO || root_is_declared(p->spec);
    if (!p->ready && (p->spec->root_read_only || !declared)) plan_op(p, OP_ROOT_RO, "/");
    if (!p->spec->params.n && !p->spec->artifacts.n && !p->spec->probed) return; /* nobody looks at its files */
    plan_op(p, OP_OPEN, "/")->fd_at = &p->root_fd;
    struct child_op *ns = plan_op(p, OP_OPEN, "/proc/self/ns/mnt");
    ns->fd_at = &p->ns_fd;
    ns->flags = 1;
}

/* Nothing in the root depends on the step: then its operations are those of all steps of the tier. */
static bool is_common(struct plan *p)
{
    return !p->work && !p->opened.n && !p->spec->scratch_bytes && (p->child.pre = plan_common_ops(p->common, p->spec->tier));
}

/* An image, or a root made of the host's directories. */
static bool plan_other_root(struct plan *p, struct err *e)
{
    if (p->assembled ? !plan_assembled_root(p, e) : !plan_overlay_root(p, e)) return false;
    plan_op(p, OP_CHDIR, "/new");
    plan_op(p, OP_PIVOT, NULL);
    if (p->assembled && !plan_assembled_tops(p, e)) return false;
    return plan_api_mounts(p, e) && (!p->assembled || plan_assembled_private(p, e)) && (!p->etc_is_link || plan_linked_etc(p, e));
}

static bool plan_root(struct plan *p, struct err *e)
{
    enum step_tier tier = p->spec->tier;
    p->assembled = tier == STEP_TIER_RO || (tier == STEP_TIER_OVERLAY && !p->sb->overlay_root);
    if (tier == STEP_TIER_OVERLAY && !p->assembled) return is_common(p) || plan_host_root(p, e);
    if (p->assembled && !plan_open_paths(p, e)) return false;
    p->ready = p->assembled && plan_ready_suits(p);
    if (!p->ready) return plan_other_root(p, e);
    if (!is_common(p) && !plan_ready_root(p, e)) return false;
    plan_ready_spares(p);
    return true;
}

static bool plan_sandbox(struct plan *p, struct err *e)
{
    if (!plan_root(p, e) || !plan_spec_paths(p, e)) return false;
    plan_end(p);
    return true;
}

/* ---- command and environment ---- */

static char **c_strings(struct arena *a, const struct step_strs *l)
{
    char **z = ARENA_ARRAY(a, char *, l->n + 1);
    for (size_t i = 0; i < l->n; i++) z[i] = (char *)(uintptr_t)l->items[i].p;
    return z;
}

static struct str search_path(const struct step_spec *s)
{
    for (size_t i = 0; i < s->env.n; i++)
        if (str_starts(s->env.items[i], STR("PATH="))) return str_from(s->env.items[i], 5);
    return str_of(default_path);
}

static const char *const *find_programs(struct arena *a, const struct step_spec *s)
{
    struct str name = s->argv.items[0], path = search_path(s), dir;
    size_t n = 2;
    for (size_t i = 0; i < path.n; i++) n += path.p[i] == ':';
    const char **out = ARENA_ARRAY(a, const char *, n + 1);
    if (str_find_char(name, '/', 0) >= 0) {
        out[0] = name.p;
        return out;
    }
    if (name.n == 0) return out;
    size_t k = 0;
    do {
        str_cut(path, ':', &dir, &path);
        out[k++] = str_fmt(a, "%.*s%s%s", STR_ARG(dir), dir.n ? "/" : "", name.p).p;
    } while (str_set(path));
    return out;
}

void plan_command(struct arena *a, const struct step_spec *s, struct child *c)
{
    c->argv = c_strings(a, &s->argv);
    c->env = c_strings(a, &s->env);
    c->programs = find_programs(a, s);
}

static bool plan_work(struct plan *p, struct err *e)
{
    if (!p->sb || p->spec->artifacts.n == 0) return true;
    const char *work = str_fmt(p->arena, "%s/private", p->own_dir).p;
    if (!io_mkdirs(p->own_dir, 0700) || !io_mkdirs(work, 0755)) return err_sys(e, "%s", work);
    p->work = work;
    return true;
}

static bool plan_plain_files(struct plan *p, struct err *e)
{
    const struct step_spec *s = p->spec;
    if (s->binds.n || s->tmpfs.n || s->private_net)
        return err_set(e, ERR_UNSUPPORTED, "mounts and private networks need a sandbox, tier none has none");
    for (size_t i = 0; i < s->writable.n; i++)
        if (!io_mkdirs(s->writable.items[i].p, 0755)) return err_sys(e, "%s", s->writable.items[i].p);
    for (size_t i = 0; i < s->inputs.n; i++)
        if (!plan_plain_input(p, &s->inputs.items[i], e)) return false;
    for (size_t i = 0; i < s->files.n; i++) {
        const char *path = s->files.items[i].path.p, *slash = strrchr(path, '/');
        const char *dir = str_dup(p->arena, str_n(path, (size_t)(slash - path))).p;
        if (slash > path && !io_mkdirs(dir, 0755)) return err_sys(e, "%s", dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        bool ok = fd >= 0 && io_write_all(fd, s->files.items[i].content.p, s->files.items[i].content.n) &&
                  fchmod(fd, s->files.items[i].mode & 0777) == 0;
        if (!ok) err_sys(e, "%s", path);
        if (fd >= 0) close(fd);
        if (!ok) return false;
    }
    return !str_set(s->cwd) || io_mkdirs(s->cwd.p, 0755) || err_sys(e, "%s", s->cwd.p);
}

/* Its group comes first, as if it were not told otherwise. */
static const unsigned *group_ids(struct arena *a, const struct step_spec *s, int64_t gid, size_t *n)
{
    unsigned *ids = ARENA_ARRAY(a, unsigned, s->groups.n + 1);
    *n = 0;
    if (gid >= 0) ids[(*n)++] = (unsigned)gid;
    for (size_t i = 0; i < s->groups.n; i++) ids[(*n)++] = (unsigned)s->groups.items[i];
    return ids;
}

static void plan_capabilities(struct plan *p)
{
    struct child *c = &p->child;
    c->sets_capabilities = p->sb && p->sb->root;
    if (!c->sets_capabilities) return;
    memcpy(c->capabilities, p->sb->capabilities, sizeof c->capabilities);
    bool may = p->spec->tier == STEP_TIER_IMAGE && c->uid <= 0;
    c->capabilities[0].inheritable &= may ? p->spec->capabilities : 0;
}

bool plan_make(struct plan *p, struct err *e)
{
    const struct step_spec *s = p->spec;
    p->root_fd = p->ns_fd = p->progress_fd = -1;
    if ((s->tier == STEP_TIER_NONE) != (p->sb == NULL))
        return err_set(e, ERR_UNSUPPORTED, "a step of tier %s in a slot %s sandbox", step_tier_name(s->tier),
                       p->sb ? "with a" : "without");
    if (p->sb && !p->sb->root && ((s->uid >= 0 && s->uid != geteuid()) || (s->gid >= 0 && s->gid != getegid())))
        return err_set(e, ERR_UNSUPPORTED, "runAsUser and runAsGroup need root: without it a step has one user id, %u",
                       geteuid());
    if (!plan_work(p, e)) return false;
    struct child *c = &p->child;
    c->hostname = s->hostname.n ? s->hostname.p : "skiff";
    plan_command(p->arena, s, c);
    c->cwd = str_set(s->cwd) ? s->cwd.p : "/";
    c->uid = p->sb && !p->sb->root ? STEP_UID_DEFAULT : s->uid;
    c->gid = p->sb && !p->sb->root ? STEP_UID_DEFAULT : s->gid;
    c->groups = group_ids(p->arena, s, c->gid, &c->n_groups);
    c->rlimits = s->rlimits.items;
    c->n_rlimits = s->rlimits.n;
    c->sandbox = p->sb != NULL;
    c->private_net = s->private_net && p->net_fd < 0;
    c->ns = p->sb ? p->sb->ns : (struct child_ns){-1, -1};
    plan_capabilities(p);
    return p->sb ? plan_sandbox(p, e) : plan_plain_files(p, e);
}

void plan_close_fds(struct plan *p)
{
    for (size_t i = 0; i < p->fds.n; i++) close(p->fds.items[i]);
    p->fds.n = 0;
    for (size_t i = 0; i < p->opened.n; i++)
        if (*p->opened.items[i].fd_at > 0) close(*p->opened.items[i].fd_at);
    p->opened.n = 0;
}

void plan_fini(struct plan *p)
{
    plan_close_fds(p);
    plan_inputs_end(p);
    if (p->root_fd >= 0) close(p->root_fd);
    if (p->ns_fd >= 0) close(p->ns_fd);
    if (p->progress_fd >= 0) close(p->progress_fd);
    p->root_fd = p->ns_fd = p->progress_fd = -1;
    VEC_FINI(&p->fds);
    VEC_FINI(&p->views);
    VEC_FINI(&p->covered);
    VEC_FINI(&p->opened);
    VEC_FINI(&p->own_dirs);
    VEC_FINI(&p->child.ops);
}
