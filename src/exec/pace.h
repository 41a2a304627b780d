/* How often something may begin: so many at once, and one more each time that a part of a second has passed. Pure.
 * Source of the rule: Argo's resourceRateLimit (a bucket of tokens, golang.org/x/time/rate). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct pace {
    int64_t every_us; /* 0: no limit */
    int64_t burst;
    int64_t full_us;  /* when all of them may begin at once again */
};

/* `milli`: thousandths of one a second; 0: no limit. burst >= 1. */
void pace_init(struct pace *p, int64_t milli, int64_t burst);
/* When the next one may begin; in the past or now: at once. */
int64_t pace_next(const struct pace *p);
/* One begins: false when it is too early. */
bool pace_take(struct pace *p, int64_t now_us);
