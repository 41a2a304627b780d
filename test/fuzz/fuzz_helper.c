/* Messages of the helper process, which a hostile jq program may have broken: nothing that comes in is
 * read beyond its end, what is whole stays what it is when more follows, and results never crash. */
#include "fuzz.h"
#include "helper/jq_text.h"
#include "helper/proto.h"

static void replies(struct arena *a, struct str bytes)
{
    struct helper_reply r, again;
    struct str text, same;
    size_t used = 0, used_again = 0;
    enum helper_read how = helper_reply_read(bytes, &r, &text, &used);
    if (how != HELPER_WHOLE) return;
    ASSERT(used <= bytes.n && text.p >= bytes.p && text.p + text.n <= bytes.p + bytes.n && r.status < HELPER_STATUS_MAX);
    ASSERT(helper_reply_read(str_sub(bytes, 0, used), &again, &same, &used_again) == HELPER_WHOLE);
    ASSERT(used == used_again && str_eq(text, same));
    for (size_t n = 0; n < used; n++) ASSERT(helper_reply_read(str_sub(bytes, 0, n), &again, &same, &used_again) != HELPER_WHOLE);
    struct err e = {0};
    struct str out;
    if (!helper_results_text(a, text, &out, &e)) ASSERT(e.code && e.text[0]);
}

static void requests(struct str bytes)
{
    struct helper_request q;
    struct str program, input;
    size_t used;
    if (helper_request_read(bytes, &q, &program, &input, &used) != HELPER_WHOLE) return;
    ASSERT(used <= bytes.n && program.n + input.n + sizeof q == used);
}

/* Results that are written come back as they were. */
static void results(struct arena *a, struct str bytes)
{
    struct buf b CLEANUP(buf_fini);
    struct str out;
    struct err e;
    buf_init(&b, 1 << 20);
    helper_result_write(&b, false, bytes);
    ASSERT(helper_results_text(a, buf_view(&b), &out, &e));
    ASSERT(str_eq(out, str_trim(bytes)));
    if (!helper_results_text(a, bytes, &out, &e)) ASSERT(e.code && e.text[0]);
}

/* What is put in is `else . `, once for an `end` at most. */
static void programs(struct str bytes)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 24);
    jq_text_adapt(&b, bytes);
    ASSERT(!b.overflow && b.n <= 4 * bytes.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str bytes = str_n((const char *)data, size);
    arena_init(&a);
    if (size > 1 << 16) return 0;
    replies(&a, bytes);
    requests(bytes);
    programs(bytes);
    results(&a, bytes);
    return 0;
}
