/* skiff apply -f DIR|FILE [--prune -l LABELS] [--dry-run]: stores what files say, and removes what they say no more. */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/session.h"
#include "cli/wf.h"

static const struct flag flags[] = {
    {"filename", 'f', FLAG_LIST, "PATH", "a file or directory of what to store; as the words after the command"},
    {"prune", 0, FLAG_BOOL, NULL, "with -l: remove objects with these labels that the files do not have"},
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "which objects --prune may remove"},
    {"dry-run", 0, FLAG_BOOL, NULL, "only say what would be done"},
};

/* What --prune looks through. A claim's content would go with it: never that. */
static const char *const pruned_kinds[] = {"ConfigMap", "Secret", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow", "WorkflowEventBinding"};

struct applying {
    struct cli *cli;
    struct service *s;
    struct inputs in;
    struct buf out;
    bool dry;
};

static void told(struct applying *x, struct str kind, struct str name, struct str did)
{
    buf_printf(&x->out, "%.*s/%.*s %.*s%s\n", STR_ARG(kind), STR_ARG(name), STR_ARG(did), x->dry ? " (dry run)" : "");
}

static bool inputs_read(struct applying *x, struct err *e)
{
    const struct args *g = &x->cli->args;
    const char *file;
    bool ok = true;
    if (!args_has(g, "filename") && !g->n_words) return err_set(e, ERR_USAGE, "'apply' needs -f FILE or -f DIRECTORY");
    for (size_t i = 0; ok && (file = args_nth(g, "filename", i)); i++) ok = inputs_add(&x->in, file, e);
    for (size_t i = 0; ok && i < g->n_words; i++) ok = inputs_add(&x->in, g->words[i], e);
    if (!ok) return false;
    if (x->in.diags.errors) return err_set(e, ERR_SPEC, "the documents are not valid; nothing was stored");
    for (size_t i = 0; i < x->in.docs.n; i++)
        if (x->in.docs.items[i].kind == DOC_WORKFLOW)
            return err_set(e, ERR_USAGE, "a Workflow is run, not stored: skiff run, skiff submit");
    return true;
}

static bool one_apply(struct applying *x, struct document *d, struct err *e)
{
    struct documents one = {.a = &x->cli->a, .items = d, .n = 1};
    struct stored_result did;
    if (!service_stored_apply(&x->cli->a, x->s, cli_namespace(x->cli), &one, x->dry ? STORED_DRY : 0, &x->in.diags, &did, e))
        return err_ctx(e, "%s %.*s", doc_kind_text(d->kind), STR_ARG(d->name));
    told(x, str_of(doc_kind_text(d->kind)), d->name, did.did);
    return true;
}

static bool is_given(struct applying *x, struct str kind, const struct val *v)
{
    for (size_t i = 0; i < x->in.docs.n; i++) {
        const struct document *d = &x->in.docs.items[i];
        struct str ns = d->ns.n ? d->ns : cli_namespace(x->cli), own = wf_namespace(v);
        if (str_is(kind, doc_kind_text(d->kind)) && str_eq(d->name, wf_name(v)) && (!own.n || str_eq(ns, own))) return true;
    }
    return false;
}

static bool kind_prune(struct applying *x, struct str kind, struct err *e)
{
    struct object_query q = {.ns = cli_namespace(x->cli), .labels = str_of(args_str(&x->cli->args, "selector"))};
    struct object_page page;
    do {
        if (!service_stored_page(&x->cli->a, x->s, kind, &q, &page, e)) return false;
        for (uint32_t i = 0; i < page.items.n; i++) {
            const struct val *v = &page.items.items[i];
            struct stored_ref ref = {kind, wf_namespace(v), wf_name(v)};
            if (is_given(x, kind, v)) continue;
            if (!x->dry && !service_stored_delete(x->s, &ref, e)) return false;
            told(x, kind, ref.name, STR("pruned"));
        }
        q.position = page.next;
    } while (q.position.n);
    return true;
}

static bool all_apply(struct applying *x, struct err *e)
{
    bool ok = inputs_read(x, e) && (x->s = changer_open(x->cli, e)), prune = args_on(&x->cli->args, "prune");
    for (size_t i = 0; ok && i < x->in.docs.n; i++) ok = one_apply(x, &x->in.docs.items[i], e);
    for (size_t i = 0; ok && prune && i < ARRAY_LEN(pruned_kinds); i++) ok = kind_prune(x, str_of(pruned_kinds[i]), e);
    return ok;
}

static bool apply_run(struct cli *cli, struct err *e)
{
    struct applying x = {.cli = cli, .dry = args_on(&cli->args, "dry-run")};
    struct buf findings CLEANUP(buf_fini);
    buf_init(&findings, LIMIT_SHOWN_BYTES);
    struct str labels = str_trim(str_of(args_str(&cli->args, "selector"))); /* none would be all there is */
    if (args_on(&cli->args, "prune") != args_has(&cli->args, "selector") || (args_has(&cli->args, "selector") && !labels.n))
        return err_set(e, ERR_USAGE, "--prune and -l go together: only what has these labels is removed");
    buf_init(&x.out, LIMIT_SHOWN_BYTES);
    inputs_init(&x.in, cli);
    bool ok = all_apply(&x, e);
    if (x.in.diags.errors || !cli->quiet) inputs_diags_put(&x.in, NULL, &cli->err_style, &findings);
    cli_err(cli, buf_view(&findings));
    if (!cli->quiet) cli_out(cli, buf_view(&x.out));
    service_close(x.s);
    inputs_fini(&x.in);
    buf_fini(&x.out);
    return ok;
}

const struct cmd cmd_apply = {
    .name = "apply",
    .group = "STORE",
    .usage = "-f FILE|DIRECTORY… [--prune -l LABELS] [--dry-run]",
    .summary = "store objects of every kind from files",
    .details = "ConfigMaps, Secrets, PersistentVolumeClaims, WorkflowTemplates, ClusterWorkflowTemplates, CronWorkflows and\n"
               "WorkflowEventBindings: new ones are made, those that are there are replaced. One after the other: what was\n"
               "stored before one fails stays. With --prune, objects of the namespace that have the labels and are in none of the\n"
               "files are removed; a PersistentVolumeClaim never is.",
    .examples = "  skiff apply -f pipelines/\n"
                "  skiff apply -f pipelines/ --prune -l app=training --dry-run",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_FILE,
    .run = apply_run,
};
