/* Runs in the foreground: shown until they end, then printed when -o asks for it. */
#include "cli/foreground.h"

#include "base/limits.h"

/* With -o: the finished objects, and nothing else, on stdout. */
static bool results_put(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    enum output form;
    struct view_opts v;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e) || !cli_view_opts(cli, &v, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct val wf;
        if (!service_get(&cli->a, s, refs[i].ns, refs[i].name, &wf, e)) return false;
        if (i && form == OUTPUT_YAML) buf_str(&b, STR("---\n"));
        if (form == OUTPUT_WIDE || form == OUTPUT_SHORT) view_workflow(&cli->a, &wf, &v, &b);
        else output_put(&wf, form, &b);
    }
    cli_out(cli, buf_view(&b));
    return true;
}

bool foreground_run(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    struct str notice = service_notice(s);
    if (notice.n) cli_note(cli, "%.*s", STR_ARG(notice));
    bool with_output = args_has(&cli->args, "output");
    int fd = with_output ? cli->env->err_fd : cli->env->out_fd;
    bool logs = args_on(&cli->args, "log");
    struct follow_opts f = {
        .refs = refs,
        .n = n,
        .fd = fd,
        .progress = term_progress(cli, fd),
        .on_interrupt = INTERRUPT_STOP,
        .logs = logs,
        .tree = !with_output,
    };
    if (logs && f.progress == PROGRESS_TTY) f.progress = PROGRESS_PLAIN; /* lines and frames do not mix */
    return follow_run(cli, s, &f, e) && (!with_output || results_put(cli, s, refs, n, e));
}

bool leave_ok(struct cli *cli, struct service *s, struct err *e)
{
    if (!args_on(&cli->args, "no-wait") || !service_is_engine(s)) return true;
    return err_set(e, ERR_UNREACHABLE, "--no-wait: no engine is at work in this state directory; without it, %s runs here",
                   cli->args.cmd->name);
}

bool leave_runs(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    if (args_has(&cli->args, "output")) return results_put(cli, s, refs, n, e);
    for (size_t i = 0; i < n; i++) cli_out(cli, str_fmt(&cli->a, "%.*s\n", STR_ARG(refs[i].name)));
    return true;
}
