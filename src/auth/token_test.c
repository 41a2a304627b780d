/* Tokens in a store: made, shown, checked, deleted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth/check.h"
#include "auth/session.h"
#include "base/limits.h"
#include "os/dir.h"

enum { S = 1000000 };

struct fixture {
    struct arena a;
    char dir[32];
    struct store *s;
    struct auth_check *c;
    struct err e;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    arena_init(&f->a);
    snprintf(f->dir, sizeof f->dir, "/tmp/skiff-auth-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->s = store_open(str_of(f->dir), STORE_WRITE, &f->e);
    assert_non_null(f->s);
    assert_true(store_begin(f->s, &f->e));
    f->c = auth_check_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    auth_check_free(f->c);
    store_close(f->s);
    dir_remove_tree(f->dir, NULL);
    arena_fini(&f->a);
    free(f);
    return 0;
}

static struct str make(struct fixture *f, const char *name, int64_t expires_us)
{
    static const struct str namespaces[] = {STR("a"), STR("b")};
    struct auth_token want = {.name = str_of(name), .role = AUTH_RUN, .namespaces = namespaces, .n = 2, .expires_us = expires_us}, made;
    struct str text;
    if (!auth_token_create(&f->a, f->s, &want, S, &text, &made, &f->e)) fail_msg("%s", f->e.text);
    return text;
}

static bool check(struct fixture *f, struct str text, int64_t now_us)
{
    struct auth_token t;
    f->e.code = ERR_NONE;
    bool ok = auth_check_text(&f->a, f->c, f->s, text, now_us, &t, &f->e);
    if (ok) assert_true(t.role == AUTH_RUN && t.n == 2 && str_is(t.namespaces[1], "b"));
    else assert_int_equal(f->e.code, ERR_AUTH);
    return ok;
}

static void a_token_is_known_by_its_text(void **state)
{
    struct fixture *f = *state;
    struct str one = make(f, "one", 0), two = make(f, "two", 0), id, secret;
    assert_int_equal(one.n, TOKEN_TEXT);
    assert_false(str_eq(one, two));
    assert_false(auth_check_knows(f->c, one));
    assert_true(check(f, one, S) && check(f, two, S) && check(f, one, 2 * (int64_t)S));
    assert_true(auth_check_knows(f->c, one));
    assert_true(token_text_parse(one, &id, &secret));
    struct str mixed = str_fmt(&f->a, "%.*s%.*s", (int)(TOKEN_TEXT - TOKEN_SECRET), two.p, STR_ARG(secret));
    assert_false(check(f, mixed, S)); /* its id, the other's secret */
    char *changed = (char *)(uintptr_t)str_dup(&f->a, one).p;
    changed[TOKEN_TEXT - 1] = changed[TOKEN_TEXT - 1] == '0' ? '1' : '0';
    assert_false(check(f, str_of(changed), S));
    assert_true(check(f, one, S));
}

static void what_is_no_token_is_refused(void **state)
{
    struct fixture *f = *state;
    struct str one = make(f, "one", 0);
    struct str cases[] = {STR(""), STR("skt_"), str_sub(one, 0, one.n - 1), str_cat(&f->a, one, STR("0")), str_cat(&f->a, STR("xkt_"), str_from(one, 4)),
                          STR("skt_0000000000000000_0000000000000000000000000000000000000000000000000000000000000000"),
                          STR("skt_000000000000000G_0000000000000000000000000000000000000000000000000000000000000000"),
                          STR("skt_0000000000000000-0000000000000000000000000000000000000000000000000000000000000000")};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (check(f, cases[i], S)) fail_msg("'%.*s'", STR_ARG(cases[i]));
}

static void an_expired_token_is_refused(void **state)
{
    struct fixture *f = *state;
    struct str t = make(f, "t", 10 * (int64_t)S);
    assert_true(check(f, t, 10 * (int64_t)S - 1));
    assert_false(check(f, t, 10 * (int64_t)S));
    assert_non_null(strstr(f->e.text, "expired"));
}

static void a_deleted_token_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct str t = make(f, "t", 0);
    struct auth_token *all;
    bool any;
    size_t n;
    assert_true(check(f, t, S));
    assert_true(auth_token_any(f->s, &any, &f->e) && any);
    assert_true(auth_token_delete(f->s, STR("t"), S, &f->e));
    assert_false(check(f, t, S));
    assert_false(auth_token_delete(f->s, STR("t"), S, &f->e));
    assert_int_equal(f->e.code, ERR_NOT_FOUND);
    assert_true(auth_token_any(f->s, &any, &f->e) && !any);
    assert_true(check(f, make(f, "t", 0), S));
    assert_false(check(f, t, S)); /* the same name, another token */
    assert_true(auth_token_list(&f->a, f->s, &all, &n, &f->e) && n == 1);
}

static void the_secret_is_not_stored(void **state)
{
    struct fixture *f = *state;
    struct str t = make(f, "t", 0), id, secret;
    struct auth_token row;
    assert_true(token_text_parse(t, &id, &secret) && auth_token_get(&f->a, f->s, id, &row, &f->e));
    assert_true(str_starts(row.hash, STR("$argon2id$")));
    assert_true(str_find(row.hash, str_sub(secret, 0, 8), 0) < 0);
}

static void more_tokens_than_are_remembered_work(void **state)
{
    struct fixture *f = *state;
    struct str all[300];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) all[i] = make(f, str_fmt(&f->a, "t%zu", i).p, 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) assert_true(check(f, all[i], S));
    assert_true(auth_check_knows(f->c, all[ARRAY_LEN(all) - 1]) && check(f, all[0], S));
}

static void names_and_times_are_looked_at(void **state)
{
    struct fixture *f = *state;
    static const struct str bad_ns[] = {STR("a/b")};
    struct auth_token made, cases[] = {{.name = STR("")}, {.name = STR("a b")}, {.name = STR("a/b")}, {.name = STR("x"), .namespaces = bad_ns, .n = 1},
                                       {.name = STR("x"), .expires_us = 5}};
    struct str text;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cases[i].role = AUTH_VIEW;
        assert_false(auth_token_create(&f->a, f->s, &cases[i], S, &text, &made, &f->e));
        assert_int_equal(f->e.code, ERR_SPEC);
    }
    make(f, "ci@example.com", 0);
    struct auth_token again = {.name = STR("ci@example.com"), .role = AUTH_VIEW};
    assert_false(auth_token_create(&f->a, f->s, &again, S, &text, &made, &f->e));
    assert_int_equal(f->e.code, ERR_CONFLICT);
}

static void namespaces_are_whole_names(void **state)
{
    static const struct str names[] = {STR("team-a"), STR("b")};
    struct auth_token some = {.namespaces = names, .n = 2}, all = {0};
    (void)state;
    assert_true(auth_token_covers(&some, STR("b")) && auth_token_covers(&some, STR("team-a")));
    assert_false(auth_token_covers(&some, STR("team")) || auth_token_covers(&some, STR("")) || auth_token_covers(&some, STR_NONE));
    assert_true(auth_token_covers(&all, STR("x")) && auth_token_covers(&all, STR_NONE));
}

/* ---- sessions ---- */

static struct str begin(struct fixture *f, const char *subject, int64_t expires_us, int64_t now_us)
{
    struct val_builder b;
    struct str text;
    map_begin(&b, &f->a);
    map_add_str(&b, "sub", str_of(subject));
    struct val claims = map_done(&b);
    if (!auth_session_create(&f->a, f->s, &claims, expires_us, now_us, &text, &f->e)) fail_msg("%s", f->e.text);
    return text;
}

static bool session(struct fixture *f, struct str text, int64_t now_us, const char *subject)
{
    struct auth_session x;
    bool ok = auth_session_check(&f->a, f->s, text, now_us, &x, &f->e);
    if (ok) assert_true(str_is(val_get_str(&x.claims, "sub"), subject));
    else assert_int_equal(f->e.code, ERR_AUTH);
    return ok;
}

static void a_session_is_known_by_its_text(void **state)
{
    struct fixture *f = *state;
    struct str one = begin(f, "ann", 10 * (int64_t)S, S), two = begin(f, "bob", 20 * (int64_t)S, S), id, secret;
    struct auth_session *all;
    size_t n;
    assert_true(session(f, one, S, "ann") && session(f, two, S, "bob") && session(f, one, 10 * (int64_t)S - 1, "ann"));
    assert_false(session(f, one, 10 * (int64_t)S, "ann"));
    assert_true(session_like(one) && !token_text_parse(one, &id, &secret) && auth_text_parse("sks_", one, &id, &secret));
    assert_false(session(f, str_fmt(&f->a, "%.*s%.*s", (int)(TOKEN_TEXT - TOKEN_SECRET), two.p, STR_ARG(secret)), S, ""));
    assert_false(session(f, str_fmt(&f->a, "skt_%.*s", STR_ARG(str_from(one, 4))), S, ""));
    assert_false(session(f, STR(""), S, ""));
    assert_true(auth_session_list(&f->a, f->s, S, &all, &n, &f->e) && n == 2);
    assert_true(auth_session_list(&f->a, f->s, 10 * (int64_t)S, &all, &n, &f->e) && n == 1 && str_is(val_get_str(&all[0].claims, "sub"), "bob"));
    for (size_t i = 0; i < n; i++) assert_true(str_find(all[i].hash, str_from(two, TOKEN_TEXT - TOKEN_SECRET), 0) < 0);
    assert_true(auth_session_delete(f->s, all[0].id, S, &f->e) && !session(f, two, S, "bob"));
    assert_false(auth_session_delete(f->s, all[0].id, S, &f->e));
    assert_int_equal(f->e.code, ERR_NOT_FOUND);
}

static void one_person_has_a_number_of_sessions(void **state)
{
    struct fixture *f = *state;
    struct str first = begin(f, "ann", 1000 * (int64_t)S, S), second = begin(f, "ann", 1000 * (int64_t)S, 2 * (int64_t)S);
    struct str other = begin(f, "bob", 1000 * (int64_t)S, S);
    struct auth_session *all;
    size_t n;
    for (int i = 2; i < LIMIT_SESSIONS_OF_ONE; i++) begin(f, "ann", 1000 * (int64_t)S, (i + 1) * (int64_t)S);
    assert_true(session(f, first, 50 * (int64_t)S, "ann"));
    begin(f, "ann", 1000 * (int64_t)S, 100 * (int64_t)S);
    assert_false(session(f, first, 100 * (int64_t)S, "ann"));
    assert_true(session(f, second, 100 * (int64_t)S, "ann") && session(f, other, 100 * (int64_t)S, "bob"));
    assert_true(auth_session_list(&f->a, f->s, 0, &all, &n, &f->e) && n == LIMIT_SESSIONS_OF_ONE + 1);
    begin(f, "bob", 3000 * (int64_t)S, 2000 * (int64_t)S); /* the others are over */
    assert_true(auth_session_list(&f->a, f->s, 0, &all, &n, &f->e) && n == 1);
}

static void claims_have_a_size(void **state)
{
    struct fixture *f = *state;
    char *big = arena_alloc_bytes(&f->a, LIMIT_SSO_CLAIMS_BYTES);
    struct val_builder b;
    struct str text;
    memset(big, 'a', LIMIT_SSO_CLAIMS_BYTES);
    map_begin(&b, &f->a);
    map_add_str(&b, "sub", str_n(big, LIMIT_SSO_CLAIMS_BYTES));
    struct val claims = map_done(&b);
    assert_false(auth_session_create(&f->a, f->s, &claims, S, 0, &text, &f->e));
    assert_int_equal(f->e.code, ERR_LIMIT);
}

#define TOKEN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOKEN_TEST(a_token_is_known_by_its_text),
        TOKEN_TEST(what_is_no_token_is_refused),
        TOKEN_TEST(an_expired_token_is_refused),
        TOKEN_TEST(a_deleted_token_is_refused_at_once),
        TOKEN_TEST(the_secret_is_not_stored),
        TOKEN_TEST(more_tokens_than_are_remembered_work),
        TOKEN_TEST(names_and_times_are_looked_at),
        cmocka_unit_test(namespaces_are_whole_names),
        TOKEN_TEST(a_session_is_known_by_its_text),
        TOKEN_TEST(one_person_has_a_number_of_sessions),
        TOKEN_TEST(claims_have_a_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
