/* The client of unix_client.h: one socket, one request, one reply. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "loop/socket.h"
#include "net/http_reply.h"
#include "net/unix_client.h"

enum { READ_BLOCK = 64 << 10, READS_A_TURN = 16 };

struct unix_call {
    struct unix_call_opts opts; /* callbacks and limits; its texts are not kept */
    int fd;
    struct loop_fd *watch;
    struct buf out;
    size_t sent;
    struct reply_parser parser;
    struct buf body; /* or the line that is not complete yet */
    struct err err;  /* why the body was refused */
    bool busy, cancelled;
};

static void call_free(struct unix_call *c)
{
    loop_fd_free(c->watch);
    if (c->fd >= 0) close(c->fd);
    buf_fini(&c->out);
    buf_fini(&c->body);
    reply_parser_fini(&c->parser);
    free(c);
}

void unix_call_cancel(struct unix_call *c)
{
    if (!c) return;
    c->cancelled = true;
    if (!c->busy) call_free(c); /* else on_readable does */
}

/* The last thing done with a call: tells its end, unless it was cancelled. */
static void call_end(struct unix_call *c, const struct err *e)
{
    struct unix_reply reply = {c->parser.status, buf_view(&c->parser.content_type), buf_view(&c->body)};
    if (!c->cancelled) c->opts.on_done(c->opts.user, &reply, e);
    call_free(c);
}

static bool body_add(struct unix_call *c, struct str piece)
{
    buf_str(&c->body, piece);
    if (!c->body.overflow) return true;
    return err_set(&c->err, ERR_LIMIT, "the reply is larger than %zu bytes", c->body.max);
}

static bool takes_lines(const struct unix_call *c) { return c->opts.on_line && c->parser.status == 200; }

/* Whole lines are given on from the piece itself where possible. */
static bool lines_add(struct unix_call *c, struct str piece)
{
    struct str line;
    while (str_cut(piece, '\n', &line, &piece)) {
        if (c->body.n) {
            if (!body_add(c, line)) return false;
            line = buf_view(&c->body);
        }
        c->opts.on_line(c->opts.user, line);
        buf_reset(&c->body);
        if (c->cancelled) return false;
    }
    return body_add(c, line); /* what is left of the piece */
}

static bool on_body(void *user, struct str piece)
{
    struct unix_call *c = user;
    return takes_lines(c) ? lines_add(c, piece) : body_add(c, piece);
}

/* A server that refuses a body early has answered before it closed: reading goes on. */
static void call_send(struct unix_call *c)
{
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) break;
        c->sent += (size_t)n;
    }
    buf_fini(&c->out);
    c->sent = 0;
    loop_fd_watch(c->watch, LOOP_READ);
}

/* A line that ends with the stream and not with a line end is a line all the same. */
static void call_complete(struct unix_call *c)
{
    if (takes_lines(c) && c->body.n) c->opts.on_line(c->opts.user, buf_view(&c->body));
    if (takes_lines(c)) buf_reset(&c->body);
    call_end(c, NULL);
}

/* One read. False: the call has ended. */
static bool call_read(struct unix_call *c, bool *more)
{
    char block[READ_BLOCK];
    struct err e = {0};
    ssize_t n = recv(c->fd, block, sizeof block, MSG_DONTWAIT);
    *more = n > 0 || (n < 0 && errno == EINTR);
    if (*more && n < 0) return true;
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) {
        err_set(&e, ERR_UNREACHABLE, "the engine closed the connection");
    } else if (reply_parser_feed(&c->parser, str_n(block, (size_t)n), &e)) {
        if (!reply_parser_done(&c->parser)) return true;
        call_complete(c);
        return false;
    } else if (c->err.code) {
        e = c->err;
    }
    call_end(c, &e);
    return false;
}

static void on_socket(void *user, unsigned events)
{
    struct unix_call *c = user;
    if (events & LOOP_WRITE) call_send(c);
    if (!(events & LOOP_READ)) return;
    c->busy = true;
    bool more = true;
    for (int i = 0; more && i < READS_A_TURN; i++)
        if (!call_read(c, &more)) return;
    c->busy = false;
}

static bool text_ok(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f) return false;
    return true;
}

static bool request_write(struct buf *out, const struct unix_call_opts *o, struct err *e)
{
    if (!text_ok(o->method) || !text_ok(o->target) || o->target[0] != '/')
        return err_set(e, ERR_USAGE, "'%s' is not a request target", o->target);
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: %s\r\n", o->method,
               o->target, o->accept ? o->accept : "application/json");
    if (str_set(o->body))
        buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                   o->content_type ? o->content_type : "application/json", o->body.n);
    buf_str(out, STR("\r\n"));
    buf_str(out, o->body);
    return !out->overflow || err_set(e, ERR_LIMIT, "the request is larger than LIMIT_HTTP_BODY_BYTES (%d)",
                                     LIMIT_HTTP_BODY_BYTES);
}

struct unix_call *unix_call_new(struct loop *l, const struct unix_call_opts *o, struct err *e)
{
    struct unix_call *c = mem_zalloc(sizeof *c);
    c->opts = *o;
    c->fd = -1;
    size_t max = o->max_body_bytes ? o->max_body_bytes : LIMIT_HTTP_BODY_BYTES;
    buf_init(&c->body, o->on_line ? LIMIT_HTTP_LINE_BYTES : max);
    buf_init(&c->out, (size_t)LIMIT_HTTP_BODY_BYTES + LIMIT_HTTP_HEAD_BYTES);
    reply_parser_init(&c->parser, on_body, c);
    if (strcmp(o->method, "HEAD") == 0) reply_parser_no_body(&c->parser);
    if (request_write(&c->out, o, e) && (c->fd = unix_connect(o->path, e)) >= 0)
        c->watch = loop_fd_new(l, c->fd, on_socket, c, e);
    if (!c->watch) {
        call_free(c);
        return NULL;
    }
    loop_fd_watch(c->watch, LOOP_READ | LOOP_WRITE);
    return c;
}

/* unix_request: the same with a loop of its own. */
struct waiting {
    struct arena *a;
    const struct unix_call_opts *opts;
    struct unix_reply *out;
    struct err *e;
    bool ok;
};

static void waiting_line(void *user, struct str line)
{
    struct waiting *w = user;
    w->opts->on_line(w->opts->user, line);
}

static void waiting_done(void *user, const struct unix_reply *reply, const struct err *e)
{
    struct waiting *w = user;
    w->ok = !e;
    *w->out = (struct unix_reply){reply->status, str_dup(w->a, reply->content_type),
                                  str_dup(w->a, reply->body)};
    if (e && w->e) *w->e = *e;
}

bool unix_request(struct arena *a, const struct unix_call_opts *o, struct unix_reply *out, struct err *e)
{
    struct waiting w = {.a = a, .opts = o, .out = out, .e = e};
    struct unix_call_opts mine = *o;
    struct loop *l = loop_new(e);
    if (!l) return false;
    mine.on_line = o->on_line ? waiting_line : NULL;
    mine.on_done = waiting_done;
    mine.user = &w;
    if (unix_call_new(l, &mine, e)) loop_run(l);
    loop_free(l);
    return w.ok;
}
