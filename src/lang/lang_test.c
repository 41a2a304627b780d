/* lang: scopes, depends logic, durations, Go formats, times, patterns, kubectl's JSONPath. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "doc/json.h"
#include "lang/depends.h"
#include "lang/digest.h"
#include "lang/duration.h"
#include "lang/gofmt.h"
#include "lang/jsonpath.h"
#include "lang/quantity.h"
#include "lang/regex.h"
#include "lang/rune.h"
#include "lang/scope.h"
#include "lang/timefmt.h"

static struct arena a;

static int open_arena(void **state)
{
    (void)state;
    arena_init(&a);
    return 0;
}
static int close_arena(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

static bool upper_names(void *ctx, struct str key, struct scope_value *out)
{
    *out = (struct scope_value){.kind = SCOPE_STR, .str = *(struct str *)ctx};
    return key.n && key.p[0] == 'L';
}

static void count_entry(void *ctx, const struct scope_entry *entry) { ++*(int *)ctx; }

static void scopes_chain(void **state)
{
    (void)state;
    struct scope parent CLEANUP(scope_fini), child CLEANUP(scope_fini);
    struct str lazy = STR("lazy");
    struct val one = val_of_bool(true);
    struct scope_value v;
    scope_init(&parent, NULL);
    scope_init(&child, &parent);
    scope_set(&parent, STR("a"), STR("parent"));
    scope_set(&parent, STR("b"), STR("b"));
    scope_set(&child, STR("a"), STR("first"));
    scope_set(&child, STR("a"), STR("child"));
    scope_set_nil(&child, STR("n"));
    scope_set_val(&child, STR("v"), &one);
    assert_true(scope_get(&child, STR("a"), &v) && str_is(v.str, "child"));
    assert_true(scope_get(&child, STR("b"), &v) && str_is(v.str, "b"));
    assert_true(scope_get(&child, STR("n"), &v) && v.kind == SCOPE_NIL);
    assert_true(scope_get(&child, STR("v"), &v) && v.kind == SCOPE_VAL && v.val == &one);
    assert_false(scope_get(&child, STR("Lx"), &v));
    scope_set_lookup(&parent, upper_names, &lazy);
    assert_true(scope_get(&child, STR("Lx"), &v) && str_is(v.str, "lazy"));
    assert_false(scope_get(&child, STR("x"), &v));
    assert_false(scope_get(NULL, STR("x"), &v));
    int n = 0;
    scope_each(&child, count_entry, &n);
    assert_int_equal(n, 4);
}

/* --- depends --- */

static uint32_t results_of(void *ctx, size_t i) { return ((const uint32_t *)ctx)[i]; }

static bool holds(const char *text, uint32_t first, uint32_t second)
{
    const struct depends *d;
    struct err e;
    uint32_t results[] = {first, second};
    if (!depends_parse(&a, str_of(text), &d, &e)) fail_msg("%s: %s", text, e.text);
    return depends_eval(d, results_of, results);
}

static void depends_logic_is_evaluated(void **state)
{
    (void)state;
    const uint32_t ok = DEPENDS_SUCCEEDED, bad = DEPENDS_FAILED;
    assert_true(holds("", 0, 0));
    assert_true(holds("A", ok, 0) && holds("A", DEPENDS_SKIPPED, 0) && holds("A", DEPENDS_DAEMONED, 0));
    assert_false(holds("A", bad, 0) || holds("A", DEPENDS_OMITTED, 0) || holds("A", DEPENDS_ERRORED, 0));
    assert_true(holds("A && B", ok, ok));
    assert_false(holds("A && B", ok, bad));
    assert_true(holds("A || B", bad, ok));
    assert_true(holds("!A", bad, 0));
    assert_true(holds("A.Failed", bad, 0));
    assert_true(holds("task-1 && (task-2.Succeeded || task-2.Errored)", ok, DEPENDS_ERRORED));
    assert_true(holds("A.Failed || B.Failed && A.Succeeded", bad, ok));
    assert_false(holds("(A.Failed || B.Failed) && A.Succeeded", bad, ok));
    assert_true(holds("  ( A.AnySucceeded )&&!B.AllFailed", DEPENDS_ANY_SUCCEEDED, 0));
    assert_true(holds("!!A", ok, 0));
}

static void depends_names_are_listed(void **state)
{
    (void)state;
    const struct depends *d;
    struct err e;
    assert_true(depends_parse(&a, STR("a-b.Failed || (c && a-b.Succeeded) || c.AllFailed"), &d, &e));
    assert_int_equal(d->n_names, 2);
    assert_true(str_is(d->names[0].name, "a-b"));
    assert_int_equal(d->names[0].asked, DEPENDS_FAILED | DEPENDS_SUCCEEDED);
    assert_int_equal(d->names[0].bare, 0);
    assert_int_equal(d->names[1].asked, DEPENDS_ALL_FAILED);
    assert_int_equal(d->names[1].bare, DEPENDS_BARE);
    assert_true(str_is(d->text, "a-b.Failed || ((c.Succeeded || c.Skipped || c.Daemoned) && "
                                "a-b.Succeeded) || c.AllFailed"));
    static const char *const wrong[] = {"A &&", "A B", "(A", "A)", "A.Foo", "A.succeeded", "A_B", "&& A",
                                        "A and B", "A.", "!", "A & B", "A.Failed.Failed", "\"A\""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (depends_parse(&a, str_of(wrong[i]), &d, &e)) fail_msg("accepted: %s", wrong[i]);
    depends_parse(&a, STR("A.Foo"), &d, &e);
    assert_string_equal(e.text, "task result 'Foo' for task 'A' is invalid");
}

static void dependencies_use_the_same_tree(void **state)
{
    (void)state;
    struct depends_item items[] = {{STR("A"), false, true}, {STR("B"), true, false}};
    const struct depends *d = depends_from_list(&a, items, 2);
    uint32_t results[] = {DEPENDS_FAILED, DEPENDS_ERRORED};
    assert_true(depends_eval(d, results_of, results));
    results[1] = DEPENDS_FAILED;
    assert_false(depends_eval(d, results_of, results));
    assert_true(str_is(d->text, "(A.Succeeded || A.Skipped || A.Daemoned || A.Failed) && "
                                "(B.Succeeded || B.Skipped || B.Daemoned || B.Errored)"));
    assert_true(depends_eval(depends_from_list(&a, NULL, 0), results_of, results));
}

static void depends_is_bounded(void **state)
{
    (void)state;
    char deep[2 * LIMIT_EXPR_DEPTH + 200];
    memset(deep, '(', sizeof deep);
    const struct depends *d;
    struct err e;
    assert_false(depends_parse(&a, str_n(deep, sizeof deep), &d, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    buf_char(&b, 'A');
    for (int i = 0; i < 50000; i++) buf_str(&b, STR(" && A"));
    assert_true(depends_parse(&a, buf_view(&b), &d, &e));
    uint32_t ok = DEPENDS_SUCCEEDED;
    assert_true(depends_eval(d, results_of, &ok));
}

/* --- durations --- */

static void durations_are_gos(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        const char *back;
    } rows[] = {
        {"0", 0, "0s"}, {"5s", 5000000000, "5s"}, {"30s", 30000000000, "30s"}, {"1478s", 1478000000000, "24m38s"},
        {"-5s", -5000000000, "-5s"}, {"+5s", 5000000000, "5s"}, {"5.0s", 5000000000, "5s"}, {"5.6s", 5600000000, "5.6s"},
        {"5.s", 5000000000, "5s"}, {".5s", 500000000, "500ms"}, {"100.00100s", 100001000000, "1m40.001s"},
        {"10ns", 10, "10ns"}, {"11us", 11000, "11\xc2\xb5s"}, {"12\xc2\xb5s", 12000, "12\xc2\xb5s"},
        {"12\xce\xbcs", 12000, "12\xc2\xb5s"}, {"13ms", 13000000, "13ms"}, {"14s", 14000000000, "14s"},
        {"15m", 900000000000, "15m0s"}, {"16h", 57600000000000, "16h0m0s"}, {"3h30m", 12600000000000, "3h30m0s"},
        {"-1.5h", -5400000000000, "-1h30m0s"}, {"1h15m30.918273645s", 4530918273645, "1h15m30.918273645s"},
        {"1.5us", 1500, "1.5\xc2\xb5s"}, {"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"},
        {"-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s"},
        {"0.3333333333333333333h", 1200000000000, "20m0s"}, {"0.9223372036854775807s", 922337203, "922.337203ms"},
    };
    int64_t ns;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!duration_parse(str_of(rows[i].text), &ns, &e)) fail_msg("%s: %s", rows[i].text, e.text);
        if (ns != rows[i].ns) fail_msg("%s: %lld", rows[i].text, (long long)ns);
        assert_string_equal(duration_text(&a, ns).p, rows[i].back);
    }
    static const char *const wrong[] = {"", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "9223372036854775808ns",
                                        "3000000h", "1 s", "1x", "1.2.3s", "10seconds"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (duration_parse(str_of(wrong[i]), &ns, &e)) fail_msg("accepted: %s", wrong[i]);
    duration_parse(STR("3"), &ns, &e);
    assert_string_equal(e.text, "time: missing unit in duration \"3\"");
    assert_true(duration_parse_seconds(STR("3"), &ns, &e) && ns == 3000000000);
    assert_true(duration_parse_seconds(STR("2m"), &ns, &e) && ns == 120000000000);
    assert_false(duration_parse_seconds(STR("99999999999999"), &ns, &e));
}

/* --- Go formats --- */

static void formats_are_gos(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        int64_t value;
        const char *want;
    } rows[] = {
        {"%d", 5, "5"}, {"testuser%02X", 10, "testuser0A"}, {"%02x", 255, "ff"}, {"%5d|", 42, "   42|"},
        {"%-5d|", 42, "42   |"}, {"%05d", 42, "00042"}, {"%05d", -42, "-0042"}, {"%+d", 5, "+5"}, {"% d", 5, " 5"},
        {"%b", 5, "101"}, {"%o", 8, "10"}, {"%O", 8, "0o10"}, {"%#x", 255, "0xff"}, {"%#X", 255, "0XFF"},
        {"%#o", 8, "010"}, {"%#b", 5, "0b101"}, {"%.3d", 5, "005"}, {"%8.3d|", 5, "     005|"}, {"%08.3d", 5, "     005"},
        {"%.0d", 0, ""}, {"%v", 7, "7"}, {"%+v", 7, "7"}, {"%c", 65, "A"}, {"%q", 65, "'A'"}, {"%q", 39, "'\\''"},
        {"%U", 8364, "U+20AC"}, {"%#U", 8364, "U+20AC '\xe2\x82\xac'"}, {"%T", 1, "int"}, {"%%", 1, "%%!(EXTRA int=1)"},
        {"%s", 5, "%!s(int=5)"}, {"%f", 5, "%!f(int=5)"}, {"x", 5, "x%!(EXTRA int=5)"}, {"%", 5, "%!(NOVERB)%!(EXTRA int=5)"},
        {"%d %d", 5, "5 %!d(MISSING)"}, {"%[1]d-%[1]d", 5, "5-5"}, {"%[2]d", 5, "%!d(BADINDEX)"}, {"%-05d|", 4, "4    |"},
        {"%d\xc3\xa9", -3, "-3\xc3\xa9"}, {"%x", -255, "-ff"}, {"", 5, "%!(EXTRA int=5)"}, {"%5c|", 65, "    A|"},
        {"%#U", 7, "U+0007"}, {"%#U", -1, "U+FFFFFFFFFFFFFFFF"}, {"%#U", 0xd800, "U+D800"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str got = gofmt_int(&a, str_of(rows[i].format), rows[i].value);
        if (!str_is(got, rows[i].want)) fail_msg("%s: got %s, want %s", rows[i].format, got.p, rows[i].want);
    }
    struct buf b CLEANUP(buf_fini); /* a text that would be too large is none, and is not waited for */
    buf_init(&b, 1 << 20);
    while (b.n < 1000000) buf_str(&b, STR("%[1]1000000d"));
    assert_false(str_set(gofmt_int(&a, buf_view(&b), 5)));
}

static void values_are_shown_as_gos(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[1,2]", "[1 2]"}, {"{\"b\":1,\"a\":[true,null]}", "map[a:[true <nil>] b:1]"}, {"\"x\"", "x"}, {"null", "<nil>"},
        {"1.5", "1.5"}, {"1000000", "1e+06"}, {"123456789", "1.23456789e+08"}, {"[]", "[]"}, {"{}", "map[]"}, {"0.00001", "1e-05"},
    };
    struct val v;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(json_parse(&a, str_of(rows[i][0]), NULL, &v, &e));
        assert_string_equal(gofmt_value(&a, &v).p, rows[i][1]);
    }
    assert_true(json_parse(&a, STR("[1000000,\"a b\",{\"k\":[1]},[1,2],null,true]"), NULL, &v, &e));
    assert_string_equal(gofmt_item(&a, &v).p, "[1000000 a b {\"k\":[1]} [1,2] null true]");
    assert_string_equal(gofmt_item(&a, &v.items[1]).p, "a b");
    assert_string_equal(gofmt_item(&a, &v.items[2]).p, "{\"k\":[1]}");
    assert_string_equal(gofmt_double(&a, 1e21).p, "1000000000000000000000");
    assert_string_equal(gofmt_double(&a, 0.1).p, "0.1");
    assert_string_equal(gofmt_double(&a, 1e-7).p, "0.0000001");
    assert_string_equal(gofmt_double(&a, -2.5).p, "-2.5");
    assert_string_equal(gofmt_double_json(&a, 1e-7).p, "1e-7");
    assert_string_equal(gofmt_double_json(&a, 1e21).p, "1e+21");
    assert_string_equal(gofmt_double_json(&a, 5e-324).p, "5e-324");
    assert_string_equal(gofmt_double_g(&a, 1.0 / 3).p, "0.3333333333333333");
    assert_string_equal(gofmt_quote(&a, STR("a\"b\\c\n\t\x01\x7f\xc3\xa9\xff\xe2\x80\x8b")).p,
                        "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\xc3\xa9\\xff\\u200b\"");
}

/* --- times --- */

static void creation_timestamps_have_letters(void **state)
{
    (void)state;
    int64_t us = 1700000000123456; /* 2023-11-14T22:13:20.123456Z, a Tuesday */
    static const char *const rows[][2] = {
        {"Y", "2023"}, {"m", "11"}, {"d", "14"}, {"H", "22"}, {"M", "13"}, {"S", "20"}, {"y", "23"}, {"B", "November"},
        {"b", "Nov"}, {"A", "Tuesday"}, {"a", "Tue"}, {"I", "10"}, {"p", "PM"}, {"Z", "UTC"}, {"z", "+0000"}, {"L", ".123"},
        {"s", "1700000000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(timefmt_char(&a, rows[i][0][0], us).p, rows[i][1]);
    assert_false(str_set(timefmt_char(&a, 'Q', us)));
}

static void layouts_write_and_read(void **state)
{
    (void)state;
    static const struct {
        const char *layout, *text;
        int64_t s;
    } rows[] = {
        {"2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z", 1700000000},
        {"Mon Jan _2 15:04:05 2006", "Sat Nov  4 00:00:00 2023", 1699056000},
        {"Monday, 02-Jan-06 15:04:05 MST", "Tuesday, 14-Nov-23 22:13:20 UTC", 1700000000},
        {"2006-01-02 15:04:05 -0700", "2023-11-14 22:13:20 +0000", 1700000000}, {"2006-01-02", "1969-12-31", -86400},
        {"Jan 2, 2006 at 3:04pm (MST)", "Nov 14, 2023 at 10:13pm (UTC)", 1699999980}, {"20060102", "20240229", 1709164800},
        {"2006-01-02 15:04:05.000", "2023-11-14 22:13:20.000", 1700000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct moment m;
        if (!timefmt_parse(str_of(rows[i].layout), str_of(rows[i].text), &m)) fail_msg("%s", rows[i].text);
        assert_int_equal(m.s, rows[i].s);
        assert_string_equal(timefmt_layout(&a, str_of(rows[i].layout), m).p, rows[i].text);
    }
    static const char *const wrong[] = {"2023-02-29", "2023-13-01", "2023-1-01", "2023-01-01x", "", "2023-01-00"};
    struct moment m;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (timefmt_parse(STR("2006-01-02"), str_of(wrong[i]), &m)) fail_msg("accepted %s", wrong[i]);
    assert_true(timefmt_parse(STR("2006-01-02T15:04:05Z07:00"), STR("2023-11-15T00:13:20.5+02:00"), &m));
    assert_true(m.s == 1700000000 && m.ns == 500000000 && m.offset_s == 7200);
    assert_string_equal(timefmt_rfc3339(&a, m).p, "2023-11-15T00:13:20.5+02:00");
    assert_string_equal(timefmt_string(&a, m).p, "2023-11-15 00:13:20.5 +0200 +0200");
}

/* --- patterns, characters --- */

static void patterns_are_re2s(void **state)
{
    (void)state;
    static const char *const wrong[] = {"(a", "a)", "[a", "*", "a**", "a++", "(?=a)", "(?!a)", "(?<=a)", "(?>a)", "\\1", "(a)\\1",
                                        "\\Z", "\\", "a{1001}", "(?P=n)", "(?R)", "(*FAIL)", "(?x)a", "\\K", "|*", "x{2,1}"};
    bool hit;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (regex_match(str_of(wrong[i]), STR("a"), &hit, &e)) fail_msg("accepted %s", wrong[i]);
    static const struct {
        const char *re, *text;
        bool hit;
    } rows[] = {
        {"^a.c$", "abc", true}, {"^a.c$", "abc\n", false}, {"(?i)ABC", "xabcx", true}, {"a{2,3}", "caab", true}, {"a{,3}", "a{,3}", true},
        {"[[:alpha:]]+", "1a", true}, {"[]a]", "]", true}, {"\\pL", "\xc3\xa9", true}, {"\\bfoo\\b", "a foo b", true},
        {"(?P<y>a)(?:b)(?<z>c)", "abc", true}, {"\\Qa.b\\E", "a.b", true}, {"\\Qa.b\\E", "axb", false}, {"a|b|", "zzz", true}, {"^$", "", true},
        {"(?s)a.b", "a\nb", true}, {"a.b", "a\nb", false}, {"\\d+?", "12", true}, {"\\x41\\x{42}", "AB", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!regex_match(str_of(rows[i].re), str_of(rows[i].text), &hit, &e)) fail_msg("%s: %s", rows[i].re, e.text);
        if (hit != rows[i].hit) fail_msg("%s on %s: %d", rows[i].re, rows[i].text, hit);
    }
    assert_true(regex_match(STR("."), STR("\xff"), &hit, &e));
}

static void characters_have_cases(void **state)
{
    (void)state;
    assert_string_equal(rune_upper_all(&a, STR("a\xc3\xa9\xc3\xbf\xcf\x89\xd1\x8f\xc5\x82")).p, "A\xc3\x89\xc5\xb8\xce\xa9\xd0\xaf\xc5\x81");
    assert_string_equal(rune_lower_all(&a, STR("A\xc3\x89\xce\xa9\xd0\xaf\xc5\x81")).p, "a\xc3\xa9\xcf\x89\xd1\x8f\xc5\x82");
    assert_int_equal(rune_count(STR("h\xc3\xa9llo\xff")), 6);
    assert_int_equal(rune_offset(STR("h\xc3\xa9llo"), 2), 3);
    assert_true(str_is(rune_trim_space(STR("\xc2\xa0 a\xe2\x80\x83")), "a"));
    assert_true(rune_is_letter(0xe9) && !rune_is_letter(0x2014) && !rune_is_letter('1'));
}

static void digests_hold_at_block_borders(void **state)
{
    (void)state;
    static const struct {
        size_t n; /* times 'a' */
        const char *sha1, *sha256, *sha512;
    } rows[] = {
        {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
         "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
        {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a",
         "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318",
         "b0220c772cbf6c1822e2cb38a437d0e1d58772417a4bbb21c961364f8b6143e0"
         "5aa6316dca8d1d7b19e16448419076395f6086cb55101fbd6d5497b148e1745f"},
        {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699",
         "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a",
         "962b64aae357d2a4fee3ded8b539bdc9d325081822b0bfc55583133aab44f18b"
         "afe11d72a7ae16c79ce2ba620ae2242d5144809161945f1367f41b3972e26e04"},
        {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d",
         "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
         "01d35c10c6c38c2dcf48f7eebb3235fb5ad74a65ec4cd016e2354c637a8fb49b"
         "695ef3c1d6f7ae4cd74d78cc9c9bcac9d4f23a73019998a7f73038a5c9b2dbde"},
        {65, "11655326c708d70319be2610e8a57d9a5b959d3b",
         "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0",
         "b83086cd8494e55708ad7ecd82dfb4bca1bda61ecbb7caf0c68967902e709345"
         "e5d8305eb7ac0d588afc6cbb75161aa9c8c7e0ea986bd833dafe5e1ccd37345a"},
        {111, "ac877859d427d9192054eea8feb3b8a403ef83a5",
         "6374f73208854473827f6f6a3f43b1f53eaa3b82c21c1a6d69a2110b2a79baad",
         "fa9121c7b32b9e01733d034cfc78cbf67f926c7ed83e82200ef8681819692176"
         "0b4beff48404df811b953828274461673c68d04e297b0eb7b2b4d60fc6b566a2"},
        {112, "689993727ba37386bb032495e9dbdfb4dd1ba744",
         "f54353008a2553262ecdc4a34749563ba0950e8b0fc8652780b0a614b99683c1",
         "c01d080efd492776a1c43bd23dd99d0a2e626d481e16782e75d54c2503b5dc32"
         "bd05f0f1ba33e568b88fd2d970929b719ecbb152f58f130a407c8830604b70ca"},
        {127, "89d95fa32ed44a7c610b7ee38517ddf57e0bb975",
         "c57e9278af78fa3cab38667bef4ce29d783787a2f731d4e12200270f0c32320a",
         "828613968b501dc00a97e08c73b118aa8876c26b8aac93df128502ab360f91ba"
         "b50a51e088769a5c1eff4782ace147dce3642554199876374291f5d921629502"},
        {128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0",
         "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e",
         "b73d1929aa615934e61a871596b3f3b33359f42b8175602e89f7e06e5f658a24"
         "3667807ed300314b95cacdd579f3e33abdfbe351909519a846d465c59582f321"},
        {129, "d96debf1bdcbc896e6c134ea76e8141f40d78536",
         "c12cb024a2e5551cca0e08fce8f1c5e314555cc3fef6329ee994a3db752166ae",
         "4f681e0bd53cda4b5a2041cc8a06f2eabde44fb16c951fbd5b87702f07aeab61"
         "1565b19c47fde30587177ebb852e3971bbd8d3fd30da18d71037dfbd98420429"},
    };
    char text[256];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str s = str_n(text, rows[i].n);
        assert_string_equal(digest_sha1(&a, s).p, rows[i].sha1);
        assert_string_equal(digest_sha256(&a, s).p, rows[i].sha256);
        assert_string_equal(digest_sha512(&a, s).p, rows[i].sha512);
    }
}

/* --- kubectl's JSONPath --- */

static void templates_of_kubectl(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{.status.phase}", "Running"}, {"phase={.status.phase}!", "phase=Running!"}, {"{.items[*].name}", "a b"},
        {"{.items[0].n}", "1"}, {"{.items[-1:].name}", "b"}, {"{.status}", "{\"phase\":\"Running\"}"}, {"{$.status.phase}", "Running"},
        {"{range .items[*]}{.name}={.n}{\"\\n\"}{end}", "a=1\nb=2\n"}, {"{.items[?(@.n==2)].name}", "b"}, {"{..name}", "a b"},
        {"{.items[?(@.name=='zz')].n}", ""}, {"{.meta.labels.a\\.b/c}", "v"}, {"{.meta.labels['a.b/c']}", ""}, {"{.meta.labels['a\\.b/c']}", "v"}, {"{.nope.x}|", "|"}, {"\\n", "\\n"}, {"plain", "plain"}, {"", ""},
        {"{range .items[?(@.n>5)]}x{range .q}{.z}{end}{end}y", "y"}, {"{@.status.phase}", "Running"}, {"{.n}", "1.5"},
        {"{.nope}", ""}, {"{.status.phase.x}", ""}, {"{.status.nope.deep}!", "!"},
    };
    struct val v;
    struct str out;
    struct err e;
    assert_true(json_parse(&a, STR("{\"status\":{\"phase\":\"Running\"},\"n\":1.5,\"meta\":{\"labels\":{\"a.b/c\":\"v\"}},"
                                   "\"items\":[{\"name\":\"a\",\"n\":1},{\"name\":\"b\",\"n\":2}]}"), NULL, &v, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!jsonpath_template(&a, str_of(rows[i][0]), &v, &out, &e)) fail_msg("%s: %s", rows[i][0], e.text);
        assert_string_equal(out.p, rows[i][1]);
    }
    static const char *const wrong[] = {"{.status", "{end}", "{.items[}", "{.status[0]}", "{nope}", "{.items[?(@.n == 1]}"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (jsonpath_template(&a, str_of(wrong[i]), &v, &out, &e)) fail_msg("accepted %s", wrong[i]);
}

static void quantities_are_in_thousandths(void **state)
{
    static const struct { const char *text; int64_t milli; } good[] = {
        {"1", 1000}, {"100m", 100}, {"0.5", 500}, {".5", 500}, {"1.5Gi", 1610612736000}, {"100Mi", 104857600000}, {"1k", 1000000},
        {"2e3", 2000000}, {"2E-3", 2}, {"1n", 1}, {"1500u", 2}, {"-1500u", -2}, {"+1", 1000}, {"0", 0}};
    static const char *const bad[] = {"", "m", ".", "1x", "1 Gi", "1KI", "8Ei", "1e", "1e99", "1.2.3", "9999999999999999999", "Infinity"};
    int64_t v;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (!quantity_milli(str_of(good[i].text), &v)) fail_msg("%s", good[i].text);
        assert_int_equal(v, good[i].milli);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (quantity_milli(str_of(bad[i]), &v)) fail_msg("%s is %lld", bad[i], (long long)v);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_are_in_thousandths),
        TEST(scopes_chain), TEST(depends_logic_is_evaluated), TEST(depends_names_are_listed),
        TEST(dependencies_use_the_same_tree), TEST(depends_is_bounded), TEST(durations_are_gos),
        TEST(formats_are_gos), TEST(values_are_shown_as_gos), TEST(creation_timestamps_have_letters),
        TEST(layouts_write_and_read), TEST(patterns_are_re2s), TEST(characters_have_cases),
        TEST(digests_hold_at_block_borders), TEST(templates_of_kubectl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
