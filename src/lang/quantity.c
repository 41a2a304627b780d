/* See quantity.h. */
#include "lang/quantity.h"

enum { DIGITS_MAX = 18, EXPONENT_MAX = 30 };

struct suffix {
    const char *text;
    int ten, two; /* times 10^ten * 2^two */
};
static const struct suffix suffixes[] = {
    {"n", -9, 0}, {"u", -6, 0}, {"m", -3, 0}, {"", 0, 0},  {"k", 3, 0},  {"M", 6, 0},  {"G", 9, 0},  {"T", 12, 0}, {"P", 15, 0},
    {"E", 18, 0}, {"Ki", 0, 10}, {"Mi", 0, 20}, {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60}};

/* Digits with a point; *ten counts those behind it. */
static bool mantissa(struct str *text, __int128 *value, int *ten)
{
    size_t i = 0, digits = 0;
    bool point = false;
    for (*value = 0, *ten = 0; i < text->n; i++) {
        char c = text->p[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') break;
        if (++digits > DIGITS_MAX) return false;
        *value = *value * 10 + (c - '0');
        *ten -= point;
    }
    *text = str_from(*text, i);
    return digits > 0;
}

static bool scale(struct str text, int *ten, int *two)
{
    int64_t exponent;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (!str_is(text, suffixes[i].text)) continue;
        *ten += suffixes[i].ten;
        *two = suffixes[i].two;
        return true;
    }
    if (text.n < 2 || (text.p[0] != 'e' && text.p[0] != 'E') || !str_to_i64(str_from(text, 1), &exponent)) return false;
    if (exponent < -EXPONENT_MAX || exponent > EXPONENT_MAX) return false;
    *ten += (int)exponent;
    return true;
}

bool quantity_milli(struct str text, int64_t *out)
{
    bool negative = text.n && text.p[0] == '-', rest = false;
    __int128 v;
    int ten, two = 0;
    if (text.n && (text.p[0] == '-' || text.p[0] == '+')) text = str_from(text, 1);
    if (!mantissa(&text, &v, &ten) || !scale(text, &ten, &two)) return false;
    for (ten += 3; two > 0; two--)
        if ((v *= 2) > (__int128)INT64_MAX << 32) return false;
    for (; ten > 0; ten--)
        if ((v *= 10) > (__int128)INT64_MAX << 32) return false;
    for (; ten < 0; ten++) {
        rest |= v % 10 != 0;
        v /= 10;
    }
    v += rest;
    if (v > INT64_MAX) return false;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}
