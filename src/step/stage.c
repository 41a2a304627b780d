/* Building the stage of a slot; see sandbox_p.h for its layout. Host paths that are used here were
 * resolved before (no symlinks). */
#include "step/stage_p.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/vec.h"
#include "step/io_p.h"
#include "step/step_spec.h"

static const char *const masked_roots[] = {
#define MASK_ROOT(path, doc) path,
#include "step/masks.def"
#undef MASK_ROOT
};
static const char *const proc_entries[] = {
#define MASK_PROC(name, doc) name,
#include "step/masks.def"
#undef MASK_PROC
};
static const char *const dropped_mounts[] = {
#define DROP_MOUNT(path, doc) path,
#include "step/masks.def"
#undef DROP_MOUNT
};

/* Is `path` the directory `dir` or below it? */
static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static bool below_any(const char *path, const char *const *dirs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_below(path, dirs[i])) return true;
    return false;
}

static bool in_masked_root(const char *path) { return below_any(path, masked_roots, ARRAY_LEN(masked_roots)); }

static bool hidden(const char *path)
{
    return in_masked_root(path) || below_any(path, dropped_mounts, ARRAY_LEN(dropped_mounts));
}

/* ---- what the host has ---- */

/* What the root keeps free for steps is not the host's, even where the host has something of that name. */
static bool is_spare(const char *path)
{
    static const char *const spare[] = {STAGE_SPARE};
    return below_any(path, spare, ARRAY_LEN(spare));
}

static bool find_tops(struct sandbox *sb, struct err *e)
{
    DIR *d = opendir("/");
    if (!d) return err_sys(e, "/");
    for (struct dirent *de; (de = readdir(d));) {
        char path[300], to[4096];
        struct stat st;
        snprintf(path, sizeof path, "/%s", de->d_name);
        if (de->d_name[0] == '.' || in_masked_root(path) || is_spare(path)) continue;
        if (lstat(path, &st) != 0 || !(S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))) continue;
        struct sandbox_dir top = {.name = str_dup(&sb->arena, str_of(de->d_name)).p};
        ssize_t n = S_ISLNK(st.st_mode) ? readlink(path, to, sizeof to) : -1;
        if (n > 0) top.link_to = str_dup(&sb->arena, str_n(to, (size_t)n)).p;
        VEC_PUSH(&sb->tops, top);
    }
    closedir(d);
    return true;
}

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++, to++) {
        *to = *s;
        if (*s == '\\' && s[1] && s[2] && s[3]) {
            *to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        }
    }
    *to = 0;
}

static void note_mount(struct sandbox *sb, const char *path)
{
    if (path[1] == 0 || hidden(path)) return;
    for (size_t i = 0; i < sb->mounts.n; i++) {
        char known[4096];
        snprintf(known, sizeof known, "/%s", sb->mounts.items[i].name);
        if (is_below(path, known)) return; /* comes with its parent */
    }
    VEC_PUSH(&sb->mounts, ((struct sandbox_dir){.name = str_dup(&sb->arena, str_of(path + 1)).p}));
}

static bool find_mounts(struct sandbox *sb, struct err *e)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (!f) return err_sys(e, "mountinfo");
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, f) > 0) {
        char *at = line;
        for (int field = 0; at && field < 4; field++) at = strchr(at + (field > 0), ' ');
        char *end = at ? strchr(at + 1, ' ') : NULL;
        if (!end) continue;
        *end = 0;
        unescape(at + 1);
        note_mount(sb, at + 1);
    }
    free(line);
    fclose(f);
    return true;
}

static void find_resolv(struct sandbox *sb)
{
    char real[4096];
    if (!realpath("/etc/resolv.conf", real) || !in_masked_root(real)) return;
    if (!io_read_file(&sb->arena, AT_FDCWD, real, 1 << 20, &sb->resolv)) return;
    sb->resolv_path = str_dup(&sb->arena, str_of(real)).p;
}

static void find_private(struct sandbox *sb, const struct sandbox_config *c)
{
    sb->private_dirs = ARENA_ARRAY(&sb->arena, struct str, c->n_masked);
    for (size_t i = 0; i < c->n_masked; i++) {
        char real[4096];
        if (!realpath(str_z(&sb->arena, c->masked[i]), real) || strcmp(real, "/") == 0) continue;
        sb->private_dirs[sb->n_private++] = str_dup(&sb->arena, str_of(real));
    }
}

/* ---- the stage before pivot_root ---- */

static int clone_tree(const char *path, bool recursive, bool read_only, struct err *e)
{
    unsigned rec = recursive ? AT_RECURSIVE : 0;
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | rec);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (fd >= 0 && read_only && mount_setattr(fd, "", AT_EMPTY_PATH | rec, &attr, sizeof attr) != 0) {
        err_sys(e, "read-only view of %s", path);
        close(fd);
        return -1;
    }
    if (fd < 0) err_sys(e, "view of %s", path);
    return fd;
}

static bool attach(int fd, const char *at, struct err *e)
{
    int r = move_mount(fd, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH);
    if (r != 0) err_sys(e, "mount on %s", at);
    close(fd);
    return r == 0;
}

/* Rootless: inherited mounts cannot be dropped one by one, so only the wanted trees are taken. */
static bool attach_tops(struct sandbox *sb, const int *fds, struct err *e)
{
    for (size_t i = 0; i < sb->tops.n; i++) {
        struct str at = str_fmt(&sb->arena, STAGE_NOW "/host/%s", sb->tops.items[i].name);
        const char *to = sb->tops.items[i].link_to;
        if (to && symlink(to, at.p) != 0) return err_sys(e, "%s", at.p);
        if (to) continue;
        if (mkdir(at.p, 0755) != 0) return err_sys(e, "%s", at.p);
        if (!attach(fds[i], at.p, e)) return false;
    }
    return true;
}

static bool clone_tops(struct sandbox *sb, int *fds, struct err *e)
{
    for (size_t i = 0; i < sb->tops.n; i++) {
        fds[i] = -1;
        if (sb->tops.items[i].link_to) continue;
        struct str path = str_fmt(&sb->arena, "/%s", sb->tops.items[i].name);
        fds[i] = clone_tree(path.p, true, true, e);
        if (fds[i] < 0) return false;
    }
    return true;
}

static bool stage_mount(struct err *e)
{
    static const char *const dirs[] = {"hostrw", "host", "skel", "new", "t", "m", "img", "sys", "ro", "u"};
    if (mount("tmpfs", STAGE_NOW, "tmpfs", MS_NOSUID, "size=16m,mode=0755") != 0) return err_sys(e, "stage");
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        char path[64];
        snprintf(path, sizeof path, STAGE_NOW "/%s", dirs[i]);
        if (mkdir(path, 0755) != 0) return err_sys(e, "%s", path);
    }
    return true;
}

bool stage_make(struct sandbox *sb, const struct sandbox_config *c, struct err *e)
{
    if (!find_tops(sb, e) || !find_mounts(sb, e)) return false;
    find_resolv(sb);
    find_private(sb, c);
    int sys = clone_tree("/sys", !sb->root, true, e);
    int whole = sb->root ? clone_tree("/", true, true, e) : -1;
    int *fds = ARENA_ARRAY(&sb->arena, int, sb->tops.n);
    if (sys < 0 || (sb->root && whole < 0) || (!sb->root && !clone_tops(sb, fds, e))) return false;
    if (!stage_mount(e) || !attach(sys, STAGE_NOW "/sys", e)) return false;
    return sb->root ? attach(whole, STAGE_NOW "/host", e) : attach_tops(sb, fds, e);
}

/* ---- the stage after pivot_root ---- */

/* Carrying fewer mounts makes every start cheaper; in a user namespace the kernel refuses. */
static void drop_mounts(void)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped_mounts); i++) {
        char path[200];
        snprintf(path, sizeof path, "/host%s", dropped_mounts[i]);
        while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {}
        snprintf(path, sizeof path, "/hostrw%s", dropped_mounts[i]);
        while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {}
    }
    umount2("/host/dev", MNT_DETACH);
    umount2("/host/run", MNT_DETACH);
}

/* An empty read-only directory over `path` in the read-only view. */
static bool mask_host(struct sandbox *sb, const char *path, struct err *e)
{
    if (in_masked_root(path)) return true; /* not part of any view */
    struct str at = str_fmt(&sb->arena, "/host%s", path);
    if (access(at.p, F_OK) != 0 && errno == ENOENT) return true;
    if (mount("tmpfs", at.p, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=0755") != 0)
        return err_sys(e, "hiding %s", path);
    return true;
}

static bool mask_views(struct sandbox *sb, struct err *e)
{
    for (size_t i = 0; i < sb->n_private; i++)
        if (!mask_host(sb, sb->private_dirs[i].p, e)) return false;
    return mask_host(sb, sb->state_dir, e);
}

static bool make_node(struct sandbox *sb, const char *name, unsigned minor_nr, unsigned major_nr, struct err *e)
{
    char path[64], from[64];
    snprintf(path, sizeof path, STAGE_RO "/dev/%s", name);
    if (sb->root && mknod(path, S_IFCHR | 0666, makedev(major_nr, minor_nr)) == 0) return true;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) close(fd);
    snprintf(from, sizeof from, "/hostrw/dev/%s", name);
    if (mount(from, path, NULL, MS_BIND, NULL) != 0) return err_sys(e, "/dev/%s", name);
    return true;
}

/* Those in the host's /dev/DIR whose names begin so. */
static bool make_nodes(struct sandbox *sb, const char *dir, const char *start, struct err *e)
{
    char path[300];
    struct stat st;
    bool ok = true;
    snprintf(path, sizeof path, "/hostrw/dev/%s", dir);
    DIR *d = opendir(path);
    for (struct dirent *de; ok && d && (de = readdir(d));) {
        if (strncmp(de->d_name, start, strlen(start)) != 0 || strlen(de->d_name) > 30) continue;
        if (fstatat(dirfd(d), de->d_name, &st, 0) != 0 || !S_ISCHR(st.st_mode)) continue;
        snprintf(path, sizeof path, "%s%s", dir, de->d_name);
        ok = make_node(sb, path, minor(st.st_rdev), major(st.st_rdev), e);
    }
    if (d) closedir(d);
    return ok;
}

/* GPUs are there where the host has any: which of them a step may use says its environment. */
static bool make_gpus(struct sandbox *sb, struct err *e)
{
    if (access("/hostrw/dev/nvidiactl", F_OK) == 0 && !make_nodes(sb, "", "nvidia", e)) return false;
    if (access("/hostrw/dev/kfd", F_OK) != 0) return true;
    if (mkdir(STAGE_RO "/dev/dri", 0755) != 0) return err_sys(e, "/dev/dri");
    return make_nodes(sb, "", "kfd", e) && make_nodes(sb, "dri/", "renderD", e);
}

static bool make_dev(struct sandbox *sb, struct err *e)
{
    static const struct { const char *name; unsigned major, minor; } nodes[] = {
        {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    static const struct { const char *to, *at; } links[] = {
        {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};
    static const char at[] = STAGE_RO "/dev";
    mode_t old = umask(0);
    bool ok = mkdir(at, 0755) == 0 && mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0755") == 0;
    if (!ok) return err_sys(e, "/dev");
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        if (!make_node(sb, nodes[i].name, nodes[i].minor, nodes[i].major, e)) return false;
    if (!make_gpus(sb, e)) return false;
    int dir = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return err_sys(e, "/dev");
    for (size_t i = 0; ok && i < ARRAY_LEN(links); i++) ok = symlinkat(links[i].to, dir, links[i].at) == 0;
    ok = ok && mkdirat(dir, "pts", 0755) == 0 && mkdirat(dir, "shm", 01777) == 0 && mkdirat(dir, "mqueue", 0555) == 0;
    close(dir);
    umask(old);
    if (!ok || mount("devpts", STAGE_RO "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") != 0)
        return err_sys(e, "/dev/pts");
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(AT_FDCWD, at, 0, &ro, sizeof ro) != 0) return err_sys(e, "/dev");
    return true;
}

/* The proc of the slot's pid namespace, without what steps must not see. Needs /dev. */
static bool make_proc(struct err *e)
{
    static const char at[] = STAGE_RO "/proc";
    bool ok = mkdir(at, 0755) == 0 && mount("proc", at, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) == 0;
    if (!ok) return err_sys(e, "/proc");
    for (size_t i = 0; i < ARRAY_LEN(proc_entries); i++) {
        char path[64];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", at, proc_entries[i]);
        if (lstat(path, &st) != 0) continue;
        const char *empty = S_ISDIR(st.st_mode) ? STAGE_RO "/dev/mqueue" : STAGE_RO "/dev/null";
        if (mount(empty, path, NULL, MS_BIND, NULL) != 0) return err_sys(e, "hiding /proc/%s", proc_entries[i]);
    }
    return true;
}

static bool make_sys(struct err *e)
{
    static const char at[] = STAGE_RO "/sys", firmware[] = STAGE_RO "/sys/firmware";
    if (mkdir(at, 0755) != 0 || mount("/sys", at, NULL, MS_MOVE, NULL) != 0) return err_sys(e, "/sys");
    if (access(firmware, F_OK) != 0) return true;
    return mount("tmpfs", firmware, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=0555") == 0 ||
           err_sys(e, "hiding /sys/firmware");
}

static bool clone_to(const char *from, const char *at, struct err *e)
{
    int fd = clone_tree(from, true, true, e);
    if (fd < 0) return false;
    if (mkdir(at, 0755) != 0 && errno != EEXIST) {
        close(fd);
        return err_sys(e, "%s", at);
    }
    return attach(fd, at, e);
}

/* The root of tier ro, as far as it is the same for all steps: private directories are put on it. The
 * other tiers take /proc, /sys and /dev from it. */
static bool make_ro(struct sandbox *sb, struct err *e)
{
    static const char *const own[] = {"/tmp", "/run", STAGE_SPARE, STAGE_SPARE_BELOW};
    if (mount("tmpfs", STAGE_RO, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") != 0) return err_sys(e, STAGE_RO);
    if (!make_dev(sb, e) || !make_proc(e) || !make_sys(e)) return false;
    for (size_t i = 0; i < sb->tops.n; i++) {
        struct str from = str_fmt(&sb->arena, "/host/%s", sb->tops.items[i].name);
        struct str at = str_fmt(&sb->arena, STAGE_RO "/%s", sb->tops.items[i].name);
        const char *to = sb->tops.items[i].link_to;
        if (to && symlink(to, at.p) != 0) return err_sys(e, "%s", at.p);
        if (!to && !clone_to(from.p, at.p, e)) return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (mkdir(str_fmt(&sb->arena, STAGE_RO "%s", own[i]).p, 0755) != 0) return err_sys(e, "%s", own[i]);
    if (sb->tools && !clone_to(str_fmt(&sb->arena, "/hostrw%s", sb->tools).p, STAGE_RO STEP_TOOLS_DIR, e)) return false;
    for (size_t i = 0; i < sb->n_private; i++) {
        const char *at = str_fmt(&sb->arena, STAGE_RO "%s", sb->private_dirs[i].p).p;
        if (access(at, F_OK) != 0 && !io_mkdirs(at, 0755)) return err_sys(e, "%s", at);
    }
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
    return mount_setattr(AT_FDCWD, STAGE_RO, 0, &ro, sizeof ro) == 0 || err_sys(e, STAGE_RO);
}

/* A directory of the top layer; parents look like the host's. */
static bool skel_dir(struct sandbox *sb, const char *path, mode_t mode, bool opaque, struct err *e)
{
    char part[4096];
    snprintf(part, sizeof part, "/skel%s", path);
    for (char *p = part + 6; (p = strchr(p, '/')); p++) {
        struct stat st;
        *p = 0;
        struct str host = str_fmt(&sb->arena, "/hostrw%s", part + 5);
        bool fresh = mkdir(part, 0755) == 0;
        if (!fresh && errno != EEXIST) return err_sys(e, "%s", part);
        if (fresh && stat(host.p, &st) == 0 &&
            (chmod(part, st.st_mode & 07777) != 0 || chown(part, st.st_uid, st.st_gid) != 0))
            return err_sys(e, "%s", part);
        *p = '/';
    }
    if (mkdir(part, mode) != 0 && errno != EEXIST) return err_sys(e, "%s", part);
    if (chmod(part, mode) != 0) return err_sys(e, "%s", part);
    if (opaque && setxattr(part, "trusted.overlay.opaque", "y", 1, 0) != 0) return err_sys(e, "%s", part);
    return true;
}

static bool make_skel(struct sandbox *sb, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(masked_roots); i++) {
        mode_t mode = strcmp(masked_roots[i], "/tmp") == 0 ? 01777 : strcmp(masked_roots[i], "/root") == 0 ? 0700 : 0755;
        if (!skel_dir(sb, masked_roots[i], mode, true, e)) return false;
    }
    if (!skel_dir(sb, "/var/tmp", 01777, true, e) || !skel_dir(sb, "/run/argo", 0777, false, e)) return false;
    if (sb->tools && !skel_dir(sb, STEP_TOOLS_DIR, 0755, false, e)) return false;
    if (!in_masked_root(sb->state_dir) && !skel_dir(sb, sb->state_dir, 0700, true, e)) return false;
    for (size_t i = 0; i < sb->n_private; i++)
        if (!skel_dir(sb, sb->private_dirs[i].p, 0755, true, e)) return false;
    struct stat st;
    return stat("/hostrw", &st) != 0 || chmod("/skel", st.st_mode & 07777) == 0 || err_sys(e, "/skel");
}

static bool try_overlay(void)
{
    if (mount("overlay", "/t", "overlay", MS_RDONLY, "lowerdir=/skel:/hostrw") != 0) return false;
    umount2("/t", MNT_DETACH);
    return true;
}

bool stage_finish(struct sandbox *sb, struct err *e)
{
    if (sb->root) drop_mounts();
    if (!mask_views(sb, e) || !make_ro(sb, e)) return false;
    if (!sb->root) return true;
    if (!make_skel(sb, e)) return false;
    sb->overlay_root = try_overlay();
    return true;
}
