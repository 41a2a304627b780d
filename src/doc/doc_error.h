/* Where and why a text could not be read: what the JSON and YAML readers say beside a struct err.
 *
 * The same text stands in err.text, prefixed "LINE:COL: ". Runs on: any thread. */
#pragma once
#include "base/base.h"

enum { DOC_ERROR_TEXT = 400, DOC_ERROR_HINT = 200 };

struct doc_error {
    uint16_t file;             /* as given in the options */
    uint32_t line, col;        /* from 1, col in bytes; 0 = unknown */
    uint32_t len;              /* bytes to underline; 0 = unknown */
    uint32_t first_line, first_col; /* duplicate key: where the first one stood; else 0 */
    char text[DOC_ERROR_TEXT]; /* without position */
    char hint[DOC_ERROR_HINT]; /* what to do about it; "" = nothing known */
};
