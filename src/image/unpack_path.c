/* Where the entries of a layer go: names, parents, what stands there already, the layers below. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "image/stack.h"
#include "image/unpack_p.h"
#include "os/dir.h"
#include "os/fd.h"

bool unpack_name(struct unpacker *u, const char *raw, struct str *out)
{
    struct buf clean CLEANUP(buf_fini);
    struct str rest = str_of(raw), part;
    unsigned depth = 0;
    *out = STR_NONE;
    buf_init(&clean, LIMIT_IMAGE_PATH_BYTES);
    if (!raw || !*raw) return err_set(u->e, ERR_SPEC, "a layer has an entry without a name");
    while (rest.p) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n || str_is(part, ".")) continue;
        if (str_is(part, "..")) return err_set(u->e, ERR_SPEC, "a layer has the entry '%.200s': '..' leads out of it", raw);
        if (clean.n) buf_char(&clean, '/');
        buf_str(&clean, part);
        depth++;
    }
    if (clean.overflow || depth > LIMIT_IMAGE_DEPTH)
        return err_set(u->e, ERR_LIMIT, "a layer has a path of more than %d bytes or %d parts: '%.100s'…", LIMIT_IMAGE_PATH_BYTES,
                       LIMIT_IMAGE_DEPTH, raw);
    if (clean.n) *out = buf_dup(&u->a, &clean);
    return true;
}

void unpack_forget_parent(struct unpacker *u)
{
    close_fd(&u->parent_fd);
    buf_reset(&u->parent);
}

bool unpack_wants_lower(struct unpacker *u, struct str path)
{
    u->r->needs_lower = true;
    return err_set(u->e, ERR_NOT_FOUND, "'%.*s' needs the layers below", STR_ARG(str_sub(path, 0, 200)));
}

int unpack_lower(struct unpacker *u, struct str path, const char **last)
{
    return stack_find(&u->a, u->o->lower_fds, u->o->n_lower, path, last);
}

/* ---- directories ---- */

bool unpack_dir_note(struct unpacker *u, int dir, const char *name, struct unpack_dir d)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return err_sys(u->e, "cannot look at '%s'", name);
    d.path = str_dup(&u->kept, d.path);
    d.ino = st.st_ino;
    d.order = u->dirs.n;
    VEC_PUSH(&u->dirs, d);
    return true;
}

/* A directory that the layer puts things into without describing it looks as it does below, or else like
 * any. */
static bool implied_note(struct unpacker *u, int up, const char *name, struct str path)
{
    struct unpack_dir d = {.path = path, .mode = 0755, .made = true};
    struct stat st;
    const char *last;
    if (!u->o->lowest && !u->o->n_lower) return unpack_wants_lower(u, path);
    int dir CLEANUP(close_fd) = unpack_lower(u, path, &last);
    if (dir >= 0 && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
        d.mode = st.st_mode & 07777;
        d.uid = st.st_uid;
        d.gid = st.st_gid;
        d.mtime = st.st_mtim;
    }
    return unpack_dir_note(u, up, name, d);
}

bool unpack_opaque(struct unpacker *u, int dir, const char *name)
{
    int fd CLEANUP(close_fd) = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_sys(u->e, "cannot open the directory '%s'", name);
    if (fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) != 0)
        return err_sys(u->e, "cannot mark the directory '%s' as opaque (the state directory must be on a file system with "
                             "extended attributes)", name);
    if (u->root && fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) != 0 && errno != EPERM)
        return err_sys(u->e, "cannot mark the directory '%s' as opaque", name);
    return true;
}

bool unpack_clear(struct unpacker *u, int dir, const char *name, bool *whiteout)
{
    struct stat st;
    *whiteout = false;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT || err_sys(u->e, "cannot look at '%s'", name);
    *whiteout = stack_is_whiteout(&st);
    if (S_ISDIR(st.st_mode)) return dir_remove_tree_at(dir, name, u->e);
    return unlinkat(dir, name, 0) == 0 || err_sys(u->e, "cannot replace '%s'", name);
}

bool unpack_mkdir(struct unpacker *u, int dir, const char *name, bool *made)
{
    struct stat st;
    bool whiteout = false;
    *made = true;
    if (mkdirat(dir, name, 0700) == 0) return true;
    if (errno != EEXIST) return err_sys(u->e, "cannot make the directory '%s'", name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) return *made = false, true;
    if (!unpack_clear(u, dir, name, &whiteout)) return false;
    if (mkdirat(dir, name, 0700) != 0) return err_sys(u->e, "cannot make the directory '%s'", name);
    return !whiteout || unpack_opaque(u, dir, name); /* what was there below was removed first */
}

static int leads_out(struct unpacker *u, struct str path, int sys)
{
    const char *why = sys == EXDEV ? "leads out of the layer" : sys == ELOOP ? "goes through links in a circle" :
                      sys == ENOTDIR ? "goes through something that is no directory" :
                      sys == ENAMETOOLONG ? "has a name that is too long" : NULL;
    if (why) err_set(u->e, ERR_SPEC, "a layer has an entry below '%.*s', which %s", STR_ARG(str_sub(path, 0, 200)), why);
    else err_ctx(u->e, "unpacking a layer");
    return -1;
}

static int dir_open(struct unpacker *u, struct str path, struct err *e)
{
    return fd_open_beneath(u->o->root_fd, path.n ? str_z(&u->a, path) : ".", O_RDONLY | O_DIRECTORY, 0, e);
}

/* Makes the missing parts of `path`, from the top down. */
static bool parents_make(struct unpacker *u, struct str path)
{
    struct err e = {0};
    for (size_t i = 0; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/') continue;
        struct str part = str_sub(path, 0, i);
        int fd CLEANUP(close_fd) = dir_open(u, part, &e);
        if (fd >= 0) continue;
        size_t cut = i;
        while (cut > 0 && path.p[cut - 1] != '/') cut--;
        const char *name = str_z(&u->a, str_sub(path, cut, i - cut));
        int up CLEANUP(close_fd) = dir_open(u, str_sub(path, 0, cut ? cut - 1 : 0), &e);
        struct stat st;
        bool there = up >= 0 && fstatat(up, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (up < 0 || (there && !stack_is_whiteout(&st))) {
            if (u->e) *u->e = e;
            leads_out(u, part, there && e.code == ERR_NOT_FOUND ? EXDEV : e.sys);
            return false;
        }
        bool made; /* as it was missing */
        if (!unpack_mkdir(u, up, name, &made) || !implied_note(u, up, name, part)) return false;
    }
    return true;
}

int unpack_parent(struct unpacker *u, struct str path, bool make, const char **last)
{
    size_t cut = path.n;
    struct err e = {0};
    while (cut > 0 && path.p[cut - 1] != '/') cut--;
    struct str dir = str_sub(path, 0, cut ? cut - 1 : 0);
    *last = str_z(&u->a, str_from(path, cut));
    if (u->parent_fd >= 0 && str_eq(dir, buf_view(&u->parent))) return u->parent_fd;
    unpack_forget_parent(u);
    u->parent_fd = dir_open(u, dir, &e);
    bool missing = u->parent_fd < 0 && (e.code == ERR_NOT_FOUND || e.sys == ENOTDIR);
    if (missing && make) {
        if (!parents_make(u, dir)) return -1;
        u->parent_fd = dir_open(u, dir, &e);
    }
    if (u->parent_fd < 0) {
        if (u->e) *u->e = e;
        return leads_out(u, dir, e.sys);
    }
    buf_str(&u->parent, dir);
    return u->parent_fd;
}
