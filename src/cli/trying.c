/* See trying.h. */
#include "cli/trying.h"

#include "base/vec.h"
#include "cli/wf.h"

struct trying {
    struct cli *cli;
    struct service *s;
    try_fn *one;
    VEC(struct workflow_ref) before, runs; /* given, and what goes on because of them */
};

static bool selected_find(struct trying *t, struct err *e)
{
    struct list_opts o;
    struct val items;
    if (!select_but_status(t->cli, &o, e)) return false;
    o.completed = 1;
    if (!service_list(&t->cli->a, t->s, &o, &items, e)) return false;
    for (uint32_t i = 0; i < items.n; i++)
        VEC_PUSH(&t->before, ((struct workflow_ref){wf_namespace(&items.items[i]), wf_name(&items.items[i])}));
    return true;
}

/* All of them before the first is changed. */
static bool named_find(struct trying *t, struct err *e)
{
    for (size_t i = 0; i < t->cli->args.n_words; i++) {
        struct workflow_ref ref;
        if (!workflow_ref(t->cli, t->s, t->cli->args.words[i], &ref, e)) return false;
        VEC_PUSH(&t->before, ref);
    }
    return true;
}

static bool all_try(struct trying *t, struct err *e)
{
    for (size_t i = 0; i < t->before.n; i++) {
        struct workflow_ref out;
        if (!t->one(t->cli, t->s, &t->before.items[i], &out, e)) return false;
        VEC_PUSH(&t->runs, out);
    }
    return true;
}

/* Those that go on need somebody to drive them, also when a later one was refused. */
static bool those_show(struct trying *t, struct err *e)
{
    return !t->runs.n || runs_show(t->cli, t->s, t->runs.items, t->runs.n, e);
}

bool trying_run(struct cli *cli, try_fn *one, struct err *e)
{
    struct trying t = {.cli = cli, .one = one};
    bool select = args_has(&cli->args, "selector") || args_has(&cli->args, "field-selector");
    enum output form;
    if (!select_says(cli, "field-selector", e) || !cli_output(cli, &form, e)) return false;
    if (!select && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'%s' needs names or -l", cli->args.cmd->name);
    if (select && cli->args.n_words > 0)
        return err_set(e, ERR_USAGE, "'%s' takes names or a selection, not both", cli->args.cmd->name);
    t.s = tryer_open(cli, false, e);
    bool all = t.s && (select ? selected_find(&t, e) : named_find(&t, e)) && all_try(&t, e);
    struct err broken;
    bool shown = those_show(&t, &broken);
    if (all && !shown) *e = broken;
    VEC_FINI(&t.before);
    VEC_FINI(&t.runs);
    service_close(t.s);
    return all && shown;
}
