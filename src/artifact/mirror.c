/* tree_mirror: a private view of a tree that others change, for the price of its names. See bundle.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "artifact/tree_ops.h"
#include "artifact/walk.h"
#include "os/fd.h"

struct mirror {
    int to_dir;
    const char *to;
};

/* Where links are refused (another owner's file, another file system, too many). */
static bool copy_file(const struct walk_entry *entry, int to_dir, const char *path, struct err *e)
{
    int from CLEANUP(close_fd) = walk_open_file(entry, e);
    if (from < 0) return false;
    int to CLEANUP(close_fd) = openat(to_dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) return errno == EEXIST || err_sys(e, "'%s'", path);
    if (!file_copy(from, to, e)) return false;
    if (geteuid() == 0 && fchown(to, entry->st.st_uid, entry->st.st_gid) != 0) return err_sys(e, "'%s'", path);
    return fchmod(to, entry->st.st_mode & 07777) == 0 || err_sys(e, "'%s'", path);
}

static bool mirror_file(const struct walk_entry *entry, int to_dir, const char *path, struct err *e)
{
    if (linkat(entry->dir_fd, entry->name, to_dir, path, 0) == 0 || errno == EEXIST || errno == ENOENT) return true;
    return copy_file(entry, to_dir, path, e);
}

static bool mirror_link(const struct walk_entry *entry, int to_dir, const char *path, struct err *e)
{
    char target[4096];
    ssize_t n = readlinkat(entry->fd, "", target, sizeof target - 1);
    if (n < 0) return err_sys(e, "cannot read link '%.*s'", STR_ARG(entry->path));
    target[n] = 0;
    if (symlinkat(target, to_dir, path) != 0) return errno == EEXIST || err_sys(e, "'%s'", path);
    return geteuid() != 0 || fchownat(to_dir, path, entry->st.st_uid, entry->st.st_gid, AT_SYMLINK_NOFOLLOW) == 0 || err_sys(e, "'%s'", path);
}

static bool mirror_dir(const struct walk_entry *entry, int to_dir, const char *path, struct err *e)
{
    if (mkdirat(to_dir, path, 0700) != 0) return (errno == EEXIST && fchmodat(to_dir, path, 0700, 0) == 0) || err_sys(e, "'%s'", path);
    return geteuid() != 0 || fchownat(to_dir, path, entry->st.st_uid, entry->st.st_gid, AT_SYMLINK_NOFOLLOW) == 0 || err_sys(e, "'%s'", path);
}

/* Its own mode might keep us from filling it. */
static bool dir_finish(const struct walk_entry *entry, int to_dir, const char *path, struct err *e)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, entry->st.st_mtim};
    if (fchmodat(to_dir, path, entry->st.st_mode & 07777, 0) == 0 && utimensat(to_dir, path, times, 0) == 0) return true;
    return err_sys(e, "'%s'", path);
}

static bool mirror_visit(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    const struct mirror *m = ctx;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const char *path = entry->path.n ? str_fmt(&a, "%s/%.*s", m->to, STR_ARG(entry->path)).p : m->to;
    switch (ev) {
    case WALK_FILE: return mirror_file(entry, m->to_dir, path, e);
    case WALK_LINK: return mirror_link(entry, m->to_dir, path, e);
    case WALK_ENTER: return mirror_dir(entry, m->to_dir, path, e);
    case WALK_LEAVE: return dir_finish(entry, m->to_dir, path, e);
    case WALK_SPECIAL: break;
    }
    return true;
}

bool tree_mirror(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
    struct mirror m = {to_dir, to};
    struct err why = {0};
    if (walk_tree_live(from_dir, from, mirror_visit, &m, &why) || why.code == ERR_NOT_FOUND) return true;
    return *e = why, false;
}
