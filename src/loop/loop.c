/* The loop itself: turns and the hooks before each sleep. Reference: libuv design overview. */
#include "loop/loop_p.h"

enum { OWN_HANDLES = 2 }; /* prepare and idle */

static void idle_cb(uv_idle_t *h) { uv_idle_stop(h); }

static void prepare_cb(uv_prepare_t *h)
{
    struct loop *l = h->data;
    loop_hooks_run(l);
    if (l->again) uv_idle_start(&l->idle, idle_cb);
    l->again = false;
}

struct loop *loop_new(struct err *e)
{
    struct loop *l = mem_zalloc(sizeof *l);
    int rc = uv_loop_init(&l->uv);
    if (rc) {
        free(l);
        err_set(e, ERR_IO, "cannot make an event loop: %s", uv_strerror(rc));
        return NULL;
    }
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->idle);
    l->prepare.data = l->idle.data = l;
    uv_prepare_start(&l->prepare, prepare_cb);
    uv_unref((uv_handle_t *)&l->prepare);
    return l;
}

static void count_open(uv_handle_t *h, void *n)
{
    if (!uv_is_closing(h)) ++*(int *)n;
}

void loop_free(struct loop *l)
{
    if (!l) return;
    ASSERT(l->hooks.n == 0);
    int open = 0;
    uv_walk(&l->uv, count_open, &open);
    ASSERT(open == OWN_HANDLES);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT)) {} /* jobs end, closed handles are released; a stop that nobody has seen ends one round */
    int rc = uv_loop_close(&l->uv);
    ASSERT(rc == 0);
    VEC_FINI(&l->hooks);
    free(l);
}

void loop_run(struct loop *l) { uv_run(&l->uv, UV_RUN_DEFAULT); }
void loop_stop(struct loop *l) { uv_stop(&l->uv); }
void loop_again(struct loop *l) { l->again = true; }
int64_t loop_now_us(void) { return (int64_t)(uv_hrtime() / 1000); }

bool loop_turn(struct loop *l, bool may_sleep)
{
    return uv_run(&l->uv, may_sleep ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
}

static void free_data_cb(uv_handle_t *h) { free(h->data); }

void loop_handle_free(uv_handle_t *h) { uv_close(h, free_data_cb); }

struct loop_hook *loop_hook_new(struct loop *l, enum loop_hook_phase phase, loop_fn *fn, void *user)
{
    struct loop_hook *h = mem_zalloc(sizeof *h);
    *h = (struct loop_hook){.loop = l, .phase = phase, .fn = fn, .user = user};
    VEC_PUSH(&l->hooks, h);
    return h;
}

/* Removes the hooks that were freed. Not during a round: it walks the array. */
static void hooks_sweep(struct loop *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->hooks.n; i++) {
        if (l->hooks.items[i]->fn) l->hooks.items[kept++] = l->hooks.items[i];
        else free(l->hooks.items[i]);
    }
    l->hooks.n = kept;
}

void loop_hook_free(struct loop_hook *h)
{
    if (!h) return;
    h->fn = NULL;
    if (!h->loop->in_hooks) hooks_sweep(h->loop);
}

void loop_hooks_run(struct loop *l)
{
    l->in_hooks = true;
    for (int phase = 0; phase < LOOP_HOOK_PHASES; phase++) {
        for (size_t i = 0; i < l->hooks.n; i++) {
            struct loop_hook *h = l->hooks.items[i];
            if ((int)h->phase == phase && h->fn) h->fn(h->user);
        }
    }
    l->in_hooks = false;
    hooks_sweep(l);
}
