/* Tags: replacement ends, says how it ended, and leaves alone what it does not know. */
#include "doc/json.h"
#include "fuzz.h"
#include "lang/tags.h"

static void fill(struct scope *s, const struct val *item)
{
    static const char *const rows[][2] = {
        {"a", "x"}, {"inputs.parameters.p", "a"}, {"inputs.parameters", "[]"}, {"steps.s.id", "{{a}}"},
        {"open", "{{"}, {"close", "}}"}, {"steps.s.outputs.result", "5"}, {"", "empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) scope_set(s, str_of(rows[i][0]), str_of(rows[i][1]));
    scope_set_nil(s, STR("steps.s.outputs.parameters.nil"));
    scope_set_val(s, STR("item"), item);
}

static void outcome_fits(bool ok, enum tags_outcome outcome, const struct err *e)
{
    ASSERT(ok ? outcome == TAGS_OK || outcome == TAGS_UNRESOLVED : outcome != TAGS_OK);
    ASSERT(ok || (e->code && e->text[0]));
}

static void scan_moves_on(struct str text)
{
    struct tag tag;
    size_t before = 0;
    for (size_t at = 0; tags_next(text, &at, &tag); before = at) {
        ASSERT(at == tag.end && tag.offset >= before && tag.end >= tag.offset + 4 && at <= text.n);
        ASSERT(text.p[tag.offset] == '{' && text.p[tag.end - 1] == '}');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct scope s CLEANUP(scope_fini);
    struct val item = val_of_bool(true);
    struct str text = str_n((const char *)data, size), out;
    arena_init(&a);
    scope_init(&s, NULL);
    scan_moves_on(text);
    for (int policy = TAGS_LEAVE; policy <= TAGS_FAIL_PREFIXES; policy++) {
        enum tags_outcome outcome;
        struct err e = {0};
        struct tags_opts opts = {.scope = &s, .policy = (enum tags_policy)policy, .outcome = &outcome};
        bool ok = tags_replace(&a, text, &opts, &out, &e);
        outcome_fits(ok, outcome, &e);
        bool plain = policy == TAGS_LEAVE && str_find(text, STR("{{="), 0) < 0;
        if (plain) ASSERT(ok && str_eq(out, text)); /* nothing is known yet */
    }
    fill(&s, &item);
    for (int policy = TAGS_LEAVE; policy <= TAGS_FAIL_PREFIXES; policy++) {
        enum tags_outcome outcome;
        struct err e = {0};
        struct tags_opts opts = {.scope = &s, .policy = (enum tags_policy)policy, .outcome = &outcome};
        outcome_fits(tags_replace(&a, text, &opts, &out, &e), outcome, &e);
    }
    return 0;
}
