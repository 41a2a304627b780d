/* See metrics.h. Format: prometheus.io, text exposition format 0.0.4. */
#include <math.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/metrics.h"
#include "base/vec.h"

struct metric_series {
    struct str key;
    struct metric_state st;
};

struct metrics {
    struct arena arena;
    struct map by_key, by_name; /* series; the first series of each name */
    VEC(struct metric_series *) all;
};

struct metrics *metrics_new(void)
{
    struct metrics *m = mem_zalloc(sizeof *m);
    arena_init(&m->arena);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m) return;
    map_fini(&m->by_key);
    map_fini(&m->by_name);
    VEC_FINI(&m->all);
    arena_fini(&m->arena);
    free(m);
}

size_t metrics_count(const struct metrics *m) { return m->all.n; }
struct str metric_key(const struct metric_series *s) { return s->key; }
void metric_get(const struct metric_series *s, struct metric_state *out) { *out = s->st; }

static bool name_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return s.n > 0 && s.n <= LIMIT_METRIC_NAME_BYTES;
}

/* No value reads like further labels. */
static void put_label(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' || s.p[i] == ',') buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
}

static struct str key_of(struct arena *a, const struct metric_sample *s)
{
    struct buf b;
    buf_init(&b, LIMIT_METRIC_KEY_BYTES);
    buf_str(&b, s->name);
    buf_char(&b, '{');
    for (size_t i = 0; i < s->n_labels; i++) {
        buf_str(&b, s->labels[i].key);
        buf_char(&b, '=');
        put_label(&b, s->labels[i].value);
        buf_char(&b, ',');
    }
    buf_char(&b, '}');
    struct str key = b.overflow ? STR_NONE : buf_dup(a, &b);
    buf_fini(&b);
    return key;
}

static int bucket_order(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* `kept` has them in order. */
static bool same_buckets(const struct metric_sample *kept, const struct metric_sample *s)
{
    double sorted[LIMIT_METRIC_BUCKETS];
    if (kept->n_buckets != s->n_buckets) return false;
    if (!s->n_buckets) return true;
    memcpy(sorted, s->buckets, s->n_buckets * sizeof *sorted);
    qsort(sorted, s->n_buckets, sizeof *sorted, bucket_order);
    return memcmp(sorted, kept->buckets, s->n_buckets * sizeof *sorted) == 0;
}

static bool fits(const struct metrics *m, const struct metric_sample *s, struct err *e)
{
    const struct metric_series *first = map_ptr(&m->by_name, s->name);
    if (!name_ok(s->name)) return err_set(e, ERR_SPEC, "metric name '%.*s' is invalid", STR_ARG(s->name));
    for (size_t i = 0; i < s->n_labels; i++)
        if (!name_ok(s->labels[i].key))
            return err_set(e, ERR_SPEC, "metric label '%.*s' is invalid", STR_ARG(s->labels[i].key));
    if (s->kind == METRIC_COUNTER && !(s->value >= 0))
        return err_set(e, ERR_SPEC, "counter '%.*s' cannot go down", STR_ARG(s->name));
    if (s->n_buckets > LIMIT_METRIC_BUCKETS)
        return err_set(e, ERR_LIMIT, "a histogram has at most LIMIT_METRIC_BUCKETS (%d) buckets", LIMIT_METRIC_BUCKETS);
    if (first && first->st.shown.kind != s->kind)
        return err_set(e, ERR_SPEC, "metric '%.*s' is of another kind already", STR_ARG(s->name));
    if (first && !same_buckets(&first->st.shown, s))
        return err_set(e, ERR_SPEC, "histogram '%.*s' has other buckets already", STR_ARG(s->name));
    return true;
}

static struct metric_series *series_add(struct metrics *m, const struct metric_sample *s, struct str key)
{
    struct metric_series *n = ARENA_NEW(&m->arena, struct metric_series);
    struct metric_sample *to = &n->st.shown;
    struct metric_label *labels = ARENA_ARRAY(&m->arena, struct metric_label, s->n_labels + 1);
    double *buckets = ARENA_ARRAY(&m->arena, double, s->n_buckets + 1);
    *to = *s;
    to->name = str_dup(&m->arena, s->name);
    to->help = str_dup(&m->arena, s->help);
    to->value = 0;
    to->since_us = 0;
    for (size_t i = 0; i < s->n_labels; i++)
        labels[i] = (struct metric_label){str_dup(&m->arena, s->labels[i].key), str_dup(&m->arena, s->labels[i].value)};
    to->labels = labels;
    if (s->n_buckets) memcpy(buckets, s->buckets, s->n_buckets * sizeof *buckets);
    qsort(buckets, s->n_buckets, sizeof *buckets, bucket_order);
    to->buckets = buckets;
    n->st.counts = ARENA_ARRAY(&m->arena, uint64_t, s->n_buckets + 1);
    n->key = str_dup(&m->arena, key);
    map_set_ptr(&m->by_key, n->key, n);
    if (!map_get(&m->by_name, to->name)) map_set_ptr(&m->by_name, to->name, n);
    VEC_PUSH(&m->all, n);
    return n;
}

static void observe(struct metric_state *st, double v)
{
    size_t i = 0;
    uint64_t *counts = (uint64_t *)st->counts;
    while (i < st->shown.n_buckets && v > st->shown.buckets[i]) i++;
    counts[i]++;
    st->sum += v;
    st->count++;
}

bool metrics_take(struct metrics *m, const struct metric_sample *s, struct metric_series **out, struct err *e)
{
    struct arena scratch CLEANUP(arena_fini);
    arena_init(&scratch);
    struct str key = key_of(&scratch, s);
    if (!fits(m, s, e)) return false;
    struct metric_series *n = key.p ? map_ptr(&m->by_key, key) : NULL;
    if (!key.p || (!n && m->all.n >= LIMIT_METRIC_SERIES))
        return err_set(e, ERR_LIMIT, "metric '%.*s': more than LIMIT_METRIC_SERIES (%d) series, or labels too long",
                       STR_ARG(s->name), LIMIT_METRIC_SERIES);
    if (!n) n = series_add(m, s, key);
    struct metric_sample *to = &n->st.shown;
    if (s->kind == METRIC_HISTOGRAM) observe(&n->st, s->value);
    else if (s->kind == METRIC_COUNTER || s->op == METRIC_ADD) to->value += s->value;
    else if (s->op == METRIC_SUB) to->value -= s->value;
    else to->value = s->value;
    to->since_us = s->since_us;
    *out = n;
    return true;
}

void metric_add(struct metric_series *s, double value)
{
    struct metric_sample *to = &s->st.shown;
    if (to->kind == METRIC_HISTOGRAM) observe(&s->st, value);
    else if (to->kind == METRIC_COUNTER) to->value += value;
    else to->value = value;
}

bool metrics_restore(struct metrics *m, const struct metric_state *st, struct err *e)
{
    struct arena scratch CLEANUP(arena_fini);
    arena_init(&scratch);
    struct str key = key_of(&scratch, &st->shown);
    if (!key.p || !fits(m, &st->shown, e)) return false;
    struct metric_series *n = series_add(m, &st->shown, key);
    n->st.shown.value = st->shown.value;
    n->st.shown.since_us = st->shown.since_us;
    n->st.sum = st->sum;
    n->st.count = st->count;
    if (st->counts) memcpy((uint64_t *)n->st.counts, st->counts, (st->shown.n_buckets + 1) * sizeof *st->counts);
    return true;
}

/* ---- text ---- */

static void put_escaped(struct buf *b, struct str s, bool quotes)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') buf_str(b, STR("\\\\"));
        else if (s.p[i] == '\n') buf_str(b, STR("\\n"));
        else if (quotes && s.p[i] == '"') buf_str(b, STR("\\\""));
        else buf_char(b, s.p[i]);
    }
}

/* The shortest text that reads back to it, as Prometheus' own library prints: le="0.1" is what queries ask for. */
static void put_fraction(struct buf *b, double v)
{
    char text[40];
    int digits = 15;
    do snprintf(text, sizeof text, "%.*g", digits, v);
    while (strtod(text, NULL) != v && ++digits <= 17);
    buf_str(b, str_of(text));
}

static void put_number(struct buf *b, double v)
{
    if (isnan(v)) buf_str(b, STR("NaN"));
    else if (isinf(v)) buf_str(b, v > 0 ? STR("+Inf") : STR("-Inf"));
    else if (fabs(v) < 1e15 && v == (double)(int64_t)v) buf_i64(b, (int64_t)v);
    else put_fraction(b, v);
}

static void put_line(struct buf *b, const char *prefix, const struct metric_sample *s, const char *suffix, const double *le)
{
    buf_printf(b, "%s%.*s%s", prefix, STR_ARG(s->name), suffix);
    if (!s->n_labels && !le) return;
    buf_char(b, '{');
    for (size_t i = 0; i < s->n_labels; i++) {
        buf_printf(b, "%s%.*s=\"", i ? "," : "", STR_ARG(s->labels[i].key));
        put_escaped(b, s->labels[i].value, true);
        buf_char(b, '"');
    }
    if (le) {
        buf_str(b, s->n_labels ? STR(",le=\"") : STR("le=\""));
        put_number(b, *le);
        buf_char(b, '"');
    }
    buf_char(b, '}');
}

static void put_value(struct buf *b, double v)
{
    buf_char(b, ' ');
    put_number(b, v);
    buf_char(b, '\n');
}

static void put_series(struct buf *b, const char *prefix, const struct metric_series *n, int64_t now_us)
{
    const struct metric_sample *s = &n->st.shown;
    const double inf = INFINITY;
    uint64_t below = 0;
    if (s->kind != METRIC_HISTOGRAM) {
        put_line(b, prefix, s, "", NULL);
        put_value(b, s->since_us ? (double)(now_us - s->since_us) / 1e6 : s->value);
        return;
    }
    for (size_t i = 0; i <= s->n_buckets; i++) {
        below += n->st.counts[i];
        put_line(b, prefix, s, "_bucket", i < s->n_buckets ? &s->buckets[i] : &inf);
        put_value(b, (double)below);
    }
    put_line(b, prefix, s, "_sum", NULL);
    put_value(b, n->st.sum);
    put_line(b, prefix, s, "_count", NULL);
    put_value(b, (double)n->st.count);
}

static int series_order(const void *x, const void *y)
{
    const struct metric_series *a = *(struct metric_series *const *)x, *b = *(struct metric_series *const *)y;
    int by_name = str_cmp(a->st.shown.name, b->st.shown.name);
    return by_name ? by_name : str_cmp(a->key, b->key);
}

void metrics_write(struct buf *b, const struct metrics *m, const char *prefix, int64_t now_us)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct metric_series **sorted = mem_alloc((m->all.n + 1) * sizeof *sorted);
    if (m->all.n) memcpy(sorted, m->all.items, m->all.n * sizeof *sorted);
    if (m->all.n) qsort(sorted, m->all.n, sizeof *sorted, series_order);
    for (size_t i = 0; i < m->all.n; i++) {
        const struct metric_sample *s = &sorted[i]->st.shown;
        if (!i || !str_eq(s->name, sorted[i - 1]->st.shown.name)) {
            buf_printf(b, "# HELP %s%.*s ", prefix, STR_ARG(s->name));
            put_escaped(b, s->help, false);
            buf_printf(b, "\n# TYPE %s%.*s %s\n", prefix, STR_ARG(s->name), kinds[s->kind]);
        }
        put_series(b, prefix, sorted[i], now_us);
    }
    free(sorted);
}
