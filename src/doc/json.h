/* JSON text to a struct val with positions (RFC 8259, with Go's encoding/json where that is silent).
 *
 * Rejected: NaN and Infinity, leading zeros, bad UTF-8, NUL bytes, control characters in strings,
 * nesting beyond LIMIT_DOC_DEPTH, text beyond max_bytes, anything after the value. A lone
 * surrogate becomes U+FFFD. Numbers get their canonical text (1.0 reads as the integer 1, integers
 * beyond 64 bits as float64) unless raw_numbers is set. Runs on: any thread. */
#pragma once
#include "doc/doc_error.h"
#include "doc/val.h"

struct json_opts {
    uint16_t file;           /* index for diagnostics */
    bool strict;             /* a duplicate key is an error; else the last one wins */
    bool raw_numbers;        /* keep number text as it was written: 1.0, 1e3 */
    size_t max_bytes;        /* 0: LIMIT_DOC_BYTES */
    struct doc_error *where; /* may be NULL: filled on failure */
};

/* `opts` may be NULL. The result does not point into `text`. */
bool json_parse(struct arena *a, struct str text, const struct json_opts *opts, struct val *out,
                struct err *e);
