/* Lines of a reply that goes on: a stream of a server elsewhere, on a loop.
 *
 * The request has no limit of time or size but LIMIT_HTTP_LINE_BYTES for one line; a server that has gone is noticed by the
 * system's keep-alive. Lines come from the loop, never from inside libcurl. Runs on: the loop thread. */
#pragma once
#include "net/web.h"

struct web_lines;
struct web_lines_opts {
    const struct web_request *request; /* copied; its pieces, limits and files are not used */
    void (*on_line)(void *user, struct str line); /* of a 2xx reply, without the line end */
    /* Called exactly once, unless it is cancelled: the reply is complete (any status; the body of what is no 2xx is in it), or why
     * it is not. It is gone afterwards. */
    web_done_fn *on_done;
    void *user;
};
struct web_lines *web_lines_new(struct loop *l, struct web_client *c, const struct web_lines_opts *o, struct err *e);
void web_lines_cancel(struct web_lines *w); /* not from inside on_done; NULL is fine */
