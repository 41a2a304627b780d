/* How many may begin, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "exec/pace.h"

enum { S = 1000000 };

static void so_many_at_once_and_then_at_the_rate(void **state)
{
    struct pace p;
    (void)state;
    pace_init(&p, 10000, 3); /* ten a second */
    for (int i = 0; i < 3; i++) assert_true(pace_take(&p, 5 * S));
    assert_false(pace_take(&p, 5 * S));
    assert_int_equal(pace_next(&p), 5 * S + S / 10);
    assert_false(pace_take(&p, 5 * S + S / 10 - 1));
    assert_true(pace_take(&p, 5 * S + S / 10));
    assert_false(pace_take(&p, 5 * S + S / 10));
    for (int i = 0; i < 3; i++) assert_true(pace_take(&p, 60 * S)); /* a long rest gives no more than the burst */
    assert_false(pace_take(&p, 60 * S));
}

static void less_than_one_a_second(void **state)
{
    struct pace p;
    (void)state;
    pace_init(&p, 500, 1);
    assert_true(pace_take(&p, S));
    assert_false(pace_take(&p, 3 * S - 1));
    assert_true(pace_take(&p, 3 * S));
}

static void no_limit(void **state)
{
    struct pace p;
    (void)state;
    pace_init(&p, 0, 1);
    for (int i = 0; i < 1000; i++) assert_true(pace_take(&p, 0) && pace_next(&p) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_at_once_and_then_at_the_rate),
        cmocka_unit_test(less_than_one_a_second),
        cmocka_unit_test(no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
