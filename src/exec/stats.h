/* What an engine measures of itself (stats.def), since it began; the metrics of workflows (metrics.c) are stored and are
 * none of it. Runs on: the loop thread. */
#pragma once
#include "base/metrics.h"

enum stat_id {
#define STAT(id, place, kind, name, labels, buckets, doc) STAT_##id,
#include "exec/stats.def"
#undef STAT
    STAT_MAX
};

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *s); /* NULL is fine */
/* A counter grows by `value`, a gauge becomes it, a histogram gets it. `labels`: values in the order of the row, or NULL where it has
 * none. A series too many is not made. */
void stats_add(struct stats *s, enum stat_id what, const struct str *labels, double value);
/* The same, finding the series once: *kept is NULL at first. */
void stats_add_kept(struct stats *s, enum stat_id what, const struct str *labels, double value, struct metric_series **kept);
/* A counter that somebody else counts: becomes `value`. */
void stats_count_is(struct stats *s, enum stat_id what, const struct str *labels, double value);
/* Where the series beside this one are as many as there may be, they are forgotten: for gauges, before all that there are now become what
 * they are. None of them may be kept (stats_add_kept). */
void stats_make_room(struct stats *s, enum stat_id what);
/* All in Prometheus' form. */
void stats_write(struct buf *b, const struct stats *s, int64_t now_us);
/* Whether a workflow's metric of this name would stand beside one of Argo's here. */
bool stats_has_name(struct str name);
