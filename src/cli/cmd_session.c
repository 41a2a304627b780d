/* skiff session list|delete: who is signed in at `skiff server` */
#include "cli/callers.h"
#include "cli/cmds.h"
#include "service/sessions.h"

static const struct flag list_flags[] = {
    {"output", 'o', FLAG_STR, "name|json|yaml", "form of the output; name: their ids"},
};

static const struct callers_column columns[] = {
    {"ID", "id", callers_text},
    {"SUBJECT", "subject", callers_text},
    {"EMAIL", "email", callers_text},
    {"CREATED", "created", callers_time},
    {"EXPIRES", "expires", callers_time},
};
static const struct callers sessions = {
    .list = service_session_list,
    .remove = service_session_delete,
    .columns = columns,
    .n_columns = ARRAY_LEN(columns),
    .name = "id",
    .none = "Nobody is signed in",
    .removed = {"Session of", "ended"},
};

static bool list_run(struct cli *cli, struct err *e) { return callers_list(cli, &sessions, e); }
static bool delete_run(struct cli *cli, struct err *e) { return callers_remove(cli, &sessions, e); }

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
