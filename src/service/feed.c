/* Feeds: what is made for clients in small pieces, one after the other, so that all of them together leave most of the
 * loop to the engine. */
#include "service/service_p.h"

enum {
    TURN_US = 4000, /* of one turn, all feeds together */
    REST = 3        /* times as long as they took they rest, while there is more to do */
};

static void wake_at(struct service *s, int64_t after_us)
{
    if (s->feed_timer && !loop_timer_armed(s->feed_timer)) loop_timer_arm_us(s->feed_timer, after_us);
}

void feeds_wake(struct service *s)
{
    if (s->feeds.n) wake_at(s, MAX(s->feeds_rest_until_us - loop_now_us(), 0));
}

/* Each gets a piece in its turn, until none has anything to do. */
static void feeds_turn(void *user)
{
    struct service *s = user;
    int64_t begun_us = loop_now_us(), took_us = 0;
    size_t idle = 0;
    if (s->exec && !exec_settle(s->exec)) return;
    while (idle < s->feeds.n && took_us < TURN_US) {
        s->feed_next = (s->feed_next + 1) % s->feeds.n;
        struct feed *f = s->feeds.items[s->feed_next];
        idle = f->piece(f) ? 0 : idle + 1;
        took_us = loop_now_us() - begun_us;
    }
    s->feeds_rest_until_us = begun_us + took_us * (1 + REST);
    if (idle < s->feeds.n) wake_at(s, took_us * REST);
}

void feed_add(struct service *s, struct feed *f)
{
    if (!s->feed_timer) s->feed_timer = loop_timer_new(s->loop, feeds_turn, s);
    VEC_PUSH(&s->feeds, f);
    feeds_wake(s);
}

void feed_remove(struct service *s, struct feed *f)
{
    for (size_t i = 0; i < s->feeds.n; i++)
        if (s->feeds.items[i] == f) {
            s->feeds.items[i] = s->feeds.items[--s->feeds.n];
            break;
        }
    if (s->feeds.n) return;
    shown_drop(s);
    VEC_FINI(&s->feeds);
    loop_timer_free(s->feed_timer);
    s->feed_timer = NULL;
}
