/* Jobs on pool threads and channels from other threads to the loop. */
#include "base/limits.h"
#include "loop/loop_p.h"

struct job {
    uv_work_t uv;
    loop_fn *work, *done;
    void *user;
};

static void job_work(uv_work_t *w)
{
    struct job *j = w->data;
    j->work(j->user);
}

/* Nothing here cancels, so the status is always 0. */
static void job_done(uv_work_t *w, int status)
{
    struct job *j = w->data;
    ASSERT(status == 0);
    if (j->done) j->done(j->user);
    free(j);
}

void loop_job(struct loop *l, loop_fn *work, loop_fn *done, void *user)
{
    struct job *j = mem_zalloc(sizeof *j);
    *j = (struct job){.work = work, .done = done, .user = user};
    j->uv.data = j;
    int rc = uv_queue_work(&l->uv, &j->uv, job_work, job_done);
    ASSERT(rc == 0);
}

/* `mutex` guards the list of messages; the loop takes them one at a time, so that fn may free the
 * channel and the rest goes to `drop`. */
struct message {
    struct message *next;
    void *ptr;
};

struct loop_channel {
    uv_async_t uv;
    uv_mutex_t mutex;
    struct message *first, **last;
    size_t waiting;
    bool freed;
    loop_message_fn *fn;
    void *user;
};

static bool channel_take(struct loop_channel *c, void **message)
{
    uv_mutex_lock(&c->mutex);
    struct message *m = c->first;
    if (m) {
        c->first = m->next;
        if (!c->first) c->last = &c->first;
        c->waiting--;
        *message = m->ptr;
    }
    uv_mutex_unlock(&c->mutex);
    free(m);
    return m;
}

/* One wake-up may stand for many sends. What arrives while delivering has its own wake-up, so a
 * busy sender cannot keep the loop here. */
static void channel_cb(uv_async_t *h)
{
    struct loop_channel *c = h->data;
    uv_mutex_lock(&c->mutex);
    size_t n = c->waiting;
    uv_mutex_unlock(&c->mutex);
    void *message;
    while (n-- && !c->freed && channel_take(c, &message)) c->fn(c->user, message);
}

struct loop_channel *loop_channel_new(struct loop *l, loop_message_fn *fn, void *user, struct err *e)
{
    struct loop_channel *c = mem_zalloc(sizeof *c);
    *c = (struct loop_channel){.fn = fn, .user = user};
    c->last = &c->first;
    int rc = uv_async_init(&l->uv, &c->uv, channel_cb);
    if (rc) {
        free(c);
        err_set(e, ERR_IO, "cannot make a channel: %s", uv_strerror(rc));
        return NULL;
    }
    c->uv.data = c;
    rc = uv_mutex_init(&c->mutex);
    ASSERT(rc == 0);
    return c;
}

bool loop_channel_send(struct loop_channel *c, void *message)
{
    struct message *m = mem_zalloc(sizeof *m);
    m->ptr = message;
    uv_mutex_lock(&c->mutex);
    bool room = c->waiting < LIMIT_CHANNEL_MESSAGES;
    if (room) {
        *c->last = m;
        c->last = &m->next;
        c->waiting++;
    }
    uv_mutex_unlock(&c->mutex);
    if (room) uv_async_send(&c->uv);
    else free(m);
    return room;
}

void loop_channel_free(struct loop_channel *c, loop_message_fn *drop)
{
    if (!c) return;
    void *message;
    while (channel_take(c, &message))
        if (drop) drop(c->user, message);
    c->freed = true;
    uv_mutex_destroy(&c->mutex);
    loop_handle_free((uv_handle_t *)&c->uv);
}
