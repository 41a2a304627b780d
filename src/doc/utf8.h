/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates. Pure; any thread. */
#pragma once
#include "base/str.h"

/* Length of the valid sequence at p (1..4) within n bytes, or 0. n > 0. */
size_t utf8_next(const char *p, size_t n);

/* Index of the first byte that is not valid, or s.n. */
size_t utf8_invalid_at(struct str s);

/* Writes code point `c` (a scalar value) to `out`; returns its length. */
size_t utf8_put(char out[4], uint32_t c);
