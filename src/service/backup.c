/* Taking a backup. See backup.h.
 *
 * Files go into a stage first, a private directory of hard links within the state directory: the engine may remove what it likes
 * meanwhile. They are linked before the database is copied, and once more after that. Rows go before their files: what the live
 * database still has after that was linked, and what it does not have any more is taken out of the copy. */
#include "service/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "base/fail.h"
#include "base/rfc3339.h"
#include "base/vec.h"
#include "base/version.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "os/random.h"
#include "service/backup_p.h"
#include "store/store.h"

#define STAGE_PREFIX "backup-"

struct stage {
    struct arena *a;
    struct str dir, state; /* paths */
    int fd, state_fd, lock_fd;
    struct store *live;
    struct backup_report *out;
};

/* Of those who were killed. */
static bool stages_sweep(struct arena *a, struct str state, struct err *e)
{
    struct dir_list list;
    if (!dir_read(a, str_z(a, state), &list, e)) return false;
    for (size_t i = 0; i < list.n; i++) {
        const char *path = str_fmt(a, "%.*s/%.*s", STR_ARG(state), STR_ARG(list.items[i].name)).p;
        bool stage = str_starts(list.items[i].name, STR(STAGE_PREFIX)) && list.items[i].type == DT_DIR;
        if (!stage || lockfile_held(str_fmt(a, "%s/lock", path).p)) continue;
        if (!dir_remove_tree(path, e)) return false;
    }
    return true;
}

/* Under another name until it is locked: a sweep would take it for one of the dead. */
static bool stage_make(struct stage *s, struct err *e)
{
    struct str number = str_fmt(s->a, "%016llx", (unsigned long long)random_u64());
    const char *young = str_fmt(s->a, "%.*s/.%.*s", STR_ARG(s->state), STR_ARG(number)).p;
    s->dir = str_fmt(s->a, "%.*s/" STAGE_PREFIX "%.*s", STR_ARG(s->state), STR_ARG(number));
    if (mkdir(young, 0700) != 0) return err_sys(e, "'%s'", young);
    s->lock_fd = lockfile_take(str_fmt(s->a, "%s/lock", young).p, e);
    if (s->lock_fd < 0 || rename(young, s->dir.p) != 0) {
        if (s->lock_fd >= 0) err_sys(e, "'%s'", s->dir.p);
        dir_remove_tree(young, NULL);
        s->dir = STR_NONE;
        return false;
    }
    s->fd = open(s->dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->state_fd = open(str_z(s->a, s->state), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (s->fd >= 0 && s->state_fd >= 0) || err_sys(e, "'%s'", s->dir.p);
}

static void stage_drop(struct stage *s)
{
    store_close(s->live);
    close_fd(&s->fd);
    close_fd(&s->state_fd);
    if (s->dir.p) dir_remove_tree(s->dir.p, NULL);
    close_fd(&s->lock_fd);
}

static bool files_link(struct stage *s, struct err *e)
{
    return tree_mirror(s->state_fd, "artifacts", s->fd, "artifacts", e) && tree_mirror(s->state_fd, "steps", s->fd, "steps", e);
}

/* ---- what was deleted meanwhile ---- */

static bool runs_trim(struct stage *s, struct store *copy, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_filter f = {0};
    struct run_page page;
    arena_init(&a);
    do {
        if (!store_run_list(&a, copy, &f, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            struct run_row row;
            struct err absent = {0};
            if (store_run_get(&a, s->live, page.rows[i].run, &row, &absent)) continue;
            if (absent.code != ERR_NOT_FOUND) return *e = absent, false;
            if (!store_run_delete(copy, page.rows[i].run, clock_now_us(), e)) return false;
        }
        f.before_run = page.next;
        arena_reset(&a);
    } while (f.before_run);
    return true;
}

struct lost_rows {
    struct stage *s;
    VEC(struct artifact_row) rows;
};

static bool row_look(void *ctx, const struct artifact_row *row, struct err *e)
{
    struct lost_rows *l = ctx;
    struct arena *a = l->s->a;
    struct artifact_row mine = {.ns = str_dup(a, row->ns), .key = str_dup(a, row->key), .content = str_dup(a, row->content)};
    (void)e;
    if (!backup_has_content(l->s->dir, row->content)) VEC_PUSH(&l->rows, mine);
    return true;
}

/* An artifact that the live state names and has not either is left as it is, and told. */
static bool artifacts_trim(struct stage *s, struct store *copy, struct err *e)
{
    struct lost_rows l = {.s = s};
    bool ok = store_artifacts_load(copy, row_look, &l, e);
    for (size_t i = 0; ok && i < l.rows.n; i++) {
        const struct artifact_row *lost = &l.rows.items[i];
        struct artifact_row now;
        struct err absent = {0};
        bool named = store_artifact_get(s->a, s->live, lost->ns, lost->key, &now, &absent) && str_eq(now.content, lost->content);
        if (named) s->out->missing++;
        else ok = store_artifact_delete(copy, lost->ns, lost->key, e);
    }
    VEC_FINI(&l.rows);
    return ok;
}

static bool copy_trim(struct stage *s, struct err *e)
{
    struct store *copy = store_open(s->dir, STORE_WRITE, e);
    bool ok = copy && store_begin(copy, e) && runs_trim(s, copy, e) && artifacts_trim(s, copy, e) && store_commit(copy, STORE_FAST, e);
    store_close(copy);
    return ok;
}

static bool stage_fill(struct stage *s, struct err *e)
{
    size_t missing;
    return files_link(s, e) && store_backup(s->live, str_fmt(s->a, "%.*s/skiff.db", STR_ARG(s->dir)), e) && files_link(s, e) && copy_trim(s, e) &&
           backup_examine(s->a, s->dir, STORE_READ, &s->out->workflows, &missing, e) && tree_mirror(s->state_fd, "volumes", s->fd, "volumes", e);
}

static bool stage_write(struct stage *s, int fd, struct err *e)
{
    struct bundle_writer *w = bundle_begin(fd, e);
    struct bundle_count n = {0};
    bool ok = w != NULL;
    s->out->made = rfc3339(s->a, clock_now_us());
    for (size_t i = 0; ok && backup_parts[i]; i++) ok = bundle_add(w, s->fd, backup_parts[i], e);
    if (ok && fail_point(FAIL_BACKUP_WRITTEN)) ok = err_sys(e, "the backup");
    struct str note = str_fmt(s->a, "{\"skiff\":\"" SKIFF_VERSION "\",\"made\":\"%.*s\",\"workflows\":%lld}", STR_ARG(s->out->made),
                              (long long)s->out->workflows);
    ok = ok && bundle_end(w, note, &n, e);
    bundle_free(w);
    s->out->files = n.entries;
    s->out->bytes = n.bytes;
    return ok;
}

bool backup_make(struct arena *a, struct str state_dir, int fd, struct backup_report *out, struct err *e)
{
    struct stage s = {.a = a, .state = state_dir, .fd = -1, .state_fd = -1, .lock_fd = -1, .out = out};
    *out = (struct backup_report){0};
    s.live = store_open(state_dir, STORE_READ, e);
    bool ok = s.live && stages_sweep(a, state_dir, e) && stage_make(&s, e) && stage_fill(&s, e) && stage_write(&s, fd, e);
    stage_drop(&s);
    return ok;
}
