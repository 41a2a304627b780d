/* doc: YAML text as kubectl prints it, and that it reads back to the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "doc/yaml.h"
#include "doc/yaml_write.h"

struct row {
    const char *json, *yaml;
};

static void check_row(const struct row *row, bool sort_keys)
{
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    struct val v, back;
    struct err e = {0};
    arena_init(&a);
    buf_init(&b, 1 << 16);
    assert_true(json_parse(&a, str_of(row->json), NULL, &v, &e));
    yaml_write(&b, &v, sort_keys);
    if (row->yaml) assert_string_equal(b.p, row->yaml);
    if (!yaml_parse(&a, buf_view(&b), &(struct yaml_opts){.strict = true}, &back, &e)) fail_msg("%s", e.text);
    assert_string_equal(json_text(&a, &v).p, row->json);
    assert_true(val_eq(&v, &back));
}

static void blocks_look_like_kubectls(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"a\":{\"b\":[1,{\"c\":2,\"d\":[]},[3,[4]]]},\"e\":{}}",
         "a:\n  b:\n  - 1\n  - c: 2\n    d: []\n  - - 3\n    - - 4\ne: {}\n"},
        {"[{\"s\":\"line 1\\nline 2\\n\"},\"x\\ny\",\"k\\n\\n\",\" in\\n\"]",
         "- s: |\n    line 1\n    line 2\n- |-\n  x\n  y\n- |+\n  k\n\n- |2\n   in\n"},
        {"[true,null,1.5,-3,1e+21]", "- true\n- null\n- 1.5\n- -3\n- 1e+21\n"},
        {"\"text\"", "text\n"},
        {"\"two\\nlines\"", "|-\n  two\n  lines\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) check_row(&rows[i], false);
}

static void strings_are_quoted_where_needed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[\"yes\",\"1\",\"\",\"null\",\"1e3\",\"0x1F\",\"2024-01-01T00:00:00Z\",\"12:30\"]",
         "- \"yes\"\n- \"1\"\n- \"\"\n- \"null\"\n- \"1e3\"\n- \"0x1F\"\n- \"2024-01-01T00:00:00Z\"\n- \"12:30\"\n"},
        {"[\"{{x}}\",\"a: b\",\"a #b\",\"it's\",\"'q\",\" s \",\"-\",\"- x\",\"#c\",\"*a\",\"k:\",\"---\"]",
         "- '{{x}}'\n- 'a: b'\n- 'a #b'\n- it's\n- '''q'\n- ' s '\n- '-'\n- '- x'\n- '#c'\n- '*a'\n- 'k:'\n- '---'\n"},
        {"[\"a:b\",\"a#b\",\"-x\",\"x{y\",\"\xc3\xa9\",\"http://h:80/p\",\"<x>\"]",
         "- a:b\n- a#b\n- -x\n- x{y\n- \xc3\xa9\n- http://h:80/p\n- <x>\n"},
        {"[\"a\\tb\",\"\\u0000\\u001b\",\"\xf0\x9f\x98\x80\",\"\xef\xbb\xbf\",\"a \\nb\",\"\\r\\n\"]",
         "- \"a\\tb\"\n- \"\\0\\e\"\n- \"\\U0001F600\"\n- \"\\uFEFF\"\n- \"a \\nb\"\n- \"\\r\\n\"\n"},
        {"{\"y\":1,\"a b\":2,\"<<\":3,\"\":4,\"x\\ny\":5,\"k: v\":6}",
         "\"y\": 1\na b: 2\n\"<<\": 3\n\"\": 4\n\"x\\ny\": 5\n'k: v': 6\n"},
        {"[\"\\n\",\"\\n\\n\",\"\\na\",\"a\\n\\n\\nb\\n\",\"#\\nx\"]", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) check_row(&rows[i], false);
}

static void long_keys_use_the_question_mark(void **state)
{
    (void)state;
    char json[2200] = "{\"";
    memset(json + 2, 'k', 2000);
    memcpy(json + 2002, "\":{\"a\":[1]}}", 13);
    check_row(&(struct row){json, NULL}, false);
}

static void keys_sort_naturally(void **state)
{
    (void)state;
    check_row(&(struct row){"{\"b\":1,\"a10\":2,\"a9\":3,\"a\":4,\"a1b\":5,\"_\":6}",
                            "_: 6\na: 4\na1b: 5\na9: 3\na10: 2\nb: 1\n"}, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_look_like_kubectls),
        cmocka_unit_test(strings_are_quoted_where_needed),
        cmocka_unit_test(long_keys_use_the_question_mark),
        cmocka_unit_test(keys_sort_naturally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
