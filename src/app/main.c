/* The program: the launcher before anything else, then the command line. */
#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "api/api.h"
#include "base/fail.h"
#include "cli/cli.h"
#include "http/waiting.h"
#include "step/launcher.h"

static void *serve(struct service *s, struct err *e)
{
    struct api_opts o = {.unix_path = service_socket(s)};
    return api_serve(s, &o, e);
}

static void *serve_on(struct service *s, const struct cli_listen *l, struct err *e)
{
    struct api_opts o = {.listen_fd = l->fd, .tls_cert = l->tls_cert, .tls_key = l->tls_key, .callers = l->callers, .local = l->local, .per_s = l->per_s, .paces_local = l->paces_local,
                         .cors_origin = l->cors_origin, .sso = l->sso, .session_us = l->session_us};
    return api_serve(s, &o, e);
}

static void *wait_on(const struct cli_listen *l)
{
    struct err e;
    return l->tls_cert ? NULL : http_waiting_begin(l->fd, &e);
}

static void unwait(void *waiting)
{
    http_waiting_end(waiting);
}

static bool certify(void *server, const char *cert, const char *key, struct err *e)
{
    return api_certificate(server, cert, key, e);
}

static void unserve(void *server)
{
    api_free(server);
}

/* A slot takes a descriptor, so thousands of steps at once need more than the usual 1,024. Only here,
 * after the launcher: steps keep the limit that programs with select(2) count on. */
static void open_files_raise(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == r.rlim_max) return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
    struct cli_env env = {.out_fd = 1, .err_fd = 2, .serve = serve, .serve_on = serve_on, .certify = certify, .unserve = unserve, .wait_on = wait_on, .unwait = unwait};
    struct err e;
    launcher_take_part(argc, argv);
    if (!fail_init(&e)) {
        fprintf(stderr, "skiff: %s\n", e.text);
        return err_exit_status(e.code);
    }
    /* `skiff list` should not fork */
    if (cli_needs_steps(argc, argv) && !(env.steps = launcher_start(argc, argv, &e))) {
        fprintf(stderr, "skiff: %s\n", e.text);
        return err_exit_status(e.code);
    }
    if (env.steps) open_files_raise();
    prctl(PR_SET_DUMPABLE, 0); /* secrets pass through this memory: no core file, and no step of the same user looks in */
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive needs a locale that knows UTF-8 */
    int status = cli_main(argc, argv, &env);
    launcher_stop(env.steps);
    return status;
}
