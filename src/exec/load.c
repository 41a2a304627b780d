/* Taking over what an engine before this one left: runs from their rows, steps from their
 * supervisors. The same path after a crash and after an orderly leave. */
#include <limits.h>
#include <sys/stat.h>

#include "base/log.h"
#include "doc/json.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "exec/exec_p.h"

struct rows {
    struct arena *a;
    VEC(struct saved_node) nodes;
    struct str status, priv;
    struct sweep *sweep;
};

/* ---- what dead supervisors could not remove ---- */

struct sweep {
    char *state_dir;
    VEC(int64_t) steps;
};

/* A step with a RESULT is over: whatever is still private to it is a left-over. On a pool thread. */
static void sweep_work(void *user)
{
    static const char *const private[] = {"work", "volumes"};
    struct sweep *s = user;
    char path[PATH_MAX];
    for (size_t i = 0; i < s->steps.n * ARRAY_LEN(private); i++) {
        long long id = (long long)s->steps.items[i / ARRAY_LEN(private)];
        snprintf(path, sizeof path, "%s/steps/%lld/RESULT", s->state_dir, id);
        if (!file_exists(path)) continue;
        snprintf(path, sizeof path, "%s/steps/%lld/%s", s->state_dir, id, private[i % ARRAY_LEN(private)]);
        if (file_exists(path)) dir_remove_tree(path, NULL); /* best effort */
    }
}

static void sweep_done(void *user)
{
    struct sweep *s = user;
    VEC_FINI(&s->steps);
    free(s->state_dir);
    free(s);
}

static struct sweep *sweep_new(struct exec *x)
{
    struct sweep *s = mem_zalloc(sizeof *s);
    s->state_dir = mem_strdup(str_z(&x->arena, x->o.state_dir));
    return s;
}

static void sweep_add(struct sweep *s, struct str id)
{
    int64_t step;
    if (str_to_i64(id, &step)) VEC_PUSH(&s->steps, step);
}

/* A step that turned out to be lost has its RESULT just now. */
static void sweep_one(struct exec *x, int64_t step)
{
    struct sweep *s = sweep_new(x);
    VEC_PUSH(&s->steps, step);
    loop_job(x->o.loop, sweep_work, sweep_done, s);
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
    if (str_starts(key, STR("step/")) || str_starts(key, STR("lost/"))) sweep_add(r->sweep, bytes);
    return true;
}

static bool run_restore(struct active *l, struct sweep *sweep, struct err *e)
{
    struct exec *x = l->x;
    struct arena a CLEANUP(arena_fini);
    struct rows rows = {.a = &a, .sweep = sweep};
    struct run_opts opts = active_opts(l);
    arena_init(&a);
    bool ok = store_nodes_load(x->store, l->id, add_node, &rows, e) &&
              store_values_load(x->store, l->id, add_value, &rows, e);
    if (ok) l->run = run_load(&opts, rows.status, rows.priv, rows.nodes.items, rows.nodes.n, e);
    VEC_FINI(&rows.nodes);
    return l->run != NULL;
}

/* ---- its steps ---- */

/* Was it ever begun? Its supervisor makes the step's directory first of all. Making it here settles
 * the matter; a supervisor that still has the start before it is then refused by RESULT. */
static bool never_began(struct exec *x, int64_t id)
{
    struct str dir = step_dir_path(&x->scratch, x->o.state_dir, (uint64_t)id);
    struct err e;
    if (file_exists(dir.p)) return false;
    return dir_make_all(str_fmt(&x->scratch, "%.*s/steps", STR_ARG(x->o.state_dir)).p, 0700, &e) &&
           mkdir(dir.p, 0700) == 0;
}

/* Under a new command: the old step's directory stays what it is, and is noted for its removal. */
static bool start_again(struct job *j, struct err *e)
{
    struct active *l = j->live;
    struct exec *x = l->x;
    struct node *n = j->node;
    bool told = j->told_started, killed = j->killed;
    struct str old = str_fmt(&x->scratch, "%lld", (long long)j->id);
    struct str key = str_fmt(&x->scratch, "lost/%.*s", STR_ARG(old));
    if (!exec_begin(x, e) || !store_command_ack(x->store, j->id, e) || !store_value_put(x->store, l->id, key, old, e))
        return false;
    sweep_one(x, j->id);
    job_forget(j);
    if (!(j = job_new(l, n, e))) return false;
    j->told_started = told;
    j->killed = killed;
    return true;
}

static bool restarts_lost(const struct exec *x)
{
    return x->o.restart_lost || config_is(x->o.config, CONFIG_ON_LOST, "restart");
}

bool job_seek(struct job *j, bool began, struct err *e)
{
    struct exec *x = j->x;
    struct slot *slot;
    struct step_result result;
    struct err why = {0};
    enum adopt_outcome how = slot_adopt(&x->scratch, x->o.state_dir, (uint64_t)j->id, &slot, &result, &why);
    switch (how) {
    case ADOPT_BUSY:
        j->state = JOB_SOUGHT;
        job_list_push(&x->sought, j);
        return true;
    case ADOPT_RUNNING:
        if (!job_adopt(j, slot, &why)) job_failed(j, why.text);
        else if (j->killed) job_kill(j);
        return true;
    case ADOPT_FINISHED: job_result(j, &result); return true;
    case ADOPT_LOST:
        if (j->live && (!began || restarts_lost(x))) return start_again(j, e);
        sweep_one(x, j->id);
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
    while ((j = job_list_pop(&x->sought))) job_list_push(&all, j);
    while ((j = job_list_pop(&all))) {
        if (!x->failed && !job_seek(j, true, &e)) exec_fail(x, &e);
        arena_reset(&x->scratch);
    }
}

/* A step whose workflow or node is over already is ended, and then only its command is forgotten. */
static bool step_restore(struct exec *x, struct active *l, const struct command_row *c, struct err *e)
{
    struct node *n = l && c->node < run_node_count(l->run) ? run_node_at(l->run, c->node) : NULL;
    if (n && (phase_fulfilled(node_phase(n)) || job_of(l, n))) n = NULL;
    struct job *j = job_known(x, n ? l : NULL, n, c->id);
    j->told_started = n && node_phase(n) == NODE_RUNNING;
    j->killed = !n || node_is_killed(n);
    return job_seek(j, !never_began(x, c->id), e);
}

/* ---- all of it ---- */

static bool run_take_over(struct exec *x, const struct run_row *row, struct sweep *sweep, struct err *e)
{
    struct str doc;
    struct val workflow;
    if (!store_run_doc(&x->scratch, x->store, row->run, &doc, e) ||
        !json_parse(&x->scratch, doc, NULL, &workflow, e))
        return false;
    struct active *l = active_new(x, row->run, &workflow);
    if (run_restore(l, sweep, e)) return active_queue(l), true;
    active_forget(l);
    return false;
}

/* One that cannot be taken over keeps no other from running: it stays as it is, and is told. */
static bool runs_load(struct exec *x, struct sweep *sweep, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct run_filter f = {.completed = -1};
    struct err why;
    arena_init(&a);
    do {
        struct run_page page;
        if (!store_run_list(&a, x->store, &f, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            if (run_take_over(x, &page.rows[i], sweep, &why)) continue;
            if (why.code == ERR_IO) return *e = why, false;
            log_line(LOG_ERROR, "workflow '%.*s' cannot go on: %s", STR_ARG(page.rows[i].name), why.text);
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
    if (!store_commands_load(&a, x->store, 0, &commands, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct active *l = active_of(x, commands[i].run);
        if (!l && is_left_alone(x, commands[i].run)) continue;
        if (!step_restore(x, l, &commands[i], e)) return false;
        arena_reset(&x->scratch);
    }
    return true;
}

bool exec_load(struct exec *x, struct err *e)
{
    struct sweep *sweep = sweep_new(x);
    bool ok = runs_load(x, sweep, e) && steps_load(x, e);
    if (ok && sweep->steps.n) loop_job(x->o.loop, sweep_work, sweep_done, sweep);
    else sweep_done(sweep);
    if (!ok) return false;
    for (size_t i = 0; i < x->lives.n; i++) {
        struct active *l = x->lives.items[i];
        struct outbox out;
        if (l->over) continue;
        run_continue(l->run, clock_now_us(), &out);
        if (!exec_begin(x, e) || !active_event(l, &out, e)) return false;
    }
    return true;
}
