/* JSONPath in both dialects, over one document. */
#include "doc/json.h"
#include "fuzz.h"
#include "lang/expr.h"
#include "lang/jsonpath.h"

static const char document[] =
    "{\"kind\":\"List\",\"n\":1,\"f\":2.5,\"t\":true,\"z\":null,\"items\":[{\"name\":\"a\",\"age\":3,\"tags\":[\"p\"]},"
    "{\"name\":\"b\"}],\"m\":{\"x.y\":1},\"e\":[]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str text = str_n((const char *)data, size), one, two;
    struct val doc, out;
    struct err e = {0}, again = {0};
    arena_init(&a);
    ASSERT(json_parse(&a, str_of(document), NULL, &doc, &e));
    bool ok = jsonpath_template(&a, text, &doc, &one, &e);
    ASSERT(ok || (e.code && e.text[0]));
    ASSERT(jsonpath_template(&a, text, &doc, &two, &again) == ok && (!ok || str_eq(one, two)));
    struct scope s CLEANUP(scope_fini);
    scope_init(&s, NULL);
    scope_set(&s, STR("path"), text);
    scope_set(&s, STR("doc"), str_of(document));
    struct expr_env env = {.scope = &s};
    e = (struct err){0};
    ASSERT(expr_eval(&a, STR("jsonpath(doc, path)"), &env, &out, &e) || e.text[0]);
    return 0;
}
