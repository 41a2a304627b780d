/* images: patterns, the built-in table, the user's rows, and the scripts' behaviour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/images.h"
#include "doc/json.h"

static struct arena a;

static int arena_up(void **state)
{
    arena_init(&a);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

/* As a machine without images sees it. */
static struct image resolved(const struct image_map *m, const char *name)
{
    struct image i = {.kind = IMAGE_ABSENT};
    if (!image_mapped(m, str_of(name), &i)) image_built_in(&a, m, str_of(name), &i);
    return i;
}

static void patterns_match_names_tags_and_digests(void **state)
{
    static const struct { const char *pattern, *name; bool want; } rows[] = {
        {"python", "python:3.11", true},
        {"python", "python", true},
        {"python", "docker.io/library/python:alpine3.23", true},
        {"docker.io/library/python", "python@sha256:abc", true},
        {"python", "my/python:3", false},
        {"python", "pythonic", false},
        {"python:3*", "python:3.11", true},
        {"python:3*", "python", false},
        {"*/argosay:v?", "argoproj/argosay:v2", true},
        {"argoproj/argosay:v1", "argoproj/argosay:v2", false},
        {"localhost:5000/x", "localhost:5000/x:1", true},
        {"localhost:5000/x", "localhost:5000/y:1", false},
        {"*", "anything:1", true},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (image_pattern_matches(str_of(rows[i].pattern), str_of(rows[i].name)) != rows[i].want)
            fail_msg("%s ~ %s", rows[i].pattern, rows[i].name);
}

static void the_builtin_table_answers_for_common_images(void **state)
{
    struct image_map *m = image_map_new(&a, "/bin:/usr/bin");
    struct image i = resolved(m, "busybox:1.36");
    assert_int_equal(i.kind, IMAGE_HOST);
    assert_string_equal(i.cmd.items[0].p, "sh");
    i = resolved(m, "argoproj/argosay:v2");
    assert_string_equal(i.entrypoint.items[0].p, "/argosay");
    assert_string_equal(i.files.items[0].path.p, "/argosay");
    i = resolved(m, "argoproj/argosay:v1");
    assert_int_equal(i.entrypoint.n, 0);
    assert_string_equal(i.cmd.items[0].p, "cowsay");
    assert_int_equal(resolved(m, "nobody/knows:1").kind, IMAGE_ABSENT);
    i = resolved(image_map_new(&a, "/nonexistent"), "nginx:1.13");
    assert_string_equal(i.missing.p, "nginx");
    assert_string_equal(i.cmd.items[2].p, "daemon off;");
}

static void python_becomes_the_hosts_python3(void **state)
{
    char dir[] = "/tmp/skiff-images-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *program = str_fmt(&a, "%s/python3", dir).p;
    struct image_map *m = image_map_new(&a, dir);
    assert_string_equal(resolved(m, "python:3").missing.p, "python3");
    close(open(program, O_CREAT | O_WRONLY, 0755));
    struct image i = resolved(m, "python:3");
    assert_false(str_set(i.missing));
    assert_int_equal(i.shims.n, 1); /* no pip3 here */
    assert_string_equal(i.shims.items[0].name.p, "python");
    assert_string_equal(i.shims.items[0].value.p, program);
    unlink(program);
    rmdir(dir);
}

static bool map_of(struct image_map **m, const char *json, struct err *e)
{
    struct val doc;
    assert_true(json_parse(&a, str_of(json), NULL, &doc, e));
    *m = image_map_new(&a, NULL);
    return image_map_add(*m, &doc, "images.yaml", e);
}

static void the_users_rows_come_first(void **state)
{
    struct err e = {0};
    struct image_map *m;
    assert_true(map_of(&m,
                       "{\"images\":{\"busybox\":\"absent\",\"me/*\":\"host\",\"t:1\":{\"root\":\"/srv/t\",\"entrypoint\":[\"a\"],"
                       "\"cmd\":[1,\"c\"],\"env\":{\"K\":\"v\"},\"shims\":{\"python\":\"/usr/bin/python3\"},\"workdir\":\"/w\"}}}",
                       &e));
    assert_int_equal(resolved(m, "busybox").kind, IMAGE_ABSENT);
    assert_int_equal(resolved(m, "me/x/y:2").kind, IMAGE_HOST);
    struct image i = resolved(m, "t:1");
    assert_int_equal(i.kind, IMAGE_ROOT);
    assert_string_equal(i.root.p, "/srv/t");
    assert_string_equal(i.cmd.items[0].p, "1");
    assert_string_equal(i.env.items[0].value.p, "v");
    assert_string_equal(i.shims.items[0].value.p, "/usr/bin/python3");
    assert_string_equal(i.workdir.p, "/w");
    assert_int_equal(resolved(m, "alpine").kind, IMAGE_HOST);
}

static void wrong_maps_are_refused_with_a_place(void **state)
{
    static const struct { const char *json, *want; } rows[] = {
        {"{}", "images.yaml: a map 'images' of pattern to host, absent or a map is expected"},
        {"{\"images\":{\"x\":\"docker\"}}", "images.yaml:1:16: host, absent or a map is expected"},
        {"{\"images\":{\"\":\"host\"}}", "images.yaml:1:15: a pattern may not be empty"},
        {"{\"images\":{\"x\":{\"root\":\"rel\"}}}", "images.yaml:1:24: an absolute path is expected"},
        {"{\"images\":{\"x\":{\"cmd\":\"a\"}}}", "images.yaml:1:23: a list of words is expected"},
        {"{\"images\":{\"x\":{\"env\":{\"a\":[]}}}}", "images.yaml:1:28: a text is expected"},
        {"{\"images\":{\"x\":{\"shims\":{\"a/b\":\"/c\"}}}}", "images.yaml:1:25: a shim's name is a command without slash"},
        {"{\"images\":{\"x\":{\"image\":\"\"}}}", "images.yaml:1:25: the name of an image is expected"},
        {"{\"images\":{\"x\":{\"image\":\"a\",\"root\":\"/\"}}}", "images.yaml:1:16: a row is an image or a directory, not both"},
        {"{\"images\":{\"x\":{\"rot\":\"/\"}}}",
         "images.yaml:1:17: unknown member 'rot' (image, root, entrypoint, cmd, env, shims, workdir)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct image_map *m;
        assert_false(map_of(&m, rows[i].json, &e));
        assert_string_equal(e.text, rows[i].want);
    }
}

/* Runs a script's text with `sh`, words after it; returns its status and first output bytes. */
static int script_run(struct str text, const char *const *words, char *out, size_t max)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *argv[12] = {"sh", "-c", text.p, "argosay"};
        for (int i = 0; i < 6 && words[i]; i++) argv[4 + i] = words[i];
        dup2(fds[1], 1);
        close(fds[0]);
        execv("/bin/sh", (char *const *)argv);
        _exit(127);
    }
    close(fds[1]);
    size_t n = 0;
    ssize_t got;
    while (n + 1 < max && (got = read(fds[0], out + n, max - 1 - n)) > 0) n += (size_t)got;
    out[n] = 0;
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void argosay_does_what_its_table_says(void **state)
{
    char file[] = "/tmp/skiff-argosay-XXXXXX";
    int fd = mkstemp(file);
    assert_int_equal(write(fd, "a+b\n", 4), 4);
    close(fd);
    const struct { const char *words[5]; int status; const char *out; } rows[] = {
        {{NULL}, 0, "hello argo\n"},
        {{"echo"}, 0, "hello argo\n"},
        {{"echo", "two words"}, 0, "two words\n"},
        {{"cat", file}, 0, "a+b\n"},
        {{"assert_contains", file, "a+b"}, 0, "a+b\n"},
        {{"assert_contains", file, "a.b"}, 1, ""},
        {{"exit"}, 0, ""},
        {{"exit", "3"}, 3, ""},
        {{"exit 1"}, 1, ""},
        {{"nonsense"}, 1, ""},
        {{"sleep", "0"}, 0, ""},
        {{"echo", "new", file}, 0, ""},
        {{"cat", file}, 0, "new\n"},
        {{"sh", "/dev/null"}, 0, ""},
    };
    struct image i = resolved(image_map_new(&a, NULL), "argoproj/argosay:v2");
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        char out[200];
        assert_int_equal(script_run(i.files.items[0].text, rows[n].words, out, sizeof out), rows[n].status);
        assert_string_equal(out, rows[n].out);
    }
    unlink(file);
    const char *words[] = {"hi", "you", NULL, NULL, NULL, NULL};
    char out[400];
    i = resolved(image_map_new(&a, NULL), "docker/whalesay");
    assert_int_equal(script_run(i.files.items[0].text, words, out, sizeof out), 0);
    assert_non_null(strstr(out, "< hi you >\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_names_tags_and_digests),
        cmocka_unit_test(the_builtin_table_answers_for_common_images),
        cmocka_unit_test(python_becomes_the_hosts_python3),
        cmocka_unit_test(the_users_rows_come_first),
        cmocka_unit_test(wrong_maps_are_refused_with_a_place),
        cmocka_unit_test(argosay_does_what_its_table_says),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
