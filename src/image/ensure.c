/* Images on a loop: a thread for each image that is being got, shared by all who want it. See image.h. */
#include <fcntl.h>

#include "base/vec.h"
#include "image/store_p.h"
#include "os/fd.h"

struct flight { /* one image under way */
    struct image_puller *puller;
    struct arena a; /* the thread's, until it has ended */
    struct image_ref ref;
    struct image_platform platform;
    enum image_policy policy;
    struct image_progress progress;
    atomic_bool cancelled;
    pthread_t thread;
    VEC(struct image_waiter *) waiters;
    bool told;
    bool ok;
    int hold;
    struct image_info info;
    struct err err;
};

struct image_waiter {
    struct flight *flight;
    image_done_fn *done;
    void *user;
};

struct image_puller {
    struct loop *loop;
    struct image_store *store;
    struct loop_channel *channel;
    VEC(struct flight *) flights;
};

/* ---- the thread ---- */

/* Twice to the loop: when it is known how it went, and when it is over. */
static void *work(void *user)
{
    struct flight *f = user;
    struct image_get g = {.ref = &f->ref, .platform = &f->platform, .policy = f->policy, .cancelled = &f->cancelled, .progress = &f->progress};
    struct err ignored;
    f->ok = image_get(&f->a, f->puller->store, &g, &f->info, &f->hold, &f->err);
    while (!loop_channel_send(f->puller->channel, f)) continue;
    if (f->ok) image_settle(f->puller->store, &f->info, &ignored); /* else the next one who gets it does */
    while (!loop_channel_send(f->puller->channel, f)) continue;
    return NULL;
}

/* ---- the loop ---- */

static void flight_drop(struct flight *f)
{
    struct image_puller *p = f->puller;
    for (size_t i = 0; i < p->flights.n; i++)
        if (p->flights.items[i] == f) {
            p->flights.items[i] = p->flights.items[p->flights.n - 1];
            p->flights.n--;
            break;
        }
    close_fd(&f->hold);
    for (size_t i = 0; i < f->waiters.n; i++) free(f->waiters.items[i]);
    VEC_FINI(&f->waiters);
    arena_fini(&f->a);
    free(f);
}

static void on_message(void *user, void *message)
{
    struct flight *f = message;
    (void)user;
    if (f->told) {
        pthread_join(f->thread, NULL);
        flight_drop(f);
        return;
    }
    f->told = true;
    while (f->waiters.n) {
        struct image_waiter *w = f->waiters.items[0];
        f->waiters.items[0] = f->waiters.items[--f->waiters.n];
        int hold = f->ok ? fcntl(f->hold, F_DUPFD_CLOEXEC, 3) : -1; /* the lock goes with it */
        if (f->ok && hold < 0) err_sys(&f->err, "cannot hold an image");
        bool ok = f->ok && hold >= 0;
        w->done(w->user, ok ? &f->info : NULL, hold, ok ? NULL : &f->err);
        free(w);
    }
}

static struct flight *flight_new(struct image_puller *p, const struct image_ref *ref, const struct image_platform *platform,
                                 enum image_policy policy, struct err *e)
{
    struct flight *f = mem_zalloc(sizeof *f);
    *f = (struct flight){.puller = p, .policy = policy, .hold = -1};
    arena_init(&f->a);
    f->ref = (struct image_ref){str_dup(&f->a, ref->host), str_dup(&f->a, ref->path), ref->tag.p ? str_dup(&f->a, ref->tag) : STR_NONE,
                                ref->digest.p ? str_dup(&f->a, ref->digest) : STR_NONE};
    f->platform = (struct image_platform){str_dup(&f->a, platform->os), str_dup(&f->a, platform->arch),
                                          platform->variant.p ? str_dup(&f->a, platform->variant) : STR_NONE};
    VEC_PUSH(&p->flights, f);
    int rc = pthread_create(&f->thread, NULL, work, f);
    if (!rc) return f;
    flight_drop(f);
    err_set(e, ERR_IO, "no thread for an image: %s", strerror(rc));
    return NULL;
}

static struct flight *flight_find(struct image_puller *p, const struct image_ref *ref, const struct image_platform *platform, enum image_policy policy)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < p->flights.n; i++) {
        struct flight *f = p->flights.items[i];
        if (!f->told && !atomic_load(&f->cancelled) && f->policy == policy && image_platform_fits(platform, &f->platform) &&
            str_eq(image_ref_text(&a, &f->ref), image_ref_text(&a, ref)))
            return f;
    }
    return NULL;
}

struct image_waiter *image_ensure_new(struct image_puller *p, const struct image_ref *ref, const struct image_platform *platform,
                                      enum image_policy policy, image_done_fn *done, void *user, struct err *e)
{
    struct image_platform host = image_platform_host();
    if (!platform) platform = &host;
    struct flight *f = flight_find(p, ref, platform, policy);
    if (!f && !(f = flight_new(p, ref, platform, policy, e))) return NULL;
    struct image_waiter *w = mem_zalloc(sizeof *w);
    *w = (struct image_waiter){f, done, user};
    VEC_PUSH(&f->waiters, w);
    return w;
}

void image_ensure_cancel(struct image_waiter *w)
{
    if (!w) return;
    struct flight *f = w->flight;
    for (size_t i = 0; i < f->waiters.n; i++)
        if (f->waiters.items[i] == w) {
            f->waiters.items[i] = f->waiters.items[f->waiters.n - 1];
            f->waiters.n--;
            break;
        }
    free(w);
    if (!f->waiters.n && !f->told) atomic_store(&f->cancelled, true);
}

const struct image_progress *image_ensure_progress(const struct image_waiter *w) { return &w->flight->progress; }

struct image_puller *image_puller_new(struct loop *l, struct image_store *s, struct err *e)
{
    struct image_puller *p = mem_zalloc(sizeof *p);
    *p = (struct image_puller){.loop = l, .store = s};
    p->channel = loop_channel_new(l, on_message, p, e);
    if (p->channel) return p;
    free(p);
    return NULL;
}

static void drop_message(void *user, void *message) { (void)user, (void)message; }

void image_puller_free(struct image_puller *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->flights.n; i++) atomic_store(&p->flights.items[i]->cancelled, true);
    for (size_t i = 0; i < p->flights.n; i++) pthread_join(p->flights.items[i]->thread, NULL);
    loop_channel_free(p->channel, drop_message);
    while (p->flights.n) flight_drop(p->flights.items[0]);
    VEC_FINI(&p->flights);
    free(p);
}
