/* Directories of volumes that an engine is to mount. It follows links at a path, and steps may have made some in a
 * volume: what is mounted is reached without any. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/api_p.h"

/* One part of the path; a directory is made where there is nothing. The descriptor replaces *fd. */
static bool step_into(int *fd, const char *name)
{
    struct stat st;
    mkdirat(*fd, name, 0777);
    int next = openat(*fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool ok = next >= 0 && fstat(next, &st) == 0;
    if (ok && S_ISLNK(st.st_mode)) {
        errno = ELOOP;
        ok = false;
    }
    if (!ok && next >= 0) close(next);
    if (!ok) return false;
    close(*fd);
    *fd = next;
    return true;
}

static bool directory_make(struct arena *a, struct str top, struct str path, struct err *e)
{
    struct str part, rest = path;
    int fd = open(str_z(a, top), O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0;
    while (ok && rest.p) {
        str_cut(rest, '/', &part, &rest);
        if (part.n && !str_is(part, ".")) ok = step_into(&fd, str_z(a, part));
    }
    if (!ok && errno == ELOOP)
        err_set(e, ERR_SPEC, "subPath '%.*s': a symbolic link is in its way: not supported by --runtime=container", STR_ARG(path));
    else if (!ok) err_sys(e, "subPath '%.*s'", STR_ARG(path));
    if (fd >= 0) close(fd);
    return ok;
}

bool directories_make(struct arena *a, const struct val *list, struct err *e)
{
    bool ok = true;
    mode_t old = umask(0); /* no chmod afterwards: a step may have put a link there by then */
    for (uint32_t i = 0; ok && list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str path = val_get_str(&list->items[i], "path");
        ok = !path.n || directory_make(a, val_get_str(&list->items[i], "top"), path, e);
    }
    umask(old);
    return ok;
}
