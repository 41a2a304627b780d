/* sprig: the list of functions, keys and certificates that hold together, what is refused. */
#include <dlfcn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "lang/expr_p.h"
#include "lang/sprig_p.h"
#include "lang/test_lines.h"

static const char *const own[] = {
#define SP(name, spec, fn, doc) #name,
#include "lang/sprig.def"
#undef SP
};

static const char *const refused[] = {"getHostByName"}; /* docs/compatibility.md says why */

static void check_name(struct arena *a, struct str name)
{
    if (!sprig_find(name)) fail_msg("%.*s is neither there nor refused", STR_ARG(name));
}

static bool is_listed;
static struct str wanted;
static void look(struct arena *a, struct str name) { is_listed = is_listed || str_eq(name, wanted); }

/* The list is what the library itself says (`build/oracle functions`). */
static void the_functions_are_those_of_argo(void **state)
{
    static const char list[] = "test/data/oracle/sprig-functions.txt";
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    assert_int_equal(each_line(&a, list, check_name), ARRAY_LEN(own));
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        bool no = false;
        is_listed = false;
        wanted = str_of(own[i]);
        each_line(&a, list, look);
        if (!is_listed) fail_msg("%s does not exist in Argo", own[i]);
        for (size_t k = 0; k < ARRAY_LEN(refused); k++) no = no || !strcmp(own[i], refused[k]);
        if (sprig_is_refused(wanted) != no) fail_msg("%s: refused or not?", own[i]);
    }
}

static struct str eval(struct arena *a, const char *text)
{
    struct expr_env env = {.clock = {.now_us = 1700000000000000}};
    struct err e = {0};
    struct str json;
    return expr_eval_json(a, str_of(text), &env, &json, &e) ? json : str_fmt(a, "ERR %s", e.text);
}

static struct str text_of(struct arena *a, const char *text)
{
    struct expr_env env = {.clock = {.now_us = 1700000000000000}};
    struct err e = {0};
    struct val v;
    if (!expr_eval(a, str_of(text), &env, &v, &e)) fail_msg("%s: %s", text, e.text);
    assert_int_equal(v.kind, VAL_STR);
    return v.s;
}

static void refused_functions_say_where_and_why(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct err e = {0};
    arena_init(&a);
    assert_true(str_starts(eval(&a, "sprig.getHostByName('localhost')"), STR("ERR this function is refused: it asks the network")));
    assert_false(expr_check(&a, STR("1 +\n sprig.getHostByName('a')"), &e));
    assert_non_null(strstr(e.text, "sprig.getHostByName is refused: it asks the network"));
    assert_non_null(strstr(e.text, "(2:8)"));
    assert_true(expr_check(&a, STR("sprig.urlParse('a').host"), &e));
}

/* --- libcrypto as a judge --- */

#define LIBCRYPTO(fn) ((__typeof__(fn) *)must(dlsym(dlopen("libcrypto.so.3", RTLD_NOW), #fn)))

static void *must(void *p)
{
    assert_non_null(p);
    return p;
}

static X509 *certificate(struct str pem)
{
    BIO *b = LIBCRYPTO(BIO_new_mem_buf)(pem.p, (int)pem.n);
    X509 *c = LIBCRYPTO(PEM_read_bio_X509)(b, NULL, NULL, NULL);
    LIBCRYPTO(BIO_free)(b);
    assert_non_null(c);
    return c;
}

static EVP_PKEY *private_key(struct str pem)
{
    BIO *b = LIBCRYPTO(BIO_new_mem_buf)(pem.p, (int)pem.n);
    EVP_PKEY *k = LIBCRYPTO(PEM_read_bio_PrivateKey)(b, NULL, NULL, NULL);
    LIBCRYPTO(BIO_free)(b);
    assert_non_null(k);
    return k;
}

static void certificates_hold_together(void **state)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str all = text_of(&a, "let ca = sprig.genCA('My CA', 10); let c = sprig.genSignedCertWithKey('a_b', ['::1', '10.0.0.1'], "
                                 "['h.example'], 3, ca, sprig.genPrivateKey('ecdsa')); ca.Cert + '|' + ca.Key + '|' + c.Cert + '|' + c.Key");
    struct str parts[4];
    for (int i = 0; i < 4; i++) str_cut(all, '|', &parts[i], &all);
    X509 *ca = certificate(parts[0]), *c = certificate(parts[2]);
    EVP_PKEY *ca_key = private_key(parts[1]), *key = private_key(parts[3]);
    assert_true(str_starts(parts[1], STR("-----BEGIN RSA PRIVATE KEY-----\n")) && str_starts(parts[3], STR("-----BEGIN EC PRIVATE KEY-----\n")));
    assert_int_equal(LIBCRYPTO(X509_check_private_key)(ca, ca_key), 1);
    assert_int_equal(LIBCRYPTO(X509_check_private_key)(c, key), 1);
    assert_int_equal(LIBCRYPTO(X509_verify)(ca, ca_key), 1);
    assert_int_equal(LIBCRYPTO(X509_verify)(c, ca_key), 1);
    assert_int_equal(LIBCRYPTO(X509_check_issued)(ca, c), X509_V_OK);
    assert_int_equal(LIBCRYPTO(X509_check_ca)(ca), 1);
    assert_int_equal(LIBCRYPTO(X509_check_ca)(c), 0);
    assert_int_equal(LIBCRYPTO(X509_check_host)(c, "h.example", 0, 0, NULL), 1);
    assert_int_equal(LIBCRYPTO(X509_check_ip_asc)(c, "10.0.0.1", 0), 1);
    assert_int_equal(LIBCRYPTO(X509_check_ip_asc)(c, "::1", 0), 1);
    int days, seconds;
    assert_int_equal(LIBCRYPTO(ASN1_TIME_diff)(&days, &seconds, LIBCRYPTO(X509_get0_notBefore)(c), LIBCRYPTO(X509_get0_notAfter)(c)), 1);
    assert_true(days == 3 && seconds == 0);
    LIBCRYPTO(EVP_PKEY_free)(ca_key), LIBCRYPTO(EVP_PKEY_free)(key);
    LIBCRYPTO(X509_free)(ca), LIBCRYPTO(X509_free)(c);
}

static void keys_are_others_each_time(void **state)
{
    static const char *const types[] = {"ecdsa", "ed25519"};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const char *text = str_z(&a, str_fmt(&a, "sprig.genPrivateKey('%s')", types[i]));
        struct str one = text_of(&a, text), two = text_of(&a, text);
        LIBCRYPTO(EVP_PKEY_free)(private_key(one));
        assert_false(str_eq(one, two)); /* though the random stream is the same */
    }
}

/* A salt, a vector and a serial number come from the stream: the same again in a replay. */
static void secrets_follow_the_stream(void **state)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    assert_true(str_starts(text_of(&a, "sprig.bcrypt('x')"), STR("$2a$10$")));
    assert_true(str_eq(text_of(&a, "sprig.htpasswd('u', 'x')"), text_of(&a, "'u:' + sprig.bcrypt('x')")));
    assert_true(str_eq(text_of(&a, "sprig.encryptAES('k', 'x')"), text_of(&a, "sprig.encryptAES('k', 'x')")));
    assert_true(str_is(text_of(&a, "sprig.decryptAES('k', sprig.encryptAES('k', 'text'))"), "text"));
}

/* Where the library would read the zone's file. */
static void zones_are_not_guessed(void **state)
{
    static const char *const zones[] = {"Europe/Berlin", "EST", "Etc/GMT+5"};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        struct str day = eval(&a, str_z(&a, str_fmt(&a, "sprig.htmlDateInZone(0, '%s')", zones[i])));
        struct str hour = eval(&a, str_z(&a, str_fmt(&a, "sprig.dateInZone('15', 0, '%s')", zones[i])));
        assert_true(str_starts(day, STR("ERR time zone ")) && str_starts(hour, STR("ERR time zone ")));
    }
}

static void dear_functions_have_a_limit(void **state)
{
    static const char *const dear[] = {"genPrivateKey('rsa')", "genPrivateKey('dsa')", "genCA('a', 1)", "bcrypt('a')", "htpasswd('a', 'b')",
                                       "derivePassword(nil, 'long', 'a', 'b', 'c')"};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(dear); i++) { /* nothing of it is begun when too little is left */
        const char *text = str_z(&a, str_fmt(&a, "len(0..%d) > 0 ? sprig.%s : ''", LIMIT_EXPR_STEPS - 20000, dear[i]));
        assert_true(str_starts(eval(&a, text), STR("ERR memory budget exceeded")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_functions_are_those_of_argo),
        cmocka_unit_test(refused_functions_say_where_and_why),
        cmocka_unit_test(certificates_hold_together),
        cmocka_unit_test(keys_are_others_each_time),
        cmocka_unit_test(secrets_follow_the_stream),
        cmocka_unit_test(zones_are_not_guessed), cmocka_unit_test(dear_functions_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
