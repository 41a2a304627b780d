/* Findings as SARIF 2.1.0, the form that code scanners exchange: rules from the table of codes, places,
 * and fixes as replacements of bytes. Format reference: OASIS sarif-v2.1.0. Pure; any thread. */
#pragma once
#include "spec/lint.h"

/* One log with one run. Edits are included where fixes_place has made them. */
void sarif_write(struct buf *b, const struct diags *d, const struct source_files *files);
