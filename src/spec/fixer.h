/* Machine fixes: reads, checks and edits a text until nothing is left that can be fixed by itself.
 *
 * A round applies every placed fix of the findings, then proves that the text still reads and that
 * every key and scalar which no edit touched is there as before; a fix that fails this is left out. What comes out
 * has no fixable finding left, so a second call changes nothing. Pure; runs on: one thread. */
#pragma once
#include "spec/lint.h"

struct fixed {
    size_t fixes;  /* applied */
    size_t rounds; /* readings that it took */
};

/* Writes the text with its fixes to `out`, which is empty before. `opts` as for spec_lint (files is
 * not used; may be NULL). False only when a limit was passed: `out` is then of no use. */
bool spec_fix(struct str text, const struct lint_opts *opts, struct buf *out, struct fixed *fixed, struct err *e);
