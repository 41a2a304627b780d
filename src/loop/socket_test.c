/* Unix sockets: modes, long names, stale and foreign files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "loop/socket.h"

struct world {
    struct arena a;
    char dir[32];
};

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    arena_init(&w->a);
    memcpy(w->dir, "/tmp/skiff-sock-XXXXXX", 23);
    *state = w;
    return mkdtemp(w->dir) ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    int rc = rmdir(w->dir);
    arena_fini(&w->a);
    free(w);
    return rc;
}

static void connects(const char *path, int listener)
{
    int fd = unix_connect(path, NULL);
    assert_true(fd >= 0);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    assert_true(unix_peer_trusted(peer));
    assert_int_equal(write(fd, "x", 1), 1);
    char c;
    assert_int_equal(read(peer, &c, 1), 1);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
    close(peer);
}

static void a_socket_is_for_its_owner_only(void **state)
{
    struct world *w = *state;
    const char *path = str_fmt(&w->a, "%s/s", w->dir).p;
    mode_t old = umask(0);
    int fd = unix_listen(path, NULL);
    umask(old);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    connects(path, fd);
    close(fd);
    unlink(path);
}

static void long_paths_work(void **state)
{
    struct world *w = *state;
    struct str dir = str_of(w->dir);
    for (int i = 0; i < 4; i++) {
        dir = str_fmt(&w->a, "%s/%0100d", dir.p, i);
        assert_int_equal(mkdir(dir.p, 0700), 0);
    }
    const char *path = str_fmt(&w->a, "%s/engine.sock", dir.p).p;
    int fd = unix_listen(path, NULL);
    assert_true(fd >= 0);
    connects(path, fd);
    close(fd);
    fd = unix_listen(path, NULL); /* the stale one too */
    assert_true(fd >= 0);
    connects(path, fd);
    close(fd);
    unlink(path);
    for (; dir.n > strlen(w->dir); dir = str_dup(&w->a, str_sub(dir, 0, dir.n - 101)))
        assert_int_equal(rmdir(dir.p), 0);
    struct err e = {0};
    path = str_fmt(&w->a, "%s/%0100d", w->dir, 0).p;
    assert_int_equal(unix_listen(path, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
}

static void only_a_dead_socket_is_replaced(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    const char *path = str_fmt(&w->a, "%s/s", w->dir).p;
    int fd = unix_listen(path, NULL);
    assert_int_equal(unix_listen(path, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    close(accept4(fd, NULL, NULL, SOCK_CLOEXEC)); /* the probe */
    connects(path, fd);
    close(fd);
    assert_int_equal(unix_connect(path, &e), -1);
    assert_int_equal(e.code, ERR_UNREACHABLE);
    fd = unix_listen(path, NULL);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);

    assert_int_equal(unix_connect(path, &e), -1);
    assert_int_equal(e.code, ERR_UNREACHABLE);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(unix_listen(path, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(unlink(path), 0);
}

/* A pair of sockets bears the identity that its maker had. */
static void another_user_is_not_trusted(void **state)
{
    (void)state;
    int pair[2];
    if (geteuid() != 0) {
        print_message("# not tested here: needs root\n");
        return;
    }
    assert_int_equal(seteuid(65534), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(unix_peer_trusted(pair[0]));
    assert_int_equal(seteuid(0), 0);
    assert_false(unix_peer_trusted(pair[0]));
    close(pair[0]);
    close(pair[1]);
    assert_false(unix_peer_trusted(-1));
}

#define SOCKET_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(a_socket_is_for_its_owner_only),
        SOCKET_TEST(long_paths_work),
        SOCKET_TEST(only_a_dead_socket_is_replaced),
        SOCKET_TEST(another_user_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
