/* HTTP replies: how the bytes are cut into pieces never changes what is read. */
#include "fuzz.h"
#include "net/http_reply.h"

struct outcome {
    struct reply_parser parser;
    struct buf body;
    struct err err;
    bool ok;
};

static bool on_body(void *user, struct str piece)
{
    struct outcome *o = user;
    ASSERT(piece.n > 0);
    buf_str(&o->body, piece);
    return true;
}

static void outcome_fini(struct outcome *o)
{
    reply_parser_fini(&o->parser);
    buf_fini(&o->body);
}

static void run(struct outcome *o, struct str bytes, size_t step)
{
    *o = (struct outcome){.ok = true};
    buf_init(&o->body, 1 << 30);
    reply_parser_init(&o->parser, on_body, o);
    for (size_t i = 0; o->ok && i < bytes.n; i += step)
        o->ok = reply_parser_feed(&o->parser, str_sub(bytes, i, step), &o->err);
    ASSERT(o->ok || (o->err.code && o->err.text[0]));
}

/* The first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str bytes = str_n((const char *)data + 1, size - 1);
    struct outcome whole CLEANUP(outcome_fini), cut CLEANUP(outcome_fini);
    run(&whole, bytes, size);
    run(&cut, bytes, data[0] % 16 + 1u);
    ASSERT(whole.ok == cut.ok && whole.parser.state == cut.parser.state);
    ASSERT(whole.err.code == cut.err.code && strcmp(whole.err.text, cut.err.text) == 0);
    ASSERT(whole.parser.status == cut.parser.status);
    if (whole.ok) ASSERT(str_eq(buf_view(&whole.body), buf_view(&cut.body)));
    return 0;
}
