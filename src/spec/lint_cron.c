/* Schedules of cron workflows: the form that robfig/cron takes, and whether a schedule ever comes due.
 * See lint_p.h. */
#include "doc/closest.h"
#include "lang/duration.h"
#include "spec/lint_p.h"

struct cron_field {
    const char *name;
    int min, max;
    const char *words; /* names of the values from min on, three letters each */
};

/* Set beside the values of a field that is * or ?. */
#define IS_STAR (1ull << 63)

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct cron_field fields[FIELDS] = {
    {"minute", 0, 59, ""},
    {"hour", 0, 23, ""},
    {"day of the month", 1, 31, ""},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
    {"weekday", 0, 6, "SUNMONTUEWEDTHUFRISAT"},
};

static bool value_read(const struct cron_field *f, struct str s, int *out)
{
    int64_t i;
    for (int k = 0; s.n == 3 && f->words[k * 3]; k++)
        if (strncasecmp(f->words + k * 3, s.p, 3) == 0) {
            *out = f->min + k;
            return true;
        }
    if (s.n == 0 || s.p[0] == '-' || s.p[0] == '+' || !str_to_i64(s, &i) || i > 1000) return false;
    *out = (int)i;
    return true;
}

/* "*", "?", "4", "1-5", each with "/2" behind; bits of the values. */
static bool range_read(const struct cron_field *f, struct str s, uint64_t *bits, struct err *e)
{
    struct str range, step, low, high;
    int from = f->min, to = f->max, every = 1;
    bool stepped = str_cut(s, '/', &range, &step);
    if (stepped && (!value_read(&fields[MINUTE], step, &every) || every < 1))
        return err_set(e, ERR_SPEC, "\"%.*s\" is no step", STR_ARG(step));
    if (!str_is(range, "*") && !str_is(range, "?")) {
        bool two = str_cut(range, '-', &low, &high);
        if (!value_read(f, low, &from) || (two && !value_read(f, high, &to)))
            return err_set(e, ERR_SPEC, "\"%.*s\" is no %s", STR_ARG(s), f->name);
        if (!two && !stepped) to = from;
    }
    else if (every == 1) *bits |= IS_STAR;
    if (from < f->min || to > f->max || from > to)
        return err_set(e, ERR_SPEC, "%s: \"%.*s\" is not within %d-%d", f->name, STR_ARG(s), f->min, f->max);
    for (int i = from; i <= to; i += every) *bits |= 1ull << i;
    return true;
}

static bool field_read(const struct cron_field *f, struct str s, uint64_t *bits, struct err *e)
{
    struct str part, rest = s;
    while (rest.p) {
        str_cut(rest, ',', &part, &rest);
        if (!range_read(f, part, bits, e)) return false;
    }
    return true;
}

static const char *const words[] = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"};

static bool word_read(struct str s, struct err *e)
{
    int64_t ns;
    if (str_starts(s, STR("@every ")))
        return duration_parse(str_from(s, 7), &ns, e) && (ns > 0 || err_set(e, ERR_SPEC, "@every needs a time above 0"));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(s, words[i])) return true;
    return err_set(e, ERR_SPEC, "there is no %.*s", STR_ARG(s));
}

/* A day of the month that none of the months has; a weekday beside it would be a second chance. */
static bool never_due(const uint64_t bits[FIELDS])
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!(bits[WEEKDAY] & IS_STAR)) return false;
    for (int m = 1; m <= 12; m++)
        if (bits[MONTH] & 1ull << m && bits[DAY] & ((2ull << days[m - 1]) - 2)) return false;
    return true;
}

static bool schedule_read(struct str s, struct str *zone, bool *never, struct err *e)
{
    uint64_t bits[FIELDS] = {0};
    struct str rest = str_trim(s), part;
    size_t n = 0;
    if (str_starts(rest, STR("TZ=")) || str_starts(rest, STR("CRON_TZ="))) {
        str_cut(rest, ' ', &part, &rest);
        str_cut(part, '=', &part, zone);
        rest = str_trim(rest);
    }
    if (rest.n && rest.p[0] == '@') return word_read(rest, e);
    while (rest.n) {
        str_cut(rest, ' ', &part, &rest);
        rest = str_trim(rest);
        if (n < FIELDS && !field_read(&fields[n], part, &bits[n], e)) return false;
        n++;
    }
    if (n != FIELDS) return err_set(e, ERR_SPEC, "it has %zu fields, not 5", n);
    *never = never_due(bits);
    return true;
}

static void check_zone(struct lint *l, const struct val *at, struct str zone)
{
    if (zone.n == 0 || str_is(zone, "Local") || !l->opts->zone_known || l->opts->zone_known(zone)) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0705", at, "there is no time zone \"%.*s\"", STR_ARG(zone));
    diag_help(l->d, g, "write a name such as Europe/Berlin or UTC");
}

static void check_schedule(struct lint *l, const struct val *at, struct str s)
{
    struct err e = {0};
    struct str zone = STR_NONE;
    bool never = false;
    if (schedule_read(s, &zone, &never, &e)) {
        check_zone(l, at, zone);
        if (never) LINT(l, DIAG_WARNING, "W0702", at, "\"%.*s\" never comes: there is no such day", STR_ARG(s));
        return;
    }
    struct diag *g = LINT(l, DIAG_ERROR, "E0702", at, "\"%.*s\" is not a schedule: %s", STR_ARG(s), e.text);
    struct str names[ARRAY_LEN(words)];
    for (size_t i = 0; i < ARRAY_LEN(words); i++) names[i] = str_of(words[i]);
    diag_help(l->d, g, "write minute, hour, day, month and weekday, or @hourly, @daily, @every 10m");
    if (s.n && s.p[0] == '@') lint_did_you_mean(l, g, at, s, names, ARRAY_LEN(words));
}

void lint_schedules(struct lint *l, const struct argo_cron_workflow_spec *c)
{
    const struct val *list = val_get(c->src, STR("schedules"));
    if (c->schedules.n == 0) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0701", c->src, "there are no schedules");
        diag_help(l->d, g, "add `schedules: [\"0 * * * *\"]`");
    }
    for (size_t i = 0; i < c->schedules.n; i++)
        check_schedule(l, list && i < list->n ? &list->items[i] : c->src, c->schedules.items[i]);
    check_zone(l, lint_at(c->src, "timezone"), c->timezone);
    if (c->starting_deadline_seconds.set && c->starting_deadline_seconds.v < 0)
        LINT(l, DIAG_ERROR, "E0305", lint_at(c->src, "startingDeadlineSeconds"),
             "`startingDeadlineSeconds` must not be negative");
}
