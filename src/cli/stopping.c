/* One operation on each run that the words or a selection name. */
#include "cli/stopping.h"

#include "base/limits.h"
#include "cli/wf.h"

struct job {
    struct cli *cli;
    struct service *service;
    const struct steering *what;
    struct buf out;
};

static bool one_do(struct job *t, const struct workflow_ref *ref, struct err *e)
{
    bool dry = args_on(&t->cli->args, "dry-run");
    if (!dry && !t->what->one(t->cli, t->service, ref, e)) return false;
    buf_printf(&t->out, "workflow %.*s %s%s\n", STR_ARG(ref->name), t->what->done, dry ? " (dry-run)" : "");
    if (!dry) changer_note(t->cli, t->service, ref);
    return true;
}

static bool selected_do(struct job *t, struct err *e)
{
    struct list_opts o;
    struct val items;
    if (!select_read(t->cli, &o, e)) return false;
    o.completed = -1;
    if (!service_list(&t->cli->a, t->service, &o, &items, e)) return false;
    for (uint32_t i = 0; i < items.n; i++) {
        struct workflow_ref ref = {wf_namespace(&items.items[i]), wf_name(&items.items[i])};
        if (!one_do(t, &ref, e)) return false;
    }
    return true;
}

bool steering_run(struct cli *cli, const struct steering *what, struct err *e)
{
    struct job t = {.cli = cli, .what = what};
    bool select, ok;
    if (!select_given(cli, &select, e)) return false;
    if (!select && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'%s' needs names or -l", cli->args.cmd->name);
    t.service = changer_open(cli, e);
    buf_init(&t.out, LIMIT_SHOWN_BYTES);
    ok = t.service != NULL;
    if (ok && select) ok = selected_do(&t, e);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) {
        struct workflow_ref ref;
        ok = workflow_ref(cli, t.service, cli->args.words[i], &ref, e) && one_do(&t, &ref, e);
    }
    if (!cli->quiet) cli_out(cli, buf_view(&t.out));
    buf_fini(&t.out);
    service_close(t.service);
    return ok;
}
