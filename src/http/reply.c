/* Replies: making libmicrohttpd's response and handing it to the next send hook. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/range.h"
#include "http/server_p.h"

enum { ERROR_BODY_BYTES = 16 << 10 };

static void error_put(struct buf *b, int code, const char *text)
{
    buf_printf(b, "{\"code\":%d,\"message\":", code);
    buf_json(b, str_of(text));
    buf_char(b, '}');
}

void reply_raw(int fd, int status, int code, const char *text)
{
    struct buf body CLEANUP(buf_fini), all CLEANUP(buf_fini);
    buf_init(&body, ERROR_BODY_BYTES);
    buf_init(&all, ERROR_BODY_BYTES);
    error_put(&body, code, text);
    buf_printf(&all, "HTTP/1.1 %d Refused\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
               status, body.n, STR_ARG(buf_view(&body)));
    ssize_t sent = send(fd, all.p, all.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* the connection is closed in any case */
}

void req_told(struct http_req *r, int status)
{
    r->status = (unsigned)status;
    if (r->server->opts.answered) r->server->opts.answered(r, status, r->server->opts.user);
}

/* Makes `m` the answer of a request that has none yet. */
bool req_answer(struct http_req *r, int status, const char *content_type, struct MHD_Response *m)
{
    const struct mhd_api *mhd = r->server->mhd;
    ASSERT(status >= 200 && status < 600 && !r->response);
    if (!m) return false;
    if (content_type) mhd->add_response_header(m, "Content-Type", content_type);
    if (r->id.n) mhd->add_response_header(m, "X-Request-Id", str_z(&r->arena, r->id));
    if (r->server->connections > r->server->opts.max_kept) r->closing = true;
    if (r->closing) mhd->add_response_header(m, "Connection", "close");
    for (size_t i = 0; i < r->reply_fields.n; i++)
        mhd->add_response_header(m, r->reply_fields.items[i].name.p, r->reply_fields.items[i].value.p);
    r->response = m;
    req_told(r, status);
    req_move(r, REQ_ANSWERED);
    return true;
}

static struct MHD_Response *response_copy(const struct mhd_api *mhd, struct str body)
{
    char *p = (char *)(uintptr_t)(body.p ? body.p : "");
    return mhd->create_response_from_buffer(body.n, p, MHD_RESPMEM_MUST_COPY);
}

void req_refuse(struct http_req *r, int status, int code, const char *text)
{
    struct buf body CLEANUP(buf_fini);
    buf_init(&body, ERROR_BODY_BYTES);
    if (text) error_put(&body, code, text);
    bool ok = req_answer(r, status, text ? "application/json" : NULL, response_copy(r->server->mhd, buf_view(&body)));
    ASSERT(ok);
}

/* False: there is nobody to answer any more (or the stop has answered); the request is let go. */
static bool reply_open(struct http_req *r)
{
    ASSERT(r->held && !r->streaming);
    if (r->conn && r->state == REQ_HELD) return true;
    req_unhold(r);
    return false;
}

/* A response that could not be made is a failure to open a file's range; nothing else fails. */
static void reply_with(struct http_req *r, int status, const char *content_type, struct MHD_Response *m)
{
    if (!req_answer(r, status, content_type, m)) req_refuse(r, 500, 13, "the reply cannot be made");
    req_ready(r);
    req_unhold(r);
}

bool http_reply_header(struct http_req *r, const char *name, struct str value)
{
    ASSERT(field_name_ok(str_of(name)));
    if (!field_value_ok(value)) return false;
    struct http_field f = {str_dup(&r->arena, str_of(name)), str_dup(&r->arena, value)};
    VEC_PUSH(&r->reply_fields, f);
    return true;
}

/* Says in the answer that it depends on what the client takes, whether it is compressed or not. */
static bool compresses(struct http_req *r, const char *content_type, size_t n)
{
    if (n < LIMIT_HTTP_GZIP_BYTES || !content_type || !str_starts(str_of(content_type), STR("application/json"))) return false;
    http_reply_header(r, "Vary", STR("Accept-Encoding"));
    if (!gzip_wanted(http_req_header(r, "Accept-Encoding"))) return false;
    http_reply_header(r, "Content-Encoding", STR("gzip"));
    return true;
}

void http_reply(struct http_req *r, int status, const char *content_type, struct str body)
{
    if (!reply_open(r)) return;
    if (compresses(r, content_type, body.n)) {
        struct buf b;
        buf_init(&b, body.n);
        buf_str(&b, body);
        reply_with(r, status, content_type, gzip_response(r->server->mhd, &b));
    } else {
        reply_with(r, status, content_type, response_copy(r->server->mhd, body));
    }
}

void http_reply_buf(struct http_req *r, int status, const char *content_type, struct buf *body)
{
    if (reply_open(r)) {
        bool gzip = compresses(r, content_type, body->n);
        struct MHD_Response *m =
            gzip ? gzip_response(r->server->mhd, body) : body->n ? r->server->mhd->create_response_from_buffer(body->n, body->p, MHD_RESPMEM_MUST_FREE)
                    : response_copy(r->server->mhd, STR(""));
        if (!gzip && body->n && m) body->p = NULL; /* the response's now */
        reply_with(r, status, content_type, m);
    }
    buf_fini(body);
}

void http_reply_file(struct http_req *r, int status, const char *content_type, const struct http_file *f)
{
    if (!reply_open(r)) {
        close(f->fd);
        return;
    }
    struct MHD_Response *m =
        r->server->mhd->create_response_from_fd_at_offset64(f->size, f->fd, f->offset);
    if (!m) close(f->fd);
    reply_with(r, status, content_type, m);
}

void http_reply_range(struct http_req *r, const char *content_type, int fd, uint64_t size, struct str etag)
{
    struct http_file f = {.fd = fd, .size = size};
    struct str if_range = http_req_header(r, "If-Range");
    bool current = !str_set(if_range) || (etag.n && str_eq(if_range, etag));
    enum range_kind kind = current ? range_parse(http_req_header(r, "Range"), size, &f.offset, &f.size) : RANGE_NONE;
    http_reply_header(r, "Accept-Ranges", STR("bytes"));
    if (etag.n) http_reply_header(r, "ETag", etag);
    if (kind == RANGE_BAD) {
        close(fd);
        http_reply_header(r, "Content-Range", str_fmt(&r->arena, "bytes */%llu", (unsigned long long)size));
        struct buf body;
        buf_init(&body, ERROR_BODY_BYTES);
        error_put(&body, 11, "the range begins behind the end");
        http_reply_buf(r, 416, "application/json", &body);
        return;
    }
    if (kind == RANGE_PART)
        http_reply_header(r, "Content-Range", str_fmt(&r->arena, "bytes %llu-%llu/%llu", (unsigned long long)f.offset,
                                                      (unsigned long long)(f.offset + f.size - 1), (unsigned long long)size));
    http_reply_file(r, kind == RANGE_PART ? 206 : 200, content_type, &f);
}

void http_reply_err(struct http_req *r, const struct err *e)
{
    struct buf body;
    buf_init(&body, ERROR_BODY_BYTES);
    error_put(&body, err_grpc_code(e->code), e->text);
    http_reply_buf(r, err_http_status(e->code), "application/json", &body);
}
