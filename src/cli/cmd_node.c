/* skiff node set */
#include "cli/cmds.h"
#include "cli/params.h"
#include "cli/stopping.h"

static const struct flag flags[] = {
    {"output-parameter", 'p', FLAG_LIST, "NAME=VALUE", "an output that is to be supplied"},
    {"message", 'm', FLAG_STR, "TEXT", "the node's message"},
    {"phase", 0, FLAG_STR, "PHASE", "end the node: Succeeded, Skipped, Failed or Error"},
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "which suspend nodes that wait"},
};

static bool params_of(struct cli *cli, struct set_opts *o, struct err *e)
{
    size_t n = 0;
    while (args_nth(&cli->args, "output-parameter", n)) n++;
    struct param *params = ARENA_ARRAY(&cli->a, struct param, n + 1);
    for (size_t i = 0; i < n; i++)
        if (!pair_cut("-p", str_of(args_nth(&cli->args, "output-parameter", i)), &params[i], e)) return false;
    o->params = params;
    o->n_params = n;
    return true;
}

static bool node_run(struct cli *cli, struct err *e)
{
    struct set_opts o = {.nodes = str_of(args_str(&cli->args, "node-field-selector")),
                         .phase = str_of(args_str(&cli->args, "phase")), .message = str_of(args_str(&cli->args, "message"))};
    struct workflow_ref ref;
    if (strcmp(cli->args.words[0], "set") != 0)
        return err_set(e, ERR_USAGE, "'node' knows only 'set', not '%s': skiff node %s", cli->args.words[0],
                       cli->args.cmd->usage);
    if (!params_of(cli, &o, e)) return false;
    struct service *s = changer_open(cli, e);
    bool ok = s && workflow_ref(cli, s, cli->args.words[1], &ref, e) && service_set(s, ref.ns, ref.name, &o, e);
    if (ok) changer_note(cli, s, &ref);
    if (ok && !cli->quiet) cli_out(cli, STR("workflow values set\n"));
    service_close(s);
    return ok;
}

const struct cmd cmd_node = {
    .name = "node",
    .group = "CONTROL",
    .usage = "set NAME --node-field-selector FIELD=VALUE [-p NAME=VALUE] [-m TEXT] [--phase PHASE]",
    .summary = "supply outputs of suspend steps, or end them",
    .examples = "  skiff node set @latest --node-field-selector displayName=approve -p answer=yes\n"
                "  skiff node set @latest --node-field-selector displayName=approve --phase Failed -m refused",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 2,
    .max_words = 2,
    .word = WORD_WORKFLOW,
    .run = node_run,
};
