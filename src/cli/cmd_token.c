/* skiff token create|list|delete: who may call `skiff server` */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "cli/callers.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/session.h"
#include "os/clock.h"
#include "service/tokens.h"

static const struct flag create_flags[] = {
    {"name", 0, FLAG_STR, "NAME", "what it is called, in lists and in the audit log"},
    {"role", 0, FLAG_STR, "view|run|admin", "what it allows: to look, to start and change as well, everything (default: run)"},
    {"namespace", 'n', FLAG_LIST, "NAME", "only for this namespace; without it, for all"},
    {"expires", 0, FLAG_STR, "AGE", "for how long, such as 12h or 30d; without it, until it is deleted"},
    {"output", 'o', FLAG_STR, "json|yaml", "form of the output"},
};
static const struct flag list_flags[] = {
    {"output", 'o', FLAG_STR, "name|json|yaml", "form of the output"},
};

static bool expires_add(struct cli *cli, struct val_builder *b, struct err *e)
{
    const char *text = args_str(&cli->args, "expires");
    int64_t us;
    if (!text) return true;
    if (!human_parse(str_of(text), &us) || us <= 0) return err_set(e, ERR_USAGE, "--expires is a duration such as 12h or 30d, not '%s'", text);
    map_add_str(b, "expires", rfc3339(&cli->a, clock_now_us() + us));
    return true;
}

static bool want_make(struct cli *cli, struct val *out, struct err *e)
{
    const char *name = args_str(&cli->args, "name"), *role = args_str(&cli->args, "role"), *ns;
    struct val_builder b, list;
    if (!name) return err_set(e, ERR_USAGE, "'token create' needs --name");
    list_begin(&list, &cli->a);
    for (size_t i = 0; (ns = args_nth(&cli->args, "namespace", i)); i++) list_add(&list, val_of_str(str_of(ns)));
    map_begin(&b, &cli->a);
    map_add_str(&b, "name", str_of(name));
    map_add_str(&b, "role", str_of(role ? role : "run"));
    map_add(&b, STR("namespaces"), list_done(&list));
    bool ok = expires_add(cli, &b, e);
    *out = map_done(&b);
    return ok;
}

static bool create_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val want, made;
    enum output form;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e) || !want_make(cli, &want, e)) return false;
    struct service *s = changer_open(cli, e);
    bool ok = s && service_token_create(&cli->a, s, &want, &made, e);
    service_close(s);
    if (!ok) return false;
    if (form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&made, form, &b);
    else buf_printf(&b, "%.*s\n", STR_ARG(val_get_str(&made, "token")));
    cli_out(cli, buf_view(&b));
    cli_note(cli, "it is not shown again: keep it, and send it as Authorization: Bearer TOKEN");
    return true;
}

static struct str namespaces_cell(struct arena *a, const struct val *list, int64_t now_us)
{
    struct str all = STR("*");
    (void)now_us;
    for (uint32_t i = 0; list && i < list->n; i++)
        all = str_fmt(a, "%.*s%s%.*s", STR_ARG(i ? all : STR("")), i ? "," : "", STR_ARG(val_text(&list->items[i])));
    return all;
}

static const struct callers_column columns[] = {
    {"NAME", "name", callers_text},
    {"ROLE", "role", callers_text},
    {"NAMESPACES", "namespaces", namespaces_cell},
    {"CREATED", "created", callers_time},
    {"EXPIRES", "expires", callers_time},
    {"LAST USED", "lastUsed", callers_time},
};
static const struct callers tokens = {
    .list = service_token_list,
    .remove = service_token_delete,
    .columns = columns,
    .n_columns = ARRAY_LEN(columns),
    .name = "name",
    .none = "No tokens found",
    .removed = {"Token", "deleted"},
};

static bool list_run(struct cli *cli, struct err *e) { return callers_list(cli, &tokens, e); }
static bool delete_run(struct cli *cli, struct err *e) { return callers_remove(cli, &tokens, e); }

static const struct cmd verb_create = {
    .name = "token create",
    .group = "CONTROL",
    .usage = "--name NAME [--role view|run|admin] [-n NAMESPACE]… [--expires AGE]",
    .summary = "make a token, and show it this once",
    .examples = "  skiff token create --name ci --role run -n builds --expires 90d\n"
                "  ARGO_TOKEN=\"Bearer $(skiff token create --name me --role admin)\"",
    .flags = create_flags,
    .n_flags = ARRAY_LEN(create_flags),
    .run = create_run,
};
static const struct cmd verb_list = {
    .name = "token list",
    .aliases = "ls",
    .group = "CONTROL",
    .usage = "[-o name|json|yaml]",
    .summary = "list tokens; what they are nobody can see any more",
    .flags = list_flags,
    .n_flags = ARRAY_LEN(list_flags),
    .run = list_run,
};
static const struct cmd verb_delete = {
    .name = "token delete",
    .aliases = "rm",
    .group = "CONTROL",
    .usage = "NAME…",
    .summary = "remove tokens: from the next request on they count no more",
    .min_words = 1,
    .max_words = -1,
    .run = delete_run,
};
static const struct cmd *const verbs[] = {&verb_create, &verb_list, &verb_delete};

const struct cmd cmd_token = {
    .name = "token",
    .aliases = "tokens",
    .group = "CONTROL",
    .usage = "VERB …",
    .summary = "who may call skiff server",
    .details = "A server that only this machine reaches asks for no token until there is one. See docs/server.md.",
    .examples = "  skiff token create --name ci --role run -n builds --expires 90d\n  skiff token list\n  skiff token delete ci",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
