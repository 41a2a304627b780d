/* Go's math.Pow, whose last digit differs from C's. Inside of lang. */
#pragma once

double gomath_pow(double x, double y);
