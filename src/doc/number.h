/* Numbers as the text that Go's encoding/json would print. Pure; any thread. */
#pragma once
#include "doc/val.h"

enum { NUMBER_TEXT_MAX = 32 };

/* Shortest text that reads back to `d`; exponent form below 1e-6 and from 1e21 on. `d` is finite.
 * Returns the length. */
size_t number_text(char out[NUMBER_TEXT_MAX], double d);

/* A float64 as a value: VAL_INT when its text has no fraction or exponent, as after a trip through
 * JSON, else VAL_FLOAT. Negative zero becomes 0: as an integer it has no other text. */
struct val number_val(struct arena *a, double d);

/* A whole number of `magnitude` as VAL_INT. */
struct val number_int(struct arena *a, bool negative, uint64_t magnitude);

/* strtod on a str of any length (C locale); false when it is not a number to its end or out of
 * float64's range. The caller has checked the syntax: strtod's own extras are not filtered. */
bool number_read(struct str s, double *out);
