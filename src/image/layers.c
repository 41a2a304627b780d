/* The layers of one image, several at once: each is fetched and unpacked by one thread. See store_p.h. */
#include <errno.h>
#include <time.h>

#include "image/store_p.h"
#include "os/fd.h"

enum { LOOK_NS = 100000000, PARALLEL = 4 };

struct crew {
    struct image_store *s;
    struct layers_job *j;
    pthread_mutex_t mutex;
    pthread_cond_t quit;
    size_t next, at_work;
    atomic_bool stop;
    struct err err;
};

static bool layer_do(struct crew *c, struct arena *a, size_t i, size_t n_below, const atomic_bool *stop, struct err *e)
{
    struct layers_job *j = c->j;
    struct layer_from from = {0};
    struct image_progress_layer *p = j->progress ? &j->progress->layers[i] : NULL;
    struct layer_work *w = &j->works[i];
    if (!layer_look(a, c->s, w)) {
        if (!j->fetch(j->user, a, i, w, stop, &from, e)) return false;
        from.cancelled = stop;
        from.progress = p;
        bool ok = layer_make(a, c->s, w, j->works, n_below, &from, e);
        if (from.own) close_fd(&from.source.fd);
        if (!ok) return false;
    }
    if (p && w->done) atomic_store(&p->stage, IMAGE_READY);
    return true;
}

static void failed(struct crew *c, const struct err *e)
{
    pthread_mutex_lock(&c->mutex);
    if (!c->err.code) c->err = *e;
    pthread_mutex_unlock(&c->mutex);
    atomic_store(&c->stop, true);
}

static void *hand(void *user)
{
    struct crew *c = user;
    for (;;) {
        struct arena a CLEANUP(arena_fini);
        struct err e = {0};
        arena_init(&a);
        pthread_mutex_lock(&c->mutex);
        size_t i = c->next < c->j->n ? c->next++ : SIZE_MAX;
        pthread_mutex_unlock(&c->mutex);
        if (i == SIZE_MAX || atomic_load(&c->stop)) break;
        if (!layer_do(c, &a, i, 0, &c->stop, &e)) failed(c, &e);
    }
    pthread_mutex_lock(&c->mutex);
    c->at_work--;
    pthread_cond_signal(&c->quit);
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Until all have gone; passes on that nobody wants the image any more. */
static void supervise(struct crew *c)
{
    pthread_mutex_lock(&c->mutex);
    while (c->at_work) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->quit, &c->mutex, &until);
        if (c->j->cancelled && atomic_load(c->j->cancelled)) atomic_store(&c->stop, true);
    }
    pthread_mutex_unlock(&c->mutex);
}

static void crew_run(struct crew *c)
{
    pthread_t threads[LIMIT_IMAGE_DOWNLOADS];
    int want = c->j->parallel > 0 ? MIN(c->j->parallel, LIMIT_IMAGE_DOWNLOADS) : PARALLEL, n = 0;
    c->at_work = MIN((size_t)want, c->j->n);
    for (size_t i = 0; i < MIN((size_t)want, c->j->n); i++) {
        int rc = pthread_create(&threads[n], NULL, hand, c);
        if (!rc) {
            n++;
            continue;
        }
        struct err e;
        err_set(&e, ERR_IO, "no thread for a layer: %s", strerror(rc));
        failed(c, &e);
        pthread_mutex_lock(&c->mutex);
        c->at_work--;
        pthread_mutex_unlock(&c->mutex);
    }
    supervise(c);
    while (n) pthread_join(threads[--n], NULL);
}

/* What was put aside, now that the layers below are there; from the lowest up. */
static bool rest_make(struct arena *a, struct crew *c, struct err *e)
{
    for (size_t i = 0; i < c->j->n; i++) {
        struct layer_work *w = &c->j->works[i];
        if (c->j->cancelled && atomic_load(c->j->cancelled)) return err_set(e, ERR_TIMEOUT, "not wanted any more");
        w->done = false; /* texts of its thread are gone */
        if (!layer_do(c, a, i, i, c->j->cancelled, e)) return false;
        if (!w->done) return err_set(e, ERR_INTERNAL, "a layer needs more than the layers below it");
    }
    return true;
}

bool layers_make(struct arena *a, struct image_store *s, struct layers_job *j, struct err *e)
{
    struct crew c = {.s = s, .j = j};
    pthread_mutex_init(&c.mutex, NULL);
    pthread_cond_init(&c.quit, NULL);
    crew_run(&c);
    pthread_cond_destroy(&c.quit);
    pthread_mutex_destroy(&c.mutex);
    if (!c.err.code && atomic_load(&c.stop)) err_set(&c.err, ERR_TIMEOUT, "not wanted any more");
    if (c.err.code) {
        if (e) *e = c.err;
        return false;
    }
    return rest_make(a, &c, e);
}
