/* See rate.h. The tables are as that of check.c: a flood of addresses takes the places of others, and memory stays what it is. */
#include "auth/rate.h"

#include "base/limits.h"
#include "os/sender.h"

enum { SETS = 256, BUCKET_SETS = 1024, WAYS = 8, S = 1000000, NS_PER_US = 1000, NS_PER_S = 1000000000 };

/* Begins with an address' first failure. The oldest one gives way. */
struct window {
    uint64_t who; /* 0: free */
    int64_t began_us;
    unsigned failures;
};

struct auth_rate {
    struct window windows[SETS][WAYS];
};

struct auth_rate *auth_rate_new(void) { return mem_zalloc(sizeof(struct auth_rate)); }
void auth_rate_free(struct auth_rate *r) { free(r); }

static uint64_t key_of(struct str address)
{
    char key[SENDER_BYTES];
    struct str sender = sender_of_text(address, key);
    return str_hash(sender.n ? sender : address) | 1;
}

static struct window *window_find(const struct auth_rate *r, uint64_t who, int64_t mono_us)
{
    const struct window *set = r->windows[(who >> 1) % SETS];
    for (int i = 0; i < WAYS; i++)
        if (set[i].who == who && mono_us - set[i].began_us < (int64_t)RATE_WINDOW_S * S) return (struct window *)(uintptr_t)&set[i];
    return NULL;
}

void auth_rate_failed(struct auth_rate *r, struct str address, int64_t mono_us)
{
    uint64_t who = key_of(address);
    struct window *w = window_find(r, who, mono_us), *set = r->windows[(who >> 1) % SETS];
    if (!w) {
        w = set;
        for (int i = 0; i < WAYS; i++) {
            if (set[i].who == who) w = &set[i]; /* its window is over */
            if (set[i].who == who) break;
            if (set[i].began_us < w->began_us || !set[i].who) w = &set[i];
        }
        *w = (struct window){.who = who, .began_us = mono_us};
    }
    if (w->failures < RATE_FAILURES) w->failures++;
}

int auth_rate_wait_s(const struct auth_rate *r, struct str address, int64_t mono_us)
{
    const struct window *w = window_find(r, key_of(address), mono_us);
    if (!w || w->failures < RATE_FAILURES) return 0;
    return (int)((w->began_us + (int64_t)RATE_WINDOW_S * S - mono_us + S - 1) / S);
}

/* ---- requests ---- */

/* What is in it follows from when it will be full again, if nothing is taken: nobody has to fill it. */
struct bucket {
    uint64_t who;
    int64_t full_ns;
};

struct auth_pace {
    int64_t per_s, each_ns; /* a request takes what fills in this time */
    bool local;
    struct bucket buckets[BUCKET_SETS][WAYS];
};

struct auth_pace *auth_pace_new(int64_t per_s, bool local)
{
    struct auth_pace *p = mem_zalloc(sizeof *p);
    ASSERT(per_s > 0 && per_s <= LIMIT_API_RATE);
    p->per_s = per_s;
    p->each_ns = NS_PER_S / per_s;
    p->local = local;
    return p;
}

void auth_pace_free(struct auth_pace *p) { free(p); }

static bool is_local(struct str address) { return str_starts(address, STR("127.")) || str_is(address, "::1"); }

/* Who is new gets the fullest of his set as it is. One that is full again is nobody's; when none is, so many are there that they
 * share: all together never get more than the whole table has. */
static struct bucket *bucket_of(struct auth_pace *p, uint64_t who)
{
    struct bucket *set = p->buckets[(who >> 1) % BUCKET_SETS], *fullest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].who == who) return &set[i];
        if (set[i].full_ns < fullest->full_ns) fullest = &set[i];
    }
    fullest->who = who;
    return fullest;
}

bool auth_pace_take(struct auth_pace *p, struct str address, int64_t mono_us)
{
    int64_t now_ns = mono_us * NS_PER_US;
    if (!p->local && is_local(address)) return true;
    struct bucket *b = bucket_of(p, key_of(address));
    int64_t full_ns = MAX(b->full_ns, now_ns) + p->each_ns;
    if (full_ns - now_ns > p->per_s * p->each_ns) return false;
    b->full_ns = full_ns;
    return true;
}
