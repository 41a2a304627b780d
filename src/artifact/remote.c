/* The way into a driver of remote.h, and packing before sending. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/pack.h"
#include "artifact/remote.h"
#include "artifact/walk.h"
#include "os/fd.h"

bool remote_load(const struct remote *r, const char *to, struct err *e) { return r->driver->load(r, to, e); }

struct modes {
    mode_t mode;
    bool recurse;
};

/* A directory after what is in it: it may lock itself. */
static bool mode_set(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    const struct modes *m = ctx;
    if ((ev != WALK_FILE && ev != WALK_LEAVE) || (entry->path.n && !m->recurse)) return true;
    return walk_chmod(entry, m->mode, e);
}

bool remote_mode(const char *path, uint32_t mode, bool recurse, struct err *e)
{
    struct modes m = {(mode_t)(mode & 07777), recurse};
    return walk_tree(AT_FDCWD, path, mode_set, &m, e);
}

static bool plain_open(const char *path, int *fd, struct err *e)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0) return err_sys(e, "cannot open '%s'", path);
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) return true;
    return err_set(e, ERR_UNSUPPORTED, "a directory cannot be sent without an archive");
}

bool remote_save(const struct remote *r, const char *path, const struct artifact_export *how, struct err *e)
{
    int fd CLEANUP(close_fd) = -1;
    if (how->archive == ARTIFACT_ARCHIVE_NONE) return plain_open(path, &fd, e) && r->driver->save(r, fd, e);
    struct artifact_export packed = *how;
    fd = open(r->scratch, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "cannot make a file in '%s'", r->scratch);
    packed.fd = fd;
    return pack_tree(AT_FDCWD, path, &packed, e) && r->driver->save(r, fd, e);
}
