/* loop/tcp: who can reach it, and what is said where it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/str.h"
#include "loop/tcp.h"

static void what_it_became_is_told(void **state)
{
    struct tcp_place a, b;
    struct err e;
    (void)state;
    int fd = tcp_listen("127.0.0.1", 0, &a, &e);
    assert_true(fd >= 0 && a.loopback);
    int64_t port = 0;
    assert_true(str_starts(str_of(a.text), STR("127.0.0.1:")) && str_to_i64(str_from(str_of(a.text), 10), &port));
    assert_int_equal(tcp_listen("127.0.0.1", (int)port, &b, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    close(fd);
    fd = tcp_listen("0.0.0.0", 0, &a, &e);
    assert_true(fd >= 0 && !a.loopback);
    close(fd);
}

/* An empty label: no name server is asked. */
static void a_name_that_nobody_has(void **state)
{
    struct tcp_place p;
    struct err e;
    (void)state;
    assert_int_equal(tcp_listen("no..such.host", 0, &p, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_became_is_told),
        cmocka_unit_test(a_name_that_nobody_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
