/* Range: bytes=… of a request (RFC 9110 §14). Pure. */
#pragma once
#include "base/str.h"

enum range_kind {
    RANGE_NONE, /* there is none, or one that may be ignored: several at once, other units, nonsense */
    RANGE_PART, /* 206 */
    RANGE_BAD   /* 416: it begins behind the end */
};
enum range_kind range_parse(struct str header, uint64_t size, uint64_t *from, uint64_t *n);
