/* Schedules: what parses has a next time after each time, or none. The first eight bytes are the time. */
#include "fuzz.h"
#include "lang/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cron c;
    struct err e = {0};
    int64_t at = 0, next;
    if (size < 8) return 0;
    memcpy(&at, data, 8);
    if (!cron_parse(str_n((const char *)data + 8, size - 8), &c, &e)) {
        ASSERT(e.code && e.text[0]);
        return 0;
    }
    for (int i = 0; i < 3 && cron_next(&c, zone_utc(), at, &next); i++, at = next)
        ASSERT(next > at && next % 1000000 == 0 && (c.every_s || next - at <= 6 * 366 * 86400 * (int64_t)1000000));
    return 0;
}
