/* Finding a path in stacked layers, and reading a file of an image. See stack.h. */
#include "image/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "image/image.h"
#include "os/fd.h"

bool stack_is_whiteout(const struct stat *st) { return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0); }

bool stack_is_opaque(int fd)
{
    char y[2];
    return fgetxattr(fd, "user.overlay.opaque", y, sizeof y) == 1 && y[0] == 'y';
}

enum below { BELOW_HERE, BELOW_NOT, BELOW_HIDDEN };

/* Looks for the parts of `path` in one layer. HIDDEN: this layer says that nothing below counts. */
static enum below below_look(struct arena *a, int layer, struct str path, int *dir, const char **last)
{
    struct str part, rest = path;
    struct stat st;
    bool hidden = false;
    *dir = openat(layer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (*dir >= 0) {
        bool more = str_cut(rest, '/', &part, &rest);
        *last = str_z(a, part);
        hidden = hidden || stack_is_opaque(*dir);
        bool there = fstatat(*dir, *last, &st, AT_SYMLINK_NOFOLLOW) == 0;
        hidden = hidden || (there ? stack_is_whiteout(&st) : errno != ENOENT);
        if (!there || stack_is_whiteout(&st)) break;
        if (!more) return BELOW_HERE;
        int next = openat(*dir, *last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        hidden = hidden || next < 0;
        close_fd(dir);
        *dir = next;
    }
    close_fd(dir);
    return hidden ? BELOW_HIDDEN : BELOW_NOT;
}

int stack_find(struct arena *a, const int *layers, size_t n, struct str path, const char **last)
{
    for (size_t i = 0; i < n; i++) {
        int dir;
        enum below b = below_look(a, layers[i], path, &dir, last);
        if (b == BELOW_HERE) return dir;
        if (b == BELOW_HIDDEN) return -1;
    }
    return -1;
}

/* ---- a file of an image ---- */

enum { LINKS_MAX = 40 };

struct walk {
    struct arena *a;
    const int *layers;
    size_t n;
    struct str at;   /* so far, without links; "" = the root */
    struct str rest; /* still to go; absent: nothing */
    int links;
};

/* One part of the way; false: it leads nowhere. *fd: the file at its end. */
static bool walk_part(struct walk *w, int *fd)
{
    struct str part;
    struct stat st;
    const char *last;
    char to[LIMIT_IMAGE_PATH_BYTES + 1];
    str_cut(w->rest, '/', &part, &w->rest);
    if (!part.n || str_is(part, ".")) return true;
    if (str_is(part, "..")) {
        while (w->at.n && w->at.p[--w->at.n] != '/') continue;
        return true;
    }
    struct str path = w->at.n ? str_fmt(w->a, "%.*s/%.*s", STR_ARG(w->at), STR_ARG(part)) : str_dup(w->a, part);
    CLEANUP(close_fd) int dir = stack_find(w->a, w->layers, w->n, path, &last);
    if (dir < 0 || fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(dir, last, to, sizeof to);
        if (n <= 0 || n == sizeof to || ++w->links > LINKS_MAX) return false;
        if (to[0] == '/') w->at = STR("");
        struct str link = str_dup(w->a, str_n(to, (size_t)n));
        w->rest = w->rest.p ? str_fmt(w->a, "%.*s/%.*s", STR_ARG(link), STR_ARG(w->rest)) : link;
        return true;
    }
    w->at = path;
    if (!w->rest.p && S_ISREG(st.st_mode)) *fd = openat(dir, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return w->rest.p || *fd >= 0;
}

static bool text_read(struct arena *a, int fd, size_t max, struct str *out)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, max);
    if (!fd_read_all(fd, &b, NULL)) return false;
    *out = buf_dup(a, &b);
    return true;
}

bool image_read(struct arena *a, const struct image_info *info, const char *path, size_t max, struct str *out, struct err *e)
{
    int layers[LIMIT_IMAGE_LAYERS], fd = -1;
    size_t n = 0;
    struct walk w = {.a = a, .layers = layers, .at = STR(""), .rest = str_of(path)};
    while (n < info->n_layers && (layers[n] = open(info->layers[info->n_layers - 1 - n].dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) n++;
    w.n = n;
    while (n == info->n_layers && w.rest.p && walk_part(&w, &fd)) continue;
    while (n) close(layers[--n]);
    bool ok = fd >= 0 && text_read(a, fd, max, out);
    close_fd(&fd);
    return ok || err_set(e, ERR_NOT_FOUND, "the image has no file %s of at most %zu bytes", path, max);
}
