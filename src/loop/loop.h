/* The event loop: timers, descriptors, paths, signals, a worker pool and a way in for other threads.
 *
 * A thin layer over libuv; no other folder includes uv.h. One loop runs on one thread, which owns
 * all mutable state. Everything here is called on that thread, except loop_channel_send and what
 * a job does in `work`. Callbacks may free their own watch and any other.
 *
 * One turn: expired timers, commit hooks, send hooks, sleep until something happens, descriptors.
 * Each `*_new` has its `*_free` (NULL is allowed), to be called before loop_free. */
#pragma once
#include "base/err.h"

struct loop;
struct loop_timer;
struct loop_fd;
struct loop_path;
struct loop_signal;
struct loop_hook;
struct loop_channel;

typedef void loop_fn(void *user);

struct loop *loop_new(struct err *e);
/* Waits for running jobs (their `done` is called). A watch that is still there is a bug. */
void loop_free(struct loop *l);
/* Runs until loop_stop, or until nothing is left that could happen. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* One turn; with may_sleep it waits for the first event. False: nothing is left to wait for. */
bool loop_turn(struct loop *l, bool may_sleep);
/* The coming sleep of this turn is skipped: something was done that other hooks must see. */
void loop_again(struct loop *l);
int64_t loop_now_us(void); /* monotonic */

/* One-shot timers. Arming an armed timer moves it. Never early, late by about 1 ms, also with 0 or
 * less: what is to be done at once belongs into a hook, after loop_again. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *user);
void loop_timer_arm_us(struct loop_timer *t, int64_t after_us);
void loop_timer_disarm(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* Descriptors (sockets, pipes, pidfds, epoll; not regular files); at most one watch each. The
 * descriptor becomes non-blocking. Never close a watched descriptor: free the watch first. */
enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_GONE = 4 /* the peer has hung up */ };
/* `events`: bits of enum loop_event that hold now; an error shows as all that are watched. */
typedef void loop_fd_fn(void *user, unsigned events);
struct loop_fd *loop_fd_new(struct loop *l, int fd, loop_fd_fn *fn, void *user, struct err *e);
void loop_fd_watch(struct loop_fd *w, unsigned events); /* level-triggered; 0 = pause */
void loop_fd_free(struct loop_fd *w);                   /* the descriptor may be closed at once after */

/* Paths: a file is written to, or comes to be there, its directories with it. All of a loop share one inotify instance, which
 * is there as long as they are; what they watch is counted, so that any number may wait at one path. One-shot, so that whoever
 * is behind is not told again and again: arm it, then look at the path, so that nothing in between is missed. A call says no
 * more than "look again"; it may come for nothing, and comes to all when the kernel has dropped events. Deletion counts as an
 * event, renaming of a directory above does not. Keeps loop_run running. */
struct loop_path *loop_path_new(struct loop *l, const char *path, loop_fn *fn, void *user);
/* An armed one stays as it is. False: the kernel has no instances or watches left, or the path cannot be reached. */
bool loop_path_arm(struct loop_path *p, struct err *e);
void loop_path_free(struct loop_path *p);

/* Signals as events (SIGINT, SIGTERM, SIGHUP, SIGWINCH). Does not keep loop_run running. */
struct loop_signal *loop_signal_new(struct loop *l, int signo, loop_fn *fn, void *user, struct err *e);
void loop_signal_free(struct loop_signal *s);

/* Called in each turn before the loop sleeps: first all LOOP_HOOK_COMMIT (the engine commits its
 * transaction), then all LOOP_HOOK_SEND (what is committed is shown). Registration order within. */
enum loop_hook_phase { LOOP_HOOK_COMMIT, LOOP_HOOK_SEND, LOOP_HOOK_PHASES };
struct loop_hook *loop_hook_new(struct loop *l, enum loop_hook_phase phase, loop_fn *fn, void *user);
void loop_hook_free(struct loop_hook *h);

/* Runs `work` on a pool thread, then `done` (may be NULL) on the loop. */
void loop_job(struct loop *l, loop_fn *work, loop_fn *done, void *user);

/* Messages from other threads: each is given to `fn` on the loop, in the order of sending.
 * Sending is false when LIMIT_CHANNEL_MESSAGES wait; the message stays the sender's then. Senders
 * must have ended before the channel is freed; messages not yet delivered go to `drop`. */
typedef void loop_message_fn(void *user, void *message);
struct loop_channel *loop_channel_new(struct loop *l, loop_message_fn *fn, void *user, struct err *e);
bool loop_channel_send(struct loop_channel *c, void *message);
void loop_channel_free(struct loop_channel *c, loop_message_fn *drop);
