/* "Did you mean": the candidate nearest to a mistyped word. Pure; any thread. */
#pragma once
#include "base/str.h"

/* Damerau-Levenshtein distance (adjacent swaps count one), case-insensitive; stops at `max` + 1.
 * Words longer than 64 bytes are only compared for equality. */
size_t str_distance(struct str a, struct str b, size_t max);

/* The nearest of `n` candidates, or absent when none is near (at most a third of the word differs). */
struct str str_closest(struct str word, const struct str *candidates, size_t n);
/* The same; absent as well when a second candidate is as near. */
struct str str_closest_only(struct str word, const struct str *candidates, size_t n);
