/* store: crashes, readers beside the writer, migrations, and files that are not as they should be. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/fail.h"
#include "store/store_test_p.h"

static struct str db_path(struct fixture *f)
{
    return str_fmt(&f->a, "%s/skiff.db", f->dir.p);
}

static bool exists(struct fixture *f, const char *name)
{
    return access(str_fmt(&f->a, "%s/%s", f->dir.p, name).p, F_OK) == 0;
}

static void raw_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s", why);
    sqlite3_close(db);
}

/* Runs `child` in a process of its own that ends without any clean-up, as when killed. */
static int in_child(struct fixture *f, int (*child)(struct fixture *f))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(child(f));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void set_value(struct fixture *f, const char *key)
{
    OK(f, store_value_put(f->s, 1, str_of(key), STR("v"), &f->e));
}

static bool count_value(void *ctx, struct str key, struct str bytes, struct err *e)
{
    (void)key, (void)bytes, (void)e;
    ++*(int *)ctx;
    return true;
}

static int values_of(struct fixture *f, struct store *s)
{
    int n = 0;
    OK(f, store_values_load(s, 1, count_value, &n, &f->e));
    return n;
}

static int die_inside_a_transaction(struct fixture *f)
{
    f->s = store_open(f->dir, STORE_WRITE, &f->e);
    if (!f->s || !store_begin(f->s, &f->e)) return 1;
    set_value(f, "kept");
    if (!store_commit(f->s, STORE_FAST, &f->e) || !store_begin(f->s, &f->e)) return 2;
    for (int i = 0; i < 1000; i++) set_value(f, str_fmt(&f->a, "lost%d", i).p);
    return 0;
}

static void a_crash_loses_the_open_transaction_only(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    f->s = NULL;
    assert_int_equal(in_child(f, die_inside_a_transaction), 0);
    fixture_reopen(f);
    assert_int_equal(values_of(f, f->s), 1);
    assert_int_equal(store_version(f->s), 1);
}

static bool hit_at(void *ctx, enum store_point point)
{
    return *(enum store_point *)ctx == point;
}

static void simulated_crashes_stop_the_store_before_or_after_a_commit(void **state)
{
    struct fixture *f = *state;
    enum store_point point = STORE_BEFORE_COMMIT;
    for (int kept = 0; kept < 2; kept++, point = STORE_AFTER_COMMIT) {
        store_fault = (struct store_fault){hit_at, &point};
        OK(f, store_begin(f->s, &f->e));
        set_value(f, "x");
        FAILS(f, ERR_IO, store_commit(f->s, STORE_DURABLE, &f->e));
        assert_false(store_in_transaction(f->s));
        FAILS(f, ERR_IO, store_begin(f->s, &f->e)); /* dead until reopened */
        FAILS(f, ERR_IO, store_sync(f->s, &f->e));
        store_fault.hit = NULL;
        fixture_reopen(f);
        assert_int_equal(values_of(f, f->s), kept);
    }
}

static void a_rollback_gives_ids_and_numbers_back(void **state)
{
    struct fixture *f = *state;
    OK(f, store_begin(f->s, &f->e));
    assert_int_equal(store_version(f->s), 1);
    assert_int_equal(fixture_run(f, "a"), 1);
    store_rollback(f->s);
    assert_int_equal(store_version(f->s), 0);
    OK(f, store_begin(f->s, &f->e));
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e)); /* nothing written: no number used */
    assert_int_equal(store_version(f->s), 0);
    OK(f, store_begin(f->s, &f->e));
    assert_int_equal(fixture_run(f, "a"), 1);
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    fixture_reopen(f);
    assert_int_equal(store_version(f->s), 1);
}

static void a_reader_sees_commits_and_holds_its_snapshot(void **state)
{
    struct fixture *f = *state;
    struct store *r = store_open(f->dir, STORE_READ, &f->e);
    assert_non_null(r);
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "a");
    assert_int_equal(values_of(f, r), 0); /* not committed */
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    assert_int_equal(values_of(f, r), 1);
    assert_int_equal(store_version(r), 1);

    OK(f, store_begin(r, &f->e));
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "b");
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    OK(f, store_checkpoint(f->s, &f->e)); /* a reader in its way is no failure */
    assert_int_equal(values_of(f, r), 1);
    assert_int_equal(store_version(r), 1);
    OK(f, store_commit(r, STORE_FAST, &f->e));
    assert_int_equal(values_of(f, r), 2);
    store_close(r);
}

static int leave_a_log(struct fixture *f)
{
    f->s = store_open(f->dir, STORE_WRITE, &f->e);
    if (!f->s || !store_begin(f->s, &f->e)) return 1;
    set_value(f, "kept");
    return store_commit(f->s, STORE_DURABLE, &f->e) ? 0 : 2;
}

static void readers_leave_the_log_to_the_writer(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    f->s = NULL;
    assert_int_equal(in_child(f, leave_a_log), 0);
    struct stat before, after;
    const char *wal = str_fmt(&f->a, "%s-wal", db_path(f).p).p;
    assert_int_equal(stat(wal, &before), 0);
    assert_true(before.st_size > 0);
    struct store *r = store_open(f->dir, STORE_READ, &f->e);
    assert_int_equal(values_of(f, r), 1);
    store_close(r);
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    fixture_reopen(f);
    store_close(f->s);
    f->s = NULL;
    assert_int_not_equal(stat(wal, &after), 0); /* a writer that ends well leaves one file */
}

static void full_disks_undo_the_transaction_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char *big = mem_zalloc(100000);
    int64_t pages = 0;
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "kept");
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    OK(f, store_exec_int(f->s, "PRAGMA page_count", &pages, &f->e));
    OK(f, store_set_limits(f->s, pages + 3, 0, &f->e));
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "lost");
    FAILS(f, ERR_IO, store_value_put(f->s, 1, STR("big"), str_n(big, 100000), &f->e));
    assert_non_null(strstr(f->e.text, "the disk is full"));
    FAILS(f, ERR_IO, store_value_put(f->s, 1, STR("small"), STR("1"), &f->e)); /* not on its own */
    FAILS(f, ERR_IO, store_commit(f->s, STORE_DURABLE, &f->e));
    assert_false(store_in_transaction(f->s));
    assert_int_equal(values_of(f, f->s), 1);
    OK(f, store_set_limits(f->s, 100000, 0, &f->e));
    OK(f, store_begin(f->s, &f->e));
    OK(f, store_value_put(f->s, 1, STR("big"), str_n(big, 100000), &f->e));
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    assert_int_equal(values_of(f, f->s), 2);
    free(big);
}

static void replaced_and_locked_files_are_noticed(void **state)
{
    struct fixture *f = *state;
    sqlite3 *foreign;
    assert_int_equal(sqlite3_open(db_path(f).p, &foreign), SQLITE_OK);
    assert_int_equal(sqlite3_exec(foreign, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_busy_timeout(f->s->db, 0);
    FAILS(f, ERR_CONFLICT, store_begin(f->s, &f->e));
    assert_non_null(strstr(f->e.text, "locked"));
    sqlite3_close(foreign);
    OK(f, store_begin(f->s, &f->e));
    store_rollback(f->s);
    struct str moved = str_fmt(&f->a, "%s.old", db_path(f).p);
    assert_int_equal(rename(db_path(f).p, moved.p), 0);
    FAILS(f, ERR_IO, store_begin(f->s, &f->e));
    assert_non_null(strstr(f->e.text, "moved or replaced"));
    raw_sql(db_path(f).p, "CREATE TABLE t(x)");
    FAILS(f, ERR_IO, store_begin(f->s, &f->e));
}

static void strangers_files_are_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    f->s = NULL;
    unlink(db_path(f).p);
    assert_null(store_open(f->dir, STORE_READ, &f->e));
    assert_int_equal(f->e.code, ERR_NOT_FOUND);
    raw_sql(db_path(f).p, "CREATE TABLE theirs(x)");
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        assert_null(store_open(f->dir, (enum store_mode)mode, &f->e));
        assert_non_null(strstr(f->e.text, "not one of Skiff"));
    }
    int fd = open(db_path(f).p, O_WRONLY | O_TRUNC);
    for (int i = 0; i < 1000; i++) assert_int_equal(write(fd, "just text\n", 10), 10);
    close(fd);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        assert_null(store_open(f->dir, (enum store_mode)mode, &f->e));
        assert_non_null(strstr(f->e.text, "not a Skiff database"));
    }
    assert_null(store_open(str_fmt(&f->a, "%s/none", f->dir.p), STORE_WRITE, &f->e));
    assert_int_equal(f->e.code, ERR_IO);
}

static void damage_is_reported(void **state)
{
    struct fixture *f = *state;
    struct str report;
    OK(f, store_begin(f->s, &f->e));
    for (int i = 0; i < 2000; i++) set_value(f, str_fmt(&f->a, "value-%d", i).p);
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    OK(f, store_check(&f->a, f->s, &report, &f->e));
    STR_EQUAL(report, "ok");
    int64_t root = 0;
    OK(f, store_exec_int(f->s, "SELECT rootpage FROM sqlite_schema WHERE name='run_values'", &root, &f->e));
    store_close(f->s);
    int fd = open(db_path(f).p, O_WRONLY);
    char junk[4096];
    memset(junk, 0x5a, sizeof junk);
    assert_int_equal(pwrite(fd, junk, sizeof junk, (root - 1) * 4096), 4096);
    close(fd);
    f->s = store_open(f->dir, STORE_READ, &f->e);
    assert_non_null(f->s);
    int n = 0;
    FAILS(f, ERR_IO, store_values_load(f->s, 1, count_value, &n, &f->e));
    assert_non_null(strstr(f->e.text, "damaged"));
    OK(f, store_check(&f->a, f->s, &report, &f->e));
    assert_string_not_equal(report.p, "ok");
}

enum { NOW = STORE_SCHEMA_VERSION, NEXT = NOW + 1 };

static void v1_create(struct fixture *f)
{
    store_close(f->s);
    f->s = NULL;
    unlink(db_path(f).p);
    int fd = open("test/data/state/v1/skiff.sql", O_RDONLY);
    assert_true(fd >= 0);
    char *sql = mem_zalloc(64 << 10);
    assert_true(read(fd, sql, (64 << 10) - 1) > 1000);
    close(fd);
    raw_sql(db_path(f).p, sql);
    free(sql);
}

static void schema_1_opens_with_all_it_held(void **state)
{
    struct fixture *f = *state;
    v1_create(f);
    fixture_reopen(f);
    struct run_row run;
    struct node_row node;
    struct timer_row *timers;
    struct command_row *commands;
    struct change_page changes;
    struct object_row object = {.kind = STR("ConfigMap"), .ns = STR("default"), .name = STR("settings")};
    struct artifact_row artifact;
    size_t n;
    OK(f, store_run_find(&f->a, f->s, STR("default"), STR("hello-world-abc12"), &run, &f->e));
    OK(f, store_node_get(&f->a, f->s, run.run, run.name, &node, &f->e));
    assert_memory_equal(node.private.p, "\x01\x02", 2);
    assert_int_equal(values_of(f, f->s), 1);
    OK(f, store_timers_load(&f->a, f->s, 0, &timers, &n, &f->e));
    STR_EQUAL(timers[0].payload, "backoff");
    OK(f, store_commands_load(&f->a, f->s, 0, &commands, &n, &f->e));
    STR_EQUAL(commands[0].payload, "start");
    OK(f, store_changes_read(&f->a, f->s, &(struct change_query){0}, &changes, &f->e));
    assert_int_equal(changes.n, 1);
    OK(f, store_object_get(&f->a, f->s, &object, &object, &f->e));
    assert_int_equal(object.rv, 2);
    OK(f, store_artifact_get(&f->a, f->s, STR("default"), STR("hello-world-abc12/main.log"), &artifact, &f->e));
    STR_EQUAL(artifact.hash, "sha256:00");
    assert_int_equal(store_version(f->s), 2);
}

static void migrations_go_forward_with_a_backup(void **state)
{
    struct fixture *f = *state;
    const char *const broken[] = {[NOW] = "CREATE TABLE extra(x) STRICT"};
    const char *const good[] = {[NOW] = "CREATE TABLE extra(x INTEGER) STRICT; INSERT INTO extra VALUES(1)"};
    int64_t v = 0;
    v1_create(f);
    fixture_reopen(f); /* a first backup */
    FAILS(f, ERR_INTERNAL, store_migrate(f->s, broken, NEXT, &f->e));
    OK(f, store_exec_int(f->s, "PRAGMA user_version", &v, &f->e));
    assert_int_equal(v, NOW);
    OK(f, store_migrate(f->s, good, NEXT, &f->e));
    OK(f, store_exec_int(f->s, "PRAGMA user_version", &v, &f->e));
    assert_int_equal(v, NEXT);
    assert_int_equal(values_of(f, f->s), 1);
    assert_true(exists(f, "skiff.db.v1"));
    struct stat st;
    assert_int_equal(stat(str_fmt(&f->a, "%s.v1", db_path(f).p).p, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);

    store_close(f->s);
    f->s = NULL;
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) { /* this program knows only schema NOW */
        assert_null(store_open(f->dir, (enum store_mode)mode, &f->e));
        assert_int_equal(f->e.code, ERR_UNSUPPORTED);
        assert_non_null(strstr(f->e.text, str_fmt(&f->a, "newer Skiff (schema %d", NEXT).p));
    }
    assert_int_equal(rename(str_fmt(&f->a, "%s.v1", db_path(f).p).p, db_path(f).p), 0);
    fixture_reopen(f); /* the backup is a whole state */
    assert_int_equal(values_of(f, f->s), 1);
}

static void a_migration_that_breaks_off_can_be_made_again(void **state)
{
    static const char *const breaks[] = {"BACKUP=kill", "BACKUP=enospc", "MIGRATE=kill", "MIGRATE=eio"};
    struct fixture *f = *state;
    const char *const next[] = {[NOW] = "CREATE TABLE extra(x INTEGER) STRICT"};
    int64_t v = 0;
    for (size_t i = 0; i < ARRAY_LEN(breaks); i++) {
        int status;
        v1_create(f);
        pid_t pid = fork();
        if (pid == 0) {
            setenv("SKIFF_FAIL", breaks[i], 1);
            struct store *s = fail_init(&f->e) ? store_open(f->dir, STORE_WRITE, &f->e) : NULL;
            _exit(s && store_migrate(s, next, NEXT, &f->e) ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 1);
        fixture_reopen(f);
        OK(f, store_exec_int(f->s, "PRAGMA user_version", &v, &f->e));
        assert_int_equal(v, NOW);
        assert_int_equal(values_of(f, f->s), 1);
        OK(f, store_migrate(f->s, next, NEXT, &f->e));
    }
    v1_create(f);
    fixture_reopen(f);
}

static void a_reader_asks_for_migration_of_an_old_schema(void **state)
{
    struct fixture *f = *state;
    const char *const next[] = {[NOW] = "CREATE TABLE extra(x INTEGER) STRICT"};
    struct store *r = store_open(f->dir, STORE_READ, &f->e);
    FAILS(f, ERR_UNSUPPORTED, store_migrate(r, next, NEXT, &f->e));
    assert_non_null(strstr(f->e.text, str_fmt(&f->a, "old schema %d", NOW).p));
    store_close(r);
}

static int as_nobody(struct fixture *f)
{
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 77;
    if (store_open(f->dir, STORE_WRITE, &f->e)) return 1;
    if (f->e.code != ERR_IO && f->e.code != ERR_CONFLICT) return 2;
    if (store_open(str_fmt(&f->a, "%s/empty", f->dir.p), STORE_WRITE, &f->e)) return 3;
    if (!strstr(f->e.text, "cannot create")) return 4;
    struct store *r = store_open(f->dir, STORE_READ, &f->e);
    if (!r) return 5;
    int n = 0;
    return store_values_load(r, 1, count_value, &n, &f->e) && n == 1 ? 0 : 6;
}

static void directories_that_cannot_be_written_can_be_read(void **state)
{
    struct fixture *f = *state;
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "a");
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    store_close(f->s);
    f->s = NULL;
    struct str empty = str_fmt(&f->a, "%s/empty", f->dir.p);
    assert_int_equal(mkdir(empty.p, 0555), 0);
    assert_int_equal(chmod(db_path(f).p, 0444), 0);
    assert_int_equal(chmod(f->dir.p, 0555), 0);
    assert_int_equal(in_child(f, as_nobody), 0);
    assert_int_equal(chmod(f->dir.p, 0755), 0);
}

static int syncs, sync_result;
static const sqlite3_io_methods *real_io;

static int counting_sync(sqlite3_file *file, int flags)
{
    syncs++;
    return sync_result ? sync_result : real_io->xSync(file, flags);
}

static void promises_are_synced_and_others_not(void **state)
{
    struct fixture *f = *state;
    OK(f, store_begin(f->s, &f->e)); /* the log file is there from the first write on */
    set_value(f, "a");
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    sqlite3_file *wal;
    assert_int_equal(sqlite3_file_control(f->s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal), SQLITE_OK);
    real_io = wal->pMethods;
    sqlite3_io_methods counting = *real_io;
    counting.xSync = counting_sync;
    wal->pMethods = &counting;
    syncs = sync_result = 0;
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "b");
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    assert_int_equal(syncs, 0);
    OK(f, store_sync(f->s, &f->e));
    assert_int_equal(syncs, 1);
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "c");
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    assert_int_equal(syncs, 2);
    sync_result = SQLITE_IOERR_FSYNC;
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "d");
    FAILS(f, ERR_IO, store_commit(f->s, STORE_DURABLE, &f->e));
    wal->pMethods = real_io;
    FAILS(f, ERR_IO, store_begin(f->s, &f->e)); /* what is on the disk is not known: begin again */
    fixture_reopen(f);
    assert_in_range(values_of(f, f->s), 3, 4);
}

static void an_empty_file_is_a_state_that_just_begins(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    int fd = open(db_path(f).p, O_WRONLY | O_TRUNC);
    close(fd);
    f->s = store_open(f->dir, STORE_READ, &f->e);
    assert_null(f->s);
    assert_int_equal(f->e.code, ERR_NOT_FOUND);
    fixture_reopen(f);
}

static void values_have_a_largest_size(void **state)
{
    struct fixture *f = *state;
    OK(f, store_begin(f->s, &f->e));
    sqlite3_limit(f->s->db, SQLITE_LIMIT_LENGTH, 1000);
    char *big = mem_zalloc(2000);
    FAILS(f, ERR_LIMIT, store_value_put(f->s, 1, STR("k"), str_n(big, 2000), &f->e));
    free(big);
    store_rollback(f->s);
}

static void backups_are_whole_and_private(void **state)
{
    struct fixture *f = *state;
    struct str other = str_fmt(&f->a, "%s/other", f->dir.p), to = str_fmt(&f->a, "%s/skiff.db", other.p);
    assert_int_equal(mkdir(other.p, 0700), 0);
    OK(f, store_begin(f->s, &f->e));
    set_value(f, "a");
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    OK(f, store_backup(f->s, to, &f->e));
    struct store *r = store_open(other, STORE_READ, &f->e);
    assert_non_null(r);
    assert_int_equal(values_of(f, r), 1);
    store_close(r);
    struct stat st;
    assert_int_equal(stat(to.p, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(db_path(f).p, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    FAILS(f, ERR_IO, store_backup(f->s, str_fmt(&f->a, "%s/none/x", f->dir.p), &f->e));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_loses_the_open_transaction_only),
        TEST(simulated_crashes_stop_the_store_before_or_after_a_commit),
        TEST(a_rollback_gives_ids_and_numbers_back), TEST(a_reader_sees_commits_and_holds_its_snapshot),
        TEST(readers_leave_the_log_to_the_writer), TEST(full_disks_undo_the_transaction_and_nothing_else),
        TEST(replaced_and_locked_files_are_noticed), TEST(strangers_files_are_refused_and_left_alone),
        TEST(damage_is_reported), TEST(schema_1_opens_with_all_it_held),
        TEST(migrations_go_forward_with_a_backup), TEST(a_migration_that_breaks_off_can_be_made_again), TEST(a_reader_asks_for_migration_of_an_old_schema),
        TEST(directories_that_cannot_be_written_can_be_read), TEST(values_have_a_largest_size),
        TEST(backups_are_whole_and_private), TEST(promises_are_synced_and_others_not),
        TEST(an_empty_file_is_a_state_that_just_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
