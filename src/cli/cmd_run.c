/* skiff run */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/session.h"
#include "doc/yaml.h"
#include "os/fd.h"

static const struct flag flags[] = {
    {"parameter", 'p', FLAG_LIST, "NAME=VALUE", "a parameter of the workflow"},
    {"parameter-file", 'f', FLAG_STR, "FILE", "parameters from a YAML or JSON map; -p wins"},
    {"entrypoint", 0, FLAG_STR, "TEMPLATE", "where to begin"},
    {"name", 0, FLAG_STR, "NAME", "name of the run"},
    {"generate-name", 0, FLAG_STR, "PREFIX", "name of the run, five letters are added"},
    {"labels", 'l', FLAG_LIST, "K=V,…", "labels of the run"},
    {"runtime", 0, FLAG_STR, "auto|none|ro|overlay", "how steps are isolated"},
    {"images", 0, FLAG_STR, "FILE", "what image names mean on this machine"},
    {"parallel", 0, FLAG_INT, "N", "most steps that run at once"},
    {"resume", 0, FLAG_STR, "NAME", "go on with a run that was interrupted"},
    {"dry-run", 0, FLAG_BOOL, NULL, "check and print the completed workflow, run nothing"},
    {"log", 0, FLAG_BOOL, NULL, "print the log lines of the steps"},
    {"progress", 0, FLAG_STR, "auto|tty|plain|quiet", "how the run is shown"},
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "print only the finished workflow on stdout"},
    {"status", 0, FLAG_STR, "PHASE", NULL},
    {"node-field-selector", 0, FLAG_STR, "SELECTOR", NULL},
    {"strict", 0, FLAG_BOOL, NULL, NULL},
    {"watch", 0, FLAG_BOOL, NULL, NULL},
    {"wait", 'w', FLAG_BOOL, NULL, NULL},
    {"serviceaccount", 0, FLAG_STR, "NAME", NULL},
};

struct request {
    struct cli *cli;
    struct inputs in;
    struct submit_opts o;
    struct param *params, *labels;
};

static size_t flag_count(const struct cli *cli, const char *flag)
{
    size_t n = 0;
    while (args_nth(&cli->args, flag, n)) n++;
    return n;
}

static bool pair_cut(const char *flag, struct str text, struct param *out, struct err *e)
{
    if (!str_cut(text, '=', &out->name, &out->value) || !out->name.n)
        return err_set(e, ERR_USAGE, "%s is NAME=VALUE, not '%.*s'", flag, STR_ARG(text));
    return true;
}

/* {name: value, …}; values that are no scalars are passed on as JSON by nobody: refused. */
static bool file_params(struct cli *cli, const char *path, struct val *out, struct err *e)
{
    struct str text;
    if (!file_read(&cli->a, path, LIMIT_DOC_BYTES, &text, e)) return false;
    if (!yaml_parse(&cli->a, text, NULL, out, e)) return err_ctx(e, "%s", path);
    if (out->kind != VAL_MAP) return err_set(e, ERR_USAGE, "%s: a map of parameter names to values is expected", path);
    for (uint32_t i = 0; i < out->n; i++)
        if (!str_set(val_text(&out->map[i].v)))
            return err_set(e, ERR_USAGE, "%s:%u: parameter '%.*s' is no plain value", path, out->map[i].line,
                           STR_ARG(out->map[i].key));
    return true;
}

static bool params_read(struct request *r, struct err *e)
{
    struct cli *cli = r->cli;
    const char *file = args_str(&cli->args, "parameter-file");
    struct val map = {.kind = VAL_MAP};
    if (file && !file_params(cli, file, &map, e)) return false;
    size_t n = flag_count(cli, "parameter");
    r->params = ARENA_ARRAY(&cli->a, struct param, map.n + n);
    for (uint32_t i = 0; i < map.n; i++) r->params[i] = (struct param){map.map[i].key, val_text(&map.map[i].v)};
    for (size_t i = 0; i < n; i++)
        if (!pair_cut("-p", str_of(args_nth(&cli->args, "parameter", i)), &r->params[map.n + i], e)) return false;
    r->o.params = r->params;
    r->o.n_params = map.n + n;
    return true;
}

static bool labels_read(struct request *r, struct err *e)
{
    size_t bytes = 0;
    const char *text;
    for (size_t i = 0; (text = args_nth(&r->cli->args, "labels", i)); i++) bytes += strlen(text) + 1;
    r->labels = ARENA_ARRAY(&r->cli->a, struct param, bytes / 2 + 1);
    for (size_t i = 0; (text = args_nth(&r->cli->args, "labels", i)); i++) {
        struct str head, rest = str_of(text);
        while (str_set(rest)) {
            str_cut(rest, ',', &head, &rest);
            if (!pair_cut("--labels", head, &r->labels[r->o.n_labels++], e)) return false;
        }
    }
    r->o.labels = r->labels;
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
    };
    for (size_t i = 0; i < g->n_words; i++)
        if (!inputs_add(&r->in, g->words[i], e)) return false;
    return params_read(r, e) && labels_read(r, e);
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

/* With -o: the finished objects, and nothing else, on stdout. */
static bool results_put(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    enum output form;
    struct view_opts v;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e) || !cli_view_opts(cli, &v, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct val wf;
        if (!service_get(&cli->a, s, refs[i].ns, refs[i].name, &wf, e)) return false;
        if (i && form == OUTPUT_YAML) buf_str(&b, STR("---\n"));
        if (form == OUTPUT_WIDE || form == OUTPUT_SHORT) view_workflow(&cli->a, &wf, &v, &b);
        else output_put(&wf, form, &b);
    }
    cli_out(cli, buf_view(&b));
    return true;
}

static bool refs_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    struct str notice = service_notice(s);
    if (notice.n) cli_note(cli, "%.*s", STR_ARG(notice));
    bool with_output = args_has(&cli->args, "output");
    int fd = with_output ? cli->env->err_fd : cli->env->out_fd;
    bool logs = args_on(&cli->args, "log");
    struct follow_opts f = {
        .refs = refs,
        .n = n,
        .fd = fd,
        .progress = term_progress(cli, fd),
        .on_interrupt = INTERRUPT_STOP,
        .logs = logs,
        .tree = !with_output,
    };
    if (logs && f.progress == PROGRESS_TTY) f.progress = PROGRESS_PLAIN; /* lines and frames do not mix */
    return follow_run(cli, s, &f, e) && (!with_output || results_put(cli, s, refs, n, e));
}

static bool files_run(struct request *r, struct service *s, struct err *e)
{
    struct workflow_ref *refs;
    size_t n;
    if (r->in.docs.n == 0) {
        diags_put(r);
        return err_set(e, ERR_SPEC, "nothing to run: the files hold no document of a kind that skiff knows");
    }
    if (args_on(&r->cli->args, "dry-run")) {
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
    return refs_follow(r->cli, s, refs, n, e);
}

static bool resume_run(struct cli *cli, struct service *s, const char *name, struct err *e)
{
    struct workflow_ref ref;
    return workflow_ref(cli, s, name, &ref, e) && service_resume_run(s, ref.ns, ref.name, e) &&
           refs_follow(cli, s, &ref, 1, e);
}

static bool run_run(struct cli *cli, struct err *e)
{
    const char *resume = args_str(&cli->args, "resume");
    struct request r = {.cli = cli};
    enum output form;
    if (!cli_output(cli, &form, e)) return false;
    if (!resume && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'run' needs a file: skiff run pipeline.yaml");
    if (resume && cli->args.n_words > 0) return err_set(e, ERR_USAGE, "--resume goes on with a stored run and takes no file");
    inputs_init(&r.in, cli);
    bool ok = request_read(&r, e);
    if (ok && r.in.diags.errors) {
        diags_put(&r);
        ok = err_set(e, ERR_SPEC, "%zu error%s in the documents; nothing was run", r.in.diags.errors,
                     r.in.diags.errors == 1 ? "" : "s");
    }
    struct service *s = ok ? writer_open(cli, true, resume != NULL, e) : NULL;
    if (s) ok = resume ? resume_run(cli, s, resume, e) : files_run(&r, s, e);
    else ok = false;
    service_close(s);
    inputs_fini(&r.in);
    return ok;
}

const struct cmd cmd_run = {
    .name = "run",
    .aliases = "submit",
    .steps = true,
    .group = "RUN",
    .usage = "FILE… [flags] | --resume NAME",
    .summary = "run workflows here and show them until they end",
    .details = "On a terminal the tree is redrawn in place; elsewhere each transition is a line. The exit status\n"
               "is 0 when every workflow succeeded and 1 when one did not. Ctrl-C stops the run as skiff stop\n"
               "would; a second one kills its steps.",
    .examples = "  skiff run hello.yaml\n  skiff run train.yaml -p epochs=20 -p rate=0.1\n"
                "  skiff run train.yaml --log | tee train.log\n  skiff run train.yaml -o json | jq .status.outputs\n"
                "  skiff run --dry-run train.yaml\n  skiff run --resume train-x7k2p",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_FILE,
    .run = run_run,
};
