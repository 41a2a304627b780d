/* time.Parse: see timefmt.h. */
#include <strings.h>

#include "lang/timefmt_p.h"

struct reading {
    struct str text;
    struct moment_parts p;
    int32_t ns, offset_s;
    char zone[8];
    bool pm, pm_set, zoned, hour12;
};

static bool is_digit_at(struct str s, size_t i) { return i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; }

/* Between `least` and `most` digits off the front. */
static bool read_number(struct str *s, size_t least, size_t most, int *out)
{
    size_t n = 0;
    *out = 0;
    while (n < most && is_digit_at(*s, n)) *out = *out * 10 + (s->p[n++] - '0');
    *s = str_from(*s, n);
    return n >= least;
}

static bool read_name(struct str *s, const char *const *names, size_t n, size_t cut, int *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = cut ? cut : strlen(names[i]);
        if (s->n < len || strncasecmp(s->p, names[i], len) != 0) continue;
        *s = str_from(*s, len);
        *out = (int)i;
        return true;
    }
    return false;
}

static bool read_offset(struct reading *r, int kind)
{
    struct str *s = &r->text;
    r->zoned = true;
    if ((kind & OFFSET_Z) && s->n && s->p[0] == 'Z') {
        *s = str_from(*s, 1);
        strncpy(r->zone, "UTC", sizeof r->zone);
        return true;
    }
    if (!s->n || (s->p[0] != '+' && s->p[0] != '-')) return false;
    int sign = s->p[0] == '-' ? -1 : 1, part[3] = {0};
    *s = str_from(*s, 1);
    int parts = kind & OFFSET_HOURS ? 1 : kind & OFFSET_SECONDS ? 3 : 2;
    for (int i = 0; i < parts; i++) {
        if (i && (kind & OFFSET_COLON)) {
            if (!s->n || s->p[0] != ':') return false;
            *s = str_from(*s, 1);
        }
        if (!read_number(s, 2, 2, &part[i])) return false;
    }
    if (part[0] > 24 || part[1] >= 60 || part[2] >= 60) return false;
    r->offset_s = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    if (!r->offset_s) strncpy(r->zone, "UTC", sizeof r->zone);
    return true;
}

static bool read_zone_name(struct reading *r)
{
    size_t n = 0;
    while (n < r->text.n && n < 6 && r->text.p[n] >= 'A' && r->text.p[n] <= 'Z') n++;
    if (n < 3 || n > 5) return false;
    memcpy(r->zone, r->text.p, n);
    r->zone[n] = 0;
    r->text = str_from(r->text, n);
    r->zoned = true;
    return true;
}

static bool read_fraction(struct reading *r, size_t least)
{
    size_t n = 0;
    r->ns = 0;
    int32_t scale = 100000000;
    for (r->text = str_from(r->text, 1); is_digit_at(r->text, n); n++, scale /= 10)
        r->ns += (r->text.p[n] - '0') * scale;
    r->text = str_from(r->text, n);
    return n >= least;
}

/* Seconds may carry a fraction that the layout does not show. */
static bool read_second(struct reading *r, size_t least, struct str layout)
{
    if (!read_number(&r->text, least, 2, &r->p.second) || r->p.second >= 60) return false;
    struct str literal, chunk;
    bool shown = timefmt_next(layout, &literal, &chunk) == CHUNK_FRACTION && !literal.n;
    bool dot = r->text.n && (r->text.p[0] == '.' || r->text.p[0] == ',');
    if (shown || !dot || !is_digit_at(r->text, 1)) return true;
    return read_fraction(r, 1);
}

static bool read_pm(struct reading *r, const char *pm, const char *am)
{
    r->pm = str_starts(r->text, str_of(pm));
    r->pm_set = true;
    bool ok = r->pm || str_starts(r->text, str_of(am));
    if (ok) r->text = str_from(r->text, 2);
    return ok;
}

static bool read_year(struct reading *r, size_t digits)
{
    int year;
    if (!read_number(&r->text, digits, digits, &year)) return false;
    r->p.year = digits == 4 ? year : year + (year >= 69 ? 1900 : 2000);
    return true;
}

static bool read_date_chunk(struct reading *r, enum time_chunk kind)
{
    struct str *s = &r->text;
    int i;
    switch ((int)kind & CHUNK_MASK) {
    case CHUNK_MONTH_LONG:
    case CHUNK_MONTH_SHORT:
        if (!read_name(s, timefmt_months, 12, kind == CHUNK_MONTH_SHORT ? 3 : 0, &i)) return false;
        r->p.month = i + 1;
        return true;
    case CHUNK_DAY_LONG: return read_name(s, timefmt_days, 7, 0, &i);
    case CHUNK_DAY_SHORT: return read_name(s, timefmt_days, 7, 3, &i);
    case CHUNK_MONTH_2: return read_number(s, 2, 2, &r->p.month);
    case CHUNK_MONTH: return read_number(s, 1, 2, &r->p.month);
    case CHUNK_DAY_BLANK:
        if (s->n && s->p[0] == ' ') *s = str_from(*s, 1);
        return read_number(s, 1, 2, &r->p.day);
    case CHUNK_DAY: return read_number(s, 1, 2, &r->p.day);
    case CHUNK_DAY_2: return read_number(s, 2, 2, &r->p.day);
    case CHUNK_YEAR: return read_year(r, 4);
    case CHUNK_YEAR_2: return read_year(r, 2);
    default: return false;
    }
}

static bool read_chunk(struct reading *r, enum time_chunk kind, struct str chunk, struct str layout)
{
    switch ((int)kind & CHUNK_MASK) {
    case CHUNK_HOUR: return read_number(&r->text, 2, 2, &r->p.hour) && r->p.hour < 24;
    case CHUNK_HOUR12_2: return read_number(&r->text, 2, 2, &r->p.hour) && r->p.hour <= 12;
    case CHUNK_HOUR12: return read_number(&r->text, 1, 2, &r->p.hour) && r->p.hour <= 12;
    case CHUNK_MINUTE_2: return read_number(&r->text, 2, 2, &r->p.minute) && r->p.minute < 60;
    case CHUNK_MINUTE: return read_number(&r->text, 1, 2, &r->p.minute) && r->p.minute < 60;
    case CHUNK_SECOND_2: return read_second(r, 2, layout);
    case CHUNK_SECOND: return read_second(r, 1, layout);
    case CHUNK_PM: return read_pm(r, "PM", "AM");
    case CHUNK_PM_SMALL: return read_pm(r, "pm", "am");
    case CHUNK_OFFSET: return read_offset(r, (int)kind);
    case CHUNK_ZONE_NAME: return read_zone_name(r);
    case CHUNK_FRACTION: {
        bool dot = r->text.n && (r->text.p[0] == '.' || r->text.p[0] == ',');
        if (chunk.p[1] == '9') return !dot || read_fraction(r, 1);
        return dot && read_fraction(r, chunk.n - 1);
    }
    default: return read_date_chunk(r, kind);
    }
}

static bool skip_literal(struct str *text, struct str literal)
{
    while (literal.n) {
        if (literal.p[0] == ' ') {
            if (text->n && text->p[0] != ' ') return false;
            while (literal.n && literal.p[0] == ' ') literal = str_from(literal, 1);
            while (text->n && text->p[0] == ' ') *text = str_from(*text, 1);
            continue;
        }
        if (!text->n || text->p[0] != literal.p[0]) return false;
        literal = str_from(literal, 1);
        *text = str_from(*text, 1);
    }
    return true;
}

static bool finish(struct reading *r, struct moment *out)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct moment_parts *p = &r->p;
    if (r->pm_set && r->pm && p->hour < 12) p->hour += 12;
    else if (r->pm_set && !r->pm && p->hour == 12) p->hour = 0;
    if (p->month < 1 || p->month > 12 || p->day < 1) return false;
    bool leap = p->year % 4 == 0 && (p->year % 100 || p->year % 400 == 0);
    if (p->day > days[p->month - 1] + (leap && p->month == 2)) return false;
    *out = (struct moment){moment_from_parts(p) - r->offset_s, r->ns, r->offset_s, ""};
    memcpy(out->zone, r->zoned ? r->zone : "UTC", r->zoned ? sizeof out->zone : 4);
    return true;
}

bool timefmt_parse(struct str layout, struct str text, struct moment *out)
{
    struct reading r = {.text = text, .p = {.year = 0, .month = 1, .day = 1}};
    for (;;) {
        struct str literal, chunk;
        enum time_chunk kind = timefmt_next(layout, &literal, &chunk);
        if (!skip_literal(&r.text, literal)) return false;
        if (kind == CHUNK_END) return !r.text.n && finish(&r, out);
        layout = str_from(layout, literal.n + chunk.n);
        if (!read_chunk(&r, kind, chunk, layout)) return false;
    }
}
