/* Streams: a bounded buffer between the writer and libmicrohttpd's reader.
 *
 * The reader takes only what a send hook has released, and suspends the connection when that is
 * used up. SSE: https://html.spec.whatwg.org/multipage/server-sent-events.html */
#include <sys/mman.h>
#include <unistd.h>

#include "http/server_p.h"

enum {
    READ_BLOCK = 1,        /* libmicrohttpd allocates so much for a response, and has no use for it with chunks */
    KEEP_BYTES = 2 << 10,  /* of our own buffer, while there is nothing to be sent; */
    HOLD_BYTES = 1 << 10,  /* of the library's, which is as large as a head may be, */
    MOST_BYTES = 8 << 10,  /* once more than this was used */
};

static void stream_sent(struct http_stream *s, size_t n)
{
    s->at += n;
    if (s->at < s->out.n) return;
    size_t max = s->out.max;
    if (s->out.cap > KEEP_BYTES) { /* one big frame must not cost its memory for ever */
        buf_fini(&s->out);
        buf_init(&s->out, max);
    }
    buf_reset(&s->out);
    s->at = s->visible = 0;
    bool room = s->refused && s->on_room && !s->ended;
    s->refused = false;
    if (room) s->on_room(s->room_user);
}

/* The library has cleared its buffer as a whole at first: pages that are not needed for now go back. Nobody reads what is in there
 * before it is written again. */
static void buffer_release(struct http_stream *s, char *to, size_t max)
{
    if (s->used <= MOST_BYTES) return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)to + HOLD_BYTES + page - 1) & ~(page - 1), end = ((uintptr_t)to + max) & ~(page - 1);
    if (from < end) madvise((void *)from, end - from, MADV_DONTNEED);
    s->used = 0;
}

static void source_ask(struct http_stream *s)
{
    if (!s->source || s->ended) return;
    s->sourcing = true;
    s->source(s->source_user);
    s->sourcing = false;
    s->visible = s->out.n;
}

ssize_t stream_read(void *req, uint64_t pos, char *to, size_t max)
{
    struct http_req *r = req;
    struct http_stream *s = &r->stream;
    (void)pos;
    if (r->gone && !s->ended) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (s->out.n == s->at && !s->finished) source_ask(s); /* what waits for the send hook goes first, and not before it */
    size_t n = MIN(max, s->visible - s->at);
    if (n) {
        s->used = MAX(s->used, n);
        memcpy(to, s->out.p + s->at, n);
        stream_sent(s, n);
        return (ssize_t)n;
    }
    if (s->finished) return MHD_CONTENT_READER_END_OF_STREAM;
    buffer_release(s, to, max);
    req_suspend(r);
    return 0;
}

struct http_stream *http_stream_begin(struct http_req *r, const char *content_type)
{
    ASSERT(r->held && !r->streaming);
    r->streaming = true;
    if (!r->conn || r->state != REQ_HELD) return &r->stream;
    r->stream.used = SIZE_MAX; /* what was cleared */
    r->stream.sse = str_starts(str_of(content_type), STR("text/event-stream"));
    if (r->stream.sse) http_reply_header(r, "Cache-Control", STR("no-cache"));
    struct MHD_Response *m = r->server->mhd->create_response_from_callback(
        MHD_SIZE_UNKNOWN, READ_BLOCK, stream_read, r, NULL);
    ASSERT(m); /* it fails only without memory */
    req_answer(r, 200, content_type, m);
    req_ready(r);
    return &r->stream;
}

/* Moves what is not sent yet to the front, once it is the smaller part. */
static void stream_compact(struct http_stream *s)
{
    if (s->at <= s->out.n / 2) return;
    size_t left = s->out.n - s->at;
    memmove(s->out.p, s->out.p + s->at, left);
    s->out.n = left;
    s->visible -= s->at;
    s->at = 0;
}

/* True when `n` more bytes may be written to a client that is still there. */
static bool stream_room(struct http_stream *s, size_t n)
{
    struct http_req *r = s->req;
    ASSERT(r->held);
    if (!r->conn || r->gone || s->ended) return false;
    stream_compact(s);
    size_t max = s->limit ? MIN(s->limit, r->server->opts.max_stream_bytes) : r->server->opts.max_stream_bytes;
    size_t used = s->out.n - s->at;
    bool room = !used || (used <= max && n <= max - used);
    if (!room) s->refused = true; /* until all is taken, also when something smaller fits meanwhile */
    return room;
}

void http_stream_limit(struct http_stream *s, size_t max_bytes) { s->limit = max_bytes; }

void http_stream_on_room(struct http_stream *s, loop_fn *fn, void *user)
{
    s->on_room = fn;
    s->room_user = user;
}

void http_stream_source(struct http_stream *s, loop_fn *fn, void *user)
{
    s->source = fn;
    s->source_user = user;
}

void http_stream_more(struct http_stream *s)
{
    if (s->req->conn && !s->ended) req_ready(s->req);
}

static bool stream_wrote(struct http_stream *s)
{
    if (!s->sourcing) req_ready(s->req);
    return true;
}

bool http_stream_write(struct http_stream *s, struct str bytes)
{
    if (!stream_room(s, bytes.n)) return false;
    buf_str(&s->out, bytes);
    return stream_wrote(s);
}

/* SSE has no way to say a line end but a field per line. */
static void sse_field(struct buf *b, const char *name, struct str value)
{
    struct str line;
    for (bool more = true; more;) {
        more = str_cut(value, '\n', &line, &value);
        buf_printf(b, "%s: %.*s\n", name, STR_ARG(line));
    }
}

/* In JSON a raw line end is only ever white space between tokens. */
static void json_line(struct buf *b, struct str json)
{
    size_t from = b->n;
    buf_str(b, json);
    for (const char *c = "\n\r"; *c; c++)
        for (char *p = b->p + from; (p = memchr(p, *c, (size_t)(b->p + b->n - p)));) *p = ' ';
    buf_char(b, '\n');
}

static bool sse_event(struct http_stream *s, struct str id, struct str event, struct str json)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    if (str_set(id)) sse_field(&b, "id", id);
    if (str_set(event)) sse_field(&b, "event", event);
    sse_field(&b, "data", json);
    buf_char(&b, '\n');
    return http_stream_write(s, buf_view(&b));
}

bool http_stream_event(struct http_stream *s, struct str id, struct str event, struct str json)
{
    if (s->sse) return sse_event(s, id, event, json);
    if (!stream_room(s, json.n + 1)) return false;
    json_line(&s->out, json);
    return stream_wrote(s);
}

void http_stream_end(struct http_stream *s)
{
    struct http_req *r = s->req;
    s->ended = true;
    if (r->conn) req_ready(r);
    req_unhold(r);
}
