/* The command line's entry: words in, exit status out (base/errors.def; docs/exit-codes.md).
 *
 * stdout carries data only; progress, notices and errors go to stderr. Runs on: the main thread. */
#pragma once
#include "service/tokens.h"
#include "sso/sso.h"

/* What `skiff server` listens at, and whom it lets in: see api.h, which has the same. */
struct cli_listen {
    int fd; /* taken over */
    enum service_callers callers;
    bool local;
    int64_t per_s;
    bool paces_local;
    struct str cors_origin;
    const struct sso_opts *sso;
    int64_t session_us;
    const char *tls_cert, *tls_key;
};

struct cli_env {
    int out_fd, err_fd;     /* normally 1 and 2 */
    struct launcher *steps; /* started by main before any thread; NULL: no steps can run */
    /* for service_opts: how others reach the engine that this process may become */
    void *(*serve)(struct service *s, struct err *e);
    void *(*serve_on)(struct service *s, const struct cli_listen *l, struct err *e); /* the same on a listening socket */
    bool (*certify)(void *server, const char *cert, const char *key, struct err *e); /* of serve_on with TLS: another pair (PEM) from now on */
    void (*unserve)(void *server);
    /* until then somebody answers there that the state is being loaded; NULL: nobody can */
    void *(*wait_on)(const struct cli_listen *l);
    void (*unwait)(void *waiting);
};

int cli_main(int argc, char **argv, struct cli_env *env);

/* Does this command line name a command that may run steps? Then main starts the launcher first. */
bool cli_needs_steps(int argc, char **argv);
