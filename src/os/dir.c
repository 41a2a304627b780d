/* Directories: make, list, remove. */
#include "os/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "os/fd.h"

bool dir_make_all(const char *path, mode_t mode, struct err *e)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
        return err_set(e, ERR_LIMIT, "path too long: \"%s\"", path);
    for (char *p = part + 1; *part && (p = strchr(p, '/')); p++) {
        *p = 0;
        if (mkdir(part, mode) != 0 && errno != EEXIST) return err_sys(e, "%s", part);
        *p = '/';
    }
    struct stat st;
    if (mkdir(part, mode) == 0) return true;
    if (errno != EEXIST) return err_sys(e, "%s", part);
    if (stat(part, &st) == 0 && S_ISDIR(st.st_mode)) return true;
    return err_set(e, ERR_IO, "\"%s\" is not a directory", part);
}

static bool is_dots(const char *n) { return n[0] == '.' && (!n[1] || (n[1] == '.' && !n[2])); }

struct removal {
    int top;        /* too deep directories are moved up to here: no recursion without bound */
    unsigned moved; /* so many */
    unsigned names; /* for their names */
    struct err *e;
};

enum { NAMES_MAX = 1 << 20 }; /* what may be there under such names already */

static bool remove_entry(struct removal *r, int dir_fd, const char *name, int depth);

static int open_dir(int dir_fd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0) fd = openat(dir_fd, name, flags);
    return fd;
}

/* Takes fd. */
static bool empty_dir(struct removal *r, int fd, int depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_sys(r->e, "reading a directory");
    }
    bool ok = true;
    for (struct dirent *de; ok && (de = readdir(d));)
        if (!is_dots(de->d_name)) ok = remove_entry(r, dirfd(d), de->d_name, depth);
    closedir(d);
    return ok;
}

/* Both directories must be writable: the one it is in, and itself, because its ".." changes. */
static bool move_up(struct removal *r, int dir_fd, const char *name)
{
    bool opened = false;
    while (r->names < NAMES_MAX) {
        char up[40];
        snprintf(up, sizeof up, ".deep-%u", r->names++);
        if (renameat(dir_fd, name, r->top, up) == 0) return ++r->moved;
        if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) continue;
        if (errno != EACCES || opened || fchmod(dir_fd, 0700) != 0) return false;
        CLEANUP(close_fd) int fd = open_dir(dir_fd, name);
        if (fd < 0 || fchmod(fd, 0700) != 0) return false;
        opened = true;
    }
    return false;
}

static bool remove_entry(struct removal *r, int dir_fd, const char *name, int depth)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) return true;
    if (errno == EACCES && fchmod(dir_fd, 0700) == 0 && unlinkat(dir_fd, name, 0) == 0) return true;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) return err_sys(r->e, "removing %s", name);
    if (depth >= LIMIT_STEP_TREE_DEPTH / 2) return move_up(r, dir_fd, name) || err_sys(r->e, "removing %s", name);
    int fd = open_dir(dir_fd, name);
    if (fd < 0) return errno == ENOENT || err_sys(r->e, "removing %s", name);
    return empty_dir(r, fd, depth + 1) &&
           (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || err_sys(r->e, "removing %s", name));
}

bool dir_remove_tree_at(int dir_fd, const char *name, struct err *e)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) return err_sys(e, "%s", name);
    CLEANUP(close_fd) int top = open_dir(dir_fd, name);
    if (top < 0) return err_sys(e, "%s", name);
    struct removal r = {.top = top, .e = e};
    unsigned before;
    do {
        before = r.moved;
        int again = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again < 0) return err_sys(e, "%s", name);
        if (!empty_dir(&r, again, 0)) return err_ctx(e, "%s", name);
    } while (r.moved != before);
    return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || err_sys(e, "%s", name);
}

bool dir_remove_tree(const char *path, struct err *e) { return dir_remove_tree_at(AT_FDCWD, path, e); }

bool dir_sync(const char *path, struct err *e)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (fd >= 0 && fsync(fd) == 0) || err_sys(e, "%s", path);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

bool dir_read(struct arena *a, const char *path, struct dir_list *out, struct err *e)
{
    VEC(struct dir_entry) found = {0};
    DIR *d = opendir(path);
    if (!d && errno == ENOENT) return err_set(e, ERR_NOT_FOUND, "no directory \"%s\"", path);
    if (!d) return err_sys(e, "%s", path);
    errno = 0;
    for (struct dirent *de; (de = readdir(d)); errno = 0)
        if (!is_dots(de->d_name))
            VEC_PUSH(&found, ((struct dir_entry){str_dup(a, str_of(de->d_name)), de->d_type}));
    bool ok = errno == 0 || err_sys(e, "%s", path);
    closedir(d);
    out->n = found.n;
    out->items = ARENA_ARRAY(a, struct dir_entry, found.n);
    if (found.n) memcpy(out->items, found.items, found.n * sizeof *found.items);
    if (found.n) qsort(out->items, out->n, sizeof *out->items, by_name);
    VEC_FINI(&found);
    return ok;
}

int64_t dir_tree_bytes(const char *path)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *f = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int64_t sum = 0;
    for (FTSENT *en; f && (en = fts_read(f));)
        if (en->fts_info != FTS_DP && en->fts_info != FTS_NS && en->fts_info != FTS_ERR) sum += (int64_t)en->fts_statp->st_blocks * 512;
    if (f) fts_close(f);
    return sum;
}
