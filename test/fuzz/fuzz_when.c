/* Conditions (`when`): each answers any text, the same every time. */
#include "fuzz.h"
#include "lang/when.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    conditions(&a, str_n((const char *)data, size));
    return 0;
}
