/* skiff resubmit */
#include "cli/cmds.h"
#include "cli/trying.h"

static const struct flag flags[] = {
    {"memoized", 0, FLAG_BOOL, NULL, "of a failed run: steps that did well are Skipped and keep their outputs"},
    {"priority", 0, FLAG_INT, "N", "spec.priority of the new run"},
    TRYING_FLAGS,
    {"node-field-selector", 0, FLAG_STR, "SELECTOR", NULL},
};

static bool one_resubmit(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct workflow_ref *out,
                         struct err *e)
{
    struct resubmit_opts o = {.memoized = args_on(&cli->args, "memoized"), .priority = str_of(args_str(&cli->args, "priority"))};
    return params_read(cli, &o.params, &o.n_params, e) && service_resubmit(&cli->a, s, ref->ns, ref->name, &o, out, e);
}

static bool resubmit_run(struct cli *cli, struct err *e) { return trying_run(cli, one_resubmit, e); }

const struct cmd cmd_resubmit = {
    .name = "resubmit",
    .steps = true,
    .group = "CONTROL",
    .usage = "NAME… [flags]",
    .summary = "run workflows once more under a new name",
    .details = "The new run has the spec, the labels and annotations of users and the label\n"
               "workflows.argoproj.io/resubmitted-from-workflow. Its spec is that of the run before, also when a template\n"
               "that it refers to was changed since.",
    .examples = "  skiff resubmit @latest\n  skiff resubmit --memoized train-x7k2p -p rate=0.01",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = resubmit_run,
};
