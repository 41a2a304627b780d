/* metrics: what is shown after samples, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/metrics.h"

static void take(struct metrics *m, struct metric_sample s)
{
    struct metric_series *out;
    struct err e = {0};
    if (!metrics_take(m, &s, &out, &e)) fail_msg("%s", e.text);
}

static void shows(const struct metrics *m, int64_t now_us, const char *want)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    metrics_write(&b, m, "p_", now_us);
    assert_string_equal(b.n ? b.p : "", want);
    buf_fini(&b);
}

static const struct metric_label ab[] = {{{"a", 1}, {"x\"y", 3}}};

static void counters_add_up(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    take(m, (struct metric_sample){.kind = METRIC_COUNTER, .name = STR("c"), .help = STR("h"), .value = 1});
    take(m, (struct metric_sample){.kind = METRIC_COUNTER, .name = STR("c"), .help = STR("h"), .value = 2.5});
    take(m, (struct metric_sample){.kind = METRIC_COUNTER, .name = STR("c"), .help = STR("h"), .value = 1, .labels = ab, .n_labels = 1});
    shows(m, 0, "# HELP p_c h\n# TYPE p_c counter\np_c{a=\"x\\\"y\"} 1\np_c 3.5\n");
    assert_int_equal(metrics_count(m), 2);
    metrics_free(m);
}

static void gauges_are_set_and_moved(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    struct metric_sample s = {.kind = METRIC_GAUGE, .name = STR("g"), .help = STR("two\nlines"), .value = 5};
    take(m, s);
    s.op = METRIC_ADD;
    take(m, s);
    s.op = METRIC_SUB;
    s.value = 1;
    take(m, s);
    shows(m, 0, "# HELP p_g two\\nlines\n# TYPE p_g gauge\np_g 9\n");
    s.since_us = 1000000;
    take(m, s);
    shows(m, 3500000, "# HELP p_g two\\nlines\n# TYPE p_g gauge\np_g 2.5\n");
    metrics_free(m);
}

static void histograms_count_in_buckets(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(), *again = metrics_new();
    const double buckets[] = {5, 1};
    struct metric_sample s = {.kind = METRIC_HISTOGRAM, .name = STR("h"), .help = STR("h"), .buckets = buckets, .n_buckets = 2};
    struct metric_series *one;
    struct metric_state st;
    struct err e;
    const double values[] = {0.5, 1, 3, 9};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        s.value = values[i];
        assert_true(metrics_take(m, &s, &one, &e));
    }
    const char *want = "# HELP p_h h\n# TYPE p_h histogram\np_h_bucket{le=\"1\"} 2\np_h_bucket{le=\"5\"} 3\n"
                       "p_h_bucket{le=\"+Inf\"} 4\np_h_sum 13.5\np_h_count 4\n";
    shows(m, 0, want);
    metric_get(one, &st);
    assert_true(metrics_restore(again, &st, &e));
    shows(again, 0, want);
    metrics_free(m);
    metrics_free(again);
}

static void fractions_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    const double buckets[] = {0.0003, 0.03, 0.1, 2.01};
    take(m, (struct metric_sample){.kind = METRIC_HISTOGRAM, .name = STR("h"), .help = STR("h"), .buckets = buckets, .n_buckets = 4, .value = 0.1 + 0.2});
    shows(m, 0, "# HELP p_h h\n# TYPE p_h histogram\np_h_bucket{le=\"0.0003\"} 0\np_h_bucket{le=\"0.03\"} 0\np_h_bucket{le=\"0.1\"} 0\n"
                "p_h_bucket{le=\"2.01\"} 1\np_h_bucket{le=\"+Inf\"} 1\np_h_sum 0.30000000000000004\np_h_count 1\n");
    metrics_free(m);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    struct metric_series *out;
    struct err e;
    take(m, (struct metric_sample){.kind = METRIC_COUNTER, .name = STR("c"), .help = STR("h"), .value = 1});
    const struct metric_label bad = {STR("a-b"), STR("x")};
    const struct metric_sample wrong[] = {
        {.kind = METRIC_GAUGE, .name = STR("c"), .help = STR("h")},
        {.kind = METRIC_COUNTER, .name = STR("c"), .help = STR("h"), .value = -1},
        {.kind = METRIC_COUNTER, .name = STR("a-b"), .help = STR("h")},
        {.kind = METRIC_COUNTER, .name = STR("1a"), .help = STR("h")},
        {.kind = METRIC_COUNTER, .name = STR("x"), .help = STR("h"), .labels = &bad, .n_labels = 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) assert_false(metrics_take(m, &wrong[i], &out, &e));
    assert_int_equal(metrics_count(m), 1);
    const struct metric_label one[] = {{STR("a"), STR("x,b=y")}}, two[] = {{STR("a"), STR("x")}, {STR("b"), STR("y")}};
    take(m, (struct metric_sample){.kind = METRIC_COUNTER, .name = STR("l"), .help = STR("h"), .value = 1, .labels = one, .n_labels = 1});
    take(m, (struct metric_sample){.kind = METRIC_COUNTER, .name = STR("l"), .help = STR("h"), .value = 1, .labels = two, .n_labels = 2});
    assert_int_equal(metrics_count(m), 3); /* two series, although they read alike */
    const double buckets[] = {1, 2}, others[] = {1, 3};
    struct metric_sample h = {.kind = METRIC_HISTOGRAM, .name = STR("hist"), .help = STR("h"), .buckets = buckets, .n_buckets = 2};
    take(m, h);
    h.buckets = others;
    assert_false(metrics_take(m, &h, &out, &e));
    assert_string_equal(e.text, "histogram 'hist' has other buckets already");
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_add_up),
        cmocka_unit_test(gauges_are_set_and_moved),
        cmocka_unit_test(histograms_count_in_buckets),
        cmocka_unit_test(fractions_are_as_short_as_they_can_be), cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
