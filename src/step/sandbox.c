/* Entering the stage: user and mount namespace, views of the host, pivot, filter. See sandbox_p.h. */
#include "step/sandbox_p.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "step/filter_p.h"
#include "step/io_p.h"
#include "step/slim_p.h"
#include "step/stage_p.h"

static bool write_proc(const char *path, const char *text, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (!ok) err_sys(e, "%s", path);
    if (fd >= 0) close(fd);
    return ok;
}

/* One id is mapped, to itself: programs then know that they are not root and do not try chown. */
bool sandbox_map_user(uid_t uid, gid_t gid, struct err *e)
{
    char map[64];
    if (!write_proc("/proc/self/setgroups", "deny", e)) return false;
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    if (!write_proc("/proc/self/gid_map", map, e)) return false;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    if (!write_proc("/proc/self/uid_map", map, e)) return false;
    /* counted per user namespace: none below this one, whatever a step finds */
    return write_proc("/proc/sys/user/max_user_namespaces", "0", e);
}

/* What Skiff was started with must not come back at the exec of a step: not through the bounding set, nor through
 * what is inheritable. What the supervisor has itself stays. As root what a step in an image may have is inheritable, and
 * its child takes away what its step is not to have: with the bounding set empty, more could not be given back. */
static bool keep_from_steps(struct sandbox *sb, struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct *sets = sb->capabilities;
    if (syscall(SYS_capget, &head, sets) != 0) return err_sys(e, "capabilities");
    sets[0].inheritable = sb->root ? sets[0].permitted & STEP_CAPABILITIES : 0;
    sets[1].inheritable = 0;
    if (syscall(SYS_capset, &head, sets) != 0) return err_sys(e, "inheritable capabilities");
    for (int cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) != 0) {
            if (errno == EINVAL) break; /* past the last capability */
            return err_sys(e, "capability bounding set");
        }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return true;
}

static bool pivot(struct sandbox *sb, struct err *e)
{
    if (chdir(STAGE_NOW) != 0) return err_sys(e, "%s", STAGE_NOW);
    if (syscall(SYS_pivot_root, ".", "hostrw") != 0) return err_sys(e, "pivot_root");
    if (chdir("/") != 0) return err_sys(e, "chdir");
    sb->hostrw = open("/hostrw", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sb->hostrw < 0) return err_sys(e, "/hostrw");
    return true;
}

bool sandbox_enter(struct sandbox *sb, const struct sandbox_config *c, struct err *e)
{
    char real[4096];
    arena_init(&sb->arena);
    sb->ns = (struct child_ns){-1, -1};
    if (!realpath(c->state_dir, real)) return err_sys(e, "%s", c->state_dir);
    sb->state_dir = str_dup(&sb->arena, str_of(real)).p;
    if (c->tools && !realpath(c->tools, real)) return err_sys(e, "%s", c->tools);
    if (c->tools) sb->tools = str_dup(&sb->arena, str_of(real)).p;
    sb->scratch_bytes = c->scratch_bytes;
    sb->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sb->proc_fd < 0) return err_sys(e, "/proc");
    sb->root = !c->user_ns;
    if (c->user_ns && !c->mapped && !sandbox_map_user(c->uid, c->gid, e)) return false;
    if (unshare(CLONE_NEWNS) != 0) return err_sys(e, "new mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return err_sys(e, "private mounts");
    if (!stage_make(sb, c, e) || !pivot(sb, e) || !stage_finish(sb, e)) return false;
    if (!sb->root && !slim_make(sb, e)) return false;
    if (!keep_from_steps(sb, e)) return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return err_sys(e, "no_new_privs");
    return filter_load(e);
}
