/* What every command gets: its words, the configuration and the terminal. Private to src/cli. */
#pragma once
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/list.h"
#include "cli/tree.h"
#include "config/config.h"

enum progress { PROGRESS_TTY, PROGRESS_PLAIN, PROGRESS_QUIET };

/* errno of the first write that failed, 0 while all is well; nothing is written after it. */
struct cli_lost {
    int out, err;
    bool stay; /* this process may be the engine: it does not end where the reader of its output goes away */
};

struct service_server;

struct cli {
    struct arena a;
    struct cli_lost *lost;
    const struct cli_env *env;
    struct args args;
    struct config config;
    struct config_world world;
    const struct service_server *server; /* elsewhere; NULL: the state directory */
    struct style style;      /* of stdout */
    struct style err_style;  /* of stderr */
    bool quiet;
    bool background;         /* an engine in the background was started (background.h) */
    int exit_status;         /* of a command that did its work and yet has bad news (lint, doctor) */
};

/* A flag that overrides a setting is read like any other source; then `config` is final. */
struct str cli_namespace(const struct cli *cli);

/* Writing. A reader who went away ends the program quietly (exit 141, as SIGPIPE would), at once or, with
 * lost->stay, when its work is done. Output that is lost otherwise makes the command fail in the end. */
void cli_out(const struct cli *cli, struct str text);
void cli_err(const struct cli *cli, struct str text);
void cli_note(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3); /* stderr; not with -q */

/* The terminal. */
bool term_is(int fd);                       /* a terminal that understands escape sequences */
void term_size(int fd, int *rows, int *cols);
int term_tz_s(int64_t now_us);              /* local time's offset */
struct style term_style(const struct cli *cli, int fd);
/* --progress, settings, CI and the kind of the stream decide. */
enum progress term_progress(const struct cli *cli, int fd);

/* --output; flags -o json and friends of the command. */
bool cli_output(const struct cli *cli, enum output *out, struct err *e);
bool cli_view_opts(struct cli *cli, struct view_opts *o, struct err *e); /* --status, --node-field-selector, -o */
