/* Outputs of a container that has ended: each lies as a file or directory in the step's own directory afterwards. One that is
 * not there is left to whoever reads the outputs.
 *
 * What lies in the container's own file system comes as a tar from the engine. What lies in a mount is copied from where
 * that comes from: engines differ in what they find there once the container has ended, and none says so. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/tree_ops.h"
#include "artifact/unpack.h"
#include "base/limits.h"
#include "container/api_p.h"
#include "doc/base64.h"
#include "doc/json.h"
#include "os/dir.h"
#include "os/fd.h"

enum { LINKS_MAX = 16 };

struct fetch {
    const struct api *api;
    struct str id, path;      /* in the container; without slashes at its end */
    const struct val *mounts; /* of the job */
    const char *to, *tar, *dir;
    bool again;               /* `path` was a link and is now where that leads */
};

static struct str no_slashes(struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    return path;
}

static struct str dir_of(struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] != '/') path.n--;
    return no_slashes(path);
}

static bool is_in(struct str path, struct str dir)
{
    return str_starts(path, dir) && (path.n == dir.n || path.p[dir.n] == '/' || dir.n == 1);
}

static void follow(struct fetch *f, struct str target)
{
    bool whole = target.n && target.p[0] == '/';
    f->path = no_slashes(whole ? target : str_fmt(f->api->a, "%.*s/%.*s", STR_ARG(dir_of(f->path)), STR_ARG(target)));
    f->again = true;
}

/* ---- from a mount ---- */

/* The innermost that it lies in, or NULL; false: one lies in it. */
static bool mount_of(const struct fetch *f, const struct val **out, struct err *e)
{
    size_t best = 0;
    *out = NULL;
    for (uint32_t i = 0; f->mounts && f->mounts->kind == VAL_LIST && i < f->mounts->n; i++) {
        struct str at = no_slashes(val_get_str(&f->mounts->items[i], "target"));
        if (at.n > f->path.n && is_in(at, f->path))
            return err_set(e, ERR_UNSUPPORTED, "a volume or input is mounted in it, at %.*s: not supported by --runtime=container", STR_ARG(at));
        if (at.n < best || !is_in(f->path, at)) continue;
        best = at.n;
        *out = &f->mounts->items[i];
    }
    return true;
}

/* Steps may have made links in a volume; none of them leads out of it. */
static bool copy_out(struct fetch *f, const struct val *mount, struct err *e)
{
    struct arena *a = f->api->a;
    struct str top = val_get_str(mount, "top"), sub = val_get_str(mount, "path");
    struct str rest = str_from(f->path, no_slashes(val_get_str(mount, "target")).n);
    char target[4096];
    struct err absent;
    if (!top.n) return err_set(e, ERR_UNSUPPORTED, "it lies in memory: not supported by --runtime=container");
    struct str below = str_fmt(a, ".%s%.*s%.*s", sub.n ? "/" : "", STR_ARG(sub), STR_ARG(rest));
    if (!sub.n && !rest.n) { /* the mount itself, which may be a file */
        below = str_fmt(a, "./%.*s", STR_ARG(str_from(top, dir_of(top).n > 1 ? dir_of(top).n + 1 : 1)));
        top = dir_of(top);
    }
    int root CLEANUP(close_fd) = open(str_z(a, top), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return err_sys(e, "%.*s", STR_ARG(top));
    int dir CLEANUP(close_fd) = fd_open_beneath(root, str_z(a, dir_of(below)), O_PATH | O_DIRECTORY, 0, &absent);
    if (dir < 0) return absent.code == ERR_NOT_FOUND || absent.sys == ENOTDIR || (*e = absent, false);
    const char *name = str_z(a, str_from(below, dir_of(below).n + 1));
    ssize_t n = readlinkat(dir, name, target, sizeof target);
    if (n > 0) return follow(f, str_dup(a, str_n(target, MIN((size_t)n, sizeof target - 1)))), true;
    if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT || err_sys(e, "%s", name);
    return tree_copy(dir, name, AT_FDCWD, f->to, e);
}

/* ---- from the container ---- */

static struct str target_of(const struct fetch *f)
{
    struct arena *a = f->api->a;
    return str_fmt(a, "/containers/%.*s/archive?path=%.*s", STR_ARG(f->id), STR_ARG(api_escape(a, f->path)));
}

/* Is it there, and where does it lead? */
static bool look(struct fetch *f, bool *found, struct err *e)
{
    struct web_reply reply;
    struct str text;
    struct val v;
    if (!api_call(f->api, "HEAD", target_of(f), NULL, &reply, e)) return false;
    *found = api_good(&reply);
    if (!*found) return reply.status == 404 || api_refusal(f->api, &reply, "archive", e);
    for (size_t i = 0; i < reply.n_fields; i++) {
        if (!str_is(reply.fields[i].name, "X-Docker-Container-Path-Stat")) continue;
        if (!base64_decode(f->api->a, reply.fields[i].value, &text) || !json_parse(f->api->a, text, NULL, &v, e))
            return err_set(e, ERR_IO, "the container engine does not say what it is");
        struct str leads = no_slashes(val_get_str(&v, "linkTarget"));
        if (leads.n && !str_eq(leads, f->path)) follow(f, leads);
    }
    return true;
}

static bool download(struct fetch *f, struct err *e)
{
    struct web_reply reply;
    int fd CLEANUP(close_fd) = open(f->tar, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "%s", f->tar);
    struct web_request r = {.to_file = true, .sink_fd = fd, .max_bytes = (uint64_t)LIMIT_ARTIFACT_MIB << 20};
    if (!api_fetch(f->api, "GET", target_of(f), &r, &reply, e)) return false;
    if (!api_good(&reply)) return api_refusal(f->api, &reply, "archive", e);
    if (mkdir(f->dir, 0700) != 0) return err_sys(e, "%s", f->dir);
    int dir CLEANUP(close_fd) = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir >= 0 ? unpack_archive(fd, dir, ARTIFACT_ARCHIVE_TAR, (uint64_t)LIMIT_ARTIFACT_MIB << 20, e) : err_sys(e, "%s", f->dir);
}

/* What was unpacked is one thing, which goes to its place. */
static bool put(struct fetch *f, struct err *e)
{
    struct arena *a = f->api->a;
    struct dir_list list;
    struct stat st;
    if (!dir_read(a, f->dir, &list, e)) return false;
    if (list.n != 1) return err_set(e, ERR_SPEC, "the container engine sent %zu files for one path", list.n);
    const char *path = str_fmt(a, "%s/%.*s", f->dir, STR_ARG(list.items[0].name)).p;
    if (lstat(path, &st) != 0) return err_sys(e, "%s", path);
    if (S_ISLNK(st.st_mode)) return err_set(e, ERR_SPEC, "the container engine sent a link and said that it is none");
    return rename(path, f->to) == 0 || err_sys(e, "%s", f->to);
}

static bool from_engine(struct fetch *f, struct err *e)
{
    bool found = false;
    if (!look(f, &found, e)) return false;
    if (!found || f->again) return true;
    bool ok = download(f, e) && put(f, e);
    unlink(f->tar);
    return dir_remove_tree(f->dir, ok ? e : NULL) && ok;
}

/* ---- all of them ---- */

static bool output_fetch(struct fetch *f, struct err *e)
{
    const struct val *mount;
    for (int i = 0; i < LINKS_MAX; i++) {
        f->again = false;
        if (!mount_of(f, &mount, e)) return false;
        if (!(mount ? copy_out(f, mount, e) : from_engine(f, e))) return false;
        if (!f->again) return true;
    }
    return err_set(e, ERR_LIMIT, "too many levels of symbolic links");
}

bool outputs_fetch(const struct api *api, struct str id, const struct val *job, struct err *e)
{
    const struct val *list = val_get(job, STR("outputs"));
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str path = val_get_str(&list->items[i], "path"), to = val_get_str(&list->items[i], "to");
        struct fetch f = {.api = api, .id = id, .path = no_slashes(path), .mounts = val_get(job, STR("mounts")), .to = to.p,
                          .tar = str_fmt(api->a, "%s.tar", to.p).p, .dir = str_fmt(api->a, "%s.dir", to.p).p};
        if (!dir_make_all(str_z(api->a, dir_of(to)), 0700, e) || !output_fetch(&f, e)) return err_ctx(e, "output %.*s", STR_ARG(path));
    }
    return true;
}
