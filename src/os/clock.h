/* The two clocks. Runs on: any thread. */
#pragma once
#include "base/base.h"

int64_t clock_now_us(void);  /* wall, microseconds since 1970 */
int64_t clock_now_ns(void);  /* wall, nanoseconds */
int64_t clock_mono_us(void); /* monotonic, for durations and deadlines */
