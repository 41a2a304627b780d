/* See trying.h. */
#include "cli/trying.h"

#include "base/vec.h"
#include "cli/wf.h"

struct trying {
    struct cli *cli;
    struct service *s;
    try_fn *one;
    VEC(struct workflow_ref) runs;
};

static bool one_try(struct trying *t, const struct workflow_ref *ref, struct err *e)
{
    struct workflow_ref out;
    if (!t->one(t->cli, t->s, ref, &out, e)) return false;
    VEC_PUSH(&t->runs, out);
    return true;
}

static bool selected_try(struct trying *t, struct err *e)
{
    struct list_opts o;
    struct val items;
    if (!select_read(t->cli, &o, e)) return false;
    o.completed = 1;
    o.phases = NULL; /* --status is about nodes here */
    o.n_phases = 0;
    if (!service_list(&t->cli->a, t->s, &o, &items, e)) return false;
    for (uint32_t i = 0; i < items.n; i++) {
        struct workflow_ref ref = {wf_namespace(&items.items[i]), wf_name(&items.items[i])};
        if (!one_try(t, &ref, e)) return false;
    }
    return true;
}

static bool named_try(struct trying *t, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < t->cli->args.n_words; i++) {
        struct workflow_ref ref;
        ok = workflow_ref(t->cli, t->s, t->cli->args.words[i], &ref, e) && one_try(t, &ref, e);
    }
    return ok;
}

bool trying_run(struct cli *cli, try_fn *one, struct err *e)
{
    struct trying t = {.cli = cli, .one = one};
    bool select = args_has(&cli->args, "selector") || args_has(&cli->args, "field-selector");
    bool leave = args_on(&cli->args, "no-wait");
    enum output form;
    if (!cli_output(cli, &form, e)) return false;
    if (!select && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'%s' needs names or -l", cli->args.cmd->name);
    t.s = writer_open(cli, true, false, e);
    bool ok = t.s != NULL;
    ok = ok && leave_ok(cli, t.s, e);
    if (ok) ok = select ? selected_try(&t, e) : named_try(&t, e);
    if (ok && leave) ok = leave_runs(cli, t.s, t.runs.items, t.runs.n, e);
    else if (ok && t.runs.n) ok = foreground_run(cli, t.s, t.runs.items, t.runs.n, e);
    VEC_FINI(&t.runs);
    service_close(t.s);
    return ok;
}
