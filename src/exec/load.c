/* Taking over what an engine before this one left: runs from their rows, steps from their
 * supervisors. The same path after a crash and after an orderly leave. */
#include "base/log.h"
#include "base/map.h"
#include "doc/json.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "exec/op_p.h"

struct rows {
    struct arena *a;
    VEC(struct saved_node) nodes;
    struct str status, priv, memo;
    int64_t creator, baseline;
};

/* ---- what was private to steps that are over ---- */

/* Whoever finds out how a step with a command ended also removes its files. */
static bool sweep(struct exec *x, const struct command_row *commands, size_t n, struct err *e)
{
    struct str top = str_fmt(&x->scratch, "%.*s/work", STR_ARG(x->o.state_dir));
    struct dir_list dirs;
    struct map open = {0};
    if (!file_exists(top.p)) return true;
    if (!dir_read(&x->scratch, top.p, &dirs, e)) return false;
    for (size_t i = 0; i < n; i++)
        map_put(&open, str_fmt(&x->scratch, "%lld", (long long)commands[i].id), NULL);
    for (size_t i = 0; i < dirs.n; i++)
        if (!map_get(&open, dirs.items[i].name))
            rubbish_add(x, str_fmt(&x->scratch, "%s/%.*s", top.p, STR_ARG(dirs.items[i].name)).p, true);
    map_fini(&open);
    return true;
}

/* Directories of pods whose run is over. */
static bool sweep_pods(struct exec *x, struct err *e)
{
    struct str top = str_fmt(&x->scratch, "%.*s/pods", STR_ARG(x->o.state_dir));
    struct dir_list dirs;
    if (!file_exists(top.p)) return true;
    if (!dir_read(&x->scratch, top.p, &dirs, e)) return false;
    for (size_t i = 0; i < dirs.n; i++) {
        struct run_row row;
        struct err absent;
        bool at_work = store_run_find_uid(&x->scratch, x->store, dirs.items[i].name, &row, &absent) && !row.completed;
        if (!at_work) rubbish_add(x, str_fmt(&x->scratch, "%s/%.*s", top.p, STR_ARG(dirs.items[i].name)).p, false);
    }
    return true;
}

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
    if (str_is(key, "memo")) r->memo = str_dup(r->a, bytes);
    if (str_is(key, "creator")) str_to_i64(bytes, &r->creator);
    if (str_is(key, ESTIMATE_KEY)) str_to_i64(bytes, &r->baseline);
    return true;
}

static bool memo_read(struct active *l, struct str text, const struct val **out, struct err *e)
{
    struct val *v = ARENA_NEW(&l->arena, struct val);
    if (!text.n) return true;
    *out = v;
    return json_parse(&l->arena, text, NULL, v, e);
}

bool run_restore(struct active *l, struct err *e)
{
    struct exec *x = l->x;
    struct arena a CLEANUP(arena_fini);
    struct rows rows = {.a = &a};
    struct run_opts opts = active_opts(l);
    arena_init(&a);
    bool ok = store_nodes_load(x->store, l->id, add_node, &rows, e) &&
              store_values_load(x->store, l->id, add_value, &rows, e) && memo_read(l, rows.memo, &opts.memo, e);
    if (ok) l->run = run_load(&opts, rows.status, rows.priv, rows.nodes.items, rows.nodes.n, e);
    VEC_FINI(&rows.nodes);
    l->creator = rows.creator;
    l->baseline = rows.baseline;
    l->gc_noted = true;
    return l->run != NULL;
}

/* ---- its steps ---- */

/* Under a new command: the old step's directory stays what it is, and is noted for its removal. */
static bool start_again(struct job *j, struct err *e)
{
    struct active *l = j->live;
    struct exec *x = l->x;
    struct node *n = j->node;
    bool told = j->told_started, killed = j->killed;
    uint32_t part = j->part;
    struct str old = str_fmt(&x->scratch, "%lld", (long long)j->id);
    struct str key = str_fmt(&x->scratch, "lost/%.*s", STR_ARG(old));
    if (!exec_begin(x, e) || !store_command_ack(x->store, j->id, e) || !store_value_put(x->store, l->id, key, old, e))
        return false;
    step_clean_later(x, j->id);
    job_forget(j);
    budget_drop(l, n);
    if (!(j = job_new(l, n, part, e))) return false;
    j->told_started = told;
    j->killed = killed;
    return true;
}

static bool restarts_lost(const struct exec *x)
{
    return x->o.restart_lost || config_is(x->o.config, CONFIG_ON_LOST, "restart");
}

bool job_seek(struct job *j, struct err *e)
{
    struct exec *x = j->x;
    struct slot *slot;
    struct step_result result;
    struct err why = {0};
    enum adopt_outcome how = past_find(x->past, &x->scratch, (uint64_t)j->id, &slot, &result, &why);
    switch (how) {
    case ADOPT_BUSY:
        budget_adopt(j);
        job_move(j, JOB_SOUGHT);
        job_list_push(&x->sought, j);
        return true;
    case ADOPT_RUNNING:
        budget_adopt(j);
        if (!job_adopt(j, slot, &why)) job_failed(j, why.text);
        else if (j->killed) job_kill(j);
        else if (j->told_started) probes_begin(j);
        return true;
    case ADOPT_FINISHED: job_result(j, &result); return true;
    case ADOPT_NEVER:
    case ADOPT_LOST:
        if (j->live && (how == ADOPT_NEVER || restarts_lost(x))) return start_again(j, e);
        if (j->live) step_clean_later(x, j->id);
        job_failed(j, "step lost: it died together with the engine or its supervisor");
        return true;
    case ADOPT_FAILED: break;
    }
    job_failed(j, why.text);
    return true;
}

void jobs_seek(struct exec *x)
{
    struct job_list all = {0};
    struct job *j;
    struct err e;
    if (x->sought.first) past_refresh(x->past);
    while ((j = job_list_pop(&x->sought))) job_list_push(&all, j);
    while ((j = job_list_pop(&all))) {
        if (!x->failed && !job_seek(j, &e)) exec_fail(x, &e);
        arena_reset(&x->scratch);
    }
}

/* A step whose workflow or node is over already is ended, and then only its command is forgotten. */
static bool step_restore(struct exec *x, struct active *l, const struct command_row *c, struct err *e)
{
    struct node *n = l && c->node < run_node_count(l->run) ? run_node_at(l->run, c->node) : NULL;
    if (c->kind == COMMAND_OP) return op_restore(x, l, n, c->id, e);
    int64_t part = 0;
    bool known = !c->payload.n || (str_to_i64(c->payload, &part) && part > 0 && n && part <= node_parts(n));
    if (n && (!known || phase_fulfilled(node_phase(n)) || job_of(l, n, (uint32_t)part))) n = NULL;
    struct job *j = job_known(x, n ? l : NULL, n, (uint32_t)part, c->id);
    j->told_started = n && (part || node_phase(n) == NODE_RUNNING);
    j->old = true;
    j->killed = !n || node_part_is_ending(n, (uint32_t)part);
    return job_seek(j, e);
}

/* ---- all of it ---- */

static bool run_take_over(struct exec *x, const struct run_row *row, struct err *e)
{
    struct str doc;
    struct val workflow;
    if (!store_run_doc(&x->scratch, x->store, row->run, &doc, e) ||
        !json_parse(&x->scratch, doc, NULL, &workflow, e))
        return false;
    struct active *l = active_new(x, row->run, &workflow);
    snprintf(l->phase, sizeof l->phase, "%.*s", STR_ARG(row->phase));
    if (run_restore(l, e)) return active_queue(l), true;
    active_forget(l);
    return false;
}

/* One that cannot be taken over keeps no other from running: it stays as it is, and is told. */
static bool runs_load(struct exec *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_filter f = {.completed = -1};
    struct err why;
    arena_init(&a);
    do {
        struct run_page page;
        if (!store_run_list(&a, x->store, &f, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            if (run_take_over(x, &page.rows[i], &why)) continue;
            if (why.code == ERR_IO) return *e = why, false;
            struct log_field fields[] = {{"workflow", page.rows[i].name, false}, {"namespace", page.rows[i].ns, false}, {"error", str_of(why.text), false}};
            log_event(LOG_ERROR, "a workflow cannot go on", fields, ARRAY_LEN(fields));
        }
        f.before_run = page.next;
        arena_reset(&x->scratch);
    } while (f.before_run);
    return true;
}

/* Not finished, but not in memory either: nobody decides about its steps now. */
static bool is_left_alone(struct exec *x, int64_t run)
{
    struct run_row row;
    struct err absent;
    return store_run_get(&x->scratch, x->store, run, &row, &absent) && !row.completed;
}

static bool steps_load(struct exec *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct command_row *commands;
    size_t n;
    arena_init(&a);
    if (!store_commands_load(&a, x->store, 0, &commands, &n, e) || !sweep(x, commands, n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct active *l = active_of(x, commands[i].run);
        if (!l && is_left_alone(x, commands[i].run)) continue;
        bool request = commands[i].kind == COMMAND_REQUEST;
        if (!(request ? request_restore : step_restore)(x, l, &commands[i], e)) return false;
        arena_reset(&x->scratch);
    }
    return true;
}

bool exec_load(struct exec *x, struct err *e)
{
    if (!runs_load(x, e) || !steps_load(x, e) || !sweep_pods(x, e)) return false;
    for (size_t i = 0; i < x->lives.n; i++) {
        struct active *l = x->lives.items[i];
        struct outbox out;
        if (l->over) continue;
        run_continue(l->run, clock_now_us(), &out);
        if (!exec_begin(x, e) || !active_event(l, &out, e)) return false;
    }
    return x->loaded = true;
}
