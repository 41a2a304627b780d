/* The plain view of a run: one line for each transition, for pipes, logs and CI.
 *
 *   12:03:04.120 train(3) SUCCEEDED 12.3s
 *   12:03:04.180 eval FAILED 0.42s: exit code 1
 * The state word is always there. Steps that run or wait are shown, groups are not; PENDING only
 * with a reason. Log lines are "name: text". Time comes in. Runs on: one thread. */
#pragma once
#include "cli/style.h"
#include "doc/val.h"

struct plain;
struct plain *plain_new(struct style style, int tz_s);
void plain_free(struct plain *p); /* NULL is fine */
/* Feeds one change; lines (none, one) go to `out`. True: the line says that a step failed. */
bool plain_feed(struct plain *p, const struct val *change, int64_t now_us, struct buf *out);
