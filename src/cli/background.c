/* See background.h. */
#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "os/fd.h"
#include "os/proc.h"

extern char **environ;

enum { FIRST_US = 5000000 /* at least, for who has started it to come */ };
static const char ready[] = "ready\n";

/* --- who starts it --- */

/* This process' environment, in which the settings that came with flags stand as if they had been there before. */
static char **environment(struct cli *cli, struct str state_dir)
{
    size_t n = 0, kept = 0;
    while (environ[n]) n++;
    char **env = ARENA_ARRAY(&cli->a, char *, n + CONFIG_MAX + 1);
    const char *mine[CONFIG_MAX] = {0};
    for (int i = 0; i < CONFIG_MAX; i++) {
        const struct config_value *v = &cli->config.values[i];
        struct str text = i == CONFIG_STATE_DIR ? state_dir : v->text;
        if (v->source == CONFIG_FLAG || i == CONFIG_STATE_DIR) mine[i] = str_fmt(&cli->a, "%s=%.*s", config_rows[i].env, STR_ARG(text)).p;
    }
    for (size_t k = 0; k < n; k++) {
        bool replaced = false;
        for (int i = 0; i < CONFIG_MAX && !replaced; i++)
            replaced = mine[i] && strncmp(environ[k], mine[i], strlen(config_rows[i].env) + 1) == 0;
        if (!replaced) env[kept++] = environ[k];
    }
    for (int i = 0; i < CONFIG_MAX; i++)
        if (mine[i]) env[kept++] = (char *)mine[i];
    env[kept] = NULL;
    return env;
}

static bool spawn(int64_t idle_s, char **env, int out, int log, pid_t *pid, struct err *e)
{
    char program[] = "skiff", verb[] = "server", flag[] = "--until-idle";
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%lld", (long long)MAX(idle_s, 0));
    char *argv[] = {program, verb, flag, seconds, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    proc_spawnattr_init(&attr, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, log, 2);
    errno = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return errno == 0 || err_sys(e, "start an engine in the background");
}

/* Its error since `from`, or else its first line: notes may come before it. */
static bool failure(struct cli *cli, const char *log, int64_t from, struct err *e)
{
    static const struct str tag = {"error: ", 7};
    struct str text = STR_NONE, line;
    struct err unread;
    if (file_read(&cli->a, log, LIMIT_DOC_BYTES, &text, &unread) && (int64_t)text.n > from) text = str_from(text, (size_t)from);
    else text = STR("it ended without a word");
    ptrdiff_t at = str_find(text, tag, 0);
    if (at >= 0) text = str_from(text, (size_t)at + tag.n);
    str_cut(text, '\n', &line, &text);
    return err_set(e, ERR_UNSUPPORTED, "no engine could be started in the background: %.*s (%s)", STR_ARG(line), log);
}

/* True once it serves, or has seen that another one does. */
static bool await(int out)
{
    char seen[sizeof ready] = {0};
    size_t n = 0;
    while (n < sizeof ready - 1) {
        ssize_t got = read(out, seen + n, sizeof ready - 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        n += (size_t)got;
    }
    return strcmp(seen, ready) == 0;
}

/* At its end; -1: e is set. What is in the file from before is kept unless that is much. */
static int log_open(const char *path, int64_t *end, struct err *e)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_sys(e, "%s", path), -1;
    *end = fstat(fd, &st) == 0 ? (int64_t)st.st_size : 0;
    if (*end > LIMIT_ENGINE_LOG_BYTES && ftruncate(fd, 0) == 0) *end = 0;
    return fd;
}

bool background_start(void *user, struct err *e)
{
    struct cli *cli = user;
    struct str dir;
    int ends[2];
    int64_t end = 0;
    pid_t pid;
    if (!config_state_dir(&cli->a, &cli->config, &cli->world, &dir, e)) return false;
    const char *path = str_fmt(&cli->a, "%.*s/engine.log", STR_ARG(dir)).p;
    int log CLEANUP(close_fd) = log_open(path, &end, e);
    if (log < 0) return false;
    if (pipe2(ends, O_CLOEXEC) < 0) return err_sys(e, "pipe");
    int out CLEANUP(close_fd) = ends[0];
    bool ok = spawn(config_int(&cli->config, CONFIG_BACKGROUND_IDLE), environment(cli, dir), ends[1], log, &pid, e);
    close(ends[1]);
    if (!ok) return false;
    if (await(out)) return cli->background = true;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    return failure(cli, path, end, e);
}

/* --- the engine itself --- */

struct background {
    struct service *s;
    struct loop_timer *idle;
    int64_t idle_us;
    bool told, over, worked;
};

static void on_signal(void *user)
{
    struct background *b = user;
    b->told = true;
    loop_stop(service_loop(b->s));
}

static void on_idle(void *user)
{
    struct background *b = user;
    b->over = true;
    loop_stop(service_loop(b->s));
}

/* After each turn: the time runs only while there is nothing to do. */
static void look(void *user)
{
    struct background *b = user;
    bool idle = service_idle(b->s);
    b->worked = b->worked || !idle;
    if (!idle) loop_timer_disarm(b->idle);
    else if (!loop_timer_armed(b->idle) && !b->over) loop_timer_arm_us(b->idle, b->worked ? b->idle_us : MAX(b->idle_us, FIRST_US));
}

/* It may be told to end as soon as it says that it is there. What came in the turn in which the time was up still counts. */
static bool engine_run(struct cli *cli, struct background *b, struct err *e)
{
    struct loop *l = service_loop(b->s);
    struct loop_signal *ends[] = {loop_signal_new(l, SIGTERM, on_signal, b, e), loop_signal_new(l, SIGINT, on_signal, b, e)};
    struct loop_hook *hook = loop_hook_new(l, LOOP_HOOK_SEND, look, b);
    b->idle = loop_timer_new(l, on_idle, b);
    bool ok = ends[0] && ends[1];
    if (ok) cli_out(cli, STR(ready));
    while (ok && !b->told && !service_yielded(b->s) && !service_failed(b->s, e) && !(b->over && service_idle(b->s))) {
        b->over = false;
        loop_run(l);
    }
    loop_timer_free(b->idle);
    loop_hook_free(hook);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) loop_signal_free(ends[i]);
    return ok && !service_failed(b->s, e);
}

bool background_run(struct cli *cli, int64_t idle_s, struct err *e)
{
    struct background b = {.s = background_open(cli, e), .idle_us = idle_s * 1000000};
    if (!b.s) return false;
    prctl(PR_SET_NAME, "skiff"); /* it was executed as /proc/self/exe */
    bool ok = true, first = service_is_engine(b.s);
    if (!first) cli_out(cli, STR(ready)); /* another one is there */
    if (first) {
        struct str notice = service_notice(b.s);
        log_line(LOG_INFO, "engine for what runs in the background: ends when nothing is at work");
        if (notice.n) log_line(LOG_INFO, "%.*s", STR_ARG(notice));
        ok = engine_run(cli, &b, e);
        log_line(LOG_INFO, "%s", b.told ? "told to end" : service_yielded(b.s) ? "a server takes over" : ok ? "nothing is at work" : "failed");
    }
    service_close(b.s);
    return ok;
}
