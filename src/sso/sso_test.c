/* What needs no network: tokens and keys, claims, rules, the way of a sign-in. Tokens that another library has signed are in test/data/sso. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "os/fd.h"
#include "sso/groups.h"
#include "sso/keys.h"
#include "sso/login.h"
#include "sso/rules.h"
#include "sso/sso_p.h"

#define ISSUER "https://idp.example"
enum { S = 1000000, MADE = 1700000000, LINES_MIN = 40 };

static int setup(void **state)
{
    struct arena *a = mem_zalloc(sizeof *a);
    arena_init(a);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    arena_fini(*state);
    free(*state);
    return 0;
}

static struct str data_read(struct arena *a, const char *path)
{
    struct str text;
    struct err e;
    if (!file_read(a, path, 1 << 20, &text, &e)) fail_msg("%s", e.text);
    return text;
}

static struct sso_keys keys_load(struct arena *a)
{
    struct sso_keys keys;
    struct err e;
    if (!keys_read(a, data_read(a, "test/data/sso/keys.json"), &keys, &e)) fail_msg("%s", e.text);
    return keys;
}

static bool judge(struct arena *a, const struct sso_keys *keys, struct str text, struct err *e)
{
    struct jwt_wanted w = {.issuer = STR(ISSUER), .client_id = STR("skiff"), .nonce = STR("n"), .now_us = (int64_t)MADE * S + 1};
    struct jwt t;
    bool known;
    return jwt_read(a, text, &t, e) && keys_verify(keys, &t, &known, e) && jwt_check(&t.claims, &w, e);
}

static void tokens_of_another_library(void **state)
{
    struct arena *a = *state;
    struct sso_keys keys = keys_load(a);
    struct str line, rest = data_read(a, "test/data/sso/tokens.tsv"), want, what, token;
    int lines = 0;
    for (; str_cut(rest, '\n', &line, &rest) && line.n; lines++) {
        struct err e = {0};
        str_cut(line, '\t', &want, &token);
        str_cut(token, '\t', &what, &token);
        bool ok = judge(a, &keys, token, &e);
        bool fits = str_is(want, "ok") ? ok : !ok && e.code == ERR_AUTH && str_find(str_of(e.text), want, 0) >= 0;
        if (!fits) fail_msg("%.*s: %s", STR_ARG(what), ok ? "accepted" : e.text);
    }
    assert_true(lines > LINES_MIN);
}

static void no_bit_may_change(void **state)
{
    struct arena *a = *state, once CLEANUP(arena_fini);
    struct sso_keys keys = keys_load(a);
    struct str line, rest = data_read(a, "test/data/sso/tokens.tsv"), token;
    struct err e;
    str_cut(rest, '\n', &line, &rest);
    str_cut(line, '\t', &token, &rest);
    str_cut(rest, '\t', &token, &rest);
    arena_init(&once);
    assert_true(judge(a, &keys, rest, &e));
    for (size_t i = 0; i < rest.n; i++) {
        char *changed = (char *)(uintptr_t)str_dup(&once, rest).p;
        changed[i] = (char)(changed[i] ^ 1);
        if (judge(&once, &keys, str_n(changed, rest.n), &e)) fail_msg("byte %zu", i);
        arena_reset(&once);
    }
}

static void keys_are_whole_and_public(void **state)
{
    struct arena *a = *state;
    struct sso_keys keys = keys_load(a);
    struct err e;
    assert_int_equal(keys.n, 5);
    for (size_t i = 0; i < keys.n; i++)
        for (const char *const *m = (const char *const[]){"\"k\"", "\"d\"", "alg", "kid", NULL}; *m; m++)
            assert_true(str_find(keys.items[i].text, str_of(*m), 0) < 0);
    const char *const bad[] = {"", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
                               "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A\",\"y\":\"\"}]}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (keys_read(a, str_of(bad[i]), &keys, &e) || e.code != ERR_SPEC) fail_msg("%s", bad[i]);
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    buf_str(&b, STR("{\"keys\":[0"));
    for (int i = 0; i < LIMIT_SSO_KEYS; i++) buf_str(&b, STR(",0"));
    buf_str(&b, STR("]}"));
    assert_false(keys_read(a, buf_view(&b), &keys, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void a_token_has_a_size(void **state)
{
    struct arena *a = *state;
    char *big = arena_alloc_bytes(a, LIMIT_SSO_TOKEN_BYTES + 1);
    struct jwt t;
    struct err e;
    memset(big, 'A', LIMIT_SSO_TOKEN_BYTES + 1);
    big[4] = big[8] = '.';
    assert_false(jwt_read(a, str_n(big, LIMIT_SSO_TOKEN_BYTES + 1), &t, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(jwt_like(STR("a.b.c")) && !jwt_like(STR("a.b")) && !jwt_like(STR("skt_0_1")) && !jwt_like(STR("a..c")));
}

#define C(more) "{\"iss\":\"" ISSUER "\",\"sub\":\"ann\"," more "}"
#define TIMES "\"iat\":1700000000,\"exp\":1700000300"

static void claims_are_checked(void **state)
{
    static const struct {
        const char *claims, *want; /* NULL: they count */
        const char *nonce;
        int now_s;
    } cases[] = {
        {C("\"aud\":\"skiff\"," TIMES), NULL, NULL, MADE}, {C("\"aud\":\"skiff\"," TIMES), NULL, NULL, MADE + 329},
        {C("\"aud\":\"skiff\"," TIMES), "expired", NULL, MADE + 330}, {C("\"aud\":\"skiff\"," TIMES), "iat", NULL, MADE - 31},
        {C("\"aud\":\"skiff\"," TIMES), NULL, NULL, MADE - 30}, {C("\"aud\":\"skiff\",\"nbf\":1700000100," TIMES), "nbf", NULL, MADE + 69},
        {C("\"aud\":\"skiff\",\"nbf\":1700000100," TIMES), NULL, NULL, MADE + 70}, {C("\"aud\":\"skiff\",\"iat\":1.7e9,\"exp\":1700000300.5"), NULL, NULL, MADE},
        {C("\"aud\":\"skiff\",\"iat\":1700000000,\"exp\":-1"), "time", NULL, MADE}, {C("\"aud\":\"skiff\",\"iat\":true,\"exp\":1"), "time", NULL, MADE},
        {C("\"aud\":\"skiff\",\"nbf\":\"1\"," TIMES), "time", NULL, MADE}, {C("\"aud\":\"skiff\",\"exp\":1700000300"), "iat", NULL, MADE},
        {C("\"aud\":[\"skiff\"]," TIMES), NULL, NULL, MADE}, {C("\"aud\":[\"x\",\"skiff\"]," TIMES), "azp", NULL, MADE},
        {C("\"aud\":[\"x\",\"skiff\"],\"azp\":\"skiff\"," TIMES), NULL, NULL, MADE}, {C("\"aud\":\"skiff\",\"azp\":\"x\"," TIMES), "azp", NULL, MADE},
        {C("\"aud\":\"skiff\",\"azp\":1," TIMES), "azp", NULL, MADE}, {C("\"aud\":[]," TIMES), "aud", NULL, MADE}, {C("\"aud\":{\"skiff\":1}," TIMES), "aud", NULL, MADE},
        {C("\"aud\":[\"skiff\",1]," TIMES), "aud", NULL, MADE}, {C("\"aud\":\"ski\"," TIMES), "aud", NULL, MADE}, {C("\"aud\":\"\"," TIMES), "aud", NULL, MADE},
        {C("\"aud\":\"robots\",\"azp\":\"x\"," TIMES), NULL, NULL, MADE}, {C("\"aud\":\"robots\",\"nonce\":\"n\"," TIMES), "aud", "n", MADE},
        {C("\"aud\":\"skiff\",\"nonce\":\"n\"," TIMES), NULL, "n", MADE}, {C("\"aud\":\"skiff\",\"nonce\":\"m\"," TIMES), "nonce", "n", MADE},
        {C("\"aud\":\"skiff\"," TIMES), "nonce", "n", MADE}, {C("\"aud\":\"skiff\",\"nonce\":\"\"," TIMES), "nonce", "n", MADE},
        {"{\"iss\":\"https://idp.example/\",\"sub\":\"a\",\"aud\":\"skiff\"," TIMES "}", "iss", NULL, MADE},
        {"{\"iss\":\"" ISSUER "\",\"sub\":\"\",\"aud\":\"skiff\"," TIMES "}", "sub", NULL, MADE}, {"{}", "iss", NULL, MADE},
    };
    struct arena *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct jwt_wanted w = {STR(ISSUER), STR("skiff"), STR("other robots"), str_of(cases[i].nonce), (int64_t)cases[i].now_s * S};
        struct val claims;
        struct err e = {0};
        assert_true(json_parse(a, str_of(cases[i].claims), NULL, &claims, &e));
        bool ok = jwt_check(&claims, &w, &e);
        if (ok != !cases[i].want || (!ok && (e.code != ERR_AUTH || !strstr(e.text, cases[i].want)))) fail_msg("%s at %d: %s", cases[i].claims, cases[i].now_s, ok ? "accepted" : e.text);
    }
}

/* ---- rules ---- */

static void the_first_rule_that_fits_counts(void **state)
{
    static const char text[] = "rules:\n- group: a\n  role: run\n  namespaces: [x, z]\n- when: \"'b' in groups || (level ?? 0) > 3\"\n  role: admin\n"
                               "- when: email matches '@example\\\\.com$'\n  role: view\n- group: a\n  role: admin\n";
    static const struct {
        const char *claims;
        int rule; /* -1: none */
    } cases[] = {
        {"{\"groups\":[\"c\",\"a\"]}", 0}, {"{\"groups\":\"a\"}", 0}, {"{\"groups\":[\"b\",\"a\"]}", 0}, {"{\"groups\":[\"b\"]}", 1},
        {"{\"groups\":[1,null,[\"a\"]]}", -1}, {"{\"groups\":[\"A\"]}", -1}, {"{}", -1}, {"{\"level\":4}", 1}, {"{\"level\":\"4\"}", -1},
        {"{\"email\":\"x@example.com\",\"level\":1}", 2}, {"{\"email\":\"x@example.com\"}", 2}, {"{\"email\":\"x@example.com.evil\"}", -1}, {"{\"email\":7}", -1},
    };
    struct arena *a = *state;
    struct sso_rules rules;
    struct err e = {0};
    if (!rules_read(a, str_of(text), "r.yaml", &rules, &e)) fail_msg("%s", e.text);
    assert_int_equal(rules.n, 4);
    assert_true(rules.items[0].n == 2 && str_is(rules.items[0].namespaces[1], "z") && rules.items[1].role == AUTH_ADMIN && rules.items[1].n == 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct auth_person p;
        struct val claims;
        assert_true(json_parse(a, str_of(cases[i].claims), NULL, &claims, &e));
        person_read(a, &claims, STR("groups"), &p);
        const struct sso_rule *got = rules_match(a, &rules, &claims, &p, 0);
        if ((got ? (int)(got - rules.items) : -1) != cases[i].rule) fail_msg("%s: %d", cases[i].claims, got ? (int)(got - rules.items) : -1);
    }
}

static void rules_say_where_they_are_wrong(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "`rules`"}, {"[]", "`rules`"}, {"rules: {}", "`rules`"}, {"rules: []", "`rules`"}, {"rules:\n- group: a\n  role: run\nrule: 1", "nothing else"},
        {"rules:\n- a", "r:2:3: a rule is a map"}, {"rules:\n- group: a", "r:2:3: a rule has a `role`"}, {"rules:\n- role: run", "`group` or `when`"},
        {"rules:\n- group: a\n  when: 'true'\n  role: run", "one of the two"}, {"rules:\n- group: a\n  role: root", "r:3:9: a role is"},
        {"rules:\n- group: a\n  role: open", "a role is"}, {"rules:\n- group: a\n  roles: run", "r:3:3: unknown member 'roles'"},
        {"rules:\n- when: 'a ||'\n  role: run", "r:2:9:"}, {"rules:\n- group: []\n  role: run", "`group` is"}, {"rules:\n- group: on\n  role: run", "in quotes"}, {"rules:\n- group: 12\n  role: run", "in quotes"},
        {"rules:\n- group: a\n  role: run\n  namespaces: [y]", "in quotes"}, {"rules:\n- when: true\n  role: run", "`when` is an expression"},
        {"rules:\n- group: a\n  role: run\n  namespaces: x", "`namespaces` is a list"}, {"rules:\n- group: a\n  role: run\n  namespaces: ['']", "r:4:16:"},
        {"rules:\n- group: a\n  group: b\n  role: run", "r: "},
    };
    struct arena *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sso_rules rules;
        struct err e = {0};
        if (rules_read(a, str_of(cases[i].text), "r", &rules, &e) || !strstr(e.text, cases[i].want)) fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void a_person_is_what_claims_say(void **state)
{
    struct arena *a = *state;
    struct auth_person p;
    struct val claims;
    struct err e;
    assert_true(json_parse(a, STR("{\"iss\":\"i\",\"sub\":\"s\",\"email\":\"e\",\"email_verified\":\"true\",\"preferred_username\":\"u\",\"roles\":[\"x\"]}"), NULL, &claims, &e));
    person_read(a, &claims, STR("roles"), &p);
    assert_true(str_is(p.issuer, "i") && str_is(p.subject, "s") && str_is(p.email, "e") && p.email_verified && str_is(p.name, "u"));
    assert_true(p.n == 1 && str_is(p.groups[0], "x"));
    assert_true(json_parse(a, STR("{\"sub\":1,\"email_verified\":\"yes\",\"name\":[]}"), NULL, &claims, &e));
    person_read(a, &claims, STR("roles"), &p);
    assert_true(!p.subject.n && !p.email.n && !p.name.n && !p.email_verified && p.n == 0);
}

/* ---- groups ---- */

static void userinfo_is_whole_and_about_who_signed_in(void **state)
{
    static const char text[] = "{\"sub\":\"s\",\"iss\":\"other\",\"teams\":[\"a\",\"b\"]}";
    static const struct {
        const char *type, *body;
    } bad[] = {{"", text}, {"text/json", text}, {"application/jsonx", text}, {"application/jwt", text}, {" ", text}, {"application/json", "{\"sub\":\"S\"}"},
               {"application/json", "{\"sub\":null}"}, {"application/json", "{}"}, {"application/json", "\"s\""}, {"application/json", "{\"sub\":\"s\",\"sub\":\"s\"}"}};
    struct arena *a = *state;
    struct val claims, out;
    struct err e;
    assert_true(json_parse(a, STR("{\"sub\":\"s\",\"iss\":\"i\",\"teams\":\"root\"}"), NULL, &claims, &e));
    for (const char *const *type = (const char *const[]){"application/json", "Application/Json; charset=utf-8", " application/json ;", NULL}; *type; type++) {
        assert_true(userinfo_read(a, str_of(*type), STR(text), STR("teams"), &claims, &out, &e));
        assert_string_equal(json_text(a, &out).p, "{\"sub\":\"s\",\"iss\":\"i\",\"teams\":[\"a\",\"b\"]}");
    }
    assert_true(userinfo_read(a, STR("application/json"), STR("{\"sub\":\"s\"}"), STR("teams"), &claims, &out, &e));
    assert_string_equal(json_text(a, &out).p, "{\"sub\":\"s\",\"iss\":\"i\"}");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (userinfo_read(a, str_of(bad[i].type), str_of(bad[i].body), STR("teams"), &claims, &out, &e) || e.code != ERR_AUTH) fail_msg("%zu", i);
    for (size_t n = 0; n < sizeof text - 1; n++)
        if (userinfo_read(a, STR("application/json"), str_n(text, n), STR("teams"), &claims, &out, &e) || e.code != ERR_AUTH) fail_msg("%zu bytes", n);
}

static void groups_are_filtered(void **state)
{
    static const struct {
        const char *words, *claims, *kept;
    } rows[] = {
        {"", "{\"g\":[\"a\",1]}", "{\"g\":[\"a\",1]}"}, {" ", "{\"g\":\"a\"}", "{\"g\":\"a\"}"}, {"^a  c$", "{\"g\":[\"ab\",\"ba\",\"abc\",\"c\",1,null],\"x\":1}", "{\"x\":1,\"g\":[\"ab\",\"abc\",\"c\"]}"},
        {"b", "{\"g\":\"abc\"}", "{\"g\":[\"abc\"]}"}, {"x", "{\"g\":\"abc\"}", "{\"g\":[]}"}, {"x", "{}", "{}"}, {"x", "{\"g\":{\"x\":1}}", "{\"g\":[]}"},
    };
    struct arena *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct group_filter f;
        struct val claims, kept;
        struct err e;
        assert_true(group_filter_read(&f, str_of(rows[i].words), &e) && json_parse(a, str_of(rows[i].claims), NULL, &claims, &e));
        assert_true(groups_filter(a, &f, STR("g"), &claims, &kept, &e));
        assert_string_equal(json_text(a, &kept).p, rows[i].kept);
        group_filter_free(&f);
    }
}

/* "Not in a group" is no right for whom nobody could look at the groups of. */
static void who_cannot_be_filtered_has_no_rights(void **state)
{
    static const struct {
        const char *group;
        enum auth_role role;
    } rows[] = {{"a", AUTH_RUN}, {"guests", AUTH_OPEN}, {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", AUTH_OPEN}};
    struct arena *a = *state;
    struct sso s = {.o.groups_claim = STR("g")};
    struct err e;
    assert_true(group_filter_read(&s.filter, STR("^(a+)+$ ^guests$"), &e));
    assert_true(rules_read(a, STR("rules:\n- when: \"!('guests' in groups)\"\n  role: run"), "r", &s.rules, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_token who;
        struct val claims;
        assert_true(json_parse(a, str_fmt(a, "{\"sub\":\"s\",\"g\":[\"%s\"]}", rows[i].group), NULL, &claims, &e));
        sso_rights(a, &s, &claims, 0, &who);
        assert_int_equal(who.role, rows[i].role);
        assert_true(str_is(who.name, "s"));
    }
    group_filter_free(&s.filter);
}

/* ---- the way of a sign-in ---- */

static void a_sign_in_comes_back_to_who_began(void **state)
{
    struct arena *a = *state;
    unsigned char key[LOGIN_KEY], other[LOGIN_KEY];
    struct login l, m, back;
    struct err e;
    int64_t now = (int64_t)MADE * S;
    login_key_make(key);
    login_key_make(other);
    assert_true(login_begin(a, key, STR("/x?y=1"), now, &l, &e) && login_begin(a, key, STR("/"), now, &m, &e));
    assert_true(!str_eq(l.state, m.state) && !str_eq(l.nonce, m.nonce) && !str_eq(l.verifier, m.verifier) && !str_eq(l.state, l.nonce));
    assert_true(str_eq(l.cookie_name, login_cookie_name(a, l.state)) && l.cookie_name.n == 24);
    assert_true(login_resume(a, key, l.cookie, l.state, now + 599 * (int64_t)S, &back, &e));
    assert_true(str_eq(back.nonce, l.nonce) && str_eq(back.verifier, l.verifier) && str_is(back.redirect, "/x?y=1"));
    assert_true(back.ours);
    assert_false(login_resume(a, key, l.cookie, l.state, now + 600 * (int64_t)S, &back, &e));
    assert_true(back.ours); /* it took too long */
    assert_false(login_resume(a, other, l.cookie, l.state, now, &back, &e)); /* another server, or this one before */
    assert_false(login_resume(a, key, m.cookie, l.state, now, &back, &e));
    assert_false(login_resume(a, key, STR_NONE, l.state, now, &back, &e));
    assert_false(login_resume(a, key, l.cookie, STR_NONE, now, &back, &e));
    for (size_t i = 0; i < l.cookie.n; i++) {
        char *changed = (char *)(uintptr_t)str_dup(a, l.cookie).p;
        changed[i] = (char)(changed[i] ^ 1);
        if (login_resume(a, key, str_n(changed, l.cookie.n), l.state, now, &back, &e) || back.ours) fail_msg("byte %zu", i);
    }
    const char *const none[] = {"", "abc", "0123456789012345678901234567890123456789 12", "0123456789012345678901234567890123456789012;"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) assert_false(str_set(login_cookie_name(a, str_of(none[i]))));
}

static void the_verifier_is_proven_by_its_hash(void **state)
{
    /* RFC 7636, appendix B */
    struct arena *a = *state;
    struct str bytes;
    assert_true(base64url_decode(a, STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), &bytes));
    assert_int_equal(bytes.n, 32);
    assert_true(str_is(base64url_encode(a, bytes), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_false(base64url_decode(a, STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk="), &bytes));
    assert_false(base64url_decode(a, STR("AB"), &bytes)); /* bits left over */
    assert_true(base64url_decode(a, STR(""), &bytes) && bytes.n == 0);
    for (int c = 0; c < 256; c++) {
        char text[] = {'A', 'A', 'A', (char)c};
        bool digit = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c);
        if (base64url_decode(a, str_n(text, sizeof text), &bytes) != digit) fail_msg("byte %d", c);
    }
}

static void a_sign_in_leads_to_a_path_of_this_server(void **state)
{
    static const struct {
        const char *wanted, *path; /* NULL: refused */
    } cases[] = {
        {"/", "/"}, {"/a?b=c#d", "/a?b=c#d"}, {"", "/"}, {NULL, "/"}, {"https://s.example:1", "/"}, {"https://s.example:1/x", "/x"},
        {"//evil", NULL}, {"/\\evil", NULL}, {"\\\\evil", NULL}, {"https://evil/", NULL}, {"https://s.example/", NULL}, {"http://s.example:1/", NULL},
        {"https://s.example:12/", NULL}, {"https://s.example:1@evil/", NULL}, {"https://s.example:1.evil/", NULL}, {"https://s.example:1//evil", NULL},
        {"javascript:alert(1)", NULL}, {"x", NULL}, {"/a b", NULL}, {"/a\nb", NULL}, {"/\t/evil", NULL}, {"/\xc3\xa9", NULL}, {" /a", NULL}, {"?a", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str path;
        bool ok = login_redirect_path(str_of(cases[i].wanted), STR("https://s.example:1/oauth2/callback"), &path);
        if (ok != !!cases[i].path || (ok && !str_is(path, cases[i].path))) fail_msg("%s: %.*s", cases[i].wanted, STR_ARG(path));
    }
}

#define SSO_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SSO_TEST(tokens_of_another_library),
        SSO_TEST(no_bit_may_change),
        SSO_TEST(keys_are_whole_and_public),
        SSO_TEST(a_token_has_a_size),
        SSO_TEST(claims_are_checked),
        SSO_TEST(the_first_rule_that_fits_counts),
        SSO_TEST(rules_say_where_they_are_wrong),
        SSO_TEST(a_person_is_what_claims_say),
        SSO_TEST(userinfo_is_whole_and_about_who_signed_in),
        SSO_TEST(groups_are_filtered),
        SSO_TEST(who_cannot_be_filtered_has_no_rights),
        SSO_TEST(a_sign_in_comes_back_to_who_began),
        SSO_TEST(the_verifier_is_proven_by_its_hash),
        SSO_TEST(a_sign_in_leads_to_a_path_of_this_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
