/* doc: the YAML reader against what sigs.k8s.io/yaml makes of the same text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "doc/json_write.h"
#include "doc/yaml.h"

struct row {
    const char *in, *out; /* out: JSON text, or the error with its position */
};

static void check_rows(const struct row *rows, size_t n, bool strict)
{
    for (size_t i = 0; i < n; i++) {
        struct arena a CLEANUP(arena_fini);
        struct val v;
        struct err e = {0};
        struct yaml_opts o = {.strict = strict};
        arena_init(&a);
        bool ok = yaml_parse(&a, str_of(rows[i].in), &o, &v, &e);
        assert_string_equal(ok ? json_text(&a, &v).p : e.text, rows[i].out);
    }
}

static void plain_scalars_resolve_as_go_yaml(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"- y\n- Y\n- yes\n- Yes\n- YES\n- on\n- On\n- ON\n- true\n- True\n- TRUE",
         "[true,true,true,true,true,true,true,true,true,true,true]"},
        {"- n\n- N\n- no\n- No\n- NO\n- off\n- Off\n- OFF\n- false\n- False\n- FALSE",
         "[false,false,false,false,false,false,false,false,false,false,false]"},
        {"- ~\n- null\n- Null\n- NULL\n-", "[null,null,null,null,null]"},
        {"- yES\n- oN\n- nULL\n- truE", "[\"yES\",\"oN\",\"nULL\",\"truE\"]"},
        {"[0777, 0o17, 0x1F, 0b11, -0b1, 0, -0, +0x1f]", "[511,15,31,3,-1,0,0,31]"},
        {"[1_000, 1__0, 1_, _1, 0x_1f]", "[1000,10,1,\"_1\",31]"},
        {"[08, 0o8, 0x, 09.5, -08]", "[8,\"0o8\",\"0x\",9.5,-8]"},
        {"[+1, 1e3, 1e+3, .5, 1., 1.0, 0.10, -.5, +.5e1]", "[1,1000,1000,0.5,1,1,0.1,-0.5,5]"},
        {"[1e21, 1e20, 1e-7, 1e-6]", "[1e+21,100000000000000000000,1e-7,0.000001]"},
        {"[9223372036854775807, -9223372036854775808, 18446744073709551615]",
         "[9223372036854775807,-9223372036854775808,18446744073709551615]"},
        {"[123456789012345678901, -9223372036854775809]", "[123456789012345680000,-9223372036854776000]"},
        {"[12:30:45, 2001-12-14, 2001-12-14T21:59:43Z, 1e, e1, -, +, ., 1.2.3, 1e999]",
         "[\"12:30:45\",\"2001-12-14\",\"2001-12-14T21:59:43Z\",\"1e\",\"e1\",\"-\",\"+\",\".\",\"1.2.3\",\"1e999\"]"},
        {"['1', \"yes\", 'null', \"\"]", "[\"1\",\"yes\",\"null\",\"\"]"},
        {"- .nan", "1:3: unsupported value: .nan is no JSON number"},
        {"- -.inf", "1:3: unsupported value: -.inf is no JSON number"},
        {"a: |\n  yes\nb: >-\n  1\n", "{\"a\":\"yes\\n\",\"b\":\"1\"}"},
        {"", "null"}, {"# only a comment\n", "null"}, {"abc", "\"abc\""},
    };
    check_rows(rows, ARRAY_LEN(rows), false);
}

/* Repeated keys take a shorter way; what a key is must not depend on how it was written before. */
static void repeated_keys_are_read_anew(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"- {a: 1, b: 2}\n- {a: 3, b: 4}\n- {b: 5}", "[{\"a\":1,\"b\":2},{\"a\":3,\"b\":4},{\"b\":5}]"},
        {"- {\"on\": 1}\n- {on: 2}\n- {'on': 3}\n- {on: 4}", "[{\"on\":1},{\"true\":2},{\"on\":3},{\"true\":4}]"},
        {"- {1: a}\n- {\"1\": b}\n- {1: c}\n- {0x1: d}", "[{\"1\":\"a\"},{\"1\":\"b\"},{\"1\":\"c\"},{\"1\":\"d\"}]"},
        {"- {a: 1}\n- {!!str a: 2}\n- {&x a: 3}\n- {a: *x}", "[{\"a\":1},{\"a\":2},{\"a\":3},{\"a\":\"a\"}]"},
        {"- {a: 1}\n- {a: 1, a: 2}", "2:10: key \"a\" already set in map (first at line 2:4)"},
        {"- {\"<<\": 1}\n- {<<: {a: 1}}\n- {<<: {a: 2}, b: 3}", "[{\"<<\":1},{\"a\":1},{\"a\":2,\"b\":3}]"},
        {"- {abcd: 1}\n- {abdd: 2}\n- {abcd: 3}", "[{\"abcd\":1},{\"abdd\":2},{\"abcd\":3}]"},
        {"- {a: 1}\n- {null: 2}", "2:4: invalid map key: null cannot be a key"},
    };
    check_rows(rows, ARRAY_LEN(rows), true);
}

static void tags_and_keys_resolve_as_go_yaml(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[!!str 1, !!int '3', !!binary aGk=, !foo x, !!float 3, !!bool yes, !!null ~, ! 5]",
         "[\"1\",3,\"hi\",\"x\",3,true,null,\"5\"]"},
        {"!!int abc", "1:1: cannot decode `abc` as a !!int"},
        {"!!binary a", "1:1: !!binary value contains invalid base64 data"},
        {"!!binary /w==", "1:1: !!binary value is not UTF-8 text"},
        {"y: 2\nn: 3", "{\"true\":2,\"false\":3}"},
        {"0777: a\n1.5: b\n'1': c", "{\"511\":\"a\",\"1.5\":\"b\",\"1\":\"c\"}"},
        {"~: 1", "1:1: invalid map key: null cannot be a key"},
        {"? [a]\n: 1", "1:3: invalid map key: a list cannot be a key"},
        {"a: &k key\n*k : 1", "{\"a\":\"key\",\"key\":1}"},
        {"a: 1\na: 2", "{\"a\":2}"},
    };
    check_rows(rows, ARRAY_LEN(rows), false);
}

static void merge_keys_and_anchors(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"b: &b {x: 1, y: 2}\nc:\n  <<: *b\n  x: 3", "{\"b\":{\"x\":1,\"true\":2},\"c\":{\"x\":3,\"true\":2}}"},
        {"b: &b {x: 1}\nc:\n  x: 3\n  <<: *b", "{\"b\":{\"x\":1},\"c\":{\"x\":3}}"},
        {"- &a {x: 1, z: 1}\n- &b {x: 2, w: 2}\n- <<: [*a, *b]\n  q: 0",
         "[{\"x\":1,\"z\":1},{\"x\":2,\"w\":2},{\"x\":1,\"w\":2,\"z\":1,\"q\":0}]"},
        {"\"<<\": 1", "{\"<<\":1}"},
        {"<<: 1", "1:5: map merge requires map or sequence of maps as the value"},
        {"<<: {a: 1}\nb: 2", "{\"a\":1,\"b\":2}"},
        {"- &x 1\n- *x\n- &x 2\n- *x", "[1,1,2,2]"},
        {"&x [*x]", "1:5: anchor 'x' value contains itself"},
        {"- *nope", "1:3: unknown anchor 'nope' referenced"},
    };
    check_rows(rows, ARRAY_LEN(rows), true);
}

static void strict_names_both_places(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a: 1\nb: 2\na: 3", "3:1: key \"a\" already set in map (first at line 1:1)"},
        {"x:\n  true: 1\n  yes: 2", "3:3: key \"true\" already set in map (first at line 2:3)"},
        {"{\"a\": 1, \"a\": 2}", "1:10: key \"a\" already set in map (first at line 1:2)"},
    };
    check_rows(rows, ARRAY_LEN(rows), true);
}

static void syntax_errors_keep_libyamls_words(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a: b: c", "1:5: mapping values are not allowed in this context"},
        {"a:\n\t- b", "2:1: found character that cannot start any token"},
        {"a: @b", "1:4: found character that cannot start any token"},
        {"a: [1, 2\nb: 3", "2:2: did not find expected ',' or ']' (while parsing a flow sequence from line 1)"},
        {"a: \"b", "1:6: found unexpected end of stream"},
        {"\xc3\xa9: \xc3\xa9: x", "1:7: mapping values are not allowed in this context"},
        {"a: \x01", "1:4: control characters are not allowed"},
        {"a: \xff", "1:4: invalid leading UTF-8 octet"},
        {"{\"a\": 1,, \"b\": 2}", "1:9: expected a key in double quotes, not ','"},
        {"\xff\xfe" "a", "1:1: text is UTF-16"},
    };
    check_rows(rows, ARRAY_LEN(rows), false);
}

static void unquoted_templates_get_a_hint(void **state)
{
    (void)state;
    static const struct { const char *in; uint32_t line, col, len; const char *hint; } rows[] = {
        {"a: {{inputs.x}}", 1, 4, 12, "quote the template expression: \"{{inputs.x}}\""},
        {"a: 1\nb: {{ x }}-y # c", 2, 4, 7, "quote the template expression: \"{{ x }}\""},
        {"a:\n- x\n- {{item}}", 3, 3, 8, "quote the template expression: \"{{item}}\""},
        {"{\"a\": {{item}} }", 1, 7, 8, "quote the template expression: \"{{item}}\""},
        {"\xc3\xa9: [{{item}}]", 1, 6, 8, "quote the template expression: \"{{item}}\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a CLEANUP(arena_fini);
        struct val v;
        struct err e = {0};
        struct doc_error where = {0};
        arena_init(&a);
        struct yaml_opts o = {.where = &where, .file = 2};
        assert_false(yaml_parse(&a, str_of(rows[i].in), &o, &v, &e));
        assert_string_equal(where.hint, rows[i].hint);
        assert_int_equal(where.line, rows[i].line);
        assert_int_equal(where.col, rows[i].col);
        assert_int_equal(where.len, rows[i].len);
        assert_int_equal(where.file, 2);
    }
}

static void json_text_is_read_as_json(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"a\": \"\\ud83d\\ude00\\/\"}", "{\"a\":\"\xf0\x9f\x98\x80/\"}"},
        {"{a: yes, b: [no]}", "{\"a\":true,\"b\":[false]}"},
        {" [1.0, 2]\n", "[1,2]"},
    };
    check_rows(rows, ARRAY_LEN(rows), false);
}

static void documents_are_split_and_empty_ones_dropped(void **state)
{
    (void)state;
    struct arena a;
    struct val *docs;
    size_t n;
    struct err e = {0};
    arena_init(&a);
    assert_true(yaml_parse_all(&a, STR("# head\n---\na: 1\n---\n# nothing\n---\n- &x b\n...\n---\n|\n  c\n---\n"),
                               NULL, &docs, &n, &e));
    assert_int_equal(n, 3);
    assert_string_equal(json_text(&a, &docs[0]).p, "{\"a\":1}");
    assert_int_equal(docs[1].items[0].line, 7);
    assert_string_equal(json_text(&a, &docs[2]).p, "\"c\\n\"");
    assert_true(yaml_parse_all(&a, STR(""), NULL, &docs, &n, &e));
    assert_int_equal(n, 0);
    assert_false(yaml_parse_all(&a, STR("a: &x 1\n---\nb: *x\n"), NULL, &docs, &n, &e));
    assert_string_equal(e.text, "3:4: unknown anchor 'x' referenced");
    arena_fini(&a);
}

static void positions_are_byte_columns(void **state)
{
    (void)state;
    struct arena a;
    struct val v;
    arena_init(&a);
    assert_true(yaml_parse(&a, STR("k: [\xc3\xa9\xc3\xa9, {z: 1}]\nl:\n  - \"\xe2\x82\xac\": w\n"), NULL, &v, NULL));
    const struct val *inner = &v.map[0].v.items[1];
    assert_int_equal(inner->col, 11);
    assert_int_equal(inner->map[0].v.col, 15);
    const struct val_pair *euro = &val_path(&v, "l.0")->map[0];
    assert_int_equal(euro->line, 3);
    assert_int_equal(euro->col, 5);
    assert_int_equal(euro->v.col, 12);
    static const struct { const char *text; uint32_t line, col; } rows[] = {
        {"\xc3\xa9: 1\r\nb: [\xc3\xa9, x]", 2, 9},                   /* CR LF */
        {"\xc3\xa9: 1\rb: [\xc3\xa9, x]", 2, 9},                      /* a lone CR ends a line, too */
        {"\xc3\xa9: 1\xc2\x85" "b: [\xc3\xa9, x]", 2, 9},              /* and NEL */
        {"\xc3\xa9: 1\nb: [abcdefghijklmnop\xc3\xa9qrs, x]", 2, 28},
        {"\xc3\xa9: 1\nb: [a,b,c,d,e,f,g,h,i,j,x]", 2, 25},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(yaml_parse(&a, str_of(rows[i].text), NULL, &v, NULL));
        const struct val *list = &v.map[1].v, *last = &list->items[list->n - 1];
        assert_string_equal(last->s.p, "x");
        assert_int_equal(last->line, rows[i].line);
        assert_int_equal(last->col, rows[i].col);
    }
    arena_fini(&a);
}

static void bombs_are_refused(void **state)
{
    (void)state;
    struct arena a;
    struct val v;
    struct err e = {0};
    struct buf b;
    arena_init(&a);
    buf_init(&b, 1 << 20);
    buf_str(&b, STR("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"));
    for (int i = 1; i < 20; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) buf_printf(&b, "%s*a%d", k ? "," : "", i - 1);
        buf_str(&b, STR("]\n"));
    }
    assert_false(yaml_parse(&a, buf_view(&b), NULL, &v, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.text, "document contains excessive aliasing"));
    buf_reset(&b);
    for (int i = 0; i <= LIMIT_DOC_DEPTH; i++) buf_char(&b, '[');
    assert_false(yaml_parse(&a, buf_view(&b), NULL, &v, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_reset(&b);
    for (int i = 0; i <= LIMIT_DOC_DEPTH; i++) buf_str(&b, STR("- "));
    assert_false(yaml_parse(&a, buf_view(&b), NULL, &v, &e));
    assert_string_equal(e.text, "1:2001: exceeded max depth of 1000 (LIMIT_DOC_DEPTH)");
    buf_reset(&b); /* what an alias stands for is as deep as it is written elsewhere */
    buf_str(&b, STR("a: &a "));
    for (int i = 0; i < 600; i++) buf_char(&b, '[');
    for (int i = 0; i < 600; i++) buf_char(&b, ']');
    size_t whole = b.n;
    buf_str(&b, STR("\nb: [[*a], {x: *a}]\n"));
    assert_true(yaml_parse(&a, buf_view(&b), NULL, &v, &e));
    b.n = whole;
    buf_str(&b, STR("\nb: &b [*a]\nc: "));
    for (int i = 0; i < 398; i++) buf_char(&b, '[');
    size_t open = b.n;
    buf_str(&b, STR("*b"));
    for (int i = 0; i < 398; i++) buf_char(&b, ']');
    assert_true(yaml_parse(&a, buf_view(&b), NULL, &v, &e));
    b.n = open;
    buf_str(&b, STR("[*b]"));
    for (int i = 0; i < 398; i++) buf_char(&b, ']');
    assert_false(yaml_parse(&a, buf_view(&b), NULL, &v, &e));
    assert_string_equal(e.text, "3:403: exceeded max depth of 1000 (LIMIT_DOC_DEPTH)");
    buf_fini(&b);
    arena_fini(&a);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    struct arena a;
    struct val v;
    struct err e = {0};
    arena_init(&a);
    assert_true(yaml_parse(&a, STR("\xef\xbb\xbf" "a: 1\nb: 2\n"), NULL, &v, &e));
    assert_int_equal(v.n, 2);
    assert_int_equal(v.map[0].v.col, 4);
    assert_true(yaml_parse(&a, STR("\xef\xbb\xbf" "{\"a\": 1}"), NULL, &v, &e));
    assert_int_equal(v.n, 1);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_resolve_as_go_yaml),
        cmocka_unit_test(tags_and_keys_resolve_as_go_yaml),
        cmocka_unit_test(repeated_keys_are_read_anew),
        cmocka_unit_test(merge_keys_and_anchors),
        cmocka_unit_test(strict_names_both_places),
        cmocka_unit_test(syntax_errors_keep_libyamls_words),
        cmocka_unit_test(unquoted_templates_get_a_hint),
        cmocka_unit_test(json_text_is_read_as_json),
        cmocka_unit_test(documents_are_split_and_empty_ones_dropped),
        cmocka_unit_test(positions_are_byte_columns),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
