/* Flags and conditions of resource templates: the first line is a condition, the others are words. What
 * is accepted prints as a condition that is accepted again and means the same. */
#include "doc/json.h"
#include "fuzz.h"
#include "resource/condition.h"
#include "resource/kubectl.h"

static const char object[] = "{\"status\":{\"phase\":\"Failed\",\"n\":3,\"list\":[1,{\"a\":null}]},\"metadata\":{\"name\":\"w\"}}";

static void condition(struct arena *a, struct str text)
{
    struct condition c, again;
    struct val v;
    struct err e = {0};
    struct str why = STR_NONE;
    ASSERT(json_parse(a, STR(object), NULL, &v, NULL));
    if (!condition_parse(a, text, STR(""), &c, &e)) {
        ASSERT(e.code && e.text[0]);
        return;
    }
    for (size_t i = 0; i < c.success.n; i++) {
        struct str one = selector_req_text(a, &c.success.reqs[i]);
        ASSERT(condition_parse(a, one, STR(""), &again, &e) && again.success.n == 1);
        ASSERT(str_eq(selector_req_text(a, &again.success.reqs[0]), one));
    }
    ASSERT(condition_judge(a, &c, &v, &why) != CONDITION_FAILED);
    condition_reads(&c, STR("status.nodes"));
}

static void words(struct arena *a, struct str text)
{
    enum { WORDS = 64 };
    struct str list[WORDS];
    struct kubectl k;
    struct err e = {0};
    size_t n = 0;
    while (str_set(text) && n < WORDS) str_cut(text, '\n', &list[n++], &text);
    if (!kubectl_parse(a, list, n, &k, &e)) {
        ASSERT(e.code && e.text[0]);
        return;
    }
    for (size_t i = 0; i < k.n_targets; i++) ASSERT(k.targets[i].kind.p && k.targets[i].name.p);
    ASSERT(kubectl_selects(&k) == (k.n_targets > 0 || k.kind.n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str first, rest;
    arena_init(&a);
    if (size > 1 << 14) return 0;
    str_cut(str_n((const char *)data, size), '\n', &first, &rest);
    condition(&a, first);
    words(&a, rest);
    return 0;
}
