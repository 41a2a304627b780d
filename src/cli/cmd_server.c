/* skiff server: the engine as a service. It stays when nothing runs, and others reach it over TCP as well as over engine.sock. */
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/session.h"
#include "loop/tcp.h"

enum { PORT = 2746 /* Argo's */, PORT_MAX = 65535 };

static const struct flag flags[] = {
    {.name = "host", .kind = FLAG_STR, .arg = "HOST", .doc = "listen at this name or address (default 127.0.0.1)"},
    {.name = "port", .letter = 'p', .kind = FLAG_INT, .arg = "N", .doc = "listen at this port (default 2746; 0: any that is free)"},
};

static void on_signal(void *user) { loop_stop(user); }

/* Until it is told to end. Steps at work go on under their supervisors; the next engine adopts them. */
static bool serve_until_told(struct service *s, struct err *e)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct loop_signal *watches[ARRAY_LEN(signals)] = {0};
    struct loop *l = service_loop(s);
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_LEN(signals); i++) {
        watches[i] = loop_signal_new(l, signals[i], on_signal, l, e);
        ok = watches[i] != NULL;
    }
    if (ok) loop_run(l);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) loop_signal_free(watches[i]);
    return ok && !service_failed(s, e);
}

static bool server_listen(struct cli *cli, struct tcp_place *place, int *fd, struct err *e)
{
    const char *host = args_str(&cli->args, "host");
    int64_t port = args_int(&cli->args, "port", PORT);
    if (port < 0 || port > PORT_MAX) return err_set(e, ERR_USAGE, "--port is from 0 to %d", PORT_MAX);
    *fd = tcp_listen(host ? host : "127.0.0.1", (int)port, place, e);
    if (*fd < 0) return false;
    if (place->loopback) return true;
    close(*fd);
    return err_set(e, ERR_USAGE, "%s can be reached from other machines, and callers are not told apart yet: use --host 127.0.0.1", place->text);
}

static bool server_run(struct cli *cli, struct err *e)
{
    struct tcp_place place;
    int fd = -1;
    if (!server_listen(cli, &place, &fd, e)) return false;
    struct service *s = writer_open(cli, true, true, e);
    bool ok = s != NULL;
    if (ok && !service_is_engine(s))
        ok = err_set(e, ERR_CONFLICT, "another skiff is at work in this state directory: end it first, or give --state another one");
    if (!ok) close(fd);
    void *server = ok ? cli->env->serve_on(s, fd, e) : NULL;
    if (server) {
        struct str notice = service_notice(s);
        if (notice.n) cli_note(cli, "%.*s", STR_ARG(notice));
        cli_note(cli, "listening at http://%s", place.text);
        ok = serve_until_told(s, e);
        cli->env->unserve(server);
    }
    service_close(s);
    return ok && server;
}

const struct cmd cmd_server = {
    .name = "server",
    .steps = true,
    .group = "RUN",
    .usage = "[--host HOST] [--port N]",
    .summary = "serve Argo's API and run what is submitted",
    .details = "The engine of the state directory, for as long as it is not told to end (Ctrl-C, SIGTERM): steps at work then go on by\n"
               "themselves, and whoever comes next takes them over. It speaks HTTP as Argo's server does, at 127.0.0.1:2746 if nothing\n"
               "else is said; commands of skiff in the same state directory reach it without that.",
    .examples = "  skiff server\n  skiff server --port 8080 --state /srv/pipelines\n"
                "  curl http://127.0.0.1:2746/api/v1/workflows/default",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = server_run,
};
