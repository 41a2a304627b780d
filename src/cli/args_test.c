/* The parser of command lines: what it accepts, and what it says about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/args.h"

static const struct flag flags[] = {
    {"all", 'a', FLAG_BOOL, NULL, "x"},      {"brief", 'b', FLAG_BOOL, NULL, "x"}, {"output", 'o', FLAG_STR, "json|yaml", "x"},
    {"number", 'k', FLAG_INT, "N", "x"},     {"param", 'p', FLAG_LIST, "K=V", "x"}, {"file", 'f', FLAG_STR, "FILE", "x"},
};
static const struct cmd cmd = {.name = "try", .usage = "WORD…", .flags = flags, .n_flags = ARRAY_LEN(flags), .min_words = 1, .max_words = 2};

static struct arena a;
static int arena_up(void **state)
{
    arena_init(&a);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

/* "flag=value … | words" or the error's text */
static const char *parsed(const char *line)
{
    char *argv[20];
    int argc = 0;
    struct str head, rest = str_of(line);
    while (str_set(rest)) {
        str_cut(rest, ' ', &head, &rest);
        argv[argc++] = (char *)str_dup(&a, head).p;
    }
    struct args g;
    struct err e = {0};
    if (!args_parse(&a, &cmd, argc, argv, &g, &e)) {
        assert_int_equal(err_exit_status(e.code), 2);
        return str_dup(&a, str_of(e.text)).p;
    }
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < g.n_given; i++) buf_printf(&b, "%s=%s ", g.given[i].flag->name, g.given[i].value);
    buf_char(&b, '|');
    for (size_t i = 0; i < g.n_words; i++) buf_printf(&b, " %s", g.words[i]);
    const char *text = buf_dup(&a, &b).p;
    buf_fini(&b);
    return text;
}

static void lines_are_parsed(void **state)
{
    static const struct { const char *line, *want; } rows[] = {
        {"w", "| w"},
        {"w --all x", "all=true | w x"},
        {"-ab w", "all=true brief=true | w"},
        {"-abo json w", "all=true brief=true output=json | w"},
        {"-ojson w -k5", "output=json number=5 | w"},
        {"-o=json w --number=-5", "output=json number=-5 | w"},
        {"--param a=b=c -p d=e w", "param=a=b=c param=d=e | w"},
        {"--all=false w", "all=false | w"},
        {"-a=false w", "all=false | w"},
        {"-- -a --all", "| -a --all"},
        {"- w", "| - w"},
        {"--file= w", "file= | w"},
        {"-n ns w -q", "namespace=ns quiet=true | w"},
        {"--help", "help=true |"},
        {"", "| "},
        {"-a", "'try' needs more words: skiff try WORD…"},
        {"a b c", "'try' does not take 'c': skiff try WORD…"},
        {"w --outputt json", "'try' has no flag --outputt, did you mean --output?"},
        {"w --xyzzy", "'try' has no flag --xyzzy (try: skiff help try)"},
        {"w -z", "'try' has no flag -z (try: skiff help try)"},
        {"w -o", "--output needs a value: --output json|yaml"},
        {"w -o xml", "--output is one of json|yaml, not 'xml'"},
        {"w -k 1x", "--number takes a whole number, not '1x'"},
        {"w --as me", "there is no --as here: nobody acts for somebody else; who calls is who has the token (--token)"},
        {"w --password", "there is no --password here: a server elsewhere is called with --token; one that wants a name and password takes 'Basic …' there"},
        {"w --tls-server-nam x", "'try' has no flag --tls-server-nam (try: skiff help try)"},
        {"w --all=yes", "--all is true or false, not 'yes'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) assert_string_equal(parsed(rows[i].line), rows[i].want);
}

static void values_are_found_by_name(void **state)
{
    char *argv[] = {(char *)"-p", (char *)"a=1", (char *)"-p", (char *)"b=2", (char *)"-k", (char *)"7", (char *)"w"};
    struct args g;
    struct err e = {0};
    assert_true(args_parse(&a, &cmd, 7, argv, &g, &e));
    assert_string_equal(args_str(&g, "param"), "b=2");
    assert_string_equal(args_nth(&g, "param", 0), "a=1");
    assert_null(args_nth(&g, "param", 2));
    assert_int_equal(args_int(&g, "number", 1), 7);
    assert_int_equal(args_int(&g, "absent", 1), 1);
    assert_false(args_on(&g, "all"));
    assert_false(args_has(&g, "file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_parsed),
        cmocka_unit_test(values_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
