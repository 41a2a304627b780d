/* Restoring, and looking at what a backup has. See backup.h.
 *
 * The new state is made and checked beside the place that it is for, under its name with ".restore" after it, and takes that
 * place by one rename. It holds its own engine.lock meanwhile, and the old one's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "base/fail.h"
#include "doc/json.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "service/backup_p.h"

const char *const backup_parts[] = {"skiff.db", "artifacts", "steps", "volumes", NULL};

/* ---- what it has ---- */

struct contents {
    struct str dir;
    size_t missing;
};

bool backup_has_content(struct str dir, struct str content)
{
    char path[4096];
    struct stat st;
    struct str shard = str_sub(content, 0, 2);
    int n = snprintf(path, sizeof path, "%.*s/artifacts/%.*s/%.*s", STR_ARG(dir), STR_ARG(shard), STR_ARG(content));
    return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0;
}

static bool content_look(void *ctx, const struct artifact_row *row, struct err *e)
{
    struct contents *c = ctx;
    (void)e;
    c->missing += !backup_has_content(c->dir, row->content);
    return true;
}

bool backup_examine(struct arena *a, struct str dir, enum store_mode mode, int64_t *workflows, size_t *missing, struct err *e)
{
    struct contents c = {.dir = dir};
    struct run_count counts[STORE_PHASES_MAX];
    struct str report = STR("");
    size_t n = 0;
    struct store *s = store_open(dir, mode, e);
    bool ok = s && store_check(a, s, &report, e);
    if (ok && !str_is(report, "ok")) ok = err_set(e, ERR_SPEC, "the database is damaged: %.*s", STR_ARG(str_sub(report, 0, 200)));
    ok = ok && store_artifacts_load(s, content_look, &c, e) && store_run_phases(s, counts, &n, e);
    store_close(s);
    *missing = c.missing;
    *workflows = 0;
    for (size_t i = 0; i < n; i++) *workflows += counts[i].n;
    return ok;
}

/* ---- restoring ---- */

struct place {
    struct arena *a;
    const char *state, *work; /* paths, without a slash at the end */
    bool exists, empty;
    int lock_fd, work_lock_fd; /* of either */
};

static bool is_ours_when_empty(struct str name) { return str_is(name, "engine.lock"); }

/* A supervisor without an engine holds its journal's lock. */
static bool steps_at_work(struct place *p)
{
    struct dir_list slots;
    const char *dir = str_fmt(p->a, "%s/slots", p->state).p;
    if (!dir_read(p->a, dir, &slots, NULL)) return false;
    for (size_t i = 0; i < slots.n; i++)
        if (lockfile_held(str_fmt(p->a, "%s/%.*s", dir, STR_ARG(slots.items[i].name)).p)) return true;
    return false;
}

static bool place_look(struct place *p, bool force, struct err *e)
{
    struct dir_list list;
    struct stat st;
    p->exists = lstat(p->state, &st) == 0;
    p->empty = true;
    if (!p->exists) return errno == ENOENT || err_sys(e, "'%s'", p->state);
    if (!S_ISDIR(st.st_mode)) return err_set(e, ERR_CONFLICT, "'%s' is no directory", p->state);
    if (!dir_read(p->a, p->state, &list, e)) return false;
    for (size_t i = 0; i < list.n; i++) p->empty = p->empty && is_ours_when_empty(list.items[i].name);
    bool state = file_exists(str_fmt(p->a, "%s/skiff.db", p->state).p);
    if (!p->empty && !force) return err_set(e, ERR_CONFLICT, "'%s' is not empty: --force puts the backup in its place", p->state);
    if (!p->empty && !state) return err_set(e, ERR_CONFLICT, "'%s' is not empty, and no state directory", p->state);
    p->lock_fd = lockfile_take(str_fmt(p->a, "%s/engine.lock", p->state).p, e);
    if (p->lock_fd < 0) return e->code != ERR_CONFLICT ? false : err_set(e, ERR_CONFLICT, "an engine is at work in '%s': end it first", p->state);
    return !steps_at_work(p) || err_set(e, ERR_CONFLICT, "steps are still at work in '%s': let an engine end them first", p->state);
}

/* What a restore that was killed has left goes. */
static bool work_make(struct place *p, struct err *e)
{
    const char *lock = str_fmt(p->a, "%s/engine.lock", p->work).p;
    if (lockfile_held(lock)) return err_set(e, ERR_CONFLICT, "another restore is at work in '%s'", p->work);
    if (!dir_remove_tree(p->work, e)) return false;
    if (mkdir(p->work, 0700) != 0) return err_sys(e, "cannot make '%s'", p->work);
    p->work_lock_fd = lockfile_take(lock, e);
    return p->work_lock_fd >= 0;
}

static bool parts_check(struct place *p, struct err *e)
{
    struct dir_list list;
    bool database = false;
    if (!dir_read(p->a, p->work, &list, e)) return false;
    for (size_t i = 0; i < list.n; i++) {
        bool known = str_is(list.items[i].name, "engine.lock");
        for (size_t k = 0; backup_parts[k]; k++) known = known || str_is(list.items[i].name, backup_parts[k]);
        if (!known) return err_set(e, ERR_SPEC, "this is no backup of a state directory: it has '%.*s'", STR_ARG(list.items[i].name));
        database = database || str_is(list.items[i].name, "skiff.db");
    }
    return database || err_set(e, ERR_SPEC, "this is no backup of a state directory: it has no database");
}

static bool note_read(struct arena *a, struct str note, struct backup_report *out)
{
    struct val v;
    struct err ignored;
    if (!json_parse(a, note, NULL, &v, &ignored)) return false;
    out->made = val_get_str(&v, "made");
    return true;
}

static bool work_fill(struct place *p, int fd, struct backup_report *out, struct err *e)
{
    struct bundle_count n;
    struct str note;
    int dir CLEANUP(close_fd) = open(p->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return err_sys(e, "'%s'", p->work);
    if (!bundle_extract(p->a, fd, dir, &note, &n, e) || !parts_check(p, e)) return false;
    note_read(p->a, note, out);
    out->files = n.entries;
    out->bytes = n.bytes;
    if (!backup_examine(p->a, str_of(p->work), STORE_WRITE, &out->workflows, &out->missing, e)) return false;
    return (!fail_point(FAIL_RESTORE) && syncfs(dir) == 0) || err_sys(e, "'%s'", p->work);
}

static bool place_take(struct place *p, struct err *e)
{
    if (p->exists && renameat2(AT_FDCWD, p->work, AT_FDCWD, p->state, RENAME_EXCHANGE) != 0) {
        if (errno == EBUSY) return err_set(e, ERR_UNSUPPORTED, "'%s' is a mount point, which nothing can take the place of: restore into a directory below it", p->state);
        return err_sys(e, "cannot put the restored state in the place of '%s'", p->state);
    }
    if (!p->exists && renameat2(AT_FDCWD, p->work, AT_FDCWD, p->state, RENAME_NOREPLACE) != 0) return err_sys(e, "cannot give the restored state its name '%s'", p->state);
    const char *slash = strrchr(p->state, '/');
    const char *parent = slash == p->state ? "/" : slash ? str_z(p->a, str_n(p->state, (size_t)(slash - p->state))) : ".";
    return dir_sync(parent, e);
}

bool backup_restore(struct arena *a, struct str state_dir, int fd, bool force, struct backup_report *out, struct err *e)
{
    while (state_dir.n > 1 && str_ends(state_dir, STR("/"))) state_dir.n--;
    struct place p = {.a = a, .state = str_z(a, str_dup(a, state_dir)), .work = str_fmt(a, "%.*s.restore", STR_ARG(state_dir)).p, .lock_fd = -1, .work_lock_fd = -1};
    *out = (struct backup_report){0};
    bool ok = place_look(&p, force, e) && work_make(&p, e);
    if (ok) ok = work_fill(&p, fd, out, e) && place_take(&p, e);
    if (p.work_lock_fd >= 0 && (!ok || p.exists)) dir_remove_tree(p.work, NULL); /* what was begun, or what was there before */
    close_fd(&p.lock_fd);
    close_fd(&p.work_lock_fd);
    return ok;
}
