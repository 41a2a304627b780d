/* Copying and removing trees that a step left behind. What is in them is hostile: symlinks are never
 * followed, special files never opened, depth is bounded. Runs on: any thread. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/io_p.h"

/* ---- removing ---- */

struct removal {
    int top;        /* too deep directories are moved up to here, then removed from here */
    unsigned moved; /* so many */
    unsigned names; /* for their names */
    int error;
};

enum { NAMES_MAX = 1 << 20 }; /* what a step may have put there under such names */

static int open_dir(int dir_fd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = openat(dir_fd, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0) fd = openat(dir_fd, name, flags);
    return fd;
}

static bool is_dots(const char *n) { return n[0] == '.' && (!n[1] || (n[1] == '.' && !n[2])); }

static void remove_entry(struct removal *r, int dir_fd, const char *name, int depth);

static void empty_dir(struct removal *r, int fd, int depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        r->error = errno;
        close(fd);
        return;
    }
    for (struct dirent *de; (de = readdir(d));)
        if (!is_dots(de->d_name)) remove_entry(r, dirfd(d), de->d_name, depth);
    closedir(d);
}

/* Both directories must be writable: the one it is in, and itself, because its ".." changes. (os/dir.c has the same: steps
 * include base only.) */
static bool move_up(struct removal *r, int dir_fd, const char *name)
{
    bool opened = false;
    while (r->names < NAMES_MAX) {
        char up[40];
        snprintf(up, sizeof up, ".deep-%u", r->names++);
        if (renameat(dir_fd, name, r->top, up) == 0) return ++r->moved;
        if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) continue;
        if (errno != EACCES || opened || fchmod(dir_fd, 0700) != 0) return false;
        int fd = open_dir(dir_fd, name);
        opened = fd >= 0 && fchmod(fd, 0700) == 0;
        if (fd >= 0) close(fd);
        if (!opened) return false;
    }
    return false;
}

static void remove_entry(struct removal *r, int dir_fd, const char *name, int depth)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) return;
    if (errno == EACCES && fchmod(dir_fd, 0700) == 0 && unlinkat(dir_fd, name, 0) == 0) return;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) {
        r->error = errno;
        return;
    }
    if (depth >= LIMIT_STEP_TREE_DEPTH / 2) {
        if (!move_up(r, dir_fd, name)) r->error = errno;
        return;
    }
    int fd = open_dir(dir_fd, name);
    if (fd >= 0) empty_dir(r, fd, depth + 1);
    if (fd < 0 || unlinkat(dir_fd, name, AT_REMOVEDIR) != 0) r->error = errno;
}

bool io_remove_tree(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) return false;
    struct removal r = {.top = open_dir(dir_fd, name)};
    if (r.top < 0) return false;
    unsigned moved;
    do {
        moved = r.moved;
        r.error = 0;
        int again = openat(r.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again < 0) break;
        empty_dir(&r, again, 0);
    } while (r.moved != moved); /* moved up ones are new entries of the top */
    close(r.top);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0) return true;
    if (r.error) errno = r.error;
    return false;
}

/* ---- copying ---- */

static bool copy_bytes(int src, int dst, uint64_t *size)
{
    char chunk[16384];
    bool plain = false;
    for (;;) {
        ssize_t n = plain ? read(src, chunk, sizeof chunk) : copy_file_range(src, NULL, dst, NULL, 1 << 30, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 && !plain) { /* another file system, or a file without size (/proc) */
            plain = true;
            continue;
        }
        if (n < 0) return false;
        if (n == 0) return true;
        if (plain && !io_write_all(dst, chunk, (size_t)n)) return false;
        *size += (uint64_t)n;
    }
}

/* Owner first: a change of it may take bits away. */
static bool copy_looks(int dst, const struct stat *st, const struct io_copy *how, int depth)
{
    bool given = how->mode >= 0 && (depth == 0 || how->recurse);
    mode_t mode = given ? (mode_t)how->mode : st->st_mode;
    if ((how->uid >= 0 || how->gid >= 0) && fchown(dst, (uid_t)how->uid, (gid_t)how->gid) != 0) return false;
    return fchmod(dst, (mode & 0777) | how->add_mode) == 0;
}

static bool copy_file(int src, const struct stat *st, int dir_fd, const char *name, struct io_copy *how, int depth)
{
    int dst = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dst < 0) return false;
    bool ok = copy_bytes(src, dst, &how->bytes) && copy_looks(dst, st, how, depth);
    if (close(dst) != 0) ok = false;
    return ok;
}

static bool copy_link(int src_dir, int dir_fd, const char *name, const struct io_copy *how)
{
    char to[4096];
    ssize_t n = readlinkat(src_dir, name, to, sizeof to - 1);
    if (n < 0) return false;
    to[n] = 0;
    if (symlinkat(to, dir_fd, name) != 0) return false;
    return (how->uid < 0 && how->gid < 0) || fchownat(dir_fd, name, (uid_t)how->uid, (gid_t)how->gid, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool count_entry(struct io_copy *how)
{
    errno = E2BIG;
    return !how->max_entries || how->entries++ < how->max_entries;
}

static bool copy_at(int src, int dir_fd, const char *name, struct io_copy *how, int depth);

static bool copy_entry(int src_dir, const struct dirent *de, int dst_dir, struct io_copy *how, int depth)
{
    struct stat st;
    if (fstatat(src_dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISLNK(st.st_mode)) return count_entry(how) && copy_link(src_dir, dst_dir, de->d_name, how);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) return true;
    int fd = openat(src_dir, de->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == EACCES && how->leave_unreadable) {
        how->left_out++;
        return true;
    }
    if (fd < 0) return false;
    bool ok = copy_at(fd, dst_dir, de->d_name, how, depth + 1);
    close(fd);
    return ok;
}

static bool copy_dir(int src, const struct stat *st, int dir_fd, const char *name, struct io_copy *how, int depth)
{
    if (mkdirat(dir_fd, name, 0700) != 0) return false;
    int dst = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int again = dst < 0 ? -1 : openat(src, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    bool ok = d != NULL;
    for (struct dirent *de; ok && (de = readdir(d));)
        if (!is_dots(de->d_name)) ok = copy_entry(src, de, dst, how, depth);
    int why = errno;
    if (d) closedir(d);
    else if (again >= 0) close(again);
    if (ok) ok = copy_looks(dst, st, how, depth);
    else errno = why;
    if (dst >= 0) close(dst);
    return ok;
}

static bool copy_at(int src, int dir_fd, const char *name, struct io_copy *how, int depth)
{
    struct stat st;
    if (depth > LIMIT_STEP_TREE_DEPTH) {
        errno = ELOOP;
        return false;
    }
    if (!count_entry(how) || fstat(src, &st) != 0) return false;
    if (S_ISDIR(st.st_mode)) return copy_dir(src, &st, dir_fd, name, how, depth);
    if (S_ISREG(st.st_mode)) return copy_file(src, &st, dir_fd, name, how, depth);
    errno = EINVAL; /* a fifo, socket or device */
    return false;
}

bool io_copy_tree(int src, int dir_fd, const char *name, struct io_copy *how)
{
    return copy_at(src, dir_fd, name, how, 0);
}
