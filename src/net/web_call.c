/* Requests on the loop: libcurl says which sockets it waits for and when it wants to be called again.
 *
 * libuv aborts when a descriptor is closed under its watch, so a watch always goes first: when libcurl
 * says that it is done with a socket, and again in the callback that closes it. Requests that have
 * ended are told about from here, after libcurl has returned. Runs on: the loop thread. */
#include <unistd.h>

#include "base/limits.h"
#include "net/exchange_p.h"

struct web_client {
    const struct curl_api *curl;
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    VEC(struct web_call *) calls; /* each once */
    VEC(struct watch *) watches;
    bool busy; /* within libcurl or a callback of ours */
};

struct web_call {
    struct exchange x;
    struct web_client *client;
    size_t at; /* in client.calls */
    bool added;
    web_done_fn *done;
    void *user;
};

struct watch {
    struct web_client *client;
    struct loop_fd *fd;
    curl_socket_t socket;
    size_t at;
};

/* ---- sockets ---- */

static void advance(struct web_client *c, curl_socket_t socket, int mask);

static void on_socket(void *user, unsigned events)
{
    struct watch *w = user;
    int mask = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    advance(w->client, w->socket, mask);
}

static void on_timer(void *user) { advance(user, CURL_SOCKET_TIMEOUT, 0); }

static struct watch *watch_of(struct web_client *c, curl_socket_t socket)
{
    for (size_t i = 0; i < c->watches.n; i++)
        if (c->watches.items[i]->socket == socket) return c->watches.items[i];
    return NULL;
}

static void watch_free(struct watch *w)
{
    struct web_client *c = w->client;
    struct watch *last = VEC_POP(&c->watches);
    if (last != w) {
        c->watches.items[w->at] = last;
        last->at = w->at;
    }
    loop_fd_free(w->fd);
    free(w);
}

/* NULL: the loop cannot watch it; its request then ends by its time limits. */
static struct watch *watch_new(struct web_client *c, curl_socket_t socket)
{
    struct watch *w = mem_zalloc(sizeof *w);
    *w = (struct watch){.client = c, .socket = socket, .at = c->watches.n};
    w->fd = loop_fd_new(c->loop, socket, on_socket, w, NULL);
    if (!w->fd) {
        free(w);
        return NULL;
    }
    VEC_PUSH(&c->watches, w);
    return w;
}

static int want(CURL *easy, curl_socket_t socket, int what, void *user, void *assigned)
{
    struct web_client *c = user;
    struct watch *w = watch_of(c, socket);
    (void)easy, (void)assigned;
    if (what == CURL_POLL_REMOVE) {
        if (w) watch_free(w);
        return 0;
    }
    if (!w && !(w = watch_new(c, socket))) return -1;
    loop_fd_watch(w->fd, (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u));
    return 0;
}

static int want_time(CURLM *multi, long after_ms, void *user)
{
    struct web_client *c = user;
    (void)multi;
    if (after_ms < 0) loop_timer_disarm(c->timer);
    else loop_timer_arm_us(c->timer, (int64_t)after_ms * 1000);
    return 0;
}

static int on_close(void *user, curl_socket_t socket)
{
    struct watch *w = watch_of(user, socket);
    if (w) watch_free(w);
    return close(socket);
}

/* ---- calls ---- */

static void call_free(struct web_call *k)
{
    struct web_client *c = k->client;
    struct web_call *last = VEC_POP(&c->calls);
    if (last != k) {
        c->calls.items[k->at] = last;
        last->at = k->at;
    }
    if (k->added) c->curl->multi_remove_handle(c->multi, k->x.easy);
    exchange_fini(&k->x);
    free(k);
}

static bool call_hop(struct web_call *k, struct err *e)
{
    struct web_client *c = k->client;
    if (!exchange_hop(&k->x, e)) return false;
    c->curl->easy_setopt(k->x.easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    c->curl->easy_setopt(k->x.easy, CURLOPT_CLOSESOCKETDATA, c);
    k->added = c->curl->multi_add_handle(c->multi, k->x.easy) == CURLM_OK;
    return k->added || err_set(e, ERR_INTERNAL, "the HTTP library takes no more requests");
}

static void call_hop_done(struct web_call *k, CURLcode code)
{
    struct err e = {0};
    k->client->curl->multi_remove_handle(k->client->multi, k->x.easy);
    k->added = false;
    enum hop_end end = exchange_hop_done(&k->x, code, &e);
    if (end == HOP_AGAIN && call_hop(k, &e)) return;
    struct web_reply reply = exchange_reply(&k->x);
    k->done(k->user, end == HOP_DONE ? &reply : NULL, end == HOP_DONE ? NULL : &e);
    call_free(k);
}

static void advance(struct web_client *c, curl_socket_t socket, int mask)
{
    int running, left;
    CURLMsg *m;
    c->busy = true;
    c->curl->multi_socket_action(c->multi, socket, mask, &running);
    while ((m = c->curl->multi_info_read(c->multi, &left))) {
        struct web_call *k = NULL;
        char *private = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result;
        c->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        k = (struct web_call *)(void *)private; /* its exchange comes first */
        call_hop_done(k, code);
    }
    c->busy = false;
}

struct web_call *web_call_new(struct web_client *c, const struct web_request *r, web_done_fn *done, void *user,
                              struct err *e)
{
    struct web_call *k = mem_zalloc(sizeof *k);
    _Static_assert(offsetof(struct web_call, x) == 0, "libcurl hands back the exchange");
    bool ok = exchange_begin(&k->x, r, e);
    k->client = c;
    k->at = c->calls.n;
    k->done = done;
    k->user = user;
    VEC_PUSH(&c->calls, k);
    if (ok && call_hop(k, e)) return k;
    call_free(k);
    return NULL;
}

void web_call_cancel(struct web_call *k)
{
    if (k) call_free(k);
}

/* ---- client ---- */

struct web_client *web_client_new(struct loop *l, struct err *e)
{
    const struct curl_api *curl = curl_open(e);
    if (!curl) return NULL;
    struct web_client *c = mem_zalloc(sizeof *c);
    *c = (struct web_client){.curl = curl, .loop = l, .multi = curl->multi_init()};
    if (!c->multi) {
        free(c);
        err_set(e, ERR_INTERNAL, "the HTTP library has no room");
        return NULL;
    }
    c->timer = loop_timer_new(l, on_timer, c);
    curl->multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want);
    curl->multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl->multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_time);
    curl->multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl->multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)LIMIT_WEB_CONNECTIONS);
    return c;
}

void web_client_free(struct web_client *c)
{
    if (!c) return;
    ASSERT(!c->calls.n && !c->busy);
    c->curl->multi_cleanup(c->multi);
    while (c->watches.n) watch_free(c->watches.items[0]);
    loop_timer_free(c->timer);
    VEC_FINI(&c->watches);
    VEC_FINI(&c->calls);
    free(c);
}
