/* step: what is written into the files of control groups of both kinds, and what is read there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "step/groups_p.h"
#include "step/io_p.h"

static char base[64];

/* Files that a kernel would have there. */
static struct group fake(const char *name, bool unified, const char *const *files)
{
    char path[200], in[100];
    assert_int_equal(mkdir(name, 0755), 0);
    for (; *files; files++) {
        snprintf(path, sizeof path, "%s/%s", name, *files);
        int fd = open(path, O_CREAT | O_WRONLY, 0644);
        assert_true(fd >= 0);
        close(fd);
    }
    snprintf(path, sizeof path, "%s/cgroup.procs", name);
    snprintf(in, sizeof in, "fake/%s", name);
    struct group g = {.path = mem_strdup(in), .dir = open(name, O_RDONLY | O_DIRECTORY), .procs = open(path, O_CREAT | O_WRONLY, 0644),
                      .unified = unified};
    assert_true(g.dir >= 0 && g.procs >= 0);
    return g;
}

/* What stands in the file now; it is empty afterwards, so that what is not written again shows as "". */
static const char *written(const struct group *g, const char *file)
{
    static char text[100];
    int fd = openat(g->dir, file, O_RDWR);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n >= 0 && ftruncate(fd, 0) == 0);
    close(fd);
    text[n] = 0;
    return text;
}

static void in_v2_one_group_has_all_values(void **state)
{
    static const char *const files[] = {"cpu.max", "cpu.weight", "memory.max", "memory.swap.max", "pids.max", "memory.events", NULL};
    struct group one = fake("v2", true, files);
    struct groups g = {.top = -1, .of = {one, one, one}};
    struct err e;
    (void)state;
    struct step_limits l = {.memory_bytes = 64 << 20, .cpu_milli = 500, .share_milli = 250, .pids = 10}, none = {0};
    for (size_t i = 0; i < STEP_GROUPS; i++) l.groups[i].dir = STR(STEP_GROUPS_TOP "/x"), l.groups[i].unified = true;
    assert_true(groups_set(&g, &l, &e));
    assert_int_equal(g.n_joins, 1);
    assert_int_equal(g.joins[0], one.procs);
    assert_string_equal(written(&one, "memory.max"), "67108864");
    assert_string_equal(written(&one, "memory.swap.max"), "0");
    assert_string_equal(written(&one, "cpu.max"), "50000 100000");
    assert_string_equal(written(&one, "cpu.weight"), "10");
    assert_string_equal(written(&one, "pids.max"), "10");
    assert_true(groups_set(&g, &none, &e));
    assert_int_equal(g.n_joins, 0); /* such a step goes nowhere, and nothing is set for it */
    assert_string_equal(written(&one, "memory.max"), "");
    l.cpu_milli = l.share_milli = l.pids = 0;
    assert_true(groups_set(&g, &l, &e)); /* nothing of the step before is left */
    assert_string_equal(written(&one, "memory.max"), "");
    assert_string_equal(written(&one, "cpu.max"), "max");
    assert_string_equal(written(&one, "cpu.weight"), "100");
    assert_string_equal(written(&one, "pids.max"), "max");
    groups_leave(&g);
}

static void in_v1_each_kind_has_its_own(void **state)
{
    static const char *const cpu[] = {"cpu.cfs_quota_us", "cpu.shares", NULL};
    static const char *const memory[] = {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control", NULL};
    struct groups g = {.top = -1, .of = {fake("cpu", false, cpu), fake("memory", false, memory)}};
    struct err e;
    (void)state;
    struct step_limits l = {.memory_bytes = 1 << 20, .cpu_milli = 1, .share_milli = 2000, .pids = 5};
    l.groups[STEP_GROUP_CPU].dir = STR(STEP_GROUPS_TOP "/cpu/x");
    l.groups[STEP_GROUP_MEMORY].dir = STR(STEP_GROUPS_TOP "/memory/x"); /* and none for processes: not applied */
    assert_true(groups_set(&g, &l, &e));
    assert_int_equal(g.n_joins, 2);
    assert_string_equal(written(&g.of[STEP_GROUP_CPU], "cpu.cfs_quota_us"), "1000"); /* the kernel takes no less */
    assert_string_equal(written(&g.of[STEP_GROUP_CPU], "cpu.shares"), "2048");
    assert_string_equal(written(&g.of[STEP_GROUP_MEMORY], "memory.limit_in_bytes"), "1048576");
    l.memory_bytes = 0;
    l.cpu_milli = 2000;
    assert_true(groups_set(&g, &l, &e));
    assert_int_equal(g.n_joins, 1);
    assert_string_equal(written(&g.of[STEP_GROUP_CPU], "cpu.cfs_quota_us"), "200000");
    assert_string_equal(written(&g.of[STEP_GROUP_CPU], "cpu.shares"), "");
    groups_leave(&g);
}

static void events(const struct group *g, const char *file, const char *text)
{
    int fd = openat(g->dir, file, O_WRONLY | O_TRUNC);
    assert_true(io_write_all(fd, text, strlen(text)));
    close(fd);
}

static void kills_since_the_step_before_count(void **state)
{
    static const char *const files[] = {"memory.events", NULL};
    struct group one = fake("events", true, files);
    struct groups g = {.top = -1, .of = {[STEP_GROUP_MEMORY] = one}};
    (void)state;
    assert_false(groups_killed(&g));
    events(&one, "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 1\n");
    assert_true(groups_killed(&g));
    assert_false(groups_killed(&g));
    events(&one, "memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 4\noom_group_kill 2\n");
    assert_true(groups_killed(&g));
    groups_leave(&g);
}

static void what_cannot_be_set_is_an_error(void **state)
{
    static const char *const none[] = {NULL};
    struct groups g = {.top = -1, .of = {[STEP_GROUP_MEMORY] = fake("bare", true, none)}};
    struct step_limits l = {.memory_bytes = 1 << 20};
    struct err e;
    (void)state;
    l.groups[STEP_GROUP_MEMORY].dir = STR(STEP_GROUPS_TOP "/x");
    assert_false(groups_set(&g, &l, &e));
    assert_non_null(strstr(e.text, "memory limit"));
    groups_leave(&g);
    g = (struct groups){.top = -1};
    assert_false(groups_set(&g, &l, &e)); /* no control groups at all */
    assert_non_null(strstr(e.text, "control group " STEP_GROUPS_TOP "/x"));
}

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/skiff-groups-XXXXXX");
    return mkdtemp(base) && chdir(base) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return chdir("/") == 0 && io_remove_tree(AT_FDCWD, base) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_v2_one_group_has_all_values),
        cmocka_unit_test(in_v1_each_kind_has_its_own),
        cmocka_unit_test(kills_since_the_step_before_count),
        cmocka_unit_test(what_cannot_be_set_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
