/* Readiness of daemons: readinessProbe as the kubelet does it (pkg/probe). After initialDelaySeconds, then every
 * periodSeconds, until it has succeeded successThreshold times in a row; that is an event of the engine, after
 * which nothing more is asked. A failure before that means no more than "not yet".
 *
 * Nothing is stored about it: an engine that takes a daemon over asks anew. Runs on: the loop thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/exec_p.h"
#include "os/clock.h"

struct probe {
    struct job *job;
    struct arena arena;
    const struct val *spec, *container; /* copies */
    struct loop_timer *timer; /* until the next try, or until the one under way is too late */
    struct web_call *call;
    struct loop_fd *watch;
    int fd;
    int64_t period_us, timeout_us, needed, had;
};

static int64_t number(const struct val *map, const char *key, int64_t otherwise)
{
    const struct val *v = val_get(map, str_of(key));
    int64_t n = otherwise;
    if (v) str_to_i64(val_text(v), &n);
    return n > 0 || (n == 0 && otherwise == 0) ? n : otherwise;
}

static void try_stop(struct probe *p)
{
    web_call_cancel(p->call);
    p->call = NULL;
    loop_fd_free(p->watch);
    p->watch = NULL;
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
}

void probe_free(struct probe *p)
{
    if (!p) return;
    try_stop(p);
    loop_timer_free(p->timer);
    p->job->probe = NULL;
    arena_fini(&p->arena);
    free(p);
}

static void ready(struct job *j)
{
    struct active *l = j->live;
    struct exec *x = j->x;
    struct outbox out;
    struct err e;
    if (!exec_begin(x, &e)) {
        exec_fail(x, &e);
        return;
    }
    run_step_ready(l->run, j->node, clock_now_us(), &out);
    if (!active_event(l, &out, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}

static void tried(struct probe *p, bool good)
{
    struct job *j = p->job;
    try_stop(p);
    p->had = good ? p->had + 1 : 0;
    if (p->had < p->needed) {
        loop_timer_arm_us(p->timer, p->period_us);
        return;
    }
    probe_free(p);
    ready(j);
}

/* ---- where ---- */

/* A port by number, or by the name that the container gives it. */
static int port_of(const struct probe *p, const struct val *where)
{
    struct str text = val_text(val_get(where, STR("port")));
    const struct val *ports = val_get(p->container, STR("ports"));
    int64_t n = 0;
    for (uint32_t i = 0; ports && ports->kind == VAL_LIST && i < ports->n; i++)
        if (str_eq(val_get_str(&ports->items[i], "name"), text)) text = val_text(val_get(&ports->items[i], STR("containerPort")));
    return str_to_i64(text, &n) && n > 0 && n < 65536 ? (int)n : 0;
}

static struct str host_of(const struct val *where)
{
    struct str host = val_get_str(where, "host");
    return host.n ? host : STR("127.0.0.1");
}

/* ---- httpGet ---- */

static void on_reply(void *user, const struct web_reply *reply, const struct err *e)
{
    struct probe *p = user;
    p->call = NULL;
    tried(p, !e && reply && reply->status >= 200 && reply->status < 400);
}

static bool http_try(struct probe *p, const struct val *get)
{
    struct exec *x = p->job->x;
    struct arena *a = &x->scratch;
    struct err e;
    const struct val *headers = val_get(get, STR("httpHeaders"));
    uint32_t n = headers && headers->kind == VAL_LIST ? headers->n : 0;
    struct web_field *fields = ARENA_ARRAY(a, struct web_field, n + 1);
    for (uint32_t i = 0; i < n; i++)
        fields[i] = (struct web_field){val_get_str(&headers->items[i], "name"), val_text(val_get(&headers->items[i], STR("value")))};
    struct str path = val_get_str(get, "path"), host = host_of(get);
    bool tls = str_is(val_get_str(get, "scheme"), "HTTPS");
    struct web_request r = {
        .url = str_fmt(a, "%s://%.*s:%d%s%.*s", tls ? "https" : "http", STR_ARG(host), port_of(p, get),
                       path.n && path.p[0] == '/' ? "" : "/", STR_ARG(path)),
        .fields = fields, .n_fields = n, .insecure = true, .timeout_ms = p->timeout_us / 1000};
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
    tried(p, good);
}

static bool tcp_try(struct probe *p, const struct val *where)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(p, where))};
    struct err e;
    struct str host = host_of(where);
    if (str_is(host, "localhost")) host = STR("127.0.0.1");
    if (inet_pton(AF_INET, str_z(&p->job->x->scratch, host), &to.sin_addr) != 1) return false;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || (connect(p->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)) return false;
    if (!(p->watch = loop_fd_new(p->job->x->o.loop, p->fd, on_connected, p, &e))) return false;
    loop_fd_watch(p->watch, LOOP_WRITE);
    loop_timer_arm_us(p->timer, p->timeout_us);
    return true;
}

/* ---- one after the other ---- */

static void on_timer(void *user)
{
    struct probe *p = user;
    const struct val *get = val_get(p->spec, STR("httpGet")), *tcp = val_get(p->spec, STR("tcpSocket"));
    if (p->watch) { /* the try under way is too late */
        tried(p, false);
        return;
    }
    bool under_way = get ? http_try(p, get) : tcp_try(p, tcp);
    if (!under_way) tried(p, false);
}

void probe_begin(struct job *j)
{
    struct err e;
    if (!j->live || j->part || j->probe || j->killed || !node_is_daemon(j->node) || node_is_ready(j->node)) return;
    const struct val *tmpl = node_template(j->live->run, j->node, &e);
    const struct val *body = val_get(tmpl, STR("container"));
    if (!body) body = val_get(tmpl, STR("script"));
    if (!val_get(body, STR("readinessProbe"))) return;
    struct probe *p = mem_zalloc(sizeof *p);
    p->job = j;
    p->fd = -1;
    arena_init(&p->arena);
    struct val *copy = ARENA_NEW(&p->arena, struct val);
    *copy = val_copy(&p->arena, body);
    p->container = copy;
    p->spec = val_get(copy, STR("readinessProbe"));
    p->period_us = number(p->spec, "periodSeconds", 10) * 1000000;
    p->timeout_us = number(p->spec, "timeoutSeconds", 1) * 1000000;
    p->needed = number(p->spec, "successThreshold", 1);
    p->timer = loop_timer_new(j->x->o.loop, on_timer, p);
    j->probe = p;
    loop_timer_arm_us(p->timer, MAX(number(p->spec, "initialDelaySeconds", 0) * 1000000 - (clock_mono_us() - j->started_us), 0));
}
