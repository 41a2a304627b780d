/* The prepared root of tier ro (sandbox_p.h): one small file system in memory holds all that is private
 * to a step, and its directories are bound onto the root. Where a step wants more than the root offers
 * it is assembled instead (plan_view.c). */
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "step/plan_p.h"

static bool is_spare(struct str path)
{
    static const char *const spare[] = {STAGE_SPARE};
    for (size_t i = 0; i < ARRAY_LEN(spare); i++) {
        struct str dir = str_of(spare[i]);
        if (str_starts(path, dir) && (path.n == dir.n || path.p[dir.n] == '/')) return true;
    }
    return false;
}

/* Can something be put there without a new directory in the root itself? */
static bool has_place(const struct plan *p, struct str path)
{
    return plan_in_view(p, str_dup(p->arena, path).p) || is_spare(path);
}

bool plan_ready_suits(const struct plan *p)
{
    const struct step_spec *s = p->spec;
    bool ok = s->tier == STEP_TIER_RO && (!str_set(s->cwd) || str_is(s->cwd, "/") || has_place(p, s->cwd));
    for (size_t i = 0; ok && i < p->own_dirs.n; i++) ok = is_spare(str_of(p->own_dirs.items[i]));
    for (size_t i = 0; ok && i < s->writable.n; i++) ok = has_place(p, s->writable.items[i]);
    for (size_t i = 0; ok && i < s->binds.n; i++) ok = has_place(p, s->binds.items[i].target);
    for (size_t i = 0; ok && i < s->inputs.n; i++) ok = has_place(p, s->inputs.items[i].target);
    for (size_t i = 0; ok && i < s->tmpfs.n; i++) ok = has_place(p, s->tmpfs.items[i].path);
    for (size_t i = 0; ok && i < s->files.n; i++) ok = has_place(p, s->files.items[i].path);
    return ok;
}

static bool private_at(struct plan *p, const char *at, mode_t mode, const char *work, struct err *e)
{
    const char *host = str_fmt(p->arena, "%s/private-%u", work ? work : "/t", p->n_private++).p;
    if (!work) {
        plan_op(p, OP_MKDIR, host)->flags = mode;
    } else {
        if (mkdir(host, mode) != 0 || chmod(host, mode) != 0) return err_sys(e, "%s", host);
        VEC_PUSH(&p->views, ((struct plan_view){.target = at, .host = host}));
    }
    plan_mount(p, host, str_fmt(p->arena, STAGE_RO "%s", at).p, NULL, NULL);
    VEC_PUSH(&p->covered, at);
    return true;
}

/* A home below /var/tmp, say: its mount point is in what has just become private. */
static bool private_home(struct plan *p, const char *at, struct err *e)
{
    static const char *const own[] = {"/tmp/", "/run/", "/var/tmp/"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_starts(str_of(at), str_of(own[i]))) plan_mkdirs(p, str_fmt(p->arena, STAGE_RO "%s", at).p, 0755);
    return private_at(p, at, 0755, p->work, e);
}

bool plan_ready_has(const struct plan *p, const char *path)
{
    struct stat st;
    return is_spare(str_of(path)) && stat(str_fmt(p->arena, STAGE_RO "%s", path).p, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where the root has no such directory, the whole spare one becomes private, and it is made there. */
void plan_ready_spares(struct plan *p)
{
    const char *size = plan_size(p, p->spec->scratch_bytes, ",mode=0777");
    for (size_t i = 0; !p->work && i < p->own_dirs.n; i++) {
        const char *at = p->own_dirs.items[i], *slash = strchr(at + 1, '/');
        bool there = plan_ready_has(p, at);
        const char *top = there || !slash ? at : str_dup(p->arena, str_n(at, (size_t)(slash - at))).p;
        if (!plan_in_view(p, top)) {
            plan_mount(p, "tmpfs", top, "tmpfs", size);
            VEC_PUSH(&p->covered, top);
        }
        if (top != at) plan_mkdirs(p, at, 0777);
    }
}

/* The same on the disk, before the root is entered. */
static bool spare_on_disk(struct plan *p, const char *at, struct err *e)
{
    const char *slash = strchr(at + 1, '/');
    const char *top = slash ? str_dup(p->arena, str_n(at, (size_t)(slash - at))).p : at;
    if (!plan_in_view(p, top) && !private_at(p, top, slash ? 0755 : 0777, p->work, e)) return false;
    if (slash) plan_mkdirs(p, str_fmt(p->arena, STAGE_RO "%s", at).p, 0777);
    return true;
}

bool plan_ready_root(struct plan *p, struct err *e)
{
    const struct sandbox *sb = p->sb;
    if (!p->scratch) plan_scratch(p);
    plan_attach_opened(p, STAGE_RO);
    bool ok = private_at(p, "/tmp", 01777, p->work, e) && private_at(p, "/run", 0755, p->work, e) &&
              private_at(p, "/dev/shm", 01777, NULL, e);
    if (ok && access("/host/var/tmp", F_OK) == 0) ok = private_at(p, "/var/tmp", 01777, p->work, e);
    for (size_t i = 0; ok && i < sb->n_private; i++) ok = private_home(p, sb->private_dirs[i].p, e);
    for (size_t i = 0; ok && p->work && i < p->own_dirs.n; i++) ok = spare_on_disk(p, p->own_dirs.items[i], e);
    /* pivot_root and the umount of the old root would double the price of all this. A process that has no
     * capability, no descriptor of the outside and no visible ancestor does not leave a chroot. */
    plan_op(p, OP_CHROOT, STAGE_RO);
    return ok;
}
