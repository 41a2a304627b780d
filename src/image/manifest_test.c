/* image: indexes, manifests and configurations, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "image/digest.h"
#include "image/manifest.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D2 "sha256:f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DESC(type, size) "{\"mediaType\":\"" type "\",\"digest\":\"" D "\",\"size\":" size "}"
#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define CONFIG DESC(OCI "config.v1+json", "10")
#define GZIP DESC(OCI "layer.v1.tar+gzip", "20")

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

static void a_manifest_is_read(void **state)
{
    static const struct { const char *type, *text; } rows[] = {
        {"", "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" GZIP "," DESC(OCI "layer.v1.tar+zstd", "5") "]}"},
        {OCI "manifest.v1+json; charset=utf-8", "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"config\":" CONFIG ",\"layers\":[" GZIP "," GZIP "]}"},
        {DOCKER "distribution.manifest.v2+json", "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "distribution.manifest.v2+json\",\"config\":"
         DESC(DOCKER "container.image.v1+json", "10") ",\"layers\":[" DESC(DOCKER "image.rootfs.diff.tar.gzip", "1") "," GZIP "]}"},
        {"application/json", "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" GZIP "," DESC(OCI "layer.v1.tar", "5") "]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_document d;
        struct err e = {0};
        if (!image_document_parse(&a, str_of(rows[i].text), str_of(rows[i].type), &d, &e)) fail_msg("%zu: %s", i, e.text);
        assert_false(d.is_index);
        assert_int_equal(d.manifest.n, 2);
        assert_int_equal(d.manifest.config.size, 10);
        assert_true(str_is(d.manifest.layers[0].digest, D));
    }
}

#define ROW(arch, variant, digest) "{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" digest "\",\"size\":3," \
    "\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"" variant "}}"

static void an_index_is_chosen_from(void **state)
{
    static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" ROW("arm", ",\"variant\":\"v6\"", D) "," ROW("arm", ",\"variant\":\"v7\"", D2) ","
        ROW("amd64", "", D2) ",{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" D "\",\"size\":3,\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},"
        "\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}}]}";
    struct image_document d;
    struct image_platform want;
    struct image_desc got;
    struct err e = {0};
    assert_true(image_document_parse(&a, str_of(text), STR(OCI "index.v1+json"), &d, &e) && d.is_index);
    assert_true(image_platform_parse(&a, STR("linux/arm/v7"), &want, &e) && image_index_pick(&a, &d, &want, &got, &e));
    assert_true(str_is(got.digest, D2));
    assert_true(image_platform_parse(&a, STR("linux/arm/v6"), &want, &e) && image_index_pick(&a, &d, &want, &got, &e));
    assert_true(str_is(got.digest, D));
    assert_true(image_platform_parse(&a, STR("linux/s390x"), &want, &e));
    assert_false(image_index_pick(&a, &d, &want, &got, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "linux/arm/v6, linux/arm/v7, linux/amd64"));
}

static void wrong_documents_are_refused(void **state)
{
#define LAYERS(l) "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" l "]}"
    static const struct { const char *type, *text, *says; } rows[] = {
        {"", "", "manifest"}, {"", "[]", "no JSON object"}, {"", "{}", "schemaVersion"},
        {"", "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1"}, {"", "{\"schemaVersion\":3}", "schemaVersion 3"},
        {"", "{\"schemaVersion\":2}", "configuration"}, {"", LAYERS(""), NULL},
        {"", LAYERS("1"), "missing"}, {"", LAYERS("{\"mediaType\":\"x\",\"digest\":\"" D "\",\"size\":-1}"), "size"},
        {"", LAYERS("{\"mediaType\":\"x\",\"digest\":\"" D "\",\"size\":1e3000}"), ""},
        {"", LAYERS("{\"mediaType\":\"x\",\"digest\":\"sha256:../../x\",\"size\":1}"), "digits"},
        {"", LAYERS(DESC(DOCKER "image.rootfs.foreign.diff.tar.gzip", "1")), "elsewhere"},
        {"", LAYERS(DESC(OCI "layer.nondistributable.v1.tar+gzip", "1")), "elsewhere"},
        {"", LAYERS(DESC("application/vnd.cncf.helm", "1")), "not the layer of an image"},
        {"", LAYERS(DESC(OCI "layer.v1.tar", "999999999999999")), "LIMIT_IMAGE_LAYER_MIB"},
        {"", "{\"schemaVersion\":2,\"config\":" DESC("application/vnd.cncf.helm.config.v1+json", "1") ",\"layers\":[]}", "an artifact"},
        {"", "{\"schemaVersion\":2,\"config\":" DESC(OCI "config.v1+json", "99999999") ",\"layers\":[]}", "LIMIT_IMAGE_DOCUMENT_BYTES"},
        {"", "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}", "entries of an index as well"},
        {OCI "index.v1+json", "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"config\":" CONFIG ",\"layers\":[]}", "says that"},
        {"", "{\"schemaVersion\":2,\"mediaType\":\"text/html\"}", "not known"},
        {DOCKER "distribution.manifest.v1+prettyjws", "{\"schemaVersion\":1,\"schemaVersion\":2}", "already set"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_document d;
        struct err e = {0};
        bool ok = image_document_parse(&a, str_of(rows[i].text), str_of(rows[i].type), &d, &e);
        assert_int_equal(ok, rows[i].says == NULL);
        if (!ok && !strstr(e.text, rows[i].says)) fail_msg("%zu: %s", i, e.text);
    }
}

static void a_configuration_is_read(void **state)
{
    static const char text[] = "{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\",\"created\":\"2024-01-01T00:00:00Z\",\"config\":{\"User\":\"1:2\","
        "\"Env\":[\"PATH=/bin\",\"E=\"],\"Entrypoint\":[\"/e\"],\"Cmd\":null,\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\",\"Labels\":{\"a\":\"b\"}},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D "\",\"" D2 "\"]},\"history\":[]}";
    struct image_config c;
    struct err e = {0};
    if (!image_config_parse(&a, str_of(text), &c, &e)) fail_msg("%s", e.text);
    assert_true(str_is(c.user, "1:2") && str_is(c.workdir, "/w") && str_is(c.stop_signal, "SIGINT") && str_is(c.platform.variant, "v8"));
    assert_int_equal(c.env.n, 2);
    assert_int_equal(c.entrypoint.n, 1);
    assert_int_equal(c.cmd.n, 0);
    assert_int_equal(c.diff_ids.n, 2);
#define FS ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"
    static const struct { const char *text, *says; } rows[] = {
        {"{}", "rootfs"}, {"{\"config\":{\"Env\":[\"=x\"]}" FS, "NAME=value"}, {"{\"config\":{\"Cmd\":\"sh\"}" FS, "no list"},
        {"{\"config\":{\"Cmd\":[1]}" FS, "no text"}, {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}", "diff_id"}, {"{\"config\":{}" FS, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        e = (struct err){0};
        assert_int_equal(image_config_parse(&a, str_of(rows[i].text), &c, &e), rows[i].says == NULL);
        if (rows[i].says && !strstr(e.text, rows[i].says)) fail_msg("%zu: %s", i, e.text);
    }
}

static void digests_are_computed(void **state)
{
    struct err e = {0};
    assert_string_equal(digest_of(&a, STR("abc")).p, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(digest_verify(STR("sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
                              STR("abc"), "it", &e));
    assert_false(digest_verify(STR(D), STR("abc"), "it", &e));
    assert_non_null(strstr(e.text, "instead of " D));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manifest_is_read, up, down),
        cmocka_unit_test_setup_teardown(an_index_is_chosen_from, up, down),
        cmocka_unit_test_setup_teardown(wrong_documents_are_refused, up, down),
        cmocka_unit_test_setup_teardown(a_configuration_is_read, up, down),
        cmocka_unit_test_setup_teardown(digests_are_computed, up, down),
    };
    return cmocka_run_group_tests_name("image documents", tests, NULL, NULL);
}
