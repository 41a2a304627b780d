/* doc: the JSON reader and writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"

struct row {
    const char *in, *out; /* out: compact text, or the error with its position */
};

static void check_rows(const struct row *rows, size_t n, const struct json_opts *opts)
{
    for (size_t i = 0; i < n; i++) {
        struct arena a CLEANUP(arena_fini);
        struct val v;
        struct err e = {0};
        arena_init(&a);
        bool ok = json_parse(&a, str_of(rows[i].in), opts, &v, &e);
        assert_string_equal(ok ? json_text(&a, &v).p : e.text, rows[i].out);
    }
}

static void values_keep_order_and_canonical_numbers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {" {\"b\":1,\"a\":[true,false,null,\"x\"]} ", "{\"b\":1,\"a\":[true,false,null,\"x\"]}"},
        {"{}", "{}"}, {"[]", "[]"}, {"\"\"", "\"\""}, {"\xef\xbb\xbf[1]", "[1]"},
        {"[9007199254740993,-9223372036854775808,18446744073709551615]",
         "[9007199254740993,-9223372036854775808,18446744073709551615]"},
        {"123456789012345678901234567890", "1.2345678901234568e+29"},
        {"[1.0,1e3,0.10,1E+2,-0,-0.0,1e21,1e-7]", "[1,1000,0.1,100,0,0,1e+21,1e-7]"},
        {"-9223372036854775809", "-9223372036854776000"},
        {"\"\\u0041\\n\\/\\\"\\ud83d\\ude00\"", "\"A\\n/\\\"\xf0\x9f\x98\x80\""},
        {"\"a\\ud800b\"", "\"a\xef\xbf\xbd" "b\""},
        {"\"\\udc00\\ud800\\ud800\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\"x\\u0000y\"", "\"x\\u0000y\""},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
    };
    check_rows(rows, ARRAY_LEN(rows), NULL);
}

static void errors_say_what_and_where(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "1:1: expected a value, the text ends here"},
        {"{\n  \"a\": NaN}", "2:8: expected a value, not 'N'"},
        {"[1,]", "1:4: expected a list item after ',', not ']'"},
        {"{\"a\":1,}", "1:8: expected a key in double quotes, not '}'"},
        {"{a:1}", "1:2: expected a key in double quotes, not 'a'"},
        {"[1 2]", "1:4: expected ',' or ']' after a list item, not '2'"},
        {"{\"a\" 1}", "1:6: expected ':' after a key, not '1'"},
        {"01", "1:1: a number must not start with 0"},
        {"1.", "1:3: expected a digit, the text ends here"},
        {"1e999", "1:1: number is out of range"},
        {"nul", "1:1: expected a value, not 'n'"},
        {"[1] x", "1:5: expected the end of the text, not 'x'"},
        {"\"abc", "1:1: string is not closed"},
        {"\"abc\\", "1:6: string is not closed"},
        {"\"a\nb\"", "1:3: string is not closed at the end of the line"},
        {"\"a\tb\"", "1:3: control character 0x09 in a string must be escaped"},
        {"\"\\q\"", "1:3: unknown escape in a string"},
        {"\"\\u12g4\"", "1:4: bad \\u escape: four hex digits must follow"},
        {"\"a\xff\"", "1:3: text is not valid UTF-8 (byte 0xff)"},
        {"\"\xed\xa0\x80\"", "1:2: text is not valid UTF-8 (byte 0xed)"},
        {"\"\\n\xc0\xaf\"", "1:4: text is not valid UTF-8 (byte 0xc0)"},
        {"[Infinity]", "1:2: expected a value, not 'I'"},
    };
    check_rows(rows, ARRAY_LEN(rows), NULL);
    struct arena a;
    struct val v;
    struct err e = {0};
    arena_init(&a);
    assert_false(json_parse(&a, str_n("[1\0]", 4), NULL, &v, &e));
    assert_string_equal(e.text, "1:3: NUL byte in JSON text");
    assert_int_equal(e.code, ERR_SPEC);
    arena_fini(&a);
}

static void strict_and_raw_are_options(void **state)
{
    (void)state;
    static const struct row strict[] = {
        {"{\"a\":1,\n \"b\":{\"a\":2},\n\"a\":3}", "3:1: key \"a\" already set in map (first at line 1:2)"}};
    static const struct row raw[] = {{"[1.0,1e3,-0]", "[1.0,1e3,-0]"}};
    struct doc_error where = {0};
    check_rows(strict, 1, &(struct json_opts){.strict = true, .file = 7, .where = &where});
    assert_int_equal(where.file, 7);
    assert_int_equal(where.line, 3);
    assert_int_equal(where.first_line, 1);
    assert_int_equal(where.first_col, 2);
    check_rows(raw, 1, &(struct json_opts){.raw_numbers = true});
}

static void many_keys_are_told_apart(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct val v;
    arena_init(&a);
    buf_init(&b, 1 << 20);
    buf_char(&b, '{');
    for (int i = 0; i < 3000; i++) buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i % 1000, i);
    buf_char(&b, '}');
    assert_true(json_parse(&a, buf_view(&b), NULL, &v, NULL));
    assert_int_equal(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(str_eq(val_get_str(&v, str_fmt(&a, "k%d", i).p), str_fmt(&a, "%d", 2000 + i)));
    buf_fini(&b);
    arena_fini(&a);
}

static void depth_is_limited(void **state)
{
    (void)state;
    struct arena a;
    struct val v;
    struct err e = {0};
    char text[2 * LIMIT_DOC_DEPTH + 2];
    arena_init(&a);
    memset(text, '[', sizeof text / 2);
    memset(text + sizeof text / 2, ']', sizeof text / 2);
    assert_false(json_parse(&a, str_n(text, sizeof text), NULL, &v, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(json_parse(&a, str_n(text + 1, sizeof text - 2), NULL, &v, &e));
    arena_fini(&a);
}

static void values_know_their_position(void **state)
{
    (void)state;
    struct arena a;
    struct val v;
    arena_init(&a);
    struct json_opts o = {.file = 3};
    assert_true(json_parse(&a, STR("{\n \"k\\u00e9\": [1,\n   \"\xc3\xa9\", 5]}"), &o, &v, NULL));
    const struct val *five = &v.map[0].v.items[2];
    assert_int_equal(v.map[0].line, 2);
    assert_int_equal(v.map[0].col, 2);
    assert_int_equal(five->line, 3);
    assert_int_equal(five->col, 10);
    assert_int_equal(five->file, 3);
    arena_fini(&a);
}

static void pretty_text_is_kubectls(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct val v;
    arena_init(&a);
    buf_init(&b, 1000);
    assert_true(json_parse(&a, STR("{\"a\":[1,{}],\"b\":{\"c\":[]}}"), NULL, &v, NULL));
    json_write(&b, &v, 4);
    assert_string_equal(b.p, "{\n    \"a\": [\n        1,\n        {}\n    ],\n"
                             "    \"b\": {\n        \"c\": []\n    }\n}");
    buf_fini(&b);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_order_and_canonical_numbers),
        cmocka_unit_test(errors_say_what_and_where),
        cmocka_unit_test(strict_and_raw_are_options),
        cmocka_unit_test(many_keys_are_told_apart),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(values_know_their_position),
        cmocka_unit_test(pretty_text_is_kubectls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
