/* image: the store, and images on a loop: shared, cancelled, held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/auth.h"
#include "image/digest.h"
#include "image/store_p.h"
#include "doc/json.h"
#include "os/dir.h"
#include "os/fd.h"

struct place {
    char dir[64];
    struct arena a;
    struct image_store *s;
    struct err e;
};

static int up(void **state)
{
    struct place *p = mem_zalloc(sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/var/tmp/skiff-store-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    arena_init(&p->a);
    p->s = image_store_open(p->dir, NULL, &p->e);
    assert_non_null(p->s);
    *state = p;
    return 0;
}

static int down(void **state)
{
    struct place *p = *state;
    image_store_close(p->s);
    assert_true(dir_remove_tree(p->dir, &p->e));
    arena_fini(&p->a);
    free(p);
    return 0;
}

/* A tar of one file, written below the layout's blobs; its digest. */
static struct str layer_write(struct place *p, const char *blobs, const char *text)
{
    const char *tmp = str_fmt(&p->a, "%s/tar", p->dir).p;
    struct archive *ar = archive_write_new();
    struct archive_entry *ae = archive_entry_new();
    struct str bytes;
    archive_write_set_format_ustar(ar);
    assert_int_equal(archive_write_open_filename(ar, tmp), ARCHIVE_OK);
    archive_entry_set_pathname(ae, "file");
    archive_entry_set_filetype(ae, AE_IFREG);
    archive_entry_set_perm(ae, 0644);
    archive_entry_set_size(ae, (la_int64_t)strlen(text));
    assert_int_equal(archive_write_header(ar, ae), ARCHIVE_OK);
    assert_int_equal(archive_write_data(ar, text, strlen(text)), strlen(text));
    archive_entry_free(ae);
    archive_write_free(ar);
    assert_true(file_read(&p->a, tmp, 1 << 20, &bytes, &p->e));
    struct str digest = digest_of(&p->a, bytes);
    assert_true(file_write_atomic(str_fmt(&p->a, "%s/%s", blobs, digest_hex(digest).p).p, bytes, 0644, false, &p->e));
    return str_fmt(&p->a, "\"digest\":\"%s\",\"size\":%zu", digest.p, bytes.n);
}

static struct str blob_write(struct place *p, const char *blobs, struct str bytes)
{
    struct str digest = digest_of(&p->a, bytes);
    assert_true(file_write_atomic(str_fmt(&p->a, "%s/%s", blobs, digest_hex(digest).p).p, bytes, 0644, false, &p->e));
    return str_fmt(&p->a, "\"digest\":\"%s\",\"size\":%zu", digest.p, bytes.n);
}

/* An OCI layout of one layer; returns its directory. */
static const char *layout(struct place *p, const char *name, const char *text)
{
    const char *dir = str_fmt(&p->a, "%s/%s", p->dir, name).p, *blobs = str_fmt(&p->a, "%s/blobs/sha256", dir).p;
    assert_true(dir_make_all(blobs, 0755, &p->e));
    struct str layer = layer_write(p, blobs, text);
    struct str config = blob_write(p, blobs, str_fmt(&p->a, "{\"os\":\"linux\",\"config\":{\"Cmd\":[\"%s\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%.71s\"]}}",
                                                     text, layer.p + 10));
#define OCI "application/vnd.oci.image."
    struct str manifest = blob_write(p, blobs, str_fmt(&p->a, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI "config.v1+json\",%s},\"layers\":[{\"mediaType\":\""
                                                       OCI "layer.v1.tar\",%s}]}", config.p, layer.p));
    struct str index = str_fmt(&p->a, "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI "manifest.v1+json\",%s}]}", manifest.p);
    assert_true(file_write_atomic(str_fmt(&p->a, "%s/index.json", dir).p, index, 0644, false, &p->e));
    return dir;
}

static struct image_ref ref_of(struct place *p, const char *text)
{
    struct image_ref r;
    assert_true(image_ref_parse(&p->a, str_of(text), &r, &p->e));
    return r;
}

static struct image_info import(struct place *p, const char *name, const char *text)
{
    struct image_info *all;
    size_t n;
    const char *dir = layout(p, str_fmt(&p->a, "layout-%s", text).p, text);
    if (!image_import(&p->a, p->s, dir, str_of(name), NULL, NULL, &all, &n, &p->e)) fail_msg("%s", p->e.text);
    assert_int_equal(n, 1);
    return all[0];
}

static size_t gc(struct place *p)
{
    struct image_waste_row *rows;
    size_t n;
    if (!image_gc(&p->a, p->s, false, true, &rows, &n, &p->e)) fail_msg("%s", p->e.text);
    return n;
}

static void an_image_is_found_held_and_let_go(void **state)
{
    struct place *p = *state;
    struct image_info one = import(p, "app:1", "one"), found, *all;
    struct image_ref ref = ref_of(p, "app:1"), by_digest = ref_of(p, str_fmt(&p->a, "app@%s", one.manifest.p).p);
    size_t n;
    assert_true(image_find(&p->a, p->s, &ref, NULL, &found, &p->e) && image_find(&p->a, p->s, &by_digest, NULL, &found, &p->e));
    assert_true(str_is(found.config.cmd.items[0], "one") && found.n_layers == 1 && file_exists(str_fmt(&p->a, "%s/file", found.layers[0].dir.p).p));
    assert_true(image_list(&p->a, p->s, &all, &n, &p->e) && n == 1 && str_is(all[0].ref, "docker.io/library/app:1"));
    int hold = image_hold(p->s, found.manifest, &p->e), copy = dup(hold);
    assert_false(image_remove(p->s, &ref, NULL, &p->e));
    assert_int_equal(p->e.code, ERR_CONFLICT);
    import(p, "app:1", "two"); /* the name moves on */
    close(hold);
    assert_int_equal(gc(p), 0); /* the copy holds on */
    close(copy);
    assert_true(gc(p) >= 4);
    assert_false(file_exists(found.layers[0].dir.p));
    assert_true(image_remove(p->s, &ref, NULL, &p->e) && gc(p) >= 4 && gc(p) == 0);
    assert_false(image_find(&p->a, p->s, &ref, NULL, &found, &p->e));
    assert_int_equal(p->e.code, ERR_NOT_FOUND);
}

/* After a power cut a layer may be a heap of empty files: one of another boot that was not synced does not count. */
static void what_was_not_synced_before_a_power_cut_is_gone(void **state)
{
    struct place *p = *state;
    struct image_info one = import(p, "app:1", "one"), found;
    struct image_ref ref = ref_of(p, "app:1");
    const char *mark = store_path(&p->a, p->s, "layers/%s/unsynced", one.layers[0].name.p);
    assert_false(file_exists(mark));
    assert_true(file_write_atomic(mark, STR("another boot"), 0600, false, &p->e));
    assert_false(image_find(&p->a, p->s, &ref, NULL, &found, &p->e));
    assert_int_equal(p->e.code, ERR_NOT_FOUND);
    import(p, "app:1", "one");
    assert_true(image_find(&p->a, p->s, &ref, NULL, &found, &p->e));
    assert_int_equal(gc(p), 0);
}

static void damaged_records_are_errors(void **state)
{
    struct place *p = *state;
    struct image_info one = import(p, "app:1", "one"), found;
    struct image_ref ref = ref_of(p, "app:1");
    const char *record = store_path(&p->a, p->s, "manifests/%s", digest_hex(one.manifest).p);
    static const char *const rows[] = {"", "{}", "[1]", "{\"config\":\"x\",\"layers\":[]}",
        "{\"config\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\",\"layers\":[{\"name\":\"../../x\",\"diffId\":\"x\"}]}"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(file_write_atomic(record, str_of(rows[i]), 0600, false, &p->e));
        assert_false(image_find(&p->a, p->s, &ref, NULL, &found, &p->e));
        assert_int_not_equal(p->e.code, ERR_NOT_FOUND);
    }
    import(p, "app:1", "one");
    assert_true(file_write_atomic(store_blob_path(&p->a, p->s, one.config_digest), STR("{}"), 0600, false, &p->e));
    assert_false(image_find(&p->a, p->s, &ref, NULL, &found, &p->e)); /* its bytes are checked whenever they are read */
}

static void policies_have_kubernetes_defaults(void **state)
{
    struct place *p = *state;
    static const struct { const char *text, *ref; enum image_policy is; } rows[] = {
        {NULL, "app", IMAGE_ALWAYS}, {"", "app:1", IMAGE_IF_NOT_PRESENT}, {"Never", "app", IMAGE_NEVER}, {"Always", "app:1", IMAGE_ALWAYS},
        {"IfNotPresent", "app", IMAGE_IF_NOT_PRESENT}};
    enum image_policy is;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_ref r = ref_of(p, rows[i].ref);
        assert_true(image_policy_parse(str_of(rows[i].text), &r, &is, &p->e) && is == rows[i].is);
    }
    struct image_ref r = ref_of(p, "app");
    assert_false(image_policy_parse(STR("never"), &r, &is, &p->e));
}

/* ---- on a loop ---- */

struct answers {
    struct loop *loop;
    int n, wanted, failed;
    char text[ERR_TEXT_MAX];
    enum err_code code;
};

static void on_done(void *user, const struct image_info *info, int hold, const struct err *e)
{
    struct answers *x = user;
    assert_true(info ? hold >= 0 && info->n_layers == 1 && !e : hold < 0 && e != NULL);
    if (e) {
        x->failed++;
        x->code = e->code;
        snprintf(x->text, sizeof x->text, "%s", e->text);
    }
    close_fd(&hold);
    if (++x->n == x->wanted) loop_stop(x->loop);
}

static void all_who_want_an_image_get_it(void **state)
{
    struct place *p = *state;
    struct answers x = {.loop = loop_new(&p->e), .wanted = 4};
    struct image_puller *puller = image_puller_new(x.loop, p->s, &p->e);
    struct image_ref here = ref_of(p, "app:1"), absent = ref_of(p, "gone:1");
    import(p, "app:1", "one");
    for (int i = 0; i < 3; i++) assert_non_null(image_ensure_new(puller, &here, NULL, IMAGE_IF_NOT_PRESENT, on_done, &x, &p->e));
    assert_non_null(image_ensure_new(puller, &absent, NULL, IMAGE_NEVER, on_done, &x, &p->e));
    loop_run(x.loop);
    assert_int_equal(x.n, 4);
    assert_int_equal(x.failed, 1);
    assert_int_equal(x.code, ERR_NOT_FOUND);
    assert_non_null(strstr(x.text, "Never"));
    image_puller_free(puller);
    loop_free(x.loop);
}

/* A registry that takes the connection and says nothing. */
static int silent_listen(int *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(fd, (struct sockaddr *)&to, n) == 0 && listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&to, &n) == 0);
    *port = ntohs(to.sin_port);
    return fd;
}

static void a_pull_that_nobody_wants_any_more_ends(void **state)
{
    struct place *p = *state;
    int port;
    int silent = silent_listen(&port);
    struct answers x = {.loop = loop_new(&p->e), .wanted = 1};
    struct image_puller *puller = image_puller_new(x.loop, p->s, &p->e);
    struct image_ref stuck = ref_of(p, str_fmt(&p->a, "127.0.0.1:%d/x:1", port).p), here = ref_of(p, "app:1");
    import(p, "app:1", "one");
    struct image_waiter *one = image_ensure_new(puller, &stuck, NULL, IMAGE_ALWAYS, on_done, &x, &p->e);
    struct image_waiter *two = image_ensure_new(puller, &stuck, NULL, IMAGE_ALWAYS, on_done, &x, &p->e);
    assert_true(image_ensure_progress(one) == image_ensure_progress(two)); /* one pull */
    assert_non_null(image_ensure_new(puller, &here, NULL, IMAGE_IF_NOT_PRESENT, on_done, &x, &p->e));
    loop_run(x.loop); /* is not held up by it */
    assert_true(x.n == 1 && !x.failed);
    image_ensure_cancel(one);
    image_ensure_cancel(two);
    image_puller_free(puller); /* ends: the test has a time limit */
    assert_int_equal(x.n, 1);
    close(silent);
    loop_free(x.loop);
}

/* ---- credentials ---- */

static void credentials_are_looked_up_as_docker_and_podman_do(void **state)
{
    struct place *p = *state;
    static const char text[] = "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnB3\"},\"r.io\":{\"auth\":\"cjpwdw==\"},"
        "\"r.io/team\":{\"username\":\"t\",\"password\":\"q\"},\"http://old.io:80/v2/\":{\"identitytoken\":\"tok\"},\"bad.io\":{\"auth\":\"?\"},\"p.io/v1team\":{\"auth\":\"cjpwdw==\"},\"empty.io\":{}},"
        "\"credHelpers\":{\"gcr.io\":\"gcloud\"},\"credsStore\":\"desktop\"}";
    static const struct { const char *host, *path, *user, *helper; } rows[] = {
        {"docker.io", "library/x", "hub", "desktop"}, {"r.io", "other/x", "r", "desktop"}, {"r.io", "team/x/y", "t", "desktop"},
        {"r.io", "teams/x", "r", "desktop"}, {"gcr.io", "x", NULL, "gcloud"}, {"none.io", "x", NULL, "desktop"}, {"empty.io", "x", NULL, "desktop"},
        {"p.io", "v1team/x", "r", "desktop"}, {"p.io", "other/x", NULL, "desktop"}};
    struct val v;
    struct credential c;
    struct str helper;
    assert_true(json_parse(&p->a, str_of(text), NULL, &v, &p->e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        bool found = credential_in(&p->a, &v, str_of(rows[i].host), str_of(rows[i].path), &c, &helper, &e);
        assert_true(found == (rows[i].user != NULL) && !e.code && str_is(helper, rows[i].helper));
        if (found) assert_true(str_is(c.user, rows[i].user));
    }
    assert_true(credential_in(&p->a, &v, STR("old.io:80"), STR("x"), &c, &helper, &p->e) && str_is(c.identity, "tok"));
    assert_false(credential_in(&p->a, &v, STR("bad.io"), STR("x"), &c, &helper, &p->e));
    assert_int_equal(p->e.code, ERR_AUTH);
}

static void challenges_are_read(void **state)
{
    struct place *p = *state;
    struct challenge c = {0};
    challenge_parse(&p->a, STR("Basic realm=\"x\""), &c);
    challenge_parse(&p->a, STR("bearer Realm=\"https://a/t?x=1,2\", service=\"s \\\"q\\\"\",scope=repository:a/b:pull , error=\"x\""), &c);
    assert_true(c.basic && c.bearer && str_is(c.realm, "https://a/t?x=1,2") && str_is(c.service, "s \"q\"") && str_is(c.scope, "repository:a/b:pull"));
}

int main(void)
{
#define UNIT(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        UNIT(an_image_is_found_held_and_let_go), UNIT(what_was_not_synced_before_a_power_cut_is_gone), UNIT(damaged_records_are_errors),
        UNIT(policies_have_kubernetes_defaults), UNIT(all_who_want_an_image_get_it), UNIT(a_pull_that_nobody_wants_any_more_ends),
        UNIT(credentials_are_looked_up_as_docker_and_podman_do), UNIT(challenges_are_read),
    };
    return cmocka_run_group_tests_name("image store", tests, NULL, NULL);
}
