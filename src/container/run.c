/* skiff-container run: one container, from its image to its removal.
 *
 * Three threads: this one makes requests one after the other; one reads what the container prints, which is attached
 * before the container starts so that nothing is missed; one waits for signals. A request to end that comes before the start
 * cancels what is under way; after it the container is told to stop, again and again until it has ended. */
#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "container/api_p.h"
#include "container/frames.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/fd.h"

enum {
    LOOK_MS = 10000, /* how often a container is looked at whose stream goes on */
    LAST_MS = 5000,  /* for the rest of the stream after its end */
    NAME_TRIES = 50, /* to get a name that somebody else has */
};

enum phase { PHASE_BEFORE, PHASE_RUNNING, PHASE_OVER };

struct work {
    struct arena a;
    struct val job;
    struct str name, step, id;
    struct api api, until_told;     /* the second ends when the step is told to end */
    atomic_bool cancelled, detached;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum phase phase;
    bool stopped, killed;           /* asked for */
    bool unsure;                    /* the engine may make the container yet */
    /* of the thread that reads */
    bool attached, ended, whole;
    struct err why;
    struct frames frames;
    /* how it was */
    int status;
    bool oom;
};

/* ---- signals ---- */

static sigset_t our_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, CONTAINER_KILL_SIGNAL);
    return set;
}

/* The engine waits for the grace period itself, and its word of a container that is not there yet is not final. */
static bool end_ask(struct work *w, bool kill)
{
    struct arena a CLEANUP(arena_fini);
    struct err e;
    struct web_reply reply;
    int64_t grace_s = 0;
    arena_init(&a);
    val_i64(val_get(&w->job, STR("grace_s")), &grace_s);
    struct api api = {.a = &a, .socket = w->api.socket};
    struct web_request r = {.timeout_ms = grace_s * 1000 + API_TIMEOUT_MS};
    struct str target = kill ? str_fmt(&a, "/containers/%.*s/kill?signal=SIGKILL", STR_ARG(w->id))
                             : str_fmt(&a, "/containers/%.*s/stop?t=%lld", STR_ARG(w->id), (long long)grace_s);
    return api_fetch(&api, "POST", target, &r, &reply, &e) && reply.status == 204;
}

static void *end_main(void *user)
{
    struct work *w = user;
    pthread_mutex_lock(&w->lock);
    while (w->phase == PHASE_RUNNING) {
        bool kill = w->killed;
        pthread_mutex_unlock(&w->lock);
        bool done = end_ask(w, kill);
        if (!done) poll(NULL, 0, API_PAUSE_MS);
        pthread_mutex_lock(&w->lock);
        if (done && (kill || !w->killed)) break;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* A kill does not wait for a stop that is under way: each has a thread. */
static void end_begin(struct work *w)
{
    pthread_t t;
    if (pthread_create(&t, NULL, end_main, w) == 0) pthread_detach(t);
}

static void *signals_main(void *user)
{
    struct work *w = user;
    sigset_t set = our_signals();
    for (;;) {
        int signo = sigwaitinfo(&set, NULL);
        if (signo < 0) continue;
        pthread_mutex_lock(&w->lock);
        bool news = signo == CONTAINER_KILL_SIGNAL ? !w->killed : !w->stopped;
        w->stopped = true;
        w->killed |= signo == CONTAINER_KILL_SIGNAL;
        atomic_store(&w->cancelled, true);
        if (news && w->phase == PHASE_RUNNING) end_begin(w);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

/* False: it is not to begin any more. */
static bool phase_running(struct work *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    bool ok = !w->stopped;
    if (ok) w->phase = PHASE_RUNNING;
    pthread_mutex_unlock(&w->lock);
    return ok || err_set(e, ERR_TIMEOUT, "stopped before it began");
}

static void phase_over(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->phase = PHASE_OVER;
    pthread_mutex_unlock(&w->lock);
}

/* It was told to end before it began. */
static bool never_ran(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    bool never = w->stopped && w->phase == PHASE_BEFORE;
    pthread_mutex_unlock(&w->lock);
    return never;
}

/* ---- output ---- */

static bool on_frame(void *user, int stream, struct str piece)
{
    struct work *w = user;
    return fd_write_all(stream, piece, &w->why);
}

static bool on_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    struct work *w = user;
    (void)head;
    if (piece.n) return frames_feed(&w->frames, piece, on_frame, w, e);
    pthread_mutex_lock(&w->lock);
    w->attached = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void *output_main(void *user)
{
    struct work *w = user;
    struct arena a CLEANUP(arena_fini);
    struct web_reply reply;
    struct err e = {0};
    arena_init(&a);
    struct api api = {.a = &a, .socket = w->api.socket, .cancelled = &w->detached};
    const struct web_field plain = {STR("Accept-Encoding"), STR("identity")};
    struct web_request r = {.on_piece = on_piece, .piece_user = w, .tell_head = true, .max_bytes = UINT64_MAX, .stall_s = INT32_MAX,
                            .fields = &plain, .n_fields = 1};
    struct str target = str_fmt(&a, "/containers/%.*s/attach?stream=1&stdout=1&stderr=1", STR_ARG(w->id));
    bool ok = api_fetch(&api, "POST", target, &r, &reply, &e) && (api_good(&reply) || api_refusal(&api, &reply, "attach", &e));
    pthread_mutex_lock(&w->lock);
    w->whole = ok && frames_whole(&w->frames);
    if (!ok && !w->why.code) w->why = e; /* else: it could not be written on */
    w->ended = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool attach(struct work *w, pthread_t *thread, struct err *e)
{
    if (pthread_create(thread, NULL, output_main, w) != 0) return err_set(e, ERR_IO, "cannot start a thread");
    pthread_mutex_lock(&w->lock);
    while (!w->attached && !w->ended) pthread_cond_wait(&w->changed, &w->lock);
    bool ok = w->attached;
    if (!ok) *e = w->why;
    pthread_mutex_unlock(&w->lock);
    if (!ok) pthread_join(*thread, NULL);
    return ok;
}

/* All that it printed has come, or `ms` have passed. */
static bool output_ended(struct work *w, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    pthread_mutex_lock(&w->lock);
    while (!w->ended && pthread_cond_clockwait(&w->changed, &w->lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT) {}
    bool ended = w->ended;
    pthread_mutex_unlock(&w->lock);
    return ended;
}

/* ---- the container ---- */

/* Podman answers 500 while the name's container is being removed. */
static bool is_taken(const struct web_reply *reply)
{
    return reply->status == 409 || (reply->status == 500 && str_find(reply->body, STR("already in use"), 0) >= 0);
}

/* A try before this one may have left its container: an engine has each name once. */
static bool create(struct work *w, struct err *e)
{
    const struct api *api = &w->api; /* not cut short: who asks must know the answer */
    struct web_reply reply;
    struct val made;
    struct str target = str_fmt(&w->a, "/containers/create?name=%.*s", STR_ARG(w->name));
    for (int i = 0; i < NAME_TRIES; i++) {
        w->unsure = !api_call(api, "POST", target, val_get(&w->job, STR("create")), &reply, e);
        if (w->unsure) return false;
        if (!is_taken(&reply)) break;
        if (!container_drop(api, w->name, STR_NONE, w->step, e)) return false;
        if (i) poll(NULL, 0, API_PAUSE_MS); /* somebody else is removing it */
    }
    if (!api_good(&reply)) return api_refusal(api, &reply, "create", e);
    if (!api_json(api, &reply, &made, e)) return false;
    w->id = val_get_str(&made, "Id");
    return w->id.n || err_set(e, ERR_IO, "create: the container engine named no container");
}

static bool start(struct work *w, struct err *e)
{
    struct web_reply reply;
    struct str target = str_fmt(&w->a, "/containers/%.*s/start", STR_ARG(w->id));
    return phase_running(w, e) && api_call(&w->api, "POST", target, NULL, &reply, e) &&
           (api_good(&reply) || reply.status == 304 || api_refusal(&w->api, &reply, "start", e)) &&
           file_write_atomic(val_get_str(&w->job, "begun").p, STR_NONE, 0600, false, e);
}

/* The engine may be restarted meanwhile. */
static bool patient_call(struct work *w, const char *method, const char *what, int64_t timeout_ms, struct web_reply *out, struct err *e)
{
    int64_t until = clock_mono_us() + (int64_t)API_PATIENCE_MS * 1000;
    struct str target = str_fmt(&w->a, "/containers/%.*s/%s", STR_ARG(w->id), what);
    for (;;) {
        struct web_request r = {.timeout_ms = timeout_ms};
        int64_t before = clock_mono_us();
        bool ok = api_fetch(&w->api, method, target, &r, out, e);
        if (ok && out->status < 500) return true;
        if (ok) api_refusal(&w->api, out, what, e);
        if (clock_mono_us() - before > (int64_t)API_PATIENCE_MS * 1000) until = clock_mono_us() + (int64_t)API_PATIENCE_MS * 1000;
        if (clock_mono_us() > until) return false;
        poll(NULL, 0, API_PAUSE_MS);
    }
}

static bool wait_end(struct work *w, struct err *e)
{
    struct web_reply reply;
    struct val v;
    int64_t code;
    if (!patient_call(w, "POST", "wait", 0, &reply, e)) return false;
    if (!api_good(&reply)) return api_refusal(&w->api, &reply, "wait", e);
    if (!patient_call(w, "GET", "json", API_TIMEOUT_MS, &reply, e)) return false;
    if (!api_good(&reply)) return api_refusal(&w->api, &reply, "inspect", e);
    if (!api_json(&w->api, &reply, &v, e)) return false;
    const struct val *state = val_get(&v, STR("State")), *oom = val_get(state, STR("OOMKilled")), *exit_code = val_get(state, STR("ExitCode"));
    if (!exit_code || !val_i64(exit_code, &code)) return err_set(e, ERR_IO, "the container engine does not say how the container ended");
    w->status = (int)(code & 255);
    w->oom = oom && oom->kind == VAL_BOOL && oom->b;
    return true;
}

/* The stream ends with the container. Should it not, the engine is asked from time to time. */
static void output_wait(struct work *w)
{
    while (!output_ended(w, LOOK_MS)) {
        struct arena a CLEANUP(arena_fini);
        struct web_reply reply;
        struct val v;
        struct err ignored;
        arena_init(&a);
        struct api api = {.a = &a, .socket = w->api.socket};
        struct str target = str_fmt(&a, "/containers/%.*s/json", STR_ARG(w->id));
        if (!api_call(&api, "GET", target, NULL, &reply, &ignored)) continue;
        const struct val *running = api_good(&reply) && api_json(&api, &reply, &v, &ignored) ? val_path(&v, "State.Running") : NULL;
        if (reply.status == 404 || (running && running->kind == VAL_BOOL && !running->b)) return;
    }
}

/* From before its start to its end. */
static bool live(struct work *w, struct err *e)
{
    pthread_t reader;
    if (!attach(w, &reader, e)) return false;
    bool ok = start(w, e);
    if (ok) output_wait(w);
    ok = ok && wait_end(w, e);
    phase_over(w);
    if (!ok || !output_ended(w, LAST_MS)) atomic_store(&w->detached, true);
    pthread_join(reader, NULL);
    if (ok && !w->whole)
        dprintf(STDERR_FILENO, "skiff: what the container printed is not complete: %s\n",
                w->why.code ? w->why.text : "the engine's stream ended in the middle");
    return ok;
}

static bool whole_run(struct work *w, struct err *e)
{
    const struct val *begins = val_get(&w->job, STR("start"));
    bool starts = !(begins && begins->kind == VAL_BOOL && !begins->b);
    if (!directories_make(&w->a, val_get(&w->job, STR("mounts")), e) || !image_present(&w->until_told, &w->job, e) || !create(w, e))
        return false;
    bool ok = (!starts || live(w, e)) && outputs_fetch(&w->api, w->id, &w->job, e);
    phase_over(w);
    return ok;
}

/* ---- before and after ---- */

static bool begin(struct work *w, const char *job_path, struct err *e)
{
    struct str text;
    struct val mark;
    if (!file_read(&w->a, job_path, LIMIT_STEP_SPEC_BYTES, &text, e)) return false;
    unlink(job_path); /* it has secrets in it */
    if (!json_parse(&w->a, text, NULL, &w->job, e)) return err_ctx(e, "%s", job_path);
    const char *mark_path = val_get_str(&w->job, "mark").p;
    if (!mark_path || !file_read(&w->a, mark_path, LIMIT_DOC_BYTES, &text, e) || !json_parse(&w->a, text, NULL, &mark, e))
        return err_ctx(e, "%s", job_path);
    w->name = val_get_str(&mark, "name");
    w->step = val_get_str(&mark, "step");
    w->api = (struct api){.a = &w->a, .socket = val_get_str(&mark, "socket").p};
    w->until_told = w->api;
    w->until_told.cancelled = &w->cancelled;
    return (w->api.socket && w->name.n && w->step.n) || err_set(e, ERR_SPEC, "%s names no container", mark_path);
}

static void say(struct work *w, const struct err *e)
{
    struct val_builder b;
    struct err ignored;
    const char *path = val_get_str(&w->job, "said").p;
    if (!e && !w->oom) return;
    map_begin(&b, &w->a);
    if (e) map_add_str(&b, "error", str_of(e->text));
    else map_add(&b, STR("oom"), val_of_bool(true));
    struct val all = map_done(&b);
    bool said = path && file_write_atomic(path, json_text(&w->a, &all), 0600, false, &ignored);
    if (!said && e) dprintf(STDERR_FILENO, "skiff: %s\n", e->text);
}

/* What cannot be removed keeps its mark: whoever removes the step's directory tries again. */
static void drop(struct work *w)
{
    struct err e;
    const char *mark = val_get_str(&w->job, "mark").p;
    if (!w->api.socket) return;
    bool gone = container_drop(&w->api, w->name, w->step, STR_NONE, &e);
    if (gone && !w->unsure) unlink(mark);
    if (!gone) dprintf(STDERR_FILENO, "skiff: the container is still there: %s\n", e.text);
}

int container_run(const char *job_path)
{
    static struct work w;
    struct err e = {0};
    pthread_t signals;
    sigset_t set = our_signals();
    sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread */
    arena_init(&w.a);
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    bool ok = begin(&w, job_path, &e) && (pthread_create(&signals, NULL, signals_main, &w) == 0 || err_set(&e, ERR_IO, "cannot start a thread"));
    ok = ok && whole_run(&w, &e);
    if (!ok && never_ran(&w)) err_set(&e, ERR_TIMEOUT, "stopped before it began");
    say(&w, ok ? NULL : &e);
    drop(&w);
    fflush(NULL);
    _exit(ok ? w.status : 1); /* threads may be at work */
}
