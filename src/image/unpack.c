/* See unpack.h. libarchive only reads the tar; everything is made here, relative to descriptors. */
#include "image/unpack_p.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "os/fd.h"

static const struct str wh = {".wh.", 4}, wh_opaque = {".wh..wh..opq", 12}, wh_private = {".wh..wh.", 8};

/* ---- attributes ---- */

static struct timespec mtime_of(struct archive_entry *ae)
{
    return (struct timespec){archive_entry_mtime_is_set(ae) ? archive_entry_mtime(ae) : 0, archive_entry_mtime_nsec(ae)};
}

static bool owner_of(struct unpacker *u, struct archive_entry *ae, uid_t *uid, gid_t *gid)
{
    int64_t us = archive_entry_uid(ae), g = archive_entry_gid(ae);
    *uid = (uid_t)us;
    *gid = (gid_t)g;
    return !u->root || (us >= 0 && g >= 0 && us < UINT32_MAX && g < UINT32_MAX) ||
           err_set(u->e, ERR_SPEC, "a layer has an entry with the owner %lld:%lld", (long long)us, (long long)g);
}

/* Of the names that an image may use only user.* is kept: overlayfs' own would change what the mount shows, and
 * security.capability would be of no use, because steps gain no privileges by executing. */
static bool xattrs_set(struct unpacker *u, struct archive_entry *ae, int fd)
{
    const char *name;
    const void *value;
    size_t n;
    if (!archive_entry_xattr_reset(ae)) return true;
    while (archive_entry_xattr_next(ae, &name, &value, &n) == ARCHIVE_OK) {
        bool keep = str_starts(str_of(name), STR("user.")) && !str_starts(str_of(name), STR("user.overlay."));
        if (keep && fsetxattr(fd, name, value, n, 0) == 0) continue;
        if (keep && errno != ENOTSUP) return err_sys(u->e, "cannot set the extended attribute '%.100s'", name);
        u->r->xattrs++;
    }
    return true;
}

static bool fd_attributes(struct unpacker *u, struct archive_entry *ae, int fd, const char *name)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime_of(ae)};
    uid_t uid;
    gid_t gid;
    if (!owner_of(u, ae, &uid, &gid) || !xattrs_set(u, ae, fd)) return false;
    if (u->root && fchown(fd, uid, gid) != 0) return err_sys(u->e, "cannot change the owner of '%s'", name);
    if (fchmod(fd, archive_entry_perm(ae)) != 0) return err_sys(u->e, "cannot change the mode of '%s'", name);
    return futimens(fd, times) == 0 || err_sys(u->e, "cannot change the time of '%s'", name);
}

/* Of a symlink or pipe, which is not opened. */
static bool at_attributes(struct unpacker *u, struct archive_entry *ae, int dir, const char *name, bool mode)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime_of(ae)};
    uid_t uid;
    gid_t gid;
    if (!owner_of(u, ae, &uid, &gid)) return false;
    u->r->xattrs += (uint64_t)archive_entry_xattr_count(ae);
    if (u->root && fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
        return err_sys(u->e, "cannot change the owner of '%s'", name);
    if (mode && fchmodat(dir, name, archive_entry_perm(ae), 0) != 0) return err_sys(u->e, "cannot change the mode of '%s'", name);
    return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) == 0 || err_sys(u->e, "cannot change the time of '%s'", name);
}

/* ---- entries ---- */

static bool read_failed(struct unpacker *u)
{
    const char *why = archive_error_string(u->ar);
    if (u->e->code) return false;
    return err_set(u->e, ERR_SPEC, "a layer is no tar that can be read: %s", why ? why : "unknown error");
}

static bool block_write(struct unpacker *u, int fd, const char *p, size_t n, la_int64_t at)
{
    while (n) {
        ssize_t w = pwrite(fd, p, n, at);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return err_sys(u->e, "cannot write an unpacked file");
        p += w;
        n -= (size_t)w;
        at += w;
    }
    return true;
}

/* Data may have holes. Sizes are claims: what counts against the limit is what the file becomes. */
static bool data_write(struct unpacker *u, struct archive_entry *ae, int fd, const char *name)
{
    const void *p;
    size_t n;
    la_int64_t at;
    uint64_t end = 0, size = (uint64_t)MAX(archive_entry_size(ae), 0);
    int got;
    u->r->bytes += size;
    if (size > (uint64_t)LIMIT_IMAGE_LAYER_MIB << 20 || u->r->bytes > (uint64_t)LIMIT_IMAGE_LAYER_MIB << 20)
        return err_set(u->e, ERR_LIMIT, "a layer has more than %d MiB of files (LIMIT_IMAGE_LAYER_MIB)", LIMIT_IMAGE_LAYER_MIB);
    while ((got = archive_read_data_block(u->ar, &p, &n, &at)) == ARCHIVE_OK) {
        if ((uint64_t)at + n > size) return err_set(u->e, ERR_SPEC, "'%s' in a layer is larger than it says", name);
        if (!block_write(u, fd, p, n, at)) return false;
        end = (uint64_t)at + n;
    }
    if (got != ARCHIVE_EOF) return read_failed(u);
    return end == size || ftruncate(fd, (off_t)size) == 0 || err_sys(u->e, "cannot set the size of '%s'", name);
}

static int file_create(struct unpacker *u, int dir, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    bool whiteout;
    int fd = openat(dir, name, flags, 0600);
    if (fd < 0 && errno == EEXIST) {
        if (!unpack_clear(u, dir, name, &whiteout)) return -1;
        fd = openat(dir, name, flags, 0600);
    }
    if (fd < 0) err_sys(u->e, "cannot make '%s'", name);
    return fd;
}

static bool file_entry(struct unpacker *u, struct archive_entry *ae, int dir, const char *name)
{
    int fd CLEANUP(close_fd) = file_create(u, dir, name);
    return fd >= 0 && data_write(u, ae, fd, name) && fd_attributes(u, ae, fd, name);
}

static bool dir_entry(struct unpacker *u, struct archive_entry *ae, struct str path, int dir, const char *name)
{
    struct unpack_dir d = {.path = path, .mode = archive_entry_perm(ae), .mtime = mtime_of(ae)};
    if (!owner_of(u, ae, &d.uid, &d.gid)) return false;
    if (path.p && !unpack_mkdir(u, dir, name, &d.made)) return false;
    if (!unpack_dir_note(u, dir, name, d)) return false;
    if (!archive_entry_xattr_count(ae)) return true;
    int fd CLEANUP(close_fd) = openat(dir, path.p ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? xattrs_set(u, ae, fd) : err_sys(u->e, "cannot open the directory '%s'", name);
}

static bool symlink_entry(struct unpacker *u, struct archive_entry *ae, int dir, const char *name)
{
    const char *target = archive_entry_symlink(ae);
    bool whiteout;
    if (!target || !*target) return err_set(u->e, ERR_SPEC, "the link '%s' in a layer leads to nothing", name);
    if (strlen(target) > LIMIT_IMAGE_PATH_BYTES)
        return err_set(u->e, ERR_LIMIT, "the link '%s' in a layer is longer than LIMIT_IMAGE_PATH_BYTES", name);
    if (symlinkat(target, dir, name) != 0) {
        if (errno != EEXIST) return err_sys(u->e, "cannot make the link '%s'", name);
        if (!unpack_clear(u, dir, name, &whiteout)) return false;
        if (symlinkat(target, dir, name) != 0) return err_sys(u->e, "cannot make the link '%s'", name);
    }
    return at_attributes(u, ae, dir, name, false);
}

static bool pipe_entry(struct unpacker *u, struct archive_entry *ae, int dir, const char *name)
{
    bool whiteout;
    return unpack_clear(u, dir, name, &whiteout) && (mkfifoat(dir, name, 0600) == 0 || err_sys(u->e, "cannot make the pipe '%s'", name)) &&
           at_attributes(u, ae, dir, name, true);
}

/* Links never lead out: both ends are reached below the directory, or in the layers below it, which lie
 * in the same file system and never change. */
static bool hardlink_entry(struct unpacker *u, const char *raw, struct str path)
{
    struct str target;
    const char *from, *name;
    struct stat st;
    bool whiteout;
    struct err e = {0}, *outer = u->e;
    if (!unpack_name(u, raw, &target)) return false;
    if (!target.p) return err_set(u->e, ERR_SPEC, "'%.*s' in a layer is a hard link to its root", STR_ARG(str_sub(path, 0, 200)));
    u->e = &e;
    int there = unpack_parent(u, target, false, &from);
    u->e = outer;
    int from_dir CLEANUP(close_fd) = there >= 0 ? fcntl(there, F_DUPFD_CLOEXEC, 3) : -1;
    if (there < 0 && e.code == ERR_SPEC) return *u->e = e, false;
    bool found = from_dir >= 0 && fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!found) {
        close_fd(&from_dir);
        if (!u->o->lowest && !u->o->n_lower) return unpack_wants_lower(u, target);
        from_dir = unpack_lower(u, target, &from);
        found = from_dir >= 0 && fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) == 0;
    }
    if (!found || S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode))
        return err_set(u->e, ERR_SPEC, "'%.*s' in a layer is a hard link to '%.200s', which is no file of the image",
                       STR_ARG(str_sub(path, 0, 200)), raw);
    int dir = unpack_parent(u, path, true, &name);
    struct stat old;
    if (dir >= 0 && fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino && old.st_dev == st.st_dev) return true;
    return dir >= 0 && unpack_clear(u, dir, name, &whiteout) &&
           (linkat(from_dir, from, dir, name, 0) == 0 || err_sys(u->e, "cannot make the hard link '%s'", name));
}

/* Applies to what lies below only: a file of this layer stays; a directory of it hides what it had below. */
static bool whiteout_entry(struct unpacker *u, int dir, const char *name)
{
    struct str base = str_of(name);
    struct stat st;
    if (str_eq(base, wh_opaque)) return unpack_opaque(u, dir, ".");
    if (str_starts(base, wh_private)) return true; /* aufs' own */
    const char *hides = name + wh.n;
    if (!*hides || !strcmp(hides, ".") || !strcmp(hides, ".."))
        return err_set(u->e, ERR_SPEC, "a layer has the whiteout '%s', which hides nothing", name);
    if (fstatat(dir, hides, &st, AT_SYMLINK_NOFOLLOW) == 0) return !S_ISDIR(st.st_mode) || unpack_opaque(u, dir, hides);
    return mknodat(dir, hides, S_IFCHR | 0600, makedev(0, 0)) == 0 || err_sys(u->e, "cannot make the whiteout of '%s'", hides);
}

static bool entry_make(struct unpacker *u, struct archive_entry *ae)
{
    struct str path;
    const char *name, *hard = archive_entry_hardlink(ae);
    unsigned type = archive_entry_filetype(ae);
    if (!unpack_name(u, archive_entry_pathname(ae), &path)) return false;
    if (!path.p) return type != AE_IFDIR || hard ? err_set(u->e, ERR_SPEC, "a layer has an entry without a name")
                                                 : dir_entry(u, ae, path, u->o->root_fd, ".");
    if (hard) return hardlink_entry(u, hard, path);
    int dir = unpack_parent(u, path, true, &name);
    if (dir < 0) return false;
    if (str_starts(str_of(name), wh)) return whiteout_entry(u, dir, name);
    switch (type) {
    case AE_IFREG: return file_entry(u, ae, dir, name);
    case AE_IFDIR: return dir_entry(u, ae, path, dir, name);
    case AE_IFLNK: return symlink_entry(u, ae, dir, name);
    case AE_IFIFO: return pipe_entry(u, ae, dir, name);
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFSOCK: u->r->devices++; return true;
    default: return err_set(u->e, ERR_SPEC, "'%s' in a layer is of an unknown kind", name);
    }
}

/* ---- the whole layer ---- */

static la_ssize_t on_read(struct archive *ar, void *user, const void **p)
{
    struct unpacker *u = user;
    size_t n;
    (void)ar;
    if (!stream_next(u->stream, p, &n)) return ARCHIVE_FATAL;
    u->head_bytes = u->in_head ? u->head_bytes + n : 0;
    if (u->head_bytes <= LIMIT_IMAGE_HEAD_BYTES) return (la_ssize_t)n;
    err_set(u->e, ERR_LIMIT, "a layer has an entry with more than %d bytes before its data (LIMIT_IMAGE_HEAD_BYTES)", LIMIT_IMAGE_HEAD_BYTES);
    return ARCHIVE_FATAL;
}

/* libarchive keeps a map of holes in memory, of any length: so it gets no more than a part of the layer for one header. */
static int next_header(struct unpacker *u, struct archive_entry **ae)
{
    u->head_bytes = 0;
    u->in_head = true;
    int got = archive_read_next_header(u->ar, ae);
    u->in_head = false;
    return got;
}

static bool entries_make(struct unpacker *u)
{
    struct archive_entry *ae;
    int got;
    while ((got = next_header(u, &ae)) >= ARCHIVE_WARN && got != ARCHIVE_EOF) {
        if (++u->r->entries > LIMIT_IMAGE_ENTRIES)
            return err_set(u->e, ERR_LIMIT, "a layer has more than %d entries (LIMIT_IMAGE_ENTRIES)", LIMIT_IMAGE_ENTRIES);
        if (u->a.used > 1 << 16) arena_reset(&u->a);
        if (!entry_make(u, ae)) return false;
        if (archive_read_data_skip(u->ar) < ARCHIVE_WARN) return read_failed(u); /* of what has data and is no file */
    }
    return got == ARCHIVE_EOF || read_failed(u);
}

static int by_inode(const void *a, const void *b)
{
    const struct unpack_dir *x = a, *y = b;
    if (x->ino != y->ino) return x->ino < y->ino ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* A directory that was removed leaves its number to others: what was noted before the last one with a
 * number was made is not about that one. */
static void dirs_forget_removed(struct unpacker *u)
{
    size_t kept = 0, of_inode = 0;
    qsort(u->dirs.items, u->dirs.n, sizeof *u->dirs.items, by_inode);
    for (size_t i = 0; i < u->dirs.n; i++) {
        struct unpack_dir d = u->dirs.items[i];
        if (kept && u->dirs.items[kept - 1].ino != d.ino) of_inode = kept;
        if (d.made) kept = of_inode;
        u->dirs.items[kept++] = d;
    }
    u->dirs.n = kept;
}

/* Longer paths first: what lies in a directory before it may lose the permission to enter; of one
 * directory in the order of the layer. */
static int by_depth(const void *a, const void *b)
{
    const struct unpack_dir *x = a, *y = b;
    if (x->path.n != y->path.n) return x->path.n < y->path.n ? 1 : -1;
    return x->order < y->order ? -1 : 1;
}

static bool dir_finish(struct unpacker *u, const struct unpack_dir *d)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, d->mtime};
    struct err e = {0};
    int fd CLEANUP(close_fd) = fd_open_beneath(u->o->root_fd, d->path.n ? d->path.p : ".", O_RDONLY | O_DIRECTORY, 0, &e);
    struct stat st;
    bool gone = e.code == ERR_NOT_FOUND || e.sys == ENOTDIR || e.sys == ELOOP || e.sys == EXDEV; /* a link stands there now */
    if (fd < 0) return gone || err_set(u->e, ERR_IO, "unpacking a layer: %s", e.text);
    if (fstat(fd, &st) != 0 || st.st_ino != d->ino) return true;
    if (u->root && fchown(fd, d->uid, d->gid) != 0) return err_sys(u->e, "cannot change the owner of a directory");
    if (fchmod(fd, d->mode) != 0 || futimens(fd, times) != 0) return err_sys(u->e, "cannot change the attributes of a directory");
    return true;
}

static bool dirs_finish(struct unpacker *u)
{
    bool ok = fchmod(u->o->root_fd, 0755) == 0 || err_sys(u->e, "cannot change the mode of a directory");
    if (!u->dirs.n) return ok;
    dirs_forget_removed(u);
    qsort(u->dirs.items, u->dirs.n, sizeof *u->dirs.items, by_depth);
    for (size_t i = 0; ok && i < u->dirs.n; i++) ok = dir_finish(u, &u->dirs.items[i]);
    return ok;
}

static bool tar_read(struct unpacker *u)
{
    u->ar = archive_read_new();
    if (!u->ar) IMPOSSIBLE("no memory for an archive");
    archive_read_support_format_tar(u->ar);
    archive_read_support_format_empty(u->ar);
    bool ok = archive_read_open(u->ar, u, NULL, on_read, NULL) == ARCHIVE_OK ? entries_make(u) : read_failed(u);
    archive_read_free(u->ar);
    return ok;
}

bool layer_unpack(const struct unpack_opts *o, struct unpack_result *r, struct err *e)
{
    /* libarchive converts names by the locale, and crashes in "C" on one that is not ASCII */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = utf8 ? uselocale(utf8) : (locale_t)0;
    struct err why = {0}, stream_why = {0};
    struct unpacker u = {.o = o, .r = r, .root = geteuid() == 0, .parent_fd = -1, .e = &why};
    *r = (struct unpack_result){0};
    arena_init(&u.a);
    arena_init(&u.kept);
    buf_init(&u.parent, LIMIT_IMAGE_PATH_BYTES);
    u.stream = stream_new(&o->source, o->blob_digest, o->diff_id, o->cancelled, o->read_bytes, &why);
    bool ok = u.stream && tar_read(&u);
    if (u.stream && !stream_end(u.stream, !ok && !(why.code == ERR_SPEC), &stream_why)) {
        ok = false; /* wrong bytes explain a wrong tar */
        why = stream_why;
    }
    ok = ok && dirs_finish(&u);
    unpack_forget_parent(&u);
    buf_fini(&u.parent);
    VEC_FINI(&u.dirs);
    arena_fini(&u.a);
    arena_fini(&u.kept);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    if (!ok && e) *e = why;
    return ok;
}
