/* See timefmt.h: calendar arithmetic and writing. Reading is in timeparse.c. */
#include "lang/timefmt.h"

#include "base/limits.h"
#include "lang/timefmt_p.h"

enum { DAY_S = 86400 };

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Days since 1970-01-01 of a civil date, for any year (Hinnant's days_from_civil). */
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t moment_from_parts(const struct moment_parts *p)
{
    return days_of(p->year, p->month, p->day) * DAY_S + p->hour * 3600 + p->minute * 60 + p->second;
}

struct moment_parts moment_parts(struct moment m)
{
    int64_t local = m.s + m.offset_s, days = floor_div(local, DAY_S), rest = local - days * DAY_S;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct moment_parts p = {
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .month = (int)(mp < 10 ? mp + 3 : mp - 9),
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
        .weekday = (int)(((days % 7) + 11) % 7),
    };
    p.year = yoe + era * 400 + (p.month <= 2);
    p.yearday = (int)(days - days_of(p.year, 1, 1)) + 1;
    return p;
}

struct moment moment_utc(int64_t us)
{
    int64_t s = floor_div(us, 1000000);
    return (struct moment){.s = s, .ns = (int32_t)(us - s * 1000000) * 1000, .zone = "UTC"};
}

struct moment moment_add(struct moment m, int64_t ns)
{
    int64_t s = floor_div(ns, 1000000000), sum = m.ns + (ns - s * 1000000000);
    m.s += s + sum / 1000000000;
    m.ns = (int32_t)(sum % 1000000000);
    return m;
}

int64_t moment_diff(struct moment a, struct moment b)
{
    int64_t ns;
    if (__builtin_mul_overflow(a.s - b.s, (int64_t)1000000000, &ns) ||
        __builtin_add_overflow(ns, (int64_t)a.ns - b.ns, &ns))
        return a.s > b.s ? INT64_MAX : INT64_MIN;
    return ns;
}

int moment_cmp(struct moment a, struct moment b)
{
    if (a.s != b.s) return a.s < b.s ? -1 : 1;
    return (a.ns > b.ns) - (a.ns < b.ns);
}

const char *const timefmt_months[12] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
const char *const timefmt_days[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};

/* Longer chunks before their prefixes. */
static const struct {
    const char *text;
    enum time_chunk kind;
} chunks[] = {
    {"January", CHUNK_MONTH_LONG}, {"Jan", CHUNK_MONTH_SHORT}, {"Monday", CHUNK_DAY_LONG},
    {"Mon", CHUNK_DAY_SHORT}, {"MST", CHUNK_ZONE_NAME}, {"002", CHUNK_YEARDAY},
    {"01", CHUNK_MONTH_2}, {"02", CHUNK_DAY_2}, {"03", CHUNK_HOUR12_2}, {"04", CHUNK_MINUTE_2},
    {"05", CHUNK_SECOND_2}, {"06", CHUNK_YEAR_2}, {"15", CHUNK_HOUR}, {"1", CHUNK_MONTH},
    {"2006", CHUNK_YEAR}, {"2", CHUNK_DAY}, {"_2006", CHUNK_BLANK_YEAR}, {"__2", CHUNK_YEARDAY_BLANK},
    {"_2", CHUNK_DAY_BLANK}, {"3", CHUNK_HOUR12}, {"4", CHUNK_MINUTE}, {"5", CHUNK_SECOND},
    {"PM", CHUNK_PM}, {"pm", CHUNK_PM_SMALL},
    {"-070000", CHUNK_OFFSET | OFFSET_SECONDS}, {"-07:00:00", CHUNK_OFFSET | OFFSET_SECONDS | OFFSET_COLON},
    {"-0700", CHUNK_OFFSET}, {"-07:00", CHUNK_OFFSET | OFFSET_COLON}, {"-07", CHUNK_OFFSET | OFFSET_HOURS},
    {"Z070000", CHUNK_OFFSET | OFFSET_Z | OFFSET_SECONDS},
    {"Z07:00:00", CHUNK_OFFSET | OFFSET_Z | OFFSET_SECONDS | OFFSET_COLON},
    {"Z0700", CHUNK_OFFSET | OFFSET_Z}, {"Z07:00", CHUNK_OFFSET | OFFSET_Z | OFFSET_COLON},
    {"Z07", CHUNK_OFFSET | OFFSET_Z | OFFSET_HOURS},
};

/* ".000" or ",999": a fraction unless another digit follows. */
static size_t fraction_chunk(struct str rest)
{
    if (rest.n < 2 || (rest.p[0] != '.' && rest.p[0] != ',')) return 0;
    char digit = rest.p[1];
    if (digit != '0' && digit != '9') return 0;
    size_t n = 1;
    while (n < rest.n && rest.p[n] == digit) n++;
    bool more = n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9';
    return more ? 0 : n;
}

/* "Jan" inside "January" is taken whole; "Janet" is no month. */
static bool chunk_fits(size_t i, struct str rest)
{
    if (!str_starts(rest, str_of(chunks[i].text))) return false;
    if (chunks[i].kind != CHUNK_MONTH_SHORT) return true;
    return rest.n < 4 || rest.p[3] < 'a' || rest.p[3] > 'z';
}

enum time_chunk timefmt_next(struct str layout, struct str *literal, struct str *chunk)
{
    for (size_t at = 0; at < layout.n; at++) {
        struct str rest = str_from(layout, at);
        *literal = str_sub(layout, 0, at);
        size_t fraction = fraction_chunk(rest);
        if (fraction) {
            *chunk = str_sub(rest, 0, fraction);
            return CHUNK_FRACTION;
        }
        for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
            if (!chunk_fits(i, rest)) continue;
            *chunk = str_sub(rest, 0, strlen(chunks[i].text));
            return chunks[i].kind;
        }
    }
    *literal = layout;
    *chunk = str_from(layout, layout.n);
    return CHUNK_END;
}

static void put_offset(struct buf *b, int kind, int32_t offset)
{
    if ((kind & OFFSET_Z) && !offset) {
        buf_char(b, 'Z');
        return;
    }
    const char *colon = kind & OFFSET_COLON ? ":" : "";
    int abs = offset < 0 ? -offset : offset;
    buf_printf(b, "%c%02d", offset < 0 ? '-' : '+', abs / 3600);
    if (kind & OFFSET_HOURS) return;
    buf_printf(b, "%s%02d", colon, abs / 60 % 60);
    if (kind & OFFSET_SECONDS) buf_printf(b, "%s%02d", colon, abs % 60);
}

static void put_fraction(struct buf *b, struct str chunk, int32_t ns)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%09d", ns);
    size_t n = MIN(chunk.n - 1, (size_t)9);
    if (chunk.p[1] == '9') {
        while (n && digits[n - 1] == '0') n--;
        if (!n) return;
    }
    buf_char(b, chunk.p[0]);
    buf_add(b, digits, n);
}

static void put_zone_name(struct buf *b, const struct moment *m)
{
    if (m->zone[0]) buf_printf(b, "%s", m->zone);
    else put_offset(b, 0, m->offset_s);
}

static void put_date_chunk(struct buf *b, enum time_chunk kind, const struct moment_parts *p)
{
    switch (kind & CHUNK_MASK) {
    case CHUNK_MONTH_LONG: buf_printf(b, "%s", timefmt_months[p->month - 1]); break;
    case CHUNK_MONTH_SHORT: buf_printf(b, "%.3s", timefmt_months[p->month - 1]); break;
    case CHUNK_DAY_LONG: buf_printf(b, "%s", timefmt_days[p->weekday]); break;
    case CHUNK_DAY_SHORT: buf_printf(b, "%.3s", timefmt_days[p->weekday]); break;
    case CHUNK_YEARDAY: buf_printf(b, "%03d", p->yearday); break;
    case CHUNK_YEARDAY_BLANK: buf_printf(b, "%3d", p->yearday); break;
    case CHUNK_MONTH_2: buf_printf(b, "%02d", p->month); break;
    case CHUNK_MONTH: buf_printf(b, "%d", p->month); break;
    case CHUNK_DAY_2: buf_printf(b, "%02d", p->day); break;
    case CHUNK_DAY_BLANK: buf_printf(b, "%2d", p->day); break;
    case CHUNK_DAY: buf_printf(b, "%d", p->day); break;
    case CHUNK_YEAR_2: buf_printf(b, "%02lld", (long long)(p->year % 100)); break;
    case CHUNK_BLANK_YEAR: buf_char(b, '_'); /* fall through */
    case CHUNK_YEAR: buf_printf(b, "%04lld", (long long)p->year); break;
    default: break;
    }
}

static void put_time_chunk(struct buf *b, enum time_chunk kind, const struct moment_parts *p)
{
    int hour12 = p->hour % 12 ? p->hour % 12 : 12;
    switch (kind & CHUNK_MASK) {
    case CHUNK_HOUR: buf_printf(b, "%02d", p->hour); break;
    case CHUNK_HOUR12_2: buf_printf(b, "%02d", hour12); break;
    case CHUNK_HOUR12: buf_printf(b, "%d", hour12); break;
    case CHUNK_MINUTE_2: buf_printf(b, "%02d", p->minute); break;
    case CHUNK_MINUTE: buf_printf(b, "%d", p->minute); break;
    case CHUNK_SECOND_2: buf_printf(b, "%02d", p->second); break;
    case CHUNK_SECOND: buf_printf(b, "%d", p->second); break;
    case CHUNK_PM: buf_printf(b, "%s", p->hour >= 12 ? "PM" : "AM"); break;
    case CHUNK_PM_SMALL: buf_printf(b, "%s", p->hour >= 12 ? "pm" : "am"); break;
    default: put_date_chunk(b, kind, p);
    }
}

struct str timefmt_layout(struct arena *a, struct str layout, struct moment m)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    struct moment_parts p = moment_parts(m);
    for (;;) {
        struct str literal, chunk;
        enum time_chunk kind = timefmt_next(layout, &literal, &chunk);
        buf_str(&b, literal);
        if (kind == CHUNK_END) return buf_dup(a, &b);
        if (kind == CHUNK_FRACTION) put_fraction(&b, chunk, m.ns);
        else if (kind == CHUNK_ZONE_NAME) put_zone_name(&b, &m);
        else if ((kind & CHUNK_MASK) == CHUNK_OFFSET) put_offset(&b, (int)kind, m.offset_s);
        else put_time_chunk(&b, kind, &p);
        layout = str_from(layout, literal.n + chunk.n);
    }
}

struct str timefmt_string(struct arena *a, struct moment m)
{
    return timefmt_layout(a, STR("2006-01-02 15:04:05.999999999 -0700 MST"), m);
}

struct str timefmt_rfc3339(struct arena *a, struct moment m)
{
    return timefmt_layout(a, STR("2006-01-02T15:04:05.999999999Z07:00"), m);
}

struct str timefmt_char(struct arena *a, char c, int64_t us)
{
    static const struct {
        char c;
        const char *layout;
    } letters[] = {
        {'B', "January"}, {'b', "Jan"}, {'m', "01"}, {'A', "Monday"}, {'a', "Mon"}, {'d', "02"},
        {'H', "15"},      {'I', "03"},  {'M', "04"}, {'S', "05"},     {'Y', "2006"}, {'y', "06"},
        {'p', "PM"},      {'Z', "MST"}, {'z', "-0700"}, {'L', ".000"},
    };
    if (c == 's') return str_fmt(a, "%lld", (long long)floor_div(us, 1000000));
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (letters[i].c == c) return timefmt_layout(a, str_of(letters[i].layout), moment_utc(us));
    return STR_NONE;
}
