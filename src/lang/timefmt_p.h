/* Chunks of Go's reference-time layouts, shared by writing and reading. */
#pragma once
#include "lang/timefmt.h"

enum time_chunk {
    CHUNK_END,
    CHUNK_MONTH_LONG, CHUNK_MONTH_SHORT, CHUNK_MONTH_2, CHUNK_MONTH,
    CHUNK_DAY_LONG, CHUNK_DAY_SHORT, CHUNK_DAY_2, CHUNK_DAY_BLANK, CHUNK_DAY,
    CHUNK_YEARDAY, CHUNK_YEARDAY_BLANK,
    CHUNK_YEAR, CHUNK_YEAR_2, CHUNK_BLANK_YEAR,
    CHUNK_HOUR, CHUNK_HOUR12_2, CHUNK_HOUR12,
    CHUNK_MINUTE_2, CHUNK_MINUTE, CHUNK_SECOND_2, CHUNK_SECOND,
    CHUNK_PM, CHUNK_PM_SMALL, CHUNK_ZONE_NAME, CHUNK_OFFSET, CHUNK_FRACTION,
    CHUNK_MASK = 63,
    /* flags of CHUNK_OFFSET */
    OFFSET_Z = 64, OFFSET_COLON = 128, OFFSET_SECONDS = 256, OFFSET_HOURS = 512,
};

extern const char *const timefmt_months[12];
extern const char *const timefmt_days[7];

/* The next chunk of the layout, and the literal text before it. */
enum time_chunk timefmt_next(struct str layout, struct str *literal, struct str *chunk);
