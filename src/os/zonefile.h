/* Files of the time zone database (TZif): their bytes; src/lang/tzif.h reads them. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* "Europe/Berlin" from $ZONEINFO or the places where systems keep them; names with "..", or that start
 * with "/" or "\\", are refused. ERR_NOT_FOUND: "unknown time zone X". */
bool zonefile_read(struct arena *a, struct str name, struct str *out, struct err *e);
/* A machine without the database says yes to every name: it does not know. */
bool zonefile_known(struct str name);
/* The machine's own: $TZ (a name, or a path after ':'), else /etc/localtime. *out is absent for UTC. */
bool zonefile_local(struct arena *a, struct str *out, struct err *e);
