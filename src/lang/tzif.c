/* See tzif.h. Follows Go's time.Location: lookup, tzset, Date. */
#include "lang/tzif.h"

#include "base/limits.h"

enum {
    TYPES_MAX = 256,
    CHANGES_MAX = 100000,
    DAY_S = 86400,
    HEADER = 44,
    RULE_HOURS_MAX = 24 * 7,
};

struct ttype {
    int32_t offset_s;
    bool dst;
    struct str name;
};

struct change {
    int64_t at_s;
    uint8_t type;
};

enum rule_kind { RULE_JULIAN, RULE_DOY, RULE_WEEK };

struct rule {
    uint8_t kind;
    int day, week, month;
    int32_t time_s;
};

/* What holds after the last change: the text at the end of the file. */
struct extend {
    bool set, has_dst;
    struct ttype std, dst;
    struct rule from, to; /* of daylight saving time */
};

struct zone {
    struct ttype *types;
    size_t n_types, first; /* the type before the first change */
    struct change *changes;
    size_t n_changes;
    struct extend extend;
};

/* --- the TZ text --- */

static bool read_int(struct str *s, int least, int most, int *out)
{
    size_t n = 0;
    *out = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9' && *out <= most; n++) *out = *out * 10 + (s->p[n] - '0');
    if (!n || *out < least || *out > most) return false;
    *s = str_from(*s, n);
    return true;
}

static bool skip_char(struct str *s, char c)
{
    if (!s->n || s->p[0] != c) return false;
    *s = str_from(*s, 1);
    return true;
}

/* "CET" or "<-03>". */
static bool read_name(struct str *s, struct str *out)
{
    size_t n = 0;
    if (skip_char(s, '<')) {
        ptrdiff_t end = str_find_char(*s, '>', 0);
        if (end < 0) return false;
        *out = str_sub(*s, 0, (size_t)end);
        *s = str_from(*s, (size_t)end + 1);
        return true;
    }
    while (n < s->n && !strchr("0123456789,-+", s->p[n])) n++;
    *out = str_sub(*s, 0, n);
    *s = str_from(*s, n);
    return n >= 3;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool read_offset(struct str *s, int32_t *out)
{
    bool minus = skip_char(s, '-');
    int hours, minutes = 0, seconds = 0;
    if (!minus) skip_char(s, '+');
    if (!read_int(s, 0, RULE_HOURS_MAX, &hours)) return false;
    if (skip_char(s, ':') && (!read_int(s, 0, 59, &minutes) || (skip_char(s, ':') && !read_int(s, 0, 59, &seconds))))
        return false;
    *out = hours * 3600 + minutes * 60 + seconds;
    if (minus) *out = -*out;
    return true;
}

static bool read_rule(struct str *s, struct rule *r)
{
    *r = (struct rule){.time_s = 2 * 3600};
    if (skip_char(s, 'J')) {
        r->kind = RULE_JULIAN;
        if (!read_int(s, 1, 365, &r->day)) return false;
    } else if (skip_char(s, 'M')) {
        r->kind = RULE_WEEK;
        if (!read_int(s, 1, 12, &r->month) || !skip_char(s, '.') || !read_int(s, 1, 5, &r->week) ||
            !skip_char(s, '.') || !read_int(s, 0, 6, &r->day))
            return false;
    } else {
        r->kind = RULE_DOY;
        if (!read_int(s, 0, 365, &r->day)) return false;
    }
    return !skip_char(s, '/') || read_offset(s, &r->time_s);
}

/* The numbers of the text are west of UTC. */
static bool read_extend(struct str s, struct extend *x)
{
    if (!read_name(&s, &x->std.name) || !read_offset(&s, &x->std.offset_s)) return false;
    x->std.offset_s = -x->std.offset_s;
    if (!s.n || s.p[0] == ',') return x->set = true;
    x->dst.dst = x->has_dst = true;
    if (!read_name(&s, &x->dst.name)) return false;
    x->dst.offset_s = x->std.offset_s + 3600;
    if (s.n && s.p[0] != ',') {
        if (!read_offset(&s, &x->dst.offset_s)) return false;
        x->dst.offset_s = -x->dst.offset_s;
    }
    if (!s.n) s = STR(",M3.2.0,M11.1.0");
    if (!skip_char(&s, ',') && !skip_char(&s, ';')) return false;
    return x->set = read_rule(&s, &x->from) && skip_char(&s, ',') && read_rule(&s, &x->to) && !s.n;
}

/* --- the file --- */

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p) { return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4)); }

static bool broken(struct err *e) { return err_set(e, ERR_SPEC, "malformed time zone information"); }

/* The header at the start of `s`, and how long the data behind it is with times of `width` bytes. */
static bool read_header(struct str s, size_t width, struct counts *c, size_t *size)
{
    if (s.n < HEADER || memcmp(s.p, "TZif", 4) != 0) return false;
    *c = (struct counts){be32(s.p + 20), be32(s.p + 24), be32(s.p + 28), be32(s.p + 32), be32(s.p + 36), be32(s.p + 40)};
    if (c->time > CHANGES_MAX || c->type > TYPES_MAX || c->chars > 65536 || c->leap > 65536 ||
        c->isut > TYPES_MAX || c->isstd > TYPES_MAX)
        return false;
    *size = c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd + c->isut;
    return s.n - HEADER >= *size;
}

static bool read_types(struct arena *a, struct zone *z, const struct counts *c, const char *p)
{
    struct str names = str_dup(a, str_n(p + c->type * 6, c->chars));
    z->n_types = c->type;
    z->types = ARENA_ARRAY(a, struct ttype, c->type);
    for (size_t i = 0; i < c->type; i++, p += 6) {
        struct ttype *t = &z->types[i];
        size_t at = (unsigned char)p[5], n = 0;
        if (at >= names.n) return false;
        while (at + n < names.n && names.p[at + n]) n++;
        *t = (struct ttype){(int32_t)be32(p), p[4] != 0, str_sub(names, at, n)};
        if (t->offset_s < -DAY_S * 8 || t->offset_s > DAY_S * 8) return false;
    }
    return c->type > 0;
}

/* The type before the first change: the first one when no change is to it, else one of standard time. */
static size_t first_type(const struct zone *z)
{
    bool used = false;
    for (size_t i = 0; i < z->n_changes && !used; i++) used = z->changes[i].type == 0;
    if (!used) return 0;
    if (z->n_changes && z->types[z->changes[0].type].dst)
        for (size_t i = z->changes[0].type; i-- > 0;)
            if (!z->types[i].dst) return i;
    for (size_t i = 0; i < z->n_types; i++)
        if (!z->types[i].dst) return i;
    return 0;
}

static bool read_data(struct arena *a, struct zone *z, const struct counts *c, const char *p, size_t width)
{
    if (!read_types(a, z, c, p + c->time * (width + 1))) return false;
    z->changes = ARENA_ARRAY(a, struct change, c->time + 1);
    z->n_changes = c->time;
    for (size_t i = 0; i < c->time; i++) {
        int64_t at = width == 8 ? be64(p + i * 8) : (int32_t)be32(p + i * 4);
        z->changes[i] = (struct change){at, (uint8_t)p[c->time * width + i]};
        if (z->changes[i].type >= z->n_types || (i && at <= z->changes[i - 1].at_s)) return false;
    }
    if (!c->time) z->changes[z->n_changes++] = (struct change){INT64_MIN, 0};
    z->first = first_type(z);
    return true;
}

bool tzif_parse(struct arena *a, struct str bytes, const struct zone **out, struct err *e)
{
    struct counts c;
    size_t size, width = 4;
    struct zone *z = ARENA_NEW(a, struct zone);
    if (!read_header(bytes, 4, &c, &size)) return broken(e);
    if (bytes.p[4] >= '2') { /* the same again, with 64 bits */
        bytes = str_from(bytes, HEADER + size);
        width = 8;
        if (!read_header(bytes, 8, &c, &size)) return broken(e);
    }
    if (!read_data(a, z, &c, bytes.p + HEADER, width)) return broken(e);
    struct str rest = str_from(bytes, HEADER + size);
    if (width == 8 && rest.n > 2 && rest.p[0] == '\n' && rest.p[rest.n - 1] == '\n' &&
        !read_extend(str_dup(a, str_sub(rest, 1, rest.n - 2)), &z->extend))
        z->extend.set = false; /* as Go: the last change then holds for ever */
    *out = z;
    return true;
}

const struct zone *zone_utc(void)
{
    static struct ttype type = {0, false, {"UTC", 3}};
    static struct change change = {INT64_MIN, 0};
    static const struct zone utc = {&type, 1, 0, &change, 1, {false, false, {0}, {0}, {0}, {0}}};
    return &utc;
}

/* --- looking up --- */

static bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/* Seconds from the start of the year to the change, in UTC. */
static int64_t rule_second(int64_t year, const struct rule *r, int32_t offset_s)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t day = r->day;
    if (r->kind == RULE_JULIAN) {
        day = r->day - 1 + (is_leap(year) && r->day >= 60);
    } else if (r->kind == RULE_WEEK) {
        int m = (r->month + 9) % 12 + 1;
        int64_t y = r->month <= 2 ? year - 1 : year, century = y / 100, rest = y % 100;
        int64_t weekday = ((26 * m - 2) / 10 + 1 + rest + rest / 4 + century / 4 - 2 * century) % 7;
        if (weekday < 0) weekday += 7;
        int days = before[r->month] - before[r->month - 1] + (r->month == 2 && is_leap(year));
        day = r->day - weekday;
        if (day < 0) day += 7;
        for (int i = 1; i < r->week && day + 7 < days; i++) day += 7;
        day += before[r->month - 1] + (is_leap(year) && r->month > 2);
    }
    return day * DAY_S + r->time_s - offset_s;
}

static struct zone_span span_of(const struct ttype *t, int64_t from_s, int64_t to_s)
{
    return (struct zone_span){t->offset_s, t->dst, t->name, from_s, to_s};
}

static struct zone_span extended(const struct extend *x, int64_t last_s, int64_t unix_s)
{
    if (!x->has_dst) return span_of(&x->std, last_s, INT64_MAX);
    struct moment_parts p = moment_parts((struct moment){.s = unix_s});
    int64_t in_year = (int64_t)(p.yearday - 1) * DAY_S + unix_s % DAY_S, year = unix_s - in_year;
    int64_t from = rule_second(p.year, &x->from, x->std.offset_s);
    int64_t to = rule_second(p.year, &x->to, x->dst.offset_s);
    const struct ttype *outside = &x->std, *inside = &x->dst;
    if (to < from) { /* the southern half of the world */
        int64_t swap = from;
        from = to;
        to = swap;
        outside = &x->dst;
        inside = &x->std;
    }
    if (in_year < from) return span_of(outside, year, year + from);
    if (in_year >= to) return span_of(outside, year + to, year + 365 * (int64_t)DAY_S);
    return span_of(inside, year + from, year + to);
}

struct zone_span zone_at(const struct zone *z, int64_t unix_s)
{
    const struct change *c = z->changes;
    if (unix_s < c[0].at_s) return span_of(&z->types[z->first], INT64_MIN, c[0].at_s);
    size_t low = 0, high = z->n_changes;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (unix_s < c[mid].at_s) high = mid;
        else low = mid;
    }
    if (high == z->n_changes && z->extend.set) return extended(&z->extend, c[low].at_s, unix_s);
    return span_of(&z->types[c[low].type], c[low].at_s, high < z->n_changes ? c[high].at_s : INT64_MAX);
}

struct moment_parts zone_parts(const struct zone *z, int64_t unix_s)
{
    return moment_parts((struct moment){.s = unix_s, .offset_s = zone_at(z, unix_s).offset_s});
}

int64_t zone_unix(const struct zone *z, const struct moment_parts *p)
{
    struct moment_parts first = *p;
    int64_t months = p->year * 12 + p->month - 1;
    first.year = months >= 0 ? months / 12 : -((11 - months) / 12);
    first.month = (int)(months - first.year * 12) + 1;
    first.day = 1;
    int64_t local = moment_from_parts(&first) + (int64_t)(p->day - 1) * DAY_S;
    struct zone_span span = zone_at(z, local);
    if (!span.offset_s) return local;
    int64_t utc = local - span.offset_s;
    if (utc < span.from_s || utc >= span.to_s) span = zone_at(z, utc);
    return local - span.offset_s;
}
