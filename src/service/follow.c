/* Following workflows to their end: from this process' engine, or from another one's socket, with a
 * change from the second to the first when that engine leaves. */
#include <signal.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine.h"
#include "service/remote_p.h"

/* Between two engines there is a moment without one; who cannot become the engine gives up then. */
enum { RETRY_US = 20000, TRIES = 100, LOOK_TRIES = 2 };

void follow_end(struct service *s, const struct err *e)
{
    struct following *f = &s->follow;
    void (*done)(void *, const struct err *) = f->f.on_done;
    void *user = f->f.user;
    if (!f->on) return;
    service_unfollow(s);
    if (done) done(user, e);
}

static void ref_end(struct following *f, const struct workflow_ref *ref)
{
    for (size_t i = 0; i < f->f.n; i++) {
        if (f->finished[i] || !str_eq(f->f.refs[i].ns, ref->ns) || !str_eq(f->f.refs[i].name, ref->name)) continue;
        f->finished[i] = true;
        f->left--;
    }
}

static void note_end(struct following *f, const struct val *v)
{
    enum node_phase p;
    struct workflow_ref ref = {val_text(val_path(v, "workflow.namespace")), val_text(val_path(v, "workflow.name"))};
    if (phase_parse(val_text(val_path(v, "status.phase")), &p) && phase_fulfilled(p)) ref_end(f, &ref);
}

void follow_gone(struct service *s, const struct workflow_ref *ref) { ref_end(&s->follow, ref); }

void follow_change(struct service *s, const struct val *v)
{
    struct following *f = &s->follow;
    const struct val *seq = val_get(v, STR("seq"));
    if (seq) val_i64(seq, &f->seq);
    if (f->f.on_change) f->f.on_change(f->f.user, v);
    if (val_get(v, STR("status"))) note_end(f, v);
}

void follow_line(struct service *s, struct str line)
{
    struct arena a CLEANUP(arena_fini);
    struct val v;
    arena_init(&a);
    if (s->follow.on && json_parse(&a, line, NULL, &v, NULL)) follow_change(s, &v);
}

static bool on_own_line(void *user, struct str line)
{
    follow_line(user, line);
    return true;
}

/* Workflows that steps of the followed ones created run in this engine: it stays for them too. */
static bool all_over(struct service *s)
{
    struct following *f = &s->follow;
    if (f->left) return false;
    size_t more = f->hurry || !f->watch || !s->exec ? 0 : exec_descendants_active(s->exec, f->watch->runs, f->watch->n);
    if (more && !f->told_wait && f->f.on_wait) f->f.on_wait(f->f.user, more);
    f->told_wait = f->told_wait || more;
    return more == 0;
}

/* The end may be told from inside a watch or a call, so it is looked at afterwards. */
void follow_commit(struct service *s)
{
    if (s->follow.on && all_over(s)) follow_end(s, NULL);
}

void follow_hurry(struct service *s, struct str ns, struct str name)
{
    struct following *f = &s->follow;
    for (size_t i = 0; f->on && i < f->f.n; i++)
        f->hurry = f->hurry || (str_eq(f->f.refs[i].ns, ns) && str_eq(f->f.refs[i].name, name));
    if (f->hurry && !f->left) loop_timer_arm_us(f->retry, 0);
}

void follow_failed(struct service *s, const struct err *e)
{
    follow_end(s, e);
    loop_stop(s->loop);
}

static void follow_here(struct service *s, bool from_start)
{
    struct following *f = &s->follow;
    struct watch_opts o = {.refs = f->f.refs, .n = f->f.n, .from_start = from_start, .after = f->seq,
                           .on_line = on_own_line, .user = s};
    struct err e;
    f->watch = service_watch_new(s, &o, &e);
    if (!f->watch) {
        follow_end(s, &e);
        return;
    }
    service_watch_pump(f->watch);
    if (f->on && all_over(s)) loop_timer_arm_us(f->retry, 0);
}

/* The last engine may have ended what is followed without saying so here. */
static bool refs_over(struct service *s)
{
    struct following *f = &s->follow;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < f->f.n; i++) {
        struct str phase;
        struct err e;
        bool ended = f->finished[i];
        if (!ended && !service_phase(&a, s, &f->f.refs[i], &phase, &ended, &e)) ended = e.code == ERR_NOT_FOUND;
        if (!ended) return false;
    }
    return true;
}

/* All are over: what is still to be shown stands in the store. */
static void follow_rest(struct service *s)
{
    struct following *f = &s->follow;
    struct watch_opts o = {.refs = f->f.refs, .n = f->f.n, .from_start = f->seq < 0, .after = f->seq,
                           .on_line = on_own_line, .user = s};
    struct err deleted;
    struct service_watch *w = service_watch_new(s, &o, &deleted);
    if (w) service_watch_pump(w);
    service_watch_free(w);
    follow_end(s, NULL);
}

/* A connection that could not be made, or that ended. After one that brought something the next is made at once. */
static void follow_again(struct service *s)
{
    struct following *f = &s->follow;
    struct err e;
    bool last = !s->o.launcher && f->tries >= TRIES;
    if ((last || f->tries == LOOK_TRIES) && refs_over(s)) {
        follow_rest(s);
        return;
    }
    if (!last) {
        loop_timer_arm_us(f->retry, f->tries ? RETRY_US : 0);
        return;
    }
    err_set(&e, ERR_UNREACHABLE, "no engine is at work in this state directory: `skiff run --resume NAME` "
            "goes on with an unfinished workflow");
    follow_end(s, &e);
}

static void on_reply(void *user, const struct unix_reply *reply, const struct err *e)
{
    struct service *s = user;
    struct following *f = &s->follow;
    struct err own;
    f->call = NULL;
    if (!f->left) {
        follow_end(s, NULL);
    } else if (e && e->code != ERR_UNREACHABLE) { /* it would be the same again */
        follow_end(s, e);
    } else if (!e && reply->status == err_http_status(ERR_NOT_FOUND) && refs_over(s)) { /* deleted meanwhile */
        follow_end(s, NULL);
    } else if (!e && reply->status >= 400 && reply->status != 503) {
        err_set(&own, ERR_INTERNAL, "the engine refused to be followed: status %d", reply->status);
        follow_end(s, &own);
    } else {
        follow_again(s);
    }
}

static void on_remote_line(void *user, struct str line)
{
    struct service *s = user;
    s->follow.tries = 0;
    follow_line(user, line);
    if (s->follow.on && !s->follow.left) loop_timer_arm_us(s->follow.retry, 0);
}

struct str follow_body(struct arena *a, const struct following *f)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add(&b, STR("after"), val_of_i64(a, f->seq));
    map_add(&b, STR("workflows"), refs_val(a, f->f.refs, f->f.n));
    struct val body = map_done(&b);
    return json_text(a, &body);
}

static void follow_there(struct service *s)
{
    struct following *f = &s->follow;
    struct arena a CLEANUP(arena_fini);
    struct err e;
    arena_init(&a);
    struct unix_call_opts o = {.path = service_socket(s), .method = "POST", .target = "/api/v1/skiff/changes",
                               .body = follow_body(&a, f), .on_line = on_remote_line, .on_done = on_reply, .user = s};
    f->tries++; /* until a line comes */
    f->call = unix_call_new(s->loop, &o, &e);
    if (!f->call) follow_again(s);
}

/* Also after the engine left: whoever gets its lock goes on from the state that it committed. */
static void follow_connect(struct service *s)
{
    struct following *f = &s->follow;
    struct err e;
    bool engine;
    if (!f->on) return;
    if (!f->left) {
        follow_end(s, NULL);
        return;
    }
    if (!service_take_over(s, &engine, &e)) follow_end(s, &e);
    else if (engine) follow_here(s, f->seq < 0);
    else follow_there(s);
}

static void on_retry(void *user)
{
    struct service *s = user;
    if (s->remote) remote_follow(s);
    else if (!s->follow.watch && !s->follow.call) follow_connect(s);
    else if (s->follow.on && all_over(s)) follow_end(s, NULL);
}

bool service_follow(struct service *s, const struct follow *f, struct err *e)
{
    struct following *x = &s->follow;
    if (x->on) return err_set(e, ERR_CONFLICT, "one follow at a time");
    *x = (struct following){.on = true, .f = *f, .left = f->n, .seq = -1};
    x->finished = mem_zalloc((f->n + 1) * sizeof *x->finished);
    x->retry = loop_timer_new(s->loop, on_retry, s);
    if (s->remote) remote_follow(s);
    else if (s->exec) follow_here(s, true);
    else follow_connect(s);
    return true;
}

void service_unfollow(struct service *s)
{
    struct following *f = &s->follow;
    if (!f->on) return;
    service_watch_free(f->watch);
    if (f->call) unix_call_cancel(f->call);
    remote_follow_free(f->far);
    loop_timer_free(f->retry);
    free(f->finished);
    *f = (struct following){0};
}
