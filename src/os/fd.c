/* Descriptors and whole files. */
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/random.h"

void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

bool fd_read_all(int fd, struct buf *out, struct err *e)
{
    for (;;) {
        char *room = out->n < out->max ? buf_room(out, MIN((size_t)65536, out->max - out->n)) : NULL;
        char extra;
        ssize_t n = room ? read(fd, room, MIN((size_t)65536, out->max - out->n)) : read(fd, &extra, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "read");
        if (n == 0) break;
        if (!room) return err_set(e, ERR_LIMIT, "more than %zu bytes", out->max);
        buf_added(out, (size_t)n);
    }
    if (out->p) out->p[out->n] = 0;
    return true;
}

bool fd_write_all(int fd, struct str bytes, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "write");
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}

bool fd_set_nonblock(int fd, bool on, struct err *e)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) != 0)
        return err_sys(e, "non-blocking mode");
    return true;
}

/* Reads into `to` until it is full or the file ends. */
static bool read_full(int fd, char *to, size_t size, size_t *got, struct err *e)
{
    for (*got = 0; *got < size;) {
        ssize_t n = read(fd, to + *got, size - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "read");
        if (n == 0) return true;
        *got += (size_t)n;
    }
    return true;
}

/* A file that has a size is read as long as it is now, straight to where it stays. */
static bool sized_read(int fd, struct arena *a, size_t size, struct str *out, struct err *e)
{
    size_t got;
    char *p = arena_alloc_bytes(a, size + 1);
    if (!read_full(fd, p, size, &got, e)) return false;
    p[got] = 0;
    *out = str_n(p, got);
    return true;
}

bool file_read(struct arena *a, const char *path, size_t max, struct str *out, struct err *e)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return err_set(e, ERR_NOT_FOUND, "no file \"%s\"", path);
    if (fd < 0) return err_sys(e, "%s", path);
    struct stat st;
    size_t size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
    if (size > max) return err_set(e, ERR_LIMIT, "%s: more than %zu bytes", path, max);
    if (size) return sized_read(fd, a, size, out, e) || err_ctx(e, "%s", path);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, max);
    if (!fd_read_all(fd, &b, e)) return err_ctx(e, "%s", path);
    *out = buf_dup(a, &b);
    return true;
}

static bool sync_parent(const char *path, struct err *e)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)MAX(slash - path, 1) : 1, slash ? path : ".");
    CLEANUP(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (fd >= 0 && fsync(fd) == 0) || err_sys(e, "%s", dir);
}

struct replacing {
    mode_t mode;
    const struct stat *like; /* whose file it is to be; NULL: the caller's */
    bool sync;
    bool kept; /* it could be given to them; else nothing was done */
};

static bool replace(const char *path, struct str bytes, struct replacing *r, struct err *e)
{
    char tmp[4096];
    int n = snprintf(tmp, sizeof tmp, "%s.%08x.tmp", path, (unsigned)random_u64());
    r->kept = true;
    if (n < 0 || (size_t)n >= sizeof tmp) return err_set(e, ERR_LIMIT, "path too long: \"%s\"", path);
    CLEANUP(close_fd) int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, r->mode);
    if (fd < 0) return err_sys(e, "%s", tmp);
    r->kept = !r->like || (fchown(fd, r->like->st_uid, r->like->st_gid) == 0 && fchmod(fd, r->mode) == 0);
    bool ok = r->kept && fd_write_all(fd, bytes, e) && (!r->sync || fsync(fd) == 0 || err_sys(e, "fsync"));
    if (ok && rename(tmp, path) != 0) ok = err_sys(e, "rename");
    if (!ok) unlink(tmp);
    if (!r->kept) return true;
    return ok ? !r->sync || sync_parent(path, e) : err_ctx(e, "%s", path);
}

bool file_write_atomic(const char *path, struct str bytes, mode_t mode, bool sync, struct err *e)
{
    struct replacing r = {.mode = mode, .sync = sync};
    return replace(path, bytes, &r, e);
}

static bool write_in_place(const char *path, struct str bytes, struct err *e)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "%s", path);
    return (fd_write_all(fd, bytes, e) && (fsync(fd) == 0 || err_sys(e, "fsync"))) || err_ctx(e, "%s", path);
}

bool file_change(const char *path, struct str bytes, struct err *e)
{
    char real[PATH_MAX];
    struct stat st;
    if (!realpath(path, real) || stat(real, &st) != 0) return err_sys(e, "%s", path);
    struct replacing r = {.mode = st.st_mode & 07777, .like = &st, .sync = true};
    if (st.st_nlink == 1 && !replace(real, bytes, &r, e)) return false;
    return r.kept || write_in_place(real, bytes, e);
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct err *e)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    if (flags & O_NOFOLLOW) how.resolve |= RESOLVE_NO_SYMLINKS;
    long fd;
    do fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd >= 0) return (int)fd;
    if (errno == ENOENT) err_set(e, ERR_NOT_FOUND, "no file \"%s\"", path);
    else err_sys(e, "%s", path);
    return -1;
}
