/* Reading and moving outputs; see collect_p.h. */
#include "step/collect_p.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/limits.h"
#include "step/io_p.h"

struct collect {
    struct plan *p;
    int root; /* the step's */
    int outputs;
    bool displaced; /* the step has moved a mount: nobody knows what is where */
    int fault;      /* errno of the first output that this machine, not the step, is to blame for; 0: none */
    const char *faulty;
};

/* Such an output is neither missing nor to be replaced by a default: the step ends in Error. */
static void fault_note(struct collect *c, const char *name)
{
    static const int faults[] = {EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM};
    for (size_t i = 0; i < ARRAY_LEN(faults) && !c->fault; i++)
        if (errno == faults[i]) c->fault = errno, c->faulty = name;
}

/* Where root's step has no capability it reads no file of others: nor do its outputs. */
static bool set_capabilities(const struct collect *c, bool all)
{
    static struct __user_cap_data_struct sets[2]; /* of this process, which never change but here */
    static bool known;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    if (!c->p->sb || !c->p->sb->root) return true;
    known = known || syscall(SYS_capget, &head, sets) == 0;
    if (!known) return false;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) sets[i].effective = sets[i].permitted;
    if (!all) sets[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    return syscall(SYS_capset, &head, sets) == 0;
}

/* What follows is done with the rights of the step, until rights_back. */
static bool rights_of_step(const struct collect *c)
{
    const struct step_spec *s = c->p->spec;
    if (s->gid >= 0) setfsgid((gid_t)s->gid);
    if (s->uid >= 0) setfsuid((uid_t)s->uid);
    return set_capabilities(c, c->p->child.capabilities[0].inheritable & STEP_CAPABILITY_DAC_OVERRIDE);
}

static void rights_back(const struct collect *c)
{
    int why = errno;
    if (c->p->spec->uid >= 0) setfsuid(geteuid());
    if (c->p->spec->gid >= 0) setfsgid(getegid());
    set_capabilities(c, true);
    errno = why;
}

static int open_output(struct collect *c, const char *path, int flags)
{
    int fd = -1;
    if (rights_of_step(c)) fd = io_open_in(c->root, path, flags | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    rights_back(c);
    return fd;
}

/* The whole file, whatever its size is said to be (in /proc: 0). -1: errno; more than `max`: max + 1. The bytes have room
 * for one more. */
static ssize_t read_whole(struct arena *a, int fd, size_t size, size_t max, char **out)
{
    size_t n = 0, room = MIN(size, max) + 1;
    char *bytes = arena_alloc_bytes(a, room + 1);
    for (;;) {
        ssize_t r = read(fd, bytes + n, room - n);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return -1;
        n += (size_t)r;
        if (r == 0 || n > max) break;
        if (n < room) continue;
        char *more = arena_alloc_bytes(a, (room = MIN(room * 2 + 4096, max + 1)) + 1);
        memcpy(more, bytes, n);
        bytes = more;
    }
    *out = bytes;
    return (ssize_t)n;
}

static void read_param(struct collect *c, const struct step_output *o, struct step_param_out *out)
{
    struct stat st;
    char *bytes = NULL;
    ssize_t n = -1;
    out->name = o->name;
    int fd = open_output(c, o->path.p, O_RDONLY);
    if (fd < 0) {
        fault_note(c, o->name.p);
        if (errno != ENOENT && errno != ENOTDIR) out->error = str_of(strerror(errno));
        return;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        out->error = STR("not a file");
    } else {
        n = read_whole(c->p->arena, fd, (size_t)st.st_size, LIMIT_STEP_PARAM_BYTES, &bytes);
        if (n < 0) fault_note(c, o->name.p);
        if (n < 0) out->error = str_of(strerror(errno));
        if (n > LIMIT_STEP_PARAM_BYTES) out->error = STR("larger than 1 MiB, the limit of an output parameter");
    }
    close(fd);
    if (str_set(out->error)) return;
    if (n > 0 && bytes[n - 1] == '\n') n--;
    bytes[n] = 0;
    out->found = true;
    out->value = str_n(bytes, (size_t)n);
}

/* The path of an open file in the step's own view, symlinks resolved. */
static bool view_path(struct collect *c, int fd, char *out, size_t max)
{
    char link[40];
    snprintf(link, sizeof link, "self/fd/%d", fd);
    ssize_t n = readlinkat(c->p->sb->proc_fd, link, out, max - 1);
    if (n <= 0) return false;
    out[n] = 0;
    size_t root = c->p->ready ? strlen(STAGE_RO) : 0; /* that one is entered by chroot */
    if (root && (size_t)n > root && memcmp(out, STAGE_RO "/", root + 1) == 0) memmove(out, out + root, (size_t)n - root + 1);
    return out[0] == '/';
}

static const struct plan_view *find_view(const struct plan *p, const char *path)
{
    const struct plan_view *best = NULL;
    for (size_t i = 0; i < p->views.n; i++) {
        const struct plan_view *v = &p->views.items[i];
        size_t n = strlen(v->target);
        if (strncmp(path, v->target, n) != 0 || (path[n] != 0 && path[n] != '/')) continue;
        if (!best || n >= strlen(best->target)) best = v; /* the later one lies over it */
    }
    return best;
}

/* A directory that also exists in a lower layer holds only half of its files in the upper one. */
static bool is_merged(struct collect *c, const struct plan_view *v, const char *rest)
{
    const struct step_strs *layers = &c->p->spec->layers;
    bool image = v->lower && strcmp(v->lower, "/") == 0;
    for (size_t i = 0; v->lower && i < (image ? layers->n : 1); i++) {
        const char *lower = image ? str_fmt(c->p->arena, "/hostrw%s", layers->items[i].p).p : v->lower;
        int dir = open(lower, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = dir < 0 ? -1 : io_open_in(dir, *rest ? rest : "/", O_PATH, RESOLVE_IN_ROOT);
        if (dir >= 0) close(dir);
        if (fd < 0) continue;
        close(fd);
        return true;
    }
    return false;
}

/* Where mounts over the step's files really are: their paths may lead through links. */
static void find_mounts(struct collect *c)
{
    for (size_t i = 0; i < c->p->views.n; i++) {
        struct plan_view *v = &c->p->views.items[i];
        char path[4096];
        struct statx st;
        if (!v->mounted) continue;
        int fd = io_open_in(c->root, v->target, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        bool there = fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) == 0 &&
                     (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) && view_path(c, fd, path, sizeof path);
        if (fd >= 0) close(fd);
        if (there) v->target = str_dup(c->p->arena, str_of(path)).p;
        else c->displaced = true;
    }
}

/* A directory with a mount below it would leave its content behind. */
static bool holds_mount(const struct plan *p, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < p->views.n; i++) {
        const struct plan_view *v = &p->views.items[i];
        if (v->mounted && strncmp(v->target, path, n) == 0 && v->target[n] == '/') return true;
    }
    return false;
}

/* The view that a whole output can be taken out of; `rest`: its path in there. */
static const struct plan_view *source_view(struct collect *c, int fd, bool is_dir, char path[4096], const char **rest)
{
    if (!c->p->work || c->displaced || !view_path(c, fd, path, 4096)) return NULL;
    const struct plan_view *v = find_view(c->p, path);
    if (!v || !v->host || (is_dir && (v->mounted || holds_mount(c->p, path)))) return NULL;
    *rest = path + strlen(v->target);
    if (v->file) *rest = str_fmt(c->p->arena, "/%s", v->file).p;
    return is_dir && is_merged(c, v, *rest) ? NULL : v;
}

static bool move_output(struct collect *c, int fd, bool is_dir, const char *name)
{
    char path[4096], dir[4096];
    const char *rest;
    const struct plan_view *v = source_view(c, fd, is_dir, path, &rest);
    const char *slash = v ? strrchr(rest, '/') : NULL;
    if (!slash || slash[1] == 0) return false;
    snprintf(dir, sizeof dir, ".%.*s", (int)(slash - rest), rest);
    int host = open(v->host, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int parent = host < 0 ? -1 : io_open_in(host, dir, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    bool ok = parent >= 0 && renameat2(parent, slash + 1, c->outputs, name, 1 /* RENAME_NOREPLACE */) == 0;
    if (parent >= 0) close(parent);
    if (host >= 0) close(host);
    return ok;
}

/* Without a sandbox only what lies in the step's own directory is nobody else's. */
static bool move_own(struct collect *c, const char *path, const char *name)
{
    struct stat st;
    size_t n = strlen(c->p->own_dir);
    return !c->p->sb && strncmp(path, c->p->own_dir, n) == 0 && path[n] == '/' && lstat(path, &st) == 0 && !S_ISLNK(st.st_mode) &&
           renameat2(AT_FDCWD, path, c->outputs, name, 1 /* RENAME_NOREPLACE */) == 0;
}

static bool copy_output(struct collect *c, int fd, struct step_artifact_out *out)
{
    const struct step_spec *s = c->p->spec;
    if (s->uid >= 0 && fchown(c->outputs, (uid_t)s->uid, (gid_t)-1) != 0) return false;
    struct io_copy how = {.mode = -1, .uid = -1, .gid = -1, .leave_unreadable = true};
    bool ok = rights_of_step(c) && io_copy_tree(fd, c->outputs, out->name.p, &how);
    rights_back(c);
    int why = errno;
    out->size = how.bytes;
    out->left_out = how.left_out;
    if (s->uid >= 0 && fchown(c->outputs, geteuid(), (gid_t)-1) != 0) ok = false;
    errno = why;
    return ok;
}

static void save_artifact(struct collect *c, const struct step_output *o, struct step_artifact_out *out)
{
    struct stat st;
    out->name = o->name;
    int fd = open_output(c, o->path.p, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        fault_note(c, o->name.p);
        if (errno != ENOENT && errno != ENOTDIR) out->error = str_of(strerror(errno));
        return;
    }
    bool is_dir = S_ISDIR(st.st_mode);
    if (!is_dir && !S_ISREG(st.st_mode)) {
        out->error = STR("neither a file nor a directory");
    } else if (move_own(c, o->path.p, o->name.p) || move_output(c, fd, is_dir, o->name.p)) {
        out->moved = true;
        out->size = is_dir ? 0 : (uint64_t)st.st_size;
        out->form = is_dir ? STEP_FORM_DIR : STEP_FORM_FILE;
    } else if (copy_output(c, fd, out)) {
        out->form = is_dir ? STEP_FORM_DIR : STEP_FORM_FILE;
    } else {
        fault_note(c, o->name.p);
        out->error = str_dup(c->p->arena, str_of(strerror(errno)));
        io_remove_tree(c->outputs, o->name.p);
    }
    close(fd);
}

static bool collect_artifacts(struct collect *c, struct step_result *r, struct err *e)
{
    const struct step_spec *s = c->p->spec;
    const char *path = str_fmt(c->p->arena, "%s/outputs", c->p->own_dir).p;
    if (!io_mkdirs(path, 0700)) return err_sys(e, "outputs");
    c->outputs = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->outputs < 0) return err_sys(e, "outputs");
    if (c->p->work) find_mounts(c);
    /* not synced here: whoever takes them into a store decides when */
    r->artifacts.items = ARENA_ARRAY(c->p->arena, struct step_artifact_out, s->artifacts.n);
    r->artifacts.n = s->artifacts.n;
    for (size_t i = 0; i < s->artifacts.n; i++) {
        save_artifact(c, &s->artifacts.items[i], &r->artifacts.items[i]);
        fail_point(FAIL_OUTPUT_SAVED);
    }
    close(c->outputs);
    return true;
}

bool collect_outputs(struct plan *p, struct step_result *r, struct err *e)
{
    const struct step_spec *s = p->spec;
    if (s->params.n == 0 && s->artifacts.n == 0) return true;
    struct collect c = {.p = p, .root = p->root_fd, .outputs = -1};
    if (!p->sb) c.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c.root < 0) return err_set(e, ERR_IO, "outputs: the step's files are gone");
    r->params.items = ARENA_ARRAY(p->arena, struct step_param_out, s->params.n);
    r->params.n = s->params.n;
    for (size_t i = 0; i < s->params.n; i++) read_param(&c, &s->params.items[i], &r->params.items[i]);
    bool ok = s->artifacts.n == 0 || collect_artifacts(&c, r, e);
    if (!p->sb) close(c.root);
    if (!ok || !c.fault) return ok;
    errno = c.fault;
    return err_sys(e, "output '%s'", c.faulty);
}
