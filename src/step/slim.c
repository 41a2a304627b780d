/* A smaller copy of the stage; see slim_p.h. */
#include "step/slim_p.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

static int own_namespace(const struct sandbox *sb) { return openat(sb->proc_fd, "self/ns/mnt", O_RDONLY | O_CLOEXEC); }

/* Where something cannot be dropped the copy is only larger than it need be. */
static void drop_tops(const struct sandbox *sb, const char *view)
{
    for (size_t i = 0; i < sb->tops.n; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", view, sb->tops.items[i].name);
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    }
}

bool slim_make(struct sandbox *sb, struct err *e)
{
    sb->ns.whole = own_namespace(sb);
    if (sb->ns.whole < 0) return err_sys(e, "mount namespace");
    if (unshare(CLONE_NEWNS) != 0) return err_sys(e, "new mount namespace");
    umount2("/hostrw", MNT_DETACH);
    drop_tops(sb, "/host");
    sb->ns.slim = own_namespace(sb);
    if (sb->ns.slim < 0) return err_sys(e, "mount namespace");
    return setns(sb->ns.whole, CLONE_NEWNS) == 0 || err_sys(e, "mount namespace");
}
