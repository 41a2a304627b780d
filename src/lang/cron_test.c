/* Schedules: the goldens of the places where clocks change, what is refused, what never fires; and
 * zone files, whole and broken. Thousands more, answered by robfig/cron itself: test/oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lang/cron.h"
#include "lang/test_lines.h"

static struct str zone_bytes(struct arena *a, const char *name)
{
    char path[200], *p = arena_alloc_bytes(a, 1 << 16);
    snprintf(path, sizeof path, "test/data/zoneinfo/%s", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(p, 1, 1 << 16, f);
    fclose(f);
    return str_n(p, n);
}

static const struct zone *zone_named(struct arena *a, const char *name)
{
    const struct zone *z = NULL;
    struct err e;
    if (!strcmp(name, "UTC")) return zone_utc();
    assert_true(tzif_parse(a, zone_bytes(a, name), &z, &e));
    return z;
}

/* "2026-03-08 01:00" in the zone -> microseconds; of an hour that exists twice, the first reading. */
static int64_t at(const struct zone *z, const char *text)
{
    struct moment m;
    assert_true(timefmt_parse(STR("2006-01-02 15:04"), str_of(text), &m));
    struct moment_parts p = moment_parts(m);
    return zone_unix(z, &p) * 1000000;
}

/* The times that follow, in the zone's own clock: "03-09T02:30 …". */
static struct str times(struct arena *a, const char *spec, const char *zone, const char *from, int n)
{
    struct cron c;
    struct err e = {0};
    const struct zone *z = zone_named(a, zone);
    struct str out = STR("");
    if (!cron_parse(str_of(spec), &c, &e)) return str_fmt(a, "error: %s", e.text);
    for (int64_t t = at(z, from); n > 0; n--) {
        if (!cron_next(&c, z, t, &t)) return str_fmt(a, "%.*snever", STR_ARG(out));
        struct zone_span span = zone_at(z, t / 1000000);
        struct moment_parts p = zone_parts(z, t / 1000000);
        out = str_fmt(a, "%.*s%02d-%02dT%02d:%02d%.*s ", STR_ARG(out), p.month, p.day, p.hour, p.minute,
                      STR_ARG(span.name));
    }
    return out;
}

static void clocks_change(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *zone, *from, *times;
    } rows[] = {
        {"30 2 * * *", "America/New_York", "2026-03-07 00:00", "03-07T02:30EST 03-09T02:30EDT 03-10T02:30EDT "},
        {"0 3 * * *", "America/New_York", "2026-03-07 12:00", "03-08T03:00EDT 03-09T03:00EDT 03-10T03:00EDT "},
        {"30 1 * * *", "America/New_York", "2026-10-31 12:00", "11-01T01:30EDT 11-01T01:30EST 11-02T01:30EST "},
        {"*/30 * * * *", "America/New_York", "2026-11-01 00:30",
         "11-01T01:00EDT 11-01T01:30EDT 11-01T01:00EST 11-01T01:30EST 11-01T02:00EST "},
        {"0 */2 * * *", "America/New_York", "2026-03-08 00:30", "03-08T04:00EDT 03-08T06:00EDT 03-08T08:00EDT "},
        {"@every 90m", "America/New_York", "2026-03-08 01:00", "03-08T03:30EDT 03-08T05:00EDT "},
        {"30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", "03-30T02:30CEST 03-31T02:30CEST "},
        {"30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", "10-25T02:30CEST 10-25T02:30CET 10-26T02:30CET "},
        {"0 0 * * *", "America/Sao_Paulo", "2018-11-02 12:00", "11-03T00:00-03 11-05T00:00-02 "},
        {"15 2 * * *", "Australia/Lord_Howe", "2026-04-03 12:00", "04-04T02:15+11 04-06T02:15+1030 "},
        {"15 2 * * *", "Australia/Lord_Howe", "2026-10-02 12:00", "10-03T02:15+1030 10-05T02:15+11 "},
        {"0 0 */2 * SUN", "UTC", "2026-01-02 12:00", "01-03T00:00UTC 01-04T00:00UTC 01-05T00:00UTC 01-07T00:00UTC "},
        {"0 0 * * SUN", "UTC", "2026-01-02 12:00", "01-04T00:00UTC 01-11T00:00UTC "},
        {"0 0 13 * FRI", "UTC", "2026-01-02 12:00", "01-09T00:00UTC 01-13T00:00UTC 01-16T00:00UTC "},
        {"0 0 ? * FRI", "UTC", "2026-01-02 12:00", "01-09T00:00UTC 01-16T00:00UTC "},
        {"5/15 3 * * *", "UTC", "2026-01-02 12:00", "01-03T03:05UTC 01-03T03:20UTC 01-03T03:35UTC 01-03T03:50UTC "},
        {"0 0 29 2 *", "UTC", "2026-01-02 12:00", "02-29T00:00UTC "},
        {"@daily", "UTC", "2026-01-02 12:00", "01-03T00:00UTC 01-04T00:00UTC "},
        {"@hourly", "Asia/Kolkata", "2026-01-02 12:10", "01-02T13:00IST 01-02T14:00IST "},
        {"@weekly", "UTC", "2026-01-02 12:00", "01-04T00:00UTC "},
        {"@yearly", "UTC", "2026-01-02 12:00", "01-01T00:00UTC "},
        {"0 0 * jan-Mar,DEC mon", "UTC", "2026-03-28 12:00", "03-30T00:00UTC 12-07T00:00UTC "},
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int n = 0;
        for (const char *c = rows[i].times; *c; c++) n += *c == ' ';
        struct str got = times(&a, rows[i].spec, rows[i].zone, rows[i].from, n);
        if (!str_is(got, rows[i].times)) fail_msg("%s in %s: %s", rows[i].spec, rows[i].zone, got.p);
    }
}

static void some_never_fire(void **state)
{
    (void)state;
    static const char *const never[] = {"0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", ", * * * *", "0 , * * *",
                                        "0 0 * , *"};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        assert_string_equal(times(&a, never[i], "UTC", "2026-01-02 12:00", 1).p, "never");
    /* A day that never was (2011-12-30 in Apia): robfig goes in circles; here the search ends. */
    assert_string_equal(times(&a, "0 12 31 12 *", "Pacific/Apia", "2011-12-29 00:00", 1).p, "never");
}

static void wrong_schedules_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *",
        "* * * * 7", "a * * * *", "5-1 * * * *", "*/0 * * * *", "1/2/3 * * * *", "1-2-3 * * * *", "-1 * * * *",
        "* * L * *", "* * * * 1#2", "@reboot", "@every", "@every x", "@Daily", "TZ=UTC", "1.5 * * * *", "* * * feb-x *",
    };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct cron c;
        struct err e = {0};
        if (cron_parse(str_of(wrong[i]), &c, &e)) fail_msg("accepted %s", wrong[i]);
        assert_true(e.code == ERR_SPEC && e.text[0]);
    }
}

static void the_zone_of_the_prefix_is_told(void **state)
{
    (void)state;
    struct cron c;
    struct err e;
    assert_true(cron_parse(STR("CRON_TZ=Europe/Berlin 30 2 * * *"), &c, &e) && str_is(c.zone, "Europe/Berlin"));
    assert_true(cron_parse(STR("TZ= @daily"), &c, &e) && str_set(c.zone) && !c.zone.n);
    assert_true(cron_parse(STR("30 2 * * *"), &c, &e) && !str_set(c.zone));
    assert_true(cron_parse(STR("@every 1500ms"), &c, &e) && c.every_s == 1);
    assert_true(cron_parse(STR("@every -3h"), &c, &e) && c.every_s == 1);
    int64_t next = 0;
    assert_true(cron_parse(STR("@every 10s"), &c, &e) && cron_next(&c, zone_utc(), 3700000, &next));
    assert_int_equal(next, 13000000);
}

static void zones_without_end_follow_their_rule(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const struct zone *z = zone_named(&a, "America/New_York");
    assert_int_equal(zone_at(z, 4102444800).offset_s, -5 * 3600);  /* 2100-01-01 */
    assert_int_equal(zone_at(z, 4118083200).offset_s, -4 * 3600);  /* 2100-07-01 */
    assert_int_equal(zone_at(z, -4102444800).offset_s, -17762);    /* 1840: local mean time */
    const struct zone *south = zone_named(&a, "Pacific/Chatham");
    assert_int_equal(zone_at(south, 4102444800).offset_s, 13 * 3600 + 45 * 60);
    struct moment_parts p = {.year = 2026, .month = 14, .day = -3, .hour = 1};
    assert_int_equal(zone_unix(zone_utc(), &p), 1801098000); /* 2027-01-28 01:00 */
}

static void broken_zone_files_are_refused(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str whole = zone_bytes(&a, "Europe/Berlin");
    const struct zone *z;
    struct err e;
    assert_false(tzif_parse(&a, STR(""), &z, &e));
    assert_false(tzif_parse(&a, STR("TZif2 but no more"), &z, &e));
    for (size_t n = 0; n < whole.n; n += 7) /* any cut: refused, or a zone that answers */
        if (tzif_parse(&a, str_sub(whole, 0, n), &z, &e)) zone_at(z, 1700000000);
    char *bent = arena_alloc_bytes(&a, whole.n);
    for (size_t i = 0; i < whole.n; i += 3) {
        memcpy(bent, whole.p, whole.n);
        bent[i] = (char)~bent[i];
        if (!tzif_parse(&a, str_n(bent, whole.n), &z, &e)) continue;
        struct cron c;
        int64_t next;
        assert_true(cron_parse(STR("30 2 * * 1"), &c, &e));
        cron_next(&c, z, 1700000000000000, &next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_change),
        cmocka_unit_test(some_never_fire),
        cmocka_unit_test(wrong_schedules_are_refused),
        cmocka_unit_test(the_zone_of_the_prefix_is_told),
        cmocka_unit_test(zones_without_end_follow_their_rule),
        cmocka_unit_test(broken_zone_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
