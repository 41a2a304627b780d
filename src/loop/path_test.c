/* paths: what is told and what is not, one instance for all, watches that are counted, callbacks that free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "loop/loop.h"

struct world {
    struct loop *loop;
    struct arena a;
    char dir[64];
    struct loop_path *paths[600]; /* what the callbacks may free */
    int count;
    struct err e;
};

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    w->loop = loop_new(NULL);
    arena_init(&w->a);
    snprintf(w->dir, sizeof w->dir, "/tmp/skiff-path-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;
    loop_free(w->loop);
    nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_fini(&w->a);
    free(w);
    return 0;
}

static const char *in(struct world *w, const char *name) { return str_fmt(&w->a, "%s/%s", w->dir, name).p; }

static void append(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

/* inotify instances of this process, and what they watch. */
static int instances(int *watches)
{
    DIR *fds = opendir("/proc/self/fd");
    const struct dirent *d;
    int n = 0;
    *watches = 0;
    while ((d = readdir(fds))) {
        char path[300], target[64], line[256];
        snprintf(path, sizeof path, "/proc/self/fd/%s", d->d_name);
        ssize_t len = readlink(path, target, sizeof target);
        if (len < 0 || !str_eq(str_n(target, (size_t)len), STR("anon_inode:inotify"))) continue;
        n++;
        snprintf(path, sizeof path, "/proc/self/fdinfo/%s", d->d_name);
        FILE *f = fopen(path, "re");
        while (fgets(line, sizeof line, f)) *watches += str_starts(str_of(line), STR("inotify wd:"));
        fclose(f);
    }
    closedir(fds);
    return n;
}

#define WATCHED(want)                                                                              \
    do {                                                                                           \
        int watched_;                                                                              \
        assert_int_equal(instances(&watched_), 1);                                                 \
        assert_int_equal(watched_, want);                                                          \
    } while (0)

static void count(void *user) { ((struct world *)user)->count++; }

/* What is there now is told within this; nothing is awaited. */
static int told(struct world *w)
{
    int before = w->count;
    loop_turn(w->loop, false);
    return w->count - before;
}

static struct loop_path *armed(struct world *w, const char *path, loop_fn *fn)
{
    struct loop_path *p = loop_path_new(w->loop, path, fn, w);
    if (!loop_path_arm(p, &w->e)) fail_msg("%s", w->e.text);
    return p;
}

static void a_write_is_told_once(void **state)
{
    struct world *w = *state;
    const char *path = in(w, "a");
    append(path);
    struct loop_path *p = armed(w, path, count);
    assert_int_equal(told(w), 0);
    append(path);
    append(path);
    assert_int_equal(told(w), 1);
    WATCHED(0); /* nobody waits, so nothing is watched */
    append(path);
    assert_int_equal(told(w), 0);
    assert_true(loop_path_arm(p, &w->e));
    assert_true(loop_path_arm(p, &w->e));
    append(path);
    assert_int_equal(told(w), 1);
    loop_path_free(p);
}

static void what_is_not_there_yet_is_awaited_by_its_name(void **state)
{
    struct world *w = *state;
    struct loop_path *p = armed(w, in(w, "steps//7/main.log"), count);
    assert_int_equal(mkdir(in(w, "other"), 0700), 0);
    append(in(w, "step"));
    assert_int_equal(told(w), 0);
    assert_int_equal(mkdir(in(w, "steps"), 0700), 0);
    assert_int_equal(told(w), 1);
    assert_true(loop_path_arm(p, &w->e));
    assert_int_equal(mkdir(in(w, "new"), 0700), 0);
    assert_int_equal(rename(in(w, "new"), in(w, "steps/7")), 0);
    assert_int_equal(told(w), 1);
    assert_true(loop_path_arm(p, &w->e));
    WATCHED(1);
    append(in(w, "steps/7/main.log"));
    assert_int_equal(told(w), 1);
    assert_true(loop_path_arm(p, &w->e));
    append(in(w, "steps/7/main.log"));
    assert_int_equal(told(w), 1);
    loop_path_free(p);
}

static void relative_paths_begin_here(void **state)
{
    struct world *w = *state;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(w->dir), 0);
    struct loop_path *file = armed(w, "a", count), *below = armed(w, "d/a", count);
    assert_int_equal(fchdir(before), 0);
    close(before);
    append(in(w, "a"));
    assert_int_equal(told(w), 1);
    assert_int_equal(mkdir(in(w, "d"), 0700), 0);
    assert_int_equal(told(w), 1);
    loop_path_free(file);
    loop_path_free(below);
}

static void any_number_share_one_instance_and_its_watches(void **state)
{
    struct world *w = *state;
    enum { N = 300 };
    append(in(w, "a"));
    for (int i = 0; i < N; i++) {
        w->paths[i] = armed(w, in(w, "a"), count);
        w->paths[N + i] = armed(w, str_fmt(&w->a, "%s/later/%d", w->dir, i % 3).p, count);
    }
    WATCHED(2); /* the file, and the directory above */
    append(in(w, "a"));
    assert_int_equal(told(w), N);
    WATCHED(1);
    assert_int_equal(mkdir(in(w, "later"), 0700), 0);
    assert_int_equal(told(w), N);
    for (int i = 0; i < 2 * N; i++) assert_true(loop_path_arm(w->paths[i], &w->e));
    WATCHED(2);
    append(in(w, "later/2"));
    assert_int_equal(told(w), N / 3);
    for (int i = 1; i < N; i++) loop_path_free(w->paths[i]);
    WATCHED(2); /* one is left at the file */
    for (int i = N; i < 2 * N; i++) loop_path_free(w->paths[i]);
    WATCHED(1);
    append(in(w, "a"));
    assert_int_equal(told(w), 1);
    loop_path_free(w->paths[0]);
    int watches;
    assert_int_equal(instances(&watches), 0);
}

static void free_all(void *user)
{
    struct world *w = user;
    w->count++;
    for (size_t i = 0; i < ARRAY_LEN(w->paths); i++) {
        loop_path_free(w->paths[i]);
        w->paths[i] = NULL;
    }
}

/* Those that are told with it, that wait at the same place, and that wait elsewhere. */
static void a_callback_may_free_all(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"a", "a", "b", "later", "later", "other"};
    int watches;
    append(in(w, "a"));
    append(in(w, "b"));
    for (int round = 0; round < 2; round++) { /* the loop goes on without an instance, and with a new one */
        for (size_t i = 0; i < ARRAY_LEN(names); i++) w->paths[i] = armed(w, in(w, names[i]), free_all);
        append(in(w, "a"));
        append(in(w, "later"));
        assert_int_equal(told(w), 1);
        assert_int_equal(instances(&watches), 0);
        assert_int_equal(unlink(in(w, "later")), 0);
    }
}

static void arm_all(void *user)
{
    struct world *w = user;
    w->count++;
    for (size_t i = 0; i < ARRAY_LEN(w->paths) && w->paths[i]; i++) assert_true(loop_path_arm(w->paths[i], &w->e));
}

/* Whoever is armed looks after that: what was due for it is said by that. */
static void a_callback_may_arm_all(void **state)
{
    struct world *w = *state;
    append(in(w, "a"));
    for (int i = 0; i < 3; i++) w->paths[i] = armed(w, in(w, i < 2 ? "a" : "b"), arm_all);
    for (int round = 0; round < 3; round++) {
        append(in(w, "a"));
        assert_int_equal(told(w), 1);
        WATCHED(2);
    }
    for (int i = 0; i < 3; i++) loop_path_free(w->paths[i]);
}

static void a_directory_in_place_of_a_file_is_no_harm(void **state)
{
    struct world *w = *state;
    assert_int_equal(mkdir(in(w, "d"), 0700), 0);
    struct loop_path *below = armed(w, in(w, "d/a"), count), *itself = armed(w, in(w, "d"), count);
    WATCHED(1);
    append(in(w, "d/b"));
    assert_int_equal(told(w), 0);
    assert_int_equal(mkdir(in(w, "d/a"), 0700), 0); /* made, and not written to */
    assert_int_equal(told(w), 1);
    loop_path_free(below);
    loop_path_free(itself);
}

static void who_waits_in_a_directory_is_told_when_it_goes(void **state)
{
    struct world *w = *state;
    assert_int_equal(mkdir(in(w, "d"), 0700), 0);
    struct loop_path *p = armed(w, in(w, "d/a"), count), *same = armed(w, in(w, "d/b"), count);
    assert_int_equal(rmdir(in(w, "d")), 0);
    assert_int_equal(told(w), 2);
    assert_true(loop_path_arm(p, &w->e));
    assert_int_equal(mkdir(in(w, "d"), 0700), 0);
    assert_int_equal(told(w), 1);
    loop_path_free(p);
    loop_path_free(same);
}

/* More than the kernel keeps happens before anybody looks: the event that mattered is lost. */
static void all_look_again_when_events_were_dropped(void **state)
{
    struct world *w = *state;
    char text[32] = {0};
    int fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    long n = strtol(text, NULL, 10);
    append(in(w, "b"));
    w->paths[0] = armed(w, in(w, "a"), count);
    w->paths[1] = armed(w, in(w, "b"), count);
    w->paths[2] = armed(w, in(w, "c/main.log"), count);
    const char *names[] = {in(w, "x"), in(w, "y")}; /* events that are alike in a row would be one */
    for (long i = 0; i <= n; i++) {
        close(open(names[i & 1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        unlink(names[i & 1]);
    }
    append(in(w, "a"));
    append(in(w, "b"));
    for (long i = 0; i < n && w->count < 3; i++) loop_turn(w->loop, false);
    assert_int_equal(w->count, 3);
    WATCHED(0);
    for (int i = 0; i < 3; i++) assert_true(loop_path_arm(w->paths[i], &w->e));
    append(in(w, "a"));
    append(in(w, "b"));
    assert_int_equal(mkdir(in(w, "c"), 0700), 0);
    assert_int_equal(told(w), 3);
    for (int i = 0; i < 3; i++) loop_path_free(w->paths[i]);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
    struct world *w = *state;
    struct rlimit files, none = {0};
    append(in(w, "a"));
    struct loop_path *p = loop_path_new(w->loop, in(w, "a"), count, w), *below = loop_path_new(w->loop, in(w, "a/b"), count, w);
    getrlimit(RLIMIT_NOFILE, &files);
    none.rlim_max = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    bool ok = loop_path_arm(p, &w->e);
    setrlimit(RLIMIT_NOFILE, &files);
    assert_false(ok);
    assert_true(str_find(str_of(w->e.text), STR("max_user_instances"), 0) >= 0);
    assert_false(loop_path_arm(below, &w->e));
    assert_true(loop_path_arm(p, &w->e));
    append(in(w, "a"));
    assert_int_equal(told(w), 1);
    loop_path_free(p);
    loop_path_free(below);
}

#define PATH_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATH_TEST(a_write_is_told_once),
        PATH_TEST(what_is_not_there_yet_is_awaited_by_its_name),
        PATH_TEST(relative_paths_begin_here),
        PATH_TEST(any_number_share_one_instance_and_its_watches),
        PATH_TEST(a_callback_may_free_all),
        PATH_TEST(a_callback_may_arm_all),
        PATH_TEST(a_directory_in_place_of_a_file_is_no_harm),
        PATH_TEST(who_waits_in_a_directory_is_told_when_it_goes),
        PATH_TEST(all_look_again_when_events_were_dropped),
        PATH_TEST(what_cannot_be_watched_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
