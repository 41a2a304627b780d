/* What needs no store: where a token stands in a request, what is done about wrong ones, the audit log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/audit.h"
#include "auth/bearer.h"
#include "auth/rate.h"
#include "base/limits.h"
#include "os/fd.h"

static void a_header_has_a_scheme_and_a_token(void **state)
{
    static const struct {
        const char *value, *token; /* NULL: refused */
    } cases[] = {
        {"Bearer abc", "abc"}, {"bearer abc", "abc"}, {"  BEARER   abc  ", "abc"}, {"Bearer a.b-c_d=", "a.b-c_d="},
        {"", NULL}, {"Bearer", NULL}, {"Bearer ", NULL}, {"Bearer  \t", NULL}, {"abc", NULL}, {"Basic abc", NULL}, {"Bearerabc", NULL},
        {"Bearer a b", NULL}, {"Bearer a,b", NULL}, {"Bearer \"a\"", NULL}, {"Bearer a\x7f", NULL}, {"Bearer \xc3\xa9", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str token;
        bool ok = bearer_parse(str_of(cases[i].value), &token);
        if (ok != !!cases[i].token || (ok && !str_is(token, cases[i].token))) fail_msg("'%s'", cases[i].value);
    }
}

static void a_cookie_is_found_among_others(void **state)
{
    static const struct {
        const char *header, *token;
    } cases[] = {
        {"authorization=Bearer abc", "abc"}, {"authorization=abc", "abc"}, {"authorization=\"Bearer abc\"", "abc"},
        {"authorization=Bearer%20abc", "abc"}, {"x=1; authorization=Bearer abc; y=2", "abc"},
        {"authorization=; authorization=Bearer abc", "abc"}, {"authorization=a b; authorization=abc", "abc"},
        {"authorization=one; authorization=two", "one"}, {"junk;;=;authorization=abc", "abc"},
        {"", NULL}, {"x=1", NULL}, {"authorization", NULL}, {"authorization=", NULL}, {"authorization=\"\"", NULL},
        {"xauthorization=abc", NULL}, {"Authorization=abc", NULL}, {"authorization=\"", NULL}, {"authorization=Bearer ", "Bearer"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str token;
        bool ok = bearer_cookie(str_of(cases[i].header), &token);
        if (ok != !!cases[i].token || (ok && !str_is(token, cases[i].token))) fail_msg("'%s'", cases[i].header);
    }
}

enum { S = 1000000 };

static void ten_failures_in_a_minute_are_enough(void **state)
{
    struct auth_rate *r = auth_rate_new();
    struct str a = STR("192.0.2.1");
    int64_t now = 5000 * (int64_t)S;
    (void)state;
    for (int i = 0; i < RATE_FAILURES; i++) {
        assert_int_equal(auth_rate_wait_s(r, a, now), 0);
        auth_rate_failed(r, a, now);
        now += S;
    }
    assert_int_equal(auth_rate_wait_s(r, a, now), RATE_WINDOW_S - RATE_FAILURES);
    assert_int_equal(auth_rate_wait_s(r, STR("192.0.2.2"), now), 0);
    auth_rate_failed(r, a, now); /* does not make it longer */
    now += (RATE_WINDOW_S - RATE_FAILURES) * S - 1;
    assert_int_equal(auth_rate_wait_s(r, a, now), 1);
    assert_int_equal(auth_rate_wait_s(r, a, now + 1), 0);
    auth_rate_failed(r, a, now + 1); /* a new window */
    assert_int_equal(auth_rate_wait_s(r, a, now + 1), 0);
    auth_rate_free(r);
}

static void a_network_of_ipv6_is_one_address(void **state)
{
    struct auth_rate *r = auth_rate_new();
    (void)state;
    for (int i = 0; i < RATE_FAILURES; i++) auth_rate_failed(r, i % 2 ? STR("2001:db8:1:2:3:4:5:6") : STR("2001:db8:1:2::9"), S);
    assert_int_not_equal(auth_rate_wait_s(r, STR("2001:db8:1:2:ffff::1"), S), 0);
    assert_int_equal(auth_rate_wait_s(r, STR("2001:db8:1:3::1"), S), 0);
    static const char *const zeros[] = {"2001:db8::9", "2001:db8::1:2:3:4", "2001:db8:0:0:5::", "2001:db8::7%eth0"}; /* 2001:db8:0:0::/64 */
    for (int i = 0; i < RATE_FAILURES; i++) auth_rate_failed(r, str_of(zeros[i % ARRAY_LEN(zeros)]), S);
    assert_int_not_equal(auth_rate_wait_s(r, STR("2001:db8::ffff"), S), 0);
    assert_int_equal(auth_rate_wait_s(r, STR("2001:db8:0:1::"), S), 0);
    auth_rate_free(r);
}

static void a_flood_of_addresses_pushes_out_the_oldest(void **state)
{
    struct auth_rate *r = auth_rate_new();
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    (void)state;
    for (int i = 0; i < 100000; i++) auth_rate_failed(r, str_fmt(&a, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255), S + i);
    for (int i = 0; i < RATE_FAILURES; i++) auth_rate_failed(r, STR("192.0.2.1"), 2 * S);
    assert_int_not_equal(auth_rate_wait_s(r, STR("192.0.2.1"), 2 * S), 0);
    auth_rate_free(r);
}

static int taken(struct auth_pace *p, struct str address, int tries, int64_t mono_us)
{
    int n = 0;
    for (int i = 0; i < tries; i++) n += auth_pace_take(p, address, mono_us);
    return n;
}

static void requests_are_paced(void **state)
{
    static const int rates[] = {1, 3, 7, 1000, 20000};
    struct str a = STR("192.0.2.1");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        int per_s = rates[i];
        struct auth_pace *p = auth_pace_new(per_s, false);
        int64_t now = 5000 * (int64_t)S;
        assert_int_equal(taken(p, a, per_s + 10, now), per_s); /* all at once, and no more */
        assert_int_equal(taken(p, STR("192.0.2.2"), 1, now), 1);
        assert_int_equal(taken(p, a, 1, now + S / per_s - 1), 0);
        assert_int_equal(taken(p, a, 2, now + S / per_s + 1), 1); /* what was refused did not count */
        now += 3 * S;
        assert_int_equal(taken(p, a, per_s + 10, now), per_s); /* it is full again, and not fuller */
        auth_pace_free(p);
    }
    struct auth_pace *most = auth_pace_new(LIMIT_API_RATE, false);
    assert_int_equal(taken(most, a, LIMIT_API_RATE + 1, S), LIMIT_API_RATE);
    assert_int_equal(taken(most, a, 2, S + 1), 1);
    auth_pace_free(most);
}

static void an_even_flow_is_not_held_up(void **state)
{
    struct auth_pace *p = auth_pace_new(50, false);
    (void)state;
    int n = 0;
    for (int64_t now = 0; now < 100 * (int64_t)S; now += S / 50) n += taken(p, STR("192.0.2.1"), 1, now);
    assert_int_equal(n, 100 * 50);
    for (int64_t now = 100 * (int64_t)S; now < 200 * (int64_t)S; now += S / 200) n += taken(p, STR("192.0.2.1"), 1, now);
    assert_in_range(n, 200 * 50, 200 * 50 + 50); /* four times as many: the limit, and once what there was after the rest */
    auth_pace_free(p);
}

static void the_pace_is_of_an_address_or_network(void **state)
{
    static const struct {
        const char *x, *y;
        bool one;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false}, {"2001:db8:1:2::9", "2001:db8:1:2:3:4:5:6", true},
        {"2001:db8::9", "2001:db8::1:2:3:4", true}, {"2001:db8:1:2::9", "2001:db8:1:3::9", false}, {"fe80::1%eth0", "fe80::2%eth0", true},
        {"192.0.2.1", "::ffff:192.0.2.1", true}, {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false}, {"unix", "", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_pace *p = auth_pace_new(5, false);
        assert_int_equal(taken(p, str_of(rows[i].x), 9, S), 5);
        if (taken(p, str_of(rows[i].y), 9, S) != (rows[i].one ? 0 : 5)) fail_msg("%s and %s", rows[i].x, rows[i].y);
        auth_pace_free(p);
    }
}

static void this_machine_is_paced_only_if_told(void **state)
{
    static const char *const own[] = {"127.0.0.1", "127.9.9.9", "::1"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        struct auth_pace *all = auth_pace_new(5, true), *others = auth_pace_new(5, false);
        assert_int_equal(taken(all, str_of(own[i]), 9, S), 5);
        assert_int_equal(taken(others, str_of(own[i]), 9, S), 9);
        auth_pace_free(all);
        auth_pace_free(others);
    }
}

/* More than the table holds: it still lets through no more than it holds, and forgets nobody who is at his limit. */
static void a_flood_of_addresses_shares_what_there_is(void **state)
{
    enum { PER_S = 5, TABLE = 8192, ADDRESSES = 100000 };
    struct auth_pace *p = auth_pace_new(PER_S, false);
    struct arena a CLEANUP(arena_fini);
    int n = 0;
    arena_init(&a);
    (void)state;
    assert_int_equal(taken(p, STR("192.0.2.1"), 9, S), PER_S);
    for (int i = 0; i < ADDRESSES; i++) n += taken(p, str_fmt(&a, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255), PER_S, S);
    assert_in_range(n, TABLE * PER_S / 2, TABLE * PER_S);
    assert_int_equal(taken(p, STR("192.0.2.1"), 9, S), 0);
    assert_int_equal(taken(p, STR("192.0.2.1"), 9, 3 * S), PER_S); /* and is over it when it ends */
    auth_pace_free(p);
}

static struct str text_of(struct arena *a, const char *path)
{
    struct str text;
    struct err e;
    if (!file_read(a, path, 1 << 20, &text, &e)) fail_msg("%s", e.text);
    return text;
}

static void audit_lines_are_json_and_files_turn_over(void **state)
{
    char dir[] = "/tmp/skiff-audit-XXXXXX";
    struct arena a CLEANUP(arena_fini);
    struct err e;
    struct stat st;
    (void)state;
    arena_init(&a);
    assert_non_null(mkdtemp(dir));
    const char *path = str_fmt(&a, "%s/audit.log", dir).p;
    struct auth_audit *l = auth_audit_open(path, 300, &e);
    assert_non_null(l);
    struct audit_line line = {.now_us = 1000000, .token = STR("ci"), .address = STR("::1"), .method = STR("PUT"), .path = STR("/a\"\n%00"), .status = 200};
    assert_true(auth_audit_write(l, &line, &e));
    assert_string_equal(text_of(&a, path).p, "{\"time\":\"1970-01-01T00:00:01Z\",\"token\":\"ci\",\"address\":\"::1\",\"method\":\"PUT\",\"path\":\"/a\\\"\\n%00\",\"status\":200}\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    auth_audit_close(l);
    l = auth_audit_open(path, 300, &e); /* goes on behind what is there */
    for (int i = 1; i < 40; i++) {
        line.status = 200 + i;
        assert_true(auth_audit_write(l, &line, &e));
        if (i == 9) unlink(path); /* by somebody else: it is begun anew when its turn comes */
    }
    auth_audit_close(l);
    assert_true(str_find(text_of(&a, path), STR("\"status\":239"), 0) > 0);
    for (int i = 1; i <= AUDIT_KEPT; i++) {
        const char *old = str_fmt(&a, "%s.%d", path, i).p;
        assert_true(text_of(&a, old).n <= 300 && text_of(&a, old).n > 150);
        unlink(old);
    }
    assert_false(file_exists(str_fmt(&a, "%s.%d", path, AUDIT_KEPT + 1).p));
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_has_a_scheme_and_a_token),
        cmocka_unit_test(a_cookie_is_found_among_others),
        cmocka_unit_test(ten_failures_in_a_minute_are_enough),
        cmocka_unit_test(a_network_of_ipv6_is_one_address),
        cmocka_unit_test(a_flood_of_addresses_pushes_out_the_oldest),
        cmocka_unit_test(requests_are_paced),
        cmocka_unit_test(an_even_flow_is_not_held_up),
        cmocka_unit_test(the_pace_is_of_an_address_or_network),
        cmocka_unit_test(this_machine_is_paced_only_if_told),
        cmocka_unit_test(a_flood_of_addresses_shares_what_there_is),
        cmocka_unit_test(audit_lines_are_json_and_files_turn_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
