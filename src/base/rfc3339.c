/* See rfc3339.h. Days-from-civil after Howard Hinnant's published algorithm. */
#include "base/rfc3339.h"

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

struct civil civil_from_us(int64_t us)
{
    int64_t secs = floor_div(us, 1000000), days = floor_div(secs, 86400), rest = secs - days * 86400;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {.day = (int)(doy - (153 * mp + 2) / 5 + 1),
                      .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    c.year = (int)(yoe + era * 400 + (c.month <= 2));
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    c.yearday = (int)(days - days_from_civil(c.year, 1, 1)) + 1;
    return c;
}

int64_t civil_to_us(const struct civil *c)
{
    int64_t days = days_from_civil(c->year, c->month, c->day);
    return (((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second) * 1000000;
}

struct str rfc3339(struct arena *a, int64_t us)
{
    if (!us) return STR_NONE;
    struct civil c = civil_from_us(us);
    return str_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute,
                   c.second);
}

struct str rfc3339_nano(struct arena *a, int64_t ns)
{
    struct civil c = civil_from_us(floor_div(ns, 1000));
    int frac = (int)(ns - floor_div(ns, 1000000000) * 1000000000);
    return str_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", c.year, c.month, c.day, c.hour,
                   c.minute, c.second, frac);
}

/* Reads exactly `n` digits. */
static bool digits(struct str *s, size_t n, int *out)
{
    int v = 0;
    if (s->n < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_from(*s, n);
    *out = v;
    return true;
}

static bool lit(struct str *s, const char *any)
{
    if (!s->n || !strchr(any, s->p[0])) return false;
    *s = str_from(*s, 1);
    return true;
}

static bool fraction(struct str *s, int64_t *us)
{
    int64_t unit = 100000;
    if (!s->n || s->p[0] != '.') return true;
    *s = str_from(*s, 1);
    size_t before = s->n;
    while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
        *us += (s->p[0] - '0') * unit;
        unit /= 10;
        *s = str_from(*s, 1);
    }
    return s->n < before;
}

bool rfc3339_parse(struct str s, int64_t *out_us)
{
    struct civil c = {0};
    int64_t frac = 0;
    if (!digits(&s, 4, &c.year) || !lit(&s, "-") || !digits(&s, 2, &c.month) || !lit(&s, "-") ||
        !digits(&s, 2, &c.day) || !lit(&s, "Tt ") || !digits(&s, 2, &c.hour) || !lit(&s, ":") ||
        !digits(&s, 2, &c.minute) || !lit(&s, ":") || !digits(&s, 2, &c.second) ||
        !fraction(&s, &frac))
        return false;
    if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.hour > 23 || c.minute > 59 ||
        c.second > 60)
        return false;
    int64_t us = civil_to_us(&c) + frac;
    if (s.n == 1 && lit(&s, "Zz")) return *out_us = us, true;
    int sign = s.n && s.p[0] == '-' ? -1 : 1, h, m;
    if (!lit(&s, "+-") || !digits(&s, 2, &h) || !lit(&s, ":") || !digits(&s, 2, &m) || s.n)
        return false;
    *out_us = us - sign * (h * 60 + m) * 60000000LL;
    return true;
}
