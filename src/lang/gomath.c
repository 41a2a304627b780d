/* See gomath.h. Whole exponents by repeated squaring of the fraction, as Go does it; C's pow is exact
 * where Go's is off by a bit, and texts of results show it. */
#include "lang/gomath.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Results that need no computing: C agrees with Go about all of them. */
static bool is_special(double x, double y)
{
    return y == 0 || x == 1 || y == 1 || isnan(x) || isnan(y) || x == 0 || isinf(x) || isinf(y) ||
           y == 0.5 || y == -0.5 || fabs(y) >= 9.2e18;
}

double gomath_pow(double x, double y)
{
    if (is_special(x, y)) return y == 0.5 ? sqrt(x) : y == -0.5 ? 1 / sqrt(x) : pow(x, y);
    double whole, rest = modf(fabs(y), &whole), result = 1;
    if (rest != 0 && x < 0) return (double)NAN;
    if (rest != 0) {
        if (rest > 0.5) {
            rest--;
            whole++;
        }
        result = exp(rest * log(x));
    }
    int64_t exponent = 0;
    int part;
    double base = frexp(x, &part);
    int64_t of_base = part;
    for (int64_t i = (int64_t)whole; i; i >>= 1) {
        if (of_base < -(1 << 12) || of_base > 1 << 12) { /* far out of range, either way */
            exponent += of_base;
            break;
        }
        if (i & 1) {
            result *= base;
            exponent += of_base;
        }
        base *= base;
        of_base *= 2;
        if (base < 0.5) {
            base += base;
            of_base--;
        }
    }
    if (y < 0) {
        result = 1 / result;
        exponent = -exponent;
    }
    return ldexp(result, exponent > 100000 ? 100000 : exponent < -100000 ? -100000 : (int)exponent);
}
