/* skiff cron list|get|create|…|backfill */
#include "base/id.h"
#include "cli/cmds.h"
#include "cli/foreground.h"
#include "cli/inputs.h"
#include "cli/object_verbs.h"
#include "cli/session.h"
#include "os/random.h"

enum { MOST = 1000 /* as Argo's */ };
#define RFC1123 "Mon, 02 Jan 2006 15:04:05 MST"

static const struct flag backfill_flags[] = {
    {"start", 0, FLAG_STR, "TIME", "the first time is after this one, such as 2026-11-21T00:00:00Z"},
    {"end", 0, FLAG_STR, "TIME", "the last one is not after this one (default: now)"},
    {"parallel", 0, FLAG_BOOL, NULL, "all at once; else one after the other"},
    {"argname", 0, FLAG_STR, "NAME", "the parameter that gets the scheduled time (default cronScheduleTime)"},
    {"name", 0, FLAG_STR, "NAME", "name of the backfill (default: five letters)"},
    {"format", 0, FLAG_STR, "LAYOUT", "Go's layout of --start and --end, where they are not RFC 3339 (default: RFC 1123)"},
    {"maxworkflowcount", 0, FLAG_INT, "N", "most workflows that one workflow creates (default 1000)"},
    {"progress", 0, FLAG_STR, "auto|tty|plain|quiet", "how the run is shown"},
};

/* What changes the documents on their way: of argo cron create and update. */
static const struct flag put_flags[] = {
    {"schedule", 0, FLAG_STR, "SCHEDULE", "in place of spec.schedules"},
    {"name", 0, FLAG_STR, "NAME", "name of the CronWorkflow"},
    {"generate-name", 0, FLAG_STR, "PREFIX", "name of the CronWorkflow, five letters are added"},
    {"entrypoint", 0, FLAG_STR, "TEMPLATE", "where its workflows begin"},
    {"parameter", 'p', FLAG_LIST, "NAME=VALUE", "a parameter of its workflows"},
    {"parameter-file", 'f', FLAG_STR, "FILE", "parameters from a YAML or JSON map, in a file or at a URL; -p wins"},
    {"labels", 'l', FLAG_LIST, "K=V,…", "labels of its workflows"},
    {"serviceaccount", 0, FLAG_STR, "NAME", "spec.serviceAccountName of its workflows; there is nobody to ask for it here"},
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"},
    {"strict", 0, FLAG_BOOL, NULL, "unknown fields are errors (the default; --strict=false: warnings)"},
};

static bool options_read(struct cli *cli, struct backfill_opts *o, struct err *e)
{
    const struct args *g = &cli->args;
    const char *format = args_str(g, "format"), *arg = args_str(g, "argname");
    int64_t most = args_int(g, "maxworkflowcount", MOST);
    *o = (struct backfill_opts){.start = str_of(args_str(g, "start")), .end = str_of(args_str(g, "end")), .name = str_of(args_str(g, "name")),
                                .format = str_of(format ? format : RFC1123), .arg_name = str_of(arg ? arg : "cronScheduleTime"),
                                .parallel = args_on(g, "parallel")};
    if (!o->start.n) return err_set(e, ERR_USAGE, "cron backfill needs --start TIME");
    if (most < 1 || most > MOST) return err_set(e, ERR_USAGE, "--maxworkflowcount is from 1 to %d", MOST);
    if (!o->name.n) o->name = name_suffix(&cli->a, random_u64());
    o->most = (size_t)most;
    return true;
}

static void backfill_told(struct cli *cli, const struct backfill_opts *o, size_t times, const struct workflow_ref *refs, size_t n)
{
    struct arena *a = &cli->a;
    struct str end = o->end.n ? o->end : STR("now");
    cli_out(cli, str_fmt(a, "Created %.*s Backfill task for Cronworkflow %s\nStart Time: %.*s\n  End Time: %.*s\nTotal Backfill Schedule: %zu\n",
                         STR_ARG(o->name), cli->args.words[0], STR_ARG(o->start), STR_ARG(end), times));
    for (size_t i = 0; i < n; i++) cli_out(cli, str_fmt(a, "%zu. %.*s %.*s\n", i + 1, STR_ARG(refs[i].ns), STR_ARG(refs[i].name)));
}

/* Left to the engine that is at work; without one it is done here, as by `skiff run`. */
static bool backfill_submit(struct cli *cli, struct service *s, const struct backfill_opts *o, const struct val *workflows, size_t times,
                            struct err *e)
{
    struct inputs in;
    struct submit_opts with = {.ns = cli_namespace(cli)};
    struct workflow_ref *refs;
    size_t n;
    bool ok = true;
    inputs_init(&in, cli);
    for (uint32_t i = 0; ok && i < workflows->n; i++)
        ok = documents_add_val(&in.docs, &workflows->items[i], 0, &in.diags) || err_set(e, ERR_SPEC, "what would create them is not valid");
    ok = ok && service_submit(s, &in.docs, &with, &in.diags, &refs, &n, e);
    if (ok) backfill_told(cli, o, times, refs, n);
    inputs_fini(&in);
    return ok && (!service_is_engine(s) || foreground_run(cli, s, refs, n, e));
}

static bool backfill_run(struct cli *cli, struct err *e)
{
    struct backfill_opts o;
    struct val workflows;
    size_t times;
    if (!options_read(cli, &o, e)) return false;
    struct service *s = writer_open(cli, true, false, e);
    bool ok = s && service_backfill(&cli->a, s, cli_namespace(cli), str_of(cli->args.words[0]), &o, &workflows, &times, e);
    if (ok && !times) cli_out(cli, STR("There is no suitable scheduling time.\n"));
    else if (ok) ok = backfill_submit(cli, s, &o, &workflows, times, e);
    service_close(s);
    return ok;
}

OBJECT_VERBS("cron", SERVICE_CRON, "CronWorkflow");
OBJECT_PUT_VERBS("cron", SERVICE_CRON, "CronWorkflow", put_flags, "FILE… [flags]");
OBJECT_VERB(verb_suspend, "cron", "suspend", SERVICE_CRON, object_suspend, object_no_flags, "NAME…",
            "set spec.suspend", 1, -1, WORD_OBJECT);
OBJECT_VERB(verb_resume, "cron", "resume", SERVICE_CRON, object_resume, object_no_flags, "NAME…",
            "lift spec.suspend", 1, -1, WORD_OBJECT);
static const struct cmd verb_backfill = {
    .name = "cron backfill", .steps = true, .group = "STORE", .usage = "NAME --start TIME [--end TIME] [--parallel]",
    .summary = "run what would have been started in a span of time", .flags = backfill_flags, .n_flags = ARRAY_LEN(backfill_flags),
    .min_words = 1, .max_words = 1, .word = WORD_OBJECT, .kind = SERVICE_CRON, .run = backfill_run,
};

static const struct cmd *const verbs[] = {&verb_list, &verb_get, &verb_create, &verb_update, &verb_apply, &verb_lint, &verb_delete, &verb_suspend, &verb_resume,
                                          &verb_backfill};

const struct cmd cmd_cron = {
    .name = "cron",
    .aliases = NULL,
    .group = "STORE",
    .usage = "VERB …",
    .summary = "stored CronWorkflows",
    .details = "`skiff server` starts them when they are due. `skiff run --from cronworkflow/NAME` runs one now.",
    .examples = "  skiff cron create nightly.yaml\n  skiff cron list\n  skiff cron backfill nightly --start 2026-11-01T00:00:00Z",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
