/* YAML text in its usual form, by edits of white space: two columns for each level of a map, the
 * dashes of a list under the key that it belongs to, no white space at the ends of lines, no more than one blank
 * line in a row, one line feed at the end.
 *
 * Everything else keeps its bytes: comments, keys and their order, quotes, brackets, texts in blocks
 * (which move as a whole). The result reads to an equal value, or the text is left as it is; a second call
 * changes nothing. JSON texts are left alone. Pure; runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* Appends to `out`. False when the text is no YAML (ERR_SPEC) or a limit was passed. */
bool yaml_format(struct str text, struct buf *out, struct err *e);
