/* Opening and closing the database. See store.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "store/store_p.h"

struct store_fault store_fault;

enum {
    BUSY_WAIT_MS = 3000,     /* for a foreign process that holds a lock */
    CHECKPOINT_PAGES = 4000, /* of log, before a commit moves them into the database */
};

static char *path_of(struct str dir)
{
    struct buf b;
    buf_init(&b, dir.n + 32);
    buf_str(&b, dir);
    buf_str(&b, str_n("/skiff.db", sizeof "/skiff.db")); /* with its NUL */
    return b.p;
}

static bool nothing_yet(const char *path, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "there is no state in '%s': nothing has run here yet", path);
}

/* Secrets are in there: the file is its owner's alone, and its log files inherit that. An existing
 * file is not opened here, because closing it would drop SQLite's locks of this process. */
static bool file_prepare(const char *path, enum store_mode mode, struct err *e)
{
    if (access(path, F_OK) == 0) return true;
    if (errno != ENOENT) return err_sys(e, "'%s'", path);
    if (mode == STORE_READ) return nothing_yet(path, e);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "cannot create '%s'", path);
    close(fd);
    return true;
}

static bool connection_open(struct store *s, const char *name, int flags, struct err *e)
{
    int rc = sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK) return store_fail(s, rc, e);
    sqlite3_busy_timeout(s->db, BUSY_WAIT_MS);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, LIMIT_STORED_BYTES);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, s->mode == STORE_READ, NULL);
    sqlite3_wal_autocheckpoint(s->db, s->mode == STORE_WRITE ? CHECKPOINT_PAGES : 0);
    return true;
}

/* A directory that this user cannot write has no place for the log's index. Without a log, nobody
 * is writing and the file can be read as it is. */
static bool connection_reopen_immutable(struct store *s, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (access(str_fmt(&a, "%s-wal", s->path).p, F_OK) == 0) return false;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 4 * strlen(s->path) + 64);
    buf_str(&b, STR("file:"));
    for (const char *p = s->path; *p; p++) buf_printf(&b, strchr("?#%", *p) ? "%%%02x" : "%c", *p);
    buf_str(&b, STR("?immutable=1"));
    sqlite3_close(s->db);
    s->db = NULL;
    return connection_open(s, str_z(&a, buf_view(&b)), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, e);
}

static bool application_check(struct store *s, struct err *e)
{
    int64_t id = 0, tables = 0;
    if (!store_exec_int(s, "PRAGMA application_id", &id, e) ||
        !store_exec_int(s, "SELECT count(*) FROM sqlite_schema", &tables, e))
        return false;
    if (id == STORE_APPLICATION_ID || (tables == 0 && s->mode == STORE_WRITE)) return true;
    if (tables == 0) return nothing_yet(s->path, e); /* its first owner is just beginning */
    return err_set(e, ERR_IO, "'%s' is a database, but not one of Skiff", s->path);
}

static bool reader_setup(struct store *s, struct err *e)
{
    struct err first = {0};
    int64_t n = 0;
    if (!store_exec_int(s, "SELECT count(*) FROM sqlite_schema", &n, &first) &&
        !(sqlite3_errcode(s->db) != SQLITE_NOTADB && connection_reopen_immutable(s, NULL))) {
        if (e) *e = first;
        return false;
    }
    return application_check(s, e) && store_exec(s, "PRAGMA query_only=1", e) &&
           store_migrate(s, store_schema, STORE_SCHEMA_VERSION, e);
}

static bool counters_load(struct store *s, struct err *e)
{
    struct query q = query_new(s, STMT_META_GET);
    if (query_row(&q)) {
        s->now.version = query_get_int(&q);
        s->now.run = query_get_int(&q);
        s->now.command = query_get_int(&q);
        s->now.change = query_get_int(&q);
    }
    return query_end(&q, e);
}

/* SQLite keeps another mode without a word where the file system has no shared memory (NFS). */
static bool wal_enable(struct store *s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode=WAL", -1, &st, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    bool ok = rc == SQLITE_ROW || store_fail(s, rc, e);
    if (ok && strcmp((const char *)sqlite3_column_text(st, 0), "wal") != 0)
        ok = err_set(e, ERR_UNSUPPORTED, "'%s': this file system cannot hold a state directory; use a local one",
                     s->path);
    sqlite3_finalize(st);
    return ok;
}

static bool writer_setup(struct store *s, struct err *e)
{
    /* A log that once grew above 64 MiB is cut when it is begun anew. */
    return application_check(s, e) && wal_enable(s, e) &&
           store_exec(s, "PRAGMA synchronous=NORMAL; PRAGMA secure_delete=FAST; PRAGMA temp_store=MEMORY;"
                         "PRAGMA cache_size=-8192; PRAGMA journal_size_limit=67108864", e) &&
           store_migrate(s, store_schema, STORE_SCHEMA_VERSION, e) && counters_load(s, e) &&
           store_begin(s, e) && tombstones_prune(s, e) && store_commit(s, STORE_FAST, e) && store_sync(s, e);
}

struct store *store_open(struct str dir, enum store_mode mode, struct err *e)
{
    struct store *s = mem_zalloc(sizeof *s);
    s->path = path_of(dir);
    s->mode = mode;
    s->changes_kept = LIMIT_CHANGES;
    int flags = mode == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (file_prepare(s->path, mode, e) && connection_open(s, s->path, flags, e) &&
        (mode == STORE_WRITE ? writer_setup(s, e) : reader_setup(s, e)))
        return s;
    store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (!s) return;
    /* As a crash would: leave the log for the next owner. */
    if (s->dead && s->db) sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    store_rollback(s);
    for (size_t i = 0; i < STMT_MAX; i++) sqlite3_finalize(s->stmts[i]);
    int rc = sqlite3_close(s->db);
    ASSERT(rc == SQLITE_OK); /* else a statement was left open */
    free(s->path);
    free(s);
}

bool store_set_limits(struct store *s, int64_t max_pages, int64_t changes_kept, struct err *e)
{
    if (changes_kept) s->changes_kept = changes_kept;
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA max_page_count=%lld", (long long)max_pages);
    return !max_pages || store_exec(s, pragma, e);
}
