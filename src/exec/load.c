/* Taking over what an engine before this one left: runs from their rows, steps from their
 * supervisors. The same path after a crash and after an orderly leave. */
#include "doc/json.h"
#include "os/clock.h"
#include "os/fd.h"
#include "exec/exec_p.h"

struct rows {
    struct arena *a;
    VEC(struct saved_node) nodes;
    struct str status, priv;
};

static bool add_node(void *ctx, const struct node_row *row, struct err *e)
{
    struct rows *r = ctx;
    struct saved_node n = {str_dup(r->a, row->status), str_dup(r->a, row->private)};
    (void)e;
    VEC_PUSH(&r->nodes, n);
    return true;
}

static bool add_value(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct rows *r = ctx;
    (void)e;
    if (str_is(key, "status")) r->status = str_dup(r->a, bytes);
    if (str_is(key, "private")) r->priv = str_dup(r->a, bytes);
    return true;
}

static bool run_restore(struct active *l, struct err *e)
{
    struct exec *x = l->x;
    struct rows rows = {.a = &l->arena};
    struct run_opts opts = {.workflow = &l->workflow, .lookup = exec_lookup, .lookup_ctx = x};
    bool ok = store_nodes_load(x->store, l->id, add_node, &rows, e) &&
              store_values_load(x->store, l->id, add_value, &rows, e);
    if (ok) l->run = run_load(&opts, rows.status, rows.priv, rows.nodes.items, rows.nodes.n, e);
    VEC_FINI(&rows.nodes);
    return l->run != NULL;
}

/* ---- its steps ---- */

/* The command was committed, but no supervisor ever saw it: its directory was never made. */
static bool never_began(struct exec *x, int64_t id)
{
    struct str dir = step_dir_path(&x->scratch, x->o.state_dir, (uint64_t)id);
    return !file_exists(dir.p);
}

static void queue(struct exec *x, struct job *j)
{
    j->state = JOB_QUEUED;
    VEC_PUSH(&x->queue, j);
}

/* Started again under a new command: the old step's directory stays what it is. */
static bool start_again(struct active *l, struct node *n, int64_t old, struct err *e)
{
    struct exec *x = l->x;
    return exec_begin(x, e) && store_command_ack(x->store, old, e) && job_new(l, n, e);
}

/* A supervisor that was just asked by another engine answers within milliseconds. */
static bool wait_a_moment(void)
{
    struct timespec t = {.tv_nsec = 2000000};
    nanosleep(&t, NULL);
    return true;
}

static bool step_restore(struct active *l, const struct command_row *c, struct err *e)
{
    struct exec *x = l->x;
    struct node *n = c->node < run_node_count(l->run) ? run_node_at(l->run, c->node) : NULL;
    if (!n || phase_fulfilled(node_phase(n))) return exec_begin(x, e) && store_command_ack(x->store, c->id, e);
    struct job *j = mem_zalloc(sizeof *j);
    *j = (struct job){.x = x, .live = l, .node = n, .id = c->id, .state = JOB_DECIDED,
                      .told_started = node_phase(n) == NODE_RUNNING};
    VEC_PUSH(&x->jobs, j);
    if (never_began(x, c->id)) {
        queue(x, j);
        return true;
    }
    struct slot *slot;
    struct step_result result;
    struct err why;
    enum adopt_outcome how;
    do how = slot_adopt(&x->scratch, x->o.state_dir, (uint64_t)c->id, &slot, &result, &why);
    while (how == ADOPT_BUSY && wait_a_moment());
    if (how == ADOPT_RUNNING) {
        job_adopt(j, slot);
        if (node_is_killed(n)) job_kill(j);
    } else if (how == ADOPT_FINISHED) {
        job_result(j, &result);
    } else if (how == ADOPT_LOST && (x->o.restart_lost || config_is(x->o.config, CONFIG_ON_LOST, "restart"))) {
        x->jobs.n--;
        free(j);
        return start_again(l, n, c->id, e);
    } else {
        job_failed(j, how == ADOPT_LOST ? "step lost: it died together with the engine or its supervisor"
                                        : why.text);
    }
    return true;
}

static bool run_take_over(struct exec *x, const struct run_row *row, struct err *e)
{
    struct str doc;
    struct val workflow;
    struct active *l;
    struct command_row *commands;
    size_t n;
    if (!store_run_doc(&x->scratch, x->store, row->run, &doc, e) ||
        !json_parse(&x->scratch, doc, NULL, &workflow, e) || !active_new(x, row->run, &workflow, &l, e) ||
        !run_restore(l, e) || !store_commands_load(&x->scratch, x->store, row->run, &commands, &n, e))
        return err_ctx(e, "workflow '%.*s'", STR_ARG(row->name));
    struct arena kept CLEANUP(arena_fini);
    arena_init(&kept);
    struct command_row *mine = ARENA_ARRAY(&kept, struct command_row, n + 1);
    if (n) memcpy(mine, commands, n * sizeof *mine);
    for (size_t i = 0; i < n; i++)
        if (!step_restore(l, &mine[i], e)) return false;
    struct outbox out;
    run_continue(l->run, clock_now_us(), &out);
    return exec_begin(x, e) && active_event(l, &out, e);
}

bool exec_load(struct exec *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_filter f = {.completed = -1};
    arena_init(&a);
    do {
        struct run_page page;
        if (!store_run_list(&a, x->store, &f, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++)
            if (!run_take_over(x, &page.rows[i], e)) return false;
        f.before_run = page.next;
    } while (f.before_run);
    return true;
}
