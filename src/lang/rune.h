/* Code points: UTF-8, and the parts of Go's package unicode that the small languages lean on.
 *
 * Classes and cases are complete for ASCII and for the Latin, Greek and Cyrillic blocks; elsewhere
 * everything that is not known to be a space, digit, mark or symbol counts as a letter without
 * case. Runs on: any thread; pure. */
#pragma once
#include "base/str.h"

/* The first character of s (n >= 1): its code point and length; a byte that is not UTF-8 gives
 * U+FFFD and 1. */
uint32_t rune_read_wide(struct str s, size_t *len); /* one that is not ASCII */
static inline uint32_t rune_read(struct str s, size_t *len)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c >= 0x80) return rune_read_wide(s, len);
    *len = 1;
    return c;
}
void rune_put(struct buf *b, uint32_t rune); /* invalid code points as U+FFFD */
size_t rune_count(struct str s);             /* utf8.RuneCountInString */
/* Byte offset of the n-th character (clamped to the end). */
size_t rune_offset(struct str s, size_t n);

bool rune_is_letter(uint32_t r);
bool rune_is_digit(uint32_t r);
bool rune_is_wide_space(uint32_t r);
static inline bool rune_is_space(uint32_t r)
{
    return r < 0x80 ? r == ' ' || (r >= 9 && r <= 13) : rune_is_wide_space(r);
}
bool rune_prints(uint32_t r); /* unicode.IsPrint, unassigned code points taken as printable */
uint32_t rune_upper(uint32_t r);
uint32_t rune_lower(uint32_t r);

struct str rune_upper_all(struct arena *a, struct str s);
struct str rune_lower_all(struct arena *a, struct str s);
struct str rune_trim_space(struct str s); /* strings.TrimSpace */
