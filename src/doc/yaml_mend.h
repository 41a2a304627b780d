/* Fixes of texts that are no YAML yet: a template tag that needs quotes, tabs that indent. The steps are
 * FIX_TEXT, since nothing has a place in a tree. Pure; runs on: one thread. */
#pragma once
#include "doc/diag.h"

/* Adds steps to a reader's complaint when its place in `text` shows one of these. */
void yaml_mend(struct diags *d, struct diag *g, struct str text);
