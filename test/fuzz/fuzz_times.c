/* Durations, layouts of times, Go's formats of numbers and texts. */
#include "fuzz.h"
#include "lang/duration.h"
#include "lang/gofmt.h"
#include "lang/timefmt.h"

static void times(struct arena *a, struct str text)
{
    int64_t ns, back;
    struct err e = {0};
    if (duration_parse(text, &ns, &e)) {
        ASSERT(duration_parse(duration_text(a, ns), &back, &e) && back == ns);
    } else {
        ASSERT(e.text[0]);
    }
    struct str layout, value;
    struct moment m = moment_utc(1700000000123456);
    if (text.n < 200) timefmt_layout(a, text, m);
    if (str_cut(text, '|', &layout, &value)) timefmt_parse(layout, value, &m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str text = str_n((const char *)data, size);
    times(&a, text);
    if (text.n < 200) {
        gofmt_int(&a, text, -42);
        gofmt_quote(&a, text);
    }
    return 0;
}
