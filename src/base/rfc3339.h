/* Times as text. State holds int64 microseconds since 1970 (UTC); JSON shows whole seconds.
 * Pure civil-calendar arithmetic: no time zone files, no libc locale. */
#pragma once
#include "base/str.h"

struct civil {
    int year, month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                                /* 0 = Sunday */
    int yearday;                                /* from 1 */
};

struct civil civil_from_us(int64_t us);
int64_t civil_to_us(const struct civil *c); /* weekday and yearday are ignored */

/* "2026-11-21T23:55:21Z"; absent for us == 0. */
struct str rfc3339(struct arena *a, int64_t us);
/* With nine digits of fraction, as CRI log lines have. */
struct str rfc3339_nano(struct arena *a, int64_t ns);
/* Accepts Z or an offset, and a fraction. */
bool rfc3339_parse(struct str s, int64_t *out_us);
