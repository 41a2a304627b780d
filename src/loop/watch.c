/* Timers, descriptors and signals of loop.h.
 *
 * A watch holds its libuv handle and is released by the handle's close callback, one turn after
 * *_free; no callback of ours comes in between. */
#include "loop/loop_p.h"

struct loop_timer {
    uv_timer_t uv;
    loop_fn *fn;
    void *user;
};

struct loop_fd {
    uv_poll_t uv;
    unsigned events;
    loop_fd_fn *fn;
    void *user;
};

struct loop_signal {
    uv_signal_t uv;
    loop_fn *fn;
    void *user;
};

_Static_assert((int)LOOP_READ == (int)UV_READABLE && (int)LOOP_WRITE == (int)UV_WRITABLE
                   && (int)LOOP_GONE == (int)UV_DISCONNECT,
               "events are passed through");

static void timer_cb(uv_timer_t *h)
{
    struct loop_timer *t = h->data;
    t->fn(t->user);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *user)
{
    struct loop_timer *t = mem_zalloc(sizeof *t);
    t->fn = fn;
    t->user = user;
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    return t;
}

/* libuv counts whole milliseconds from the loop's own, older clock: from the absolute deadline,
 * rounded up, the timer is never early. At least 1 ms: libuv 1.44 would fire a timer that re-arms
 * itself with 0 over and over in the same turn. */
void loop_timer_arm_us(struct loop_timer *t, int64_t after_us)
{
    int64_t due_us = loop_now_us() + MAX(after_us, (int64_t)0);
    int64_t wait_ms = (due_us + 999) / 1000 - (int64_t)uv_now(t->uv.loop);
    uv_timer_start(&t->uv, timer_cb, (uint64_t)MAX(wait_ms, (int64_t)1), 0);
}

void loop_timer_disarm(struct loop_timer *t) { uv_timer_stop(&t->uv); }
bool loop_timer_armed(const struct loop_timer *t) { return uv_is_active((const uv_handle_t *)&t->uv); }

void loop_timer_free(struct loop_timer *t)
{
    if (t) loop_handle_free((uv_handle_t *)&t->uv);
}

static void poll_cb(uv_poll_t *h, int status, int events)
{
    struct loop_fd *w = h->data;
    if (status < 0) { /* libuv has stopped the handle */
        events = (int)w->events;
        uv_poll_start(&w->uv, events, poll_cb);
    }
    w->fn(w->user, (unsigned)events);
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, loop_fd_fn *fn, void *user, struct err *e)
{
    struct loop_fd *w = mem_zalloc(sizeof *w);
    w->fn = fn;
    w->user = user;
    int rc = uv_poll_init(&l->uv, &w->uv, fd);
    if (rc) {
        free(w);
        err_set(e, ERR_IO, "cannot watch descriptor %d: %s", fd, uv_strerror(rc));
        return NULL;
    }
    w->uv.data = w;
    return w;
}

void loop_fd_watch(struct loop_fd *w, unsigned events)
{
    if (events == w->events) return;
    w->events = events;
    int rc = events ? uv_poll_start(&w->uv, (int)events, poll_cb) : uv_poll_stop(&w->uv);
    ASSERT(rc == 0);
}

void loop_fd_free(struct loop_fd *w)
{
    if (!w) return;
    uv_poll_stop(&w->uv); /* takes it out of epoll now, not when the handle is closed */
    loop_handle_free((uv_handle_t *)&w->uv);
}

static void signal_cb(uv_signal_t *h, int signo)
{
    (void)signo;
    struct loop_signal *s = h->data;
    s->fn(s->user);
}

struct loop_signal *loop_signal_new(struct loop *l, int signo, loop_fn *fn, void *user, struct err *e)
{
    struct loop_signal *s = mem_zalloc(sizeof *s);
    s->fn = fn;
    s->user = user;
    int rc = uv_signal_init(&l->uv, &s->uv);
    if (rc) {
        free(s);
        err_set(e, ERR_IO, "cannot watch signals: %s", uv_strerror(rc));
        return NULL;
    }
    s->uv.data = s;
    rc = uv_signal_start(&s->uv, signal_cb, signo);
    uv_unref((uv_handle_t *)&s->uv);
    if (rc == 0) return s;
    loop_signal_free(s);
    err_set(e, ERR_IO, "cannot watch signal %d: %s", signo, uv_strerror(rc));
    return NULL;
}

void loop_signal_free(struct loop_signal *s)
{
    if (s) loop_handle_free((uv_handle_t *)&s->uv);
}
