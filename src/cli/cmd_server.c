/* skiff server: the engine as a service. It stays when nothing runs, and others reach it over TCP as well as over engine.sock. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "cli/background.h"
#include "loop/tcp.h"
#include "os/fd.h"
#include "os/notify.h"

enum { PORT = 2746 /* Argo's */, PORT_MAX = 65535, SESSION_HOURS_MAX = 24 * 90 };

static const struct flag flags[] = {
    {.name = "host", .kind = FLAG_STR, .arg = "HOST", .doc = "listen at this name or address (default 127.0.0.1)"},
    {.name = "auth", .kind = FLAG_STR, .arg = "auto|token|sso|none", .doc = "who may call: who has a token, or signs in, or anybody; auto: see docs/server.md"},
    {.name = "api-rate-limit", .kind = FLAG_INT, .arg = "N", .doc = "most requests from one address in a second (default 1000, without those of this machine; 0: no limit)"},
    {.name = "port", .letter = 'p', .kind = FLAG_INT, .arg = "N", .doc = "listen at this port (default 2746; 0: any that is free)"},
    {.name = "tls-cert", .kind = FLAG_STR, .arg = "FILE", .doc = "speak HTTPS with this certificate (PEM, with the chain after it; read again on SIGHUP)"},
    {.name = "tls-key", .kind = FLAG_STR, .arg = "FILE", .doc = "and its private key (PEM)"},
    {.name = "until-idle", .kind = FLAG_INT, .arg = "SECONDS", .doc = "listen at engine.sock alone, and end when nothing was at work for so long"},
    /* of argo's server */
    {.name = "auth-mode", .kind = FLAG_NOT, .arg = "--auth says who may call: token, sso, none or auto"},
    {.name = "base-href", .kind = FLAG_NOT, .arg = "it answers at / alone; a proxy before it that adds a path takes it away again"},
    {.name = "access-control-allow-origin", .kind = FLAG_NOT, .arg = "the setting server_cors_origin names the origin whose pages may call it"},
    {.name = "allowed-link-protocol", .kind = FLAG_NOT, .arg = "it has no page with links"},
    {.name = "browser", .letter = 'b', .kind = FLAG_NOT, .arg = "it has no page to show"},
    {.name = "configmap", .kind = FLAG_NOT, .arg = "settings stand in skiff.toml (skiff help config)"},
    {.name = "event-async-dispatch", .kind = FLAG_NOT, .arg = "an event is answered when its bindings were asked, as without this flag of argo"},
    {.name = "event-operation-queue-size", .kind = FLAG_NOT, .arg = "at most 1000 events wait (LIMIT_EVENTS_QUEUED), on the disk"},
    {.name = "event-worker-count", .kind = FLAG_NOT, .arg = "events need no workers"},
    {.name = "hsts", .kind = FLAG_NOT, .arg = "a proxy before it says so"},
    {.name = "kube-api-burst", .kind = FLAG_NOT, .arg = "there is no cluster"},
    {.name = "kube-api-qps", .kind = FLAG_NOT, .arg = "there is no cluster"},
    {.name = "managed-namespace", .kind = FLAG_NOT, .arg = "it serves every namespace of its state directory; skiff token create -n makes tokens for one"},
    {.name = "namespaced", .kind = FLAG_NOT, .arg = "it serves every namespace of its state directory; skiff token create -n makes tokens for one"},
    {.name = "tls-certificate-secret-name", .kind = FLAG_NOT, .arg = "--tls-cert FILE and --tls-key FILE"},
    {.name = "x-frame-options", .kind = FLAG_NOT, .arg = "it has no page to show"},
};

/* A manager that wants to hear from us again and again gets it from the loop: one that hangs is restarted. */
struct watchdog {
    struct loop_timer *timer;
    int64_t every_us;
};

static void on_watchdog(void *user)
{
    struct watchdog *w = user;
    notify_manager("WATCHDOG=1");
    loop_timer_arm_us(w->timer, w->every_us);
}

static bool server_listen(struct cli *cli, struct tcp_place *place, int *fd, struct err *e)
{
    const char *host = args_str(&cli->args, "host");
    int64_t port = args_int(&cli->args, "port", PORT);
    if (port < 0 || port > PORT_MAX) return err_set(e, ERR_USAGE, "--port is from 0 to %d", PORT_MAX);
    *fd = tcp_listen(host ? host : "127.0.0.1", (int)port, place, e);
    return *fd >= 0;
}

static enum service_callers callers_of(const struct cli *cli, const struct tcp_place *place)
{
    if (config_is(&cli->config, CONFIG_SERVER_AUTH, "none")) return CALLERS_ANY;
    bool always = config_is(&cli->config, CONFIG_SERVER_AUTH, "token") || config_is(&cli->config, CONFIG_SERVER_AUTH, "sso") || !place->loopback;
    return always ? CALLERS_KNOWN : CALLERS_ANY_UNTIL_TOKENS;
}

/* Where everybody needs a token somebody has to have one. It goes to the terminal alone, also with -q: there is no other way to get at it. */
static bool first_token(struct cli *cli, struct service *s, struct err *e)
{
    struct val_builder b;
    struct val made;
    bool any;
    if (!service_token_any(s, &any, e)) return false;
    if (any) return true;
    map_begin(&b, &cli->a);
    map_add_str(&b, "name", STR("admin"));
    map_add_str(&b, "role", STR("admin"));
    struct val want = map_done(&b);
    if (!service_token_create(&cli->a, s, &want, &made, e)) return false;
    if (log_get_format() == LOG_JSON) {
        struct str shown = str_fmt(&cli->a, "Bearer %.*s", STR_ARG(val_get_str(&made, "token")));
        log_event(LOG_INFO, "the first token, for an admin; it is not shown again", &(struct log_field){"token", shown, false}, 1);
        return true;
    }
    cli_err(cli, str_fmt(&cli->a, "the first token, for an admin; it is not shown again:\n  Bearer %.*s\n", STR_ARG(val_get_str(&made, "token"))));
    return true;
}

/* Somebody who sets one means all addresses. */
static bool rate_read(const struct cli *cli, struct cli_listen *l, struct err *e)
{
    l->per_s = config_int(&cli->config, CONFIG_SERVER_API_RATE_LIMIT);
    l->paces_local = cli->config.values[CONFIG_SERVER_API_RATE_LIMIT].source != CONFIG_DEFAULT;
    return l->per_s <= LIMIT_API_RATE || err_set(e, ERR_USAGE, "server_api_rate_limit is from 0 to %d", LIMIT_API_RATE);
}

static bool pem_read(struct arena *a, const char *file, const char **out, struct err *e)
{
    struct str text;
    if (!file_read(a, file, LIMIT_HTTP_TLS_BYTES, &text, e)) return false;
    *out = str_z(a, text);
    return true;
}

/* Certificate and key, each NULL without TLS. */
static bool tls_read(struct cli *cli, struct arena *a, const char **cert, const char **key, struct err *e)
{
    const char *cert_file = args_str(&cli->args, "tls-cert"), *key_file = args_str(&cli->args, "tls-key");
    *cert = *key = NULL;
    if (args_has(&cli->args, "secure") && args_on(&cli->args, "secure") != (cert_file || key_file))
        return err_set(e, ERR_USAGE, "--secure: it speaks TLS where --tls-cert and --tls-key are given, and only there");
    if (!cert_file && !key_file) return true;
    if (!cert_file || !key_file) return err_set(e, ERR_USAGE, "--tls-cert and --tls-key belong together");
    return pem_read(a, cert_file, cert, e) && pem_read(a, key_file, key, e);
}

/* In the file or the environment; never an argument, which everybody on the machine can read. */
static bool secret_read(struct cli *cli, struct str *out, struct err *e)
{
    struct str file = config_str(&cli->config, CONFIG_SSO_SECRET_FILE);
    const char *env = cli->world.getenv("SKIFF_SSO_CLIENT_SECRET");
    *out = str_dup(&cli->a, str_of(env ? env : ""));
    if (env && file.n) return err_set(e, ERR_USAGE, "sso.client_secret_file and SKIFF_SSO_CLIENT_SECRET are both set");
    if (!file.n) return true;
    if (!file_read(&cli->a, file.p, LIMIT_SSO_SECRET_BYTES, out, e)) return err_ctx(e, "sso.client_secret_file");
    *out = str_trim(*out);
    return out->n || err_set(e, ERR_USAGE, "sso.client_secret_file: '%s' is empty", file.p);
}

/* With server_auth = sso; what is set without it is said to do nothing. */
static bool sso_read(struct cli *cli, struct cli_listen *l, struct err *e)
{
    const struct config *c = &cli->config;
    struct sso_opts *o = ARENA_NEW(&cli->a, struct sso_opts);
    if (!config_is(c, CONFIG_SERVER_AUTH, "sso")) {
        if (config_str(c, CONFIG_SSO_ISSUER).n) cli_note(cli, "sso.issuer is set, but nobody signs in: server_auth is %.*s", STR_ARG(config_str(c, CONFIG_SERVER_AUTH)));
        return true;
    }
    *o = (struct sso_opts){.issuer = config_str(c, CONFIG_SSO_ISSUER), .client_id = config_str(c, CONFIG_SSO_CLIENT_ID),
                           .redirect_url = config_str(c, CONFIG_SSO_REDIRECT_URL), .scopes = config_str(c, CONFIG_SSO_SCOPES),
                           .groups_claim = config_str(c, CONFIG_SSO_GROUPS_CLAIM), .audiences = config_str(c, CONFIG_SSO_AUDIENCES),
                           .issuer_alias = config_str(c, CONFIG_SSO_ISSUER_ALIAS), .userinfo_path = config_str(c, CONFIG_SSO_USERINFO_PATH),
                           .groups_filter = config_str(c, CONFIG_SSO_GROUPS_FILTER), .ca_file = config_str(c, CONFIG_SSO_CA_FILE),
                           .insecure = config_bool(c, CONFIG_SSO_INSECURE), .rules_file = config_str(c, CONFIG_SSO_RULES)};
    if (o->rules_file.n && !file_read(&cli->a, o->rules_file.p, LIMIT_CONFIG_BYTES, &o->rules, e)) return err_ctx(e, "sso.rules");
    if (o->ca_file.n && access(o->ca_file.p, R_OK) != 0) return err_sys(e, "sso.ca_file: '%s'", o->ca_file.p);
    if (o->insecure) cli_note(cli, "the identity provider's certificate is not checked: sso.insecure_skip_verify");
    int64_t hours = config_int(c, CONFIG_SSO_SESSION);
    if (hours < 1 || hours > SESSION_HOURS_MAX) return err_set(e, ERR_USAGE, "sso.session_hours is from 1 to %d", SESSION_HOURS_MAX);
    l->session_us = hours * 3600 * 1000000;
    l->sso = o;
    return secret_read(cli, &o->client_secret, e);
}

/* As a line of the log where a program reads it. */
static void server_say(struct cli *cli, struct str text)
{
    if (log_get_format() == LOG_JSON) log_line(LOG_INFO, "%.*s", STR_ARG(text));
    else cli_note(cli, "%.*s", STR_ARG(text));
}

static void place_note(struct cli *cli, const struct service *s, const struct tcp_place *place, const struct cli_listen *l)
{
    struct str notice = service_notice(s);
    if (notice.n) server_say(cli, notice);
    server_say(cli, str_fmt(&cli->a, "listening at %s://%s", l->tls_cert ? "https" : "http", place->text));
    if (place->loopback) return;
    if (l->callers == CALLERS_ANY) server_say(cli, STR("whoever reaches it may run programs here: server_auth is none"));
    else if (!l->tls_cert) server_say(cli, STR("tokens travel in the clear: use --tls-cert, or put TLS before it, where others can listen"));
}

/* ---- signals ---- */

struct serving {
    struct cli *cli;
    struct loop *l;
    void *server;
    bool terminal; /* it ends with the one that it was started from */
};

static bool terminal_there(void)
{
    CLEANUP(close_fd) int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    return fd >= 0;
}

/* Not under nohup, which has the signal ignored. */
static bool hang_up_ends(void)
{
    struct sigaction now;
    return terminal_there() && sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN;
}

/* Until there is somebody to hear of it: a certificate may be renewed while the state is loaded, and that ends nothing either. */
static void hang_up_mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(how, &set, NULL);
}

static void on_end(void *user) { loop_stop(((struct serving *)user)->l); }

/* What does not fit together changes nothing: a renewal may be half written, or its files may not be readable. */
static void certificate_renew(struct serving *x)
{
    struct arena a CLEANUP(arena_fini);
    const char *cert, *key;
    struct err e;
    arena_init(&a);
    bool ok = tls_read(x->cli, &a, &cert, &key, &e);
    if (ok && !cert) log_line(LOG_INFO, "SIGHUP: there is no certificate to read again");
    else if (ok && x->cli->env->certify(x->server, cert, key, &e)) log_line(LOG_INFO, "new connections get the certificate of %s", args_str(&x->cli->args, "tls-cert"));
    else log_line(LOG_ERROR, "the certificate stays the one that it was: %s", e.text);
}

/* A terminal that goes says so in the same way. */
static void on_hang_up(void *user)
{
    struct serving *x = user;
    if (x->terminal && !terminal_there()) loop_stop(x->l);
    else certificate_renew(x);
}

static const struct {
    int signo;
    loop_fn *fn;
} signals[] = {{SIGINT, on_end}, {SIGTERM, on_end}, {SIGHUP, on_hang_up}};

/* Until it is told to end, which counts from before it says that it listens. Steps at work go on under their supervisors; the next engine adopts them. */
static bool serve_until_told(struct serving *x, struct service *s, const struct tcp_place *place, const struct cli_listen *at, struct err *e)
{
    struct loop_signal *watches[ARRAY_LEN(signals)] = {0};
    struct cli *cli = x->cli;
    struct loop *l = x->l;
    struct watchdog dog = {.timer = loop_timer_new(l, on_watchdog, &dog), .every_us = notify_watchdog_us() / 3};
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_LEN(signals); i++) {
        watches[i] = loop_signal_new(l, signals[i].signo, signals[i].fn, x, e);
        ok = watches[i] != NULL;
    }
    if (ok) hang_up_mask(SIG_UNBLOCK);
    if (ok && dog.every_us > 0) on_watchdog(&dog);
    if (ok) {
        place_note(cli, s, place, at);
        notify_manager("READY=1");
        loop_run(l);
    }
    notify_manager("STOPPING=1");
    loop_timer_free(dog.timer);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) loop_signal_free(watches[i]);
    return ok && !service_failed(s, e);
}

static bool server_run(struct cli *cli, struct err *e)
{
    struct cli_listen l = {.cors_origin = config_str(&cli->config, CONFIG_SERVER_CORS_ORIGIN)};
    struct serving x = {.cli = cli, .terminal = hang_up_ends()};
    struct tcp_place place;
    if (!log_on(LOG_INFO)) log_set_level(LOG_INFO);
    if (args_has(&cli->args, "until-idle")) return background_run(cli, args_int(&cli->args, "until-idle", 0), e);
    hang_up_mask(SIG_BLOCK);
    if (!rate_read(cli, &l, e) || !tls_read(cli, &cli->a, &l.tls_cert, &l.tls_key, e) || !sso_read(cli, &l, e) || !server_listen(cli, &place, &l.fd, e)) return false;
    l.callers = callers_of(cli, &place);
    l.local = place.loopback;
    void *waiting = cli->env->wait_on(&l);
    struct service *s = server_open(cli, e);
    cli->env->unwait(waiting);
    bool ok = s != NULL;
    if (ok && !service_is_engine(s)) ok = service_displace(s, e);
    if (ok && l.callers == CALLERS_KNOWN && !l.sso) ok = first_token(cli, s, e);
    if (!ok) close(l.fd);
    x.l = ok ? service_loop(s) : NULL;
    x.server = ok ? cli->env->serve_on(s, &l, e) : NULL;
    if (x.server) {
        ok = serve_until_told(&x, s, &place, &l, e);
        cli->env->unserve(x.server);
    }
    service_close(s);
    return ok && x.server;
}

const struct cmd cmd_server = {
    .name = "server",
    .where = WHERE_HERE,
    .steps = true,
    .group = "RUN",
    .usage = "[--host HOST] [--port N] [--auth auto|token|sso|none] [--tls-cert FILE --tls-key FILE]",
    .summary = "serve Argo's API and run what is submitted",
    .details = "The engine of the state directory, for as long as it is not told to end (Ctrl-C, SIGTERM): steps at work then go on by\n"
               "themselves, and whoever comes next takes them over. It speaks HTTP as Argo's server does, at 127.0.0.1:2746 if nothing\n"
               "else is said; commands of skiff in the same state directory reach it without that. Where other machines reach it callers need a\n"
               "token (skiff token); without one in the directory it makes the first and shows it.",
    .examples = "  skiff server\n  skiff server --port 8080 --state /srv/pipelines\n"
                "  curl http://127.0.0.1:2746/api/v1/workflows/default",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = server_run,
};
