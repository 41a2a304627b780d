/* See cron.h. */
#include "lang/cron.h"

#include "base/limits.h"
#include "lang/duration.h"
#include "lang/rune.h"

enum {
    FIELDS = 5,
    YEARS_AHEAD = 5,
    SECOND_US = 1000000,
    STEPS_MAX = 1000000, /* of one search; five years of hours are 44,000. A bent zone file could go in circles */
};

static const uint64_t star_bit = (uint64_t)1 << 63;

struct field {
    const char *what;
    int64_t least, most;
    const char *names; /* three letters each, from `least` on; NULL: none */
};

static const struct field fields[FIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of week", 0, 6, "sunmontuewedthufrisat"},
};

/* --- parsing --- */

static bool read_number(const struct field *f, struct str s, bool names, int64_t *out, struct err *e)
{
    for (size_t i = 0; names && f->names && s.n == 3 && f->names[i * 3]; i++) {
        bool same = true;
        for (size_t c = 0; c < 3; c++) {
            char letter = s.p[c] >= 'A' && s.p[c] <= 'Z' ? (char)(s.p[c] | 32) : s.p[c];
            same = same && letter == f->names[i * 3 + c];
        }
        if (same) return *out = f->least + (int64_t)i, true;
    }
    if (!str_to_i64(s, out)) return err_set(e, ERR_SPEC, "failed to parse int from %.*s", STR_ARG(s));
    return *out >= 0 || err_set(e, ERR_SPEC, "negative number (%lld) not allowed: %.*s", (long long)*out, STR_ARG(s));
}

struct range {
    int64_t from, to, step;
    bool star;
};

static size_t count_char(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

/* What follows "*-" is not looked at: robfig does not either. */
static bool read_bounds(const struct field *f, struct str s, struct str whole, struct range *r, struct err *e)
{
    struct str low, high;
    bool single = !str_cut(s, '-', &low, &high);
    if (str_is(low, "*") || str_is(low, "?")) {
        r->from = f->least;
        r->to = f->most;
        return r->star = true;
    }
    if (!read_number(f, low, true, &r->from, e)) return false;
    r->to = r->from;
    if (single) return true;
    if (count_char(s, '-') > 1) return err_set(e, ERR_SPEC, "too many hyphens: %.*s", STR_ARG(whole));
    return read_number(f, high, true, &r->to, e);
}

static bool read_range(const struct field *f, struct str text, uint64_t *bits, struct err *e)
{
    struct str bounds, step;
    struct range r = {.step = 1};
    bool stepped = str_cut(text, '/', &bounds, &step);
    if (!read_bounds(f, bounds, text, &r, e)) return false;
    if (count_char(text, '/') > 1) return err_set(e, ERR_SPEC, "too many slashes: %.*s", STR_ARG(text));
    if (stepped) {
        if (!read_number(f, step, false, &r.step, e)) return false;
        if (str_find_char(bounds, '-', 0) < 0) r.to = f->most; /* "5/15" is "5-59/15" */
        if (r.step > 1) r.star = false;
    }
    if (r.from < f->least)
        return err_set(e, ERR_SPEC, "beginning of range (%lld) below minimum (%lld): %.*s", (long long)r.from, (long long)f->least, STR_ARG(text));
    if (r.to > f->most)
        return err_set(e, ERR_SPEC, "end of range (%lld) above maximum (%lld): %.*s", (long long)r.to, (long long)f->most, STR_ARG(text));
    if (r.from > r.to)
        return err_set(e, ERR_SPEC, "beginning of range (%lld) beyond end of range (%lld): %.*s", (long long)r.from, (long long)r.to, STR_ARG(text));
    if (!r.step) return err_set(e, ERR_SPEC, "step of range should be a positive number: %.*s", STR_ARG(text));
    for (int64_t i = r.from; i <= r.to; i += MIN(r.step, f->most + 1)) *bits |= (uint64_t)1 << i;
    if (r.star) *bits |= star_bit;
    return true;
}

static bool read_field(const struct field *f, struct str text, uint64_t *bits, struct err *e)
{
    *bits = 0;
    for (struct str rest = text, part; str_set(rest);) {
        str_cut(rest, ',', &part, &rest);
        if (part.n && !read_range(f, part, bits, e)) return err_ctx(e, "%s", f->what);
    }
    return true;
}

static bool next_word(struct str *rest, struct str *word)
{
    *rest = rune_trim_space(*rest);
    size_t n = 0, len;
    while (n < rest->n && !rune_is_space(rune_read(str_from(*rest, n), &len))) n += len;
    *word = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n);
    return n > 0;
}

static bool read_fields(struct str text, struct cron *c, struct err *e)
{
    struct str words[FIELDS], word, rest = text;
    uint64_t *bits[FIELDS] = {&c->minute, &c->hour, &c->dom, &c->month, &c->dow};
    size_t n = 0;
    for (; next_word(&rest, &word); n++)
        if (n < FIELDS) words[n] = word;
    if (n != FIELDS)
        return err_set(e, ERR_SPEC, "expected exactly %d fields, found %zu: [%.*s]", FIELDS, n, STR_ARG(text));
    for (size_t i = 0; i < FIELDS; i++)
        if (!read_field(&fields[i], words[i], bits[i], e)) return false;
    return true;
}

static bool read_descriptor(struct str text, struct cron *c, struct err *e)
{
    static const struct {
        const char *name, *fields;
    } known[] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
        {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
        {"@hourly", "0 * * * *"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(text, known[i].name)) return read_fields(str_of(known[i].fields), c, e);
    int64_t ns;
    if (!str_starts(text, STR("@every "))) return err_set(e, ERR_SPEC, "unrecognized descriptor: %.*s", STR_ARG(text));
    if (!duration_parse(str_from(text, 7), &ns, e)) return err_ctx(e, "failed to parse duration %.*s", STR_ARG(text));
    c->every_s = MAX(ns / 1000000000, (int64_t)1);
    return true;
}

bool cron_parse(struct str text, struct cron *out, struct err *e)
{
    struct cron c = {.zone = STR_NONE};
    if (!text.n) return err_set(e, ERR_SPEC, "empty spec string");
    if (text.n > LIMIT_NAME_BYTES * 8) return err_set(e, ERR_LIMIT, "a schedule is longer than %d bytes", LIMIT_NAME_BYTES * 8);
    if (str_starts(text, STR("TZ=")) || str_starts(text, STR("CRON_TZ="))) {
        ptrdiff_t space = str_find_char(text, ' ', 0), equals = str_find_char(text, '=', 0);
        if (space < 0) return err_set(e, ERR_SPEC, "nothing follows the time zone: %.*s", STR_ARG(text));
        c.zone = str_sub(text, (size_t)equals + 1, (size_t)(space - equals) - 1);
        text = rune_trim_space(str_from(text, (size_t)space));
    }
    bool ok = text.n && text.p[0] == '@' ? read_descriptor(text, &c, e) : read_fields(text, &c, e);
    if (ok) *out = c;
    return ok;
}

/* --- the next time --- */

struct clock {
    const struct zone *zone;
    int64_t s; /* Unix seconds */
    struct moment_parts p;
    bool moved; /* smaller fields were set to their start */
    int steps;
};

static void clock_set(struct clock *c, int64_t s)
{
    c->steps++;
    c->s = s;
    c->p = zone_parts(c->zone, s);
}

static bool has(uint64_t bits, int value) { return bits >> value & 1; }

static bool day_matches(const struct cron *c, const struct moment_parts *p)
{
    bool dom = has(c->dom, p->day), dow = has(c->dow, p->weekday);
    return (c->dom | c->dow) & star_bit ? dom && dow : dom || dow;
}

/* To the start of a month, day or hour, once. */
static void clock_cut(struct clock *c, bool day, bool hour)
{
    if (c->moved) return;
    c->moved = true;
    struct moment_parts p = c->p;
    if (!day) p.day = 1;
    if (!hour) p.hour = 0;
    p.minute = p.second = 0;
    clock_set(c, zone_unix(c->zone, &p));
}

/* Each of these moves on to a match; false: the field wrapped around, and all begins anew. */
static bool to_month(const struct cron *c, struct clock *t)
{
    while (!has(c->month, t->p.month)) {
        if (t->steps > STEPS_MAX) return false;
        clock_cut(t, false, false);
        struct moment_parts p = t->p;
        p.month++;
        clock_set(t, zone_unix(t->zone, &p));
        if (t->p.month == 1) return false;
    }
    return true;
}

static bool to_day(const struct cron *c, struct clock *t)
{
    while (!day_matches(c, &t->p)) {
        if (t->steps > STEPS_MAX) return false;
        clock_cut(t, true, false);
        struct moment_parts p = t->p;
        p.day++;
        clock_set(t, zone_unix(t->zone, &p));
        int hour = t->p.hour; /* not 0 where the clock skips midnight */
        if (hour) clock_set(t, t->s + (hour > 12 ? 24 - hour : -hour) * 3600);
        if (t->p.day == 1) return false;
    }
    return true;
}

static bool to_hour(const struct cron *c, struct clock *t)
{
    while (!has(c->hour, t->p.hour)) {
        if (t->steps > STEPS_MAX) return false;
        clock_cut(t, true, true);
        clock_set(t, t->s + 3600);
        if (!t->p.hour) return false;
    }
    return true;
}

static int64_t floor_to(int64_t s, int64_t unit) { return s - ((s % unit) + unit) % unit; }

static bool to_minute(const struct cron *c, struct clock *t)
{
    while (!has(c->minute, t->p.minute)) {
        if (t->steps > STEPS_MAX) return false;
        if (!t->moved) clock_set(t, floor_to(t->s, 60));
        t->moved = true;
        clock_set(t, t->s + 60);
        if (!t->p.minute) return false;
    }
    return true;
}

static bool to_second(struct clock *t)
{
    while (t->p.second) {
        if (t->steps > STEPS_MAX) return false;
        t->moved = true;
        clock_set(t, t->s + 1);
        if (!t->p.second) return false;
    }
    return true;
}

bool cron_next(const struct cron *c, const struct zone *zone, int64_t after_us, int64_t *next_us)
{
    int64_t after_s = after_us / SECOND_US - (after_us % SECOND_US < 0);
    if (c->every_s) {
        if (c->every_s > INT64_MAX / SECOND_US / 4 || after_s > INT64_MAX / SECOND_US / 2) return false;
        *next_us = (after_s + c->every_s) * SECOND_US;
        return true;
    }
    uint64_t some = ~star_bit;
    if (!(c->minute & some) || !(c->hour & some) || !(c->month & some)) return false;
    if (after_s > INT64_MAX / SECOND_US / 2 || after_s < INT64_MIN / SECOND_US / 2) return false;
    struct clock t = {.zone = zone};
    clock_set(&t, after_s + 1);
    for (int64_t last = t.p.year + YEARS_AHEAD; t.p.year <= last && t.steps < STEPS_MAX;) {
        if (!to_month(c, &t) || !to_day(c, &t) || !to_hour(c, &t) || !to_minute(c, &t) || !to_second(&t)) continue;
        *next_us = t.s * SECOND_US;
        return true;
    }
    return false;
}
