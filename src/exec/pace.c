/* See pace.h. Instead of tokens one time is kept: each start puts the moment at which the bucket is full again further away. */
#include "exec/pace.h"

#include "base/base.h"

void pace_init(struct pace *p, int64_t milli, int64_t burst)
{
    *p = (struct pace){.every_us = milli > 0 ? MAX(1000000000 / milli, 1) : 0, .burst = burst};
}

int64_t pace_next(const struct pace *p) { return p->every_us ? p->full_us - (p->burst - 1) * p->every_us : INT64_MIN; }

bool pace_take(struct pace *p, int64_t now_us)
{
    if (!p->every_us) return true;
    if (now_us < pace_next(p)) return false;
    p->full_us = MAX(p->full_us, now_us) + p->every_us;
    return true;
}
