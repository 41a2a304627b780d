/* os: where control groups can be made, told from texts and tried in directories that look like a tree of v2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/cgroup.h"
#include "os/dir.h"
#include "os/fd.h"

#define V1(at, options) "33 31 0:30 / /sys/fs/cgroup/" at " rw,relatime - cgroup cgroup rw," options "\n"
#define V2(root, at) "41 31 0:38 " root " " at " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define OTHER "22 27 0:21 / /proc rw,relatime - proc proc rw\n"

static const char *shown(struct arena *a, const char *mounts, const char *own)
{
    struct cgroups c;
    struct str s = STR("");
    cgroups_parse(a, str_of(mounts), str_of(own), &c);
    for (int k = 0; k < CGROUP_KINDS; k++)
        s = str_fmt(a, "%.*s%s%.*s%s", STR_ARG(s), k ? " " : "", STR_ARG(c.of[k].dir.p ? c.of[k].dir : STR("-")),
                    c.of[k].dir.p && c.of[k].unified ? "*" : "");
    return s.p;
}

static void the_own_group_is_found_in_every_kind_of_tree(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    assert_string_equal(shown(&a, OTHER V2("/", "/sys/fs/cgroup"), "0::/user.slice/a.scope\n"),
                        "/sys/fs/cgroup/user.slice/a.scope* /sys/fs/cgroup/user.slice/a.scope* /sys/fs/cgroup/user.slice/a.scope*");
    assert_string_equal(shown(&a, V1("cpu,cpuacct", "cpu,cpuacct") OTHER V1("memory", "memory") V2("/", "/sys/fs/cgroup/unified"),
                              "4:memory:/m\n3:cpuacct,cpu:/\n0::/x\n"),
                        "/sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup/memory/m /sys/fs/cgroup/unified/x*");
    assert_string_equal(shown(&a, V2("/", "/sys/fs/cgroup/unified") V1("memory", "memory"), "4:memory:/m\n0::/\n"),
                        "/sys/fs/cgroup/unified* /sys/fs/cgroup/memory/m /sys/fs/cgroup/unified*");
    /* in a container a part of the tree is mounted */
    assert_string_equal(shown(&a, V2("/docker/1", "/sys/fs/cgroup"), "0::/docker/1/in"),
                        "/sys/fs/cgroup/in* /sys/fs/cgroup/in* /sys/fs/cgroup/in*");
    assert_string_equal(shown(&a, V2("/", "/sys/fs/cgroup"), "0::/../other\n"), "/sys/fs/cgroup* /sys/fs/cgroup* /sys/fs/cgroup*");
    assert_string_equal(shown(&a, OTHER V2("/", "/elsewhere"), "0::/\n"), "- - -");
    assert_string_equal(shown(&a, V1("memory", "memory"), "nonsense\n:\n::\n"), "- - -");
    assert_string_equal(shown(&a, "", ""), "- - -");
    arena_fini(&a);
}

static void put(const char *path, const char *text)
{
    struct err e;
    assert_true(file_write_atomic(path, str_of(text), 0644, false, &e));
}

/* top gives memory and cpu, as a user's manager does; in/scope is where the process is: it gives nothing. */
static void tree(void)
{
    struct err e;
    assert_true(dir_make_all("top/in/scope", 0755, &e));
    put("top/cgroup.procs", "");
    put("top/cgroup.subtree_control", "cpu memory ");
    put("top/in/cgroup.procs", "");
    put("top/in/scope/cgroup.procs", "1\n");
}

static void of_v2_the_nearest_that_gives_controllers_is_taken(void **state)
{
    struct arena a;
    struct cgroup_place own = {.mount = STR("top"), .dir = STR("top/in/scope"), .unified = true};
    struct cgroups c = {{own, own, own}};
    (void)state;
    arena_init(&a);
    tree();
    cgroups_make(&a, "skiff-1", &c);
    assert_string_equal(c.of[CGROUP_CPU].dir.p, "top/skiff-1");
    assert_string_equal(c.of[CGROUP_MEMORY].dir.p, "top/skiff-1");
    assert_null(c.of[CGROUP_PIDS].dir.p);
    assert_string_equal(c.of[CGROUP_PIDS].why.p, "top does not give the controller to groups in it");
    put("top/in/cgroup.subtree_control", "memory pids ");
    c = (struct cgroups){{own, own, own}};
    cgroups_make(&a, "skiff-1", &c);
    assert_null(c.of[CGROUP_CPU].dir.p);
    assert_string_equal(c.of[CGROUP_MEMORY].dir.p, "top/in/skiff-1");
    assert_string_equal(c.of[CGROUP_PIDS].dir.p, "top/in/skiff-1");
    arena_fini(&a);
}

static void where_none_can_be_made_it_is_said_why(void **state)
{
    struct arena a;
    struct cgroup_place own = {.mount = STR("none"), .dir = STR("none/in"), .unified = true};
    struct cgroup_place old = {.mount = STR("gone"), .dir = STR("gone/x"), .unified = false};
    struct cgroups c = {{own, old, own}};
    struct err e;
    (void)state;
    arena_init(&a);
    assert_true(dir_make_all("none/in", 0755, &e));
    cgroups_make(&a, "skiff-1", &c);
    for (int k = 0; k < CGROUP_KINDS; k++) assert_null(c.of[k].dir.p);
    assert_string_equal(c.of[CGROUP_CPU].why.p, "none/in is not this user's");
    assert_string_equal(c.of[CGROUP_MEMORY].why.p, "gone/x: No such file or directory");
    put("none/in/cgroup.procs", "");
    c = (struct cgroups){{own, own, own}};
    cgroups_make(&a, "skiff-1", &c);
    assert_string_equal(c.of[CGROUP_MEMORY].why.p, "none/in does not give the controller to groups in it");
    arena_fini(&a);
}

static char base[64];

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/skiff-cgroup-XXXXXX");
    return mkdtemp(base) && chdir(base) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct err e;
    (void)state;
    return chdir("/") == 0 && dir_remove_tree(base, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_group_is_found_in_every_kind_of_tree),
        cmocka_unit_test(of_v2_the_nearest_that_gives_controllers_is_taken),
        cmocka_unit_test(where_none_can_be_made_it_is_said_why),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
