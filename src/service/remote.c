/* Asking a server elsewhere. See remote_p.h. */
#include "service/remote_p.h"

#include <time.h>

#include "base/limits.h"
#include "doc/json.h"

enum { ANSWER_MS = 120000, MESSAGE_MAX = 600 };

struct remote *remote_new(struct arena *a, const struct service_server *o, struct err *e)
{
    struct remote *r = ARENA_NEW(a, struct remote);
    struct str url = o->url;
    while (url.n && url.p[url.n - 1] == '/') url.n--;
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        return err_set(e, ERR_USAGE, "'%.*s' is no address of a server", STR_ARG(o->url)), NULL;
    *r = (struct remote){.url = str_dup(a, url), .insecure = o->insecure, .known = o->authorization.n, .answered = o->answered, .kept = web_kept_new(),
                         .ca_file = str_dup(a, o->ca_file), .cert = str_dup(a, o->cert), .key = str_dup(a, o->key), .proxy = str_dup(a, o->proxy)};
    r->fields = ARENA_ARRAY(a, struct web_field, o->n_headers + 3);
    for (size_t i = 0; i < o->n_headers; i++)
        r->fields[r->n_fields++] = (struct web_field){str_dup(a, o->headers[i].name), str_dup(a, o->headers[i].value)};
    if (o->authorization.n) r->fields[r->n_fields++] = (struct web_field){STR("Authorization"), str_dup(a, o->authorization)};
    r->fields[r->n_fields++] = (struct web_field){STR("Accept"), STR("application/json")};
    r->fields[r->n_fields++] = (struct web_field){STR("Content-Type"), STR("application/json")};
    return r;
}

void remote_close(struct remote *r)
{
    if (!r) return;
    web_client_free(r->client);
    web_kept_free(r->kept);
}

/* Before what failed once and then `tries` times more is tried again. */
static int64_t pause_us(int tries)
{
    enum { FIRST_US = 200000, MOST_US = 5000000 };
    int64_t pause = FIRST_US;
    for (int i = 0; i < tries && pause < MOST_US; i++) pause *= 2;
    return MIN(pause, MOST_US);
}

void remote_tries_begin(struct remote_tries *t) { t->begun_us = loop_now_us(); }

int64_t remote_tries_pause_us(struct remote_tries *t)
{
    enum { LONG_US = (LIMIT_WEB_CONNECT_MS + 5000) * 1000, MINUTE_US = 60000000 };
    int64_t now_us = loop_now_us();
    if (now_us - t->begun_us > LONG_US) t->n = 0;
    if (t->n == 0) t->lost_us = now_us;
    return now_us - t->lost_us > MINUTE_US ? -1 : pause_us(t->n++);
}

void query_add(struct buf *b, struct arena *a, const char *key, struct str value)
{
    if (value.n) buf_printf(b, "%s%.*s", key, STR_ARG(web_escape(a, value)));
}

/* ---- errors ---- */

/* What may be done about a failure whose text says so. */
static const struct {
    const char *sign, *hint;
} hints[] = {
    {"proxyconnect", "is --proxy-url right?"},
    {"resolve proxy", "is --proxy-url, or HTTPS_PROXY, right?"},
    {"connection refused", "nothing listens there: is the server running, and is ARGO_SERVER right?"},
    {"no such host", "is ARGO_SERVER right?"},
    {"wrong version number", "it does not speak TLS: ARGO_SECURE=false, or --secure=false"},
    {"packet length", "it does not speak TLS: ARGO_SECURE=false, or --secure=false"},
    {"SSL_ERROR_SYSCALL", "if it speaks plain HTTP: ARGO_SECURE=false, or --secure=false"},
    {"unexpected eof", "if it speaks plain HTTP: ARGO_SECURE=false, or --secure=false"},
    {"HTTP/0.9", "if it speaks TLS: ARGO_SECURE=true, or --secure"},
    {"unexpected EOF", "its answer broke off"},
    {"EOF", "it ended the connection without an answer; if it speaks TLS: ARGO_SECURE=true, or --secure"},
    {"verify certificate", "--certificate-authority or SSL_CERT_FILE may name the certificate to trust; -k trusts any"},
    {"setting certificate file", "is that a PEM file with certificates (--certificate-authority, SSL_CERT_FILE)?"},
    {"private key file", "is --client-key a PEM file with the key of --client-certificate?"},
    {"CURLOPT_SSLCERT_BLOB", "is --client-certificate a PEM file with a certificate?"},
    {"reply is larger", "a part of a workflow can be had: GET /api/v1/workflows/NAMESPACE/NAME?fields=status.phase; all of it on the server's machine"},
};

bool remote_unanswered(const struct remote *r, struct err *e)
{
    struct err was = *e;
    size_t i = 0;
    const char *end = strstr(was.text, "\": "), *text = end ? end + 3 : was.text;
    while (i < ARRAY_LEN(hints) && !strstr(text, hints[i].sign)) i++;
    bool hint = i < ARRAY_LEN(hints);
    err_set(e, was.code, "%.600s%s%s", text, hint ? "; " : "", hint ? hints[i].hint : "");
    return err_ctx(e, "server %.*s", STR_ARG(str_sub(r->url, 0, 200)));
}

static struct str field_of(const struct web_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_fields; i++)
        if (str_is(reply->fields[i].name, name)) return reply->fields[i].value;
    return STR_NONE;
}

/* Both numbers tell best; a server that is not this one may have its own for the second. */
static enum err_code code_of(int status, int64_t grpc)
{
    enum err_code by_status = status >= 502 ? ERR_UNREACHABLE : status >= 500 ? ERR_IO : ERR_SPEC;
    if (status == 401) return ERR_AUTH;
    if (status == 405) return ERR_UNSUPPORTED;
    for (int i = 1; i < ERR_MAX; i++) {
        if (err_http_status((enum err_code)i) != status) continue;
        if (i == ERR_USAGE || i == ERR_INTERNAL) continue; /* its line, its bug */
        if (err_grpc_code((enum err_code)i) == grpc) return (enum err_code)i;
        if (status != 400 && status != 500) by_status = (enum err_code)i;
    }
    return by_status;
}

static bool redirected(const struct remote *r, const struct web_reply *reply, struct err *e)
{
    struct str to = field_of(reply, "Location");
    return err_set(e, ERR_UNREACHABLE, "server %.*s sends its callers elsewhere%s%.*s; ARGO_SERVER (and ARGO_SECURE) should name that place",
                   STR_ARG(str_sub(r->url, 0, 200)), to.n ? ": " : "", STR_ARG(str_sub(to, 0, 300)));
}

/* Whatever answers, a proxy for one, it is not the API. */
static bool no_api(const struct remote *r, const struct web_reply *reply, struct err *e)
{
    enum err_code code = reply->status < 400 ? ERR_UNREACHABLE : code_of(reply->status, -1);
    return err_set(e, code, "server %.*s: its answer (%.*s) is not that of an Argo API; is ARGO_SERVER right, and does it need ARGO_BASE_HREF?",
                   STR_ARG(str_sub(r->url, 0, 200)), STR_ARG(str_sub(reply->status_text, 0, 100)));
}

bool remote_refused(struct remote *r, const struct web_reply *reply, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val v = val_null;
    int64_t grpc = -1, seconds = 0;
    arena_init(&a);
    if (reply->led_away || (reply->status >= 300 && reply->status < 400)) return redirected(r, reply, e);
    bool is_json = json_parse(&a, reply->body, NULL, &v, NULL) && v.kind == VAL_MAP;
    const struct val *code = val_get(&v, STR("code"));
    if (code) val_i64(code, &grpc);
    struct str text = str_sub(val_get_str(&v, "message"), 0, MESSAGE_MAX), after = field_of(reply, "Retry-After");
    if (reply->status == 401)
        return err_set(e, ERR_AUTH, "%s%s%.*s", r->known ? "the server does not accept the token: ARGO_TOKEN, or --token, should be another"
                       : "the server needs to know who asks: ARGO_TOKEN, or --token", text.n ? ": " : "", STR_ARG(text));
    if (reply->status == 429) {
        bool counted = str_to_i64(after, &seconds) && seconds > 0; /* it may be a date */
        struct str when = counted ? str_fmt(&a, "in %lld second%s", (long long)seconds, seconds == 1 ? "" : "s") : STR("soon");
        return err_set(e, ERR_LIMIT, "the server takes no more requests for now, try again %.*s%s%.*s", STR_ARG(when), text.n ? ": " : "", STR_ARG(text));
    }
    if (!is_json) return no_api(r, reply, e);
    if (reply->status == 404 && (str_is(text, "Not Found") || str_is(text, "there is nothing at this path"))) /* of a route, in Argo's and Skiff's words */
        return err_set(e, ERR_NOT_FOUND, "server %.*s does not know this request: it is one of Argo's or an older Skiff, or ARGO_BASE_HREF is not right",
                       STR_ARG(str_sub(r->url, 0, 200)));
    err_set(e, code_of(reply->status, grpc), "%.*s", STR_ARG(text.n ? text : reply->status_text));
    if (reply->status == 503) err_ctx(e, "the server is not ready, try again soon");
    return false;
}

bool remote_lacks(const struct err *e)
{
    return e->code == ERR_AUTH || e->code == ERR_NOT_FOUND || e->code == ERR_UNSUPPORTED;
}

/* ---- requests ---- */

static struct web_request request_of(struct arena *a, const struct remote *r, const char *method, const char *target, struct str body)
{
    return (struct web_request){.method = str_of(method), .url = str_fmt(a, "%.*s%s", STR_ARG(r->url), target), .body = body,
                                .fields = r->fields, .n_fields = r->n_fields, .insecure = r->insecure, .same_origin = true, .same_host = true,
                                .ca_file = r->ca_file, .cert = r->cert, .key = r->key, .proxy = r->proxy};
}

static bool fetch_once(struct arena *a, struct remote *r, const struct web_request *q, struct web_reply *reply, struct err *e)
{
    if (!web_fetch(a, q, reply, e)) return remote_unanswered(r, e);
    return (reply->status >= 200 && reply->status < 300 && !reply->led_away) || remote_refused(r, reply, e);
}

static bool fetch(struct arena *a, struct remote *r, struct web_request *q, struct web_reply *reply, struct err *e)
{
    enum { TRIES = 5 };
    bool again = str_is(q->method, "GET") && !q->to_file && !q->on_piece && *r->answered;
    q->kept = r->kept;
    for (int i = 0; !fetch_once(a, r, q, reply, e); i++) {
        if (!again || e->code != ERR_UNREACHABLE || i == TRIES) return false;
        int64_t us = pause_us(i);
        struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
        nanosleep(&pause, NULL);
    }
    return *r->answered = true;
}

bool remote_ask(struct arena *a, struct remote *r, const char *method, const char *target, struct str body, struct val *out, struct err *e)
{
    struct web_request q = request_of(a, r, method, target, body);
    struct web_reply reply;
    q.timeout_ms = ANSWER_MS;
    q.max_bytes = LIMIT_WEB_ANSWER_BYTES;
    *out = val_null;
    if (!fetch(a, r, &q, &reply, e)) return false;
    bool read = !reply.body.n || json_parse(a, reply.body, &(struct json_opts){.max_bytes = LIMIT_WEB_ANSWER_BYTES}, out, e);
    if (!read && e->code == ERR_LIMIT) return err_ctx(e, "server %.*s", STR_ARG(str_sub(r->url, 0, 200)));
    return (read && (!reply.body.n || out->kind == VAL_MAP)) || no_api(r, &reply, e);
}

bool remote_strange(const struct remote *r, const char *what, struct err *e)
{
    return no_api(r, &(struct web_reply){.status = 200, .status_text = str_of(what)}, e);
}

bool remote_get(struct arena *a, struct remote *r, const char *target, struct val *out, struct err *e)
{
    if (!remote_ask(a, r, "GET", target, STR_NONE, out, e)) return false;
    return out->kind == VAL_MAP || remote_strange(r, "nothing", e);
}

bool remote_text(struct arena *a, struct remote *r, const char *target, struct str *out, struct err *e)
{
    struct web_request q = request_of(a, r, "GET", target, STR_NONE);
    struct web_reply reply;
    q.timeout_ms = ANSWER_MS;
    if (!fetch(a, r, &q, &reply, e)) return false;
    *out = reply.body;
    return true;
}

bool remote_is_skiff(struct remote *r)
{
    struct arena a CLEANUP(arena_fini);
    struct val v = val_null;
    struct err e = {0};
    arena_init(&a);
    if (r->asked) return r->skiff;
    r->asked = remote_get(&a, r, "/api/v1/version", &v, &e) || e.code != ERR_UNREACHABLE;
    return r->skiff = str_starts(val_get_str(&v, "version"), STR("skiff-"));
}

/* As the fields of `how` say where its body goes; of any size. */
static bool fetch_body(struct remote *r, const char *target, const struct web_request *how, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct web_reply reply;
    arena_init(&a);
    struct web_request q = request_of(&a, r, "GET", target, STR_NONE);
    q.to_file = how->to_file;
    q.sink_fd = how->sink_fd;
    q.on_piece = how->on_piece;
    q.piece_user = how->piece_user;
    q.max_bytes = UINT64_MAX;
    return fetch(&a, r, &q, &reply, e);
}

bool remote_file(struct remote *r, const char *target, int fd, struct err *e)
{
    return fetch_body(r, target, &(struct web_request){.to_file = true, .sink_fd = fd}, e);
}

bool remote_pieces(struct remote *r, const char *target,
                   bool (*on_piece)(void *user, const struct web_reply *head, struct str piece, struct err *e), void *user, struct err *e)
{
    return fetch_body(r, target, &(struct web_request){.on_piece = on_piece, .piece_user = user}, e);
}

struct web_lines *remote_lines(struct service *s, const char *method, const char *target, struct str body,
                               const struct web_lines_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct web_lines_opts all = *o;
    arena_init(&a);
    if (!s->remote->client && !(s->remote->client = web_client_new(s->loop, e))) return NULL;
    struct web_request q = request_of(&a, s->remote, method, target, body);
    all.request = &q;
    struct web_lines *w = web_lines_new(s->loop, s->remote->client, &all, e);
    if (!w) remote_unanswered(s->remote, e);
    return w;
}
