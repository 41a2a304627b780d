/* Streams as Argo's server frames them: {"result":…}, one JSON document a line, or as server-sent events of data alone,
 * because its clients take whatever else stands in a line for JSON too (argoproj/pkg, grpc/http/forwarders.go). */
#include "api/api_p.h"

#include "base/limits.h"
#include "doc/json_write.h"

enum { KEEP_ALIVE_US = 15000000, SECOND_US = 1000000 };

struct argo_stream {
    struct http_stream *out;
    struct argo_stream_fns fns;
    struct loop_timer *turn;  /* the client has taken all that it was given, or this ends */
    struct loop_timer *alive; /* of server-sent events */
    struct loop_timer *until; /* the client's own limit */
    bool ending;
};

static void stream_close(struct argo_stream *x)
{
    struct http_stream *out = x->out;
    x->fns.close(x->fns.user);
    loop_timer_free(x->turn);
    loop_timer_free(x->alive);
    loop_timer_free(x->until);
    free(x);
    http_stream_end(out);
}

static void on_gone(void *user) { stream_close(user); }
static void on_room(void *user) { loop_timer_arm_us(((struct argo_stream *)user)->turn, 0); }

static void on_turn(void *user)
{
    struct argo_stream *x = user;
    if (x->ending) stream_close(x);
    else x->fns.pump(x->fns.user);
}

static void on_until(void *user) { argo_stream_end(user, NULL); }

static void on_alive(void *user)
{
    struct argo_stream *x = user;
    http_stream_write(x->out, STR(":\n"));
    loop_timer_arm_us(x->alive, KEEP_ALIVE_US);
}

struct argo_stream *argo_stream_begin(struct http_req *r, struct service *s, const struct argo_stream_fns *fns)
{
    struct argo_stream *x = mem_zalloc(sizeof *x);
    bool sse = http_req_wants_sse(r);
    int64_t most_s = 0;
    x->fns = *fns;
    x->turn = loop_timer_new(service_loop(s), on_turn, x);
    x->alive = loop_timer_new(service_loop(s), on_alive, x);
    x->until = loop_timer_new(service_loop(s), on_until, x);
    if (sse) loop_timer_arm_us(x->alive, KEEP_ALIVE_US);
    if (str_to_i64(http_req_query(r, "listOptions.timeoutSeconds"), &most_s) && most_s > 0 && most_s < INT64_MAX / SECOND_US)
        loop_timer_arm_us(x->until, most_s * SECOND_US);
    if (sse) http_reply_header(r, "X-Content-Type-Options", STR("nosniff"));
    x->out = http_stream_begin(r, sse ? "text/event-stream" : "application/json");
    http_stream_limit(x->out, LIMIT_STREAM_AHEAD_BYTES);
    http_stream_on_room(x->out, on_room, x);
    http_req_on_gone(r, on_gone, x);
    return x;
}

bool argo_stream_result(struct argo_stream *x, const struct val *result)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    if (x->ending) return false;
    buf_str(&b, STR("{\"result\":"));
    json_write(&b, result, 0);
    buf_char(&b, '}');
    return http_stream_event(x->out, STR_NONE, STR_NONE, buf_view(&b));
}

bool argo_stream_typed(struct argo_stream *x, const char *type, struct str object)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    if (x->ending) return false;
    buf_printf(&b, "{\"result\":{\"type\":\"%s\",\"object\":", type);
    buf_str(&b, object);
    buf_str(&b, STR("}}"));
    return http_stream_event(x->out, STR_NONE, STR_NONE, buf_view(&b));
}

/* As grpc-gateway says what broke a stream. */
static void error_write(struct argo_stream *x, const struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    buf_printf(&b, "{\"error\":{\"grpc_code\":%d,\"http_code\":%d,\"message\":", err_grpc_code(e->code), err_http_status(e->code));
    buf_json(&b, str_of(e->text));
    buf_str(&b, STR("}}"));
    http_stream_limit(x->out, 0); /* a slow client must not take the end for the whole */
    http_stream_event(x->out, STR_NONE, STR_NONE, buf_view(&b));
}

void argo_stream_end(struct argo_stream *x, const struct err *e)
{
    if (x->ending) return;
    if (e) error_write(x, e);
    x->ending = true;
    loop_timer_arm_us(x->turn, 0);
}
