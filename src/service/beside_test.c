/* What is copied comes whole or not at all, and whoever is killed takes only what is its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/dir.h"
#include "os/fd.h"
#include "service/beside.h"

struct stored {
    struct artifact_repo *repo;
    struct artifact_content file, tree;
};

static void stored_open(struct stored *s)
{
    struct artifact_import file = {.path = "file", .archive = ARTIFACT_ARCHIVE_NONE, .max_bytes = UINT64_MAX};
    struct artifact_import tree = {.path = "tree", .archive = ARTIFACT_ARCHIVE_NONE, .max_bytes = UINT64_MAX};
    struct err e;
    assert_true(file_write_atomic("file", STR("one"), 0644, false, &e) && dir_make_all("tree/a", 0755, &e));
    assert_true(file_write_atomic("tree/a/b", STR("two"), 0644, false, &e));
    if (!artifact_local_open("repo", &s->repo, &e) || !artifact_import(s->repo, &file, &s->file, &e) || !artifact_import(s->repo, &tree, &s->tree, &e))
        fail_msg("%s", e.text);
}

static bool copy(struct stored *s, const struct artifact_content *what, const char *to, struct err *e)
{
    struct artifact_ref ref = {.id = str_of(what->id)};
    struct beside b;
    if (!beside_begin(&b, to, e)) return false;
    bool ok = beside_load(&b, s->repo, &ref, to, e);
    beside_end(&b);
    return ok;
}

/* Nothing but what has names that somebody chose. */
static size_t left_in(const char *dir)
{
    struct arena a CLEANUP(arena_fini);
    struct dir_list list;
    struct err e;
    size_t n = 0;
    arena_init(&a);
    assert_true(dir_read(&a, dir, &list, &e));
    for (size_t i = 0; i < list.n; i++) n += str_starts(list.items[i].name, STR(".skiff-"));
    return n;
}

static void it_comes_whole_or_not_at_all(void **state)
{
    static const char *const taken[] = {"out/file", "out/tree", "out/tree/", "out/dangling"};
    struct stored s;
    struct err e;
    (void)state;
    stored_open(&s);
    assert_true(dir_make_all("out", 0755, &e));
    assert_int_equal(symlink("nowhere", "out/dangling"), 0);
    if (!copy(&s, &s.file, "out/file", &e) || !copy(&s, &s.tree, "out/tree", &e) || !copy(&s, &s.tree, "out//slashes//", &e) || !copy(&s, &s.file, "plain", &e))
        fail_msg("%s", e.text);
    assert_true(file_exists("out/file") && file_exists("out/tree/a/b") && file_exists("out/slashes/a/b") && file_exists("plain"));
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        if (copy(&s, &s.tree, taken[i], &e) || e.code != ERR_CONFLICT) fail_msg("%s: %s", taken[i], e.text);
    assert_false(copy(&s, &s.file, "nowhere/x", &e));
    assert_false(copy(&s, &s.file, "file-as-directory/", &e));
    assert_false(file_exists("file-as-directory"));
    assert_int_equal(left_in("out") + left_in("."), 0);
    artifact_close(s.repo);
}

/* Is killed while it still owns the directory beside: `to` is by then what somebody else has put there. */
static void copy_and_die(struct stored *s)
{
    struct artifact_ref ref = {.id = str_of(s->tree.id)};
    struct beside b;
    struct err e;
    if (!beside_begin(&b, "theirs", &e) || !beside_load(&b, s->repo, &ref, "theirs", &e)) _exit(2);
    if (!b.litter || !dir_remove_tree("theirs", NULL) || !dir_make_all("theirs/mine", 0755, &e)) _exit(3);
    kill(getpid(), SIGKILL);
}

static void what_is_somebody_elses_stays(void **state)
{
    struct stored s;
    int status;
    (void)state;
    stored_open(&s);
    pid_t pid = fork();
    if (pid == 0) copy_and_die(&s);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(waitpid(-1, NULL, 0) > 0); /* who removes what it had */
    assert_true(file_exists("theirs/mine"));
    assert_int_equal(left_in("."), 0);
    artifact_close(s.repo);
}

int main(void)
{
    char dir[] = "/tmp/skiff-beside-XXXXXX";
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_comes_whole_or_not_at_all), cmocka_unit_test(what_is_somebody_elses_stays)};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || !mkdtemp(dir) || chdir(dir) != 0) return 2;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return chdir("/") != 0 || !dir_remove_tree(dir, NULL) ? 2 : failed;
}
