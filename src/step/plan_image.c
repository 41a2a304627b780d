/* The layers of an image as the lower half of a step's root.
 *
 * Above them lies one that a slot makes itself, with mount points and with what a container runtime puts over an
 * image's own: /etc/resolv.conf and /etc/hosts as this host has them now, and /etc/hostname. Below them lies another one, with
 * directories that each step would have to make where the image has none; whatever it has under those names hides them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "step/io_p.h"
#include "step/plan_p.h"

#define TOP_FULL STAGE_TOP "/full"
#define TOP_BELOW STAGE_TOP "/below"
#define TOP_BARE STAGE_TOP "/bare" /* for images whose /etc is a link, which a directory above would hide */
enum { COPY_MAX = 1 << 20 };

static bool top_write(const char *path, struct str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && io_write_all(fd, text.p, text.n) && fchmod(fd, 0644) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

static bool fd_read(struct arena *a, int fd, size_t n, struct str *out)
{
    char *bytes = arena_alloc_bytes(a, n + 1);
    ssize_t got = pread(fd, bytes, n, 0); /* a small file: all of it, or a signal that nobody sends here */
    *out = str_n(bytes, got > 0 ? (size_t)got : 0);
    return got >= 0;
}

/* A host that has no such file gives an empty one; it may change while the slot lives. */
static bool top_copy(struct plan *p, const char *name, struct timespec *seen)
{
    struct stat st = {0};
    struct str text = STR("");
    int fd = io_open_in(p->sb->hostrw, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT);
    bool there = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= COPY_MAX;
    bool same = there && seen->tv_sec == st.st_mtim.tv_sec && seen->tv_nsec == st.st_mtim.tv_nsec;
    bool ok = same || ((!there || fd_read(p->arena, fd, (size_t)st.st_size, &text)) &&
                       top_write(str_fmt(p->arena, TOP_FULL "%s", name).p, text));
    if (ok && there) *seen = st.st_mtim;
    if (fd >= 0) close(fd);
    return ok;
}

static bool top_ready(struct plan *p, struct err *e)
{
    static const char *const dirs[] = {"", "/bare", "/bare/proc", "/bare/sys", "/bare/dev", "/full", "/full/proc", "/full/sys", "/full/dev", "/full/etc",
                                       "/below", "/below/argo", "/below/argo/bin", "/below/run", "/below/run/argo", "/below/var", "/below/var/run",
                                       "/below/var/run/argo"};
    static const char *const shared[] = {TOP_BELOW "/run/argo", TOP_BELOW "/var/run/argo"}; /* whoever the step is */
    bool ok = true;
    for (size_t i = 0; ok && !p->sb->top && i < ARRAY_LEN(dirs); i++) {
        const char *dir = str_fmt(p->arena, STAGE_TOP "%s", dirs[i]).p;
        ok = mkdir(dir, 0755) == 0 || errno == EEXIST;
    }
    for (size_t i = 0; ok && !p->sb->top && i < ARRAY_LEN(shared); i++) ok = chmod(shared[i], 0777) == 0;
    if (ok && !p->sb->top) ok = top_write(TOP_FULL "/etc/hostname", STR("skiff\n"));
    ok = ok && top_copy(p, "/etc/resolv.conf", &p->sb->resolv_seen) && top_copy(p, "/etc/hosts", &p->sb->hosts_seen);
    p->sb->top = ok;
    return ok || err_sys(e, "the top layer of an image");
}

/* Topmost first; *etc_is_link: what the image has for /etc is none that a directory may lie over. */
static bool attach_layers(struct plan *p, bool *etc_is_link, struct err *e)
{
    bool known = *etc_is_link = false;
    for (size_t i = 0; i < p->spec->layers.n; i++) {
        struct str layer = p->spec->layers.items[i];
        struct stat st;
        const char *at = str_fmt(p->arena, "/img/%zu", i).p;
        if (i >= p->sb->n_img && mkdir(at, 0755) != 0) return err_sys(e, "%s", at);
        p->sb->n_img = MAX(p->sb->n_img, i + 1);
        int dir = io_open_in(p->sb->hostrw, layer.p, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
        if (dir < 0) return err_sys(e, "image directory %s", layer.p);
        if (!known && (known = fstatat(dir, "etc", &st, AT_SYMLINK_NOFOLLOW) == 0)) *etc_is_link = S_ISLNK(st.st_mode);
        int tree = open_tree(dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        close(dir);
        if (!plan_attach(p, tree, at, e)) return false;
    }
    return true;
}

bool plan_layers(struct plan *p, struct buf *lower, struct err *e)
{
    if (!top_ready(p, e) || !attach_layers(p, &p->etc_is_link, e)) return false;
    buf_str(lower, p->etc_is_link ? STR(TOP_BARE) : STR(TOP_FULL));
    for (size_t i = 0; i < p->spec->layers.n; i++) buf_printf(lower, ":/img/%zu", i);
    buf_str(lower, STR(":" TOP_BELOW));
    return true;
}

bool plan_linked_etc(struct plan *p, struct err *e)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/hostname"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct str text;
        if (!io_read_file(p->arena, AT_FDCWD, str_fmt(p->arena, TOP_FULL "%s", files[i]).p, COPY_MAX, &text)) return err_sys(e, "%s", files[i]);
        plan_op(p, OP_UNLINK, files[i])->soft = true;
        struct child_op *op = plan_op(p, OP_WRITE, files[i]);
        op->data = text.p;
        op->n = text.n;
        op->flags = 0644;
        op->soft = true; /* the link may lead nowhere */
    }
    return true;
}
