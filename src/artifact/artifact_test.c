/* artifact: what goes into the local repository and comes out of it. */
#include "artifact/artifact_test_p.h"

#include <sys/wait.h>

#include "base/fail.h"

#define UNIT(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

/* tree/{a, bin/run (executable), link -> a, out -> /etc/passwd, up -> ../..} */
static const char *sample_tree(struct scratch *s)
{
    const char *dir = make_dir(s, "tree");
    make_dir(s, "tree/bin");
    put(s, "tree/a", "alpha", 0660);
    put(s, "tree/bin/run", "#!x", 0711);
    assert_int_equal(symlink("a", at(s, "tree/link")), 0);
    assert_int_equal(symlink("/etc/passwd", at(s, "tree/out")), 0);
    assert_int_equal(symlink("../..", at(s, "tree/up")), 0);
    return dir;
}

static struct artifact_content save(struct scratch *s, const char *path, bool move)
{
    struct artifact_content c;
    if (!artifact_save(s->repo, &(struct artifact_save){.path = path, .move = move}, &c, &s->e))
        fail_msg("%s", s->e.text);
    return c;
}

static void a_file_is_moved_in(void **state)
{
    struct scratch *s = *state;
    const char *path = put(s, "x", "hello", 06777);
    struct artifact_content c = save(s, path, true);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(c.form, ARTIFACT_FILE);
    assert_int_equal(c.size_bytes, 5);
    assert_int_equal(c.files, 1);
    struct artifact_place p = place(s, c.id, NULL);
    assert_int_equal(p.form, ARTIFACT_FILE);
    assert_int_equal(p.size_bytes, 5);
    assert_string_equal(slurp(s, p.path.p).p, "hello");
    assert_int_equal(mode_of(p.path.p), 0755); /* no set-uid */
}

static void a_tree_is_sealed_whole(void **state)
{
    struct scratch *s = *state;
    const char *dir = sample_tree(s);
    assert_int_equal(mkfifo(at(s, "tree/pipe"), 0600), 0);
    struct artifact_content c = save(s, dir, true);
    assert_int_equal(c.form, ARTIFACT_TREE);
    assert_int_equal(c.size_bytes, 8);
    assert_int_equal(c.files, 2);
    assert_int_equal(c.skipped, 1);
    assert_int_equal(access(dir, F_OK), -1);
    struct artifact_place p = place(s, c.id, "");
    assert_int_equal(mode_of(p.path.p), 0755);
    assert_int_equal(mode_of(place(s, c.id, "bin").path.p), 0755);
    assert_int_equal(mode_of(place(s, c.id, "bin/run").path.p), 0755);
    assert_int_equal(mode_of(place(s, c.id, "a").path.p), 0644);
    assert_int_equal(access(str_fmt(&s->a, "%s/pipe", p.path.p).p, F_OK), -1);
}

static void a_copy_leaves_the_source_alone(void **state)
{
    struct scratch *s = *state;
    const char *dir = sample_tree(s);
    struct artifact_content c = save(s, dir, false);
    assert_int_equal(mode_of(at(s, "tree/a")), 0660);
    put(s, "tree/a", "changed", 0660);
    assert_string_equal(slurp(s, place(s, c.id, "a").path.p).p, "alpha");
    char target[64] = {0};
    const char *out = str_fmt(&s->a, "%s/out", place(s, c.id, NULL).path.p).p;
    assert_true(readlink(out, target, sizeof target - 1) > 0);
    assert_string_equal(target, "/etc/passwd");
}

/* By a kill or a full disk: the same save once more takes all of it, and nothing of the first is left. */
static void a_copy_that_breaks_off_is_made_again(void **state)
{
    static const char digits[] = "0123456789abcdef0123456789abcdef";
    static const char *const breaks[] = {"CONTENT_COPIED=kill", "CONTENT_COPIED=enospc", "CONTENT_MOVED=kill"};
    struct scratch *s = *state;
    const struct artifact_save in = {.path = sample_tree(s), .digits = digits};
    for (size_t i = 0; i < ARRAY_LEN(breaks); i++) {
        struct artifact_content c;
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            setenv("SKIFF_FAIL", breaks[i], 1);
            _exit(!fail_init(&s->e) || artifact_save(s->repo, &in, &c, &s->e) ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 1);
        assert_true(artifact_save(s->repo, &in, &c, &s->e));
        assert_int_equal(c.files, 2);
        assert_string_equal(slurp(s, place(s, c.id, "a").path.p).p, "alpha");
        assert_int_equal(id_count(s), 1);
        assert_true(artifact_remove(s->repo, str_of(c.id), &s->e));
    }
}

static void hard_links_are_cut(void **state)
{
    struct scratch *s = *state;
    make_dir(s, "d");
    put(s, "outside", "one", 0640);
    assert_int_equal(link(at(s, "outside"), at(s, "d/inside")), 0);
    put(s, "d/.skiff-unshared", "the step's own", 0600); /* no name in the tree is ours */
    struct artifact_content c = save(s, at(s, "d"), true);
    put(s, "outside", "two", 0640);
    assert_string_equal(slurp(s, place(s, c.id, "inside").path.p).p, "one");
    assert_int_equal(mode_of(at(s, "outside")), 0640);
    assert_int_equal(mode_of(place(s, c.id, "inside").path.p), 0644);
    assert_string_equal(slurp(s, place(s, c.id, ".skiff-unshared").path.p).p, "the step's own");
}

static void sealing_does_not_follow_links(void **state)
{
    struct scratch *s = *state;
    make_dir(s, "d");
    put(s, "victim", "v", 0660);
    assert_int_equal(symlink(at(s, "victim"), at(s, "d/l")), 0);
    save(s, at(s, "d"), true);
    assert_int_equal(mode_of(at(s, "victim")), 0660);
    assert_int_equal(symlink(at(s, "victim"), at(s, "top")), 0);
    struct artifact_content c;
    assert_false(artifact_save(s->repo, &(struct artifact_save){.path = at(s, "top")}, &c, &s->e));
    assert_int_equal(s->e.code, ERR_SPEC);
}

static void missing_is_told_from_broken(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    struct artifact_place p;
    assert_false(artifact_save(s->repo, &(struct artifact_save){.path = at(s, "nope"), .move = true}, &c, &s->e));
    assert_int_equal(s->e.code, ERR_NOT_FOUND);
    assert_false(artifact_import(s->repo, &(struct artifact_import){.path = at(s, "nope")}, &c, &s->e));
    assert_int_equal(s->e.code, ERR_NOT_FOUND);
    static const char *const ids[] = {"", "x", "../../etc/passwd", "00112233445566778899aabbccddeeff.file",
                                      "00112233445566778899aabbccddeeff.part", "00112233445566778899aabbccddee/f.file"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct artifact_ref ref = {.id = str_of(ids[i])};
        assert_false(artifact_path(&s->a, s->repo, &ref, &p, &s->e));
        assert_int_equal(s->e.code, ERR_NOT_FOUND);
        assert_true(artifact_remove(s->repo, ref.id, &s->e));
    }
}

static void subpaths_stay_inside(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c = save(s, sample_tree(s), true);
    static const struct { const char *subpath; enum err_code code; } rows[] = {
        {"nope", ERR_NOT_FOUND}, {"a/b", ERR_NOT_FOUND}, {"bin/nope", ERR_NOT_FOUND},
        {"out", ERR_SPEC}, {"up", ERR_SPEC}, {"..", ERR_SPEC}, {"bin/../../x", ERR_SPEC},
        {"up/repo", ERR_SPEC},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct artifact_place p;
        struct artifact_ref ref = {.id = str_of(c.id), .subpath = str_of(rows[i].subpath)};
        assert_false(artifact_path(&s->a, s->repo, &ref, &p, &s->e));
        assert_int_equal(s->e.code, rows[i].code);
    }
    assert_string_equal(slurp(s, place(s, c.id, "link").path.p).p, "alpha");
    assert_true(str_ends(place(s, c.id, "link").path, STR("/a")));
    assert_string_equal(slurp(s, place(s, c.id, "/bin/../a").path.p).p, "alpha");
    assert_int_equal(place(s, c.id, "bin/").form, ARTIFACT_TREE);
}

static void text_and_load_give_private_copies(void **state)
{
    struct scratch *s = *state;
    struct artifact_content c;
    assert_true(artifact_save_text(s->repo, STR("raw data"), &c, &s->e));
    assert_int_equal(c.size_bytes, 8);
    struct artifact_ref ref = {.id = str_of(c.id)};
    assert_true(artifact_load(s->repo, &ref, at(s, "copy"), &s->e));
    assert_string_equal(slurp(s, at(s, "copy")).p, "raw data");
    assert_int_equal(mode_of(at(s, "copy")), 0644);
    assert_false(artifact_load(s->repo, &ref, at(s, "copy"), &s->e));
    struct artifact_content tree = save(s, sample_tree(s), true);
    ref = (struct artifact_ref){.id = str_of(tree.id), .subpath = STR("bin")};
    assert_true(artifact_load(s->repo, &ref, at(s, "bin"), &s->e));
    assert_int_equal(mode_of(at(s, "bin")), 0755);
    assert_int_equal(mode_of(at(s, "bin/run")), 0755);
}

static void another_file_system_means_copying(void **state)
{
    struct scratch *s = *state;
    struct stat here, there;
    char dir[] = "/dev/shm/artifact-test-XXXXXX";
    if (!mkdtemp(dir)) {
        print_message("# not tested here: needs a second file system\n");
        return;
    }
    assert_int_equal(stat(s->dir, &here), 0);
    assert_int_equal(stat(dir, &there), 0);
    struct scratch source = {0};
    memcpy(source.dir, dir, sizeof dir);
    arena_init(&source.a);
    struct artifact_content c = save(s, sample_tree(&source), true);
    assert_int_equal(c.files, 2);
    assert_string_equal(slurp(s, place(s, c.id, "bin/run").path.p).p, "#!x");
    assert_int_equal(access(at(&source, "tree"), F_OK), -1);
    dir_remove_tree(dir, NULL);
    arena_fini(&source.a);
    if (here.st_dev == there.st_dev) {
        print_message("# not tested here: needs a second file system\n");
        return;
    }
}

static void removing_and_listing(void **state)
{
    struct scratch *s = *state;
    struct str *ids;
    size_t n;
    struct artifact_content tree = save(s, sample_tree(s), true), file = save(s, put(s, "f", "x", 0600), true);
    assert_int_equal(id_count(s), 2);
    assert_true(artifact_sync(s->repo, &s->e));
    assert_true(artifact_remove(s->repo, str_of(tree.id), &s->e));
    assert_true(artifact_remove(s->repo, str_of(tree.id), &s->e));
    assert_true(artifact_list(&s->a, s->repo, &ids, &n, &s->e));
    assert_int_equal(n, 1);
    assert_string_equal(ids[0].p, file.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_file_is_moved_in), UNIT(a_tree_is_sealed_whole),
        UNIT(a_copy_leaves_the_source_alone),   UNIT(a_copy_that_breaks_off_is_made_again), UNIT(hard_links_are_cut),
        UNIT(sealing_does_not_follow_links),    UNIT(missing_is_told_from_broken),
        UNIT(subpaths_stay_inside),             UNIT(text_and_load_give_private_copies),
        UNIT(another_file_system_means_copying), UNIT(removing_and_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
