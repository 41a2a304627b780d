/* See range.h. */
#include "http/range.h"

/* Digits alone; what is too large for any file counts as that. */
static bool digits(struct str s, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        *out = *out > UINT64_MAX / 16 ? UINT64_MAX / 16 : *out * 10 + (uint64_t)(s.p[i] - '0');
    }
    return s.n > 0;
}

enum range_kind range_parse(struct str header, uint64_t size, uint64_t *from, uint64_t *n)
{
    struct str first, last, unit, spec;
    uint64_t a, b = UINT64_MAX;
    if (!str_set(header) || !str_cut(header, '=', &unit, &spec) || !str_is(unit, "bytes")) return RANGE_NONE;
    if (!str_cut(str_trim(spec), '-', &first, &last)) return RANGE_NONE;
    if (!first.n) { /* the last so many */
        if (!digits(last, &a)) return RANGE_NONE;
        *n = MIN(a, size);
        *from = size - *n;
        return *n ? RANGE_PART : RANGE_BAD;
    }
    if (!digits(first, &a) || (last.n && !digits(last, &b)) || b < a) return RANGE_NONE;
    if (a >= size) return RANGE_BAD;
    *from = a;
    *n = MIN(b, size - 1) - a + 1;
    return RANGE_PART;
}
