/* Durations and times as people read them, in the words of the argo command. Pure: `now` comes in.
 * Runs on: any thread. */
#pragma once
#include "base/str.h"

void human_short(struct buf *b, int64_t us); /* 0s 59s 3m 1h 2d */
void human_long(struct buf *b, int64_t us);  /* 1 minute 12 seconds */
void human_ago(struct buf *b, int64_t now_us, int64_t then_us); /* 3 minutes ago, now, from now */
void human_stamp(struct buf *b, int64_t us, int tz_s); /* Mon Jan 02 15:04:05 +0100 */
void human_exact(struct buf *b, int64_t us); /* 0.42s 12.3s 3m12s 2h05m */
void human_clock(struct buf *b, int64_t us); /* 0:42 1:02:03 */
/* 10m, 3h, 1d, 1h30m (argo's --since and --older) → microseconds; a bare number is refused. */
bool human_parse(struct str s, int64_t *out_us);
