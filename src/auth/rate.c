/* See rate.h. An address has a window that begins with its first failure. The table is as that of check.c: a flood of addresses
 * replaces the oldest windows, and memory stays what it is. */
#include "auth/rate.h"

#include <arpa/inet.h>

enum { SETS = 256, WAYS = 8, S = 1000000 };

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

/* Of an IPv6 address, however it is written, the first 64 bits. */
static struct str network_of(struct str address, unsigned char bits[sizeof(struct in6_addr)])
{
    char text[INET6_ADDRSTRLEN];
    struct str plain, interface;
    enum { NETWORK_BYTES = 8 };
    str_cut(address, '%', &plain, &interface);
    snprintf(text, sizeof text, "%.*s", STR_ARG(plain));
    return inet_pton(AF_INET6, text, bits) == 1 ? str_n((const char *)bits, NETWORK_BYTES) : plain;
}

static uint64_t key_of(struct str address)
{
    unsigned char bits[sizeof(struct in6_addr)];
    return str_hash(network_of(address, bits)) | 1;
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
