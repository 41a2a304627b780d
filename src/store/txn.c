/* Transactions, durability, checkpoints, checks and backups. See store.h.
 *
 * A transaction's commit number is taken at its begin and given back when nothing was written, so
 * that numbers have no gaps. The four counters live in memory and are written with each commit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fail.h"
#include "store/store_p.h"

/* Somebody who moved or replaced the file would lose all that is written from now on. */
static bool file_is_ours(struct store *s, struct err *e)
{
    int moved = 0;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return !moved || err_set(e, ERR_IO, "'%s' was moved or replaced while in use", s->path);
}

static bool control_run(struct store *s, enum stmt id, struct err *e)
{
    struct query q = query_new(s, id);
    while (query_row(&q)) {}
    return query_end(&q, e);
}

bool store_begin(struct store *s, struct err *e)
{
    ASSERT(!s->open_txn);
    if (s->mode == STORE_READ) {
        int64_t pin; /* the snapshot begins with the first read */
        s->open_txn = control_run(s, STMT_BEGIN_READ, e);
        if (s->open_txn && !store_exec_int(s, "SELECT version FROM meta", &pin, e)) store_rollback(s);
        return s->open_txn;
    }
    if (!file_is_ours(s, e) || !control_run(s, STMT_BEGIN_WRITE, e)) return false;
    s->open_txn = true;
    s->failed = false;
    s->saved = s->now;
    s->now.version++;
    s->changed_at_begin = sqlite3_total_changes64(s->db);
    return true;
}

bool store_in_transaction(const struct store *s)
{
    return s->open_txn;
}

int64_t store_written(const struct store *s) { return sqlite3_total_changes64(s->db); }

void store_rollback(struct store *s)
{
    if (!s->open_txn) return;
    s->open_txn = false;
    s->failed = false;
    if (s->mode == STORE_WRITE) s->now = s->saved;
    s->first_change = 0;
    if (!sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

static bool counters_save(struct store *s, struct err *e)
{
    struct query q = query_new(s, STMT_META_PUT);
    query_int(&q, s->now.version);
    query_int(&q, s->now.run);
    query_int(&q, s->now.command);
    query_int(&q, s->now.change);
    return query_run(&q, e);
}

static bool change_first(struct store *s, int64_t *out, struct err *e)
{
    struct query q = query_new(s, STMT_CHANGE_FIRST);
    if (query_row(&q)) *out = query_get_int(&q); /* NULL reads as 0 */
    return query_end(&q, e);
}

bool tombstones_prune(struct store *s, struct err *e)
{
    struct query runs = query_new(s, STMT_RUN_PRUNE);
    if (!query_run(&runs, e)) return false;
    struct query objects = query_new(s, STMT_OBJECT_PRUNE);
    return query_run(&objects, e);
}

/* Now and then, some rows at a time: no commit is much slower than another. Each tombstone came with a change. */
static bool changes_trim(struct store *s, struct err *e)
{
    enum { SLACK = 256, BATCH = 1024 };
    if (!s->first_change && !change_first(s, &s->first_change, e)) return false;
    int64_t keep_from = s->now.change - s->changes_kept + 1;
    if (!s->first_change || keep_from - s->first_change < MIN(SLACK, s->changes_kept)) return true;
    struct query q = query_new(s, STMT_CHANGES_TRIM);
    keep_from = MIN(keep_from, s->first_change + BATCH);
    query_int(&q, keep_from - 1);
    if (!query_run(&q, e)) return false;
    s->first_change = keep_from;
    return tombstones_prune(s, e);
}

static bool fault_hits(struct store *s, enum store_point point, struct err *e)
{
    if (!store_fault.hit || !store_fault.hit(store_fault.ctx, point)) return false;
    store_rollback(s);
    s->dead = true;
    err_set(e, ERR_IO, "'%s': simulated crash", s->path);
    return true;
}

static bool commit_written(struct store *s, struct err *e)
{
    if (s->failed) return store_fail(s, SQLITE_ABORT, e);
    if (sqlite3_total_changes64(s->db) == s->changed_at_begin)
        s->now = s->saved;
    else if (!changes_trim(s, e) || !counters_save(s, e))
        return false;
    return control_run(s, STMT_COMMIT, e);
}

bool store_commit(struct store *s, enum store_durability durability, struct err *e)
{
    ASSERT(s->open_txn);
    if (s->mode == STORE_READ) {
        store_rollback(s);
        return true;
    }
    if (fault_hits(s, STORE_BEFORE_COMMIT, e)) return false;
    if (fail_point(FAIL_COMMIT_BEFORE) ? !err_sys(e, "'%s'", s->path) : !commit_written(s, e)) {
        store_rollback(s);
        return false;
    }
    s->open_txn = false;
    fail_point(FAIL_COMMIT_AFTER);
    if (fault_hits(s, STORE_AFTER_COMMIT, e)) return false;
    return durability == STORE_FAST || store_sync(s, e);
}

/* With synchronous=NORMAL a commit is in the log file but perhaps not yet on the disk. */
bool store_sync(struct store *s, struct err *e)
{
    ASSERT(s->mode == STORE_WRITE);
    if (s->dead) return store_fail(s, SQLITE_ABORT, e);
    sqlite3_file *wal = NULL;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (!wal || !wal->pMethods) return true; /* nothing was written since the last checkpoint */
    int rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    if (rc == SQLITE_OK) return true;
    s->dead = true; /* after a failed fsync nobody knows what is on the disk: start again from there */
    return err_set(e, ERR_IO, "'%s': the disk did not confirm what was written; restart is needed", s->path);
}

int64_t store_version(struct store *s)
{
    if (s->mode == STORE_WRITE) return s->now.version;
    int64_t version = 0;
    struct query q = query_new(s, STMT_META_GET);
    if (query_row(&q)) version = query_get_int(&q);
    query_end(&q, NULL);
    return version;
}

bool store_checkpoint(struct store *s, struct err *e)
{
    ASSERT(s->mode == STORE_WRITE && !s->open_txn);
    if (fail_point(FAIL_CHECKPOINT)) return err_sys(e, "'%s'", s->path);
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return rc == SQLITE_OK || rc == SQLITE_BUSY || store_fail(s, rc, e);
}

bool store_check(struct arena *a, struct store *s, struct str *report, struct err *e)
{
    enum { REPORT_MAX = 64 << 10 };
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, REPORT_MAX);
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(20)", -1, &st, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) buf_printf(&b, "%s%s", b.n ? "\n" : "", sqlite3_column_text(st, 0));
    }
    if ((rc & 0xff) == SQLITE_CORRUPT) { /* so bad that the check itself stumbled */
        buf_printf(&b, "%s%s", b.n ? "\n" : "", sqlite3_errmsg(s->db));
        rc = SQLITE_DONE;
    }
    bool ok = rc == SQLITE_DONE || store_fail(s, rc, e);
    sqlite3_finalize(st);
    if (ok) *report = buf_dup(a, &b);
    return ok;
}

static bool copy_to(struct store *s, const char *path, struct err *e)
{
    sqlite3 *to = NULL;
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_backup *b = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", s->db, "main") : NULL;
    rc = b ? sqlite3_backup_step(b, -1) : sqlite3_errcode(to);
    if (b) sqlite3_backup_finish(b);
    bool ok = rc == SQLITE_DONE ||
              err_set(e, ERR_IO, "cannot copy the database to '%s': %s", path, sqlite3_errstr(rc));
    sqlite3_close(to);
    return ok;
}

bool store_backup(struct store *s, struct str to_path, struct err *e)
{
    ASSERT(!s->open_txn);
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const char *tmp = str_fmt(&a, "%.*s.tmp", STR_ARG(to_path)).p;
    if (unlink(tmp) != 0 && errno != ENOENT) return err_sys(e, "'%s'", tmp);
    int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* secrets are in it */
    if (fd < 0) return err_sys(e, "cannot create '%s'", tmp);
    close(fd);
    if (!copy_to(s, tmp, e)) {
        unlink(tmp);
        return false;
    }
    return (!fail_point(FAIL_BACKUP) && rename(tmp, str_z(&a, to_path)) == 0) || err_sys(e, "'%s'", tmp);
}
