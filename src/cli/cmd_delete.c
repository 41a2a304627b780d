/* skiff delete */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/select.h"
#include "cli/wf.h"

static const struct flag flags[] = {
    {"all", 0, FLAG_BOOL, NULL, "every run of the namespace"},
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "of every namespace"},
    {"completed", 0, FLAG_BOOL, NULL, "completed runs"},
    {"status", 0, FLAG_LIST, "PHASE,…", "runs in these phases"},
    {"older", 0, FLAG_STR, "AGE", "runs that finished longer ago than 10m, 3h, 7d"},
    {"prefix", 0, FLAG_STR, "PREFIX", "runs whose names begin so"},
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "runs with these labels"},
    {"resubmitted", 0, FLAG_BOOL, NULL, "resubmitted runs"},
    {"force", 0, FLAG_BOOL, NULL, "also a run that is at work: its steps are killed"},
    {"query-chunk-size", 0, FLAG_INT, "N", NULL},
    {"dry-run", 0, FLAG_BOOL, NULL, "say what would be deleted, delete nothing"},
    {"field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "runs with these fields (metadata.name, status.phase, …)"},
};

struct deletion {
    struct cli *cli;
    struct service *s;
    struct buf said;
    struct err kept; /* why the last one that is kept is */
};

/* What is about one workflow alone does not hold up the others. */
static bool goes_on(struct deletion *d, const struct err *e)
{
    if (e->code != ERR_NOT_FOUND && e->code != ERR_NOT_NOW) return false;
    if (d->kept.code) cli_note(d->cli, "error: %s", d->kept.text);
    d->kept = *e;
    return true;
}

static bool one_delete(struct deletion *d, const struct workflow_ref *ref, struct err *e)
{
    bool dry = args_on(&d->cli->args, "dry-run");
    if (!dry && !service_delete(d->s, ref->ns, ref->name, args_on(&d->cli->args, "force"), e)) return goes_on(d, e);
    buf_printf(&d->said, "Workflow '%.*s' deleted%s\n", STR_ARG(ref->name), dry ? " (dry-run)" : "");
    return true;
}

static bool named_delete(struct deletion *d, const char *name, struct err *e)
{
    struct workflow_ref ref;
    return workflow_ref_whole(d->cli, d->s, name, &ref, e) ? one_delete(d, &ref, e) : goes_on(d, e);
}

static bool selected_delete(struct deletion *d, struct err *e)
{
    struct list_opts o;
    struct val items;
    if (!select_read(d->cli, &o, e) || !service_list(&d->cli->a, d->s, &o, &items, e)) return false;
    for (uint32_t i = 0; i < items.n; i++)
        if (!one_delete(d, &(struct workflow_ref){wf_namespace(&items.items[i]), wf_name(&items.items[i])}, e)) return false;
    if (items.n == 0) buf_str(&d->said, STR("No workflows found\n"));
    return true;
}

static bool delete_run(struct cli *cli, struct err *e)
{
    struct deletion d = {.cli = cli};
    bool select;
    if (!select_given(cli, &select, e)) return false;
    if (!select && cli->args.n_words == 0)
        return err_set(e, ERR_USAGE, "'delete' needs names, or --all, --completed, --older, --prefix, --status or -l");
    if (select && cli->args.n_words > 0) return err_set(e, ERR_USAGE, "'delete' takes names or a selection, not both");
    buf_init(&d.said, LIMIT_SHOWN_BYTES);
    d.s = args_on(&cli->args, "dry-run") ? reader_open(cli, e) : changer_open(cli, e);
    bool ok = d.s != NULL;
    if (ok && select) ok = selected_delete(&d, e);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = named_delete(&d, cli->args.words[i], e);
    if (!cli->quiet) cli_out(cli, buf_view(&d.said));
    buf_fini(&d.said);
    service_close(d.s);
    if (ok && d.kept.code) *e = d.kept;
    else if (d.kept.code) cli_note(cli, "error: %s", d.kept.text);
    return ok && !d.kept.code;
}

const struct cmd cmd_delete = {
    .name = "delete",
    .aliases = "rm",
    .group = "CONTROL",
    .usage = "NAME… | --all | --completed | --older AGE | --prefix PREFIX | -l LABELS",
    .summary = "delete runs with their logs, and the artifacts that artifactGC names",
    .examples = "  skiff delete train-x7k2p\n  skiff delete --older 7d --dry-run\n  skiff delete --status Failed,Error",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_WORKFLOW,
    .run = delete_run,
};
