/* W3C traceparents, and the queue of spans that nobody takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "exec/exec.h"
#include "exec/otlp.h"
#include "os/fd.h"

static void traceparents_are_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    struct traceparent t;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(exec_traceparent(str_of(bad[i]), &t));
    assert_false(exec_traceparent(STR_NONE, &t));
    assert_true(exec_traceparent(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &t));
    assert_string_equal(t.trace, "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(t.span, "b7ad6b7169203331");
    assert_true(t.sampled);
    assert_true(exec_traceparent(STR("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02-later"), &t));
    assert_false(t.sampled);
}

static struct config config_with(struct arena *a, const char *endpoint)
{
    struct config c;
    struct err e;
    assert_true(config_load(a, &c, &(struct config_world){0}, &e));
    assert_true(config_set_flag(a, &c, CONFIG_OTLP_ENDPOINT, str_of(endpoint), "--x", &e));
    return c;
}

/* At port 1 of this machine nobody listens. */
static void what_nobody_takes_is_dropped_and_counted(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    struct otlp_counts n;
    struct otlp *o;
    struct err e;
    arena_init(&a);
    log_set_level(LOG_ERROR);
    struct config c = config_with(&a, "http://127.0.0.1:1");
    struct str large = {arena_alloc(&a, 1 << 20), 1 << 20};
    memset((char *)large.p, ' ', large.n);
    assert_true(otlp_open(&c, &o, &e));
    assert_non_null(o);
    enum { MANY = 64 };
    for (int i = 0; i < MANY; i++) otlp_add(o, large, 10);
    otlp_add(o, STR_NONE, 7);
    otlp_counts(o, &n);
    /* one batch may be under way already */
    assert_true(n.waiting * (large.n / 10) <= LIMIT_OTLP_QUEUE_BYTES + LIMIT_OTLP_BATCH_BYTES);
    assert_int_equal(n.waiting + n.dropped + n.sent, MANY * 10 + 7);
    assert_int_equal(n.sent, 0);
    otlp_close(o);
}

/* A collector at a port of its own, which says nothing. */
static struct otlp *silent(struct arena *a, struct pollfd *at)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof name;
    struct otlp *o;
    struct err e;
    *at = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .events = POLLIN};
    assert_int_equal(bind(at->fd, (struct sockaddr *)&name, n), 0);
    assert_int_equal(listen(at->fd, 1), 0);
    assert_int_equal(getsockname(at->fd, (struct sockaddr *)&name, &n), 0);
    struct config c = config_with(a, str_fmt(a, "http://127.0.0.1:%d", ntohs(name.sin_port)).p);
    assert_true(otlp_open(&c, &o, &e));
    return o;
}

/* Is a whole batch sent before a few spans that came at the same time? */
static bool whole_is_first(struct str large)
{
    enum { TURNS = 1000, FEW = 0, MANY = 1, LIMIT_MS = 60000 };
    struct arena a CLEANUP(arena_fini);
    struct pollfd at[2];
    arena_init(&a);
    struct otlp *few = silent(&a, &at[FEW]), *many = silent(&a, &at[MANY]);
    otlp_add(few, STR("{}"), 1);
    otlp_add(many, STR("{}"), 1);
    for (int i = 0; i < TURNS; i++) sched_yield(); /* a chance to begin to wait */
    otlp_add(many, large, 1);
    assert_true(poll(at, 2, LIMIT_MS) > 0);
    bool first = at[MANY].revents && !at[FEW].revents;
    for (int i = 0; i < 2; i++) close_fd(&at[i].fd);
    otlp_close(few);
    otlp_close(many);
    return first;
}

/* A few spans wait for more; those of a whole batch need not, though there were a few before. On a busy
 * machine the wait of the few may be over before anybody looks: then once more. */
static void a_whole_batch_does_not_wait(void **state)
{
    (void)state;
    enum { TRIES = 20 };
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str large = {arena_alloc(&a, LIMIT_OTLP_BATCH_BYTES), LIMIT_OTLP_BATCH_BYTES};
    memset((char *)large.p, ' ', large.n);
    int tried = 0;
    while (!whole_is_first(large)) assert_true(++tried < TRIES);
}

static void nobody_may_want_any(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    struct otlp *o;
    struct err e;
    arena_init(&a);
    struct config c = config_with(&a, "");
    assert_true(otlp_open(&c, &o, &e));
    assert_null(o);
    otlp_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traceparents_are_read_strictly),
        cmocka_unit_test(what_nobody_takes_is_dropped_and_counted),
        cmocka_unit_test(a_whole_batch_does_not_wait),
        cmocka_unit_test(nobody_may_want_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
