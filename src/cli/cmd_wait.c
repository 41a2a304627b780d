/* skiff wait */
#include "cli/cmds.h"
#include "cli/foreground.h"

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
        ok = s && refs_read(cli, s, refs, &n, e) && runs_wait(cli, s, refs, n, e);
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
