/* skiff get */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/session.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "name|json|yaml|short|wide", "form of the output"},
    {"status", 0, FLAG_STR, "PHASE", "only nodes in this phase"},
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "only these nodes (phase, name, displayName, templateName, …)"},
};

static bool one_put(struct cli *cli, struct service *s, const char *name, struct buf *b, struct err *e)
{
    struct val wf;
    struct view_opts v;
    enum output form;
    if (!cli_output(cli, &form, e) || !cli_view_opts(cli, &v, e) || !workflow_read(cli, s, name, &wf, e)) return false;
    if (form == OUTPUT_NAME || form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&wf, form, b);
    else view_workflow(&cli->a, &wf, &v, b);
    return true;
}

static bool get_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s != NULL;
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = one_put(cli, s, cli->args.words[i], &b, e);
    cli_out(cli, buf_view(&b));
    service_close(s);
    return ok;
}

const struct cmd cmd_get = {
    .name = "get",
    .group = "LOOK",
    .usage = "NAME… [-o name|json|yaml|short|wide]",
    .summary = "show a run and the tree of its steps",
    .examples = "  skiff get @latest\n  skiff get train-x7k2p -o json | jq .status.phase\n  skiff get @latest --status Failed",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = get_run,
};
