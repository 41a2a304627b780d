/* Names or a selection, then the service's operation for each. */
#include "cli/stopping.h"

#include "base/limits.h"
#include "cli/wf.h"

const struct flag stopping_flags[STOPPING_FLAGS] = {
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "every run with these labels that is not completed"},
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "with -l: of every namespace"},
    {"dry-run", 0, FLAG_BOOL, NULL, "say what would be stopped, stop nothing"},
};

struct stopping {
    struct cli *cli;
    struct service *service;
    enum service_stop how;
    const char *done;
    struct buf out;
};

static bool one_stop(struct stopping *t, const struct workflow_ref *ref, struct err *e)
{
    bool dry = args_on(&t->cli->args, "dry-run");
    if (!dry && !service_stop(t->service, ref->ns, ref->name, t->how, e)) return false;
    buf_printf(&t->out, "workflow %.*s %s%s\n", STR_ARG(ref->name), t->done, dry ? " (dry-run)" : "");
    return true;
}

static bool selected_stop(struct stopping *t, struct err *e)
{
    struct list_opts o;
    struct val items;
    if (!select_read(t->cli, &o, e)) return false;
    o.completed = -1;
    if (!service_list(&t->cli->a, t->service, &o, &items, e)) return false;
    for (uint32_t i = 0; i < items.n; i++) {
        struct workflow_ref ref = {wf_namespace(&items.items[i]), wf_name(&items.items[i])};
        if (!one_stop(t, &ref, e)) return false;
    }
    return true;
}

bool stopping_run(struct cli *cli, enum service_stop how, const char *done, struct err *e)
{
    struct stopping t = {.cli = cli, .how = how, .done = done};
    bool select = select_given(cli), ok;
    if (!select && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'%s' needs names or -l", cli->args.cmd->name);
    t.service = writer_open(cli, true, false, e);
    buf_init(&t.out, LIMIT_SHOWN_BYTES);
    ok = t.service != NULL;
    if (ok && select) ok = selected_stop(&t, e);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) {
        struct workflow_ref ref;
        ok = workflow_ref(cli, t.service, cli->args.words[i], &ref, e) && one_stop(&t, &ref, e);
    }
    if (!cli->quiet) cli_out(cli, buf_view(&t.out));
    buf_fini(&t.out);
    service_close(t.service);
    return ok;
}
