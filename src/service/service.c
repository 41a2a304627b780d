/* Opening a state directory: as reader, as engine, or as follower of the engine that is there. */
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "doc/json.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "service/remote_p.h"

struct loop *service_loop(struct service *s) { return s->loop; }
bool service_is_engine(const struct service *s) { return s->exec != NULL; }
bool service_is_remote(const struct service *s) { return s->remote != NULL; }

struct str service_notice(const struct service *s)
{
    return s->exec ? exec_notice(s->exec) : STR_NONE;
}

/* A follower may have come before the first engine had made the database. */
struct store *service_store(struct service *s)
{
    if (!s->exec && !s->reader && !s->o.read_only && !s->remote) s->reader = store_open(s->o.state_dir, STORE_READ, NULL);
    return s->exec ? exec_store(s->exec) : s->reader;
}

static const char *in_state(struct service *s, const char *name)
{
    return str_fmt(&s->arena, "%.*s/%s", STR_ARG(s->o.state_dir), name).p;
}

const char *service_socket(struct service *s) { return in_state(s, "engine.sock"); }

enum { QUIET_US = 2000000 }; /* without a commit, until memory that is not used goes back to the system */

static void on_quiet(void *user)
{
    (void)user;
    malloc_trim(0);
}

static void on_commit(void *user)
{
    struct service *s = user;
    if (s->quiet_timer) loop_timer_arm_us(s->quiet_timer, QUIET_US);
    recent_collect(s);
    watches_turn(s);
    feeds_wake(s);
    events_committed(s, NULL);
    follow_commit(s);
}

static void on_fail(void *user, const struct err *e)
{
    struct service *s = user;
    s->failure = *e;
    events_committed(s, e);
    follow_failed(s, e);
}

bool service_failed(const struct service *s, struct err *e)
{
    if (s->failure.code) *e = s->failure;
    return s->failure.code != ERR_NONE;
}

/* What is held for others while this process is the engine. */
static void engine_leave(struct service *s)
{
    events_end(s);
    submissions_close(s);
    loop_timer_free(s->quiet_timer);
    s->quiet_timer = NULL;
}

bool service_take_over(struct service *s, bool *became, struct err *e)
{
    struct exec_opts x = {
        .state_dir = s->o.state_dir, .config = s->o.config, .launcher = s->o.launcher,
        .loop = s->loop, .host_home = s->o.host_home, .schedules = s->o.schedules, .restart_lost = s->o.resume, .idle = s->o.idle,
        .on_commit = on_commit, .on_fail = on_fail, .admit = service_admit, .user = s,
    };
    struct err busy;
    *became = false;
    if (s->exec) return *became = true;
    if (!s->o.launcher && !s->o.idle) return true; /* without steps this process can only look on */
    s->lock_fd = lockfile_take(in_state(s, "engine.lock"), &busy);
    if (s->lock_fd < 0 && busy.code == ERR_CONFLICT) return true;
    if (s->lock_fd < 0) return *e = busy, false;
    store_close(s->reader);
    s->reader = NULL;
    s->exec = exec_open(&x, e);
    if (s->exec && !events_begin(s, e)) {
        exec_close(s->exec);
        s->exec = NULL;
    }
    if (s->exec) submissions_open(s);
    if (s->exec && s->o.schedules) s->quiet_timer = loop_timer_new(s->loop, on_quiet, s); /* it stays when nothing runs */
    if (s->exec && s->o.serve) s->server = s->o.serve(s, e);
    if (s->exec && (s->server || !s->o.serve)) return *became = true;
    engine_leave(s);
    exec_close(s->exec);
    s->exec = NULL;
    close_fd(&s->lock_fd);
    return false;
}

bool service_unreached(struct service *s, unsigned attempt, struct err *e)
{
    enum { ATTEMPTS = 1500, PAUSE_NS = 20000000 };
    struct err why;
    bool became;
    if (s->remote || e->code != ERR_UNREACHABLE || attempt >= ATTEMPTS) return false;
    if (!service_take_over(s, &became, &why)) return *e = why, false;
    if (became) return true;
    bool absent = !s->o.launcher && !lockfile_held(in_state(s, "engine.lock"));
    if (absent && !s->o.start_engine) return false;
    if (absent && !s->o.start_engine(s->o.user, &why)) return *e = why, false;
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
    return true;
}

/* What an older Skiff has left is brought to this one's form first, unless an engine is at work there: it may be that older one. */
static struct store *reader_store(struct service *s, struct err *e)
{
    struct err why = {0};
    struct store *r = store_open(s->o.state_dir, STORE_READ, &why);
    int lock CLEANUP(close_fd) = !r && why.code == ERR_UNSUPPORTED ? lockfile_take(in_state(s, "engine.lock"), NULL) : -1;
    if (lock >= 0) {
        store_close(store_open(s->o.state_dir, STORE_WRITE, NULL));
        r = store_open(s->o.state_dir, STORE_READ, &why);
    }
    if (!r && e) *e = why;
    return r;
}

static bool remote_open(struct service *s, struct err *e)
{
    s->o.launcher = NULL;
    s->o.idle = false;
    s->o.start_engine = NULL;
    return (s->loop = loop_new(e)) && (s->remote = remote_new(&s->arena, s->o.server, e));
}

static bool open_parts(struct service *s, struct err *e)
{
    bool became;
    if (s->o.server) return remote_open(s, e);
    if (s->o.read_only) {
        s->reader = reader_store(s, e);
        return s->reader != NULL;
    }
    if (!dir_make_all(service_state_dir(s), 0700, e)) return err_ctx(e, "state directory");
    if (!(s->loop = loop_new(e)) || !service_take_over(s, &became, e)) return false;
    return true;
}

struct service *service_open(const struct service_opts *o, struct err *e)
{
    struct service *s = mem_zalloc(sizeof *s);
    s->o = *o;
    s->lock_fd = -1;
    arena_init(&s->arena);
    s->o.state_dir = str_dup(&s->arena, o->state_dir); /* with its NUL */
    if (open_parts(s, e)) return s;
    service_close(s);
    return NULL;
}

static void on_late(void *user) { *(bool *)user = true; }

/* Killed steps, daemons of runs that are over among them, end within milliseconds; whoever does not is left to the next engine. */
static void abort_wait(struct service *s)
{
    enum { WAIT_US = 3000000 };
    bool late = false;
    struct loop_timer *t = loop_timer_new(s->loop, on_late, &late);
    loop_timer_arm_us(t, WAIT_US);
    for (size_t i = 0; s->exec && i < s->aborted.n; i++)
        while (!late && exec_has_run(s->exec, s->aborted.items[i])) loop_turn(s->loop, true);
    while (!late && s->exec && exec_is_ending(s->exec)) loop_turn(s->loop, true);
    loop_timer_free(t);
}

void service_close(struct service *s)
{
    if (!s) return;
    service_unfollow(s);
    if (s->aborted.n || (s->exec && exec_is_ending(s->exec))) abort_wait(s);
    if (s->server && s->o.unserve) s->o.unserve(s->server);
    while (s->watches.n) service_watch_free(s->watches.items[s->watches.n - 1]);
    engine_leave(s);
    bool left = s->exec && s->o.start_engine && !s->failure.code && service_has_left(s);
    exec_close(s->exec);
    s->exec = NULL; /* what workers finish below, such as an upload, finds no engine */
    store_close(s->reader);
    remote_close(s->remote);
    if (s->loop) loop_free(s->loop);
    close_fd(&s->lock_fd); /* last: whoever gets it finds everything put down */
    struct err e;
    if (left && !s->o.start_engine(s->o.user, &e)) log_line(LOG_WARN, "%s", e.text);
    VEC_FINI(&s->watches);
    node_indexes_fini(s);
    VEC_FINI(&s->aborted);
    arena_fini(&s->arena);
    free(s);
}

bool service_ask(struct arena *a, struct service *s, const char *method, const char *target,
                 struct str body, struct val *out, struct err *e)
{
    struct unix_call_opts o = {.path = service_socket(s), .method = method, .target = target, .body = body};
    struct unix_reply reply;
    if (s->remote) return remote_ask(a, s->remote, method, target, body, out, e);
    if (!unix_request(a, &o, &reply, e)) return err_ctx(e, "engine");
    if (reply.body.n && !json_parse(a, reply.body, NULL, out, e)) return err_ctx(e, "engine's answer");
    if (reply.status < 400) return true;
    enum err_code code = ERR_INTERNAL;
    int64_t grpc = 0;
    const struct val *c = val_get(out, STR("code"));
    if (c) val_i64(c, &grpc);
    for (int i = 1; i < ERR_MAX; i++)
        if (err_http_status((enum err_code)i) == reply.status && err_grpc_code((enum err_code)i) == grpc)
            code = (enum err_code)i;
    return err_set(e, code, "%.*s", STR_ARG(val_get_str(out, "message")));
}
