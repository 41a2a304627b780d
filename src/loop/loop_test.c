/* loop: order within a turn, timers, descriptors, signals, jobs and channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "loop/loop.h"

struct world {
    struct loop *loop;
    struct loop_timer *timer, *other;
    struct loop_fd *fd;
    struct loop_hook *hook;
    struct loop_channel *channel;
    struct buf trace;
    int64_t at_us;
    int count;
    int sock[2];
    unsigned events;
};

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    w->loop = loop_new(NULL);
    buf_init(&w->trace, 1000);
    *state = w;
    return w->loop ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    loop_free(w->loop);
    buf_fini(&w->trace);
    free(w);
    return 0;
}

static void on_timer(void *user)
{
    struct world *w = user;
    w->at_us = loop_now_us();
    w->count++;
}

static void timers_are_never_early_and_can_be_moved(void **state)
{
    struct world *w = *state;
    w->timer = loop_timer_new(w->loop, on_timer, w);
    assert_false(loop_timer_armed(w->timer));
    for (int us = 0; us < 5000; us += 700) {
        int64_t start = loop_now_us();
        loop_timer_arm_us(w->timer, us);
        loop_run(w->loop);
        assert_true(w->at_us - start >= us);
    }
    assert_int_equal(w->count, 8);
    loop_timer_arm_us(w->timer, 3600 * 1000000LL);
    assert_true(loop_timer_armed(w->timer));
    loop_timer_arm_us(w->timer, 1000);
    loop_run(w->loop);
    assert_int_equal(w->count, 9);
    loop_timer_arm_us(w->timer, 1000);
    loop_timer_disarm(w->timer);
    loop_run(w->loop);
    assert_int_equal(w->count, 9);
    loop_timer_free(w->timer);
}

static void free_both(void *user)
{
    struct world *w = user;
    w->count++;
    loop_timer_free(w->timer);
    loop_timer_free(w->other);
}

static void a_callback_may_free_its_watch_and_others(void **state)
{
    struct world *w = *state;
    w->timer = loop_timer_new(w->loop, free_both, w);
    w->other = loop_timer_new(w->loop, free_both, w);
    loop_timer_arm_us(w->timer, 0);
    loop_timer_arm_us(w->other, 0);
    loop_run(w->loop);
    assert_int_equal(w->count, 1);
}

static void trace_commit(void *user) { buf_char(&((struct world *)user)->trace, 'c'); }
static void trace_send(void *user) { buf_char(&((struct world *)user)->trace, 's'); }

static void trace_timer(void *user)
{
    struct world *w = user;
    buf_char(&w->trace, 't');
    if (++w->count < 2) loop_again(w->loop);
    else loop_stop(w->loop);
    loop_timer_arm_us(w->timer, w->count < 2 ? 20000 : 0);
}

/* Sends registered before commits still run after them; loop_again gives one round more before
 * the timer, which is 20 ms away, fires. */
static void hooks_run_in_phases_before_each_sleep(void **state)
{
    struct world *w = *state;
    w->timer = loop_timer_new(w->loop, trace_timer, w);
    struct loop_hook *send = loop_hook_new(w->loop, LOOP_HOOK_SEND, trace_send, w);
    struct loop_hook *commit = loop_hook_new(w->loop, LOOP_HOOK_COMMIT, trace_commit, w);
    loop_timer_arm_us(w->timer, 0);
    loop_run(w->loop);
    loop_hook_free(send);
    loop_hook_free(commit);
    loop_timer_free(w->timer);
    const char *t = buf_view(&w->trace).p;
    const char *first = strchr(t, 't'), *second = strrchr(t, 't');
    assert_non_null(first);
    assert_true(str_starts(str_of(first), STR("tcscs")));
    assert_string_equal(second, "tcs");
}

static void hook_frees_itself(void *user)
{
    struct world *w = user;
    w->count++;
    loop_hook_free(w->hook);
    w->hook = NULL;
}

static void a_hook_may_free_itself(void **state)
{
    struct world *w = *state;
    w->hook = loop_hook_new(w->loop, LOOP_HOOK_COMMIT, hook_frees_itself, w);
    w->timer = loop_timer_new(w->loop, on_timer, w);
    for (int i = 0; i < 3; i++) {
        loop_timer_arm_us(w->timer, 0);
        loop_run(w->loop);
    }
    assert_int_equal(w->count, 4);
    loop_timer_free(w->timer);
}

static void on_fd(void *user, unsigned events)
{
    struct world *w = user;
    char c;
    w->events |= events;
    if (events & LOOP_READ && read(w->sock[0], &c, 1) == 1) buf_char(&w->trace, c);
    loop_stop(w->loop);
}

static void descriptors_tell_readable_writable_and_gone(void **state)
{
    struct world *w = *state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->sock), 0);
    w->fd = loop_fd_new(w->loop, w->sock[0], on_fd, w, NULL);
    loop_fd_watch(w->fd, LOOP_WRITE);
    loop_run(w->loop);
    assert_int_equal(w->events, LOOP_WRITE);
    w->events = 0;
    loop_fd_watch(w->fd, LOOP_READ | LOOP_GONE);
    assert_int_equal(write(w->sock[1], "ab", 2), 2);
    loop_run(w->loop);
    loop_run(w->loop);
    assert_int_equal(w->events, LOOP_READ);
    assert_string_equal(w->trace.p, "ab");
    close(w->sock[1]);
    loop_run(w->loop);
    assert_true(w->events & LOOP_GONE);
    struct err e = {0};
    assert_null(loop_fd_new(w->loop, w->sock[0], on_fd, w, &e));
    assert_int_equal(e.code, ERR_IO);
    loop_fd_free(w->fd);
    close(w->sock[0]);
}

/* The number of a closed descriptor is used again at once: a left-over watch would abort or tell
 * of the wrong one. */
static void a_descriptor_may_be_closed_right_after_its_watch(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->sock), 0);
        w->events = 0;
        w->fd = loop_fd_new(w->loop, w->sock[0], on_fd, w, NULL);
        assert_non_null(w->fd);
        loop_fd_watch(w->fd, LOOP_READ);
        assert_int_equal(write(w->sock[1], "x", 1), 1);
        if (i % 2) loop_run(w->loop);
        loop_fd_free(w->fd);
        close(w->sock[0]);
        close(w->sock[1]);
        assert_int_equal(w->events, i % 2 ? LOOP_READ : 0);
    }
}

static void on_signal(void *user)
{
    struct world *w = user;
    w->count++;
    loop_stop(w->loop);
}

static void signals_arrive_on_the_loop(void **state)
{
    struct world *w = *state;
    struct loop_signal *s = loop_signal_new(w->loop, SIGHUP, on_signal, w, NULL);
    loop_run(w->loop); /* a signal watch alone does not keep it running */
    assert_int_equal(w->count, 0);
    w->timer = loop_timer_new(w->loop, on_timer, w);
    loop_timer_arm_us(w->timer, 10 * 1000000LL);
    raise(SIGHUP);
    loop_run(w->loop);
    assert_int_equal(w->count, 1);
    loop_timer_free(w->timer);
    loop_signal_free(s);
    struct err e = {0};
    assert_null(loop_signal_new(w->loop, SIGKILL, on_signal, w, &e));
}

struct sum_job {
    struct world *w;
    pthread_t thread;
    int n, sum;
};

static void sum_work(void *user)
{
    struct sum_job *j = user;
    j->thread = pthread_self();
    for (int i = 1; i <= j->n; i++) j->sum += i;
}

static void sum_done(void *user)
{
    struct sum_job *j = user;
    j->w->count += j->sum;
    assert_false(pthread_equal(j->thread, pthread_self()));
}

static void jobs_work_elsewhere_and_end_on_the_loop(void **state)
{
    struct world *w = *state;
    struct sum_job jobs[20] = {0};
    for (int i = 0; i < 20; i++) {
        jobs[i] = (struct sum_job){.w = w, .n = 10};
        loop_job(w->loop, sum_work, sum_done, &jobs[i]);
    }
    loop_run(w->loop);
    assert_int_equal(w->count, 20 * 55);
}

static void on_message(void *user, void *message)
{
    struct world *w = user;
    assert_int_equal((intptr_t)message, w->count + 1); /* in order, none twice */
    if (++w->count == 1000) loop_stop(w->loop);
}

static void *send_1000(void *user)
{
    struct world *w = user;
    for (intptr_t i = 1; i <= 1000; i++)
        if (!loop_channel_send(w->channel, (void *)i)) return NULL;
    return w;
}

static void channels_keep_the_order(void **state)
{
    struct world *w = *state;
    w->channel = loop_channel_new(w->loop, on_message, w, NULL);
    pthread_t t;
    void *sent;
    assert_int_equal(pthread_create(&t, NULL, send_1000, w), 0);
    loop_run(w->loop);
    pthread_join(t, &sent);
    assert_non_null(sent);
    assert_int_equal(w->count, 1000);
    loop_channel_free(w->channel, NULL);
}

static void count_dropped(void *user, void *message) { ((struct world *)user)->count += message != NULL; }

static void channels_are_bounded_and_give_back_the_rest(void **state)
{
    struct world *w = *state;
    w->channel = loop_channel_new(w->loop, on_message, w, NULL);
    for (int i = 0; i < LIMIT_CHANNEL_MESSAGES; i++) assert_true(loop_channel_send(w->channel, w));
    assert_false(loop_channel_send(w->channel, w));
    loop_channel_free(w->channel, count_dropped);
    assert_int_equal(w->count, LIMIT_CHANNEL_MESSAGES);
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timers_are_never_early_and_can_be_moved),
        LOOP_TEST(a_callback_may_free_its_watch_and_others),
        LOOP_TEST(hooks_run_in_phases_before_each_sleep),
        LOOP_TEST(a_hook_may_free_itself),
        LOOP_TEST(descriptors_tell_readable_writable_and_gone),
        LOOP_TEST(a_descriptor_may_be_closed_right_after_its_watch),
        LOOP_TEST(signals_arrive_on_the_loop),
        LOOP_TEST(jobs_work_elsewhere_and_end_on_the_loop),
        LOOP_TEST(channels_keep_the_order),
        LOOP_TEST(channels_are_bounded_and_give_back_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
