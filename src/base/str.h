/* Strings: `struct str` by value for reading, `struct buf` with a compulsory maximum for building.
 *
 * A str does not own its bytes and may hold NULs; results made in an arena are also
 * NUL-terminated. `p == NULL` means "absent", which is not the same as "" (`p != NULL, n == 0`).
 * Runs on: any thread. */
#pragma once
#include "base/arena.h"
#include "base/base.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *z) { return (struct str){z, z ? strlen(z) : 0}; }
static inline struct str str_n(const char *p, size_t n) { return (struct str){p, n}; }
static inline bool str_set(struct str s) { return s.p != NULL; }
/* Names are short: two overlapping words tell sooner than a call of memcmp. */
static inline bool bytes_eq(const char *a, const char *b, size_t n)
{
    uint64_t x, y, v, w;
    uint32_t s, t, q, r;
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8) {
        memcpy(&x, a, 8), memcpy(&y, b, 8), memcpy(&v, a + n - 8, 8), memcpy(&w, b + n - 8, 8);
        return x == y && v == w;
    }
    if (n >= 4) {
        memcpy(&s, a, 4), memcpy(&t, b, 4), memcpy(&q, a + n - 4, 4), memcpy(&r, b + n - 4, 4);
        return s == t && q == r;
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}
static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && bytes_eq(a.p, b.p, a.n); }
static inline bool str_is(struct str a, const char *z) { return str_eq(a, str_of(z)); }
/* One of the characters of `set`; NUL never is (strchr would find the end of the set). */
static inline bool char_is_one_of(char c, const char *set) { return c && strchr(set, c); }
static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}
/* From byte `from` (clamped) to the end; and the `n` bytes (clamped) from there. */
static inline struct str str_from(struct str s, size_t from)
{
    if (from > s.n) from = s.n;
    return (struct str){s.p + from, s.n - from};
}
static inline struct str str_sub(struct str s, size_t from, size_t n)
{
    s = str_from(s, from);
    if (n < s.n) s.n = n;
    return s;
}
struct str str_trim(struct str s); /* ASCII white space at both ends */
int str_cmp(struct str a, struct str b); /* bytewise, as memcmp; shorter first */
/* Index of the first occurrence at or after `from`, or -1. */
ptrdiff_t str_find(struct str s, struct str what, size_t from);
ptrdiff_t str_find_char(struct str s, char c, size_t from);
/* Splits at the first `sep`: head and rest; false (head = s, rest = absent) when there is none. */
bool str_cut(struct str s, char sep, struct str *head, struct str *rest);
bool str_has_word(struct str list, char sep, struct str word); /* between `sep`s; an empty one never */
uint64_t str_hash(struct str s);
bool str_to_i64(struct str s, int64_t *out);    /* whole text, decimal, optional sign */
bool str_to_double(struct str s, double *out);  /* whole text, C locale, no inf/nan/hex */

/* Copies that live as long as the arena, NUL-terminated. */
struct str str_dup(struct arena *a, struct str s);
struct str str_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct str str_cat(struct arena *a, struct str x, struct str y);
const char *str_z(struct arena *a, struct str s);
/* Decodes %XX, and '+' as a space when `plus`. False: a bad escape, or a NUL. */
bool str_percent_decode(struct arena *a, struct str s, bool plus, struct str *out);

/* A growing byte string. Once an append would pass `max`, `overflow` is set, nothing more is
 * appended and the caller reports ERR_LIMIT; buf_str is then the part that fitted. */
struct buf {
    char *p;
    size_t n, cap, max;
    bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* may be called twice, and by CLEANUP(buf_fini) */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v); /* decimal */
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for n more bytes at the end, or NULL on overflow; then buf_added(n). */
char *buf_room(struct buf *b, size_t n);
static inline void buf_added(struct buf *b, size_t n) { b->n += n; }
static inline struct str buf_view(const struct buf *b) { return (struct str){b->p ? b->p : "", b->n}; }
struct str buf_dup(struct arena *a, const struct buf *b);
/* JSON string with quotes; HTML characters stay as they are; bad UTF-8 becomes U+FFFD (as Go). */
void buf_json(struct buf *b, struct str s);
