/* Times as text: workflow.creationTimestamp.<char> and Go's reference-time layouts.
 * Runs on: any thread; pure (UTC and fixed offsets; no zone files). */
#pragma once
#include "base/str.h"

/* {{workflow.creationTimestamp.<char>}}: the strftime letters that Argo defines, 's' (Unix seconds)
 * included; absent for any other character. */
struct str timefmt_char(struct arena *a, char c, int64_t us);

/* An instant with the offset that it is shown in. Seconds since 1970, so that every date that Go
 * can read fits. */
struct moment {
    int64_t s;
    int32_t ns;
    int32_t offset_s;
    char zone[8]; /* "UTC", "" = show the offset */
};

struct moment moment_utc(int64_t us);
/* Adds nanoseconds. */
struct moment moment_add(struct moment m, int64_t ns);
int64_t moment_diff(struct moment a, struct moment b); /* a - b in ns, clamped as Go's Sub */
int moment_cmp(struct moment a, struct moment b);

/* time.Format and time.Parse with a layout such as "2006-01-02 15:04:05 MST". */
struct str timefmt_layout(struct arena *a, struct str layout, struct moment m);
bool timefmt_parse(struct str layout, struct str text, struct moment *out);
/* time.Time.String and RFC3339Nano. */
struct str timefmt_string(struct arena *a, struct moment m);
struct str timefmt_rfc3339(struct arena *a, struct moment m);

struct moment_parts {
    int64_t year;
    int month, day, hour, minute, second, weekday, yearday; /* month, day, yearday from 1 */
};
struct moment_parts moment_parts(struct moment m);
int64_t moment_from_parts(const struct moment_parts *p); /* seconds; as if UTC */
