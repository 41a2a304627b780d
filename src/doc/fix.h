/* Fixes of diagnostics as edits of the text: placed by where the nodes stand, applied together.
 *
 * Nothing but the edited bytes changes: comments, order, quotes and block scalars stay. A step that
 * cannot be carried out where it would have to be (behind an alias, in a block scalar, on the only pair
 * of a map) leaves its whole diagnostic without edits. Pure; runs on: one thread. */
#pragma once
#include "doc/diag.h"

/* Fills `edits` of every diagnostic whose fix can be placed. Costs one more reading of each file that
 * has fixes, and nothing when there are none. */
void fixes_place(struct diags *d, const struct source_files *files);

/* Writes the text of `file` with the edits of its diagnostics. Of fixes that overlap the first one
 * counts; the others lose their edits. Returns the number of fixes that were applied. */
size_t fixes_apply(struct diags *d, const struct source_files *files, uint16_t file, struct buf *out);
