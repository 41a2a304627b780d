/* skiff watch */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/session.h"

static const struct flag flags[] = {
    {"progress", 0, FLAG_STR, "auto|tty|plain|quiet", "how the run is shown"},
    {"log", 0, FLAG_BOOL, NULL, "print the log lines of the steps as well"},
    {"status", 0, FLAG_STR, "PHASE", "only nodes in this phase in the final tree"},
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "only these nodes in the final tree"},
};

static bool follow(struct cli *cli, struct err *e)
{
    struct workflow_ref ref;
    int fd = cli->env->out_fd;
    bool logs = args_on(&cli->args, "log");
    struct service *s = writer_open(cli, false, false, e);
    if (!s) return false;
    enum progress p = term_progress(cli, fd);
    struct follow_opts f = {.refs = &ref, .n = 1, .fd = fd, .tree = true, .on_interrupt = INTERRUPT_DETACH, .logs = logs,
                            .progress = logs && p == PROGRESS_TTY ? PROGRESS_PLAIN : p};
    bool ok = workflow_ref(cli, s, cli->args.words[0], &ref, e) && follow_run(cli, s, &f, e);
    service_close(s);
    return ok;
}

/* Of a run that is over: what a watch would have ended in. */
static bool outcome_show(struct cli *cli, struct err *e)
{
    struct workflow_ref ref;
    struct view_opts v;
    struct val wf;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s && cli_view_opts(cli, &v, e) && workflow_ref(cli, s, cli->args.words[0], &ref, e) &&
              service_get(&cli->a, s, ref.ns, ref.name, &wf, e) && outcome_status(cli, s, &ref, 1, &cli->exit_status, e);
    if (ok) view_workflow(&cli->a, &wf, &v, &b);
    if (ok && !cli->quiet) cli_out(cli, buf_view(&b));
    service_close(s);
    return ok;
}

static bool watch_run(struct cli *cli, struct err *e)
{
    bool ended;
    if (!runs_ended(cli, cli->args.words, 1, &ended, e)) return false;
    return ended ? outcome_show(cli, e) : follow(cli, e);
}

const struct cmd cmd_watch = {
    .name = "watch",
    .group = "LOOK",
    .usage = "NAME",
    .summary = "show a run until it ends",
    .details = "Ctrl-C only stops watching. The exit status is that of the run.",
    .examples = "  skiff watch @latest",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = 1,
    .word = WORD_WORKFLOW,
    .run = watch_run,
};
