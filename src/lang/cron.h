/* Cron schedules as robfig/cron v3 reads them (ParseStandard, which CronWorkflow uses) and as its Next
 * goes through them, with what it does where clocks change.
 *
 * "minute hour day-of-month month day-of-week", each a list of *, ?, N, N-M with an optional /STEP, months
 * and days of the week also by name; @yearly @annually @monthly @weekly @daily @midnight @hourly and
 * "@every DURATION"; in front of it "TZ=ZONE " or "CRON_TZ=ZONE ". Day 7 is no Sunday. A "*" or "?" in one of
 * the day fields makes both hold, else either will do; "*" with a step above 1 is no star here.
 *
 * Pure: the zone comes in as a value. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "lang/tzif.h"

struct cron {
    uint64_t minute, hour, dom, month, dow; /* bit n: the value n; bit 63: a star */
    int64_t every_s;                        /* "@every"; then the rest is 0 */
    struct str zone; /* of the prefix, pointing into the text; absent: the caller's choice. "" means UTC,
                        "Local" the machine's zone */
};

bool cron_parse(struct str text, struct cron *out, struct err *e);

/* The first time after `after_us` (whole seconds, in microseconds since 1970). False: within five years
 * there is none, so that the schedule never fires. */
bool cron_next(const struct cron *c, const struct zone *zone, int64_t after_us, int64_t *next_us);
