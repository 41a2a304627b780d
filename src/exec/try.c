/* One try of a probe (pkg/probe of Kubernetes): httpGet, tcpSocket, grpc from here; exec by the container's supervisor.
 * See probe_p.h. Runs on: the loop thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/probe_p.h"

bool try_is_under_way(const struct probe *p) { return p->watch || p->call || p->asked || p->sleeps; }

void try_stop(struct probe *p)
{
    web_call_cancel(p->call);
    p->call = NULL;
    loop_fd_free(p->watch);
    p->watch = NULL;
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    p->asked = p->sleeps = false;
}

/* ---- where ---- */

/* A port by number, or by the name that the container gives it. */
static int port_of(const struct probe *p, const struct val *where)
{
    struct str text = val_text(val_get(where, STR("port")));
    const struct val *ports = val_get(p->of->container, STR("ports"));
    int64_t n = 0;
    for (uint32_t i = 0; ports && ports->kind == VAL_LIST && i < ports->n; i++)
        if (str_eq(val_get_str(&ports->items[i], "name"), text)) text = val_text(val_get(&ports->items[i], STR("containerPort")));
    return str_to_i64(text, &n) && n > 0 && n < 65536 ? (int)n : 0;
}

/* The pod itself, unless another is named. */
static struct str host_of(const struct probe *p, const struct val *where)
{
    struct str host = val_get_str(where, "host");
    return host.n ? host : str_of(p->of->address);
}

/* ---- httpGet ---- */

static void on_reply(void *user, const struct web_reply *reply, const struct err *e)
{
    struct probe *p = user;
    p->call = NULL;
    probe_tried(p, !e && reply && reply->status >= 200 && reply->status < 400);
}

static bool http_try(struct probe *p, const struct val *get)
{
    struct exec *x = p->of->job->x;
    struct arena *a = &x->scratch;
    struct err e;
    const struct val *headers = val_get(get, STR("httpHeaders"));
    uint32_t n = headers && headers->kind == VAL_LIST ? headers->n : 0;
    struct web_field *fields = ARENA_ARRAY(a, struct web_field, n + 1);
    for (uint32_t i = 0; i < n; i++)
        fields[i] = (struct web_field){val_get_str(&headers->items[i], "name"), val_text(val_get(&headers->items[i], STR("value")))};
    struct str path = val_get_str(get, "path"), host = host_of(p, get);
    bool tls = str_is(val_get_str(get, "scheme"), "HTTPS");
    struct web_request r = {
        .url = str_fmt(a, "%s://%.*s:%d%s%.*s", tls ? "https" : "http", STR_ARG(host), port_of(p, get),
                       path.n && path.p[0] == '/' ? "" : "/", STR_ARG(path)),
        .fields = fields, .n_fields = n, .insecure = true, .same_host = true, .timeout_ms = p->timeout_us / 1000};
    if (!x->web && !(x->web = web_client_new(x->o.loop, &e))) return false;
    p->call = web_call_new(x->web, &r, on_reply, p, &e);
    arena_reset(a);
    return p->call != NULL;
}

/* ---- tcpSocket ---- */

static void on_connected(void *user, unsigned events)
{
    struct probe *p = user;
    int why = 0;
    socklen_t n = sizeof why;
    (void)events;
    bool good = getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0 && !why;
    probe_tried(p, good);
}

static bool tcp_try(struct probe *p, const struct val *where)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(p, where))};
    struct err e;
    struct str host = host_of(p, where);
    if (str_is(host, "localhost")) host = STR("127.0.0.1");
    if (inet_pton(AF_INET, str_z(&p->of->job->x->scratch, host), &to.sin_addr) != 1) return false;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || (connect(p->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)) return false;
    if (!(p->watch = loop_fd_new(p->of->job->x->o.loop, p->fd, on_connected, p, &e))) return false;
    loop_fd_watch(p->watch, LOOP_WRITE);
    loop_timer_arm_us(p->timer, p->timeout_us);
    return true;
}

/* ---- grpc ---- */

/* grpc.health.v1.Health/Check: HealthCheckRequest{service = 1}, framed: not compressed, length. */
static struct str health_request(struct arena *a, struct str service)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 12);
    uint32_t n = service.n ? (uint32_t)service.n + 2 : 0;
    const char head[] = {0, 0, 0, (char)(n >> 8), (char)n};
    buf_add(&b, head, sizeof head);
    if (n) buf_char(&b, 0x0a), buf_char(&b, (char)service.n), buf_str(&b, service);
    return buf_dup(a, &b);
}

static uint64_t varint(struct str *s)
{
    uint64_t v = 0;
    for (unsigned shift = 0; s->n && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)s->p[0];
        *s = str_from(*s, 1);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return v;
}

/* HealthCheckResponse{status = 1}: SERVING is 1. */
static bool is_serving(const struct web_reply *r)
{
    uint64_t status = 0;
    if (r->status != 200 || r->body.n < 5 || r->body.p[0]) return false;
    for (size_t i = 0; i < r->n_fields; i++)
        if (str_is(r->fields[i].name, "Grpc-Status") && !str_is(r->fields[i].value, "0")) return false;
    for (struct str m = str_from(r->body, 5); m.n;) {
        if (varint(&m) != (1 << 3 | 0)) return false; /* it has no other field */
        status = varint(&m);
    }
    return status == 1;
}

static void on_health(void *user, const struct web_reply *reply, const struct err *e)
{
    struct probe *p = user;
    p->call = NULL;
    probe_tried(p, !e && reply && is_serving(reply));
}

static bool grpc_try(struct probe *p, const struct val *grpc)
{
    const struct web_field fields[] = {{STR("Content-Type"), STR("application/grpc")}, {STR("Te"), STR("trailers")},
                                              {STR("Accept-Encoding"), STR("identity")}};
    struct exec *x = p->of->job->x;
    struct arena *a = &x->scratch;
    struct err e;
    struct str service = val_get_str(grpc, "service"), host = host_of(p, NULL);
    if (service.n > 127) return false;
    struct web_request r = {.method = STR("POST"), .url = str_fmt(a, "http://%.*s:%d/grpc.health.v1.Health/Check", STR_ARG(host), port_of(p, grpc)),
                            .fields = fields, .n_fields = ARRAY_LEN(fields), .body = health_request(a, service), .http2 = true,
                            .timeout_ms = p->timeout_us / 1000};
    if (!x->web && !(x->web = web_client_new(x->o.loop, &e))) return false;
    p->call = web_call_new(x->web, &r, on_health, p, &e);
    arena_reset(a);
    return p->call != NULL;
}

/* ---- exec ---- */

static bool run_beside(struct probe *p, struct step_strs argv)
{
    struct job *j = p->of->job;
    struct err e;
    p->asked = j->lane && slot_probe(j->lane->slot, p->kind, &argv, (uint32_t)(p->timeout_us / 1000), &e);
    arena_reset(&j->x->scratch);
    return p->asked;
}

static bool exec_try(struct probe *p, const struct val *exec)
{
    struct job *j = p->of->job;
    const struct val *list = val_get(exec, STR("command"));
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    struct step_strs argv = {ARENA_ARRAY(&j->x->scratch, struct str, n + 1), n};
    for (uint32_t i = 0; i < n; i++) argv.items[i] = val_text(&list->items[i]);
    return run_beside(p, container_probe_words(j->x, p->of->name, argv));
}

static bool begun_try(struct probe *p) { return run_beside(p, container_begun_words(p->of->job)); }

/* ---- sleep ---- */

static bool sleep_try(struct probe *p, const struct val *sleep)
{
    int64_t seconds = 0;
    str_to_i64(val_text(val_get(sleep, STR("seconds"))), &seconds);
    p->sleeps = true;
    loop_timer_arm_us(p->timer, MIN(MAX(seconds, 0) * 1000000, p->timeout_us));
    return true;
}

/* ---- any of them ---- */

bool try_begin(struct probe *p)
{
    static const struct {
        const char *name;
        bool (*begin)(struct probe *p, const struct val *how);
    } kinds[] = {{"httpGet", http_try}, {"tcpSocket", tcp_try}, {"grpc", grpc_try}, {"exec", exec_try}, {"sleep", sleep_try}};
    if (p->kind == PROBE_BEGUN) return begun_try(p);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct val *how = val_get(p->spec, str_of(kinds[i].name));
        if (how) return kinds[i].begin(p, how);
    }
    return false;
}
