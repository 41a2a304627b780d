/* What `skiff explain` says: of a finding's code, a field of the documents, a setting, the images table.
 * Made from the tables. Runs on: any thread. */
#pragma once
#include "base/str.h"

/* False when nothing is known of the word; `b` is then as before. */
bool explain_write(struct arena *a, struct buf *b, struct str word);
/* docs/fields.md: every field of every type with what this version does with it. */
void explain_page_write(struct arena *a, struct buf *b);
