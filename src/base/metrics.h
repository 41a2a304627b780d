/* A registry of metrics in the form of Prometheus: counters, gauges and histograms with labels.
 *
 * Series are found by name and labels. The first sample of a name fixes its kind and, for a histogram, its
 * buckets; a sample that does not fit is refused. A gauge may be a clock: then it shows the seconds
 * since a moment. Times are wall clock, us. Runs on: one thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_KIND_MAX };
enum metric_op { METRIC_SET, METRIC_ADD, METRIC_SUB }; /* of gauges; a counter is added to */

struct metric_label {
    struct str key, value;
};

struct metric_sample {
    enum metric_kind kind;
    enum metric_op op;
    struct str name, help;
    const struct metric_label *labels;
    size_t n_labels;
    double value;
    const double *buckets; /* upper bounds; +Inf is added */
    size_t n_buckets;
    int64_t since_us; /* a gauge that is a clock since then; 0: `value` */
};

struct metrics;
struct metric_series;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
/* ERR_SPEC: a bad name, a negative step of a counter, another kind than before. The sample is copied. */
bool metrics_take(struct metrics *m, const struct metric_sample *s, struct metric_series **out, struct err *e);

/* The same on a series that was found before: a counter grows, a gauge becomes, a histogram gets it. */
void metric_add(struct metric_series *s, double value);

/* For keeping a series: its key ("name{label=value,…}") and its state; histogram: the counts of its buckets
 * (not cumulative) with +Inf last, their sum and count. */
struct metric_state {
    struct metric_sample shown; /* `value` is the present one */
    const uint64_t *counts;     /* n_buckets + 1 */
    double sum;
    uint64_t count;
};
struct str metric_key(const struct metric_series *s);
void metric_get(const struct metric_series *s, struct metric_state *out);
bool metrics_restore(struct metrics *m, const struct metric_state *st, struct err *e);

size_t metrics_count(const struct metrics *m);
/* The text exposition format, names sorted and with `prefix` before each. */
void metrics_write(struct buf *b, const struct metrics *m, const char *prefix, int64_t now_us);
