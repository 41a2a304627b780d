/* See unpack.h. libarchive only reads; entries are made here, relative to a descriptor, because its
 * own extraction works relative to the process's current directory. Hard links become copies. */
#include "artifact/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/archive_util.h"
#include "artifact/tree_ops.h"
#include "base/limits.h"
#include "os/fd.h"

enum { BLOCK = 64 << 10 };

struct unpacker {
    struct archive *ar;
    int root;
    uint64_t entries, bytes, max_bytes;
    uint64_t packed; /* size of the archive */
    struct arena a; /* of one entry */
    struct err *e;
};

#define MIB(n) ((uint64_t)(n) << 20)

static bool read_failed(struct unpacker *u)
{
    const char *why = archive_error_string(u->ar);
    return err_set(u->e, ERR_SPEC, "cannot read the archive: %s", why ? why : "unknown error");
}

static bool bytes_count(struct unpacker *u, uint64_t n)
{
    if (n > u->max_bytes - u->bytes)
        return err_set(u->e, ERR_LIMIT, "archive unpacks to more than %llu bytes",
                       (unsigned long long)u->max_bytes);
    u->bytes += n;
    if (u->bytes <= MIB(LIMIT_ARTIFACT_RATIO_FREE_MIB) || u->bytes / LIMIT_ARTIFACT_RATIO <= u->packed)
        return true;
    return err_set(u->e, ERR_LIMIT, "archive expands more than %d times (LIMIT_ARTIFACT_RATIO)",
                   LIMIT_ARTIFACT_RATIO);
}

/* The name without "./" and trailing slashes; absent for the root itself. False: not acceptable. */
static bool name_check(struct unpacker *u, const char *raw, struct str *out)
{
    struct buf clean CLEANUP(buf_fini);
    struct str rest = str_of(raw), part;
    unsigned depth = 0;
    *out = STR_NONE;
    buf_init(&clean, 4095);
    if (!raw) return err_set(u->e, ERR_SPEC, "archive entry has no name");
    if (raw[0] == '/') return err_set(u->e, ERR_SPEC, "archive entry '%.200s' is an absolute path", raw);
    while (rest.p) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n || str_is(part, ".")) continue;
        if (str_is(part, "..")) return err_set(u->e, ERR_SPEC, "archive entry '%.200s' has '..' in it", raw);
        if (clean.n) buf_char(&clean, '/');
        buf_str(&clean, part);
        depth++;
    }
    if (clean.overflow || depth > LIMIT_ARTIFACT_DEPTH)
        return err_set(u->e, ERR_LIMIT, "archive entry nests deeper than %d (LIMIT_ARTIFACT_DEPTH)",
                       LIMIT_ARTIFACT_DEPTH);
    if (clean.n) *out = buf_dup(&u->a, &clean);
    return true;
}

static int dir_step(struct unpacker *u, int dir, const char *name, bool make)
{
    if (make && mkdirat(dir, name, 0755) != 0 && errno != EEXIST) {
        err_sys(u->e, "cannot make directory '%s'", name);
        return -1;
    }
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno == ELOOP || errno == ENOTDIR)
        err_set(u->e, ERR_SPEC, "archive entry goes through '%s', which is no directory", name);
    else err_sys(u->e, "cannot open directory '%s'", name);
    return -1;
}

/* Opens the directory that `path` lies in, step by step, and says the last part's name. */
static int parent_open(struct unpacker *u, struct str path, bool make, const char **last)
{
    int dir = openat(u->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) err_sys(u->e, "cannot open the unpacking directory");
    struct str part = path, rest = path;
    while (dir >= 0 && str_cut(rest, '/', &part, &rest)) {
        int next = dir_step(u, dir, str_z(&u->a, part), make);
        close_fd(&dir);
        dir = next;
    }
    *last = str_z(&u->a, part);
    return dir;
}

/* A later entry replaces an earlier one of the same name, as tar does; never a directory. */
static bool name_clear(struct unpacker *u, int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return true;
    return err_set(u->e, ERR_SPEC, "archive entry '%s' would replace a directory", name);
}

static int file_make(struct unpacker *u, int dir, const char *name)
{
    if (!name_clear(u, dir, name)) return -1;
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) err_sys(u->e, "cannot make '%s'", name);
    return fd;
}

static bool block_write(struct unpacker *u, int fd, const void *p, size_t n, la_int64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = pwrite(fd, (const char *)p + done, n - done, at + (la_int64_t)done);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return err_sys(u->e, "cannot write an unpacked file");
        done += (size_t)w;
    }
    return true;
}

/* Data may have holes; what counts against the limits is where it ends. */
static bool data_read(struct unpacker *u, int fd)
{
    const void *p;
    size_t n;
    la_int64_t at;
    uint64_t end = 0;
    int got;
    while ((got = archive_read_data_block(u->ar, &p, &n, &at)) >= ARCHIVE_WARN && got != ARCHIVE_EOF) {
        uint64_t to = (uint64_t)at + n;
        if (to > end && !bytes_count(u, to - end)) return false;
        end = MAX(end, to);
        if (!block_write(u, fd, p, n, at)) return false;
    }
    if (got != ARCHIVE_EOF) return read_failed(u);
    return ftruncate(fd, (off_t)end) == 0 || err_sys(u->e, "cannot set the size of an unpacked file");
}

static bool file_entry(struct unpacker *u, struct archive_entry *ae, int dir, const char *name)
{
    if (archive_entry_size_is_set(ae) && (archive_entry_size(ae) < 0 ||
                                          (uint64_t)archive_entry_size(ae) > u->max_bytes - u->bytes))
        return bytes_count(u, UINT64_MAX);
    int fd CLEANUP(close_fd) = file_make(u, dir, name);
    if (fd < 0 || !data_read(u, fd)) return false;
    mode_t mode = archive_entry_perm(ae) & 0111 ? 0755 : 0644;
    return fchmod(fd, mode) == 0 || err_sys(u->e, "cannot change the mode of '%s'", name);
}

/* A copy of an earlier file of the same archive. */
static bool hardlink_entry(struct unpacker *u, const char *target, int dir, const char *name)
{
    struct str path;
    struct stat st;
    const char *last;
    if (!name_check(u, target, &path)) return false;
    if (!path.p) return err_set(u->e, ERR_SPEC, "archive entry '%s' links to a directory", name);
    int from_dir CLEANUP(close_fd) = parent_open(u, path, false, &last);
    if (from_dir < 0) return false;
    int from CLEANUP(close_fd) = openat(from_dir, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(u->e, ERR_SPEC, "archive entry '%s' links to '%.200s', which is no file in it",
                       name, target);
    if (!bytes_count(u, (uint64_t)st.st_size)) return false;
    int fd CLEANUP(close_fd) = file_make(u, dir, name);
    if (fd < 0 || !file_copy(from, fd, u->e)) return false;
    return fchmod(fd, st.st_mode & 0777) == 0 || err_sys(u->e, "cannot change the mode of '%s'", name);
}

static bool link_entry(struct unpacker *u, const char *target, int dir, const char *name)
{
    if (!target || !*target) return err_set(u->e, ERR_SPEC, "archive entry '%s' links to nothing", name);
    if (!name_clear(u, dir, name)) return false;
    return symlinkat(target, dir, name) == 0 || err_sys(u->e, "cannot make link '%s'", name);
}

static bool dir_entry(struct unpacker *u, int dir, const char *name)
{
    int fd CLEANUP(close_fd) = dir_step(u, dir, name, true);
    return fd >= 0;
}

static bool entry_make(struct unpacker *u, struct archive_entry *ae)
{
    struct str path;
    const char *name, *hard = archive_entry_hardlink(ae);
    if (!name_check(u, archive_entry_pathname(ae), &path)) return false;
    unsigned type = archive_entry_filetype(ae);
    if (!path.p) return type == AE_IFDIR || err_set(u->e, ERR_SPEC, "archive entry has no name");
    int dir CLEANUP(close_fd) = parent_open(u, path, true, &name);
    if (dir < 0) return false;
    if (hard) return hardlink_entry(u, hard, dir, name);
    switch (type) {
    case AE_IFREG: return file_entry(u, ae, dir, name);
    case AE_IFDIR: return dir_entry(u, dir, name);
    case AE_IFLNK: return link_entry(u, archive_entry_symlink(ae), dir, name);
    default: return err_set(u->e, ERR_SPEC, "archive entry '%s' is a device, pipe or socket", name);
    }
}

static bool entries_read(struct unpacker *u)
{
    struct archive_entry *ae;
    int got;
    while ((got = archive_read_next_header(u->ar, &ae)) >= ARCHIVE_WARN && got != ARCHIVE_EOF) {
        if (++u->entries > LIMIT_ARTIFACT_ENTRIES)
            return err_set(u->e, ERR_LIMIT, "archive has more than %d entries (LIMIT_ARTIFACT_ENTRIES)",
                           LIMIT_ARTIFACT_ENTRIES);
        arena_reset(&u->a);
        if (!entry_make(u, ae)) return false;
    }
    return got == ARCHIVE_EOF || read_failed(u);
}

/* Only the formats and compressions that are wanted: the others carry most of libarchive's bugs. */
static struct archive *reader_new(enum artifact_archive archive)
{
    struct archive *ar = archive_read_new();
    if (!ar) IMPOSSIBLE("no memory for an archive");
    if (archive == ARTIFACT_ARCHIVE_ZIP) {
        archive_read_support_format_zip_seekable(ar);
        return ar;
    }
    archive_read_support_format_tar(ar);
    archive_read_support_filter_gzip(ar);
    if (archive == ARTIFACT_ARCHIVE_AUTO) return ar;
    archive_read_support_filter_zstd(ar);
    archive_read_support_filter_lz4(ar);
    archive_read_support_filter_xz(ar);
    return ar;
}

bool unpack_is_tgz(int fd)
{
    struct archive_locale loc UNUSED CLEANUP(archive_locale_restore) = archive_locale_utf8();
    struct archive_entry *ae;
    unsigned char magic[2];
    if (pread(fd, magic, 2, 0) != 2 || magic[0] != 0x1f || magic[1] != 0x8b) return false;
    struct archive *ar = reader_new(ARTIFACT_ARCHIVE_AUTO);
    int got = lseek(fd, 0, SEEK_SET) == 0 ? archive_read_open_fd(ar, fd, BLOCK) : ARCHIVE_FATAL;
    if (got == ARCHIVE_OK) got = archive_read_next_header(ar, &ae);
    /* EILSEQ: no tar inside. Damaged gzip data counts as one, so that unpacking says so: it must not
     * pass for a plain file. */
    bool is = got >= ARCHIVE_WARN ? got != ARCHIVE_EOF : archive_errno(ar) != EILSEQ;
    archive_read_free(ar);
    return is;
}

bool unpack_archive(int fd, int dir_fd, enum artifact_archive archive, uint64_t max_bytes,
                    struct err *e)
{
    struct archive_locale loc UNUSED CLEANUP(archive_locale_restore) = archive_locale_utf8();
    struct unpacker u = {.ar = reader_new(archive), .root = dir_fd, .max_bytes = max_bytes, .e = e};
    struct stat st;
    arena_init(&u.a);
    bool ok = (fstat(fd, &st) == 0 && lseek(fd, 0, SEEK_SET) == 0) || err_sys(e, "cannot read the archive");
    u.packed = ok ? (uint64_t)st.st_size : 0;
    if (ok && archive_read_open_fd(u.ar, fd, BLOCK) != ARCHIVE_OK) ok = read_failed(&u);
    ok = ok && entries_read(&u);
    archive_read_free(u.ar);
    arena_fini(&u.a);
    return ok;
}
