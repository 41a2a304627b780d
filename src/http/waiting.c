/* See waiting.h. Runs on: a thread of its own, which shares nothing but the two descriptors. */
#include "http/waiting.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_p.h"
#include "os/fd.h"

enum { HEAD_MS = 200, HEAD_BYTES = 16 << 10 };

struct http_waiting {
    pthread_t thread;
    int listen_fd, stop_fd;
};

/* A request that was not read would make the kernel throw the answer away. Others wait meanwhile, in the end the server itself: so
 * not longer than HEAD_MS, however little at a time somebody sends. */
static void head_read(int fd)
{
    char head[HEAD_BYTES];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left_us, end_us = loop_now_us() + HEAD_MS * 1000;
    size_t n = 0;
    while (n < sizeof head && (left_us = end_us - loop_now_us()) > 0 && poll(&p, 1, (int)(left_us / 1000) + 1) > 0) {
        ssize_t got = recv(fd, head + n, sizeof head - n, MSG_DONTWAIT);
        if (got <= 0) return;
        n += (size_t)got;
        if (str_find(str_n(head, n), STR("\r\n\r\n"), 0) >= 0) return;
    }
}

static void *answer(void *user)
{
    const struct http_waiting *w = user;
    struct pollfd p[2] = {{.fd = w->stop_fd, .events = POLLIN}, {.fd = w->listen_fd, .events = POLLIN}};
    while (poll(p, ARRAY_LEN(p), -1) >= 0 && !p[0].revents) {
        int fd CLEANUP(close_fd) = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) continue;
        head_read(fd);
        reply_raw(fd, 503, 14, "the state is being loaded");
        shutdown(fd, SHUT_WR);
    }
    return NULL;
}

/* Signals are the main thread's. */
static bool thread_start(struct http_waiting *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&w->thread, NULL, answer, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

struct http_waiting *http_waiting_begin(int listen_fd, struct err *e)
{
    struct http_waiting *w = mem_zalloc(sizeof *w);
    *w = (struct http_waiting){.listen_fd = listen_fd, .stop_fd = eventfd(0, EFD_CLOEXEC)};
    if (w->stop_fd >= 0 && thread_start(w)) return w;
    err_sys(e, "a thread");
    close_fd(&w->stop_fd);
    free(w);
    return NULL;
}

void http_waiting_end(struct http_waiting *w)
{
    if (!w) return;
    eventfd_write(w->stop_fd, 1);
    pthread_join(w->thread, NULL);
    close_fd(&w->stop_fd);
    free(w);
}
