/* struct val to JSON text. Runs on: any thread. */
#pragma once
#include "doc/val.h"

/* indent 0: compact, as Go's json.Marshal without HTML escaping; else so many spaces a level, as
 * json.MarshalIndent (kubectl -o json: 4). No newline at the end. Overflow shows in `b`. */
void json_write(struct buf *b, const struct val *v, int indent);

/* Compact JSON text in the arena. */
struct str json_text(struct arena *a, const struct val *v);
