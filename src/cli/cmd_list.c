/* skiff list */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/list.h"
#include "cli/select.h"
#include "os/clock.h"

static const struct flag flags[] = {
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "of every namespace"},
    {"completed", 0, FLAG_BOOL, NULL, "only completed runs"},
    {"running", 0, FLAG_BOOL, NULL, "only runs that are not completed"},
    {"status", 0, FLAG_STR, "PHASE,…", "only runs in these phases"},
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

static bool items_read(struct cli *cli, struct val *items, struct err *e)
{
    struct list_opts o;
    if (!select_read(cli, &o, e)) return false;
    struct err none = {0};
    struct service *s = reader_open(cli, &none);
    *items = (struct val){.kind = VAL_LIST};
    if (!s && none.code == ERR_NOT_FOUND) return true; /* nothing has run here yet */
    if (!s) *e = none;
    bool ok = s && service_list(&cli->a, s, &o, items, e);
    service_close(s);
    return ok;
}

static bool list_run(struct cli *cli, struct err *e)
{
    struct val items;
    enum output form;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e) || !items_read(cli, &items, e)) return false;
    struct list_view v = {
        .now_us = clock_now_us(),
        .wide = form == OUTPUT_WIDE,
        .all_namespaces = args_on(&cli->args, "all-namespaces"),
        .no_headers = args_on(&cli->args, "no-headers"),
    };
    if (form == OUTPUT_NAME || form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&items, form, &b);
    else view_list(&cli->a, &items, &v, &b);
    cli_out(cli, buf_view(&b));
    return true;
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
