/* See closest.h. Three rows of the distance matrix at a time. */
#include "doc/closest.h"

enum { WORD_MAX = 64 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static size_t min3(size_t a, size_t b, size_t c) { return MIN(MIN(a, b), c); }

size_t str_distance(struct str a, struct str b, size_t max)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *two_up = rows[0], *up = rows[1], *row = rows[2];
    size_t gap = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (a.n > WORD_MAX || b.n > WORD_MAX) return str_eq(a, b) ? 0 : max + 1;
    if (gap > max) return max + 1;
    for (size_t j = 0; j <= b.n; j++) up[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t best = row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (x != y));
            bool swapped = i > 1 && j > 1 && x == lower(b.p[j - 2]) && lower(a.p[i - 2]) == y;
            if (swapped) row[j] = MIN(row[j], two_up[j - 2] + 1);
            best = MIN(best, row[j]);
        }
        if (best > max) return max + 1;
        size_t *old = two_up;
        two_up = up;
        up = row;
        row = old;
    }
    return MIN(up[b.n], max + 1);
}

struct str str_closest_only(struct str word, const struct str *candidates, size_t n)
{
    struct str hit = str_closest(word, candidates, n);
    if (!hit.p) return hit;
    size_t best = str_distance(word, hit, word.n);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(candidates[i], hit) && str_distance(word, candidates[i], best) <= best) return STR_NONE;
    return hit;
}

struct str str_closest(struct str word, const struct str *candidates, size_t n)
{
    size_t best = MAX(word.n / 3, (size_t)1);
    struct str hit = STR_NONE;
    for (size_t i = 0; i < n; i++) {
        size_t d = str_distance(word, candidates[i], best);
        if (d > best || (hit.p && d == best)) continue;
        if (d >= MAX(word.n, candidates[i].n)) continue; /* nothing in common */
        best = d;
        hit = candidates[i];
    }
    return hit;
}
