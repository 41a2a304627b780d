/* Lines of logs of a server elsewhere, by Argo's log stream. See service.h.
 *
 * They are asked for with their times, so that a stream that was cut off can be taken up again: all is sent anew then, and of each
 * pod what was given already is left out. */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "os/clock.h"
#include "service/remote_p.h"

enum { TARGET_MAX = 64 << 10 };

/* Of a container set all are meant unless one is named, which Argo has no words for. */
static const char *log_target(struct arena *a, struct remote *r, const struct log_opts *o, int64_t since_ns, int64_t tail, bool follow)
{
    struct buf b CLEANUP(buf_fini);
    struct str container = o->container.n || remote_is_skiff(r) ? o->container : STR("main");
    buf_init(&b, TARGET_MAX);
    buf_printf(&b, "/api/v1/workflows/%.*s/%.*s/log?logOptions.timestamps=true", STR_ARG(web_escape(a, o->ref.ns)), STR_ARG(web_escape(a, o->ref.name)));
    query_add(&b, a, "&logOptions.container=", container);
    query_add(&b, a, "&podName=", o->pod);
    query_add(&b, a, "&selector=", o->selector);
    query_add(&b, a, "&grep=", o->grep);
    if (since_ns) query_add(&b, a, "&logOptions.sinceTime=", rfc3339_nano(a, since_ns));
    if (tail >= 0) buf_printf(&b, "&logOptions.tailLines=%lld", (long long)tail);
    if (o->previous) buf_str(&b, STR("&logOptions.previous=true"));
    if (follow) buf_str(&b, STR("&logOptions.follow=true"));
    return buf_dup(a, &b).p;
}

/* False: the stream says that it broke. */
static bool line_read(struct arena *a, struct str json, struct log_line *out, struct err *e)
{
    struct val v;
    *out = (struct log_line){.text = STR_NONE};
    if (!json_parse(a, json, NULL, &v, NULL)) return true; /* nothing of Argo's */
    const struct val *error = val_get(&v, STR("error")), *result = val_get(&v, STR("result"));
    if (error && error->kind == VAL_MAP)
        return err_set(e, ERR_IO, "the server ended the log: %.*s", STR_ARG(str_sub(val_get_str(error, "message"), 0, 500)));
    struct str content = val_get_str(result, "content");
    if (!result) return true;
    out->pod = val_get_str(result, "podName");
    int64_t us;
    bool timed = str_cut(content, ' ', &out->time, &out->text);
    if (!rfc3339_parse(out->time, &us)) out->text = content, out->time = STR(""); /* a server that does not say */
    else if (!timed) out->text = STR("");
    return true;
}

/* ---- what there is ---- */

struct reading {
    const struct log_opts *o;
    struct buf line; /* what has come of it */
};

static bool line_give(struct reading *x, struct str json, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct log_line line;
    arena_init(&a);
    if (!line_read(&a, json, &line, e)) return false;
    if (line.text.p) x->o->on_line(x->o->user, &line);
    return true;
}

static bool on_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    struct reading *x = user;
    struct str line;
    (void)head;
    for (bool whole = true; whole;) {
        whole = str_cut(piece, '\n', &line, &piece);
        buf_str(&x->line, line);
        if (x->line.overflow) return err_set(e, ERR_LIMIT, "a line of the log is larger than %d bytes", LIMIT_HTTP_LINE_BYTES);
        if (whole && !line_give(x, buf_view(&x->line), e)) return false;
        if (whole) buf_reset(&x->line);
    }
    return true;
}

bool service_log_lines(struct service *s, const struct log_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct reading x = {.o = o};
    arena_init(&a);
    buf_init(&x.line, LIMIT_HTTP_LINE_BYTES);
    bool ok = remote_pieces(s->remote, log_target(&a, s->remote, o, o->since_ns, o->tail, false), on_piece, &x, e);
    buf_fini(&x.line);
    return ok;
}

/* ---- what comes ---- */

struct pod_seen {
    struct buf time; /* of its last line */
    size_t n;        /* lines of that time */
    size_t again;    /* of these, how many are still to come once more */
};

struct log_stream {
    struct service *s;
    struct log_opts o; /* its texts are in the arena */
    struct arena arena;
    struct web_lines *lines;
    struct loop_timer *retry;
    struct map pods; /* name -> struct pod_seen */
    int64_t begun_ns, first_ns; /* now, when it began; of the first line that was given, 0: none was */
    struct remote_tries tries;
    bool connected_once;
    struct err e; /* of a stream that says it broke */
};

static struct pod_seen *pod_of(struct log_stream *x, struct str name)
{
    struct pod_seen *p = map_ptr(&x->pods, name);
    if (p) return p;
    p = mem_zalloc(sizeof *p);
    buf_init(&p->time, LIMIT_VALUE_BYTES);
    map_set_ptr(&x->pods, str_dup(&x->arena, name), p);
    return p;
}

/* Times are texts of one length, so they can be compared as such. */
static bool was_given(struct log_stream *x, const struct log_line *line)
{
    struct pod_seen *p = pod_of(x, line->pod);
    int order = str_cmp(line->time, buf_view(&p->time));
    if (p->again && order < 0) return true;
    if (p->again && order == 0) return p->again--, true;
    p->again = 0;
    p->n = order == 0 ? p->n + 1 : 1;
    buf_reset(&p->time);
    buf_str(&p->time, line->time);
    int64_t us;
    if (!x->first_ns && rfc3339_parse(line->time, &us)) x->first_ns = us * 1000;
    return false;
}

static void on_line(void *user, struct str json)
{
    struct log_stream *x = user;
    struct arena a CLEANUP(arena_fini);
    struct log_line line;
    arena_init(&a);
    x->tries.n = 0;
    if (!line_read(&a, json, &line, &x->e)) return;
    if (line.text.p && !was_given(x, &line)) x->o.on_line(x->o.user, &line);
}

/* A server that stops ends its streams, too. */
static bool is_over(struct log_stream *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct str phase;
    bool ended = true;
    arena_init(&a);
    if (!service_phase(&a, x->s, &x->o.ref, &phase, &ended, e)) return false;
    return ended || err_set(e, ERR_UNREACHABLE, "the server ended the log");
}

static void on_done(void *user, const struct web_reply *reply, const struct err *e)
{
    struct log_stream *x = user;
    struct err why = {0};
    x->lines = NULL;
    if (e) why = *e, remote_unanswered(x->s->remote, &why);
    else if (x->e.code) why = x->e;
    else if (reply->status < 200 || reply->status >= 300 || reply->led_away) remote_refused(x->s->remote, reply, &why);
    else is_over(x, &why);
    bool lost = why.code == ERR_UNREACHABLE || why.code == ERR_TIMEOUT || (!e && reply->status == 429);
    int64_t pause = lost ? remote_tries_pause_us(&x->tries) : -1;
    if (pause >= 0) loop_timer_arm_us(x->retry, pause);
    else x->o.on_end(x->o.user, why.code ? &why : NULL);
}

static void stream_begin(void *user)
{
    struct log_stream *x = user;
    struct arena a CLEANUP(arena_fini);
    struct web_lines_opts o = {.on_line = on_line, .on_done = on_done, .user = x};
    int64_t since = x->o.since_ns, tail = x->o.tail;
    struct err e = {0};
    arena_init(&a);
    if (x->connected_once && tail >= 0) since = MAX(since, x->first_ns ? x->first_ns : x->begun_ns); /* what is older was not wanted then */
    if (x->connected_once) tail = -1;
    x->connected_once = true;
    remote_tries_begin(&x->tries);
    for (struct map_slot *slot = NULL; (slot = map_next(&x->pods, slot));) {
        struct pod_seen *p = slot->ptr;
        p->again = p->n;
    }
    x->lines = remote_lines(x->s, "GET", log_target(&a, x->s->remote, &x->o, since, tail, true), STR_NONE, &o, &e);
    if (!x->lines) x->o.on_end(x->o.user, &e);
}

struct log_stream *service_log_stream(struct service *s, const struct log_opts *o)
{
    struct log_stream *x = mem_zalloc(sizeof *x);
    x->s = s;
    arena_init(&x->arena);
    x->o = *o;
    x->o.ref = (struct workflow_ref){str_dup(&x->arena, o->ref.ns), str_dup(&x->arena, o->ref.name)};
    x->o.pod = str_dup(&x->arena, o->pod);
    x->o.container = str_dup(&x->arena, o->container);
    x->o.grep = str_dup(&x->arena, o->grep);
    x->begun_ns = clock_now_us() * 1000;
    x->retry = loop_timer_new(s->loop, stream_begin, x);
    loop_timer_arm_us(x->retry, 0);
    return x;
}

void service_log_stream_free(struct log_stream *x)
{
    if (!x) return;
    web_lines_cancel(x->lines);
    loop_timer_free(x->retry);
    for (struct map_slot *slot = NULL; (slot = map_next(&x->pods, slot));) {
        struct pod_seen *p = slot->ptr;
        buf_fini(&p->time);
        free(p);
    }
    map_fini(&x->pods);
    arena_fini(&x->arena);
    free(x);
}
