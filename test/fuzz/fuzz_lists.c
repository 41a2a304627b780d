/* What clients of lists send: `fields`, and continue tokens. Before the first newline the one, after it the other. */
#include "api/fields.h"
#include "api/page.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "fuzz.h"

static const char document[] =
    "{\"metadata\":{\"name\":\"a\"},\"items\":[{\"metadata\":{\"name\":\"b\",\"labels\":{\"a.b\":\"c\"}},"
    "\"status\":{\"phase\":\"x\",\"nodes\":{\"n\":{\"id\":\"n\",\"phase\":\"y\"}}}},[1,{\"a\":null}],2]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str text, token, at, again;
    struct fields f;
    struct val doc;
    struct err e = {0};
    arena_init(&a);
    str_cut(str_n((const char *)data, size), '\n', &text, &token);
    ASSERT(json_parse(&a, str_of(document), NULL, &doc, &e));
    fields_parse(&a, text, &f);
    struct val once = fields_pick(&a, &f, &doc), twice = fields_pick(&a, &f, &once);
    ASSERT(val_eq(&once, &twice)); /* what is left is all wanted */
    if (fields_leave_out(&f, "items.status.nodes")) ASSERT(!val_path(&once, "items.0.status.nodes"));
    ASSERT(page_token_read(&a, page_token(&a, "list", text), "list", &again, &e) && str_eq(again, text));
    if (page_token_read(&a, token, "list", &at, &e)) ASSERT(str_eq(page_token(&a, "list", at), token));
    else ASSERT(e.text[0]);
    return 0;
}
