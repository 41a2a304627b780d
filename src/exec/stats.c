/* See stats.h. */
#include "exec/stats.h"

#include "base/limits.h"

enum { LABELS_MOST = 4 };
/* Names of locks may be made in workflows, without end: those of the two kinds crowd out nothing else (LIMIT_METRIC_SERIES of a place). */
enum place { PLACE_ARGO, PLACE_ARGO_LOCKS, PLACE_ARGO_LOCKS_NOW, PLACE_OWN, PLACE_PROCESS, PLACE_MAX };
enum buckets { BUCKETS_NONE, BUCKETS_TIMES, BUCKETS_LONG };

static const char *const prefixes[PLACE_MAX] = {"argo_workflows_", "argo_workflows_", "argo_workflows_", "skiff_", "process_"};

static const struct row {
    enum place place;
    enum metric_kind kind;
    const char *name, *labels;
    enum buckets buckets;
    const char *doc;
} rows[STAT_MAX] = {
#define STAT(id, place, kind, name, labels, buckets, doc) {PLACE_##place, METRIC_##kind, name, labels, BUCKETS_##buckets, doc},
#include "exec/stats.def"
#undef STAT
};

static const double times[] = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600};
static const double longs[] = {1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 7 * 24 * 3600};

struct stats {
    struct metrics *places[PLACE_MAX];
};

struct stats *stats_new(void)
{
    struct stats *s = mem_zalloc(sizeof *s);
    for (size_t i = 0; i < PLACE_MAX; i++) s->places[i] = metrics_new();
    return s;
}

void stats_free(struct stats *s)
{
    if (!s) return;
    for (size_t i = 0; i < PLACE_MAX; i++) metrics_free(s->places[i]);
    free(s);
}

static size_t labels_of(const struct row *r, const struct str *values, struct metric_label out[LABELS_MOST])
{
    struct str rest = str_of(r->labels);
    size_t n = 0;
    for (bool more = rest.n > 0; more; n++) {
        ASSERT(n < LABELS_MOST);
        more = str_cut(rest, ' ', &out[n].key, &rest);
        out[n].value = values[n].p ? values[n] : STR("");
    }
    return n;
}

static struct metric_series *take(struct stats *s, enum stat_id what, const struct str *values, double value)
{
    const struct row *r = &rows[what];
    struct metric_label labels[LABELS_MOST];
    struct metric_series *out = NULL;
    struct err full; /* one more series than there may be: it is not measured */
    struct metric_sample sample = {.kind = r->kind, .op = METRIC_SET, .name = str_of(r->name), .help = str_of(r->doc), .labels = labels,
                                   .n_labels = labels_of(r, values, labels), .value = value};
    if (r->buckets != BUCKETS_NONE) {
        sample.buckets = r->buckets == BUCKETS_TIMES ? times : longs;
        sample.n_buckets = r->buckets == BUCKETS_TIMES ? ARRAY_LEN(times) : ARRAY_LEN(longs);
    }
    return metrics_take(s->places[r->place], &sample, &out, &full) ? out : NULL;
}

void stats_add(struct stats *s, enum stat_id what, const struct str *labels, double value) { take(s, what, labels, value); }

void stats_add_kept(struct stats *s, enum stat_id what, const struct str *labels, double value, struct metric_series **kept)
{
    if (*kept) metric_add(*kept, value);
    else *kept = take(s, what, labels, value);
}

void stats_count_is(struct stats *s, enum stat_id what, const struct str *labels, double value)
{
    struct metric_series *series = take(s, what, labels, 0);
    struct metric_state st;
    if (!series) return;
    metric_get(series, &st);
    if (value > st.shown.value) metric_add(series, value - st.shown.value);
}

void stats_make_room(struct stats *s, enum stat_id what)
{
    struct metrics **m = &s->places[rows[what].place];
    if (metrics_count(*m) < LIMIT_METRIC_SERIES) return;
    metrics_free(*m);
    *m = metrics_new();
}

void stats_write(struct buf *b, const struct stats *s, int64_t now_us)
{
    for (size_t i = 0; i < PLACE_MAX; i++) metrics_write(b, s->places[i], prefixes[i], now_us);
}

bool stats_has_name(struct str name)
{
    for (size_t i = 0; i < STAT_MAX; i++)
        if (strcmp(prefixes[rows[i].place], prefixes[PLACE_ARGO]) == 0 && str_is(name, rows[i].name)) return true;
    return false;
}
