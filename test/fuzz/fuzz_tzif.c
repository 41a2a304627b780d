/* Zone files: refused, or a zone that answers for every time, and whose schedules end. */
#include "fuzz.h"
#include "lang/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {INT64_MIN / 2, -4102444800, -1, 0, 1700000000, 4102444800, 253402300800};
    struct arena a CLEANUP(arena_fini);
    const struct zone *z;
    struct err e = {0};
    arena_init(&a);
    if (!tzif_parse(&a, str_n((const char *)data, size), &z, &e)) {
        ASSERT(e.code && e.text[0]);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct zone_span span = zone_at(z, times[i]);
        struct moment_parts p = zone_parts(z, times[i]);
        ASSERT(p.month >= 1 && p.month <= 12 && span.name.n <= size);
        if (i) zone_unix(z, &p);
    }
    struct cron c;
    int64_t next;
    ASSERT(cron_parse(STR("30 2 * * 1"), &c, &e));
    if (cron_next(&c, z, (int64_t)1700000000 * 1000000, &next)) ASSERT(next % 1000000 == 0);
    return 0;
}
