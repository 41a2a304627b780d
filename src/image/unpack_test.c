/* image: layers as overlayfs wants them, and layers that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/unpack.h"
#include "os/dir.h"
#include "os/fd.h"

struct item {
    const char *name;
    unsigned type;    /* AE_IF*; 0 = hard link */
    const char *text; /* content, or the link's target */
    unsigned mode;    /* 0: 0644, 0755 */
    const char *xattr;
};

struct place {
    char dir[64];
    struct arena a;
    struct unpack_result r;
    struct err e;
    int made;
};

static int up(void **state)
{
    struct place *p = mem_zalloc(sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/var/tmp/skiff-unpack-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    arena_init(&p->a);
    *state = p;
    return 0;
}

static int down(void **state)
{
    struct place *p = *state;
    struct err e;
    assert_true(dir_remove_tree(p->dir, &e));
    arena_fini(&p->a);
    free(p);
    return 0;
}

static const char *at(struct place *p, const char *name) { return str_fmt(&p->a, "%s/%s", p->dir, name).p; }

static void entry_write(struct archive *ar, const struct item *it)
{
    struct archive_entry *ae = archive_entry_new();
    bool file = it->type == AE_IFREG;
    archive_entry_set_pathname(ae, it->name);
    archive_entry_set_filetype(ae, it->type ? it->type : AE_IFREG);
    archive_entry_set_perm(ae, it->mode ? it->mode : it->type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_size(ae, file ? (la_int64_t)strlen(it->text) : 0);
    archive_entry_set_mtime(ae, 1000000000, 0);
    archive_entry_set_uid(ae, 12);
    archive_entry_set_gid(ae, 34);
    if (it->type == AE_IFLNK) archive_entry_set_symlink(ae, it->text);
    if (!it->type) archive_entry_set_hardlink(ae, it->text);
    if (it->xattr) archive_entry_xattr_add_entry(ae, it->xattr, "v", 1);
    assert_int_equal(archive_write_header(ar, ae), ARCHIVE_OK);
    if (file) assert_int_equal(archive_write_data(ar, it->text, strlen(it->text)), strlen(it->text));
    archive_entry_free(ae);
}

enum packing { TAR, GZIP, ZSTD };

static const char *tar_make(struct place *p, enum packing packing, const struct item *items, size_t n)
{
    const char *path = at(p, str_fmt(&p->a, "tar-%d", p->made++).p);
    struct archive *ar = archive_write_new();
    archive_write_set_format_pax(ar);
    if (packing == GZIP) archive_write_add_filter_gzip(ar);
    if (packing == ZSTD) archive_write_add_filter_zstd(ar);
    archive_write_set_bytes_in_last_block(ar, 1);
    assert_int_equal(archive_write_open_filename(ar, path), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++) entry_write(ar, &items[i]);
    assert_int_equal(archive_write_close(ar), ARCHIVE_OK);
    archive_write_free(ar);
    return path;
}

struct how {
    const char *blob, *diff;
    const int *lower;
    size_t n_lower;
    bool upper;
};

/* Into the directory `to`, made here. */
static bool unpack(struct place *p, const char *tar, const char *to, struct how how)
{
    struct stat st;
    CLEANUP(close_fd) int fd = open(tar, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && mkdir(at(p, to), 0700) == 0);
    CLEANUP(close_fd) int root = open(at(p, to), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct unpack_opts o = {.source = {fd, 0, (uint64_t)st.st_size}, .blob_digest = str_of(how.blob), .diff_id = str_of(how.diff),
                            .root_fd = root, .lowest = !how.upper, .lower_fds = how.lower, .n_lower = how.n_lower};
    p->e = (struct err){0};
    return layer_unpack(&o, &p->r, &p->e);
}

static bool unpack_items(struct place *p, const struct item *items, size_t n, const char *to)
{
    return unpack(p, tar_make(p, TAR, items, n), to, (struct how){0});
}

static struct str text_of(struct place *p, const char *name)
{
    struct str s;
    if (!file_read(&p->a, at(p, name), 1 << 20, &s, &p->e)) fail_msg("%s: %s", name, p->e.text);
    return s;
}

static struct stat stat_of(struct place *p, const char *name)
{
    struct stat st;
    if (lstat(at(p, name), &st) != 0) fail_msg("%s is missing", name);
    return st;
}

static bool is_whiteout(struct place *p, const char *name)
{
    struct stat st = stat_of(p, name);
    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static bool is_opaque(struct place *p, const char *name)
{
    char v[4];
    return getxattr(at(p, name), "user.overlay.opaque", v, sizeof v) == 1 && v[0] == 'y';
}

static void what_a_layer_describes_is_made(void **state)
{
    struct place *p = *state;
    static const struct item items[] = {
        {"./", AE_IFDIR, NULL, 0750, NULL}, {"bin/", AE_IFDIR, NULL, 0, NULL}, {"bin/su", AE_IFREG, "su", 04755, "user.note"},
        {"bin/sudo", 0, "bin/su", 0, NULL}, {"sh", AE_IFLNK, "/bin/su", 0, NULL}, {"closed/", AE_IFDIR, NULL, 0500, NULL},
        {"closed/in", AE_IFREG, "x", 0400, "security.capability"}, {"fifo", AE_IFIFO, NULL, 0600, NULL},
        {"null", AE_IFCHR, NULL, 0666, NULL}, {"/abs", AE_IFREG, "", 0, "user.overlay.redirect"}, {"lib", AE_IFLNK, "usr/lib", 0, NULL},
        {"usr/lib/", AE_IFDIR, NULL, 0, NULL}, {"lib/so", AE_IFREG, "so", 0, NULL}, {"d\xc3\xa4", AE_IFREG, "a", 0, NULL},
    };
    for (enum packing k = TAR; k <= ZSTD; k++) {
        char to[8], name[64], v[4];
        snprintf(to, sizeof to, "o%d", k);
        if (!unpack(p, tar_make(p, k, items, ARRAY_LEN(items)), to, (struct how){0})) fail_msg("%s", p->e.text);
#define IN(f) (snprintf(name, sizeof name, "%s/%s", to, f), name)
        assert_int_equal(stat_of(p, to).st_mode & 07777, 0750);
        struct stat su = stat_of(p, IN("bin/su"));
        assert_int_equal(su.st_mode & 07777, 04755);
        assert_int_equal(su.st_mtime, 1000000000);
        assert_int_equal(su.st_nlink, 2);
        assert_int_equal(stat_of(p, IN("bin/sudo")).st_ino, su.st_ino);
        if (geteuid() == 0) assert_true(su.st_uid == 12 && su.st_gid == 34);
        assert_int_equal(stat_of(p, IN("bin")).st_mtime, 1000000000); /* although files came into it later */
        assert_int_equal(stat_of(p, IN("closed")).st_mode & 07777, 0500);
        assert_true(S_ISLNK(stat_of(p, IN("sh")).st_mode) && S_ISFIFO(stat_of(p, IN("fifo")).st_mode));
        assert_true(access(at(p, IN("null")), F_OK) != 0);
        assert_int_equal(p->r.devices, 1);
        assert_true(p->r.xattrs >= 2); /* libarchive writes each under two names */
        assert_int_equal(getxattr(at(p, IN("bin/su")), "user.note", v, sizeof v), 1);
        assert_true(getxattr(at(p, IN("abs")), "user.overlay.redirect", v, sizeof v) < 0);
        assert_string_equal(text_of(p, IN("usr/lib/so")).p, "so"); /* through a link that stays inside */
        assert_string_equal(text_of(p, IN("d\xc3\xa4")).p, "a");
    }
}

static void whiteouts_become_overlayfs_own(void **state)
{
    struct place *p = *state;
    static const struct item items[] = {
        {"a/", AE_IFDIR, NULL, 0, NULL}, {"a/.wh.gone", AE_IFREG, "", 0, NULL}, {"b/", AE_IFDIR, NULL, 0, NULL},
        {"b/.wh..wh..opq", AE_IFREG, "", 0, NULL}, {"b/new", AE_IFREG, "n", 0, NULL}, {"c/", AE_IFDIR, NULL, 0, NULL},
        {"c/f", AE_IFREG, "f", 0, NULL}, {".wh.c", AE_IFREG, "", 0, NULL}, {".wh.d", AE_IFREG, "", 0, NULL},
        {"d/", AE_IFDIR, NULL, 0, NULL}, {"d/x", AE_IFREG, "x", 0, NULL}, {".wh.e", AE_IFREG, "", 0, NULL}, {"e", AE_IFREG, "e", 0, NULL},
        {".wh..wh.plnk", AE_IFREG, "", 0, NULL}, {".wh.g", AE_IFREG, "", 0, NULL}, {"g/h/i", AE_IFREG, "i", 0, NULL},
    };
    if (!unpack_items(p, items, ARRAY_LEN(items), "o")) fail_msg("%s", p->e.text);
    assert_true(is_whiteout(p, "o/a/gone"));
    assert_true(is_opaque(p, "o/b") && !is_opaque(p, "o/a"));
    assert_true(is_opaque(p, "o/c") && access(at(p, "o/c/f"), F_OK) == 0); /* its own file stays */
    assert_true(is_opaque(p, "o/d") && access(at(p, "o/d/x"), F_OK) == 0);
    assert_string_equal(text_of(p, "o/e").p, "e");
    assert_true(is_opaque(p, "o/g"));
    assert_string_equal(text_of(p, "o/g/h/i").p, "i");
    assert_true(access(at(p, "o/.wh..wh.plnk"), F_OK) != 0);
}

static void later_entries_replace_earlier_ones(void **state)
{
    struct place *p = *state;
    static const struct item items[] = {
        {"a", AE_IFREG, "1", 0, NULL}, {"a", AE_IFREG, "22", 0600, NULL}, {"b/", AE_IFDIR, NULL, 0, NULL}, {"b/c", AE_IFREG, "c", 0, NULL},
        {"b", AE_IFLNK, "d", 0, NULL}, {"d/", AE_IFDIR, NULL, 0, NULL}, {"b/e", AE_IFREG, "e", 0, NULL}, {"a", AE_IFDIR, NULL, 0, NULL},
        {"a/f", AE_IFREG, "f", 0, NULL}, {"h", 0, "a/f", 0, NULL}, {"h", 0, "h", 0, NULL},
    };
    if (!unpack_items(p, items, ARRAY_LEN(items), "o")) fail_msg("%s", p->e.text);
    assert_string_equal(text_of(p, "o/d/e").p, "e");
    assert_string_equal(text_of(p, "o/h").p, "f");
}

/* What a directory was to get goes to that directory only, not to what a link in its place leads to. */
static void a_directory_may_be_replaced(void **state)
{
    struct place *p = *state;
    static const struct item items[] = {
        {"out/", AE_IFDIR, NULL, 0711, NULL}, {"out", AE_IFLNK, "/", 0, NULL}, {"l/", AE_IFDIR, NULL, 0711, NULL}, {"l/sub/f", AE_IFREG, "f", 0, NULL},
        {"l", AE_IFLNK, "kept", 0, NULL}, {"kept/", AE_IFDIR, NULL, 0750, NULL}, {"kept/sub/", AE_IFDIR, NULL, 0700, NULL},
        {"self/", AE_IFDIR, NULL, 0711, NULL}, {"self", AE_IFLNK, "self", 0, NULL},
    };
    if (!unpack_items(p, items, ARRAY_LEN(items), "o")) fail_msg("%s", p->e.text);
    assert_true(S_ISLNK(stat_of(p, "o/out").st_mode) && S_ISLNK(stat_of(p, "o/self").st_mode) && S_ISLNK(stat_of(p, "o/l").st_mode));
    assert_int_equal(stat_of(p, "o/kept").st_mode & 07777, 0750);
    assert_int_equal(stat_of(p, "o/kept/sub").st_mode & 07777, 0700);
}

/* The file system gives the number of a directory that was removed to the next one, and a link leads there. */
static void a_number_may_be_used_again(void **state)
{
    struct place *p = *state;
    static const struct item items[] = {
        {"x", AE_IFREG, "", 0, NULL}, {"y", AE_IFREG, "", 0, NULL}, {"l/", AE_IFDIR, NULL, 0711, NULL},
        {"x", 0, "y", 0, NULL}, {"l", AE_IFLNK, "kept", 0, NULL}, /* takes the number that x had */
        {"kept/", AE_IFDIR, NULL, 0750, NULL}, {"kept/", AE_IFDIR, NULL, 0700, NULL},
    };
    if (!unpack_items(p, items, ARRAY_LEN(items), "o")) fail_msg("%s", p->e.text);
    assert_true(S_ISLNK(stat_of(p, "o/l").st_mode));
    assert_int_equal(stat_of(p, "o/kept").st_mode & 07777, 0700);
}

static void nothing_leads_out(void **state)
{
    struct place *p = *state;
    static const struct { const char *says; struct item items[3]; size_t n; } rows[] = {
        {"'..'", {{"../x", AE_IFREG, "x", 0, NULL}}, 1},
        {"'..'", {{"a/../../x", AE_IFREG, "x", 0, NULL}}, 1},
        {"leads out", {{"l", AE_IFLNK, "/", 0, NULL}, {"l/x", AE_IFREG, "x", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"l/x", AE_IFREG, "x", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "/etc/nowhere", 0, NULL}, {"l/x/y", AE_IFREG, "x", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "gone", 0, NULL}, {"l/x", AE_IFREG, "x", 0, NULL}}, 2},
        {"circle", {{"l", AE_IFLNK, "l", 0, NULL}, {"l/x", AE_IFREG, "x", 0, NULL}}, 2},
        {"no directory", {{"f", AE_IFREG, "", 0, NULL}, {"f/x", AE_IFREG, "x", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"x", 0, "l/victim", 0, NULL}}, 2},
        {"'..'", {{"x", 0, "../victim", 0, NULL}}, 1},
        {"no file of the image", {{"x", 0, "/etc/passwd", 0, NULL}}, 1},
        {"no file of the image", {{"d/", AE_IFDIR, NULL, 0, NULL}, {"x", 0, "d", 0, NULL}}, 2},
        {"no file of the image", {{".wh.w", AE_IFREG, "", 0, NULL}, {"x", 0, "w", 0, NULL}}, 2},
        {"hides nothing", {{".wh...", AE_IFREG, "", 0, NULL}}, 1},
        {"hides nothing", {{".wh.", AE_IFREG, "", 0, NULL}}, 1},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"l/.wh.victim", AE_IFREG, "", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"l/.wh..wh..opq", AE_IFREG, "", 0, NULL}}, 2},
        {"without a name", {{"./", AE_IFREG, "x", 0, NULL}}, 1},
        {"leads out", {{"l", AE_IFLNK, "a/../../victim", 0, NULL}, {"a/", AE_IFDIR, NULL, 0, NULL}, {"l/x", AE_IFREG, "x", 0, NULL}}, 3},
        {"leads out", {{"a", AE_IFLNK, ".", 0, NULL}, {"l", AE_IFLNK, "a/a/..", 0, NULL}, {"l/victim", 0, "l/victim", 0, NULL}}, 3},
        {"leads out", {{"l", AE_IFLNK, "/proc/self/root", 0, NULL}, {"l/x", AE_IFREG, "x", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "/proc/self/cwd", 0, NULL}, {"l/x", AE_IFDIR, NULL, 0, NULL}}, 2},
        {"leads out", {{"f", AE_IFREG, "f", 0, NULL}, {"l", AE_IFLNK, "..", 0, NULL}, {"l/x", 0, "f", 0, NULL}}, 3},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"l/x", AE_IFIFO, NULL, 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"l/x", AE_IFLNK, "victim", 0, NULL}}, 2},
        {"leads out", {{"l", AE_IFLNK, "..", 0, NULL}, {"l/victim", AE_IFDIR, NULL, 0777, NULL}}, 2},
        {"no file of the image", {{"x", 0, "/proc/self/root/etc/passwd", 0, NULL}}, 1},
        {"no directory", {{".wh.w", AE_IFREG, "", 0, NULL}, {"w", AE_IFIFO, NULL, 0, NULL}, {"w/x", AE_IFREG, "x", 0, NULL}}, 3},
    };
    assert_true(file_write_atomic(at(p, "victim"), STR("safe"), 0600, false, &p->e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *to = str_fmt(&p->a, "o%zu", i).p;
        if (unpack_items(p, rows[i].items, rows[i].n, to)) fail_msg("row %zu was unpacked", i);
        if (!strstr(p->e.text, rows[i].says)) fail_msg("row %zu: %s", i, p->e.text);
        assert_int_equal(p->e.code, ERR_SPEC);
        assert_true(access(at(p, "x"), F_OK) != 0);
        assert_string_equal(text_of(p, "victim").p, "safe");
        assert_int_equal(stat_of(p, "victim").st_nlink, 1);
    }
}

static void a_link_itself_is_never_written_through(void **state)
{
    struct place *p = *state;
    struct item items[] = {{"l", AE_IFLNK, at(p, "victim"), 0, NULL}, {"l", AE_IFREG, "new", 0777, NULL},
                           {"m", AE_IFLNK, at(p, "dir"), 0, NULL}, {"m", AE_IFDIR, NULL, 0777, NULL}, {"m/x", AE_IFREG, "x", 0, NULL}};
    assert_true(file_write_atomic(at(p, "victim"), STR("safe"), 0600, false, &p->e));
    assert_int_equal(mkdir(at(p, "dir"), 0700), 0);
    if (!unpack_items(p, items, ARRAY_LEN(items), "o")) fail_msg("%s", p->e.text);
    assert_string_equal(text_of(p, "victim").p, "safe");
    assert_int_equal(stat_of(p, "victim").st_mode & 0777, 0600);
    assert_int_equal(stat_of(p, "dir").st_mode & 0777, 0700);
    assert_true(access(at(p, "dir/x"), F_OK) != 0);
}

static void what_needs_the_layers_below_says_so(void **state)
{
    struct place *p = *state;
    static const struct item base[] = {{"tmp/", AE_IFDIR, NULL, 01777, NULL}, {"f", AE_IFREG, "below", 0, NULL}, {"g/", AE_IFDIR, NULL, 0, NULL},
                                       {"g/k", AE_IFREG, "k", 0, NULL}};
    static const struct item mid[] = {{"g/", AE_IFDIR, NULL, 0, NULL}, {"g/.wh..wh..opq", AE_IFREG, "", 0, NULL}, {".wh.h", AE_IFREG, "", 0, NULL}};
    static const struct item links[] = {{"g2", 0, "f", 0, NULL}, {"tmp/new", AE_IFREG, "n", 0, NULL}}, hidden[] = {{"x", 0, "g/k", 0, NULL}};
    const char *tar = tar_make(p, TAR, links, ARRAY_LEN(links));
    assert_true(unpack_items(p, base, ARRAY_LEN(base), "base") && unpack_items(p, mid, ARRAY_LEN(mid), "mid"));
    assert_false(unpack(p, tar, "o", (struct how){.upper = true}));
    assert_true(p->r.needs_lower);
    int lower[2] = {open(at(p, "mid"), O_RDONLY | O_DIRECTORY | O_CLOEXEC), open(at(p, "base"), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    struct how how = {.upper = true, .lower = lower, .n_lower = 2};
    if (!unpack(p, tar, "o2", how)) fail_msg("%s", p->e.text);
    assert_string_equal(text_of(p, "o2/g2").p, "below");
    assert_int_equal(stat_of(p, "o2/tmp").st_mode & 07777, 01777); /* as below, not as made in passing */
    static const struct item through[] = {{"y", 0, "way/etc/passwd", 0, NULL}}, onto[] = {{"z", 0, "away", 0, NULL}, {"z", AE_IFREG, "new", 0, NULL}};
    static const struct item lures[] = {{"way", AE_IFLNK, "/", 0, NULL}, {"away", AE_IFLNK, "/etc/hostname", 0, NULL}};
    assert_true(unpack_items(p, lures, ARRAY_LEN(lures), "lures"));
    int lure = open(at(p, "lures"), O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* links below are not gone through */
    assert_false(unpack(p, tar_make(p, TAR, through, 1), "o4", (struct how){.upper = true, .lower = &lure, .n_lower = 1}));
    assert_non_null(strstr(p->e.text, "no file of the image"));
    if (!unpack(p, tar_make(p, TAR, onto, 2), "o5", (struct how){.upper = true, .lower = &lure, .n_lower = 1})) fail_msg("%s", p->e.text);
    assert_string_equal(text_of(p, "o5/z").p, "new");
    assert_true(S_ISLNK(stat_of(p, "lures/away").st_mode));
    close(lure);
    assert_false(unpack(p, tar_make(p, TAR, hidden, 1), "o3", how));
    assert_non_null(strstr(p->e.text, "no file of the image"));
    close(lower[0]);
    close(lower[1]);
}

static void wrong_bytes_are_noticed(void **state)
{
    struct place *p = *state;
    static const struct item items[] = {{"a", AE_IFREG, "some text", 0, NULL}};
    static const char zeros[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for (enum packing k = TAR; k <= ZSTD; k++) {
        const char *tar = tar_make(p, k, items, 1);
        struct str bytes = text_of(p, str_fmt(&p->a, "tar-%d", p->made - 1).p);
        struct str right = digest_of(&p->a, bytes);
        const char *to = str_fmt(&p->a, "a%d", k).p;
        if (!unpack(p, tar, to, (struct how){.blob = right.p})) fail_msg("%s", p->e.text);
        assert_false(unpack(p, tar, str_fmt(&p->a, "b%d", k).p, (struct how){.blob = zeros}));
        assert_non_null(strstr(p->e.text, "instead of sha256:0000"));
        assert_false(unpack(p, tar, str_fmt(&p->a, "c%d", k).p, (struct how){.diff = zeros}));
        assert_non_null(strstr(p->e.text, "instead of sha256:0000"));
        CLEANUP(close_fd) int fd = open(tar, O_WRONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, (off_t)bytes.n / 2), 0);
        assert_false(unpack(p, tar, str_fmt(&p->a, "d%d", k).p, (struct how){.blob = right.p}));
        assert_int_equal(p->e.code, ERR_SPEC);
    }
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* for libarchive as it writes */
#define UNIT(t) cmocka_unit_test_setup_teardown(t, up, down)
    const struct CMUnitTest tests[] = {
        UNIT(what_a_layer_describes_is_made), UNIT(whiteouts_become_overlayfs_own), UNIT(later_entries_replace_earlier_ones),
        UNIT(a_directory_may_be_replaced), UNIT(a_number_may_be_used_again), UNIT(nothing_leads_out), UNIT(a_link_itself_is_never_written_through),
        UNIT(what_needs_the_layers_below_says_so), UNIT(wrong_bytes_are_noticed),
    };
    return cmocka_run_group_tests_name("image layers", tests, NULL, NULL);
}
