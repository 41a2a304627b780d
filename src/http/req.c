/* Requests: what they hold, who holds them, and what a handler reads from them. */
#include "os/fd.h"
#include "http/server_p.h"

static const struct sm_edges edges[] = {
    [REQ_HEAD] = {SM_BIT(REQ_BODY) | SM_BIT(REQ_ANSWERED)},
    [REQ_BODY] = {SM_BIT(REQ_HELD) | SM_BIT(REQ_ANSWERED)},
    [REQ_HELD] = {SM_BIT(REQ_ANSWERED)},
    [REQ_ANSWERED] = {SM_BIT(REQ_QUEUED)},
    [REQ_QUEUED] = {0},
};

struct http_req *req_new(struct http_conn *c, struct str target)
{
    struct http_req *r = mem_zalloc(sizeof *r);
    const struct http_server_opts *o = &c->server->opts;
    r->server = c->server;
    r->conn = c;
    arena_init(&r->arena);
    r->start_us = loop_now_us();
    r->target.raw = str_dup(&r->arena, target);
    buf_init(&r->body, o->max_body_bytes);
    r->spool_fd = -1;
    buf_init(&r->stream.out, SIZE_MAX / 2); /* stream_room is its limit */
    r->stream.req = r;
    c->req = r;
    c->server->requests++;
    return r;
}

static void req_free(struct http_req *r)
{
    if (r->response) mhd_open(NULL)->destroy_response(r->response);
    buf_fini(&r->body);
    close_fd(&r->spool_fd);
    buf_fini(&r->stream.out);
    VEC_FINI(&r->reply_fields);
    arena_fini(&r->arena);
    free(r);
}

void req_move(struct http_req *r, enum req_state to) { SM_MOVE(edges, &r->state, to); }

void req_suspend(struct http_req *r)
{
    ASSERT(!r->suspended);
    r->suspended = true;
    r->server->mhd->suspend_connection(r->conn->mhd);
}

void req_ready(struct http_req *r)
{
    if (r->ready) return;
    r->ready = true;
    TAILQ_INSERT_TAIL(&r->server->ready, r, ready_link);
}

static void req_unready(struct http_req *r)
{
    if (!r->ready) return;
    r->ready = false;
    TAILQ_REMOVE(&r->server->ready, r, ready_link);
}

void req_release(struct http_req *r)
{
    req_unready(r);
    r->stream.visible = r->stream.out.n;
    r->stream.finished = r->stream.ended;
    if (!r->suspended) return;
    r->suspended = false;
    r->server->mhd->resume_connection(r->conn->mhd);
}

/* A stream is then taken up by libmicrohttpd once more, which makes it drop the connection. */
void req_gone(struct http_req *r)
{
    if (r->gone || !r->held) return;
    r->gone = true;
    if (r->conn && r->streaming) req_ready(r);
    if (r->on_gone) r->on_gone(r->gone_user);
}

void req_detach(struct http_req *r)
{
    req_unready(r);
    conn_unwatch_gone(r->conn);
    r->server->requests--;
    r->conn->req = NULL;
    r->conn = NULL;
    r->server = NULL;
    if (r->held) req_gone(r); /* may free it */
    else req_free(r);
}

void req_unhold(struct http_req *r)
{
    ASSERT(r->held);
    r->held = false;
    if (!r->conn) req_free(r);
}

struct arena *http_req_arena(struct http_req *r) { return &r->arena; }
const struct http_route *http_req_route(const struct http_req *r) { return r->match.route; }
struct str http_req_peer(const struct http_req *r) { return str_of(r->conn ? r->conn->peer : ""); }
void http_req_set_note(struct http_req *r, void *note) { r->note = note; }
void *http_req_note(const struct http_req *r) { return r->note; }
struct str http_req_id(const struct http_req *r) { return r->id; }
struct str http_req_method(const struct http_req *r) { return r->method; }
struct str http_req_target(const struct http_req *r) { return r->target.raw; }
struct str http_req_path(const struct http_req *r) { return r->target.path; }
struct str http_req_body(const struct http_req *r) { return buf_view(&r->body); }

struct str http_req_param(const struct http_req *r, const char *name)
{
    for (size_t i = 0; i < r->match.param_count; i++)
        if (str_is(r->match.params[i].key, name)) return r->match.params[i].value;
    return STR_NONE;
}

struct str http_req_query(const struct http_req *r, const char *key)
{
    for (size_t i = 0; i < r->target.query_count; i++)
        if (str_is(r->target.query[i].key, key)) return r->target.query[i].value;
    return STR_NONE;
}

int http_req_spooled(struct http_req *r)
{
    int fd = r->spool_fd;
    ASSERT(fd >= 0);
    r->spool_fd = -1;
    return fd;
}

bool http_req_query_at(const struct http_req *r, size_t i, struct str *key, struct str *value)
{
    if (i >= r->target.query_count) return false;
    *key = r->target.query[i].key;
    *value = r->target.query[i].value;
    return true;
}

struct str http_req_header(const struct http_req *r, const char *name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (field_name_eq(r->fields[i].name, str_of(name))) return r->fields[i].value;
    return STR_NONE;
}

bool http_req_header_at(const struct http_req *r, size_t i, struct str *name, struct str *value)
{
    if (i >= r->field_count) return false;
    *name = r->fields[i].name;
    *value = r->fields[i].value;
    return true;
}

bool http_req_wants_sse(const struct http_req *r)
{
    struct str accept = http_req_header(r, "Accept");
    return str_set(accept) && str_find(accept, STR("text/event-stream"), 0) >= 0;
}

void http_req_on_gone(struct http_req *r, loop_fn *fn, void *user)
{
    r->on_gone = fn;
    r->gone_user = user;
}
