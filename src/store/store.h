/* The state directory's database: everything that must survive a crash is a row here.
 *
 * One writer per state directory (the caller holds engine.lock while a STORE_WRITE store is open);
 * it does every write and every checkpoint. Readers (STORE_READ) open read-only, never checkpoint,
 * and see the last commit, or with store_begin one frozen snapshot. This is the only folder that
 * knows SQLite.
 *
 * Every write happens between store_begin and store_commit and becomes visible as a whole. Each
 * transaction that changes something takes the next commit number ("version"): the resourceVersion
 * of all that it wrote. Ids of runs, commands and changes come from counters and are never reused.
 *
 * Texts and blobs that go in are only read during the call. What comes out lives in the arena
 * given, or, in a callback, until the callback returns. Documents are opaque texts to the store.
 * Runs on: the loop thread (one thread per store). */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct store;

enum store_mode { STORE_READ, STORE_WRITE };

/* Opens (STORE_WRITE: creates and migrates when needed) the database of a state directory, which
 * must exist. NULL with `e` set: NOT_FOUND no state yet (STORE_READ), UNSUPPORTED schema newer than
 * this program, CONFLICT locked by a foreign process, IO anything else. */
struct store *store_open(struct str dir, enum store_mode mode, struct err *e);
void store_close(struct store *s); /* rolls back what is open; NULL is fine */

/* STORE_WRITE: a write transaction. STORE_READ: a snapshot that all reads see until it ends. */
bool store_begin(struct store *s, struct err *e);
enum store_durability {
    STORE_FAST,   /* survives our crash; a power cut may lose the last instants */
    STORE_DURABLE /* and is on the disk when this returns, with all commits before it */
};
/* After a failure everything since store_begin is rolled back. */
bool store_commit(struct store *s, enum store_durability durability, struct err *e);
void store_rollback(struct store *s); /* no-op when no transaction is open */
bool store_in_transaction(const struct store *s);
int64_t store_written(const struct store *s); /* how many rows have been written so far, in any transaction */
/* Makes all commits so far durable: one call for a group of promises. */
bool store_sync(struct store *s, struct err *e);
/* Within a write transaction: the number it will have. Else: that of the last commit. */
int64_t store_version(struct store *s);

/* Moves the write-ahead log into the database file; also happens by itself as the log grows. For
 * idle moments of the loop. */
bool store_checkpoint(struct store *s, struct err *e);
/* PRAGMA integrity_check; the text is "ok" or what is damaged. */
bool store_check(struct arena *a, struct store *s, struct str *report, struct err *e);
/* Rows that belong to a run, or show an artifact, that is not there: *report says which, *n how many. With `remove` (within
 * a write transaction) they go. */
bool store_strays(struct arena *a, struct store *s, bool remove, struct str *report, int64_t *n, struct err *e);
/* How many bytes store_compact would give back, about. */
bool store_slack(struct store *s, int64_t *bytes, struct err *e);
/* Empties the log, and where it is worth it writes the database anew without gaps. Needs as much room again. */
bool store_compact(struct store *s, struct err *e);
/* A consistent copy of the live database. */
bool store_backup(struct store *s, struct str to_path, struct err *e);
/* Tests and configuration; 0 leaves a value as it is. max_pages: database size in 4 KiB pages. */
bool store_set_limits(struct store *s, int64_t max_pages, int64_t changes_kept, struct err *e);

/* Crash simulation. When hit() returns true, the store is dead: before a commit the transaction is
 * lost, after it the transaction is kept but not confirmed; this and every later call fail until
 * the store is closed. */
enum store_point { STORE_BEFORE_COMMIT, STORE_AFTER_COMMIT };
struct store_fault {
    bool (*hit)(void *ctx, enum store_point point);
    void *ctx;
};
extern struct store_fault store_fault; /* hit == NULL: none (the default) */

/* ---- runs: workflows that are or were executed; a narrow index row and a document ---- */

struct run_row {
    int64_t run;              /* id, from 1, never reused; creation order */
    struct str uid, ns, name; /* (ns, name) is unique among runs that are not deleted */
    struct str phase;         /* "", Pending, Running, Succeeded, Failed, Error */
    int64_t created_us, started_us, finished_us;
    struct str labels;        /* JSON object */
    struct str message, progress;
    bool completed;
    int64_t rv;               /* commit number of the last change */
};
enum run_field { /* which fields an update takes from its row */
    RUN_PHASE = 1, RUN_STARTED = 2, RUN_FINISHED = 4, RUN_LABELS = 8,
    RUN_MESSAGE = 16, RUN_PROGRESS = 32, RUN_COMPLETED = 64
};
/* row->run and row->rv are ignored. CONFLICT when the name or uid is taken. */
bool store_run_insert(struct store *s, const struct run_row *row, struct str doc, int64_t *out_run,
                      struct err *e);
/* `fields` of row->run := row; always sets rv, so fields = 0 touches. NOT_FOUND when deleted. */
bool store_run_update(struct store *s, const struct run_row *row, unsigned fields, struct err *e);
bool store_run_set_doc(struct store *s, int64_t run, struct str doc, struct err *e);
/* By id, by (ns, name), by uid: NOT_FOUND when absent or deleted. */
bool store_run_get(struct arena *a, struct store *s, int64_t run, struct run_row *out, struct err *e);
bool store_run_find(struct arena *a, struct store *s, struct str ns, struct str name, struct run_row *out,
                    struct err *e);
bool store_run_find_uid(struct arena *a, struct store *s, struct str uid, struct run_row *out, struct err *e);
bool store_run_doc(struct arena *a, struct store *s, int64_t run, struct str *doc, struct err *e);

enum run_name_match { RUN_NAME_PREFIX, RUN_NAME_EXACT, RUN_NAME_CONTAINS };
/* Whatever is asked for costs a look at a narrow index entry for each run, or less. */
struct run_filter {
    struct str ns;            /* absent: all */
    const struct str *phases; /* any of these; n_phases == 0: all */
    size_t n_phases;
    struct str name;          /* absent: all */
    enum run_name_match match;
    int completed;            /* 1 only completed, -1 only not completed, 0 both */
    int64_t created_after_us, finished_before_us, started_after_us, started_before_us; /* 0: any */
    const struct str *tags;   /* only runs with one of these labels ("key=value"), which are all of one key */
    size_t n_tags;            /* 0: all */
    /* What the rest of a filter says; NULL: all. The row's texts live until it returns. May not use the store. */
    bool (*keep)(void *ctx, const struct run_row *row);
    void *ctx;
    size_t look;              /* give up after keep has seen so many rows (for each tag); 0: never */
    int64_t before_run;       /* continue: only ids below this; 0: from the newest */
    size_t limit;             /* 0: LIMIT_LIST_ROWS */
};
struct run_page {
    struct run_row *rows; /* newest first */
    size_t n;
    int64_t next;         /* before_run of the next page; 0: this was the last */
};
/* With `look` a page may have fewer rows than its limit, and still a next one. */
bool store_run_list(struct arena *a, struct store *s, const struct run_filter *f, struct run_page *out,
                    struct err *e);
/* How many there are of each phase: reads all rows. Phases beyond the first STORE_PHASES_MAX are left out. */
enum { STORE_PHASES_MAX = 16 };
struct run_count {
    char phase[16];
    int64_t n;
};
bool store_run_phases(struct store *s, struct run_count out[STORE_PHASES_MAX], size_t *n, struct err *e);
/* How many there are, where neither tags nor keep are asked for. */
bool store_run_count(struct arena *a, struct store *s, const struct run_filter *f, int64_t *n, struct err *e);
/* Runs before `before_run` (0: all) with this label: at most `most` are counted. */
bool store_tag_count(struct store *s, struct str tag, int64_t before_run, int64_t most, int64_t *n, struct err *e);
/* Leaves a tombstone; removes the document, nodes, private values, timers and artifact references.
 * Commands stay until they are acknowledged. NOT_FOUND when absent. */
bool store_run_delete(struct store *s, int64_t run, int64_t now_us, struct err *e);

/* ---- nodes: (run, index) → status as shown, and the engine's private part ---- */

struct node_row {
    int64_t run;
    uint32_t idx;       /* below LIMIT_RUN_NODES */
    struct str id;      /* node id as in the status; must not change */
    struct str status;  /* JSON */
    struct str private; /* bytes; may be absent */
    int64_t rv;
};
bool store_node_put(struct store *s, const struct node_row *row, struct err *e); /* inserts or replaces */
/* In index order. `each` returns false with `e` set to stop. It may not write to the store. */
typedef bool store_node_fn(void *ctx, const struct node_row *row, struct err *e);
bool store_nodes_load(struct store *s, int64_t run, store_node_fn *each, void *ctx, struct err *e);
bool store_nodes_load_from(struct store *s, int64_t run, uint32_t idx, store_node_fn *each, void *ctx, struct err *e);
/* Looks through the run's nodes: an index would cost each step more than this costs now and then. */
bool store_node_get(struct arena *a, struct store *s, int64_t run, struct str id, struct node_row *out,
                    struct err *e);
/* Removes the nodes from index `from` on (retry and resubmission rewrite a run's tail). */
bool store_nodes_cut(struct store *s, int64_t run, uint32_t from, struct err *e);

/* ---- private values of a run: (run, key) → bytes ---- */

bool store_value_put(struct store *s, int64_t run, struct str key, struct str bytes, struct err *e);
bool store_value_del(struct store *s, int64_t run, struct str key, struct err *e);
/* NOT_FOUND when there is none. */
bool store_value_get(struct arena *a, struct store *s, int64_t run, struct str key, struct str *out, struct err *e);
/* In key order. Same rules as for nodes. */
typedef bool store_value_fn(void *ctx, struct str key, struct str bytes, struct err *e);
bool store_values_load(struct store *s, int64_t run, store_value_fn *each, void *ctx, struct err *e);
/* Keys from `from` on and before `to`; or those that begin with `prefix`. */
bool store_values_load_between(struct store *s, int64_t run, struct str from, struct str to, store_value_fn *each,
                               void *ctx, struct err *e);
bool store_values_load_prefix(struct store *s, int64_t run, struct str prefix, store_value_fn *each, void *ctx, struct err *e);
/* The first key that is not before `from`; NOT_FOUND when there is none. */
bool store_value_next(struct arena *a, struct store *s, int64_t run, struct str from, struct str *out, struct err *e);

/* ---- timers: (run, id) → wall-clock deadline ---- */

struct timer_row {
    int64_t run, id;
    int64_t deadline_us;
    int kind;
    struct str payload;
};
bool store_timer_put(struct store *s, const struct timer_row *row, struct err *e);
bool store_timer_del(struct store *s, int64_t run, int64_t id, struct err *e); /* absent is fine */
/* All timers (run == 0), or one run's, earliest deadline first. */
bool store_timers_load(struct arena *a, struct store *s, int64_t run, struct timer_row **out, size_t *n,
                       struct err *e);

/* ---- commands: effects that were decided and are not yet acknowledged ---- */

struct command_row {
    int64_t id;
    int64_t run;
    uint32_t node;
    int kind;
    struct str payload;
};
/* row->id is ignored; the new id, never used before, comes back. */
bool store_command_put(struct store *s, const struct command_row *row, int64_t *out_id, struct err *e);
bool store_command_ack(struct store *s, int64_t id, struct err *e); /* deletes; twice is fine */
/* The run's commands belong to no node any more (COMMAND_NO_NODE): its nodes are numbered anew. */
#define COMMAND_NO_NODE UINT32_MAX
bool store_commands_orphan(struct store *s, int64_t run, struct err *e);
/* Pending ones in id order: all (run == 0) or one run's. */
bool store_commands_load(struct arena *a, struct store *s, int64_t run, struct command_row **out, size_t *n,
                         struct err *e);

/* ---- changes: the append-only log that watches read; only the last LIMIT_CHANGES are kept ---- */

struct change_row {
    int64_t seq; /* from 1, without gaps */
    int64_t rv;
    int64_t run; /* 0: not about a run */
    struct str kind, payload;
};
/* seq and rv are assigned; out_seq may be NULL. */
bool store_change_add(struct store *s, const struct change_row *row, int64_t *out_seq, struct err *e);
struct change_query {
    int64_t after; /* a seq; 0: from the first ever */
    int64_t run;   /* 0: all */
    size_t limit;  /* 0: LIMIT_LIST_ROWS */
};
struct change_page {
    struct change_row *rows; /* oldest first */
    size_t n;
    int64_t next;            /* `after` of the next page, always set */
};
/* GONE when rows after `after` were already trimmed, or when `after` is in the future. */
bool store_changes_read(struct arena *a, struct store *s, const struct change_query *q,
                        struct change_page *out, struct err *e);
int64_t store_change_last(struct store *s); /* seq of the newest change; 0: none ever */
/* The seq after which everything newer than commit `rv` comes; GONE when trimmed. */
bool store_change_seq_at(struct store *s, int64_t rv, int64_t *out_seq, struct err *e);

/* ---- objects: stored documents, (kind, ns, name) → JSON ---- */

struct object_row {
    struct str kind, ns, name; /* ns "" for cluster-wide kinds */
    struct str uid;
    int64_t created_us;
    int64_t rv;
    struct str doc;
};
enum { OBJECT_RV_ANY = -1, OBJECT_RV_NEW = 0 };
/* Creates or replaces. expected_rv: the version that must be stored now; OBJECT_RV_NEW: none may
 * exist; OBJECT_RV_ANY: no check. CONFLICT otherwise. uid and created_us of a replaced row stay. */
bool store_object_put(struct store *s, const struct object_row *row, int64_t expected_rv, struct err *e);
bool store_object_get(struct arena *a, struct store *s, const struct object_row *key, struct object_row *out,
                      struct err *e); /* only kind, ns, name of `key` are read */
struct object_filter {
    struct str kind;
    struct str ns;         /* absent: all */
    struct str after_ns, after_name; /* continue after this one; absent: from the start */
    size_t limit;          /* 0: LIMIT_LIST_ROWS */
};
/* How many objects were written or deleted through this store: whoever watches some looks at the changes when it grows. */
int64_t store_objects_written(const struct store *s);
/* In (ns, name) order; fewer rows than limit: the end. */
bool store_object_list(struct arena *a, struct store *s, const struct object_filter *f,
                       struct object_row **out, size_t *n, struct err *e);
/* Leaves a tombstone. expected_rv as for put (OBJECT_RV_NEW makes no sense here). */
bool store_object_delete(struct store *s, const struct object_row *key, int64_t expected_rv, int64_t now_us,
                         struct err *e);

/* ---- artifacts: logical key → content; which runs refer to it ---- */

struct artifact_row {
    struct str ns, key;
    struct str content; /* id below <state>/artifacts */
    struct str form;    /* file, tree, tgz */
    int64_t size_bytes;
    struct str hash;    /* "" until computed */
    int64_t created_us;
    int64_t rv;
};
bool store_artifact_put(struct store *s, const struct artifact_row *row, struct err *e);
bool store_artifact_get(struct arena *a, struct store *s, struct str ns, struct str key,
                        struct artifact_row *out, struct err *e);
/* Keys of `ns` that start with `prefix`, after `after`, in key order. */
struct artifact_filter { struct str ns, prefix, after; size_t limit; };
bool store_artifact_list(struct arena *a, struct store *s, const struct artifact_filter *f,
                         struct artifact_row **out, size_t *n, struct err *e);
bool store_artifact_delete(struct store *s, struct str ns, struct str key, struct err *e);
bool store_artifact_ref(struct store *s, int64_t run, struct str ns, struct str key, struct err *e);
bool store_artifact_unref(struct store *s, int64_t run, struct str ns, struct str key, struct err *e);
/* Artifacts that no run refers to, oldest first. */
bool store_artifact_orphans(struct arena *a, struct store *s, size_t limit, struct artifact_row **out,
                            size_t *n, struct err *e);
/* All of them, of every namespace; the same rules as for nodes. */
typedef bool store_artifact_fn(void *ctx, const struct artifact_row *row, struct err *e);
bool store_artifacts_load(struct store *s, store_artifact_fn *each, void *ctx, struct err *e);
/* How many keys show this content: 0 = its files may go. */
bool store_content_uses(struct store *s, struct str content, int64_t *out, struct err *e);
