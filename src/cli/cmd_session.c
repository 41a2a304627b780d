/* skiff session list|delete: who is signed in at `skiff server` */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/session.h"
#include "cli/text.h"
#include "os/clock.h"
#include "service/sessions.h"

static const struct flag list_flags[] = {
    {"output", 'o', FLAG_STR, "name|json|yaml", "form of the output; name: their ids"},
};

static void table_put(struct arena *a, const struct val *items, int64_t now_us, struct buf *out)
{
    static const char *const heads[] = {"ID", "SUBJECT", "EMAIL", "CREATED", "EXPIRES"};
    static const char *const members[] = {"id", "subject", "email", "created", "expires"};
    struct table t;
    table_begin(&t, a);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) table_cell(&t, str_of(heads[i]));
    table_row_end(&t);
    for (uint32_t i = 0; i < items->n; i++) {
        for (size_t k = 0; k < ARRAY_LEN(members); k++) {
            struct str text = val_get_str(&items->items[i], members[k]);
            struct buf b CLEANUP(buf_fini);
            int64_t us;
            buf_init(&b, 100);
            if (k >= 3 && rfc3339_parse(text, &us)) human_ago(&b, now_us, us);
            table_cell(&t, k >= 3 ? buf_dup(a, &b) : text);
        }
        table_row_end(&t);
    }
    table_print(&t, 3, out);
}

static bool list_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val items;
    enum output form;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s && cli_output(cli, &form, e) && service_session_list(&cli->a, s, &items, e);
    service_close(s);
    if (!ok) return false;
    if (form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&items, form, &b);
    else if (form == OUTPUT_NAME) for (uint32_t i = 0; i < items.n; i++) buf_printf(&b, "%.*s\n", STR_ARG(val_get_str(&items.items[i], "id")));
    else if (items.n) table_put(&cli->a, &items, clock_now_us(), &b);
    else buf_str(&b, STR("Nobody is signed in\n"));
    cli_out(cli, buf_view(&b));
    return true;
}

static bool delete_run(struct cli *cli, struct err *e)
{
    struct service *s = changer_open(cli, e);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < cli->args.n_words; i++) {
        ok = service_session_delete(s, str_of(cli->args.words[i]), e);
        if (ok && !cli->quiet) cli_out(cli, str_fmt(&cli->a, "Session of '%s' ended\n", cli->args.words[i]));
    }
    service_close(s);
    return ok;
}

static const struct cmd verb_list = {
    .name = "session list",
    .aliases = "ls",
    .group = "CONTROL",
    .usage = "[-o name|json|yaml]",
    .summary = "list who is signed in",
    .flags = list_flags,
    .n_flags = ARRAY_LEN(list_flags),
    .run = list_run,
};
static const struct cmd verb_delete = {
    .name = "session delete",
    .aliases = "rm",
    .group = "CONTROL",
    .usage = "ID|SUBJECT|EMAIL…",
    .summary = "sign somebody out: all sessions of a subject or email, or the one with an id",
    .min_words = 1,
    .max_words = -1,
    .run = delete_run,
};
static const struct cmd *const verbs[] = {&verb_list, &verb_delete};

const struct cmd cmd_session = {
    .name = "session",
    .aliases = "sessions",
    .group = "CONTROL",
    .usage = "VERB …",
    .summary = "who is signed in at skiff server",
    .details = "People sign in at an identity provider. See docs/sso.md.",
    .examples = "  skiff session list\n  skiff session delete ann@example.com",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
