/* skiff retry */
#include "cli/cmds.h"
#include "cli/trying.h"

static const struct flag flags[] = {
    {"restart-successful", 0, FLAG_BOOL, NULL, "run the nodes of --node-field-selector again although they succeeded"},
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "with --restart-successful: which nodes"},
    TRYING_FLAGS,
};

static bool one_retry(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct workflow_ref *out, struct err *e)
{
    struct retry_opts o = {.restart_successful = args_on(&cli->args, "restart-successful"),
                           .nodes = str_of(args_str(&cli->args, "node-field-selector"))};
    *out = *ref;
    if (!params_read(cli, &o.params, &o.n_params, e)) return false;
    if (service_retry(s, ref->ns, ref->name, &o, e)) return true;
    if (!str_starts(str_of(e->text), STR("To retry a succeeded"))) return false; /* in the words of Argo's API */
    return err_set(e, ERR_NOT_NOW, "workflow '%.*s' has succeeded: --restart-successful and --node-field-selector say which steps run again; "
                   "skiff resubmit runs it anew", STR_ARG(ref->name));
}

static bool retry_run(struct cli *cli, struct err *e)
{
    if (args_has(&cli->args, "node-field-selector") && !args_on(&cli->args, "restart-successful"))
        cli_note(cli, "--node-field-selector has no effect without --restart-successful, as in argo");
    return trying_run(cli, one_retry, e);
}

const struct cmd cmd_retry = {
    .name = "retry",
    .steps = true,
    .group = "CONTROL",
    .usage = "NAME… [flags]",
    .summary = "run what failed of finished runs again",
    .details = "Steps that failed, and what came after them, run again under the same names; what succeeded stays as it\n"
               "is. The run is shown as `skiff run` shows it: here, or by the engine that is at work.",
    .examples = "  skiff retry @latest\n  skiff retry train-x7k2p -p rate=0.01\n"
                "  skiff retry @latest --restart-successful --node-field-selector displayName=evaluate",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = retry_run,
};
