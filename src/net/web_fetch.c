/* A request on a thread that may wait. See web.h. */
#include "net/exchange_p.h"

static void reply_copy(struct arena *a, const struct exchange *x, struct web_reply *out)
{
    struct web_field *fields = ARENA_ARRAY(a, struct web_field, x->fields.n + 1);
    *out = exchange_reply(x);
    for (size_t i = 0; i < x->fields.n; i++)
        fields[i] = (struct web_field){str_dup(a, x->fields.items[i].name), str_dup(a, x->fields.items[i].value)};
    out->fields = fields;
    out->status_text = str_dup(a, out->status_text);
    out->body = str_dup(a, out->body);
}

bool web_fetch(struct arena *a, const struct web_request *r, struct web_reply *out, struct err *e)
{
    struct exchange x;
    enum hop_end end = HOP_FAILED;
    bool ok = exchange_begin(&x, r, e);
    if (ok) do end = exchange_hop(&x, e) ? exchange_hop_done(&x, x.curl->easy_perform(x.easy), e) : HOP_FAILED;
        while (end == HOP_AGAIN);
    if (end == HOP_DONE) reply_copy(a, &x, out);
    exchange_fini(&x);
    return end == HOP_DONE;
}
