/* when, depends, durations, Go formats and layouts: each answers any text, the same every time. */
#include "fuzz.h"
#include "lang/depends.h"
#include "lang/duration.h"
#include "lang/gofmt.h"
#include "lang/timefmt.h"
#include "lang/when.h"

static uint32_t results_of(void *ctx, size_t i) { return i % 2 ? DEPENDS_FAILED : DEPENDS_SUCCEEDED; }

static void conditions(struct arena *a, struct str text)
{
    bool one = false, two = false;
    struct err e = {0}, again = {0};
    bool ok = when_eval(a, text, &one, &e);
    ASSERT(ok || (e.code && e.text[0]));
    ASSERT(when_eval(a, text, &two, &again) == ok && one == two && !strcmp(e.text, again.text));
    ok = when_eval_params(a, text, &val_null, &one, &e);
    ASSERT(ok || e.text[0]);
}

static void logic(struct arena *a, struct str text)
{
    const struct depends *d, *expanded;
    struct err e = {0};
    if (!depends_parse(a, text, &d, &e)) {
        ASSERT(e.code && e.text[0]);
        return;
    }
    bool value = depends_eval(d, results_of, NULL);
    if (depends_parse(a, d->text, &expanded, &e)) /* the expansion means the same */
        ASSERT(expanded->n_names == d->n_names && depends_eval(expanded, results_of, NULL) == value);
}

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
    struct str text = str_n((const char *)data, size);
    arena_init(&a);
    conditions(&a, text);
    logic(&a, text);
    times(&a, text);
    if (text.n < 200) {
        gofmt_int(&a, text, -42);
        gofmt_quote(&a, text);
    }
    return 0;
}
