/* See tree_ops.h. */
#include "artifact/tree_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "artifact/walk.h"
#include "os/fd.h"

enum { CHUNK = 1 << 30, BUFFER = 128 << 10 };

static bool copy_bytes(int from_fd, int to_fd, struct err *e)
{
    char *buf CLEANUP(free_ptr) = mem_alloc(BUFFER);
    for (;;) {
        ssize_t n = read(from_fd, buf, BUFFER);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "cannot read a file that is copied");
        if (n == 0) return true;
        if (!fd_write_all(to_fd, str_n(buf, (size_t)n), e)) return false;
    }
}

bool file_copy(int from_fd, int to_fd, struct err *e)
{
    if (ioctl(to_fd, FICLONE, from_fd) == 0) return true;
    for (;;) {
        ssize_t n = copy_file_range(from_fd, NULL, to_fd, NULL, CHUNK, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break; /* not between these file systems: go on by hand from where it stands */
        if (n == 0) return copy_bytes(from_fd, to_fd, e); /* some kernel files claim to be empty */
    }
    if (errno == ENOSPC || errno == EDQUOT || errno == EIO) return err_sys(e, "cannot copy a file");
    return copy_bytes(from_fd, to_fd, e);
}

static mode_t file_mode(const struct stat *st) { return st->st_mode & 0111 ? 0755 : 0644; }

/* ---------------------------------------------------------------------------------- copy */

struct copy {
    int dir;        /* where the copy is made; nobody else writes below it */
    const char *to; /* its name there */
};

static const char *copy_path(struct arena *a, const struct copy *c, struct str path)
{
    return path.n ? str_fmt(a, "%s/%.*s", c->to, STR_ARG(path)).p : c->to;
}

static bool copy_file(struct copy *c, const char *to, const struct walk_entry *entry, struct err *e)
{
    int from CLEANUP(close_fd) = walk_open_file(entry, e);
    if (from < 0) return false;
    int fd CLEANUP(close_fd) = openat(c->dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "cannot make '%s'", to);
    if (!file_copy(from, fd, e)) return false;
    return fchmod(fd, file_mode(&entry->st)) == 0 || err_sys(e, "cannot change the mode of '%s'", to);
}

static bool copy_link(struct copy *c, const char *to, const struct walk_entry *entry, struct err *e)
{
    char target[4096];
    ssize_t n = readlinkat(entry->fd, "", target, sizeof target - 1);
    if (n < 0) return err_sys(e, "cannot read link '%.*s'", STR_ARG(entry->path));
    target[n] = 0;
    return symlinkat(target, c->dir, to) == 0 || err_sys(e, "cannot make link '%s'", to);
}

static bool copy_visit(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct copy *c = ctx;
    arena_init(&a);
    const char *to = copy_path(&a, c, entry->path);
    switch (ev) {
    case WALK_FILE: return copy_file(c, to, entry, e);
    case WALK_LINK: return copy_link(c, to, entry, e);
    case WALK_ENTER: return mkdirat(c->dir, to, 0755) == 0 || err_sys(e, "cannot make '%s'", to);
    case WALK_LEAVE:
    case WALK_SPECIAL: return true;
    }
    return true;
}

bool tree_copy(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
    struct copy c = {.dir = to_dir, .to = to};
    return walk_tree(from_dir, from, copy_visit, &c, e);
}

/* ---------------------------------------------------------------------------------- seal */

struct sealing {
    int dir_fd;
    const char *part; /* a name below it for what is being made; never inside the tree, whose names are the step's */
    struct artifact_content *out;
};

/* Replaces a file that has other names by a copy of its own. */
static bool unshare_file(const struct sealing *s, const struct walk_entry *entry, struct err *e)
{
    int from CLEANUP(close_fd) = walk_open_file(entry, e);
    if (from < 0) return false;
    int fd CLEANUP(close_fd) = openat(s->dir_fd, s->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "cannot copy hard link '%.*s'", STR_ARG(entry->path));
    bool ok = file_copy(from, fd, e);
    if (ok && fchmod(fd, file_mode(&entry->st)) != 0) ok = err_sys(e, "cannot change a mode");
    if (ok && renameat(s->dir_fd, s->part, entry->dir_fd, entry->name) != 0)
        ok = err_sys(e, "cannot replace hard link '%.*s'", STR_ARG(entry->path));
    if (!ok) unlinkat(s->dir_fd, s->part, 0);
    return ok;
}

/* Whoever made it: a step that gets it has the rights of its owner. */
static bool own(const struct walk_entry *entry, struct err *e)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid != 0 || (entry->st.st_uid == uid && entry->st.st_gid == gid)) return true;
    return fchownat(entry->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ||
           err_sys(e, "cannot change the owner of '%.*s'", STR_ARG(entry->path));
}

static bool seal_file(const struct sealing *s, const struct walk_entry *entry, struct err *e)
{
    struct artifact_content *out = s->out;
    out->files++;
    out->size_bytes += (uint64_t)entry->st.st_size;
    if (entry->st.st_nlink > 1) return unshare_file(s, entry, e);
    return own(entry, e) && walk_chmod(entry, file_mode(&entry->st), e);
}

static bool seal_visit(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    const struct sealing *s = ctx;
    switch (ev) {
    case WALK_FILE: return seal_file(s, entry, e);
    case WALK_LINK: return own(entry, e);
    case WALK_ENTER: return own(entry, e) && walk_chmod(entry, 0755, e);
    case WALK_LEAVE: return true;
    case WALK_SPECIAL: break;
    }
    s->out->skipped++;
    return unlinkat(entry->dir_fd, entry->name, 0) == 0 ||
           err_sys(e, "cannot remove '%.*s'", STR_ARG(entry->path));
}

bool tree_seal(int dir_fd, const char *name, const char *part, struct artifact_content *out, struct err *e)
{
    struct sealing s = {dir_fd, part, out};
    return walk_tree(dir_fd, name, seal_visit, &s, e);
}
