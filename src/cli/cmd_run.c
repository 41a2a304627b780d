/* skiff run */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "base/rfc3339.h"
#include "cli/foreground.h"

#define SUBMISSION_FLAGS \
    {"parameter", 'p', FLAG_LIST, "NAME=VALUE", "a parameter of the workflow"}, \
    {"parameter-file", 'f', FLAG_STR, "FILE", "parameters from a YAML or JSON map, in a file or at a URL; -p wins"}, \
    {"entrypoint", 0, FLAG_STR, "TEMPLATE", "where to begin"}, \
    {"name", 0, FLAG_STR, "NAME", "name of the run"}, \
    {"generate-name", 0, FLAG_STR, "PREFIX", "name of the run, five letters are added"}, \
    {"labels", 'l', FLAG_LIST, "K=V,…", "labels of the run"}, \
    ENGINE_FLAGS, \
    {"from", 0, FLAG_STR, "KIND/NAME", "run a stored workflowtemplate, clusterworkflowtemplate or cronworkflow"}, \
    {"serviceaccount", 0, FLAG_STR, "NAME", "spec.serviceAccountName; there is nobody to ask for it here"}, \
    {"priority", 0, FLAG_INT, "N", "spec.priority"}, \
    {"scheduled-time", 0, FLAG_STR, "TIME", "what {{workflow.scheduledTime}} is, for a run that was missed"}, \
    {"dry-run", 0, FLAG_BOOL, NULL, "check and print the completed workflow, run nothing"}, \
    {"server-dry-run", 0, FLAG_BOOL, NULL, NULL}, \
    SHOWN_FLAGS, \
    {"status", 0, FLAG_STR, "PHASE", NULL}, \
    {"node-field-selector", 0, FLAG_STR, "SELECTOR", NULL}, \
    {"strict", 0, FLAG_BOOL, NULL, "unknown fields are errors (the default; --strict=false: warnings)"}

static const struct flag flags[] = {
    SUBMISSION_FLAGS,
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "print only the finished workflow on stdout"},
    {"no-wait", 'd', FLAG_BOOL, NULL, "leave it to the engine that is at work, or to one in the background, and return"},
    {"watch", 0, FLAG_BOOL, NULL, NULL},
    {"wait", 'w', FLAG_BOOL, NULL, NULL},
    {"resume", 0, FLAG_STR, "NAME", "go on with a run that was interrupted"},
};

/* The same, but for --resume and with what `run` does anyway. */
static const struct flag submit_flags[] = {
    SUBMISSION_FLAGS,
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "print the workflow so: as it was submitted, or with --wait or --watch as it ended"},
    {"no-wait", 'd', FLAG_BOOL, NULL, NULL},
    {"watch", 0, FLAG_BOOL, NULL, "show it until it ends; Ctrl-C leaves it"},
    {"wait", 'w', FLAG_BOOL, NULL, "return when it has ended: 1 when it did not succeed"},
};

struct request {
    struct cli *cli;
    struct inputs in;
    struct submit_opts o;
};

/* argo submit --scheduled-time: what {{workflow.scheduledTime}} is; and the trace that the caller is in. */
static bool annotations_read(struct request *r, struct err *e)
{
    const char *when = args_str(&r->cli->args, "scheduled-time");
    const struct param *traced = NULL;
    struct param *p = ARENA_ARRAY(&r->cli->a, struct param, 2);
    int64_t us;
    r->o.annotations = p;
    r->o.n_annotations = service_traceparent(&r->cli->a, str_of(getenv("TRACEPARENT")), &traced);
    if (traced) p[0] = *traced;
    if (!when) return true;
    if (!rfc3339_parse(str_of(when), &us))
        return err_set(e, ERR_USAGE, "--scheduled-time is a time such as 2026-11-21T10:00:00Z, not '%s'", when);
    p[r->o.n_annotations++] = (struct param){STR("workflows.argoproj.io/scheduled-time"), str_of(when)};
    return true;
}

static bool request_read(struct request *r, struct err *e)
{
    const struct args *g = &r->cli->args;
    r->o = (struct submit_opts){
        .ns = cli_namespace(r->cli),
        .entrypoint = str_of(args_str(g, "entrypoint")),
        .name = str_of(args_str(g, "name")),
        .generate_name = str_of(args_str(g, "generate-name")),
        .service_account = str_of(args_str(g, "serviceaccount")),
        .priority = str_of(args_str(g, "priority")),
    };
    for (size_t i = 0; i < g->n_words; i++)
        if (!inputs_add(&r->in, g->words[i], e)) return false;
    return params_read(r->cli, &r->o.params, &r->o.n_params, e) && labels_read(r->cli, &r->o.labels, &r->o.n_labels, e) &&
           annotations_read(r, e);
}

/* Findings go to stderr, warnings only when not quiet. */
static void diags_put(struct request *r)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (r->in.diags.errors == 0 && r->cli->quiet) return;
    inputs_diags_put(&r->in, NULL, &r->cli->err_style, &b);
    cli_err(r->cli, buf_view(&b));
}

static bool objects_put(struct cli *cli, const struct val *objects, struct err *e)
{
    enum output form;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e)) return false;
    if (form == OUTPUT_TABLE || form == OUTPUT_WIDE || form == OUTPUT_SHORT) form = OUTPUT_YAML;
    for (uint32_t i = 0; i < objects->n; i++) {
        if (i && form == OUTPUT_YAML) buf_str(&b, STR("---\n"));
        output_put(&objects->items[i], form, &b);
    }
    cli_out(cli, buf_view(&b));
    return true;
}

static bool files_run(struct request *r, struct service *s, struct err *e)
{
    struct workflow_ref *refs;
    size_t n;
    if (r->in.docs.n == 0) {
        diags_put(r);
        return err_set(e, ERR_SPEC, "nothing to run: the files hold no document of a kind that skiff knows");
    }
    if (args_on(&r->cli->args, "dry-run") || args_on(&r->cli->args, "server-dry-run")) {
        struct val objects;
        bool ok = service_dry_run(&r->cli->a, s, &r->in.docs, &r->o, &r->in.diags, &objects, e);
        diags_put(r);
        return ok && objects_put(r->cli, &objects, e);
    }
    bool ok = service_submit(s, &r->in.docs, &r->o, &r->in.diags, &refs, &n, e);
    diags_put(r);
    if (!ok && e->code == ERR_CONFLICT) {
        struct str what = str_dup(&r->cli->a, str_of(e->text));
        return err_set(e, ERR_CONFLICT, "%.*s; --name gives this run another, skiff delete removes the old one",
                       STR_ARG(what));
    }
    if (!ok) return false;
    if (n == 0) {
        cli_note(r->cli, "stored; there is no Workflow among the documents to run");
        return true;
    }
    return runs_show(r->cli, s, refs, n, e);
}

static bool from_add(struct request *r, struct service *s, const char *from, struct err *e)
{
    struct val *doc = ARENA_NEW(&r->cli->a, struct val);
    if (!service_from(&r->cli->a, s, cli_namespace(r->cli), str_of(from), doc, e)) return false;
    return documents_add_val(&r->in.docs, doc, 0, &r->in.diags) || err_set(e, ERR_SPEC, "'%s' is not valid", from);
}

static bool resume_run(struct cli *cli, struct service *s, const char *name, struct err *e)
{
    struct workflow_ref ref;
    return workflow_ref(cli, s, name, &ref, e) && service_resume_run(s, ref.ns, ref.name, e) &&
           foreground_run(cli, s, &ref, 1, e);
}

/* The run is stored: what a submission says about it comes too late. */
static bool resume_check(const struct cli *cli, struct err *e)
{
    static const char *const others[] = {"parameter", "parameter-file", "entrypoint", "name", "generate-name", "labels",
                                         "serviceaccount", "priority", "scheduled-time", "dry-run", "server-dry-run", "no-wait"};
    if (cli->args.n_words > 0) return err_set(e, ERR_USAGE, "--resume goes on with a stored run and takes no file");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (args_has(&cli->args, others[i]))
            return err_set(e, ERR_USAGE, "--resume goes on with a stored run as it is and takes no --%s", others[i]);
    return true;
}

static bool run_run(struct cli *cli, struct err *e)
{
    const char *resume = args_str(&cli->args, "resume");
    struct request r = {.cli = cli};
    enum output form;
    if (!cli_output(cli, &form, e)) return false;
    const char *from = args_str(&cli->args, "from");
    if (from && (resume || cli->args.n_words > 0))
        return err_set(e, ERR_USAGE, "--from runs what is stored and takes no file");
    if (!resume && !from && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'%s' needs a file: skiff %s pipeline.yaml", cli->args.cmd->name, cli->args.cmd->name);
    if (resume && !resume_check(cli, e)) return false;
    inputs_init(&r.in, cli);
    bool ok = request_read(&r, e);
    if (ok && r.in.diags.errors) {
        diags_put(&r);
        ok = err_set(e, ERR_SPEC, "%zu error%s in the documents; nothing was run", r.in.diags.errors,
                     r.in.diags.errors == 1 ? "" : "s");
    }
    struct service *s = ok ? tryer_open(cli, resume != NULL, e) : NULL;
    if (s && from) ok = from_add(&r, s, from, e);
    if (s && ok) ok = resume ? resume_run(cli, s, resume, e) : files_run(&r, s, e);
    else ok = false;
    service_close(s);
    inputs_fini(&r.in);
    return ok;
}

const struct cmd cmd_run = {
    .name = "run",
    .where = WHERE_HERE,
    .steps = true,
    .group = "RUN",
    .usage = "FILE|URL… [flags] | --from KIND/NAME | --resume NAME",
    .summary = "run workflows here and show them until they end",
    .details = "On a terminal the tree is redrawn in place; elsewhere each transition is a line. The exit status\n"
               "is 0 when every workflow succeeded and 1 when one did not. Ctrl-C stops the run as skiff stop\n"
               "would; a second one kills its steps. `skiff submit` and --no-wait do not wait for it.\n"
               "It works on this machine alone, whether or not there is a server elsewhere.",
    .examples = "  skiff run hello.yaml\n  skiff run train.yaml -p epochs=20 -p rate=0.1\n"
                "  skiff run train.yaml --log | tee train.log\n  skiff run train.yaml -o json | jq .status.outputs\n"
                "  skiff run https://host.example/pipeline.yaml\n  skiff run --from workflowtemplate/train -p epochs=20\n  skiff run --dry-run train.yaml\n  skiff run --resume train-x7k2p",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_FILE,
    .run = run_run,
};

const struct cmd cmd_submit = {
    .name = "submit",
    .group = "RUN",
    .usage = "FILE|URL… [flags] | --from KIND/NAME",
    .summary = "leave workflows to an engine in the background",
    .details = "Prints their names and returns once they are on the disk. The engine that is at work here runs them: a server, or another\n"
               "run. Where there is none, one is started in the background; it ends when nothing has been at work for a few seconds, or\n"
               "`skiff server` takes its place. What it has to say goes to engine.log in the state directory. CronWorkflows start by a server alone.\n"
               "A server elsewhere (--argo-server) gets them instead, when there is one.",
    .examples = "  skiff submit train.yaml -p epochs=20\n  skiff submit --watch train.yaml\n  skiff wait $(skiff submit train.yaml) && deploy",
    .flags = submit_flags,
    .n_flags = ARRAY_LEN(submit_flags),
    .max_words = -1,
    .word = WORD_FILE,
    .run = run_run,
};
