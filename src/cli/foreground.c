/* Runs in the foreground: shown until they end, then printed when -o asks for it. */
#include "cli/foreground.h"

#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/wf.h"
#include "os/clock.h"

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
        .on_interrupt = leaves(cli) ? INTERRUPT_DETACH : INTERRUPT_STOP,
        .logs = logs,
        .tree = !with_output,
    };
    if (logs && f.progress == PROGRESS_TTY) f.progress = PROGRESS_PLAIN; /* lines and frames do not mix */
    return follow_run(cli, s, &f, e) && (!with_output || results_put(cli, s, refs, n, e));
}

bool leaves(const struct cli *cli) { return cli->server || args_on(&cli->args, "no-wait") || cli->args.cmd == &cmd_submit; }

struct service *tryer_open(struct cli *cli, bool resume, struct err *e)
{
    return leaves(cli) ? leaver_open(cli, e) : writer_open(cli, true, resume, e);
}

bool outcomes_put(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    for (size_t i = 0; i < n; i++) {
        struct arena a CLEANUP(arena_fini);
        struct val wf;
        arena_init(&a);
        if (!service_get_part(&a, s, &refs[i], false, &wf, e)) return false;
        struct str at = val_text(val_path(&wf, "status.finishedAt"));
        buf_printf(&b, "%.*s %.*s at %.*s\n", STR_ARG(refs[i].name), STR_ARG(wf_phase(&wf)), STR_ARG(at));
    }
    if (!cli->quiet) cli_out(cli, buf_view(&b));
    return true;
}

bool runs_wait(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    struct follow_opts f = {.refs = refs, .n = n, .fd = cli->env->err_fd, .progress = PROGRESS_QUIET,
                            .on_interrupt = INTERRUPT_DETACH};
    return follow_run(cli, s, &f, e) && (cli->exit_status > 128 || outcomes_put(cli, s, refs, n, e));
}

/* Nobody is there who would start them. */
static bool schedules_note(struct cli *cli, struct service *s, struct err *e)
{
    struct val items;
    int64_t at;
    if (!service_object_list(&cli->a, s, SERVICE_CRON, STR_NONE, STR_NONE, &items, e)) return false;
    for (uint32_t i = 0; i < items.n; i++)
        if (service_cron_next(&items.items[i], clock_now_us(), &at)) {
            cli_note(cli, "CronWorkflows are stored here: they start while `skiff server` is at work, not by this engine in the background");
            break;
        }
    return true;
}

static bool left_show(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    bool watch = args_on(&cli->args, "watch") || args_on(&cli->args, "log"), wait = args_on(&cli->args, "wait");
    if (!service_leave(s, refs, n, e) || (cli->background && !schedules_note(cli, s, e))) return false;
    if (watch) return foreground_run(cli, s, refs, n, e);
    if (args_has(&cli->args, "output") && !wait) return results_put(cli, s, refs, n, e);
    for (size_t i = 0; i < n && !args_has(&cli->args, "output"); i++) cli_out(cli, str_fmt(&cli->a, "%.*s\n", STR_ARG(refs[i].name)));
    if (!wait) return true;
    if (!args_has(&cli->args, "output")) return runs_wait(cli, s, refs, n, e);
    return foreground_run(cli, s, refs, n, e);
}

bool runs_show(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    return leaves(cli) ? left_show(cli, s, refs, n, e) : foreground_run(cli, s, refs, n, e);
}
