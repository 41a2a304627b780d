/* bundle: what comes out is what went in, or nothing is taken for whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "os/dir.h"
#include "os/fd.h"

struct world {
    struct arena a;
    char dir[40];
    int fd; /* of it */
};

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    arena_init(&w->a);
    memcpy(w->dir, "/tmp/skiff-bundle-XXXXXX", 25);
    if (!mkdtemp(w->dir)) return -1;
    w->fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    close(w->fd);
    bool ok = dir_remove_tree(w->dir, NULL);
    arena_fini(&w->a);
    free(w);
    return ok ? 0 : -1;
}

static const char *in(struct world *w, const char *name) { return str_fmt(&w->a, "%s/%s", w->dir, name).p; }

static void put(struct world *w, const char *name, struct str bytes, mode_t mode)
{
    assert_true(file_write_atomic(in(w, name), bytes, mode, false, NULL));
}

/* A tree with everything that a bundle keeps, and a socket, which it does not. */
static void tree_make(struct world *w)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char *large = arena_alloc(&w->a, 1 << 20);
    memset(large, 'x', 1 << 20);
    assert_int_equal(mkdir(in(w, "t"), 0750), 0);
    assert_int_equal(mkdir(in(w, "t/none"), 0700), 0);
    put(w, "t/empty", STR(""), 0600);
    put(w, "t/large", str_n(large, 1 << 20), 0644);
    put(w, "t/n\xc3\xa4me \xff", STR("odd name"), 0755);
    assert_int_equal(symlink("../../etc/passwd", in(w, "t/link")), 0);
    assert_int_equal(mkdir(in(w, "t/closed"), 0700), 0);
    put(w, "t/closed/in", STR("in"), 0400);
    assert_int_equal(chmod(in(w, "t/closed"), 0500), 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", in(w, "t/sock"));
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    close(s);
    put(w, "single", STR("one"), 0640);
}

static struct str bundle_of(struct world *w, bool sealed)
{
    struct err e = {0};
    struct bundle_count n;
    struct str out;
    int fd = open(in(w, "b.tar"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct bundle_writer *b = bundle_begin(fd, &e);
    assert_non_null(b);
    assert_true(bundle_add(b, w->fd, "single", &e) && bundle_add(b, w->fd, "t", &e) && bundle_add(b, w->fd, "absent", &e));
    if (sealed) {
        assert_true(bundle_end(b, STR("{\"k\":\"v\"}"), &n, &e));
        assert_int_equal(n.entries, 9);
        assert_int_equal(n.bytes, (1 << 20) + 3 + 8 + 2);
    }
    bundle_free(b);
    close(fd);
    assert_true(file_read(&w->a, in(w, "b.tar"), 8 << 20, &out, &e));
    return out;
}

/* Into a new directory "o"; the error's code, 0: done. */
static enum err_code extract(struct world *w, struct str bytes, struct str *note)
{
    struct err e = {0};
    struct bundle_count n;
    put(w, "in.tar", bytes, 0600);
    assert_true(dir_remove_tree(in(w, "o"), &e));
    assert_int_equal(mkdir(in(w, "o"), 0700), 0);
    int dir = open(in(w, "o"), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = open(in(w, "in.tar"), O_RDONLY | O_CLOEXEC);
    bool ok = bundle_extract(&w->a, fd, dir, note, &n, &e);
    close(dir);
    close(fd);
    assert_true(ok || e.text[0]);
    return ok ? ERR_NONE : e.code;
}

static void same(struct world *w, const char *name)
{
    struct stat x, y;
    struct str one, two;
    assert_int_equal(lstat(in(w, name), &x), 0);
    assert_int_equal(lstat(in(w, str_fmt(&w->a, "o/%s", name).p), &y), 0);
    assert_int_equal(x.st_mode, y.st_mode);
    assert_int_equal(x.st_uid, y.st_uid);
    if (!S_ISLNK(x.st_mode)) assert_int_equal(x.st_mtime, y.st_mtime);
    if (!S_ISREG(x.st_mode)) return;
    assert_true(file_read(&w->a, in(w, name), 8 << 20, &one, NULL));
    assert_true(file_read(&w->a, in(w, str_fmt(&w->a, "o/%s", name).p), 8 << 20, &two, NULL));
    assert_true(str_eq(one, two));
}

static void what_comes_out_is_what_went_in(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"single", "t", "t/none", "t/empty", "t/large", "t/n\xc3\xa4me \xff", "t/link", "t/closed", "t/closed/in"};
    struct str note;
    tree_make(w);
    assert_int_equal(extract(w, bundle_of(w, true), &note), ERR_NONE);
    assert_true(str_is(note, "{\"k\":\"v\"}"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) same(w, names[i]);
    assert_false(file_exists(in(w, "o/t/sock")));
}

static void what_is_not_whole_is_refused(void **state)
{
    struct world *w = *state;
    struct str note;
    tree_make(w);
    struct str whole = bundle_of(w, true);
    for (size_t n = 0; n < whole.n - 1024; n += MAX(whole.n / 40, (size_t)1)) assert_int_equal(extract(w, str_sub(whole, 0, n), &note), ERR_SPEC);
    assert_int_equal(extract(w, str_sub(whole, 0, whole.n - 2048), &note), ERR_SPEC); /* its end alone is missing */
    assert_int_equal(extract(w, bundle_of(w, false), &note), ERR_SPEC);
    assert_int_equal(extract(w, STR("what is this"), &note), ERR_SPEC);
}

/* A changed byte shows, wherever it is: in data the digest tells, in heads the tar's own sums or the digest. */
static void damage_is_found(void **state)
{
    struct world *w = *state;
    struct str note;
    tree_make(w);
    struct str whole = bundle_of(w, true);
    for (size_t at = 600; at < whole.n - 3000; at += whole.n / 37) {
        char *copy = arena_alloc_bytes(&w->a, whole.n);
        memcpy(copy, whole.p, whole.n);
        copy[at] ^= 0x20;
        enum err_code code = extract(w, str_n(copy, whole.n), &note);
        bool padding = whole.p[at] == 0; /* behind a name or the end of a file: means nothing */
        if (!padding && code == ERR_NONE) fail_msg("a changed byte at %zu is not found", at);
    }
}

static void octal(char *to, int n, unsigned long v)
{
    for (int i = n - 2; i >= 0; i--, v >>= 3) to[i] = (char)('0' + (v & 7));
}

/* One tar head of a name and kind that no bundle has. */
static struct str forged(struct world *w, const char *name, char type, const char *target)
{
    char *h = arena_alloc(&w->a, 1536);
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    octal(h + 100, 8, 0644);
    octal(h + 108, 8, 0);
    octal(h + 116, 8, 0);
    octal(h + 124, 12, 0);
    octal(h + 136, 12, 0);
    h[156] = type;
    snprintf(h + 157, 100, "%s", target);
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += (unsigned char)h[i];
    octal(h + 148, 7, sum);
    return str_n(h, 1536);
}

static void nothing_leads_out(void **state)
{
    struct world *w = *state;
    struct str note;
    static const struct { const char *name; char type; const char *target; } rows[] = {
        {"../out", '0', ""}, {"/tmp/skiff-bundle-out", '0', ""}, {"a/../../out", '0', ""}, {"./x", '0', ""}, {"x//y", '0', ""},
        {"hard", '1', "/etc/passwd"}, {"device", '3', ""}, {"pipe", '6', ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) assert_int_equal(extract(w, forged(w, rows[i].name, rows[i].type, rows[i].target), &note), ERR_SPEC);
    struct str link = forged(w, "d", '2', ".."), file = forged(w, "d/out", '0', "");
    char *both = arena_alloc_bytes(&w->a, 512 + file.n);
    memcpy(both, link.p, 512);
    memcpy(both + 512, file.p, file.n);
    assert_int_not_equal(extract(w, str_n(both, 512 + file.n), &note), ERR_NONE);
    assert_false(file_exists(in(w, "out")));
    assert_false(file_exists("/tmp/skiff-bundle-out"));
}

static void a_mirror_shares_files(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    struct stat x, y;
    tree_make(w);
    assert_true(tree_mirror(w->fd, "t", w->fd, "m", &e) && tree_mirror(w->fd, "absent", w->fd, "n", &e));
    put(w, "t/later", STR("later"), 0644);
    assert_true(tree_mirror(w->fd, "t", w->fd, "m", &e));
    assert_true(file_exists(in(w, "m/later")) && file_exists(in(w, "m/closed/in")) && !file_exists(in(w, "m/sock")) && !file_exists(in(w, "n")));
    assert_int_equal(stat(in(w, "t/large"), &x), 0);
    assert_int_equal(stat(in(w, "m/large"), &y), 0);
    assert_int_equal(x.st_ino, y.st_ino);
    assert_int_equal(stat(in(w, "m/closed"), &y), 0);
    assert_int_equal(y.st_mode & 07777, 0500);
    assert_int_equal(unlink(in(w, "t/large")), 0);
    assert_true(file_exists(in(w, "m/large")));
}

#define BUNDLE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUNDLE_TEST(what_comes_out_is_what_went_in), BUNDLE_TEST(what_is_not_whole_is_refused), BUNDLE_TEST(damage_is_found),
        BUNDLE_TEST(nothing_leads_out), BUNDLE_TEST(a_mirror_shares_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
