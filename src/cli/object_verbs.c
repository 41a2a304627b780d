/* See object_verbs.h. */
#include "cli/object_verbs.h"

#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/object_view.h"
#include "cli/params.h"
#include "cli/session.h"
#include "cli/wf.h"
#include "os/clock.h"

const struct flag object_list_flags[4] = {
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "of every namespace"},
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "only those with these labels"},
    {"no-headers", 0, FLAG_BOOL, NULL, "no line of column names"},
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"},
};
const struct flag object_get_flags[1] = {{"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"}};
const struct flag object_put_flags[2] = {
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"},
    {"strict", 0, FLAG_BOOL, NULL, "unknown fields are errors (the default; --strict=false: warnings)"},
};
const struct flag object_lint_flags[3] = {
    {"output", 'o', FLAG_STR, "pretty|simple|short|json", "form of the findings (json: one object a line)"},
    {"offline", 0, FLAG_BOOL, NULL, "every referenced template must be among the files"},
    {"strict", 0, FLAG_BOOL, NULL, "unknown fields are errors (the default; --strict=false: warnings)"},
};
const struct flag object_delete_flags[2] = {
    {"all", 0, FLAG_BOOL, NULL, "every one of the namespace"},
    {"dry-run", 0, FLAG_BOOL, NULL, "say what would be deleted, delete nothing"},
};
const struct flag object_no_flags[1] = {{"strict", 0, FLAG_BOOL, NULL, NULL}};

static enum service_kind kind_of(const struct cli *cli) { return (enum service_kind)cli->args.cmd->kind; }

/* ---- looking ---- */

static bool items_read(struct cli *cli, struct val *items, struct err *e)
{
    struct str ns = args_on(&cli->args, "all-namespaces") ? STR_NONE : cli_namespace(cli);
    struct err none = {0};
    struct service *s = reader_open(cli, &none);
    *items = (struct val){.kind = VAL_LIST};
    if (!s && none.code == ERR_NOT_FOUND) return true; /* nothing has been stored here yet */
    if (!s) *e = none;
    bool ok = s && service_object_list(&cli->a, s, kind_of(cli), ns, str_of(args_str(&cli->args, "selector")), items, e);
    service_close(s);
    return ok;
}

bool object_list(struct cli *cli, struct err *e)
{
    struct val items;
    enum output form;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e) || !items_read(cli, &items, e)) return false;
    struct list_view v = {.now_us = clock_now_us(), .all_namespaces = args_on(&cli->args, "all-namespaces"),
                          .no_headers = args_on(&cli->args, "no-headers")};
    if (form == OUTPUT_NAME || form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&items, form, &b);
    else object_table(&cli->a, kind_of(cli), &items, &v, &b);
    cli_out(cli, buf_view(&b));
    return true;
}

static void one_put(struct cli *cli, const struct val *v, enum output form, struct buf *b)
{
    int64_t now = clock_now_us();
    struct view_opts o = {.now_us = now, .tz_s = term_tz_s(now), .style = cli->style};
    if (form == OUTPUT_NAME || form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(v, form, b);
    else object_view(&cli->a, kind_of(cli), v, &o, b);
}

bool stored_get(struct cli *cli, struct err *e)
{
    enum output form;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s && cli_output(cli, &form, e);
    for (size_t i = 0; ok && i < cli->args.n_words; i++) {
        struct val v;
        ok = service_object_get(&cli->a, s, kind_of(cli), cli_namespace(cli), str_of(cli->args.words[i]), &v, e);
        if (ok && i && form == OUTPUT_YAML) buf_str(&b, STR("---\n"));
        if (ok) one_put(cli, &v, form, &b);
    }
    cli_out(cli, buf_view(&b));
    service_close(s);
    return ok;
}

/* ---- storing ---- */

static void diags_put(struct cli *cli, struct inputs *in)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!in->diags.errors && cli->quiet) return;
    inputs_diags_put(in, NULL, &cli->err_style, &b);
    cli_err(cli, buf_view(&b));
}

/* One document after the other, as argo does; what was stored before one fails stays. */
static bool all_put(struct cli *cli, struct service *s, struct inputs *in, enum service_put how, struct err *e)
{
    enum output form;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    bool ok = cli_output(cli, &form, e);
    if (ok) ok = service_object_lint(&cli->a, s, kind_of(cli), cli_namespace(cli), &in->docs, &in->diags, e);
    for (size_t i = 0; ok && i < in->docs.n; i++) {
        struct documents one = {.a = &cli->a, .items = &in->docs.items[i], .n = 1};
        struct diags told;
        struct val v;
        diags_init(&told, &cli->a);
        ok = service_object_put(&cli->a, s, kind_of(cli), how, cli_namespace(cli), &one, &told, &v, e);
        diags_fini(&told);
        if (ok && i && form == OUTPUT_YAML) buf_str(&b, STR("---\n"));
        if (ok) one_put(cli, &v, form, &b);
    }
    cli_out(cli, buf_view(&b));
    return ok;
}

/* What flags of `cron create` say counts before anything is checked. */
static bool overridden(struct cli *cli, struct inputs *in, struct err *e)
{
    const struct args *g = &cli->args;
    struct submit_opts o = {.entrypoint = str_of(args_str(g, "entrypoint")), .name = str_of(args_str(g, "name")),
                            .generate_name = str_of(args_str(g, "generate-name")), .service_account = str_of(args_str(g, "serviceaccount"))};
    if (!params_read(cli, &o.params, &o.n_params, e) || !labels_read(cli, &o.labels, &o.n_labels, e)) return false;
    struct documents given = in->docs;
    struct diags told; /* when the documents were read */
    documents_init(&in->docs, &cli->a);
    diags_init(&told, &cli->a);
    for (size_t i = 0; i < given.n; i++) {
        struct val *v = ARENA_NEW(&cli->a, struct val);
        *v = *given.items[i].val;
        if (given.items[i].kind == DOC_CRON_WORKFLOW) *v = service_cron_override(&cli->a, v, &o, str_of(args_str(g, "schedule")));
        documents_add_val(&in->docs, v, given.items[i].file, &told);
    }
    diags_fini(&told);
    documents_fini(&given);
    return true;
}

static bool object_put(struct cli *cli, enum service_put how, struct err *e)
{
    struct inputs in;
    bool ok = true;
    inputs_init(&in, cli);
    for (size_t i = 0; ok && i < cli->args.n_words; i++) ok = inputs_add(&in, cli->args.words[i], e);
    if (ok && !in.diags.errors && kind_of(cli) == SERVICE_CRON) ok = overridden(cli, &in, e);
    if (ok && in.diags.errors) ok = err_set(e, ERR_SPEC, "the documents are not valid; nothing was stored");
    struct service *s = ok ? changer_open(cli, e) : NULL;
    ok = s && all_put(cli, s, &in, how, e);
    diags_put(cli, &in);
    service_close(s);
    inputs_fini(&in);
    return ok;
}

bool stored_create(struct cli *cli, struct err *e) { return object_put(cli, SERVICE_CREATE, e); }
bool object_update(struct cli *cli, struct err *e) { return object_put(cli, SERVICE_UPDATE, e); }
bool object_apply(struct cli *cli, struct err *e) { return object_put(cli, SERVICE_APPLY, e); }
bool object_lint(struct cli *cli, struct err *e) { return cmd_lint.run(cli, e); }

/* ---- deleting and steering ---- */

struct many {
    struct cli *cli;
    struct service *s;
    struct buf out;
    bool (*one)(struct many *m, struct str ns, struct str name, struct err *e);
    const char *done;
};

static bool one_delete(struct many *m, struct str ns, struct str name, struct err *e)
{
    struct val v; /* --dry-run says so when there is none */
    if (args_on(&m->cli->args, "dry-run")) return service_object_get(&m->cli->a, m->s, kind_of(m->cli), ns, name, &v, e);
    return service_object_delete(m->s, kind_of(m->cli), ns, name, e);
}

static bool one_suspend(struct many *m, struct str ns, struct str name, struct err *e)
{
    struct val v;
    return service_cron_suspend(&m->cli->a, m->s, ns, name, strcmp(m->done, "suspended") == 0, &v, e);
}

static bool one_do(struct many *m, struct str ns, struct str name, struct err *e)
{
    if (!m->one(m, ns, name, e)) return false;
    buf_printf(&m->out, "%s '%.*s' %s%s\n", service_kind_text(kind_of(m->cli)), STR_ARG(name), m->done,
               args_on(&m->cli->args, "dry-run") ? " (dry-run)" : "");
    return true;
}

static bool all_do(struct many *m, struct err *e)
{
    struct cli *cli = m->cli;
    struct val items = {.kind = VAL_LIST};
    bool ok = true;
    for (size_t i = 0; ok && i < cli->args.n_words; i++) ok = one_do(m, cli_namespace(cli), str_of(cli->args.words[i]), e);
    if (ok && args_on(&cli->args, "all"))
        ok = service_object_list(&cli->a, m->s, kind_of(cli), cli_namespace(cli), STR_NONE, &items, e);
    for (uint32_t i = 0; ok && i < items.n; i++) ok = one_do(m, wf_namespace(&items.items[i]), wf_name(&items.items[i]), e);
    return ok;
}

static bool many_run(struct cli *cli, struct many *m, struct err *e)
{
    if (!cli->args.n_words && !args_on(&cli->args, "all"))
        return err_set(e, ERR_USAGE, "'%s' needs names: skiff %s %s", cli->args.cmd->name, cli->args.cmd->name,
                       cli->args.cmd->usage);
    m->cli = cli;
    buf_init(&m->out, LIMIT_SHOWN_BYTES);
    m->s = changer_open(cli, e);
    bool ok = m->s && all_do(m, e);
    if (!cli->quiet) cli_out(cli, buf_view(&m->out));
    buf_fini(&m->out);
    service_close(m->s);
    return ok;
}

bool stored_delete(struct cli *cli, struct err *e)
{
    return many_run(cli, &(struct many){.one = one_delete, .done = "deleted"}, e);
}

bool object_suspend(struct cli *cli, struct err *e)
{
    return many_run(cli, &(struct many){.one = one_suspend, .done = "suspended"}, e);
}

bool object_resume(struct cli *cli, struct err *e)
{
    return many_run(cli, &(struct many){.one = one_suspend, .done = "resumed"}, e);
}
