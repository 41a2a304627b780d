/* Incremental parser of one HTTP/1.1 reply, as strict as our own server allows: CRLF line ends, one
 * Content-Length or chunked, never both, no reply that ends with the connection.
 *
 * Pure: bytes in (in pieces of any size), pieces of the body out. Runs on: any thread.
 * Reference: RFC 9112. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum reply_state {
    REPLY_STATUS,     /* the status line */
    REPLY_FIELDS,     /* header lines */
    REPLY_LENGTH,     /* a body of `left` bytes */
    REPLY_CHUNK,      /* a chunk's size line */
    REPLY_CHUNK_DATA, /* `left` bytes of it */
    REPLY_CHUNK_END,  /* the empty line after it */
    REPLY_TRAILER,    /* lines after the last chunk */
    REPLY_DONE,
    REPLY_BAD,
    REPLY_STATES
};

struct reply_parser {
    enum reply_state state;
    int status;
    struct buf content_type;
    uint64_t left;
    bool has_length, chunked, no_body;
    struct buf line;   /* what has come of the current line */
    size_t head_bytes; /* lines seen, against LIMIT_HTTP_HEAD_BYTES */
    /* A piece of the body, never empty. False stops the parsing. */
    bool (*on_body)(void *user, struct str piece);
    void *user;
};

void reply_parser_init(struct reply_parser *p, bool (*on_body)(void *user, struct str piece), void *user);
void reply_parser_fini(struct reply_parser *p);
/* For a reply to HEAD: no body whatever its fields say. Before feeding. */
void reply_parser_no_body(struct reply_parser *p);
/* False: not a reply of ours (e set) or stopped by on_body (e untouched); feed no more then.
 * Bytes after the end of the reply are refused. */
bool reply_parser_feed(struct reply_parser *p, struct str bytes, struct err *e);
static inline bool reply_parser_done(const struct reply_parser *p) { return p->state == REPLY_DONE; }
