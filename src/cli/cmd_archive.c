/* skiff archive list|get|delete|retry|resubmit|list-label-keys|list-label-values
 *
 * Argo moves finished workflows to another database; here they stay where they are, and the archive is
 * the finished runs of the state directory. */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/select.h"
#include "cli/trying.h"
#include "cli/wf.h"
#include "os/clock.h"

static const struct flag list_flags[] = {
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "of every namespace"},
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "only runs with these labels"},
    {"field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "only runs with these fields"},
    {"no-headers", 0, FLAG_BOOL, NULL, "no line of column names"},
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"},
    {"chunk-size", 0, FLAG_INT, "N", NULL},
};
static const struct flag get_flags[] = {{"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"}};
static const struct flag delete_flags[] = {{"force", 0, FLAG_BOOL, NULL, NULL}};
static const struct flag retry_flags[] = {
    {"restart-successful", 0, FLAG_BOOL, NULL, "run the nodes of --node-field-selector again although they succeeded"},
    {"node-field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "with --restart-successful: which nodes"},
    TRYING_FLAGS,
};
static const struct flag resubmit_flags[] = {
    {"memoized", 0, FLAG_BOOL, NULL, "of a failed run: steps that did well are Skipped and keep their outputs"},
    {"priority", 0, FLAG_INT, "N", "spec.priority of the new run"},
    TRYING_FLAGS,
};
static const struct flag key_flags[] = {{"selector", 'l', FLAG_STR, "KEY", "whose values"}};

static bool finished_read(struct cli *cli, struct list_opts *o, struct err *e)
{
    if (!select_read(cli, o, e)) return false;
    o->completed = 1;
    return true;
}

static bool list_run(struct cli *cli, struct err *e)
{
    static const struct list_view as_argo = {.wide = true, .all_namespaces = true, .uid = true};
    struct list_opts o;
    return finished_read(cli, &o, e) && select_show(cli, &o, &as_argo, e);
}

static bool get_run(struct cli *cli, struct err *e) { return cmd_get.run(cli, e); }
static bool retry_run(struct cli *cli, struct err *e) { return cmd_retry.run(cli, e); }
static bool resubmit_run(struct cli *cli, struct err *e) { return cmd_resubmit.run(cli, e); }

static bool delete_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = changer_open(cli, e);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < cli->args.n_words; i++) {
        struct workflow_ref ref;
        ok = workflow_ref_whole(cli, s, cli->args.words[i], &ref, e) && service_delete(s, ref.ns, ref.name, false, e);
        if (ok) buf_printf(&b, "Archived workflow '%.*s' deleted\n", STR_ARG(ref.name));
    }
    if (!cli->quiet) cli_out(cli, buf_view(&b));
    service_close(s);
    return ok;
}

/* Distinct keys, or the values of `key`, one a line. */
static bool labels_put(struct cli *cli, const char *key, struct err *e)
{
    struct val items;
    size_t n;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct args mine = cli->args; /* -l is no selection here */
    cli->args.n_given = 0;
    struct list_opts o;
    bool ok = finished_read(cli, &o, e) && select_list(cli, &o, &items, e);
    cli->args = mine;
    if (!ok) return false;
    const struct str *found = service_labels(&cli->a, &items, str_of(key), &n);
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%.*s\n", STR_ARG(found[i]));
    cli_out(cli, buf_view(&b));
    return true;
}

static bool keys_run(struct cli *cli, struct err *e) { return labels_put(cli, NULL, e); }

static bool values_run(struct cli *cli, struct err *e)
{
    const char *key = args_str(&cli->args, "selector");
    if (!key) return err_set(e, ERR_USAGE, "'archive list-label-values' needs -l KEY");
    return labels_put(cli, key, e);
}

#define VERB(symbol, verb, fn, verb_flags, verb_usage, verb_summary, least, most, words, writes) \
    static const struct cmd symbol = { \
        .name = "archive " verb, .group = "STORE", .usage = verb_usage, .summary = verb_summary, .flags = verb_flags, \
        .n_flags = ARRAY_LEN(verb_flags), .min_words = least, .max_words = most, .word = words, .steps = writes, .run = fn}

VERB(verb_list, "list", list_run, list_flags, "[flags]", "list finished runs, newest first", 0, 0, WORD_NONE, false);
VERB(verb_get, "get", get_run, get_flags, "UID|NAME…", "show a finished run", 1, -1, WORD_WORKFLOW, false);
VERB(verb_delete, "delete", delete_run, delete_flags, "UID|NAME…", "delete finished runs, as skiff delete", 1, -1, WORD_WORKFLOW, false);
VERB(verb_retry, "retry", retry_run, retry_flags, "UID|NAME… [flags]", "as skiff retry", 0, -1, WORD_WORKFLOW, true);
VERB(verb_resubmit, "resubmit", resubmit_run, resubmit_flags, "UID|NAME… [flags]", "as skiff resubmit", 0, -1, WORD_WORKFLOW,
     true);
VERB(verb_keys, "list-label-keys", keys_run, delete_flags, "", "list the keys of labels of finished runs", 0, 0, WORD_NONE, false);
VERB(verb_values, "list-label-values", values_run, key_flags, "-l KEY", "list the values of a label of finished runs", 0, 0,
     WORD_NONE, false);

static const struct cmd *const verbs[] = {&verb_list, &verb_get, &verb_delete, &verb_retry, &verb_resubmit, &verb_keys,
                                          &verb_values};

const struct cmd cmd_archive = {
    .name = "archive",
    .group = "STORE",
    .usage = "VERB …",
    .summary = "finished runs, by name or uid",
    .details = "Argo's archive is a second place for finished workflows. Here they stay in the state directory until\n"
               "`skiff delete`, so the archive is what is finished.",
    .examples = "  skiff archive list -l team=vision\n  skiff archive get 5a2d5c5c-f067-453a-8000-4655e7050000",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
