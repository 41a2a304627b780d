/* The reply parser: lines and counted bytes. */
#include <strings.h>

#include "base/limits.h"
#include "base/sm.h"
#include "net/http_reply.h"

enum { LENGTH_DIGITS = 18, CHUNK_DIGITS = 15, CONTENT_TYPE_BYTES = 1000 };

static const struct sm_edges edges[REPLY_STATES] = {
    [REPLY_STATUS] = {SM_BIT(REPLY_FIELDS) | SM_BIT(REPLY_BAD)},
    [REPLY_FIELDS] = {SM_BIT(REPLY_LENGTH) | SM_BIT(REPLY_CHUNK) | SM_BIT(REPLY_DONE) | SM_BIT(REPLY_BAD)},
    [REPLY_LENGTH] = {SM_BIT(REPLY_DONE) | SM_BIT(REPLY_BAD)},
    [REPLY_CHUNK] = {SM_BIT(REPLY_CHUNK_DATA) | SM_BIT(REPLY_TRAILER) | SM_BIT(REPLY_BAD)},
    [REPLY_CHUNK_DATA] = {SM_BIT(REPLY_CHUNK_END) | SM_BIT(REPLY_BAD)},
    [REPLY_CHUNK_END] = {SM_BIT(REPLY_CHUNK) | SM_BIT(REPLY_BAD)},
    [REPLY_TRAILER] = {SM_BIT(REPLY_DONE) | SM_BIT(REPLY_BAD)},
    [REPLY_DONE] = {SM_BIT(REPLY_BAD)},
};

static void move(struct reply_parser *p, enum reply_state to) { SM_MOVE(edges, &p->state, to); }

void reply_parser_init(struct reply_parser *p, bool (*on_body)(void *user, struct str piece), void *user)
{
    *p = (struct reply_parser){.on_body = on_body, .user = user};
    buf_init(&p->line, LIMIT_HTTP_HEAD_BYTES);
    buf_init(&p->content_type, CONTENT_TYPE_BYTES);
}

void reply_parser_fini(struct reply_parser *p)
{
    buf_fini(&p->line);
    buf_fini(&p->content_type);
}

void reply_parser_no_body(struct reply_parser *p) { p->no_body = true; }

/* Whole text in `base`, no sign, at most `digits` long. */
static bool number_of(struct str s, unsigned base, size_t digits, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i] | 0x20;
        unsigned d = s.p[i] >= '0' && s.p[i] <= '9' ? (unsigned)(s.p[i] - '0') : c - 'a' + 10u;
        if (d >= base || (d >= 10 && c < 'a')) return false;
        *out = *out * base + d;
    }
    return s.n > 0 && s.n <= digits;
}

static bool name_is(struct str name, const char *z)
{
    return name.n == strlen(z) && strncasecmp(name.p, z, name.n) == 0;
}

/* "HTTP/1.1 200 OK" */
static bool line_status(struct reply_parser *p, struct str line, struct err *e)
{
    uint64_t status;
    struct str code = str_sub(line, 9, 3);
    if (!str_starts(line, STR("HTTP/1.1 ")) || !number_of(code, 10, 3, &status) || code.n != 3
        || (line.n > 12 && line.p[12] != ' '))
        return err_set(e, ERR_UNREACHABLE, "the reply is not HTTP/1.1");
    if (status < 200 || status > 599)
        return err_set(e, ERR_UNREACHABLE, "the reply has status %d", (int)status);
    p->status = (int)status;
    p->no_body |= status == 204 || status == 304;
    move(p, REPLY_FIELDS);
    return true;
}

/* The empty line: what kind of body follows. */
static bool fields_end(struct reply_parser *p, struct err *e)
{
    if (p->has_length && p->chunked)
        return err_set(e, ERR_UNREACHABLE, "the reply has two lengths");
    if (p->no_body || (p->has_length && p->left == 0)) {
        move(p, REPLY_DONE);
    } else if (p->chunked) {
        move(p, REPLY_CHUNK);
    } else if (p->has_length) {
        move(p, REPLY_LENGTH);
    } else {
        return err_set(e, ERR_UNREACHABLE, "the reply has no length");
    }
    return true;
}

static bool line_field(struct reply_parser *p, struct str line, struct err *e)
{
    struct str name, value;
    if (line.n == 0) return fields_end(p, e);
    if (!str_cut(line, ':', &name, &value) || name.n == 0)
        return err_set(e, ERR_UNREACHABLE, "the reply has a header line without a name");
    value = str_trim(value);
    if (name_is(name, "content-type")) {
        buf_reset(&p->content_type);
        buf_str(&p->content_type, value);
    } else if (name_is(name, "content-length")) {
        if (p->has_length || !number_of(value, 10, LENGTH_DIGITS, &p->left))
            return err_set(e, ERR_UNREACHABLE, "the reply has a bad Content-Length");
        p->has_length = true;
    } else if (name_is(name, "transfer-encoding")) {
        if (p->chunked || !name_is(value, "chunked"))
            return err_set(e, ERR_UNREACHABLE, "the reply has a bad Transfer-Encoding");
        p->chunked = true;
    }
    return true;
}

static bool line_chunk(struct reply_parser *p, struct str line, struct err *e)
{
    if (!number_of(line, 16, CHUNK_DIGITS, &p->left))
        return err_set(e, ERR_UNREACHABLE, "the reply has a bad chunk");
    p->head_bytes = 0; /* it counts what stands between pieces of a body */
    move(p, p->left ? REPLY_CHUNK_DATA : REPLY_TRAILER);
    return true;
}

static bool line_done(struct reply_parser *p, struct str line, struct err *e)
{
    switch (p->state) {
    case REPLY_STATUS: return line_status(p, line, e);
    case REPLY_FIELDS: return line_field(p, line, e);
    case REPLY_CHUNK: return line_chunk(p, line, e);
    case REPLY_CHUNK_END:
        if (line.n) return err_set(e, ERR_UNREACHABLE, "the reply has a chunk of another size");
        move(p, REPLY_CHUNK);
        return true;
    case REPLY_TRAILER:
        if (!line.n) move(p, REPLY_DONE);
        return true;
    default: break;
    }
    IMPOSSIBLE("a line outside of lines");
}

/* Takes bytes up to the next line end. */
static bool feed_line(struct reply_parser *p, struct str *bytes, struct err *e)
{
    const char *end = memchr(bytes->p, '\n', bytes->n);
    size_t n = end ? (size_t)(end - bytes->p) + 1 : bytes->n;
    p->head_bytes += n;
    if (p->head_bytes > LIMIT_HTTP_HEAD_BYTES)
        return err_set(e, ERR_LIMIT, "the reply's head is larger than LIMIT_HTTP_HEAD_BYTES (%d)",
                       LIMIT_HTTP_HEAD_BYTES);
    buf_add(&p->line, bytes->p, n);
    *bytes = str_from(*bytes, n);
    if (!end) return true;
    struct str line = buf_view(&p->line);
    if (!str_ends(line, STR("\r\n")))
        return err_set(e, ERR_UNREACHABLE, "the reply has a line without CR LF");
    bool ok = line_done(p, str_sub(line, 0, line.n - 2), e);
    buf_reset(&p->line);
    return ok;
}

static bool feed_data(struct reply_parser *p, struct str *bytes)
{
    size_t n = (size_t)MIN(p->left, (uint64_t)bytes->n);
    if (!p->on_body(p->user, str_sub(*bytes, 0, n))) return false;
    *bytes = str_from(*bytes, n);
    p->left -= n;
    if (p->left == 0) move(p, p->state == REPLY_LENGTH ? REPLY_DONE : REPLY_CHUNK_END);
    return true;
}

bool reply_parser_feed(struct reply_parser *p, struct str bytes, struct err *e)
{
    while (bytes.n) {
        bool ok;
        if (p->state == REPLY_DONE || p->state == REPLY_BAD)
            ok = err_set(e, ERR_UNREACHABLE, "the reply has bytes after its end");
        else if (p->state == REPLY_LENGTH || p->state == REPLY_CHUNK_DATA)
            ok = feed_data(p, &bytes);
        else
            ok = feed_line(p, &bytes, e);
        if (ok) continue;
        if (p->state != REPLY_BAD) move(p, REPLY_BAD);
        return false;
    }
    return true;
}
