/* Expressions: any text is answered with a value that has a JSON form, or with an error. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "fuzz.h"
#include "lang/expr.h"
#include "lang/jsonpath.h"

static bool count(void *ctx, struct str dotted)
{
    ASSERT(dotted.p);
    return ++*(size_t *)ctx < 100;
}

static void fill(struct scope *s)
{
    static const char *const rows[][2] = {
        {"a", "x"}, {"inputs.parameters.p", "5"}, {"inputs.parameters.json", "{\"k\":[1,{\"x\":2}]}"},
        {"inputs.parameters", "[]"}, {"steps.s.id", "id"}, {"retries", "1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) scope_set(s, str_of(rows[i][0]), str_of(rows[i][1]));
    scope_set_nil(s, STR("steps.s.outputs.parameters.nil"));
}

static void kubectl(struct arena *a, struct str text)
{
    struct val root;
    struct str out;
    struct err e = {0};
    ASSERT(json_parse(a, STR("{\"a\":[{\"b\":1},{\"b\":[2,3]}],\"c\":{\"d\":\"x\"}}"), NULL, &root, &e));
    ASSERT(jsonpath_template(a, text, &root, &out, &e) || e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct scope s CLEANUP(scope_fini);
    struct str text = str_n((const char *)data, size);
    arena_init(&a);
    scope_init(&s, NULL);
    fill(&s);
    enum expr_fault fault;
    struct expr_env env = {.scope = &s, .clock = {.now_us = 1700000000000000}, .fault = &fault};
    struct val v, back;
    struct err e = {0};
    bool ok = expr_eval(&a, text, &env, &v, &e);
    if (ok) ASSERT(json_parse(&a, json_text(&a, &v), NULL, &back, &e));
    else ASSERT(e.code && e.text[0]);
    size_t names = 0;
    struct err syntax = {0};
    bool parses = expr_check(&a, text, &syntax);
    ASSERT(parses || (!ok && fault == EXPR_COMPILE) || syntax.text[0]);
    ASSERT(parses || !expr_names(&a, text, count, &names, &syntax));
    if (parses) expr_names(&a, text, count, &names, &syntax);
    kubectl(&a, text);
    return 0;
}
