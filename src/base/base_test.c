/* base: strings, buffers, map, ids and times, with the golden vectors of the Argo sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rfc3339.h"

static void node_ids_are_argos(void **state)
{
    (void)state;
    static const struct { const char *name; uint32_t hash; } rows[] = {
        {"parameter-aggregation-one-will-fail2-jt776.one-will-fail", 6921149},
        {"hello-world-abc12[0].a", 1974140919u},
        {"hello-world-abc12.A(0:foo)", 2530390398u},
        {"steps-x[0].s(1:name:b,type:c)(0)", 2574873887u},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(fnv1a32(str_of(rows[i].name)), rows[i].hash);
    struct arena a;
    arena_init(&a);
    assert_string_equal(node_id(&a, STR("wf"), STR("wf")).p, "wf");
    assert_string_equal(pod_name(&a, STR("wf"), STR("t"), STR("wf")).p, "wf");
    assert_string_equal(pod_name(&a, STR("hello-world-abc12"), STR("t"), STR("hello-world-abc12[0].a")).p,
                        "hello-world-abc12-t-1974140919");
    struct str long_name = pod_name(&a, STR("wf"), str_fmt(&a, "%0300d", 0), STR("wf.a")); /* 242 bytes and the number */
    assert_true(str_starts(long_name, str_fmt(&a, "wf-%0239d-", 0)));
    assert_string_equal(long_name.p + 243, str_fmt(&a, "%u", fnv1a32(STR("wf.a"))).p);
    arena_fini(&a);
}

/* Past the first huge chunk, and with one request larger than any chunk. */
static void arena_memory_is_aligned_zeroed_and_apart(void **state)
{
    enum { BLOCK = 1000, BLOCKS = 12000, LARGE = 9 << 20 };
    (void)state;
    struct arena a;
    arena_init(&a);
    unsigned char **blocks = mem_alloc(BLOCKS * sizeof *blocks);
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = arena_alloc(&a, BLOCK);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_true(blocks[i][0] == 0 && blocks[i][BLOCK / 2] == 0 && blocks[i][BLOCK - 1] == 0);
        memset(blocks[i], (int)(i % 251), BLOCK);
        if (i == BLOCKS / 2) memset(arena_alloc_raw(&a, LARGE), 0xff, LARGE);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        assert_true(blocks[i][0] == i % 251 && blocks[i][BLOCK - 1] == i % 251);
    assert_true(a.used >= (size_t)BLOCK * BLOCKS + LARGE);
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    memset(arena_alloc_bytes(&a, BLOCK), 1, BLOCK);
    arena_fini(&a);
    free(blocks);
}

static void map_keeps_what_is_left_after_deletions(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct map m = {0};
    for (int i = 0; i < 1000; i++) map_put(&m, str_fmt(&a, "key%d", i), NULL)->num = (uint64_t)i;
    for (int i = 0; i < 1000; i += 3) assert_true(map_del(&m, str_fmt(&a, "key%d", i)));
    map_reserve(&m, 5000);
    for (int i = 0; i < 1000; i++) {
        struct map_slot *s = map_get(&m, str_fmt(&a, "key%d", i));
        if (i % 3 == 0) assert_null(s);
        else assert_int_equal(s->num, i);
    }
    size_t seen = 0;
    for (struct map_slot *s = NULL; (s = map_next(&m, s));) seen++;
    assert_int_equal(seen, m.n);
    map_fini(&m);
    arena_fini(&a);
}

static void buf_stops_at_its_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    buf_str(&b, STR("1234"));
    buf_str(&b, STR("56"));
    assert_true(b.overflow);
    assert_int_equal(b.n, 4);
    buf_reset(&b);
    buf_str(&b, STR("12345"));
    assert_false(b.overflow);
    buf_reset(&b);
    buf_str(&b, STR("12"));
    buf_printf(&b, "%d", 3456);
    assert_true(b.overflow);
    assert_string_equal(b.p, "12");
    buf_reset(&b);
    buf_printf(&b, "%d", 34567);
    assert_false(b.overflow);
    assert_string_equal(b.p, "34567");
    buf_fini(&b);
    buf_fini(&b);
}

static void numbers_print_as_printf_does(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 9, 10, -1, -10, 1234567890, INT64_MAX, INT64_MIN};
    struct buf b, want;
    buf_init(&b, 1000);
    buf_init(&want, 1000);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        buf_i64(&b, values[i]);
        buf_u64(&b, (uint64_t)values[i]);
        buf_printf(&want, "%lld%llu", (long long)values[i], (unsigned long long)values[i]);
    }
    assert_string_equal(b.p, want.p);
    buf_fini(&b);
    buf_fini(&want);
}

static void json_text_escapes_as_go(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_json(&b, str_n("a<\"\\\n\x01\xc3\xa9\xff\x00z", 11));
    assert_string_equal(b.p, "\"a<\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd\\u0000z\"");
    buf_fini(&b);
}

static void times_round_trip(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    int64_t us;
    assert_true(rfc3339_parse(STR("2024-02-29T23:59:59.5+02:00"), &us));
    assert_string_equal(rfc3339(&a, us).p, "2024-02-29T21:59:59Z");
    assert_int_equal(us % 1000000, 500000);
    assert_int_equal(civil_from_us(us).weekday, 4);
    assert_int_equal(civil_from_us(us).yearday, 60);
    assert_string_equal(rfc3339(&a, -1000000).p, "1969-12-31T23:59:59Z");
    assert_false(rfc3339_parse(STR("2024-13-01T00:00:00Z"), &us));
    assert_false(rfc3339_parse(STR("2024-12-01T00:00:00"), &us));
    arena_fini(&a);
}

static void strings_are_cut_found_and_read(void **state)
{
    (void)state;
    struct str head, rest;
    int64_t i;
    double d;
    assert_true(str_cut(STR("a=b=c"), '=', &head, &rest));
    assert_true(str_is(head, "a") && str_is(rest, "b=c"));
    assert_false(str_cut(STR("abc"), '=', &head, &rest));
    assert_false(str_set(rest));
    assert_true(str_has_word(STR("a bc d"), ' ', STR("bc")) && str_has_word(STR("a"), ' ', STR("a")) && str_has_word(STR("a|b"), '|', STR("b")));
    assert_false(str_has_word(STR("a bc"), ' ', STR("b")) || str_has_word(STR("a  b"), ' ', STR("")) || str_has_word(STR_NONE, ' ', STR("")));
    assert_int_equal(str_find(STR("hello"), STR("lo"), 1), 3);
    assert_int_equal(str_find(STR("hello"), STR("xx"), 0), -1);
    assert_true(str_to_i64(STR("-42"), &i) && i == -42);
    assert_false(str_to_i64(STR(" 42"), &i));
    assert_false(str_to_i64(STR("99999999999999999999"), &i));
    assert_true(str_to_double(STR("1e3"), &d) && d == 1000);
    assert_false(str_to_double(STR("0x10"), &d));
    assert_false(str_to_double(STR("nan"), &d));
    assert_true(str_is(str_trim(STR(" \t a b \n")), "a b"));
}

static void percent_signs_are_decoded(void **state)
{
    static const struct { const char *text, *plain, *form; } rows[] = {
        {"", "", ""}, {"a+b", "a+b", "a b"}, {"%41%2fb%C3%a9", "A/b\xc3\xa9", "A/b\xc3\xa9"}, {"%", NULL, NULL}, {"a%4", NULL, NULL}, {"%4g", NULL, NULL}, {"%00", NULL, NULL}};
    struct arena a CLEANUP(arena_fini);
    struct str out;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(str_percent_decode(&a, str_of(rows[i].text), false, &out), rows[i].plain != NULL);
        if (rows[i].plain) assert_string_equal(out.p, rows[i].plain);
        assert_int_equal(str_percent_decode(&a, str_of(rows[i].text), true, &out), rows[i].form != NULL);
        if (rows[i].form) assert_string_equal(out.p, rows[i].form);
    }
}

static void errors_keep_code_and_gain_context(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(err_set(&e, ERR_NOT_FOUND, "no workflow '%s'", "x"));
    err_ctx(&e, "loading %d", 7);
    assert_string_equal(e.text, "loading 7: no workflow 'x'");
    assert_int_equal(err_exit_status(e.code), 4);
    assert_int_equal(err_http_status(e.code), 404);
}

static void log_lines_are_read_in_one_way(void **state)
{
    const struct log_field fields[] = {{"path", STR("/a?b=c")}, {"id", STR("x1")}, {"status", STR("200"), true}, {"text", STR("two\nlines \"q\"")}, {"none", STR("")}};
    struct buf b CLEANUP(buf_fini);
    (void)state;
    buf_init(&b, 4096);
    log_write(&b, LOG_TEXT, LOG_DEBUG, 0, STR("request"), fields, ARRAY_LEN(fields));
    assert_string_equal(b.p, "skiff: debug: request path=\"/a?b=c\" id=x1 status=200 text=\"two\\nlines \\\"q\\\"\" none=\"\"\n");
    buf_reset(&b);
    log_write(&b, LOG_JSON, LOG_WARN, 1700000000123456, STR("it \"is\""), fields + 1, 3);
    assert_string_equal(b.p, "{\"time\":\"2023-11-14T22:13:20Z\",\"level\":\"warn\",\"msg\":\"it \\\"is\\\"\",\"id\":\"x1\",\"status\":200,"
                             "\"text\":\"two\\nlines \\\"q\\\"\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_ids_are_argos),
        cmocka_unit_test(arena_memory_is_aligned_zeroed_and_apart),
        cmocka_unit_test(map_keeps_what_is_left_after_deletions),
        cmocka_unit_test(buf_stops_at_its_maximum),
        cmocka_unit_test(numbers_print_as_printf_does),
        cmocka_unit_test(json_text_escapes_as_go),
        cmocka_unit_test(times_round_trip),
        cmocka_unit_test(log_lines_are_read_in_one_way),
        cmocka_unit_test(strings_are_cut_found_and_read),
        cmocka_unit_test(percent_signs_are_decoded),
        cmocka_unit_test(errors_keep_code_and_gain_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
