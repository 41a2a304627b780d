/* The schema, as the list of steps that lead to it. A step that has been released never changes;
 * a change of the schema is one more step, and a state directory of every version is kept under
 * test/data/state. */
#include "base/fail.h"
#include "store/store_p.h"

static const char step_1[] =
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one=1), version INTEGER NOT NULL,"
    "  last_run INTEGER NOT NULL, last_command INTEGER NOT NULL, last_change INTEGER NOT NULL) STRICT;"
    "INSERT INTO meta VALUES(1, 0, 0, 0, 0);"

    "CREATE TABLE runs(run INTEGER PRIMARY KEY, uid TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,"
    "  phase TEXT NOT NULL, created_us INTEGER NOT NULL, started_us INTEGER NOT NULL,"
    "  finished_us INTEGER NOT NULL, labels TEXT NOT NULL, message TEXT NOT NULL, progress TEXT NOT NULL,"
    "  completed INTEGER NOT NULL, rv INTEGER NOT NULL, deleted_us INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX runs_name ON runs(ns, name) WHERE deleted_us=0;"
    "CREATE UNIQUE INDEX runs_uid ON runs(uid) WHERE deleted_us=0;"
    "CREATE INDEX runs_active ON runs(run) WHERE completed=0 AND deleted_us=0;"
    "CREATE INDEX runs_deleted ON runs(rv) WHERE deleted_us<>0;"
    "CREATE TABLE docs(run INTEGER PRIMARY KEY, doc TEXT NOT NULL) STRICT;"

    /* key = run << 24 | index: one tree, appended at its end, each run's nodes side by side */
    "CREATE TABLE nodes(key INTEGER PRIMARY KEY, id TEXT NOT NULL, status TEXT NOT NULL, private BLOB,"
    "  rv INTEGER NOT NULL) STRICT;"
    "CREATE TABLE run_values(run INTEGER NOT NULL, key TEXT NOT NULL, bytes BLOB NOT NULL,"
    "  PRIMARY KEY(run, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE timers(run INTEGER NOT NULL, id INTEGER NOT NULL, deadline_us INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL, payload BLOB, PRIMARY KEY(run, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE commands(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, node INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL, payload BLOB) STRICT;"
    "CREATE TABLE changes(seq INTEGER PRIMARY KEY, rv INTEGER NOT NULL, run INTEGER NOT NULL,"
    "  kind TEXT NOT NULL, payload TEXT NOT NULL) STRICT;"

    "CREATE TABLE objects(kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL, rv INTEGER NOT NULL, deleted_us INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX objects_name ON objects(kind, ns, name);"
    "CREATE INDEX objects_deleted ON objects(rv) WHERE deleted_us<>0;"

    "CREATE TABLE artifacts(id INTEGER PRIMARY KEY, ns TEXT NOT NULL, key TEXT NOT NULL,"
    "  content TEXT NOT NULL, form TEXT NOT NULL, size_bytes INTEGER NOT NULL, hash TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL, rv INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX artifacts_key ON artifacts(ns, key);"
    "CREATE INDEX artifacts_content ON artifacts(content);"
    "CREATE TABLE artifact_refs(run INTEGER NOT NULL, artifact INTEGER NOT NULL,"
    "  PRIMARY KEY(run, artifact)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX artifact_refs_artifact ON artifact_refs(artifact);";

/* Lists: what they filter by, side by side, so that one looks through 100,000 runs without reading their rows; and each
 * label of each run, kept by triggers. A label that is none ("a=b": c beside a: "b=c") must not keep a run from being stored. */
#define TAGS(labels, more) "SELECT l.key||'='||l.value" more " FROM json_each(CASE " labels " WHEN '' THEN '{}' ELSE " labels " END) l"
static const char step_2[] =
    "CREATE INDEX runs_short ON runs(run, ns, name, phase, completed, created_us, started_us, finished_us)"
    "  WHERE deleted_us=0;"
    "CREATE TABLE run_tags(tag TEXT NOT NULL, of_run INTEGER NOT NULL, PRIMARY KEY(tag, of_run)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER run_tags_new AFTER INSERT ON runs BEGIN"
    "  INSERT OR IGNORE INTO run_tags " TAGS("NEW.labels", ", NEW.run") "; END;"
    "CREATE TRIGGER run_tags_changed AFTER UPDATE OF labels ON runs WHEN NEW.labels<>OLD.labels BEGIN"
    "  DELETE FROM run_tags WHERE of_run=NEW.run AND tag IN (" TAGS("OLD.labels", "") ");"
    "  INSERT OR IGNORE INTO run_tags " TAGS("NEW.labels", ", NEW.run") "; END;"
    "CREATE TRIGGER run_tags_gone AFTER UPDATE OF deleted_us ON runs WHEN NEW.deleted_us<>0 BEGIN"
    "  DELETE FROM run_tags WHERE of_run=NEW.run AND tag IN (" TAGS("OLD.labels", "") "); END;"
    "INSERT OR IGNORE INTO run_tags SELECT l.key||'='||l.value, run FROM runs,"
    "  json_each(CASE labels WHEN '' THEN '{}' ELSE labels END) l WHERE deleted_us=0 ORDER BY 1, 2;";
#undef TAGS

const char *const store_schema[STORE_SCHEMA_VERSION] = {step_1, step_2};

static bool step_apply(struct store *s, const char *sql, int to_version, struct err *e)
{
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", to_version);
    return store_exec(s, sql, e) && store_exec(s, pragma, e);
}

static bool application_mark(struct store *s, struct err *e)
{
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d", STORE_APPLICATION_ID);
    return store_exec(s, pragma, e);
}

static bool backup_before(struct store *s, int64_t version, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    return store_backup(s, str_fmt(&a, "%s.v%d", s->path, (int)version), e);
}

bool store_migrate(struct store *s, const char *const *steps, int n, struct err *e)
{
    int64_t version = 0;
    if (!store_exec_int(s, "PRAGMA user_version", &version, e)) return false;
    if (version > n)
        return err_set(e, ERR_UNSUPPORTED,
                       "'%s' was written by a newer Skiff (schema %d, this program knows up to %d)", s->path,
                       (int)version, n);
    if (version == n) return true;
    if (s->mode == STORE_READ)
        return err_set(e, ERR_UNSUPPORTED,
                       "'%s' has the old schema %d: `skiff list` brings it to %d, once no older Skiff is at work there", s->path,
                       (int)version, n);
    if (version > 0 && !backup_before(s, version, e)) return false;
    if (!store_exec(s, "BEGIN IMMEDIATE", e)) return false;
    bool ok = version > 0 || application_mark(s, e);
    for (int64_t i = version; ok && i < n; i++) ok = step_apply(s, steps[i], (int)i + 1, e);
    if (ok && fail_point(FAIL_MIGRATE)) ok = err_sys(e, "'%s'", s->path);
    if (ok && store_exec(s, "COMMIT", e)) return true;
    if (!sqlite3_get_autocommit(s->db)) store_exec(s, "ROLLBACK", NULL);
    return err_ctx(e, "migrating to schema %d", n);
}
