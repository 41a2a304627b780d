/* Private to store/: the connection, its statements, and cursors over them.
 *
 * A cursor binds its parameters in order and reads its columns in order:
 *     struct query q = query_new(s, STMT_NODE_PUT);
 *     query_int(&q, key); query_text(&q, id);
 *     return query_run(&q, e);                      for statements that write
 *     while (query_row(&q)) query_get_int(&q);      for those that read,
 *     return query_end(&q, e);                      which must always end so
 * What is bound must live until the end. A cursor never stays open across calls of the store. */
#pragma once
#include <sqlite3.h>

#include "base/vec.h"
#include "store/store.h"

enum stmt {
#define STMT(name, sql) STMT_##name,
#include "store/stmts.def"
#undef STMT
    STMT_MAX
};

/* The one row of table meta. */
struct counters {
    int64_t version, run, command, change; /* last number given out */
};

struct store {
    sqlite3 *db;
    char *path;
    enum store_mode mode;
    bool open_txn;
    bool failed;       /* this transaction can only be rolled back */
    bool dead;         /* after a simulated crash or a failed sync: nothing works any more */
    struct counters now, saved; /* saved: at store_begin */
    int64_t changed_at_begin;
    int64_t first_change; /* lowest seq still there; 0: not known */
    int64_t changes_kept;
    int64_t objects_written;
    sqlite3_stmt *stmts[STMT_MAX];
};

struct query {
    struct store *s;
    sqlite3_stmt *st; /* NULL after a failure */
    int rc;
    int param, column;
};

struct query query_new(struct store *s, enum stmt id);
void query_int(struct query *q, int64_t v);
void query_text(struct query *q, struct str v);      /* absent: "" */
void query_text_opt(struct query *q, struct str v);  /* absent: NULL */
void query_blob(struct query *q, struct str v);      /* absent: NULL */
bool query_run(struct query *q, struct err *e);
bool query_row(struct query *q);
bool query_end(struct query *q, struct err *e);
int64_t query_get_int(struct query *q);
struct str query_get(struct query *q);                          /* NULL: absent; until the next row */
struct str query_get_dup(struct query *q, struct arena *a);
int64_t store_rows_changed(const struct store *s);              /* by the last query_run */

void run_read(struct query *q, struct arena *a, struct run_row *out); /* RUN_COLUMNS; runs.c */

/* Sets `e` from an SQLite result code, in a user's words. Returns false. */
bool store_fail(struct store *s, int rc, struct err *e);
bool store_exec(struct store *s, const char *sql, struct err *e);
bool store_exec_int(struct store *s, const char *sql, int64_t *out, struct err *e);

/* Tombstones serve watches; the change log has forgotten what came before its first row. In the open transaction. txn.c */
bool tombstones_prune(struct store *s, struct err *e);

/* schema.c: steps[i] leads from user_version i to i+1. */
extern const char *const store_schema[];
enum { STORE_SCHEMA_VERSION = 2, STORE_APPLICATION_ID = 0x536b6966 /* "Skif" */ };
bool store_migrate(struct store *s, const char *const *steps, int n, struct err *e);

/* Moves a vector of rows into the arena: *out_rows, *out_n. */
#define ROWS_MOVE(a, vec, out_rows, out_n)                                                         \
    do {                                                                                           \
        *(out_n) = (vec)->n;                                                                       \
        *(out_rows) = arena_alloc((a), (vec)->n * sizeof *(vec)->items);                           \
        if ((vec)->n) memcpy(*(out_rows), (vec)->items, (vec)->n * sizeof *(vec)->items);          \
        VEC_FINI(vec);                                                                             \
    } while (0)

static inline size_t store_limit(size_t wanted, size_t most)
{
    return wanted && wanted < most ? wanted : most;
}
