/* image: references and platforms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "image/ref.h"

#define H64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct arena a;
static int up(void **state)
{
    arena_init(&a);
    return 0;
}
static int down(void **state)
{
    arena_fini(&a);
    return 0;
}

static void names_get_their_full_form(void **state)
{
    static const struct { const char *text, *full, *brief; } rows[] = {
        {"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
        {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
        {"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
        {"index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
        {"argoproj/argosay:v2", "docker.io/argoproj/argosay:v2", "argoproj/argosay:v2"},
        {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
        {"library/" H64, "docker.io/library/" H64 ":latest", "library/" H64 ":latest"},
        {"Index.Docker.IO/x", "docker.io/library/x:latest", "x:latest"},
        {"docker.io/r.io/x", "docker.io/r.io/x:latest", "docker.io/r.io/x:latest"},
        {"localhost/a", "localhost/a:latest", "localhost/a:latest"},
        {"localhost:5000/a/b-c__d.e:T_1.x-", "localhost:5000/a/b-c__d.e:T_1.x-", "localhost:5000/a/b-c__d.e:T_1.x-"},
        {"GHCR.io/x", "ghcr.io/x:latest", "ghcr.io/x:latest"},
        {"Registry/x", "Registry/x:latest", "Registry/x:latest"},
        {"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
        {"r.io:80/x@sha256:" H64, "r.io:80/x@sha256:" H64, "r.io:80/x@sha256:" H64},
        {"x:t@sha256:" H64, "docker.io/library/x:t@sha256:" H64, "x:t@sha256:" H64},
        {"a--b---c", "docker.io/library/a--b---c:latest", "a--b---c:latest"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_ref r, again;
        struct err e = {0};
        if (!image_ref_parse(&a, str_of(rows[i].text), &r, &e)) fail_msg("%s: %s", rows[i].text, e.text);
        assert_string_equal(image_ref_text(&a, &r).p, rows[i].full);
        assert_string_equal(image_ref_short(&a, &r).p, rows[i].brief);
        assert_true(image_ref_parse(&a, image_ref_short(&a, &r), &again, &e)); /* the short form says the same */
        assert_string_equal(image_ref_text(&a, &again).p, rows[i].full);
    }
}

static void wrong_names_are_explained(void **state)
{
    char longer[400];
    memset(longer, 'a', sizeof longer);
    longer[300] = 0;
    const struct { const char *text, *says; } rows[] = {
        {"", "empty"}, {"Busybox", "lower case"}, {"a//b", "empty part"}, {"a/", "empty part"}, {"/a", "empty part"},
        {"a b", "space"}, {"a\n", "control"}, {"https://r.io/a", "leave out"}, {"a:", "the tag after ':' is empty"},
        {"a:-x", "must begin"}, {"a:x!", "letters, digits"}, {"a@", "not ALGORITHM:HEX"}, {"a@md5:00", "sha256 and sha512"},
        {"a@sha256:00", "2 digits instead of 64"}, {"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "lower case"},
        {"a..b", "separator"}, {"-a", "separator"}, {"a_", "ends with a separator"}, {"a___b", "separator"}, {"a$b", "only"},
        {"r.io:x/a", "not a number"}, {"r.io:99999/a", "1 to 65535"}, {"r..io/a", "empty part"}, {"-r.io/a", "begins or ends"},
        {"[::1/a", "closed"}, {"[::g]/a", "do not belong"}, {"r.io/", "no name"}, {H64, "id of an image"}, {longer, "255"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_ref r;
        struct err e = {0};
        if (image_ref_parse(&a, str_of(rows[i].text), &r, &e)) fail_msg("'%s' was taken", rows[i].text);
        assert_int_equal(e.code, ERR_SPEC);
        if (!strstr(e.text, rows[i].says)) fail_msg("'%s': %s", rows[i].text, e.text);
    }
}

static void platforms_fit_or_do_not(void **state)
{
    static const struct { const char *want, *have; bool fits; } rows[] = {
        {"linux/amd64", "linux/amd64", true}, {"linux/x86_64", "linux/amd64", true}, {"linux/amd64", "linux/arm64", false},
        {"linux/aarch64", "linux/arm64/v8", true}, {"linux/arm64", "linux/arm64/v8", true}, {"linux/arm/v7", "linux/arm/v6", false},
        {"linux/amd64", "windows/amd64", false},
    };
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_platform want, have;
        assert_true(image_platform_parse(&a, str_of(rows[i].want), &want, &e) && image_platform_parse(&a, str_of(rows[i].have), &have, &e));
        assert_int_equal(image_platform_fits(&want, &have), rows[i].fits);
    }
    struct image_platform p;
    assert_false(image_platform_parse(&a, STR("linux"), &p, &e));
    assert_false(image_platform_parse(&a, STR("linux/AMD"), &p, &e));
    assert_false(image_platform_parse(&a, STR("linux/ar\0m"), &p, &e));
    p = image_platform_host();
    assert_true(str_is(p.os, "linux") && p.arch.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_get_their_full_form, up, down),
        cmocka_unit_test_setup_teardown(wrong_names_are_explained, up, down),
        cmocka_unit_test_setup_teardown(platforms_fit_or_do_not, up, down),
    };
    return cmocka_run_group_tests_name("image refs", tests, NULL, NULL);
}
