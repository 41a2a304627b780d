/* stack: a file of stacked layers, by way of links, whiteouts and opaque directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/image.h"
#include "os/dir.h"
#include "os/fd.h"

static struct arena a;
static char dir[] = "/var/tmp/skiff-stack-XXXXXX";
static struct image_layer layers[3]; /* lowest first */
static struct image_info info = {.layers = layers, .n_layers = 3};

static const char *at(int layer, const char *name) { return str_fmt(&a, "%s/%d/%s", dir, layer, name).p; }

static void put(int layer, const char *name, const char *text)
{
    struct err e;
    const char *path = at(layer, name);
    assert_true(dir_make_all(str_dup(&a, str_n(path, (size_t)(strrchr(path, '/') - path))).p, 0755, &e));
    if (strncmp(text, "->", 2) == 0) assert_int_equal(symlink(text + 2, path), 0);
    else assert_true(file_write_atomic(path, str_of(text), 0644, false, &e));
}

static int up(void **state)
{
    arena_init(&a);
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 3; i++) layers[i].dir = str_of(str_fmt(&a, "%s/%d", dir, i).p);
    put(0, "etc/passwd", "lowest");
    put(0, "etc/group", "group of the lowest");
    put(0, "usr/share/x", "x");
    put(0, "opt/below", "hidden");
    put(0, "gone/file", "hidden");
    put(1, "etc/passwd", "middle");
    put(1, "links/absolute", "->/usr/share/x");
    put(1, "links/relative", "->../usr/./share//x");
    put(1, "links/up", "->../../../../../../../../../../../etc/passwd");
    put(1, "links/dir", "->/usr/share");
    put(1, "links/loop", "->loop");
    put(1, "links/nowhere", "->/none");
    put(2, "opt/above", "seen");
    put(2, "links/etc", "->/etc");
    assert_int_equal(setxattr(at(2, "opt"), "user.overlay.opaque", "y", 1, 0), 0);
    assert_int_equal(mkfifo(at(2, "fifo"), 0644), 0);
    assert_true(mknod(at(2, "gone"), S_IFCHR, 0) == 0);
    return 0;
}

static int down(void **state)
{
    struct err e;
    assert_true(dir_remove_tree(dir, &e));
    arena_fini(&a);
    return 0;
}

static void files_are_found_as_overlayfs_shows_them(void **state)
{
    static const struct { const char *path, *want; } rows[] = {
        {"etc/passwd", "middle"}, {"/etc/passwd", "middle"}, {"etc/group", "group of the lowest"}, {"links/absolute", "x"}, {"links/relative", "x"},
        {"links/up", "middle"}, {"links/dir/x", "x"}, {"links/etc/group", "group of the lowest"}, {"links/etc/../etc/passwd", "middle"},
        {"opt/above", "seen"}, {"opt/below", NULL}, {"gone/file", NULL}, {"links/loop", NULL}, {"links/nowhere", NULL}, {"fifo", NULL}, {"etc", NULL},
        {"etc/passwd/x", NULL}, {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str text;
        struct err e = {0};
        bool found = image_read(&a, &info, rows[i].path, 100, &text, &e);
        if (found != (rows[i].want != NULL) || (found && !str_is(text, rows[i].want))) fail_msg("%s", rows[i].path);
        assert_true(found || e.code == ERR_NOT_FOUND);
    }
    struct str text;
    assert_false(image_read(&a, &info, "etc/passwd", 5, &text, &(struct err){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_found_as_overlayfs_shows_them)};
    return cmocka_run_group_tests(tests, up, down);
}
