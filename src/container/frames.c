/* See frames.h. */
#include "container/frames.h"

enum { STREAM_MAX = 3 }; /* 0: what came in by stdin; 3: what the engine says itself */

static bool head_ok(const struct frames *f, struct err *e)
{
    const unsigned char *h = f->head;
    if (h[0] <= STREAM_MAX && !h[1] && !h[2] && !h[3]) return true;
    return err_set(e, ERR_UNREACHABLE, "the output of the container is no stream of frames");
}

bool frames_feed(struct frames *f, struct str bytes, frames_fn *fn, void *user, struct err *e)
{
    while (bytes.n) {
        if (!f->left) {
            size_t n = MIN(sizeof f->head - f->n_head, bytes.n);
            memcpy(f->head + f->n_head, bytes.p, n);
            f->n_head += n;
            bytes = str_from(bytes, n);
            if (f->n_head < sizeof f->head) return true;
            if (!head_ok(f, e)) return false;
            f->n_head = 0;
            f->left = (uint64_t)f->head[4] << 24 | (uint64_t)f->head[5] << 16 | (uint64_t)f->head[6] << 8 | f->head[7];
            continue;
        }
        struct str piece = str_sub(bytes, 0, (size_t)MIN(f->left, (uint64_t)bytes.n));
        bytes = str_from(bytes, piece.n);
        f->left -= piece.n;
        if (!fn(user, f->head[0] >= 2 ? 2 : 1, piece)) return false;
    }
    return true;
}
