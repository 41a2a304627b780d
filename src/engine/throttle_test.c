/* engine: how many workflows are at work at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/throttle.h"

static struct throttle_item *add(struct throttle *t, const char *ns, int64_t priority, int64_t created, const char *name)
{
    return throttle_add(t, &(struct throttle_opts){.ns = str_of(ns), .priority = priority, .created_us = created,
                                                   .owner = (void *)(uintptr_t)name}, false);
}

static void is_next(struct throttle *t, const char *want)
{
    const char *got = throttle_next(t);
    if (!want) assert_null(got);
    else assert_string_equal(got, want);
}

static void by_priority_then_age(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(1, 0);
    struct throttle_item *i[] = {add(t, "a", 0, 2, "late"), add(t, "b", 0, 1, "early"), add(t, "a", 5, 9, "high")};
    is_next(t, "high");
    is_next(t, NULL);
    throttle_remove(i[2]);
    is_next(t, "early");
    throttle_remove(i[1]);
    is_next(t, "late");
    throttle_remove(i[0]);
    is_next(t, NULL);
    throttle_free(t);
}

/* A namespace that is full keeps no other from going. */
static void namespaces_have_limits_of_their_own(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(3, 1);
    struct throttle_item *i[] = {add(t, "a", 9, 1, "a1"), add(t, "a", 9, 2, "a2"), add(t, "b", 0, 3, "b1"), add(t, "b", 0, 4, "b2")};
    is_next(t, "a1");
    is_next(t, "b1");
    is_next(t, NULL);
    throttle_remove(i[2]);
    is_next(t, "b2");
    for (int k = 0; k < 4; k++)
        if (k != 2) throttle_remove(i[k]);
    throttle_free(t);
}

static void who_is_at_work_counts_after_a_restart(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(2, 0);
    struct throttle_opts o = {.ns = STR("a")};
    struct throttle_item *i[3];
    for (int k = 0; k < 3; k++) i[k] = throttle_add(t, &o, true); /* more than may be */
    struct throttle_item *w = add(t, "a", 0, 0, "w"), *v = add(t, "a", 0, 1, "v");
    throttle_remove(i[0]);
    is_next(t, NULL);
    throttle_remove(i[1]);
    is_next(t, "w");
    assert_true(throttle_waits(v));
    throttle_let_in(v); /* it is to be stopped */
    assert_false(throttle_waits(v));
    throttle_remove(v);
    throttle_remove(w);
    throttle_remove(i[2]);
    throttle_free(t);
}

static void without_limits_everybody_goes(void **state)
{
    (void)state;
    struct throttle *t = throttle_new(0, 0);
    struct throttle_item *i[] = {add(t, "a", 0, 0, "x"), add(t, "a", 0, 1, "y")};
    is_next(t, "x");
    is_next(t, "y");
    is_next(t, NULL);
    for (int k = 0; k < 2; k++) throttle_remove(i[k]);
    throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_priority_then_age),
        cmocka_unit_test(namespaces_have_limits_of_their_own),
        cmocka_unit_test(who_is_at_work_counts_after_a_restart),
        cmocka_unit_test(without_limits_everybody_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
