/* Talking to the service: opening it, reading runs, and following them on the terminal.
 *
 * A follow shows the changes in the way that term_progress says, handles Ctrl-C, and ends with the
 * final objects. Runs on: the main thread, which is the loop's. */
#pragma once
#include "cli/cli_p.h"
#include "service/service.h"

/* Reads only: never waits for anybody. NULL: e is set. */
struct service *reader_open(struct cli *cli, struct err *e);
/* May become the engine (run, stop, delete) when `steps` is set. */
struct service *writer_open(struct cli *cli, bool steps, bool resume, struct err *e);
/* Hands workflows to the engine that is at work, or to one in the background that is started for them: never runs a step itself. */
struct service *leaver_open(struct cli *cli, struct err *e);
/* The engine in the background (background.h); it gives way to a server. */
struct service *background_open(struct cli *cli, struct err *e);
/* The same for the server: cron workflows are started, too. */
struct service *server_open(struct cli *cli, struct err *e);
/* For a change that takes a moment: starts no step when there is no engine to hand it to. */
struct service *changer_open(struct cli *cli, struct err *e);
/* After a change that this process made itself: says how the run goes on. */
void changer_note(struct cli *cli, struct service *s, const struct workflow_ref *ref);
/* NAME, a unique prefix or @latest → the whole object. */
bool workflow_read(struct cli *cli, struct service *s, const char *name, struct val *out, struct err *e);
bool workflow_ref(struct cli *cli, struct service *s, const char *name, struct workflow_ref *out, struct err *e);
/* What a destructive verb takes: a whole name, a whole uid or @latest; no prefix. */
bool workflow_ref_whole(struct cli *cli, struct service *s, const char *name, struct workflow_ref *out, struct err *e);

enum on_interrupt { INTERRUPT_DETACH, INTERRUPT_STOP };

struct follow_opts {
    const struct workflow_ref *refs;
    size_t n;
    int fd;               /* where progress goes */
    enum progress progress;
    enum on_interrupt on_interrupt;
    bool logs;            /* log lines of the steps as well (plain) */
    bool tree;            /* a live view ends in the run's tree */
};
/* Returns when all are finished. Detaching, stopping and failed runs set cli->exit_status; false
 * only when something broke. */
bool follow_run(struct cli *cli, struct service *s, const struct follow_opts *o, struct err *e);

/* 1 unless every one of them Succeeded; reads each. */
bool outcome_status(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, int *status,
                    struct err *e);

/* Have all of them ended? Then nothing needs to be followed, and no engine is looked for. */
bool runs_ended(struct cli *cli, const char *const *names, size_t n, bool *ended, struct err *e);
