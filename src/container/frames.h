/* The stream of a container's output: frames of a stream's number, three zeros, a length (big-endian) and as many bytes.
 * Pure; pieces of any size. Reference: Docker Engine API, POST /containers/{id}/attach. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct frames {
    unsigned char head[8];
    size_t n_head;
    uint64_t left; /* bytes of the current frame that are still to come */
};

/* `stream`: 1 or 2, stdout or stderr. False stops. */
typedef bool frames_fn(void *user, int stream, struct str piece);
/* False: not such a stream (e set), or stopped (e untouched); feed no more then. */
bool frames_feed(struct frames *f, struct str bytes, frames_fn *fn, void *user, struct err *e);
/* It may end here: no frame is incomplete. */
static inline bool frames_whole(const struct frames *f) { return f->n_head == 0 && f->left == 0; }
