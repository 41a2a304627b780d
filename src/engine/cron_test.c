/* engine: one cron workflow on a virtual clock: its times, policies, what is missed, when it stops, what is kept; and a week with
 * restarts, against another way of computing the same. SKIFF_SEED repeats a week. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rfc3339.h"
#include "base/vec.h"
#include "doc/json_write.h"
#include "doc/yaml.h"
#include "engine/cron.h"

#define SECOND ((int64_t)1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* ---- a world with one cron workflow ---- */

struct started {
    char name[64], uid[64];
    int64_t at_us, end_us; /* scheduled; 0: it goes on */
    bool active, well, terminated, removed;
    int64_t finished_us;
};
struct world {
    struct arena a;
    struct cronwf *c;
    struct val doc; /* as it is stored */
    int64_t now;
    VEC(struct started) runs;
    int64_t last_for_us; /* how long the next ones take; 0: until told */
    bool well, refuse;
    size_t writes;
};

static const struct zone *zone_named(void *ctx, struct str name)
{
    struct arena *a = ctx;
    const struct zone *z = zone_utc();
    struct err e;
    if (!str_set(name) || str_is(name, "UTC")) return z;
    char path[200], *p = arena_alloc_bytes(a, 1 << 16);
    snprintf(path, sizeof path, "test/data/zoneinfo/%.*s", STR_ARG(name));
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(p, 1, 1 << 16, f);
    fclose(f);
    assert_true(tzif_parse(a, str_n(p, n), &z, &e));
    return z;
}

static int64_t when(const char *text)
{
    int64_t us;
    assert_true(rfc3339_parse(str_of(text), &us));
    return us;
}

static struct val parse(struct arena *a, const char *spec)
{
    struct val v;
    struct err e = {0};
    struct str text = str_fmt(a, "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\n"
                              "metadata: {name: c, namespace: default, uid: u-c, resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z', labels: {team: vision, a/b: c}, annotations: {note: hello}}\n"
                              "spec:\n  workflowSpec: {entrypoint: main}\n%s", spec);
    if (!yaml_parse(a, text, NULL, &v, &e)) fail_msg("%s", e.text);
    return v;
}

static struct started *run_of(struct world *w, struct str uid)
{
    for (size_t i = 0; i < w->runs.n; i++)
        if (str_is(uid, w->runs.items[i].uid)) return &w->runs.items[i];
    fail_msg("nobody has uid %.*s", STR_ARG(uid));
    return NULL;
}

static struct cron_child child_of(const struct started *r)
{
    return (struct cron_child){str_of(r->name), str_of(r->uid), r->active, r->well, r->finished_us};
}

static void start(struct world *w, const struct cron_out *out)
{
    struct started r = {.at_us = out->at_us, .active = true, .end_us = w->last_for_us ? w->now + w->last_for_us : 0, .well = w->well};
    snprintf(r.name, sizeof r.name, "%.*s", STR_ARG(out->name));
    snprintf(r.uid, sizeof r.uid, "u-%zu", w->runs.n);
    for (size_t i = 0; i < w->runs.n; i++)
        if (!strcmp(w->runs.items[i].name, r.name)) fail_msg("%s is started twice", r.name);
    VEC_PUSH(&w->runs, r);
    struct cron_child child = child_of(&r);
    cronwf_started(w->c, &child, out->at_us, w->now);
}

static void settle(struct world *w)
{
    cronwf_clock_back(w->c, w->now);
    for (int i = 0; cronwf_next_us(w->c) <= w->now; i++) {
        struct cron_out out;
        assert_true(i < 1000);
        cronwf_tick(w->c, w->now, &out);
        for (size_t k = 0; k < out.n_terminate; k++) run_of(w, out.terminate[k])->terminated = true;
        for (size_t k = 0; k < out.n_remove; k++) run_of(w, out.remove[k])->removed = true;
        if (out.start && w->refuse) cronwf_refused(w->c, CRON_SUBMISSION_ERROR, STR("Failed to submit Workflow: no"), out.at_us);
        else if (out.start) start(w, &out);
    }
    if (!cronwf_dirty(w->c)) return;
    w->doc = cronwf_document(&w->a, w->c);
    w->writes++;
}

static void end(struct world *w, struct started *r, bool well)
{
    r->active = false;
    r->well = well;
    r->finished_us = w->now;
    struct cron_child child = child_of(r);
    cronwf_child(w->c, &child, w->now);
    settle(w);
}

static void restart(struct world *w)
{
    cronwf_free(w->c);
    w->c = cronwf_new(zone_named, &w->a, &w->doc, w->now);
    for (size_t i = 0; i < w->runs.n; i++) {
        struct cron_child child = child_of(&w->runs.items[i]);
        if (!w->runs.items[i].removed) cronwf_child(w->c, &child, w->now);
    }
    cronwf_children_told(w->c);
    settle(w);
}

static struct started *next_end(struct world *w)
{
    struct started *first = NULL;
    for (size_t i = 0; i < w->runs.n; i++) {
        struct started *r = &w->runs.items[i];
        if (r->active && r->end_us && (!first || r->end_us < first->end_us)) first = r;
    }
    return first;
}

/* To `until`, with all that happens before. */
static void pass(struct world *w, int64_t until)
{
    for (;;) {
        struct started *r = next_end(w);
        int64_t tick = cronwf_next_us(w->c), over = r ? r->end_us : INT64_MAX;
        if (MIN(tick, over) > until) break;
        w->now = MAX(w->now, MIN(tick, over));
        if (over <= tick) end(w, r, r->well);
        else settle(w);
    }
    w->now = until;
}

static void world_init(struct world *w, const char *spec, const char *now)
{
    *w = (struct world){.now = when(now), .well = true, .last_for_us = 5 * SECOND};
    arena_init(&w->a);
    w->doc = parse(&w->a, spec);
    restart(w);
}

static void world_fini(struct world *w)
{
    cronwf_free(w->c);
    VEC_FINI(&w->runs);
    arena_fini(&w->a);
}

static const char *status(struct world *w, const char *member)
{
    struct val doc = w->doc;
    return str_z(&w->a, val_text(val_path(&doc, str_fmt(&w->a, "status.%s", member).p)));
}

/* "11:00 11:05": the scheduled times so far. */
static void assert_times(struct world *w, const char *want)
{
    struct str got = STR("");
    for (size_t i = 0; i < w->runs.n; i++) {
        struct civil t = civil_from_us(w->runs.items[i].at_us);
        got = str_fmt(&w->a, "%.*s%s%02d-%02dT%02d:%02d", STR_ARG(got), i ? " " : "", t.month, t.day, t.hour, t.minute);
        if (t.second) got = str_fmt(&w->a, "%.*s:%02d", STR_ARG(got), t.second);
    }
    assert_string_equal(got.p, want);
}

/* ---- times ---- */

static void zones_and_changed_clocks(void **state)
{
    (void)state;
    static const struct { const char *spec, *from, *until, *times; } rows[] = {
        {"  schedules: ['30 2 * * *']\n  timezone: America/New_York\n", "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z",
         "03-07T07:30 03-09T06:30"},
        {"  schedules: ['30 1 * * *']\n  timezone: America/New_York\n", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z",
         "11-01T05:30 11-01T06:30 11-02T06:30"},
        {"  schedules: ['0 */2 * * *']\n  timezone: America/New_York\n", "2026-03-08T05:30:00Z", "2026-03-08T12:30:00Z",
         "03-08T08:00 03-08T10:00 03-08T12:00"},
        {"  schedules: ['30 2 * * *']\n  timezone: Europe/Berlin\n", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z",
         "10-25T00:30 10-25T01:30 10-26T01:30"},
        {"  schedules: ['0 0 * * *']\n  timezone: America/Sao_Paulo\n", "2018-11-02T12:00:00Z", "2018-11-06T00:00:00Z",
         "11-03T03:00 11-05T02:00"},
        {"  schedules: ['15 2 * * *']\n  timezone: Australia/Lord_Howe\n", "2026-04-03T12:00:00Z", "2026-04-06T12:00:00Z",
         "04-03T15:15 04-05T15:45"},
        /* a zone of its own before that of the document; two schedules, each time once; the old single one */
        {"  schedules: ['*/30 * * * *', '0 * * * *', 'CRON_TZ=UTC 15 3 * * *']\n", "2026-01-01T02:10:00Z", "2026-01-01T03:40:00Z",
         "01-01T02:30 01-01T03:00 01-01T03:15 01-01T03:30"},
        {"  schedule: '@hourly'\n", "2026-01-01T02:10:00Z", "2026-01-01T04:00:00Z", "01-01T03:00 01-01T04:00"},
        {"  schedules: ['@every 25m']\n", "2026-01-01T02:10:00Z", "2026-01-01T03:00:00Z", "01-01T02:30 01-01T02:55"},
        {"  schedules: ['0 0 31 2 *', 'nonsense']\n", "2026-01-01T02:10:00Z", "2027-01-01T03:00:00Z", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        world_init(&w, rows[i].spec, rows[i].from);
        pass(&w, when(rows[i].until));
        assert_times(&w, rows[i].times);
        world_fini(&w);
    }
}

static void names_and_status(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n", "2026-01-01T00:30:00Z");
    pass(&w, when("2026-01-01T01:00:03Z"));
    assert_string_equal(w.runs.items[0].name, "c-1767229200");
    assert_string_equal(status(&w, "lastScheduledTime"), "2026-01-01T01:00:00Z");
    assert_string_equal(status(&w, "active.0.name"), "c-1767229200");
    assert_string_equal(status(&w, "phase"), "Active");
    assert_string_equal(status(&w, "succeeded"), "0");
    struct val doc = w.doc;
    const struct val *notes = val_path(&doc, "metadata.annotations");
    assert_string_equal(val_get_str(notes, "cronworkflows.argoproj.io/last-used-schedule").p, "0 * * * *");
    assert_null(val_path(&doc, "metadata.resourceVersion"));
    pass(&w, when("2026-01-01T01:00:30Z"));
    assert_string_equal(status(&w, "succeeded"), "1");
    doc = w.doc;
    assert_int_equal(val_path(&doc, "status.active")->n, 0);
    world_fini(&w);
}

static void the_workflow(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct val cron = parse(&a, "  schedules: ['0 * * * *']\n  workflowMetadata: {labels: {l: x}, annotations: {m: z}}\n");
    struct val v = cron_workflow(&a, &cron, STR("c-1"), when("2026-01-01T01:00:00Z"));
    assert_string_equal(json_text(&a, &v).p,
        "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Workflow\",\"metadata\":{\"name\":\"c-1\",\"namespace\":\"default\","
        "\"labels\":{\"workflows.argoproj.io/cron-workflow\":\"c\",\"l\":\"x\"},"
        "\"annotations\":{\"workflows.argoproj.io/scheduled-time\":\"2026-01-01T01:00:00Z\",\"m\":\"z\"}},\"spec\":{\"entrypoint\":\"main\"}}");
}

/* ---- policies ---- */

static void concurrency(void **state)
{
    (void)state;
    static const struct { const char *policy, *times; bool first_ended; } rows[] = {
        {"", "01-01T01:00 01-01T02:00 01-01T03:00", false}, {"  concurrencyPolicy: Allow\n", "01-01T01:00 01-01T02:00 01-01T03:00", false},
        {"  concurrencyPolicy: Forbid\n", "01-01T01:00 01-01T03:00", false},
        {"  concurrencyPolicy: Replace\n", "01-01T01:00 01-01T02:00 01-01T03:00", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        world_init(&w, str_fmt(&a, "  schedules: ['0 * * * *']\n%s", rows[i].policy).p, "2026-01-01T00:30:00Z");
        w.last_for_us = 0;
        pass(&w, when("2026-01-01T02:30:00Z"));
        assert_int_equal(w.runs.items[0].terminated, rows[i].first_ended);
        end(&w, &w.runs.items[0], true);
        pass(&w, when("2026-01-01T03:30:00Z"));
        assert_times(&w, rows[i].times);
        world_fini(&w);
    }
}

/* What was not started because of another is made up for when that ends, if the deadline allows. */
static void forbidden_within_the_deadline(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 600\n", "2026-01-01T00:30:00Z");
    w.last_for_us = 0;
    pass(&w, when("2026-01-01T02:05:00Z"));
    end(&w, &w.runs.items[0], true);
    assert_times(&w, "01-01T01:00 01-01T02:00");
    world_fini(&w);
}

static void suspended(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n", "2026-01-01T00:30:00Z");
    pass(&w, when("2026-01-01T01:30:00Z"));
    struct val v = parse(&w.a, "  schedules: ['0 * * * *']\n  suspend: true\n");
    cronwf_changed(w.c, &v, w.now);
    settle(&w);
    assert_string_equal(status(&w, "lastScheduledTime"), "2026-01-01T01:00:00Z"); /* what the new document does not say */
    assert_true(cronwf_next_us(w.c) == INT64_MAX);
    pass(&w, when("2026-01-01T03:30:00Z"));
    v = parse(&w.a, "  schedules: ['0 * * * *']\n");
    cronwf_changed(w.c, &v, w.now);
    pass(&w, when("2026-01-01T04:30:00Z"));
    assert_times(&w, "01-01T01:00 01-01T04:00");
    world_fini(&w);
}

/* A change that comes just after a time does not swallow it. */
static void changed_when_it_is_due(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n", "2026-01-01T00:30:00Z");
    w.now = when("2026-01-01T01:00:00Z") + 500;
    struct val v = parse(&w.a, "  schedules: ['0 * * * *']\n  concurrencyPolicy: Forbid\n");
    cronwf_changed(w.c, &v, w.now);
    settle(&w);
    assert_times(&w, "01-01T01:00");
    world_fini(&w);
}

static void when_holds(void **state)
{
    (void)state;
    static const struct { const char *when, *times, *trouble; } rows[] = {
        {"{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() > 7000 }}", "01-01T01:00 01-01T03:00", NULL},
        {"{{cronworkflow.name}} == c", "", "run policy error: failed to evaluate 'when' expression 'c == c': No parameter 'c' found."},
        {"'{{cronworkflow.name}}' == 'c'", "01-01T01:00 01-01T02:00 01-01T03:00", NULL},
        {"{{= cronworkflow.succeeded < 1 }}", "01-01T01:00", NULL},
        {"{{cronworkflow.nothing}} == 1", "", "run policy error: failed to resolve {{cronworkflow.nothing}}"},
        {"1 < 0", "", NULL},
        {"{{= cronworkflow.labels.team == 'vision' && cronworkflow.labels['a/b'] == 'c' && cronworkflow.succeeded < 1 }}", "01-01T01:00", NULL},
        {"{{= cronworkflow.annotations['note'] == 'hello' && cronworkflow.annotations.team == 'vision' && cronworkflow.succeeded < 1 }}", "01-01T01:00", NULL},
        {"{{= cronworkflow.labels.json contains 'vision' && cronworkflow.succeeded < 1 }}", "01-01T01:00", NULL},
        {"{{= cronworkflow.labels.none == 'x' }}", "", "run policy error: failed to evaluate expression: cronworkflow.labels.none is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        world_init(&w, str_fmt(&a, "  schedules: ['0 * * * *']\n  when: \"%s\"\n", rows[i].when).p, "2026-01-01T00:30:00Z");
        pass(&w, when("2026-01-01T03:30:00Z"));
        if (rows[i].trouble) assert_string_equal(status(&w, "conditions.0.message"), rows[i].trouble);
        else assert_string_equal(status(&w, "conditions.0.message"), "");
        assert_times(&w, rows[i].times);
        world_fini(&w);
    }
}

static void stops(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n  stopStrategy: {expression: 'cronworkflow.failed >= 2'}\n", "2026-01-01T00:30:00Z");
    w.well = false;
    pass(&w, when("2026-01-01T09:30:00Z"));
    assert_times(&w, "01-01T01:00 01-01T02:00");
    assert_string_equal(status(&w, "phase"), "Stopped");
    assert_string_equal(status(&w, "failed"), "2");
    struct val doc = w.doc;
    assert_string_equal(val_get_str(val_path(&doc, "metadata.labels"), "cronworkflows.argoproj.io/completed").p, "true");
    assert_true(cron_rests(&doc));
    restart(&w);
    pass(&w, when("2026-01-02T09:30:00Z"));
    assert_int_equal(w.runs.n, 2);
    world_fini(&w);
}

static void stop_expressions_that_are_wrong(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n  stopStrategy: {expression: 'cronworkflow.failed + 2'}\n", "2026-01-01T00:30:00Z");
    pass(&w, when("2026-01-01T02:30:00Z"));
    assert_int_equal(w.runs.n, 0);
    assert_string_equal(status(&w, "conditions.0.type"), "SpecError");
    assert_non_null(strstr(status(&w, "conditions.0.message"), "failed to check CronWorkflow 'c' stopping condition"));
    world_fini(&w);
}

static void refusals(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n  startingDeadlineSeconds: 3600\n", "2026-01-01T00:30:00Z");
    pass(&w, when("2026-01-01T01:30:00Z"));
    w.refuse = true;
    pass(&w, when("2026-01-01T02:30:00Z")); /* once, whatever the deadline is */
    assert_string_equal(status(&w, "conditions.0.type"), "SubmissionError");
    assert_string_equal(status(&w, "failed"), "1");
    w.refuse = false;
    pass(&w, when("2026-01-01T03:30:00Z"));
    assert_string_equal(status(&w, "conditions.0.type"), "");
    assert_times(&w, "01-01T01:00 01-01T03:00");
    world_fini(&w);
}

/* ---- what is kept ---- */

static size_t kept(struct world *w, bool well)
{
    size_t n = 0;
    for (size_t i = 0; i < w->runs.n; i++) n += !w->runs.items[i].removed && !w->runs.items[i].active && w->runs.items[i].well == well;
    return n;
}

static void history(void **state)
{
    (void)state;
    static const struct { const char *limits; size_t well, failed; } rows[] = {
        {"", 3, 1}, {"  successfulJobsHistoryLimit: 1\n  failedJobsHistoryLimit: 2\n", 1, 2},
        {"  successfulJobsHistoryLimit: 0\n  failedJobsHistoryLimit: 0\n", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        world_init(&w, str_fmt(&a, "  schedules: ['0 * * * *']\n%s", rows[i].limits).p, "2026-01-01T00:30:00Z");
        for (int h = 1; h <= 12; h++) {
            w.well = h % 2;
            pass(&w, when("2026-01-01T00:30:00Z") + h * HOUR);
            assert_int_equal(w.runs.n, (size_t)h);
        }
        assert_int_equal(kept(&w, true), rows[i].well);
        assert_int_equal(kept(&w, false), rows[i].failed);
        assert_false(rows[i].well && w.runs.items[10].removed); /* the newest stay */
        world_fini(&w);
    }
}

/* ---- restarts ---- */

static void missed(void **state)
{
    (void)state;
    static const struct { const char *more, *until; bool changed; const char *times; } rows[] = {
        {"", "2026-01-01T05:10:00Z", false, "01-01T01:00"},
        {"  startingDeadlineSeconds: 0\n", "2026-01-01T05:10:00Z", false, "01-01T01:00"},
        {"  startingDeadlineSeconds: 900\n", "2026-01-01T05:10:00Z", false, "01-01T01:00 01-01T05:00"},
        {"  startingDeadlineSeconds: 600\n", "2026-01-01T05:10:00Z", false, "01-01T01:00"},
        {"  startingDeadlineSeconds: 86400\n", "2026-01-01T05:10:00Z", false, "01-01T01:00 01-01T05:00"},
        {"  startingDeadlineSeconds: 86400\n", "2026-01-01T05:10:00Z", true, "01-01T01:00"},
        {"  startingDeadlineSeconds: 2000000000\n", "2046-01-01T05:10:00Z", false, "01-01T01:00 01-01T05:00"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        world_init(&w, str_fmt(&a, "  schedules: ['0 * * * *']\n%s", rows[i].more).p, "2026-01-01T00:30:00Z");
        pass(&w, when("2026-01-01T01:30:00Z"));
        w.now = when(rows[i].until);
        if (rows[i].changed) {
            struct val v = parse(&w.a, "  schedules: ['*/30 * * * *']\n  startingDeadlineSeconds: 86400\n");
            cronwf_changed(w.c, &v, when("2026-01-01T01:30:00Z"));
            w.doc = cronwf_document(&w.a, w.c);
        }
        restart(&w);
        assert_times(&w, rows[i].times);
        restart(&w);
        assert_times(&w, rows[i].times);
        world_fini(&w);
    }
}

/* It has never started anything: then nothing was missed. */
static void never_begun(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n  startingDeadlineSeconds: 86400\n", "2026-01-01T00:30:00Z");
    w.now = when("2026-01-01T05:10:00Z");
    restart(&w);
    assert_int_equal(w.runs.n, 0);
    world_fini(&w);
}

/* Children that ended, or went, while nobody looked. */
static void children_after_a_restart(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n", "2026-01-01T00:30:00Z");
    w.last_for_us = 0;
    pass(&w, when("2026-01-01T03:30:00Z"));
    w.runs.items[0].active = false;
    w.runs.items[1].active = w.runs.items[1].well = false;
    w.runs.items[2].removed = true;
    restart(&w);
    assert_string_equal(status(&w, "succeeded"), "1");
    assert_string_equal(status(&w, "failed"), "1");
    assert_string_equal(status(&w, "active.0.name"), "");
    restart(&w);
    assert_string_equal(status(&w, "succeeded"), "1");
    world_fini(&w);
}

static void clocks_that_jump(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "  schedules: ['0 * * * *']\n", "2026-01-01T00:30:00Z");
    pass(&w, when("2026-01-01T02:30:00Z"));
    w.now = when("2026-01-01T00:50:00Z"); /* back: nothing until the times are new again */
    settle(&w);
    pass(&w, when("2026-01-01T03:30:00Z"));
    assert_times(&w, "01-01T01:00 01-01T02:00 01-01T03:00");
    w.now = when("2026-01-01T01:30:00Z"); /* and a restart meanwhile */
    restart(&w);
    pass(&w, when("2026-01-01T04:30:00Z"));
    assert_times(&w, "01-01T01:00 01-01T02:00 01-01T03:00 01-01T04:00");
    w.now = when("2026-01-01T09:30:00Z"); /* the machine has slept: the time that was waited for, then on from here */
    settle(&w);
    pass(&w, when("2026-01-01T10:30:00Z"));
    assert_times(&w, "01-01T01:00 01-01T02:00 01-01T03:00 01-01T04:00 01-01T05:00 01-01T10:00");
    w.now = when("2025-12-01T00:30:00Z"); /* it had been wrong for good */
    settle(&w);
    w.now = when("2025-12-01T01:00:00Z");
    settle(&w);
    assert_int_equal(w.runs.n, 7);
    world_fini(&w);
}

/* ---- a week ---- */

struct rhythm {
    const char *text, *zone;
    bool (*is)(const struct moment_parts *p);
};
static bool each_5(const struct moment_parts *p) { return p->minute % 5 == 0; }
static bool at_2_30(const struct moment_parts *p) { return p->hour == 2 && p->minute == 30; }
static bool work_hours(const struct moment_parts *p) { return p->weekday >= 1 && p->weekday <= 5 && p->hour >= 9 && p->hour <= 17 && p->minute % 20 == 7; }
static bool hourly(const struct moment_parts *p) { return p->minute == 0; }
static bool half_hours(const struct moment_parts *p) { return p->minute == 0 || p->minute == 30; }
static const struct rhythm rhythms[] = {
    {"*/5 * * * *", "UTC", each_5}, {"30 2 * * *", "Europe/Berlin", at_2_30}, {"7-59/20 9-17 * * mon-FRI", "America/New_York", work_hours},
    {"@hourly", "Asia/Kolkata", hourly}, {"0,30 * * * *", "America/New_York", half_hours}, {"30 2 * * *", "America/New_York", at_2_30},
};

static uint64_t seed;
static uint64_t draw(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* Minute by minute, with the calendar alone. */
struct judge {
    const struct rhythm *rhythm[2];
    const struct zone *zone[2];
    size_t n;
    int64_t last, deadline;
    VEC(int64_t) times;
};

static bool is_time(const struct judge *j, size_t k, int64_t minute)
{
    struct moment_parts p = zone_parts(j->zone[k], minute / SECOND);
    return j->rhythm[k]->is(&p);
}

static void judge_start(struct judge *j, int64_t at)
{
    j->last = at;
    VEC_PUSH(&j->times, at);
}

static int64_t ceil_minute(int64_t us) { return (us + MINUTE - 1) / MINUTE * MINUTE; }

static void judge_up(struct judge *j, int64_t from, int64_t until)
{
    for (int64_t m = ceil_minute(from + 1); m <= until; m += MINUTE)
        if (is_time(j, 0, m) || (j->n > 1 && is_time(j, 1, m))) judge_start(j, m);
}

static void judge_restart(struct judge *j, int64_t now)
{
    for (size_t k = 0; j->last && k < j->n; k++) {
        int64_t m = now / MINUTE * MINUTE;
        while (m > j->last && !is_time(j, k, m)) m -= MINUTE;
        if (m <= j->last || now >= m + j->deadline) continue;
        judge_start(j, m);
        k = (size_t)-1; /* from the first one again */
    }
}

static void a_week_of(struct world *w, struct judge *j, int64_t from, int64_t until)
{
    int64_t at = from;
    while (at < until) {
        int64_t up = MIN(at + (int64_t)draw(20 * 60) * MINUTE + (int64_t)draw(60 * SECOND), until);
        w->last_for_us = (int64_t)draw(90) * MINUTE + SECOND;
        w->well = draw(3);
        pass(w, up);
        judge_up(j, at, up);
        if (draw(2)) restart(w); /* no time passes */
        at = MIN(up + (int64_t)draw(draw(4) ? 5 : 300) * MINUTE + (int64_t)draw(60 * SECOND), until);
        for (struct started *r; (r = next_end(w)) && r->end_us <= at;) { /* steps go on without an engine */
            r->active = false;
            r->finished_us = r->end_us;
        }
        w->now = at;
        restart(w);
        judge_restart(j, at);
    }
}

static void assert_week(struct world *w, const struct judge *j)
{
    size_t ended = 0;
    for (size_t i = 0; i < w->runs.n; i++) ended += !w->runs.items[i].active;
    for (size_t i = 0; i < MAX(w->runs.n, j->times.n); i++) {
        int64_t got = i < w->runs.n ? w->runs.items[i].at_us : 0, want = i < j->times.n ? j->times.items[i] : 0;
        if (got != want) fail_msg("start %zu is %s, not %s", i, rfc3339(&w->a, got).p, rfc3339(&w->a, want).p);
    }
    int64_t told = strtoll(status(w, "succeeded"), NULL, 10) + strtoll(status(w, "failed"), NULL, 10);
    assert_int_equal(told, ended);
}

static void a_week_with_restarts(void **state)
{
    (void)state;
    static const char *const weeks[] = {"2026-03-05T00:00:17Z", "2026-03-26T00:00:00Z", "2026-10-29T00:00:00Z", "2026-10-22T13:00:00Z"};
    const char *given = getenv("SKIFF_SEED");
    uint64_t first = given ? strtoull(given, NULL, 10) : 1;
    size_t starts = 0;
    print_message("# SKIFF_SEED=%llu\n", (unsigned long long)first);
    for (uint64_t round = 0; round < 40; round++) {
        struct world w;
        struct judge j = {.n = 1 + round % 2, .deadline = (round % 3) * HOUR};
        seed = first * 1000003 + round + 1;
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        struct str spec = str_fmt(&a, "  startingDeadlineSeconds: %lld\n  schedules:\n", (long long)(j.deadline / SECOND));
        for (size_t k = 0; k < j.n; k++) {
            j.rhythm[k] = &rhythms[(round + k * 3) % ARRAY_LEN(rhythms)];
            j.zone[k] = zone_named(&a, str_of(j.rhythm[k]->zone));
            spec = str_fmt(&a, "%.*s  - 'CRON_TZ=%s %s'\n", STR_ARG(spec), j.rhythm[k]->zone, j.rhythm[k]->text);
        }
        const char *from = weeks[draw(ARRAY_LEN(weeks))];
        world_init(&w, spec.p, from);
        a_week_of(&w, &j, when(from), when(from) + 7 * 24 * HOUR);
        assert_week(&w, &j);
        starts += w.runs.n;
        VEC_FINI(&j.times);
        world_fini(&w);
    }
    assert_true(starts > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_and_changed_clocks), cmocka_unit_test(names_and_status), cmocka_unit_test(the_workflow),
        cmocka_unit_test(concurrency), cmocka_unit_test(forbidden_within_the_deadline), cmocka_unit_test(suspended),
        cmocka_unit_test(changed_when_it_is_due), cmocka_unit_test(when_holds), cmocka_unit_test(stops),
        cmocka_unit_test(stop_expressions_that_are_wrong), cmocka_unit_test(refusals), cmocka_unit_test(history),
        cmocka_unit_test(missed), cmocka_unit_test(never_begun), cmocka_unit_test(children_after_a_restart),
        cmocka_unit_test(clocks_that_jump), cmocka_unit_test(a_week_with_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
