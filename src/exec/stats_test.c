/* What an engine measures of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/limits.h"
#include "exec/stats.h"

static void lock_is(struct stats *s, enum stat_id what, int number)
{
    char name[20];
    int n = snprintf(name, sizeof name, "lock-%d", number);
    struct str labels[] = {STR("mutex"), STR("configmap"), {name, (size_t)n}, STR("default")};
    stats_add(s, what, labels, 1);
}

static bool has(const struct stats *s, const char *text)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 64 << 20);
    stats_write(&b, s, 0);
    assert_false(b.overflow);
    return str_find(buf_view(&b), str_of(text), 0) >= 0;
}

static void names_of_locks_crowd_out_nothing(void **state)
{
    (void)state;
    struct stats *s = stats_new();
    struct str cause = STR("CronWorkflowSpecError");
    for (int i = 0; i <= LIMIT_METRIC_SERIES; i++) {
        lock_is(s, STAT_LOCKS_TAKEN, i);
        lock_is(s, STAT_LOCKS_HELD, i);
    }
    stats_add(s, STAT_ERRORS, &cause, 1);
    assert_true(has(s, "argo_workflows_error_count{cause=\"CronWorkflowSpecError\"} 1\n"));
    assert_false(has(s, "argo_workflows_locks_held{type=\"mutex\",storage=\"configmap\",lock_name=\"lock-10000\""));
    stats_make_room(s, STAT_LOCKS_HELD);
    lock_is(s, STAT_LOCKS_HELD, LIMIT_METRIC_SERIES);
    stats_make_room(s, STAT_LOCKS_HELD);
    assert_true(has(s, "argo_workflows_locks_held{type=\"mutex\",storage=\"configmap\",lock_name=\"lock-10000\""));
    assert_true(has(s, "argo_workflows_locks_taken_total{type=\"mutex\",storage=\"configmap\",lock_name=\"lock-0\""));
    stats_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_locks_crowd_out_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
