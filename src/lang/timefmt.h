/* Times as text: workflow.creationTimestamp.<char> and Go's reference-time layouts.
 * Runs on: any thread; pure (UTC and fixed offsets; no zone files). */
#pragma once
#include "base/str.h"

/* {{workflow.creationTimestamp.<char>}}: the strftime letters that Argo defines, 's' (Unix seconds)
 * included; absent for any other character. */
struct str timefmt_char(struct arena *a, char c, int64_t us);

/* Go's time.Format of an instant at an offset from UTC: layout "2006-01-02 15:04:05 MST". */
struct str timefmt_layout(struct arena *a, struct str layout, int64_t ns, int offset_s);
