/* From argv to the command's function and back to an exit status. */
#include "cli/cli_p.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "cli/cmds.h"
#include "cli/remote.h"
#include "cli/text.h"
#include "doc/closest.h"
#include "os/clock.h"

enum { STATUS_PIPE = 128 + SIGPIPE };

/* --- writing --- */

static void fd_put(int fd, struct str text, int *lost, bool stay)
{
    while (text.n > 0 && !*lost) {
        ssize_t n = write(fd, text.p, text.n);
        if (n >= 0) text = str_from(text, (size_t)n);
        else if (errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1); /* others may have made it so */
        else if (errno == EPIPE && !stay) _exit(STATUS_PIPE);
        else if (errno != EINTR) *lost = errno;
    }
}

void cli_out(const struct cli *cli, struct str text) { fd_put(cli->env->out_fd, text, &cli->lost->out, cli->lost->stay); }

void cli_err(const struct cli *cli, struct str text) { fd_put(cli->env->err_fd, text, &cli->lost->err, cli->lost->stay); }

/* The text may have words of a server or of a hostile file: no escape sequence gets through. */
static void clean_lines(struct buf *b, struct str text)
{
    struct str line;
    while (str_set(text)) {
        str_cut(text, '\n', &line, &text);
        text_clean(b, line);
        buf_char(b, '\n');
    }
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
    if (cli->quiet) return;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (log_get_format() == LOG_JSON) {
        log_line(LOG_WARN, "%s", text);
        return;
    }
    clean_lines(&b, str_of(text));
    cli_err(cli, buf_view(&b));
}

static void error_print(const struct cli *cli, const struct err *e)
{
    if (log_get_format() == LOG_JSON) {
        log_line(LOG_ERROR, "%s", e->text);
        return;
    }
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    style_put(&b, &cli->err_style, STYLE_FAILED, STR("error"));
    buf_str(&b, STR(": "));
    clean_lines(&b, str_of(e->text));
    if (e->code == ERR_INTERNAL) buf_str(&b, STR("this is a bug in skiff\n"));
    cli_err(cli, buf_view(&b));
}

/* --- what flags say about the configuration --- */

/* `cron backfill --parallel` is not about steps. */
static bool flag_is_bool(const struct cli *cli, const char *name)
{
    const struct flag *f = cmd_flag(cli->args.cmd, str_of(name));
    return f && f->kind == FLAG_BOOL;
}

static bool flag_config(struct cli *cli, const char *flag, enum config_id id, struct err *e)
{
    const char *value = args_str(&cli->args, flag);
    struct str where = str_fmt(&cli->a, "--%s", flag);
    return !value || config_set_flag(&cli->a, &cli->config, id, str_of(value), where.p, e);
}

static const char *env_get(const char *name) { return getenv(name); }

static bool config_make(struct cli *cli, struct err *e)
{
    cli->world = (struct config_world){env_get, getcwd(NULL, 0)};
    if (!config_load(&cli->a, &cli->config, &cli->world, e)) return false;
    if (args_on(&cli->args, "no-color") &&
        !config_set_flag(&cli->a, &cli->config, CONFIG_COLOR, STR("never"), "--no-color", e)) return false;
    if (args_on(&cli->args, "no-utf8") &&
        !config_set_flag(&cli->a, &cli->config, CONFIG_ASCII, STR("true"), "--no-utf8", e)) return false;
    if (args_on(&cli->args, "no-builtin-images") &&
        !config_set_flag(&cli->a, &cli->config, CONFIG_IMAGE_BUILTIN, STR("false"), "--no-builtin-images", e)) return false;
    return flag_config(cli, "namespace", CONFIG_NAMESPACE, e) && flag_config(cli, "state", CONFIG_STATE_DIR, e) &&
           flag_config(cli, "ascii", CONFIG_ASCII, e) && flag_config(cli, "runtime", CONFIG_RUNTIME, e) &&
           flag_config(cli, "network", CONFIG_NETWORK, e) && flag_config(cli, "auth", CONFIG_SERVER_AUTH, e) &&
           flag_config(cli, "api-rate-limit", CONFIG_SERVER_API_RATE_LIMIT, e) &&
           flag_config(cli, "images", CONFIG_IMAGES, e) && flag_config(cli, "image-fallback", CONFIG_IMAGE_FALLBACK, e) &&
           (flag_is_bool(cli, "parallel") || flag_config(cli, "parallel", CONFIG_PARALLEL, e)) &&
           flag_config(cli, "cpus", CONFIG_CPUS, e) && flag_config(cli, "memory", CONFIG_MEMORY, e) &&
           flag_config(cli, "progress", CONFIG_PROGRESS, e);
}

struct str cli_namespace(const struct cli *cli) { return config_str(&cli->config, CONFIG_NAMESPACE); }

bool cli_output(const struct cli *cli, enum output *out, struct err *e)
{
    return output_parse(args_str(&cli->args, "output"), out, e);
}

bool cli_view_opts(struct cli *cli, struct view_opts *o, struct err *e)
{
    enum output form;
    const char *status = args_str(&cli->args, "status"), *nodes = args_str(&cli->args, "node-field-selector");
    if (!cli_output(cli, &form, e)) return false;
    if (status && nodes) return err_set(e, ERR_USAGE, "--status and --node-field-selector exclude each other");
    int64_t now = clock_now_us();
    *o = (struct view_opts){.now_us = now, .tz_s = term_tz_s(now), .style = cli->style};
    o->form = form == OUTPUT_WIDE ? VIEW_WIDE : form == OUTPUT_SHORT ? VIEW_SHORT : VIEW_DEFAULT;
    if (status) nodes = str_fmt(&cli->a, "phase=%s", status).p;
    return nodesel_parse(&cli->a, nodes, &o->nodes, e);
}

/* --- dispatch --- */

static bool cmd_unknown(struct cli *cli, const char *name, struct err *e)
{
    struct str *names = ARENA_ARRAY(&cli->a, struct str, n_cmds);
    if (strcmp(name, "executor-plugin") == 0)
        return err_set(e, ERR_UNSUPPORTED, "'executor-plugin' of argo is not there: plugins do not run here, a container template does what one would");
    for (size_t i = 0; i < n_cmds; i++) names[i] = str_of(cmds[i]->name);
    struct str near = str_closest(str_of(name), names, n_cmds);
    if (str_set(near)) return err_set(e, ERR_USAGE, "no command '%s', did you mean '%.*s'?", name, STR_ARG(near));
    return err_set(e, ERR_USAGE, "no command '%s' (try: skiff help)", name);
}

/* The first word that is not a global flag or its value; global flags before it are kept. */
static int verb_index(int argc, char **argv, int from)
{
    static const struct cmd none = {.name = "skiff"};
    int i = from;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const struct flag *f = argv[i][1] == '-' ? cmd_flag(&none, str_of(argv[i] + 2)) : cmd_flag_letter(&none, argv[i][1]);
        bool joined = argv[i][1] != '-' && argv[i][2];
        if (f && f->kind != FLAG_BOOL && !joined) i++;
    }
    return i;
}

static void log_set(const struct args *g)
{
    static const char *const levels[] = {[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    const char *form = args_str(g, "log-format"), *level = args_str(g, "loglevel");
    if (form && strcmp(form, "json") == 0) log_set_format(LOG_JSON);
    for (size_t i = 0; level && i < ARRAY_LEN(levels); i++)
        if (strcmp(level, levels[i]) == 0) log_set_level((enum log_level)i);
    if (args_on(g, "verbose")) log_set_level(LOG_DEBUG);
}

static bool command_run(struct cli *cli, const struct cmd *c, struct err *e)
{
    if (args_on(&cli->args, "help")) {
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, LIMIT_VALUE_BYTES);
        help_command(&b, c);
        cli_out(cli, buf_view(&b));
        return true;
    }
    log_set(&cli->args); /* from here on, whatever is said */
    if (!config_make(cli, e)) return false;
    cli->quiet = args_on(&cli->args, "quiet") || config_is(&cli->config, CONFIG_PROGRESS, "quiet");
    if (cli->config.ignored.n) cli_note(cli, "%.*s", STR_ARG(cli->config.ignored));
    if (!remote_choose(cli, e)) return false;
    cli->style = term_style(cli, cli->env->out_fd);
    cli->err_style = term_style(cli, cli->env->err_fd);
    return c->run(cli, e);
}

/* For a group the verb that the next word names; *at is that word's index, or 0. NULL: e is set. */
static const struct cmd *cmd_resolve(const struct cli *cli, const struct cmd *c, int argc, char **argv, int verb, int *at,
                                     struct err *e)
{
    *at = 0;
    if (!c || !c->n_subs) return c;
    int i = verb_index(argc, argv, verb + 1);
    const struct cmd *sub = i < argc ? cmd_sub(c, argv[i]) : NULL;
    for (int k = verb + 1; k < argc && !sub; k++)
        if (strcmp(argv[k], "--help") == 0 || strcmp(argv[k], "-h") == 0) return c;
    if (sub) return *at = i, sub;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1000);
    for (size_t k = 0; k < c->n_subs; k++) buf_printf(&b, "%s%s", k ? ", " : "", cmd_verb(c->subs[k]));
    (void)cli;
    if (i < argc) err_set(e, ERR_USAGE, "'%s' has no verb '%s' (%.*s)", c->name, argv[i], STR_ARG(buf_view(&b)));
    else err_set(e, ERR_USAGE, "'%s' needs a verb: %.*s", c->name, STR_ARG(buf_view(&b)));
    return NULL;
}

/* `skiff --version` is about this program, `skiff version` about a server elsewhere as well. */
static const struct cmd *own_version(struct cli *cli)
{
    struct cmd *c = ARENA_NEW(&cli->a, struct cmd);
    *c = cmd_version;
    c->where = WHERE_NOWHERE;
    return c;
}

/* What the words say: the command, its flags and arguments. */
static bool words_read(struct cli *cli, int argc, char **argv, const struct cmd **cmd, struct err *e)
{
    int verb = verb_index(argc, argv, 1), sub;
    const char *name = verb < argc ? argv[verb] : "help";
    const struct cmd *c = cmd_find(name);
    for (int i = 1; i < verb; i++)
        if (strcmp(argv[i], "--version") == 0) c = own_version(cli), name = c->name, verb = argc;
    if (!c) return cmd_unknown(cli, name, e);
    if (!(c = cmd_resolve(cli, c, argc, argv, verb, &sub, e))) return false;
    char **rest = ARENA_ARRAY(&cli->a, char *, argc + 1);
    int n = 0;
    for (int i = 1; i < argc; i++)
        if (i != verb && (!sub || i != sub) && strcmp(argv[i], "--version") != 0) rest[n++] = argv[i];
    if (verb >= argc && strcmp(name, "help") == 0) n = 0; /* `skiff --help` is `skiff help` */
    *cmd = c;
    return args_parse(&cli->a, c, n, rest, &cli->args, e);
}

static bool words_run(struct cli *cli, int argc, char **argv, struct err *e)
{
    const struct cmd *c;
    return words_read(cli, argc, argv, &c, e) && command_run(cli, c, e);
}

bool cli_needs_steps(int argc, char **argv)
{
    struct cli cli = {0};
    const struct cmd *c;
    struct err e; /* said when it is run */
    arena_init(&cli.a);
    bool needs = words_read(&cli, argc, argv, &c, &e) && c->steps && !remote_named(&cli);
    arena_fini(&cli.a);
    return needs;
}

int cli_main(int argc, char **argv, struct cli_env *env)
{
    struct cli_lost lost = {0};
    struct cli cli = {.env = env, .lost = &lost};
    struct err e = {0};
    signal(SIGPIPE, SIG_IGN);
    arena_init(&cli.a);
    bool ok = words_run(&cli, argc, argv, &e);
    if (!ok && e.text[0]) error_print(&cli, &e);
    if (lost.out && lost.out != EPIPE) {
        struct err full;
        err_set(&full, ERR_IO, "standard output: %s", strerror(lost.out));
        error_print(&cli, &full);
        if (ok && !cli.exit_status) e = full, ok = false;
    }
    int status = ok ? cli.exit_status : err_exit_status(e.code);
    if (ok && lost.out == EPIPE) status = STATUS_PIPE;
    free((char *)cli.world.cwd);
    arena_fini(&cli.a);
    return status;
}
