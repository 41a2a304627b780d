/* JSON: whatever is read can be written, and reads back to an equal value and the same text. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "fuzz.h"

static void pretty_reads_back(struct arena *a, const struct val *v)
{
    struct buf b CLEANUP(buf_fini);
    struct val back;
    buf_init(&b, 256 << 20);
    json_write(&b, v, 4);
    ASSERT(!b.overflow && json_parse(a, buf_view(&b), NULL, &back, NULL));
    ASSERT(val_eq(v, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct val v, back;
    struct err e = {0};
    arena_init(&a);
    if (!json_parse(&a, str_n((const char *)data, size), NULL, &v, &e)) {
        ASSERT(e.code && e.text[0]);
        return 0;
    }
    struct str text = json_text(&a, &v);
    ASSERT(json_parse(&a, text, &(struct json_opts){.strict = true}, &back, &e));
    ASSERT(val_eq(&v, &back) && str_eq(text, json_text(&a, &back)));
    pretty_reads_back(&a, &v);
    return 0;
}
