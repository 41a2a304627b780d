/* Files of the time zone database (TZif): their bytes; src/lang/tzif.h reads them. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* "Europe/Berlin" from $ZONEINFO or the places where systems keep them; names with "..", or that start
 * with "/" or "\\", are refused. ERR_NOT_FOUND: "unknown time zone X". */
bool zonefile_read(struct arena *a, struct str name, struct str *out, struct err *e);
/* The machine's own: $TZ (a name, or a path after ':'), else /etc/localtime. *out is absent for UTC. */
bool zonefile_local(struct arena *a, struct str *out, struct err *e);
