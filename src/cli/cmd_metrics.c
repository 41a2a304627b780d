/* skiff metrics */
#include "cli/cli_p.h"
#include "cli/cmds.h"
#include "cli/session.h"

static bool metrics_run(struct cli *cli, struct err *e)
{
    struct err none = {0};
    struct str text;
    struct service *s = reader_open(cli, &none);
    if (!s && none.code == ERR_NOT_FOUND) return true; /* nothing has run here yet */
    if (!s) *e = none;
    bool ok = s && service_metrics(&cli->a, s, &text, e);
    if (ok) cli_out(cli, text);
    service_close(s);
    return ok;
}

const struct cmd cmd_metrics = {
    .name = "metrics",
    .group = "LOOK",
    .usage = "",
    .summary = "print the metrics that workflows have emitted",
    .details = "The metrics of `metrics.prometheus` of workflows and templates, in the text form of Prometheus. Their names begin "
               "with argo_workflows_, as Argo's do.",
    .run = metrics_run,
};
