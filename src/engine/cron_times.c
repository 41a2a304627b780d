/* The schedules of a CronWorkflow and their times. See cron_p.h. */
#include "base/rfc3339.h"
#include "engine/cron_p.h"

#define SECOND_US ((int64_t)1000000)
#define HOUR_US (3600 * SECOND_US)

static void tick_add(struct arena *a, cron_zone_fn *zone, void *ctx, const struct val *cron, struct str text, struct schedules *out)
{
    struct str of_spec = val_text(val_path(cron, "spec.timezone"));
    struct tick *t = &out->items[out->n];
    struct err said;
    *t = (struct tick){.text = of_spec.n ? str_fmt(a, "CRON_TZ=%.*s %.*s", STR_ARG(of_spec), STR_ARG(text)) : text, .next_us = INT64_MAX};
    if (!cron_parse(t->text, &t->cron, &said)) return;
    t->zone = zone(ctx, t->cron.zone);
    out->n++;
}

void schedules_read(struct arena *a, cron_zone_fn *zone, void *ctx, const struct val *cron, struct schedules *out)
{
    const struct val *list = val_path(cron, "spec.schedules");
    struct str one = val_text(val_path(cron, "spec.schedule"));
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    *out = (struct schedules){.items = ARENA_ARRAY(a, struct tick, n + 1)};
    rfc3339_parse(val_text(val_path(cron, "metadata.creationTimestamp")), &out->created_us);
    for (uint32_t i = 0; i < n; i++) tick_add(a, zone, ctx, cron, val_text(&list->items[i]), out);
    if (!n && one.n) tick_add(a, zone, ctx, cron, one, out);
}

struct str schedules_text(struct arena *a, const struct val *cron)
{
    const struct val *list = val_path(cron, "spec.schedules");
    struct str zone = val_text(val_path(cron, "spec.timezone")), all = STR("");
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    for (uint32_t i = 0; i < MAX(n, 1u); i++) {
        struct str text = n ? val_text(&list->items[i]) : val_text(val_path(cron, "spec.schedule"));
        struct str whole = zone.n ? str_fmt(a, "CRON_TZ=%.*s %.*s", STR_ARG(zone), STR_ARG(text)) : text;
        all = i ? str_fmt(a, "%.*s,%.*s", STR_ARG(all), STR_ARG(whole)) : whole;
    }
    return all;
}

static bool tick_next(const struct schedules *s, const struct tick *t, int64_t after_us, int64_t *next_us)
{
    if (!t->cron.every_s) return cron_next(&t->cron, t->zone, after_us, next_us);
    if (t->cron.every_s > INT64_MAX / SECOND_US / 4) return false;
    int64_t every = t->cron.every_s * SECOND_US, past = MAX(after_us - s->created_us, 0);
    *next_us = s->created_us + (past / every + 1) * every;
    return true;
}

void tick_move(const struct schedules *s, struct tick *t, int64_t after_us)
{
    if (!tick_next(s, t, after_us, &t->next_us)) t->next_us = INT64_MAX;
}

int64_t schedules_next(const struct schedules *s)
{
    int64_t best = INT64_MAX;
    for (size_t i = 0; i < s->n; i++) best = MIN(best, s->items[i].next_us);
    return best;
}

static int64_t latest_from(const struct schedules *s, const struct tick *t, int64_t from_us, int64_t until_us)
{
    int64_t found = 0, at = from_us;
    while (tick_next(s, t, at, &at) && at <= until_us) found = at;
    return found;
}

/* From the end backwards, in spans that grow: years without anybody looking hold millions of times. */
int64_t tick_latest(const struct schedules *s, const struct tick *t, int64_t after_us, int64_t until_us)
{
    int64_t found = 0;
    if (t->cron.every_s) {
        int64_t every = t->cron.every_s * SECOND_US, past = until_us - s->created_us;
        found = past >= every ? s->created_us + past / every * every : 0;
        return found > after_us ? found : 0;
    }
    for (int64_t span = HOUR_US; !found; span *= 8) {
        int64_t from = span < until_us - after_us ? until_us - span : after_us;
        found = latest_from(s, t, from, until_us);
        if (from == after_us) break;
    }
    return found;
}

bool cron_next_time(cron_zone_fn *zone, void *ctx, const struct val *cron, int64_t after_us, int64_t *next_us)
{
    struct arena a CLEANUP(arena_fini);
    struct schedules s;
    arena_init(&a);
    schedules_read(&a, zone, ctx, cron, &s);
    for (size_t i = 0; i < s.n; i++) tick_move(&s, &s.items[i], after_us);
    *next_us = schedules_next(&s);
    return *next_us != INT64_MAX;
}
