/* skiff version */
#include "base/limits.h"
#include "base/version.h"
#include "cli/cmds.h"
#include "cli/session.h"
#include "cli/text.h"
#include "doc/json_write.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "json|short", "form of the output"},
    {"short", 0, FLAG_BOOL, NULL, "the number alone"},
};

/* Argo's `version` as well, where there is a server elsewhere. */
static bool server_ask(struct cli *cli, struct val *out, struct err *e)
{
    struct service *s = reader_open(cli, e);
    bool ok = s && service_version(&cli->a, s, out, e);
    service_close(s);
    return ok;
}

static bool server_put(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val v;
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (!server_ask(cli, &v, e)) return false;
    buf_str(&b, STR("server: "));
    text_clean(&b, val_get_str(&v, "version"));
    buf_char(&b, '\n');
    cli_out(cli, buf_view(&b));
    return true;
}

static bool json_put(struct cli *cli, struct err *e)
{
    struct val v = val_null;
    if (cli->server && !server_ask(cli, &v, e)) return false;
    struct str server = cli->server ? str_fmt(&cli->a, ",\"server\":%.*s", STR_ARG(json_text(&cli->a, &v))) : STR("");
    cli_out(cli, str_fmt(&cli->a, "{\"version\":\"%s\",\"argo\":\"%s\"%.*s}\n", SKIFF_VERSION, SKIFF_ARGO_BASELINE, STR_ARG(server)));
    return true;
}

static bool version_run(struct cli *cli, struct err *e)
{
    const char *o = args_str(&cli->args, "output");
    if (o && strcmp(o, "json") == 0) return json_put(cli, e);
    bool brief = o || args_on(&cli->args, "short");
    cli_out(cli, brief ? STR(SKIFF_VERSION "\n") : STR("skiff " SKIFF_VERSION " (Argo Workflows " SKIFF_ARGO_BASELINE " semantics)\n"));
    return brief || !cli->server || server_put(cli, e);
}

const struct cmd cmd_version = {
    .name = "version",
    .group = "HELP",
    .usage = "[-o json|short]",
    .summary = "print the version, and that of a server elsewhere",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = version_run,
};
