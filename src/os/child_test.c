/* Bounded helpers: what they say, how they end, and that nothing of them is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "os/child.h"
#include "os/clock.h"
#include "os/proc.h"

static const char *const env[] = {"PATH=/usr/bin:/bin", "GIVEN=yes", NULL};

struct ran {
    bool ok;
    int status;
    struct str out, said;
    struct err e;
};

static struct ran run_limited(struct arena *a, const char *script, int64_t limit_ms, const atomic_bool *cancelled)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct child c = {.argv = argv, .env = env, .dir = "/", .limit_ms = limit_ms, .most_bytes = 1000, .cancelled = cancelled};
    struct ran r = {0};
    r.ok = child_run(a, &c, &r.status, &r.out, &r.said, &r.e);
    return r;
}

static struct ran run(struct arena *a, const char *script) { return run_limited(a, script, 60000, NULL); }

static void ends(void **state)
{
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    struct ran r = run(&a, "echo $GIVEN $HOME; echo wrong >&2; exit 3");
    assert_true(r.ok);
    assert_int_equal(r.status, 3);
    assert_string_equal(r.out.p, "yes\n");
    assert_string_equal(r.said.p, "wrong\n");
    assert_int_equal(run(&a, "kill -9 $$").status, 137);
    assert_int_equal(run(&a, "exec /nonexistent").status, 127);
    r = run(&a, "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; echo end >&2");
    assert_int_equal(r.out.n, 1000); /* what is too much is read and dropped */
    assert_string_equal(r.said.p, "end\n");
    assert_string_equal(run(&a, "pwd").out.p, "/\n");
}

/* Neither descriptors nor the blocked signals of the caller; input is empty. */
static void gets_its_input(void **state)
{
    struct arena a CLEANUP(arena_fini);
    const char *const argv[] = {"/bin/cat", NULL};
    struct child c = {.argv = argv, .env = env, .dir = "/", .limit_ms = 60000, .most_bytes = 1000, .input = STR("words\n")};
    struct str out, said;
    struct err e;
    int status;
    (void)state;
    arena_init(&a);
    assert_true(child_run(&a, &c, &status, &out, &said, &e) && status == 0);
    assert_string_equal(out.p, "words\n");
}

static void clean(void **state)
{
    struct arena a CLEANUP(arena_fini);
    int fds[2];
    (void)state;
    arena_init(&a);
    assert_int_equal(pipe(fds), 0); /* inheritable */
    assert_string_equal(run(&a, "ls /proc/self/fd | tr '\\n' ' '; cat").out.p, "0 1 2 3 "); /* 3: of ls itself */
    assert_string_equal(run(&a, "grep SigBlk /proc/self/status").out.p, "SigBlk:\t0000000000000000\n");
    close(fds[0]);
    close(fds[1]);
}

/* Gone, or nothing but its entry in the process table is left. */
static bool is_over(struct arena *a, struct str pid)
{
    struct str state;
    for (int i = 0; i < 1000; i++) {
        if (!proc_status_field(a, (int)strtol(pid.p, NULL, 10), "State", &state, NULL)) return true;
        if (state.n && (state.p[0] == 'Z' || state.p[0] == 'X')) return true;
        poll(NULL, 0, 10);
    }
    return false;
}

static void hurried(void **state)
{
    struct arena a CLEANUP(arena_fini);
    atomic_bool yes = true;
    (void)state;
    arena_init(&a);
    int64_t t = clock_mono_us();
    struct ran r = run_limited(&a, "sleep 100 & echo $!; wait", 200, NULL);
    assert_false(r.ok);
    assert_int_equal(r.e.code, ERR_TIMEOUT);
    assert_true(clock_mono_us() - t < 50 * 1000000);
    assert_true(is_over(&a, r.out)); /* all of it is ended */
    r = run_limited(&a, "sleep 100", 60000, &yes);
    assert_int_equal(r.e.code, ERR_TIMEOUT);
    r = run(&a, "sleep 100 >&2 & echo $!"); /* one that it leaves behind holds a pipe */
    assert_true(r.ok);
    assert_true(is_over(&a, r.out));
    assert_true(clock_mono_us() - t < 50 * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ends), cmocka_unit_test(gets_its_input), cmocka_unit_test(clean), cmocka_unit_test(hurried)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
