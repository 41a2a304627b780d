/* The `depends` logic: what it is expanded to means the same. */
#include "fuzz.h"
#include "lang/depends.h"

static uint32_t results_of(void *ctx, size_t i) { return i % 2 ? DEPENDS_FAILED : DEPENDS_SUCCEEDED; }

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    logic(&a, str_n((const char *)data, size));
    return 0;
}
