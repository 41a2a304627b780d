/* Fail-points: what arms one, and which passage counts. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fail.h"

static void nothing_is_armed_by_default(void **state)
{
    struct err e;
    (void)state;
    unsetenv("SKIFF_FAIL");
    assert_true(fail_init(&e));
    assert_int_equal(fail_armed, FAIL_NONE);
    assert_false(fail_point(FAIL_COMMIT_BEFORE));
}

static void wrong_words_are_refused(void **state)
{
    static const char *const wrong[] = {"COMMIT_BEFORE", "COMMIT_BEFORE=", "COMMIT_BEFORE=explode", "NOWHERE=kill", "=kill",
                                        "COMMIT_BEFORE:0=kill", "COMMIT_BEFORE:x=kill", "COMMIT_BEFORE=kill@/nowhere/count"};
    struct err e;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        setenv("SKIFF_FAIL", wrong[i], 1);
        assert_false(fail_init(&e));
        assert_int_equal(fail_armed, FAIL_NONE);
    }
}

/* In a process of its own: what is armed stays so. */
static int passages(const char *what, int n, int *failed)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct err e;
        int first = 0;
        setenv("SKIFF_FAIL", what, 1);
        if (!fail_init(&e)) _exit(99);
        for (int i = 1; i <= n; i++) {
            fail_point(FAIL_COMMIT_AFTER);
            if (fail_point(FAIL_COMMIT_BEFORE) && errno == ENOSPC && !first) first = i;
        }
        _exit(first);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *failed = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void one_passage_counts(void **state)
{
    int failed;
    (void)state;
    assert_int_equal(passages("COMMIT_BEFORE=enospc", 5, &failed), 0);
    assert_int_equal(failed, 1);
    assert_int_equal(passages("COMMIT_BEFORE:3=enospc", 5, &failed), 0);
    assert_int_equal(failed, 3);
    assert_int_equal(passages("COMMIT_BEFORE:6=kill", 5, &failed), 0);
    assert_int_equal(passages("COMMIT_BEFORE:5=kill", 5, &failed), SIGKILL);
}

static void a_file_counts_through_processes(void **state)
{
    char path[] = "/tmp/skiff-fail-XXXXXX", what[100];
    int fd = mkstemp(path), failed;
    uint32_t n = 0;
    (void)state;
    snprintf(what, sizeof what, "COMMIT_BEFORE:4=enospc@%s", path);
    assert_int_equal(passages(what, 3, &failed), 0);
    assert_int_equal(failed, 0);
    assert_int_equal(passages(what, 3, &failed), 0);
    assert_int_equal(failed, 1);
    assert_int_equal(pread(fd, &n, sizeof n, 0), sizeof n);
    assert_int_equal(n, 6);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_armed_by_default), cmocka_unit_test(wrong_words_are_refused),
                                       cmocka_unit_test(one_passage_counts), cmocka_unit_test(a_file_counts_through_processes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
