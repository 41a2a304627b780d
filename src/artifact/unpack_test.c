/* artifact: archives at the border: deterministic out, suspicious in. */
#include "artifact/artifact_test_p.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/limits.h"

#define UNIT(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

struct item {
    const char *name;
    unsigned type; /* AE_IF*; 0 = hard link */
    const char *text; /* content, or the link's target */
};

enum packing { TGZ, TAR, ZIP };

static void entry_write(struct archive *ar, const struct item *it)
{
    struct archive_entry *ae = archive_entry_new();
    bool file = it->type == AE_IFREG;
    archive_entry_set_pathname(ae, it->name);
    archive_entry_set_filetype(ae, it->type ? it->type : AE_IFREG);
    archive_entry_set_perm(ae, 04755);
    archive_entry_set_size(ae, file ? (la_int64_t)strlen(it->text) : 0);
    if (it->type == AE_IFLNK) archive_entry_set_symlink(ae, it->text);
    if (!it->type) archive_entry_set_hardlink(ae, it->text);
    assert_int_equal(archive_write_header(ar, ae), ARCHIVE_OK);
    if (file) assert_int_equal(archive_write_data(ar, it->text, strlen(it->text)), strlen(it->text));
    archive_entry_free(ae);
}

static const char *archive_make(struct scratch *s, enum packing packing, const struct item *items, size_t n)
{
    const char *path = at(s, "archive");
    struct archive *ar = archive_write_new();
    if (packing == ZIP) archive_write_set_format_zip(ar);
    else archive_write_set_format_gnutar(ar);
    if (packing == TGZ) archive_write_add_filter_gzip(ar);
    assert_int_equal(archive_write_open_filename(ar, path), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++) entry_write(ar, &items[i]);
    assert_int_equal(archive_write_close(ar), ARCHIVE_OK);
    archive_write_free(ar);
    return path;
}

static bool import(struct scratch *s, const char *path, enum artifact_archive archive, struct artifact_content *c)
{
    s->e = (struct err){0};
    return artifact_import(s->repo, &(struct artifact_import){.path = path, .archive = archive}, c, &s->e);
}

static void hostile_archives_are_refused(void **state)
{
    struct scratch *s = *state;
    put(s, "victim", "safe", 0644);
    const char *outside = s->dir;
    static const char over[] = "overwritten";
    const struct { const char *says; struct item items[3]; size_t n; } rows[] = {
        {"has '..' in it", {{"../victim", AE_IFREG, over}}, 1},
        {"has '..' in it", {{"a/../../victim", AE_IFREG, over}}, 1},
        {"is an absolute path", {{at(s, "victim"), AE_IFREG, over}}, 1},
        {"goes through 'l'", {{"l", AE_IFLNK, outside}, {"l/victim", AE_IFREG, over}}, 2},
        {"goes through 'l'", {{"d/l", AE_IFLNK, outside}, {"d/l/new/file", AE_IFREG, over}}, 2},
        {"goes through 'l'", {{"l", AE_IFLNK, "."}, {"l", AE_IFDIR, ""}}, 2},
        {"is a device", {{"dev", AE_IFCHR, ""}}, 1},
        {"is a device", {{"dev", AE_IFBLK, ""}}, 1},
        {"is a device", {{"pipe", AE_IFIFO, ""}}, 1},
        {"is an absolute path", {{"h", 0, at(s, "victim")}}, 1},
        {"has '..' in it", {{"h", 0, "../../../victim"}}, 1},
        {"goes through 'l'", {{"l", AE_IFLNK, outside}, {"h", 0, "l/victim"}}, 2},
        {"which is no file in it", {{"l", AE_IFLNK, at(s, "victim")}, {"h", 0, "l"}}, 2},
        {"which is no file in it", {{"h", 0, "nothing"}}, 1},
        {"would replace a directory", {{"d/x", AE_IFREG, "1"}, {"d", AE_IFREG, over}}, 2},
        {"goes through 'f'", {{"f", AE_IFREG, "1"}, {"f/x", AE_IFREG, over}}, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct artifact_content c;
        const char *path = archive_make(s, TGZ, rows[i].items, rows[i].n);
        assert_false(import(s, path, ARTIFACT_ARCHIVE_AUTO, &c));
        assert_int_equal(s->e.code, ERR_SPEC);
        if (!strstr(s->e.text, rows[i].says)) fail_msg("row %zu: %s", i, s->e.text);
        assert_string_equal(slurp(s, at(s, "victim")).p, "safe");
        assert_int_equal(access(at(s, "new"), F_OK), -1);
        assert_int_equal(id_count(s), 0); /* nothing half done stays */
    }
}

static void a_link_can_be_replaced_but_not_written_through(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    put(s, "victim", "safe", 0644);
    const struct item items[] = {{"l", AE_IFLNK, at(s, "victim")}, {"l", AE_IFREG, "file"}, {"m", AE_IFREG, "m"}};
    assert_true(import(s, archive_make(s, TGZ, items, 3), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_string_equal(slurp(s, place(s, c.id, "l").path.p).p, "file");
    assert_string_equal(slurp(s, at(s, "victim")).p, "safe");
}

static void hard_links_inside_become_copies(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    struct stat st;
    const struct item items[] = {{"d/a", AE_IFREG, "text"}, {"d/b", 0, "d/a"}, {"./c", AE_IFDIR, ""}};
    assert_true(import(s, archive_make(s, TGZ, items, 3), ARTIFACT_ARCHIVE_AUTO, &c));
    struct artifact_place b = place(s, c.id, "d/b");
    assert_string_equal(slurp(s, b.path.p).p, "text");
    assert_int_equal(stat(b.path.p, &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(mode_of(b.path.p), 0755);
    assert_int_equal(c.files, 2);
}

static void single_entries_take_the_archives_place(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    const struct item file[] = {{"hello.txt", AE_IFREG, "hi"}};
    const struct item dir[] = {{"out/", AE_IFDIR, ""}, {"out/x", AE_IFREG, "1"}, {"out/y", AE_IFREG, "2"}};
    const struct item two[] = {{"x", AE_IFREG, "1"}, {"y", AE_IFREG, "2"}};
    const struct item link[] = {{"l", AE_IFLNK, "/etc/passwd"}};
    assert_true(import(s, archive_make(s, TGZ, file, 1), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(c.form, ARTIFACT_FILE);
    assert_string_equal(slurp(s, place(s, c.id, NULL).path.p).p, "hi");
    assert_true(import(s, archive_make(s, TGZ, dir, 3), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(c.form, ARTIFACT_TREE);
    assert_string_equal(slurp(s, place(s, c.id, "x").path.p).p, "1");
    assert_true(import(s, archive_make(s, TGZ, two, 2), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_string_equal(slurp(s, place(s, c.id, "y").path.p).p, "2");
    assert_true(import(s, archive_make(s, TGZ, link, 1), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(c.form, ARTIFACT_TREE);
    assert_true(import(s, archive_make(s, TGZ, NULL, 0), ARTIFACT_ARCHIVE_TAR, &c));
    assert_int_equal(c.form, ARTIFACT_TREE);
    assert_int_equal(c.files, 0);
    assert_int_equal(id_count(s), 5);
}

static void only_gzipped_tar_is_found_by_itself(void **state)
{
    struct scratch *s = *state;
    const struct item items[] = {{"a", AE_IFREG, "1"}, {"b", AE_IFREG, "2"}};
    static const struct { enum packing packing; enum artifact_archive archive; int form; } rows[] = {
        {TGZ, ARTIFACT_ARCHIVE_AUTO, ARTIFACT_TREE}, {TAR, ARTIFACT_ARCHIVE_AUTO, ARTIFACT_FILE},
        {ZIP, ARTIFACT_ARCHIVE_AUTO, ARTIFACT_FILE}, {TGZ, ARTIFACT_ARCHIVE_NONE, ARTIFACT_FILE},
        {TAR, ARTIFACT_ARCHIVE_TAR, ARTIFACT_TREE},  {ZIP, ARTIFACT_ARCHIVE_ZIP, ARTIFACT_TREE},
        {ZIP, ARTIFACT_ARCHIVE_TAR, -1},             {TGZ, ARTIFACT_ARCHIVE_ZIP, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct artifact_content c;
        bool ok = import(s, archive_make(s, rows[i].packing, items, 2), rows[i].archive, &c);
        assert_int_equal(ok ? (int)c.form : -1, rows[i].form);
        if (!ok) assert_int_equal(s->e.code, ERR_SPEC);
    }
    struct artifact_content c;
    assert_true(import(s, put(s, "plain", "just text", 0600), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(c.form, ARTIFACT_FILE);
    static const char gz[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\xc8\xe4\x02\0\x7a\x7a\x6f\xed\x03\0\0\0"; /* "hi" */
    assert_true(import(s, put_bytes(s, "gz", str_n(gz, sizeof gz - 1), 0600), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(c.form, ARTIFACT_FILE);
    assert_true(import(s, put(s, "empty", "", 0600), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(c.form, ARTIFACT_FILE);
}

static const char *big_header(struct scratch *s, la_int64_t size)
{
    const char *path = at(s, "archive");
    struct archive *ar = archive_write_new();
    struct archive_entry *ae = archive_entry_new();
    archive_write_set_format_pax(ar);
    archive_write_set_bytes_per_block(ar, 0);
    assert_int_equal(archive_write_open_filename(ar, path), ARCHIVE_OK);
    archive_entry_set_pathname(ae, "big");
    archive_entry_set_filetype(ae, AE_IFREG);
    archive_entry_set_size(ae, size);
    assert_int_equal(archive_write_header(ar, ae), ARCHIVE_OK);
    archive_write_data(ar, "x", 1);
    archive_entry_free(ae);
    archive_write_fail(ar);
    archive_write_close(ar);
    archive_write_free(ar);
    return path;
}

static void bombs_hit_the_limits(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    assert_false(import(s, big_header(s, INT64_MAX / 2), ARTIFACT_ARCHIVE_TAR, &c));
    assert_int_equal(s->e.code, ERR_LIMIT);
    const struct item items[] = {{"a", AE_IFREG, "123456789"}, {"b", AE_IFREG, "123456789"}};
    const char *path = archive_make(s, TGZ, items, 2);
    struct artifact_import in = {.path = path, .max_bytes = 17};
    assert_false(artifact_import(s->repo, &in, &c, &s->e));
    assert_int_equal(s->e.code, ERR_LIMIT);
    in.max_bytes = 18;
    assert_true(artifact_import(s->repo, &in, &c, &s->e));
    char *deep = arena_alloc_bytes(&s->a, 2 * LIMIT_ARTIFACT_DEPTH + 8);
    for (size_t i = 0; i <= LIMIT_ARTIFACT_DEPTH; i++) memcpy(deep + 2 * i, "d/", 2);
    memcpy(deep + 2 * (LIMIT_ARTIFACT_DEPTH + 1), "f", 2);
    const struct item nested[] = {{deep, AE_IFREG, "x"}};
    assert_false(import(s, archive_make(s, TGZ, nested, 1), ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(s->e.code, ERR_LIMIT);
    assert_int_equal(id_count(s), 1);
}

static void cut_archives_are_errors(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    char text[4000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('!' + (i * 7919 + i * i) % 90);
    text[sizeof text - 1] = 0;
    const struct item items[] = {{"a", AE_IFREG, text}};
    const char *path = archive_make(s, TGZ, items, 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    assert_false(import(s, path, ARTIFACT_ARCHIVE_AUTO, &c));
    assert_int_equal(s->e.code, ERR_SPEC);
    assert_int_equal(id_count(s), 0);
}

/* --------------------------------------------------------------------------------- export */

static struct str export(struct scratch *s, const char *id, enum artifact_archive archive, const char *file)
{
    const char *path = at(s, file);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct artifact_ref ref = {.id = str_of(id)};
    struct artifact_export how = {.fd = fd, .archive = archive, .level = -1, .name = "out"};
    if (!artifact_export(s->repo, &ref, &how, &s->e)) fail_msg("%s", s->e.text);
    close(fd);
    return slurp(s, path);
}

static void fill(struct scratch *s, const char *dir, bool reverse)
{
    static const char *const names[] = {"a", "b", "z\xc3\xa9", "B"};
    make_dir(s, dir);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *name = names[reverse ? ARRAY_LEN(names) - 1 - i : i];
        put(s, str_fmt(&s->a, "%s/%s", dir, name).p, name, reverse ? 0600 : 0664);
    }
    make_dir(s, str_fmt(&s->a, "%s/sub", dir).p);
    put(s, str_fmt(&s->a, "%s/sub/x", dir).p, "x", 0755);
    assert_int_equal(symlink("sub/x", at(s, str_fmt(&s->a, "%s/l", dir).p)), 0);
}

static void exports_are_deterministic_and_come_back(void **state)
{
    struct scratch *s = *state;
    struct artifact_content one, two, back;
    fill(s, "one", false);
    fill(s, "two", true);
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, at(s, "two/a"), old, 0), 0);
    assert_true(artifact_save(s->repo, &(struct artifact_save){.path = at(s, "one"), .move = true}, &one, &s->e));
    assert_true(artifact_save(s->repo, &(struct artifact_save){.path = at(s, "two"), .move = true}, &two, &s->e));
    static const enum artifact_archive forms[] = {ARTIFACT_ARCHIVE_TAR, ARTIFACT_ARCHIVE_ZIP};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct str x = export(s, one.id, forms[i], "x"), y = export(s, two.id, forms[i], "y");
        assert_true(x.n > 100 && x.n % 512 != 0); /* not padded */
        assert_true(str_eq(x, y));
        assert_true(import(s, at(s, "x"), forms[i], &back));
        assert_int_equal(back.files, 5);
        assert_string_equal(slurp(s, place(s, back.id, "z\xc3\xa9").path.p).p, "z\xc3\xa9");
        assert_string_equal(slurp(s, place(s, back.id, "l").path.p).p, "x");
        assert_int_equal(mode_of(place(s, back.id, "sub/x").path.p), 0755);
        assert_int_equal(mode_of(place(s, back.id, "a").path.p), 0644);
    }
}

static void plain_export_is_for_files(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    assert_true(artifact_save_text(s->repo, STR("bytes"), &c, &s->e));
    assert_string_equal(export(s, c.id, ARTIFACT_ARCHIVE_NONE, "x").p, "bytes");
    export(s, c.id, ARTIFACT_ARCHIVE_TAR, "x");
    struct artifact_save packed = {.path = at(s, "x"), .packed = ARTIFACT_TGZ};
    assert_true(artifact_save(s->repo, &packed, &c, &s->e));
    assert_int_equal(c.form, ARTIFACT_TGZ);
    struct str x = slurp(s, at(s, "x"));
    assert_true(str_eq(export(s, c.id, ARTIFACT_ARCHIVE_TAR, "y"), x)); /* as it is */
    fill(s, "one", false);
    assert_true(artifact_save(s->repo, &(struct artifact_save){.path = at(s, "one")}, &c, &s->e));
    struct artifact_ref ref = {.id = str_of(c.id)};
    struct artifact_export how = {.fd = -1, .archive = ARTIFACT_ARCHIVE_NONE};
    assert_false(artifact_export(s->repo, &ref, &how, &s->e));
    assert_int_equal(s->e.code, ERR_UNSUPPORTED);
    how.archive = ARTIFACT_ARCHIVE_TAR;
    assert_false(artifact_export(s->repo, &ref, &how, &s->e)); /* nowhere to write */
    assert_int_equal(s->e.code, ERR_IO);
}

/* A consumer of a pipe must see that the archive was cut. */
static void a_failed_export_does_not_end_like_a_whole_one(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    fill(s, "one", false);
    assert_true(artifact_save(s->repo, &(struct artifact_save){.path = at(s, "one"), .move = true}, &c, &s->e));
    char *deep = arena_alloc_bytes(&s->a, 8192); /* entries that cannot be opened come last */
    size_t n = 0;
    struct artifact_place root = place(s, c.id, NULL);
    assert_int_equal(chmod(root.path.p, 0755), 0);
    for (size_t i = 0; i <= LIMIT_ARTIFACT_DEPTH; i++, n += 2) {
        memcpy(deep + n, "z/", 3);
        assert_int_equal(mkdir(str_fmt(&s->a, "%s/%s", root.path.p, deep).p, 0755), 0);
    }
    int fd = open(at(s, "cut"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct artifact_ref ref = {.id = str_of(c.id)};
    struct artifact_export how = {.fd = fd, .archive = ARTIFACT_ARCHIVE_TAR, .level = -1, .name = "out"};
    assert_false(artifact_export(s->repo, &ref, &how, &s->e));
    assert_int_equal(s->e.code, ERR_LIMIT);
    close(fd);
    assert_false(import(s, at(s, "cut"), ARTIFACT_ARCHIVE_TAR, &c));
    how.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ref.subpath = STR("sub");
    assert_false(artifact_export(s->repo, &ref, &how, &s->e));
    assert_int_equal(s->e.code, ERR_IO);
    close(how.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(hostile_archives_are_refused),
        UNIT(a_link_can_be_replaced_but_not_written_through),
        UNIT(hard_links_inside_become_copies),
        UNIT(single_entries_take_the_archives_place),
        UNIT(only_gzipped_tar_is_found_by_itself),
        UNIT(bombs_hit_the_limits),
        UNIT(cut_archives_are_errors),
        UNIT(exports_are_deterministic_and_come_back),
        UNIT(plain_export_is_for_files),
        UNIT(a_failed_export_does_not_end_like_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
