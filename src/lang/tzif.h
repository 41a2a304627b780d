/* Time zones: what a TZif file says (RFC 8536, the files of /usr/share/zoneinfo), and the answers that
 * Go's time package gives about it, down to the hours that a change of the clock skips or repeats.
 *
 * Pure: the bytes come in as a value (src/os/zonefile.h reads them). Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "lang/timefmt.h"

struct zone;

/* The zone lives as long as the arena; the bytes need not. ERR_SPEC for what is no TZif data. */
bool tzif_parse(struct arena *a, struct str bytes, const struct zone **out, struct err *e);
const struct zone *zone_utc(void);

struct zone_span {
    int32_t offset_s;     /* east of UTC */
    bool dst;
    struct str name;      /* "CET"; of the zone's memory */
    int64_t from_s, to_s; /* Unix seconds between which this holds (to_s is outside); after the last
                             listed change at least exact near a change */
};
struct zone_span zone_at(const struct zone *z, int64_t unix_s);

/* The date and the clock in the zone. */
struct moment_parts zone_parts(const struct zone *z, int64_t unix_s);
/* Go's time.Date: months and days may lie outside of their range; of an hour that does not exist, or
 * exists twice, one of the two readings. */
int64_t zone_unix(const struct zone *z, const struct moment_parts *p);
