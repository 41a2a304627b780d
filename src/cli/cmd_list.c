/* skiff list */
#include "cli/cmds.h"
#include "cli/select.h"

static const struct flag flags[] = {
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "of every namespace"},
    {"completed", 0, FLAG_BOOL, NULL, "only completed runs"},
    {"running", 0, FLAG_BOOL, NULL, "only runs that are not completed"},
    {"status", 0, FLAG_LIST, "PHASE,…", "only runs in these phases"},
    {"since", 0, FLAG_STR, "AGE", "only runs created within 10m, 3h, 7d"},
    {"older", 0, FLAG_STR, "AGE", "only runs that finished longer ago"},
    {"prefix", 0, FLAG_STR, "PREFIX", "only names that begin so"},
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "only runs with these labels"},
    {"resubmitted", 0, FLAG_BOOL, NULL, "only resubmitted runs"},
    {"limit", 0, FLAG_INT, "N", "at most so many, newest first"},
    {"no-headers", 0, FLAG_BOOL, NULL, "no line of column names"},
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"},
    {"field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "runs with these fields (metadata.name, status.phase, …)"},
    {"chunk-size", 0, FLAG_INT, "N", NULL},
};

static bool list_run(struct cli *cli, struct err *e)
{
    struct list_opts o;
    return select_read(cli, &o, e) && select_show(cli, &o, &(struct list_view){0}, e);
}

const struct cmd cmd_list = {
    .name = "list",
    .aliases = "ls",
    .group = "LOOK",
    .usage = "[flags]",
    .summary = "list runs, newest first",
    .examples = "  skiff list\n  skiff list --running\n  skiff list --status Failed,Error --since 1d\n"
                "  skiff list -l team=vision -o name",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = list_run,
};
