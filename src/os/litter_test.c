/* What a process that is killed leaves behind: nothing of what it has named, and everything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/dir.h"
#include "os/fd.h"
#include "os/litter.h"

static void tree_make(const char *path)
{
    char below[64];
    struct err e;
    snprintf(below, sizeof below, "%s/a/b", path);
    if (!dir_make_all(below, 0755, &e)) _exit(2);
}

/* Names first, makes then, and says that it has. */
static void work(int said)
{
    struct litter *l = litter_new();
    litter_add(l, "earlier");
    litter_forget(l);
    litter_add(l, "tree");
    litter_add(l, "file");
    litter_add(l, "never-made");
    tree_make("earlier");
    tree_make("tree");
    tree_make("not-named");
    if (!file_write_atomic("file", STR("x"), 0644, false, NULL) || write(said, "x", 1) != 1) _exit(3);
    for (;;) pause();
}

/* Also who removes it has ended: this process is the next of kin. */
static void killed_by(int signo)
{
    int ends[2];
    char c;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL); /* whoever started the tests may ignore it */
        work(ends[1]);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    assert_int_equal(kill(-pid, signo), 0); /* as Ctrl-C does: all of its group */
    for (int i = 0; i < 2; i++) assert_true(waitpid(-1, NULL, 0) > 0);
    assert_false(file_exists("tree") || file_exists("file"));
    assert_true(file_exists("earlier/a/b") && file_exists("not-named/a/b"));
    close(ends[0]);
}

static void who_is_killed_leaves_nothing(void **state)
{
    (void)state;
    killed_by(SIGINT);
    killed_by(SIGTERM);
    killed_by(SIGKILL);
}

static void who_goes_on_keeps_all(void **state)
{
    struct litter *l = litter_new();
    (void)state;
    assert_non_null(l);
    tree_make("mine");
    litter_add(l, "mine");
    litter_free(l);
    assert_true(file_exists("mine/a/b"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process is left */
    litter_free(NULL);
}

int main(void)
{
    char dir[] = "/tmp/skiff-litter-XXXXXX";
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_killed_leaves_nothing), cmocka_unit_test(who_goes_on_keeps_all)};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || !mkdtemp(dir) || chdir(dir) != 0) return 2;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return chdir("/") != 0 || !dir_remove_tree(dir, NULL) ? 2 : failed;
}
