/* skiff auth: argo's word for what ARGO_TOKEN says. Tokens of a server are made by skiff token. */
#include "cli/cmds.h"
#include "cli/remote.h"

static bool token_run(struct cli *cli, struct err *e)
{
    struct str sent = remote_authorization(cli);
    if (!sent.n) return err_set(e, ERR_AUTH, "there is no token: set ARGO_TOKEN or --token; on the server's machine skiff token create makes one");
    cli_out(cli, str_fmt(&cli->a, "%.*s\n", STR_ARG(sent)));
    return true;
}

static const struct cmd verb_token = {
    .name = "auth token",
    .group = "CONTROL",
    .where = WHERE_NOWHERE,
    .usage = "",
    .summary = "print what is sent to a server elsewhere as Authorization",
    .examples = "  curl -H \"Authorization: $(skiff auth token)\" https://host.example:2746/api/v1/userinfo",
    .run = token_run,
};
static const struct cmd *const verbs[] = {&verb_token};

const struct cmd cmd_auth = {
    .name = "auth",
    .group = "CONTROL",
    .usage = "token",
    .summary = "the token of ARGO_TOKEN or --token",
    .details = "skiff token makes tokens, and takes them away.",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
