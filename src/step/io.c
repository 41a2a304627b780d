/* File helpers of supervisors; see io_p.h. */
#include "step/io_p.h"
#include "step/step_dir_p.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int64_t io_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t io_mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool io_write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

bool io_read_file(struct arena *a, int dir_fd, const char *name, size_t max, struct str *out)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return false;
    struct stat st;
    bool ok = fstat(fd, &st) == 0;
    if (ok && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)) {
        errno = EFBIG;
        ok = false;
    }
    size_t n = 0;
    char *p = ok ? arena_alloc_bytes(a, (size_t)st.st_size + 1) : NULL;
    while (ok && n < (size_t)st.st_size) {
        ssize_t r = read(fd, p + n, (size_t)st.st_size - n);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) ok = false;
        if (r <= 0) break;
        n += (size_t)r;
    }
    close(fd);
    if (ok) {
        p[n] = 0;
        *out = str_n(p, n);
    }
    return ok;
}

bool io_mkdirs(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST) return true;
    if (errno != ENOENT) return false;
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *p = part + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        if (mkdir(part, mode) != 0 && errno != EEXIST) return false;
        *p = '/';
    }
    return mkdir(path, mode) == 0 || errno == EEXIST;
}

int io_open_in(int dir_fd, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};
    long fd;
    do fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return (int)fd;
}

static int open_beneath(int top, const char *path, int flags)
{
    return io_open_in(top, path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

/* What is there already keeps its mode. */
static bool make_beneath(int dir_fd, const char *name, mode_t mode)
{
    if (mkdirat(dir_fd, name, 0700) != 0) return errno == EEXIST;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fchmod(fd, mode) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

int io_open_beneath(int top, const char *path, mode_t mode)
{
    char part[4096];
    int fd = open_beneath(top, path, O_PATH), at = -1;
    if (fd >= 0 || errno != ENOENT) return fd;
    at = open_beneath(top, ".", O_PATH | O_DIRECTORY);
    for (const char *from = path; at >= 0 && *from;) {
        size_t n = strcspn(from, "/");
        snprintf(part, sizeof part, "%.*s", (int)n, from);
        if (n && !make_beneath(at, part, mode)) break;
        from += n + (from[n] == '/');
        snprintf(part, sizeof part, "%.*s", (int)(from - path), path);
        close(at);
        at = open_beneath(top, part, O_PATH | (*from ? O_DIRECTORY : 0));
        if (at >= 0 && !*from) return at;
    }
    int why = errno;
    if (at >= 0) close(at);
    errno = why;
    return -1;
}

bool step_dir_open(struct step_dir *d, struct err *e)
{
    if (d->fd >= 0) return true;
    if (mkdir(d->path, 0700) == 0 || errno == EEXIST || io_mkdirs(d->path, 0700))
        d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return d->fd >= 0 || err_sys(e, "%s", d->path);
}

void step_dir_close(struct step_dir *d)
{
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
}
