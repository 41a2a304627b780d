/* skiff version */
#include "base/version.h"
#include "cli/cli_p.h"
#include "cli/cmds.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "json|short", "form of the output"},
    {"short", 0, FLAG_BOOL, NULL, "the number alone"},
};

static bool version_run(struct cli *cli, struct err *e)
{
    const char *o = args_str(&cli->args, "output");
    if (o && strcmp(o, "json") == 0)
        cli_out(cli, STR("{\"version\":\"" SKIFF_VERSION "\",\"argo\":\"" SKIFF_ARGO_BASELINE "\"}\n"));
    else if (o || args_on(&cli->args, "short")) cli_out(cli, STR(SKIFF_VERSION "\n"));
    else cli_out(cli, STR("skiff " SKIFF_VERSION " (Argo Workflows " SKIFF_ARGO_BASELINE " semantics)\n"));
    return true;
}

const struct cmd cmd_version = {
    .name = "version",
    .group = "HELP",
    .usage = "[-o json|short]",
    .summary = "print the version",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = version_run,
};
