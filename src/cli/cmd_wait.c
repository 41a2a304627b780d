/* skiff wait */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/session.h"
#include "cli/wf.h"

static const struct flag flags[] = {{"ignore-not-found", 0, FLAG_BOOL, NULL, "a run that is not there is no error"}};

static bool refs_read(struct cli *cli, struct service *s, struct workflow_ref *refs, size_t *n, struct err *e)
{
    *n = 0;
    for (size_t i = 0; i < cli->args.n_words; i++) {
        struct err mine = {0};
        if (workflow_ref(cli, s, cli->args.words[i], &refs[*n], &mine)) {
            ++*n;
        } else if (mine.code != ERR_NOT_FOUND || !args_on(&cli->args, "ignore-not-found")) {
            *e = mine;
            return false;
        }
    }
    return true;
}

static bool outcomes_put(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    for (size_t i = 0; i < n; i++) {
        struct arena a CLEANUP(arena_fini);
        struct val wf;
        arena_init(&a);
        if (!service_get(&a, s, refs[i].ns, refs[i].name, &wf, e)) return false;
        struct str at = val_text(val_path(&wf, "status.finishedAt"));
        buf_printf(&b, "%.*s %.*s at %.*s\n", STR_ARG(refs[i].name), STR_ARG(wf_phase(&wf)), STR_ARG(at));
    }
    if (!cli->quiet) cli_out(cli, buf_view(&b));
    return true;
}

static bool wait_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    struct follow_opts f = {.refs = refs, .n = n, .fd = cli->env->err_fd, .progress = PROGRESS_QUIET,
                            .on_interrupt = INTERRUPT_DETACH};
    return follow_run(cli, s, &f, e) && (cli->exit_status > 128 || outcomes_put(cli, s, refs, n, e));
}

static bool all_ended(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, bool *ended,
                      struct err *e)
{
    *ended = true;
    for (size_t i = 0; i < n && *ended; i++) {
        struct str phase;
        if (!service_phase(&cli->a, s, &refs[i], &phase, ended, e)) return false;
    }
    return true;
}

static bool wait_run(struct cli *cli, struct err *e)
{
    struct workflow_ref *refs = ARENA_ARRAY(&cli->a, struct workflow_ref, cli->args.n_words);
    size_t n;
    bool ended;
    struct service *s = reader_open(cli, e);
    if (!s) return false;
    bool ok = refs_read(cli, s, refs, &n, e) && all_ended(cli, s, refs, n, &ended, e);
    if (ok && ended) {
        ok = outcome_status(cli, s, refs, n, &cli->exit_status, e) && outcomes_put(cli, s, refs, n, e);
    } else if (ok) {
        service_close(s); /* the names belong to it */
        s = writer_open(cli, false, false, e);
        ok = s && refs_read(cli, s, refs, &n, e) && wait_follow(cli, s, refs, n, e);
    }
    service_close(s);
    return ok;
}

const struct cmd cmd_wait = {
    .name = "wait",
    .group = "LOOK",
    .usage = "NAME…",
    .summary = "wait until runs end",
    .details = "The exit status is 0 when all succeeded, 1 when one did not.",
    .examples = "  skiff wait @latest && deploy",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = wait_run,
};
