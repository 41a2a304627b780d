/* A request on a thread that may wait. See web.h. */
#include "net/exchange_p.h"

bool web_fetch(struct arena *a, const struct web_request *r, struct web_reply *out, struct err *e)
{
    struct exchange x;
    enum hop_end end = HOP_FAILED;
    bool ok = exchange_begin(&x, r, e);
    if (ok) do end = exchange_hop(&x, e) ? exchange_hop_done(&x, x.curl->easy_perform(x.easy), e) : HOP_FAILED;
        while (end == HOP_AGAIN);
    if (end == HOP_DONE) {
        struct web_reply reply = exchange_reply(&x);
        reply_copy(a, &reply, out);
    }
    exchange_fini(&x);
    return end == HOP_DONE;
}
