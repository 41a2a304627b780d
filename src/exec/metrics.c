/* Custom metrics of all runs: a registry in memory, and each series as a value of no run, written in the
 * transaction of the event that told the sample. Runs on: the loop thread. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "exec/exec_p.h"

enum { NO_RUN = 0 };

/* ---- as text ---- */

static struct val number(struct arena *a, double v) { return val_of_str(str_fmt(a, "%.17g", v)); }

static double number_in(const struct val *v)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    return v ? strtod(str_z(&a, val_text(v)), NULL) : 0;
}

static struct val labels_val(struct arena *a, const struct metric_sample *s)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < s->n_labels; i++) {
        struct val_builder b;
        map_begin(&b, a);
        map_add_str(&b, "k", s->labels[i].key);
        map_add_str(&b, "v", s->labels[i].value);
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

static struct str state_text(struct arena *a, const struct metric_state *st)
{
    const struct metric_sample *s = &st->shown;
    struct val_builder b, buckets, counts;
    map_begin(&b, a);
    map_add_str(&b, "kind", str_fmt(a, "%d", (int)s->kind));
    map_add_str(&b, "name", s->name);
    map_add_str(&b, "help", s->help);
    map_add(&b, STR("labels"), labels_val(a, s));
    map_add(&b, STR("value"), number(a, s->value));
    map_add_str(&b, "since", str_fmt(a, "%lld", (long long)s->since_us));
    map_add(&b, STR("sum"), number(a, st->sum));
    map_add_str(&b, "count", str_fmt(a, "%llu", (unsigned long long)st->count));
    list_begin(&buckets, a);
    list_begin(&counts, a);
    for (size_t i = 0; i < s->n_buckets; i++) list_add(&buckets, number(a, s->buckets[i]));
    for (size_t i = 0; s->n_buckets && i <= s->n_buckets; i++)
        list_add(&counts, val_of_str(str_fmt(a, "%llu", (unsigned long long)st->counts[i])));
    map_add(&b, STR("buckets"), list_done(&buckets));
    map_add(&b, STR("counts"), list_done(&counts));
    struct val v = map_done(&b);
    return json_text(a, &v);
}

static int64_t int_in(const struct val *v)
{
    int64_t n = 0;
    str_to_i64(val_text(v), &n);
    return n;
}

static bool state_parse(struct arena *a, struct str text, struct metric_state *out, struct err *e)
{
    struct val v;
    if (!json_parse(a, text, NULL, &v, e)) return false;
    const struct val *labels = val_get(&v, STR("labels")), *buckets = val_get(&v, STR("buckets"));
    const struct val *counts = val_get(&v, STR("counts"));
    struct metric_label *l = ARENA_ARRAY(a, struct metric_label, labels ? labels->n + 1 : 1);
    double *bounds = ARENA_ARRAY(a, double, buckets ? buckets->n + 1 : 1);
    uint64_t *n = ARENA_ARRAY(a, uint64_t, buckets ? buckets->n + 1 : 1);
    for (uint32_t i = 0; labels && i < labels->n; i++)
        l[i] = (struct metric_label){val_get_str(&labels->items[i], "k"), val_get_str(&labels->items[i], "v")};
    for (uint32_t i = 0; buckets && i < buckets->n; i++) bounds[i] = number_in(&buckets->items[i]);
    for (uint32_t i = 0; buckets && counts && i < counts->n && i <= buckets->n; i++) n[i] = (uint64_t)int_in(&counts->items[i]);
    int64_t kind = int_in(val_get(&v, STR("kind")));
    if (kind < 0 || kind >= METRIC_KIND_MAX) return err_set(e, ERR_INTERNAL, "a stored metric is damaged");
    *out = (struct metric_state){
        .shown = {.kind = (enum metric_kind)kind, .name = val_get_str(&v, "name"), .help = val_get_str(&v, "help"), .labels = l,
                  .n_labels = labels ? labels->n : 0, .value = number_in(val_get(&v, STR("value"))), .buckets = bounds,
                  .n_buckets = buckets ? buckets->n : 0, .since_us = int_in(val_get(&v, STR("since")))},
        .counts = n, .sum = number_in(val_get(&v, STR("sum"))), .count = (uint64_t)int_in(val_get(&v, STR("count")))};
    return true;
}

/* ---- the store ---- */

static bool read_one(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct metric_state st;
    struct err damaged; /* one that cannot be read is left out: it begins anew */
    (void)e;
    arena_init(&a);
    (void)key;
    if (state_parse(&a, bytes, &st, &damaged)) metrics_restore(ctx, &st, &damaged);
    return true;
}

bool exec_metrics_read(struct store *s, struct metrics *m, struct err *e)
{
    return store_values_load_prefix(s, NO_RUN, STR("metric/"), read_one, m, e);
}

bool metrics_reload(struct exec *x, struct err *e)
{
    metrics_free(x->metrics);
    x->metrics = metrics_new();
    return exec_metrics_read(x->store, x->metrics, e);
}

static bool sample_take(struct exec *x, const struct metric_sample *s, struct metric_series **out, struct err *e)
{
    if (stats_has_name(s->name)) return err_set(e, ERR_SPEC, "the engine itself has a metric '%.*s'", STR_ARG(s->name));
    return metrics_take(x->metrics, s, out, e);
}

/* False: the store failed. A sample that does not fit is the run's condition. */
bool active_metrics(struct active *l, const struct outbox *out, bool *told, struct err *e)
{
    struct exec *x = l->x;
    *told = false;
    for (size_t i = 0; i < out->n_metrics; i++) {
        struct metric_series *series;
        struct metric_state st;
        struct err why;
        if (!sample_take(x, &out->metrics[i], &series, &why)) {
            run_metrics_failed(l->run, out->metrics[i].name, str_of(why.text));
            *told = true;
            continue;
        }
        metric_get(series, &st);
        struct str key = str_fmt(&x->scratch, "metric/%.*s", STR_ARG(metric_key(series)));
        if (!store_value_put(x->store, NO_RUN, key, state_text(&x->scratch, &st), e)) return false;
    }
    return true;
}
