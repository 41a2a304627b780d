/* Who shows wrong tokens again and again is not listened to for a while: a bounded table of addresses. IPv6 addresses count by
 * their first 64 bits. Pure but for its memory: the time comes in. Runs on: one thread. */
#pragma once
#include "base/str.h"

enum { RATE_FAILURES = 10, RATE_WINDOW_S = 60 };

struct auth_rate;
struct auth_rate *auth_rate_new(void);
void auth_rate_free(struct auth_rate *r); /* NULL is fine */
void auth_rate_failed(struct auth_rate *r, struct str address, int64_t mono_us);
/* Seconds until `address` is listened to again; 0: it is. */
int auth_rate_wait_s(const struct auth_rate *r, struct str address, int64_t mono_us);
