/* config: the file format, the order of sources, and what is refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/toml.h"

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

static bool row_print(void *ctx, const struct toml_row *row, struct err *e)
{
    buf_printf(ctx, "%.*s=%.*s(%d)@%d:%d ", STR_ARG(row->key), STR_ARG(row->text), row->kind, row->line, row->col);
    return true;
}

static void toml_is_read_or_refused_at_a_place(void **state)
{
    static const struct { const char *text, *want; } rows[] = {
        {"", ""},
        {"# only\n\n", ""},
        {"a = 1\n", "a=1(1)@1:1 "},
        {"  a=\"x\\ty\\u00e9\" # c\r\nb = 'raw\\n'\n", "a=x\ty\xc3\xa9(0)@1:3 b=raw\\n(0)@2:1 "},
        {"[s]\nk = true\n[s.t]\nk = -1_000", "s.k=true(2)@2:1 s.t.k=-1000(1)@4:1 "},
        {"a.b = false", "a.b=false(2)@1:1 "},
        {"a = \"\"\nb = ''\n", "a=(0)@1:1 b=(0)@2:1 "},
        {"a = 1\na = 2\n", "f:2:1: this name was given before"},
        {"a = [1]\n", "f:1:5: a value is expected: \"text\", a whole number, true or false"},
        {"a = 1.5\n", "f:1:5: a value is expected: \"text\", a whole number, true or false"},
        {"a = \"x\n", "f:1:5: a string without end"},
        {"a = \"\"\"x\"\"\"\n", "f:1:5: multi-line strings are not supported"},
        {"a = \"\\q\"\n", "f:1:6: unknown escape in a string"},
        {"a = \"\\uD800\"\n", "f:1:6: no such character"},
        {"a 1\n", "f:1:3: '=' is expected"},
        {"a = 1 2\n", "f:1:7: the end of the line is expected"},
        {"= 1\n", "f:1:1: a name is expected"},
        {"a..b = 1\n", "f:1:1: a name is expected"},
        {"[[x]]\n", "f:1:1: lists of tables are not supported"},
        {"[x\n", "f:1:3: ']' is expected"},
        {"a =", "f:1:4: a value is expected: \"text\", a whole number, true or false"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 4096);
        struct err e = {0};
        bool ok = toml_read(&a, str_of(rows[i].text), "f", row_print, &b, &e);
        buf_char(&b, '\0');
        assert_string_equal(ok ? b.p : e.text, rows[i].want);
    }
    struct err e = {0};
    assert_false(toml_read(&a, str_n("a\0b", 3), "f", row_print, NULL, &e));
}

static const char *(*env_rows)[2];
static const char *env_get(const char *name)
{
    for (size_t i = 0; env_rows && env_rows[i][0]; i++)
        if (strcmp(env_rows[i][0], name) == 0) return env_rows[i][1];
    return NULL;
}

static void file_write(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void later_sources_win_and_are_remembered(void **state)
{
    char dir[] = "/tmp/skiff-config-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *sub = str_fmt(&a, "%s/p/q", dir).p, *user = str_fmt(&a, "%s/skiff", dir).p;
    const char *project = str_fmt(&a, "%s/p/skiff.toml", dir).p, *file = str_fmt(&a, "%s/config.toml", user).p;
    assert_int_equal(mkdir(user, 0700) | mkdir(str_fmt(&a, "%s/p", dir).p, 0700) | mkdir(sub, 0700), 0);
    file_write(file, "parallel = 2\nnamespace = \"u\"\nruntime = \"ro\"\n");
    file_write(project, "parallel = 3\nstate = \"run\"\n[images]\nfallback = \"host\"\n");
    const char *env[][2] = {{"XDG_CONFIG_HOME", dir}, {"SKIFF_PARALLEL", "4"}, {"SKIFF_RUNTIME", ""}, {NULL, NULL}};
    env_rows = env;
    struct config_world w = {env_get, sub};
    struct config c;
    struct err e = {0};
    assert_true(config_load(&a, &c, &w, &e));
    assert_int_equal(config_int(&c, CONFIG_PARALLEL), 4);
    assert_string_equal(c.values[CONFIG_PARALLEL].where.p, "SKIFF_PARALLEL");
    assert_true(config_is(&c, CONFIG_RUNTIME, "ro")); /* an empty variable is as if unset */
    assert_int_equal(c.values[CONFIG_RUNTIME].source, CONFIG_USER_FILE);
    assert_true(config_is(&c, CONFIG_IMAGE_FALLBACK, "host"));
    assert_string_equal(c.values[CONFIG_IMAGE_FALLBACK].where.p, str_fmt(&a, "%s:4:1", project).p);
    struct str dir_out;
    assert_true(config_state_dir(&a, &c, &w, &dir_out, &e));
    assert_string_equal(dir_out.p, str_fmt(&a, "%s/p/run", dir).p); /* beside the file that says so */
    assert_true(config_set_flag(&a, &c, CONFIG_PARALLEL, STR("9"), "--parallel", &e));
    assert_int_equal(config_int(&c, CONFIG_PARALLEL), 9);
    assert_false(config_set_flag(&a, &c, CONFIG_RUNTIME, STR("docker"), "--runtime", &e));
    assert_string_equal(e.text, "--runtime: 'runtime' is one of auto none ro overlay container, not 'docker'");
    file_write(project, "parallel = 3\n");
    env_rows = NULL;
    static const struct { mode_t mode; uid_t uid; gid_t gid; const char *flaw; } files[] = {
        {0644, 0, 0, NULL},
        {0666, 0, 0, "everybody may write to it"},
        {0664, 0, 0, NULL},
        {0664, 0, 7, "another group may write to it"}, /* these need root */
        {0644, 7, 0, "it belongs to another user"},
    };
    for (size_t i = 0; i < ARRAY_LEN(files) - (geteuid() ? 2 : 0); i++) {
        assert_int_equal(geteuid() ? 0 : chown(project, files[i].uid, files[i].gid), 0);
        assert_int_equal(chmod(project, files[i].mode), 0);
        assert_true(config_load(&a, &c, &w, &e));
        assert_int_equal(config_int(&c, CONFIG_PARALLEL), files[i].flaw ? 0 : 3);
        if (!files[i].flaw) assert_int_equal(c.ignored.n, 0);
        else assert_string_equal(c.ignored.p, str_fmt(&a, "'%s' is ignored: %s", project, files[i].flaw).p);
    }
    unlink(project);
    assert_int_equal(mkfifo(project, 0600), 0);
    assert_true(config_load(&a, &c, &w, &e));
    assert_non_null(strstr(c.ignored.p, "it is no regular file"));
    unlink(project);
    file_write(project, "paralel = 3\n");
    assert_false(config_load(&a, &c, &w, &e));
    assert_string_equal(e.text, str_fmt(&a, "%s:1:1: unknown setting 'paralel', did you mean 'parallel'?", project).p);
    unlink(project), unlink(file), rmdir(sub), rmdir(user), rmdir(str_fmt(&a, "%s/p", dir).p), rmdir(dir);
}

static void values_are_checked(void **state)
{
    static const struct { const char *text, *want; } rows[] = {
        {"parallel = \"2\"\n", "f:1:1: 'parallel' has a value of the wrong kind"},
        {"parallel = -1\n", "f:1:1: 'parallel' is a whole number of steps, not '-1'"},
        {"\ndurability = \"maybe\"\n", "f:2:1: 'durability' is one of normal full, not 'maybe'"},
        {"ascii = 1\n", "f:1:1: 'ascii' has a value of the wrong kind"},
        {"quite_other_thing = 1\n", "f:1:1: unknown setting 'quite_other_thing'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config c = {0};
        struct err e = {0};
        assert_false(config_read_text(&a, &c, str_of(rows[i].text), "f", CONFIG_USER_FILE, &e));
        assert_string_equal(e.text, rows[i].want);
        assert_int_equal(e.code, ERR_USAGE);
    }
}

static void defaults_are_valid_and_the_state_dir_has_a_home(void **state)
{
    const char *env[][2] = {{"HOME", "/nonexistent/h"}, {"ARGO_NAMESPACE", "argo"}, {NULL, NULL}};
    env_rows = env;
    struct config_world w = {env_get, NULL};
    struct config c;
    struct err e = {0};
    assert_true(config_load(&a, &c, &w, &e));
    for (int i = 0; i < CONFIG_MAX; i++) {
        struct config copy;
        if (config_rows[i].dflt[0])
            assert_true(config_set_flag(&a, &copy, (enum config_id)i, str_of(config_rows[i].dflt), "x", &e));
    }
    assert_true(config_is(&c, CONFIG_NAMESPACE, "argo"));
    struct str dir;
    assert_true(config_state_dir(&a, &c, &w, &dir, &e));
    assert_string_equal(dir.p, "/nonexistent/h/.local/state/skiff");
    env_rows = NULL;
    assert_false(config_state_dir(&a, &c, &w, &dir, &e));
}

static void the_socket_of_containers(void **state)
{
    char dir[] = "/tmp/config-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *there = str_fmt(&a, "%s/podman/podman.sock", dir).p, *env[3][2] = {{"XDG_RUNTIME_DIR", dir}, {"CONTAINER_HOST", NULL}, {NULL, NULL}};
    struct config_world w = {env_get, NULL};
    struct config c;
    struct err e;
    struct str out;
    env_rows = env;
    assert_true(config_load(&a, &c, &w, &e));
    bool docker = access("/var/run/docker.sock", F_OK) == 0, podman = access("/run/podman/podman.sock", F_OK) == 0;
    assert_int_equal(config_container_socket(&a, &c, &w, &out, &e), docker || podman);
    assert_true(docker || podman || e.code == ERR_NOT_FOUND);
    assert_int_equal(mkdir(str_fmt(&a, "%s/podman", dir).p, 0700), 0);
    file_write(there, "");
    assert_true(config_container_socket(&a, &c, &w, &out, &e) && (docker || str_is(out, there)));
    env[1][1] = "unix:///x/y.sock";
    assert_true(config_container_socket(&a, &c, &w, &out, &e) && str_is(out, "/x/y.sock"));
    env[1][1] = "tcp://10.0.0.1:2375";
    assert_false(config_container_socket(&a, &c, &w, &out, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_true(config_set_flag(&a, &c, CONFIG_CONTAINER_SOCKET, STR("/z.sock"), "--x", &e)); /* the setting goes first */
    assert_true(config_container_socket(&a, &c, &w, &out, &e) && str_is(out, "/z.sock"));
    env_rows = NULL;
    unlink(there);
    rmdir(str_fmt(&a, "%s/podman", dir).p);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toml_is_read_or_refused_at_a_place),
        cmocka_unit_test(later_sources_win_and_are_remembered),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(defaults_are_valid_and_the_state_dir_has_a_home),
        cmocka_unit_test(the_socket_of_containers),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
