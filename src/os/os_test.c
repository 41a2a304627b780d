/* os: files, directories, locks, and what the probe says about this host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/alarm.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "os/proc.h"
#include "os/random.h"
#include "os/sched.h"
#include "os/sender.h"

static char base[64];

static int setup(void **state)
{
    snprintf(base, sizeof base, "/tmp/skiff-os-XXXXXX");
    return mkdtemp(base) && chdir(base) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct err e;
    return chdir("/") == 0 && dir_remove_tree(base, &e) ? 0 : -1;
}

static bool rings(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, wait_ms) == 1;
}

static void an_alarm_goes_by_the_wall_clock(void **state)
{
    struct err e;
    int fd = alarm_open(&e);
    int64_t at = clock_now_us() + 30000;
    assert_true(fd >= 0);
    assert_false(rings(fd, 0));
    alarm_set(fd, at);
    assert_true(rings(fd, 60000) && clock_now_us() >= at);
    alarm_read(fd);
    assert_false(rings(fd, 0));
    alarm_set(fd, 5); /* long past */
    assert_true(rings(fd, 60000));
    alarm_set(fd, INT64_MAX);
    assert_false(rings(fd, 0));
    close(fd);
}

static void files_are_replaced_whole(void **state)
{
    struct err e;
    struct arena a;
    struct str got;
    struct dir_list l;
    arena_init(&a);
    assert_true(dir_make_all("d/e", 0755, &e));
    assert_true(file_write_atomic("d/e/f", STR("one"), 0600, true, &e));
    assert_true(file_write_atomic("d/e/f", STR("two\n"), 0600, false, &e));
    assert_true(file_read(&a, "d/e/f", 4, &got, &e));
    assert_string_equal(got.p, "two\n");
    assert_false(file_read(&a, "d/e/f", 3, &got, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(file_read(&a, "d/none", 10, &got, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(dir_read(&a, "d/e", &l, &e));
    assert_int_equal(l.n, 1); /* no temporary file is left */
    assert_false(dir_make_all("d/e/f", 0755, &e));
    arena_fini(&a);
}

static void beneath_is_not_left(void **state)
{
    struct err e;
    assert_true(dir_make_all("in/sub", 0755, &e));
    assert_true(file_write_atomic("out", STR("x"), 0600, false, &e));
    assert_true(file_write_atomic("in/sub/file", STR("x"), 0600, false, &e));
    assert_int_equal(symlink("../../out", "in/sub/up"), 0);
    assert_int_equal(symlink("/etc/passwd", "in/abs"), 0);
    assert_int_equal(symlink("sub/file", "in/ok"), 0);
    int dir = open("in", O_PATH | O_DIRECTORY);
    assert_int_equal(fd_open_beneath(dir, "sub/up", O_RDONLY, 0, &e), -1);
    assert_int_equal(fd_open_beneath(dir, "abs", O_RDONLY, 0, &e), -1);
    assert_int_equal(fd_open_beneath(dir, "../out", O_RDONLY, 0, &e), -1);
    assert_int_equal(fd_open_beneath(dir, "ok", O_RDONLY | O_NOFOLLOW, 0, &e), -1);
    int ok = fd_open_beneath(dir, "ok", O_RDONLY, 0, &e);
    assert_true(ok >= 0);
    close(ok);
    close(dir);
}

static void trees_are_removed_without_following(void **state)
{
    struct err e;
    assert_true(dir_make_all("keep", 0755, &e));
    assert_true(file_write_atomic("keep/me", STR("x"), 0600, false, &e));
    assert_true(dir_make_all("gone/locked/deeper", 0755, &e));
    assert_int_equal(symlink("../keep", "gone/link"), 0);
    assert_int_equal(chmod("gone/locked/deeper", 0), 0);
    assert_int_equal(chmod("gone/locked", 0), 0);
    assert_true(dir_remove_tree("gone", &e));
    assert_false(file_exists("gone"));
    assert_true(file_exists("keep/me"));
    assert_true(dir_remove_tree("gone", &e));
}

static void very_deep_trees_are_removed(void **state)
{
    struct err e;
    int at = open(".", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(at, "deep", 0755), 0);
        int next = openat(at, "deep", O_RDONLY | O_DIRECTORY);
        close(at);
        at = next;
    }
    close(at);
    assert_true(dir_remove_tree("deep", &e));
    assert_false(file_exists("deep"));
}

/* As whoever owns them and is not root: nothing may be changed in these without their being opened first. */
static void deep_and_closed_trees_are_removed(void **state)
{
    int status;
    if (geteuid() == 0) assert_int_equal(chmod(".", 0777), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e;
        alarm(240);
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(2);
        if (!dir_make_all("closed/.deep-0/full", 0755, &e)) _exit(3);
        int at = open("closed", O_RDONLY | O_DIRECTORY);
        for (int i = 0; i < 700; i++) {
            if (mkdirat(at, "d", 0755) != 0) _exit(4);
            int next = openat(at, "d", O_RDONLY | O_DIRECTORY);
            if (next < 0 || fchmod(at, i % 2 ? 0555 : 0) != 0) _exit(5);
            close(at);
            at = next;
        }
        _exit(dir_remove_tree("closed", &e) && !file_exists("closed") ? 0 : 6);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_lock_has_one_owner(void **state)
{
    struct err e;
    assert_false(lockfile_held("lock"));
    int fd = lockfile_take("lock", &e);
    assert_true(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        int mine = lockfile_take("lock", &e);
        _exit(mine == -1 && e.code == ERR_CONFLICT && lockfile_held("lock") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
    assert_false(lockfile_held("lock"));
}

static void the_probe_agrees_with_itself(void **state)
{
    struct host_caps c;
    host_caps_probe(&c);
    for (int i = 0; i < HOST_CAP_MAX; i++) {
        assert_int_equal(c.has[i], c.error[i] == 0);
        assert_true(strlen(host_cap_what(i)) > 10 && strlen(host_cap_remedy(i)) > 10);
    }
    if (c.has[HOST_CAP_PROC_MOUNT]) assert_true(c.has[HOST_CAP_PID_NS]);
    assert_true(c.cpus > 0 && c.ram_bytes > 1 << 20);
}

static void status_fields_are_read(void **state)
{
    struct err e;
    struct arena a;
    struct str v;
    arena_init(&a);
    assert_true(proc_status_field(&a, 0, "Uid", &v, &e));
    assert_true(v.n > 0);
    assert_true(proc_status_field(&a, getpid(), "Seccomp", &v, &e));
    assert_false(proc_status_field(&a, 0, "Nothing", &v, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    arena_fini(&a);
}

static void a_sender_is_an_address_or_a_network(void **state)
{
    static const char *const rows[] = {"192.0.2.1", "255.255.255.255", "::ffff:192.0.2.1", "2001:db8:1:2::9", "2001:DB8:1:2:0:0:0:9", "::", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"};
    static const char *const none[] = {"", "unix", "192.0.2", "192.0.2.1.", "2001:db8", "%eth0", "1:2:3:4:5:6:7:8:9", "0000:0000:0000:0000:0000:ffff:255.255.255.2555555"};
    char by_text[SENDER_BYTES], by_bits[SENDER_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage a = {.ss_family = strchr(rows[i], ':') ? AF_INET6 : AF_INET};
        struct sockaddr_in *v4 = (void *)&a;
        struct sockaddr_in6 *v6 = (void *)&a;
        assert_int_equal(inet_pton(a.ss_family, rows[i], a.ss_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr), 1);
        if (!str_eq(sender_of_text(str_of(rows[i]), by_text), sender_of(&a, by_bits))) fail_msg("%s", rows[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        if (sender_of_text(str_of(none[i]), by_text).n) fail_msg("%s", none[i]);
}

static void clocks_and_random_move(void **state)
{
    int64_t a = clock_mono_us();
    assert_true(clock_now_us() > 1600000000000000);
    assert_true(clock_mono_us() >= a);
    assert_int_not_equal(random_u64(), random_u64());
    (void)sched_pressure();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_goes_by_the_wall_clock),
        cmocka_unit_test_setup_teardown(files_are_replaced_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(beneath_is_not_left, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_are_removed_without_following, setup, teardown),
        cmocka_unit_test_setup_teardown(very_deep_trees_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_and_closed_trees_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lock_has_one_owner, setup, teardown),
        cmocka_unit_test(the_probe_agrees_with_itself),
        cmocka_unit_test(status_fields_are_read),
        cmocka_unit_test(a_sender_is_an_address_or_a_network),
        cmocka_unit_test(clocks_and_random_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
