/* doc: values, builders and the text of numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <float.h>

#include "doc/base64.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "doc/number.h"
#include "doc/val.h"

static void numbers_print_as_encoding_json(void **state)
{
    (void)state;
    static const struct { double d; const char *text; } rows[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-1.5, "-1.5"}, {0.1, "0.1"}, {1e3, "1000"},
        {100, "100"}, {1e20, "100000000000000000000"}, {1e21, "1e+21"}, {1.5e21, "1.5e+21"},
        {1e-6, "0.000001"}, {1e-7, "1e-7"}, {1.25e-9, "1.25e-9"}, {3.141592653589793, "3.141592653589793"},
        {123456789012345678901234567890.0, "1.2345678901234568e+29"},
        {5e-324, "5e-324"}, {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"}, {0.30000000000000004, "0.30000000000000004"},
        {123456.789, "123456.789"}, {0.05, "0.05"}, {9007199254740993.0, "9007199254740992"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char t[NUMBER_TEXT_MAX];
        assert_int_equal(number_text(t, rows[i].d), strlen(rows[i].text));
        assert_string_equal(t, rows[i].text);
    }
}

static void lookups_chain_through_what_is_missing(void **state)
{
    (void)state;
    struct arena a;
    struct val v;
    int64_t i;
    double d;
    arena_init(&a);
    assert_true(json_parse(&a, STR("{\"a\":{\"b\":[1,{\"c\":\"x\"},2.5,true,null]}}"), NULL, &v, NULL));
    assert_string_equal(val_text(val_path(&v, "a.b.1.c")).p, "x");
    assert_null(val_path(&v, "a.b.9.c"));
    assert_null(val_path(&v, "a.x.y"));
    assert_null(val_get(val_get(NULL, STR("q")), STR("r")));
    assert_true(val_i64(val_path(&v, "a.b.0"), &i) && i == 1);
    assert_false(val_i64(val_path(&v, "a.b.2"), &i));
    assert_true(val_double(val_path(&v, "a.b.2"), &d) && d == 2.5);
    assert_true(str_is(val_text(val_path(&v, "a.b.3")), "true"));
    assert_false(str_set(val_text(val_path(&v, "a.b.4"))));
    assert_false(str_set(val_get_str(&v, "a")));
    arena_fini(&a);
}

static bool json_eq(const char *x, const char *y)
{
    struct arena a CLEANUP(arena_fini);
    struct val v, w;
    arena_init(&a);
    assert_true(json_parse(&a, str_of(x), NULL, &v, NULL));
    assert_true(json_parse(&a, str_of(y), NULL, &w, NULL));
    return val_eq(&v, &w);
}

static void equality_is_deep_and_ignores_key_order(void **state)
{
    (void)state;
    assert_true(json_eq("{\"a\":1,\"b\":[true,null]}", "{\"b\":[true,null],\"a\":1}"));
    assert_false(json_eq("{\"a\":1}", "{\"a\":1,\"b\":1}"));
    assert_false(json_eq("[1,2]", "[2,1]"));
    assert_true(json_eq("1.0", "1"));
    assert_false(json_eq("9007199254740993", "9007199254740992"));
    assert_false(json_eq("\"1\"", "1"));
}

static void builders_freeze_and_copies_are_deep(void **state)
{
    (void)state;
    struct arena a, other;
    struct val_builder m, l;
    arena_init(&a);
    arena_init(&other);
    list_begin(&l, &a);
    for (int i = 0; i < 20; i++) list_add(&l, val_of_i64(&a, i == 0 ? INT64_MIN : i));
    map_begin(&m, &a);
    map_add(&m, STR("list"), list_done(&l));
    map_set(&m, STR("x"), val_of_bool(true));
    map_set(&m, STR("x"), val_of_double(&a, 0.25));
    map_add_str(&m, "s", STR("text"));
    map_add_str(&m, "absent", STR_NONE);
    struct val v = map_done(&m), copy = val_copy(&other, &v);
    arena_fini(&a);
    assert_int_equal(copy.n, 3);
    assert_int_equal(val_path(&copy, "list")->n, 20);
    assert_string_equal(val_path(&copy, "list.0")->s.p, "-9223372036854775808");
    assert_string_equal(json_text(&other, val_path(&copy, "x")).p, "0.25");
    assert_string_equal(val_get_str(&copy, "s").p, "text");
    list_begin(&l, &other);
    assert_int_equal(list_done(&l).n, 0);
    arena_fini(&other);
}

static void of_members_of_two_maps_the_last_count(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    struct val_builder x, y;
    arena_init(&a);
    map_begin(&x, &a);
    map_add_str(&x, "a", STR("1"));
    map_add_str(&x, "b", STR("2"));
    struct val map = map_done(&x);
    map_begin(&y, &a);
    for (int i = 0; i < 100000; i++) map_add(&y, str_fmt(&a, "k%d", i), val_of_str(STR("v"))); /* each is sought among all */
    map_add_str(&y, "b", STR("3"));
    map_add_str(&y, "b", STR("4"));
    map_add(&y, STR_NONE, val_null);
    struct val more = map_done(&y), all = map_with_all(&a, &map, &more), none = map_with_all(&a, NULL, &val_null);
    assert_int_equal(all.n, 100003);
    assert_true(str_is(all.map[1].key, "b") && str_is(all.map[1].v.s, "4"));
    assert_true(none.kind == VAL_MAP && none.n == 0);
}

static void base64_reads_what_it_writes(void **state)
{
    (void)state;
    struct arena a;
    struct str out;
    arena_init(&a);
    static const char *const texts[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_true(base64_decode(&a, base64_encode(&a, str_of(texts[i])), &out));
        assert_string_equal(out.p, texts[i]);
    }
    assert_string_equal(base64_encode(&a, STR("foob")).p, "Zm9vYg==");
    assert_true(base64_decode(&a, STR("Zm9v\n Yg=="), &out) && str_is(out, "foob"));
    static const char *const bad[] = {"Zg", "Zg=", "Z===", "====", "Zg=a", "Zm9v!"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(base64_decode(&a, str_of(bad[i]), &out));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_as_encoding_json),
        cmocka_unit_test(lookups_chain_through_what_is_missing),
        cmocka_unit_test(equality_is_deep_and_ignores_key_order),
        cmocka_unit_test(builders_freeze_and_copies_are_deep),
        cmocka_unit_test(of_members_of_two_maps_the_last_count),
        cmocka_unit_test(base64_reads_what_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
