/* libmicrohttpd's callbacks for one request: head, body, handler, answer.
 *
 * It calls serve_request first with the headers alone, then with pieces of the body, then with
 * none; and once more after a resume. */
#include <fcntl.h>

#include "base/limits.h"
#include "base/log.h"
#include "http/server_p.h"
#include "os/fd.h"
#include "os/random.h"

#define SPOOL_MAX ((uint64_t)LIMIT_UPLOAD_MIB << 20)

void *serve_target(void *server, const char *uri, struct MHD_Connection *mhd)
{
    struct http_conn *c = conn_of(server, mhd);
    ASSERT(c && !c->req);
    return req_new(c, str_of(uri));
}

static enum MHD_Result serve_queue(struct http_req *r)
{
    const struct mhd_api *mhd = r->server->mhd;
    req_move(r, REQ_QUEUED);
    enum MHD_Result rc = mhd->queue_response(r->conn->mhd, r->status, r->response);
    mhd->destroy_response(r->response);
    r->response = NULL;
    return rc;
}

static enum MHD_Result add_field(void *user, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                 const char *value, size_t value_n)
{
    struct http_req *r = user;
    (void)kind;
    r->fields[r->field_count++] = (struct http_field){
        str_dup(&r->arena, str_n(name, name_n)),
        str_dup(&r->arena, str_n(value ? value : "", value ? value_n : 0))};
    return MHD_YES;
}

static void fields_read(struct http_req *r)
{
    const struct mhd_api *mhd = r->server->mhd;
    int n = mhd->get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, NULL, NULL);
    if (n <= 0) return;
    r->fields = ARENA_ARRAY(&r->arena, struct http_field, n);
    mhd->get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, add_field, r);
}

static bool id_ok(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] > '~') return false;
    return id.n > 0 && id.n <= LIMIT_HTTP_REQUEST_ID_BYTES;
}

static void identify(struct http_req *r)
{
    struct str given = http_req_header(r, "X-Request-Id");
    r->id = id_ok(given) ? given : str_fmt(&r->arena, "%016llx", (unsigned long long)random_u64());
}

static void refuse_err(struct http_req *r, const struct err *e)
{
    req_refuse(r, err_http_status(e->code), err_grpc_code(e->code), e->text);
}

static void refuse_stopping(struct http_req *r)
{
    r->closing = true;
    req_refuse(r, 503, 14, "the server stops");
}

/* What the owner of the server thinks of it; what was looked up or noted for that passes the commit hooks too. A body that is on its
 * way is read first when it is small: a client that is still sending would not see the answer. False: answered. */
static bool head_admit(struct http_req *r, const struct gate_body *body)
{
    const struct http_server_opts *o = &r->server->opts;
    if (!o->admit) return true;
    r->server->handled = true;
    o->admit(r, o->user, &r->verdict);
    if (!r->verdict.status || (body->length && body->length <= LIMIT_HTTP_HEAD_BYTES)) return true;
    req_refuse(r, r->verdict.status, r->verdict.code, r->verdict.text);
    return false;
}

/* Finds the handler; false: refused. */
static bool head_route(struct http_req *r, const struct gate_body *body)
{
    struct err e = {0};
    if (!target_parse(&r->arena, r->target.raw, &r->target, &e)) {
        r->closing = true;
        refuse_err(r, &e);
        return false;
    }
    router_match(r->server->router, &r->arena, r->method, &r->target, &r->match);
    if (!head_admit(r, body)) return false;
    if (r->match.route || r->verdict.status) return true;
    if (str_set(r->match.allow)) {
        http_reply_header(r, "Allow", r->match.allow);
        req_refuse(r, 405, 12, "this method is not for this path");
    } else {
        req_refuse(r, 404, 5, "there is nothing at this path");
    }
    return false;
}

static bool spool_open(struct http_req *r, struct err *e)
{
    const char *dir = r->match.route->spool_dir;
    r->spool_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return r->spool_fd >= 0 || err_sys(e, "'%s'", dir);
}

static bool head_check(struct http_req *r, const char *version, struct gate_body *body)
{
    struct err e = {0};
    struct gate_head head = {r->method, str_of(version), r->fields, r->field_count};
    if (!gate_check(&head, body, &e)) {
        r->closing = true;
        refuse_err(r, &e);
        return false;
    }
    if (r->server->stopping) {
        refuse_stopping(r);
        return false;
    }
    if (!head_route(r, body)) return false;
    bool spools = !r->verdict.status && r->match.route->spool_dir; /* who is refused may be without a route */
    uint64_t max = spools ? SPOOL_MAX : r->server->opts.max_body_bytes;
    if (body->length > max)
        err_set(&e, ERR_LIMIT, "the body is larger than %s (%llu bytes)", spools ? "LIMIT_UPLOAD_MIB" : "LIMIT_HTTP_BODY_BYTES", (unsigned long long)max);
    else if (!spools || spool_open(r, &e)) return true;
    refuse_err(r, &e);
    return false;
}

static enum MHD_Result serve_head(struct http_req *r, const char *method, const char *version)
{
    struct gate_body body;
    r->method = str_dup(&r->arena, str_of(method));
    fields_read(r);
    identify(r);
    conn_wait(r->conn, CONN_BUSY);
    if (!head_check(r, version, &body)) return serve_queue(r);
    req_move(r, REQ_BODY);
    if (body.chunked || body.length) conn_wait(r->conn, CONN_BODY);
    return MHD_YES;
}

/* In the middle of a body libmicrohttpd takes no answer: it is written past it. */
static enum MHD_Result refuse_midway(struct http_req *r, int status, int code, const char *text)
{
    conn_refuse(r->conn, status, code, text);
    return MHD_NO;
}

static enum MHD_Result spool_data(struct http_req *r, const char *data, size_t *size)
{
    struct err e;
    struct str bytes = str_n(data, *size);
    r->spooled += *size;
    r->conn->body_bytes += *size;
    *size = 0;
    if (r->spooled > SPOOL_MAX) return refuse_midway(r, 413, 8, "the body is larger than LIMIT_UPLOAD_MIB");
    if (fd_write_all(r->spool_fd, bytes, &e)) return MHD_YES;
    return refuse_midway(r, err_http_status(e.code), err_grpc_code(e.code), e.text);
}

static enum MHD_Result serve_data(struct http_req *r, const char *data, size_t *size)
{
    if (r->spool_fd >= 0) return spool_data(r, data, size);
    buf_add(&r->body, data, *size);
    r->conn->body_bytes += *size;
    *size = 0;
    if (!r->body.overflow) return MHD_YES;
    return refuse_midway(r, 413, 8, "the body is larger than LIMIT_HTTP_BODY_BYTES");
}

/* Suspended in any case: an answer given at once waits for the send hook too. */
static enum MHD_Result serve_handler(struct http_req *r)
{
    const struct http_route *route = r->match.route;
    conn_wait(r->conn, CONN_BUSY);
    if (r->server->stopping) {
        refuse_stopping(r);
        return serve_queue(r);
    }
    if (r->verdict.status) {
        req_refuse(r, r->verdict.status, r->verdict.code, r->verdict.text);
        return serve_queue(r);
    }
    req_move(r, REQ_HELD);
    r->held = true;
    r->server->handled = true;
    route->handle(r, route->user);
    if (r->held) conn_watch_gone(r->conn);
    req_suspend(r);
    return MHD_YES;
}

enum MHD_Result serve_request(void *server, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **req)
{
    struct http_req *r = *req;
    (void)server, (void)c, (void)url;
    switch (r->state) {
    case REQ_HEAD: return serve_head(r, method, version);
    case REQ_BODY: return *data_size ? serve_data(r, data, data_size) : serve_handler(r);
    case REQ_HELD: req_suspend(r); return MHD_YES;
    case REQ_ANSWERED: return serve_queue(r);
    case REQ_QUEUED: break;
    }
    return MHD_NO;
}

static void tell_done(const struct http_req *r)
{
    const struct http_server_opts *o = &r->server->opts;
    struct http_done d = {.method = r->method, .pattern = r->match.route ? r->match.route->pattern : NULL, .status = r->status,
                          .stream = r->streaming, .us = loop_now_us() - r->start_us};
    if (o->on_done) o->on_done(o->done_user, &d);
}

static void access_log(const struct http_req *r, enum MHD_RequestTerminationCode code)
{
    enum { SHOWN_BYTES = 1024 };
    struct arena a CLEANUP(arena_fini);
    bool secret = r->match.route && r->match.route->secret_query;
    arena_init(&a);
    const struct log_field fields[] = {
        {"method", r->method},
        {"path", str_sub(secret ? r->target.path : r->target.raw, 0, SHOWN_BYTES)},
        {"status", str_fmt(&a, "%u", r->status), .number = true},
        {"ms", str_fmt(&a, "%.3f", (double)(loop_now_us() - r->start_us) / 1e3), .number = true},
        {"client", http_req_peer(r)},
        {"requestId", r->id},
        {"whole", code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? STR("true") : STR("false"), .number = true},
    };
    log_event(LOG_DEBUG, "request", fields, ARRAY_LEN(fields));
}

void serve_completed(void *server, struct MHD_Connection *mhd, void **req,
                     enum MHD_RequestTerminationCode code)
{
    struct http_req *r = *req;
    if (!r) return;
    *req = NULL;
    struct http_conn *c = r->conn;
    (void)server, (void)mhd;
    if (log_on(LOG_DEBUG)) access_log(r, code);
    tell_done(r);
    req_detach(r);
    conn_wait(c, CONN_IDLE);
}
