/* skiff stop */
#include "cli/cmds.h"
#include "cli/stopping.h"

static const struct flag flags[] = {
    STEERING_FLAGS,
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "fail only these suspend nodes, the run goes on"},
    {"message", 'm', FLAG_STR, "TEXT", "with --node-field-selector: why"},
};

static bool one_stop(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct err *e)
{
    struct set_opts o = {.nodes = str_of(args_str(&cli->args, "node-field-selector")), .phase = STR("Failed"),
                         .message = str_of(args_str(&cli->args, "message"))};
    return o.nodes.n ? service_set(s, ref->ns, ref->name, &o, e) : service_stop(s, ref->ns, ref->name, SERVICE_STOP, e);
}

static bool stop_run(struct cli *cli, struct err *e)
{
    static const struct steering what = {.done = "stopped", .one = one_stop};
    if (args_has(&cli->args, "message") && !args_has(&cli->args, "node-field-selector"))
        cli_note(cli, "--message is for suspend nodes that --node-field-selector picks; a stopped run keeps none");
    return steering_run(cli, &what, e);
}

const struct cmd cmd_stop = {
    .name = "stop",
    .group = "CONTROL",
    .usage = "NAME… | -l LABELS",
    .summary = "stop runs; their exit handlers still run",
    .examples = "  skiff stop @latest\n  skiff stop @latest --node-field-selector displayName=approve --message refused",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = stop_run,
};
