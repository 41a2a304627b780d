/* Sends spans to an OpenTelemetry collector: OTLP over HTTP as JSON, from a thread of its own.
 *
 * Whoever adds spans never waits. What a collector does not take in time is dropped, and counted: it is the collector that has to keep up. Where one is
 * busy (429, 502, 503, 504) or cannot be reached, the same is sent again, later and later.
 * Format reference: opentelemetry-proto, trace/v1 and its JSON form; OTLP specification, "OTLP/HTTP". Runs on: the loop thread. */
#pragma once
#include "config/config.h"

struct otlp;

/* As the setting otlp_endpoint and the variables of OpenTelemetry say; *out NULL: nobody wants any. */
bool otlp_open(const struct config *c, struct otlp **out, struct err *e);
/* What waits is sent once more, for a moment. NULL is fine. */
void otlp_close(struct otlp *o);
/* `n` spans as JSON, separated by commas; copied. Absent: they were too many at once, and count as dropped. */
void otlp_add(struct otlp *o, struct str spans, size_t n);

struct otlp_counts {
    uint64_t sent, dropped, waiting;
};
void otlp_counts(struct otlp *o, struct otlp_counts *out);
