/* Cursors over prepared statements, and SQLite's result codes in a user's words. See store_p.h. */
#include "base/limits.h"
#include "store/store_p.h"

static const char *const stmt_sql[STMT_MAX] = {
#define STMT(name, sql) [STMT_##name] = sql,
#include "store/stmts.def"
#undef STMT
};

struct query query_new(struct store *s, enum stmt id)
{
    struct query q = {.s = s, .rc = SQLITE_OK};
    if (s->dead) {
        q.rc = SQLITE_ABORT;
        return q;
    }
    if (!s->stmts[id])
        q.rc = sqlite3_prepare_v3(s->db, stmt_sql[id], -1, SQLITE_PREPARE_PERSISTENT, &s->stmts[id], NULL);
    q.st = s->stmts[id];
    return q;
}

static void bound(struct query *q, int rc)
{
    if (q->rc == SQLITE_OK) q->rc = rc;
}

void query_int(struct query *q, int64_t v)
{
    if (q->st) bound(q, sqlite3_bind_int64(q->st, ++q->param, v));
}

void query_text_opt(struct query *q, struct str v)
{
    if (q->st) bound(q, sqlite3_bind_text64(q->st, ++q->param, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void query_text(struct query *q, struct str v)
{
    query_text_opt(q, str_set(v) ? v : STR(""));
}

void query_blob(struct query *q, struct str v)
{
    if (q->st) bound(q, sqlite3_bind_blob64(q->st, ++q->param, v.p, v.n, SQLITE_STATIC));
}

bool query_row(struct query *q)
{
    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW) return false;
    q->column = 0;
    q->rc = sqlite3_step(q->st);
    return q->rc == SQLITE_ROW;
}

bool query_end(struct query *q, struct err *e)
{
    bool ok = q->rc == SQLITE_OK || q->rc == SQLITE_ROW || q->rc == SQLITE_DONE;
    if (!ok) store_fail(q->s, q->rc, e); /* before the reset, which clears the message */
    if (q->st) {
        sqlite3_reset(q->st);
        sqlite3_clear_bindings(q->st);
    }
    return ok;
}

/* A constraint undoes the one statement. Anything else may have undone the whole transaction
 * (a full disk does), so nothing more may be written in it. */
bool query_run(struct query *q, struct err *e)
{
    struct store *s = q->s;
    ASSERT(s->mode == STORE_WRITE && s->open_txn);
    if (s->failed && q->rc == SQLITE_OK) q->rc = SQLITE_ABORT;
    while (query_row(q)) {}
    if (q->rc != SQLITE_DONE && (q->rc & 0xff) != SQLITE_CONSTRAINT) s->failed = true;
    return query_end(q, e);
}

int64_t query_get_int(struct query *q)
{
    return sqlite3_column_int64(q->st, q->column++);
}

struct str query_get(struct query *q)
{
    int i = q->column++;
    if (sqlite3_column_type(q->st, i) == SQLITE_NULL) return STR_NONE;
    const char *p = sqlite3_column_blob(q->st, i);
    return str_n(p ? p : "", (size_t)sqlite3_column_bytes(q->st, i));
}

struct str query_get_dup(struct query *q, struct arena *a)
{
    struct str v = query_get(q);
    return str_set(v) ? str_dup(a, v) : v;
}

int64_t store_rows_changed(const struct store *s)
{
    return sqlite3_changes64(s->db);
}

struct failure {
    int rc; /* primary code */
    enum err_code code;
    const char *text;
};

static const struct failure failures[] = {
    {SQLITE_FULL, ERR_IO, "the disk is full; free some space, nothing that was committed is lost"},
    {SQLITE_BUSY, ERR_CONFLICT, "another program has locked the database"},
    {SQLITE_LOCKED, ERR_CONFLICT, "another program has locked the database"},
    {SQLITE_READONLY, ERR_IO, "the database or its directory cannot be written"},
    {SQLITE_PERM, ERR_IO, "permission denied"},
    {SQLITE_AUTH, ERR_IO, "permission denied"},
    {SQLITE_CANTOPEN, ERR_IO, "the database cannot be opened; are the directory and its files accessible?"},
    {SQLITE_CORRUPT, ERR_IO, "the database is damaged; put a backup in its place, or move it away to start anew"},
    {SQLITE_NOTADB, ERR_IO, "this file is not a Skiff database"},
    {SQLITE_TOOBIG, ERR_LIMIT, "a value is larger than LIMIT_STORED_BYTES"},
    {SQLITE_CONSTRAINT, ERR_CONFLICT, "it exists already"},
    {SQLITE_ABORT, ERR_IO, "an earlier failure ended this transaction"},
    {SQLITE_IOERR, ERR_IO, "reading or writing the database failed"},
};

bool store_fail(struct store *s, int rc, struct err *e)
{
    int primary = rc & 0xff;
    int sys = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ? sqlite3_system_errno(s->db) : 0;
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        if (failures[i].rc != primary) continue;
        err_set(e, failures[i].code, "'%s': %s%s%s", s->path, failures[i].text, sys ? ": " : "",
                sys ? strerror(sys) : "");
        if (e) e->sys = sys;
        return false;
    }
    return err_set(e, ERR_INTERNAL, "'%s': %s (SQLite %d)", s->path, sqlite3_errmsg(s->db), rc);
}

bool store_exec(struct store *s, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || store_fail(s, rc, e);
}

bool store_exec_int(struct store *s, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int64(st, 0);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || store_fail(s, rc, e);
    sqlite3_finalize(st);
    return ok;
}
