/* The pure parts of api: `fields`, and tokens of lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/fields.h"
#include "api/page.h"
#include "doc/json.h"
#include "doc/json_write.h"

#define LIST "{\"metadata\":{\"continue\":\"x\"},\"items\":[{\"metadata\":{\"name\":\"a\",\"names\":\"b\",\"labels\":{\"l\":\"m\"}},\"status\":" \
             "{\"phase\":\"Failed\",\"nodes\":{\"n.1\":{\"phase\":\"Error\",\"id\":\"n.1\"}}}}]}"

struct pick_row {
    const char *fields, *want;
};

static const struct pick_row pick_rows[] = {
    {"", LIST},
    {"items.metadata.name,items.status.phase", "{\"items\":[{\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":\"Failed\"}}]}"},
    {"metadata,items.metadata.labels", "{\"metadata\":{\"continue\":\"x\"},\"items\":[{\"metadata\":{\"labels\":{\"l\":\"m\"}}}]}"},
    {"-items.status.nodes", "{\"metadata\":{\"continue\":\"x\"},\"items\":[{\"metadata\":{\"name\":\"a\",\"names\":\"b\",\"labels\":{\"l\":\"m\"}},"
                            "\"status\":{\"phase\":\"Failed\"}}]}"},
    {"-items.status,items.metadata.labels", "{\"metadata\":{\"continue\":\"x\"},\"items\":[{\"metadata\":{\"name\":\"a\",\"names\":\"b\"}}]}"},
    {"-items.status,-items.metadata,-metadata", "{\"items\":[{}]}"},
    {"items.status,-items.status.nodes", "{\"items\":[{\"status\":{\"phase\":\"Failed\"}}]}"},
    {"items.status.nodes.phase", "{\"items\":[{\"status\":{\"nodes\":{\"n.1\":{\"phase\":\"Error\"}}}}]}"},
    {"-items.status.nodes.phase,items.metadata,metadata", "{\"items\":[{\"status\":{\"phase\":\"Failed\",\"nodes\":{\"n.1\":{\"id\":\"n.1\"}}}}]}"},
    {"absent", "{}"},
    {",", "{}"},
    {"items.metadata.name.first", "{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}"},
};

static void fields_choose_the_parts(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct val doc;
    struct err e;
    (void)state;
    arena_init(&a);
    assert_true(json_parse(&a, STR(LIST), NULL, &doc, &e));
    for (size_t i = 0; i < ARRAY_LEN(pick_rows); i++) {
        struct fields f;
        fields_parse(&a, str_of(pick_rows[i].fields), &f);
        struct val got = fields_pick(&a, &f, &doc);
        assert_string_equal(json_text(&a, &got).p, pick_rows[i].want);
    }
    struct fields watched; /* as Argo's page asks for parts of what a watch sends */
    fields_parse(&a, STR("result.type,result.object.metadata"), &watched);
    fields_without_prefix(&watched, "result.object.");
    struct val got = fields_pick(&a, &watched, &doc);
    assert_string_equal(json_text(&a, &got).p, "{\"metadata\":{\"continue\":\"x\"}}");
}

static void fields_tell_what_need_not_be_read(void **state)
{
    static const char *const few[] = {"items.metadata.name", "metadata"};
    static const struct { const char *fields; bool nodes, few; } rows[] = {
        {"", true, false}, {"items.status", true, false}, {"items.status.phase", false, false}, {"-items.status.nodes", false, false},
        {"-items.status", false, false}, {"-items.status.node", true, false}, {"items.metadata.name,metadata.continue", false, true},
        {"items.metadata", false, false}, {"items.status.nodes.phase", true, false}, {"items.status,-items.status.nodes", false, false},
        {"-items.metadata.name", true, false},
    };
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields f;
        fields_parse(&a, str_of(rows[i].fields), &f);
        assert_int_equal(!fields_leave_out(&f, "items.status.nodes"), rows[i].nodes);
        assert_int_equal(fields_within(&f, few, ARRAY_LEN(few)), rows[i].few);
    }
}

static void a_stream_names_fields_from_its_top(void **state)
{
    static const struct { const char *fields, *want; } rows[] = {
        {"result.object.a,result.type", "{\"a\":1}"}, {"a", "{\"a\":1}"}, {"-result.object.a", "{\"b\":2}"}, {"result.type", "{}"}, {"", "{\"a\":1,\"b\":2}"},
    };
    struct arena a CLEANUP(arena_fini);
    struct val doc;
    struct err e;
    (void)state;
    arena_init(&a);
    assert_true(json_parse(&a, STR("{\"a\":1,\"b\":2}"), NULL, &doc, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields f;
        fields_parse(&a, str_of(rows[i].fields), &f);
        fields_without_prefix(&f, "result.object.");
        struct val got = fields_pick(&a, &f, &doc);
        assert_string_equal(json_text(&a, &got).p, rows[i].want);
    }
}

static void tokens_lead_back_to_their_list_alone(void **state)
{
    static const char *const bad[] = {"", "0", "zz", "00", "2f", "776f726b666c6f7773", "WF", "77 6f"};
    struct arena a CLEANUP(arena_fini);
    struct str at;
    struct err e;
    (void)state;
    arena_init(&a);
    struct str token = page_token(&a, "workflows", STR("ns/na me"));
    assert_true(page_token_read(&a, token, "workflows", &at, &e));
    assert_true(str_is(at, "ns/na me"));
    assert_false(page_token_read(&a, token, "archived", &at, &e));
    assert_int_equal(e.code, ERR_SPEC);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(page_token_read(&a, str_of(bad[i]), "workflows", &at, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_choose_the_parts),
        cmocka_unit_test(fields_tell_what_need_not_be_read),
        cmocka_unit_test(a_stream_names_fields_from_its_top),
        cmocka_unit_test(tokens_lead_back_to_their_list_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
