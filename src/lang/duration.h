/* Durations as Go writes them ("1h15m30.918s"), in nanoseconds. Format reference: Go
 * time.ParseDuration and Duration.String. Runs on: any thread; pure. */
#pragma once
#include "base/err.h"
#include "base/str.h"

bool duration_parse(struct str s, int64_t *out_ns, struct err *e);
/* As Argo's durations in manifests: a bare number means seconds. */
bool duration_parse_seconds(struct str s, int64_t *out_ns, struct err *e);
struct str duration_text(struct arena *a, int64_t ns); /* "1m30s", "0s", "1.5µs" */
