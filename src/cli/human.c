/* Words for durations: tables of magnitudes, largest unit that fits. */
#include "cli/human.h"

#include "base/rfc3339.h"

static const int64_t second = 1000000;
static const int64_t minute = 60 * 1000000LL, hour = 3600 * 1000000LL, day = 86400 * 1000000LL;

struct unit {
    int64_t us;
    char letter;
    const char *word;
};
static const struct unit units[] = {
    {31104000LL * 1000000, 'y', "year"}, {2592000LL * 1000000, 'o', "month"}, {604800LL * 1000000, 'w', "week"},
    {86400LL * 1000000, 'd', "day"},     {3600LL * 1000000, 'h', "hour"},     {60LL * 1000000, 'm', "minute"},
    {1000000, 's', "second"},
};

void human_short(struct buf *b, int64_t us)
{
    if (us < 0) us = -us;
    for (size_t i = 3; i < ARRAY_LEN(units); i++) {
        if (us < units[i].us) continue;
        buf_printf(b, "%lld%c", (long long)(us / units[i].us), units[i].letter);
        return;
    }
    buf_str(b, STR("0s"));
}

static void units_put(struct buf *b, int64_t us)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (us < units[i].us) continue;
        long long n = us / units[i].us;
        buf_printf(b, "%lld %s%s", n, units[i].word, n == 1 ? "" : "s");
        return;
    }
    buf_str(b, STR("0 seconds"));
}

void human_long(struct buf *b, int64_t us)
{
    if (us < 0) us = 0;
    units_put(b, us);
    if (us >= day) buf_printf(b, " %lld hours", (long long)(us % day / hour));
    else if (us >= hour) buf_printf(b, " %lld minutes", (long long)(us % hour / minute));
    else if (us >= minute) buf_printf(b, " %lld seconds", (long long)(us % minute / second));
}

void human_ago(struct buf *b, int64_t now_us, int64_t then_us)
{
    int64_t d = now_us - then_us;
    if (d < second && d > -second) {
        buf_str(b, STR("now"));
        return;
    }
    units_put(b, d < 0 ? -d : d);
    buf_str(b, d < 0 ? STR(" from now") : STR(" ago"));
}

void human_stamp(struct buf *b, int64_t us, int tz_s)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil c = civil_from_us(us + tz_s * second);
    int off = (tz_s < 0 ? -tz_s : tz_s) / 60;
    buf_printf(b, "%.3s %.3s %02d %02d:%02d:%02d %c%02d%02d", days + 3 * c.weekday, months + 3 * (c.month - 1), c.day,
               c.hour, c.minute, c.second, tz_s < 0 ? '-' : '+', off / 60, off % 60);
}

void human_exact(struct buf *b, int64_t us)
{
    if (us < 0) us = 0;
    if (us < 10 * second) buf_printf(b, "%lld.%02llds", (long long)(us / second), (long long)(us % second / 10000));
    else if (us < minute) buf_printf(b, "%lld.%llds", (long long)(us / second), (long long)(us % second / 100000));
    else if (us < hour) buf_printf(b, "%lldm%02llds", (long long)(us / minute), (long long)(us % minute / second));
    else buf_printf(b, "%lldh%02lldm", (long long)(us / hour), (long long)(us % hour / minute));
}

void human_clock(struct buf *b, int64_t us)
{
    if (us < 0) us = 0;
    long long s = us / second;
    if (s >= 3600) buf_printf(b, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else buf_printf(b, "%lld:%02lld", s / 60, s % 60);
}

static bool unit_of(struct str *s, int64_t *out)
{
    static const struct { const char *name; int64_t us; } names[] = {
        {"ms", 1000}, {"us", 1}, {"w", 604800LL * 1000000}, {"d", 86400LL * 1000000}, {"h", 3600LL * 1000000},
        {"m", 60LL * 1000000}, {"s", 1000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_starts(*s, str_of(names[i].name))) continue;
        *out = names[i].us;
        *s = str_from(*s, strlen(names[i].name));
        return true;
    }
    return false;
}

bool human_parse(struct str s, int64_t *out_us)
{
    int64_t total = 0;
    bool any = false;
    while (s.n > 0) {
        size_t digits = 0;
        int64_t n, unit, part;
        while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9') digits++;
        if (!digits || !str_to_i64(str_sub(s, 0, digits), &n)) return false;
        s = str_from(s, digits);
        if (!unit_of(&s, &unit) || __builtin_mul_overflow(n, unit, &part)) return false;
        if (__builtin_add_overflow(total, part, &total)) return false;
        any = true;
    }
    *out_us = total;
    return any;
}
