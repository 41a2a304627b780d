/* Who asks too often: bounded tables of addresses, or networks (os/sender.h), for wrong tokens and for requests at all. Pure but for
 * their memory: the time comes in. Runs on: one thread. */
#pragma once
#include "base/str.h"

/* Who shows wrong tokens again and again is not listened to for a while. */
enum { RATE_FAILURES = 10, RATE_WINDOW_S = 60 };

struct auth_rate;
struct auth_rate *auth_rate_new(void);
void auth_rate_free(struct auth_rate *r); /* NULL is fine */
void auth_rate_failed(struct auth_rate *r, struct str address, int64_t mono_us);
/* Seconds until `address` is listened to again; 0: it is. */
int auth_rate_wait_s(const struct auth_rate *r, struct str address, int64_t mono_us);

/* So many requests a second may come from an address: as many at once after a rest, then one after the other. */
struct auth_pace;
/* per_s: 1 to LIMIT_API_RATE; local: this machine's own addresses (127.0.0.0/8, ::1), too. */
struct auth_pace *auth_pace_new(int64_t per_s, bool local);
void auth_pace_free(struct auth_pace *p); /* NULL is fine */
/* One more from `address`. False: it is one too many, and does not count; within a second there is room again. */
bool auth_pace_take(struct auth_pace *p, struct str address, int64_t mono_us);
