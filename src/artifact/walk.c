/* See walk.h. */
#include "artifact/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "os/fd.h"

enum { TREES_ABOVE = 8 }; /* directories that a content may lie below */

struct walk {
    walk_visit *visit;
    void *ctx;
    size_t entries, max_entries;
    unsigned depth, max_depth;
    bool live;
    struct err *e;
};

static int name_cmp(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

bool names_read(struct arena *a, int dir_fd, struct str **names, size_t *n, struct err *e)
{
    VEC(struct str) found = {0};
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        err_sys(e, "cannot list a directory");
        close_fd(&fd);
        return false;
    }
    errno = 0;
    for (struct dirent *de; (de = readdir(d)); errno = 0) {
        if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, "..")) continue;
        if (found.n == LIMIT_ARTIFACT_ENTRIES) break;
        VEC_PUSH(&found, str_dup(a, str_of(de->d_name)));
    }
    bool ok = errno == 0 || err_sys(e, "cannot list a directory");
    closedir(d);
    if (ok && found.n) qsort(found.items, found.n, sizeof *found.items, name_cmp);
    *names = ARENA_ARRAY(a, struct str, found.n);
    if (found.n) memcpy(*names, found.items, found.n * sizeof **names);
    *n = found.n;
    VEC_FINI(&found);
    return ok;
}

static const char *fd_path(char buf[32], int fd)
{
    snprintf(buf, 32, "/proc/self/fd/%d", fd);
    return buf;
}

int walk_open_file(const struct walk_entry *entry, struct err *e)
{
    char path[32];
    int fd = open(fd_path(path, entry->fd), O_RDONLY | O_CLOEXEC);
    if (fd < 0) err_sys(e, "cannot open '%.*s'", STR_ARG(entry->path));
    return fd;
}

bool walk_chmod(const struct walk_entry *entry, mode_t mode, struct err *e)
{
    char path[32];
    if (chmod(fd_path(path, entry->fd), mode) == 0) return true;
    return err_sys(e, "cannot change the mode of '%.*s'", STR_ARG(entry->path));
}

static bool entry_walk(struct walk *w, int dir_fd, const char *name, struct str path);

static bool children_walk(struct walk *w, int fd, struct str path)
{
    struct arena a CLEANUP(arena_fini);
    struct str *names;
    size_t n;
    unsigned depth = w->depth;
    arena_init(&a);
    if (!names_read(&a, fd, &names, &n, w->e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct str child = path.n ? str_fmt(&a, "%.*s/%s", STR_ARG(path), names[i].p) : names[i];
        if (entry_walk(w, fd, names[i].p, child)) continue;
        if (!w->live || w->e->code != ERR_NOT_FOUND) return false;
        *w->e = (struct err){0};
        w->depth = depth;
    }
    return true;
}

static bool dir_walk(struct walk *w, const struct walk_entry *entry)
{
    if (++w->depth > w->max_depth)
        return err_set(w->e, ERR_LIMIT, "directories nest deeper than %d (LIMIT_ARTIFACT_DEPTH)",
                       LIMIT_ARTIFACT_DEPTH);
    if (!w->visit(w->ctx, WALK_ENTER, entry, w->e)) return false;
    int fd CLEANUP(close_fd) = openat(entry->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_sys(w->e, "cannot open directory '%.*s'", STR_ARG(entry->path));
    if (!children_walk(w, fd, entry->path)) return false;
    w->depth--;
    return w->visit(w->ctx, WALK_LEAVE, entry, w->e);
}

static bool entry_walk(struct walk *w, int dir_fd, const char *name, struct str path)
{
    struct walk_entry entry = {.dir_fd = dir_fd, .name = name, .path = path};
    if (++w->entries > w->max_entries)
        return err_set(w->e, ERR_LIMIT, "more than %zu entries (%s)", w->max_entries,
                       w->live ? "LIMIT_BUNDLE_ENTRIES" : "LIMIT_ARTIFACT_ENTRIES");
    int fd CLEANUP(close_fd) = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return err_set(w->e, ERR_NOT_FOUND, "'%s' does not exist", name);
    if (fd < 0 || fstat(fd, &entry.st) != 0) return err_sys(w->e, "cannot open '%s'", name);
    entry.fd = fd;
    if (S_ISDIR(entry.st.st_mode)) return dir_walk(w, &entry);
    enum walk_event ev = S_ISREG(entry.st.st_mode)   ? WALK_FILE
                         : S_ISLNK(entry.st.st_mode) ? WALK_LINK
                                                     : WALK_SPECIAL;
    return w->visit(w->ctx, ev, &entry, w->e);
}

bool walk_tree(int dir_fd, const char *name, walk_visit *visit, void *ctx, struct err *e)
{
    struct walk w = {.visit = visit, .ctx = ctx, .e = e, .max_entries = LIMIT_ARTIFACT_ENTRIES, .max_depth = LIMIT_ARTIFACT_DEPTH};
    return entry_walk(&w, dir_fd, name, STR(""));
}

bool walk_tree_live(int dir_fd, const char *name, walk_visit *visit, void *ctx, struct err *e)
{
    struct err why = {0};
    struct walk w = {.visit = visit, .ctx = ctx, .live = true, .e = &why, .max_entries = LIMIT_BUNDLE_ENTRIES,
                     .max_depth = LIMIT_ARTIFACT_DEPTH + TREES_ABOVE};
    return entry_walk(&w, dir_fd, name, STR("")) || (e && (*e = why, false));
}
