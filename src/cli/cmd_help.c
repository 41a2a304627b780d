/* skiff help [COMMAND|flags|exit-codes|config] */
#include "base/limits.h"
#include "cli/cli_p.h"
#include "cli/cmds.h"

static void help_config(struct buf *b)
{
    buf_str(b, STR("Settings, for skiff.toml (of a project) and ~/.config/skiff/config.toml. A flag beats an\n"
                   "environment variable, which beats the project's file, which beats the user's. A skiff.toml\n"
                   "that somebody other than you and root owns or may write to is ignored, with a notice.\n"));
    for (int i = 0; i < CONFIG_MAX; i++) {
        const struct config_row *r = &config_rows[i];
        buf_printf(b, "\n%s = %s%s%s    (environment: %s)\n", r->key, r->type == CONFIG_INT || r->type == CONFIG_BOOL ? "" : "\"",
                   r->dflt, r->type == CONFIG_INT || r->type == CONFIG_BOOL ? "" : "\"", r->env);
        buf_printf(b, "    %s\n", r->doc);
        if (r->unit[0]) buf_printf(b, "    %s: %s\n", r->type == CONFIG_ENUM ? "one of" : "unit", r->unit);
    }
}

static bool topic_put(struct buf *b, const char *topic, const char *verb, struct err *e)
{
    const struct cmd *c = cmd_find(topic);
    if (c && verb) {
        const struct cmd *sub = cmd_sub(c, verb);
        if (!sub) return err_set(e, ERR_USAGE, "'%s' has no verb '%s' (try: skiff help %s)", topic, verb, topic);
        c = sub;
    }
    if (strcmp(topic, "flags") == 0) help_flags(b);
    else if (strcmp(topic, "exit-codes") == 0) help_exit_codes(b);
    else if (strcmp(topic, "config") == 0) help_config(b);
    else if (c) help_command(b, c);
    else return err_set(e, ERR_USAGE, "no help on '%s' (try: skiff help)", topic);
    return true;
}

static bool help_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (cli->args.n_words == 0) help_overview(&b);
    else if (!topic_put(&b, cli->args.words[0], cli->args.n_words > 1 ? cli->args.words[1] : NULL, e)) return false;
    cli_out(cli, buf_view(&b));
    return true;
}

const struct cmd cmd_help = {
    .name = "help",
    .where = WHERE_NOWHERE,
    .group = "HELP",
    .usage = "[COMMAND [VERB]|flags|exit-codes|config]",
    .summary = "explain commands, flags, exit statuses and settings",
    .max_words = 2,
    .word = WORD_TOPIC,
    .run = help_run,
};
