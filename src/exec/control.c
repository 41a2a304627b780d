/* What is done to a run from outside, beside stopping it: suspend, resume, set, retry. */
#include <signal.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "exec/exec_p.h"

/* ---- a run at work ---- */

static bool at_work(struct exec *x, int64_t run, struct active **l, struct err *e)
{
    *l = active_of(x, run);
    if (!*l || (*l)->over) return err_set(e, ERR_NOT_NOW, "the workflow is not running");
    return exec_begin(x, e);
}

bool exec_suspend(struct exec *x, int64_t run, struct err *e)
{
    struct active *l;
    struct outbox out;
    return at_work(x, run, &l, e) && run_suspend(l->run, clock_now_us(), &out, e) && active_event(l, &out, e);
}

bool exec_resume(struct exec *x, int64_t run, struct err *e)
{
    struct active *l;
    struct outbox out;
    return at_work(x, run, &l, e) && run_resume(l->run, clock_now_us(), &out, e) && active_event(l, &out, e);
}

bool exec_set(struct exec *x, int64_t run, const struct node_change *c, struct err *e)
{
    struct active *l;
    struct outbox out;
    return at_work(x, run, &l, e) && run_set(l->run, c, clock_now_us(), &out, e) && active_event(l, &out, e);
}

/* ---- a run that is over ---- */

/* In memory again; forgotten with the transaction when it is rolled back. */
static struct active *finished_load(struct exec *x, int64_t run, const struct val *workflow, struct err *e)
{
    struct active *l = active_new(x, run, workflow);
    VEC_PUSH(&x->begun, l);
    return run_restore(l, e) ? l : NULL;
}

struct step_value {
    struct str node, id;
};

/* Which step ran for which node, and what is left of the nodes that go. */
struct step_values {
    struct arena *a;
    const uint32_t *moved;
    size_t n;
    struct str *gone; /* by index: EXEC_PAST_KEY's node, for those that go */
    VEC(struct step_value) items;
};

static bool step_value_add(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct step_values *s = ctx;
    (void)e;
    struct step_value v = {str_dup(s->a, str_from(key, 5)), str_dup(s->a, bytes)};
    VEC_PUSH(&s->items, v);
    return true;
}

/* Enough to name its logs. */
static bool gone_note(void *ctx, const struct node_row *row, struct err *e)
{
    static const char *const kept[] = {"id", "name", "displayName", "type", "templateName", "startedAt", "finishedAt"};
    struct step_values *s = ctx;
    struct val_builder b;
    struct val v, few;
    if (row->idx >= s->n || s->moved[row->idx] != UINT32_MAX) return true;
    if (!json_parse(s->a, row->status, NULL, &v, e)) return false;
    map_begin(&b, s->a);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (val_get_str(&v, kept[i]).p) map_add_str(&b, kept[i], val_get_str(&v, kept[i]));
    few = map_done(&b);
    s->gone[row->idx] = json_text(s->a, &few);
    return true;
}

static bool step_value_drop(struct active *l, const struct step_values *s, const struct step_value *v, int64_t at, struct str part,
                            struct err *e)
{
    struct arena *a = &l->x->scratch;
    struct val container = val_of_str(part.p ? part : STR(""));
    struct str past = str_fmt(a, "{\"container\":%.*s,\"node\":%.*s}", STR_ARG(json_text(a, &container)),
                              STR_ARG(s->gone[at].n ? s->gone[at] : STR("{}")));
    return store_value_put(l->x->store, l->id, str_fmt(a, "lost/%.*s", STR_ARG(v->id)), v->id, e) &&
           store_value_put(l->x->store, l->id, str_fmt(a, EXEC_PAST_KEY "%.*s", STR_ARG(v->id)), past, e);
}

static bool step_value_move(struct active *l, const struct step_values *s, const struct step_value *v, struct err *e)
{
    struct str node, part; /* "NODE" or "NODE/CONTAINER" */
    int64_t at;
    str_cut(v->node, '/', &node, &part);
    if (!str_to_i64(node, &at) || at < 0 || (size_t)at >= s->n) return true;
    if (s->moved[at] == UINT32_MAX) return step_value_drop(l, s, v, at, part, e);
    struct str key = str_fmt(&l->x->scratch, "step/%u%s%.*s", s->moved[at], part.p ? "/" : "", STR_ARG(part));
    return store_value_put(l->x->store, l->id, key, v->id, e);
}

/* Which step ran for a node is told by the node's index. Directories of steps that are forgotten stay
 * noted, so that their logs can be asked for and that they go with the run. */
static bool steps_move(struct active *l, const uint32_t *moved, size_t n, struct err *e)
{
    struct exec *x = l->x;
    struct arena a CLEANUP(arena_fini);
    struct step_values s = {.a = &a, .moved = moved, .n = n};
    arena_init(&a);
    s.gone = ARENA_ARRAY(&a, struct str, n + 1);
    bool ok = store_values_load_prefix(x->store, l->id, STR("step/"), step_value_add, &s, e) && store_nodes_load(x->store, l->id, gone_note, &s, e);
    for (size_t i = 0; ok && i < s.items.n; i++)
        ok = store_value_del(x->store, l->id, str_fmt(&a, "step/%.*s", STR_ARG(s.items.items[i].node)), e);
    for (size_t i = 0; ok && i < s.items.n; i++) ok = step_value_move(l, &s, &s.items.items[i], e);
    VEC_FINI(&s.items);
    return ok && store_commands_orphan(x->store, l->id, e);
}

/* A run can be over while steps of it are being ended; they shall not go on beside the new ones. */
static bool steps_kill(struct active *l, struct err *e)
{
    struct exec *x = l->x;
    struct command_row *commands;
    size_t n;
    if (!store_commands_load(&x->scratch, x->store, l->id, &commands, &n, e)) return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < x->jobs.n; k++)
            if (x->jobs.items[k]->id == commands[i].id && x->jobs.items[k]->lane)
                lane_kill(x->jobs.items[k]->lane, SIGKILL, 0);
    return true;
}

static bool rows_rewrite(struct active *l, struct err *e)
{
    struct exec *x = l->x;
    size_t n = run_node_count(l->run);
    struct node **nodes = mem_alloc((n + 1) * sizeof *nodes);
    struct outbox all = {.dirty = nodes, .n_dirty = n, .run_dirty = true};
    for (size_t i = 0; i < n; i++) nodes[i] = run_node_at(l->run, i);
    bool ok = store_nodes_cut(x->store, l->id, 0, e) && active_persist(l, &all, e) && actives_flush(x, e);
    free(nodes);
    return ok;
}

bool exec_retry(struct exec *x, int64_t run, const struct exec_retry *o, struct err *e)
{
    uint32_t *moved;
    struct outbox out;
    if (active_of(x, run)) return err_set(e, ERR_NOT_NOW, "Cannot retry a workflow in phase Running");
    if (!exec_begin(x, e)) return false;
    struct active *l = finished_load(x, run, o->workflow, e);
    if (!l) return false;
    size_t n = run_node_count(l->run);
    if (!run_reset(l->run, &o->reset, clock_now_us(), &moved, e) || !steps_kill(l, e) || !steps_move(l, moved, n, e) || !rows_rewrite(l, e) ||
        !store_run_set_doc(x->store, run, json_text(&x->scratch, o->workflow), e))
        return false;
    run_free(l->run);
    l->run = NULL;
    if (!run_restore(l, e)) return false;
    active_queue(l);
    timetable_note(x, &l->workflow);
    run_continue(l->run, clock_now_us(), &out);
    return active_event(l, &out, e);
}

bool exec_memo(struct arena *a, struct exec *x, int64_t run, struct val *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    struct str doc;
    struct val workflow;
    buf_init(&b, (size_t)256 << 20);
    if (active_of(x, run)) return err_set(e, ERR_NOT_NOW, "workflow must be Failed/Error to resubmit in memoized mode");
    if (!store_run_doc(a, x->store, run, &doc, e) || !json_parse(a, doc, NULL, &workflow, e)) return false;
    struct active *l = active_new(x, run, &workflow);
    bool ok = run_restore(l, e) && run_memo(&b, l->run, e);
    active_forget(l);
    if (ok && b.overflow) ok = err_set(e, ERR_LIMIT, "the outputs of the workflow's steps are too large");
    return ok && json_parse(a, buf_dup(a, &b), NULL, out, e);
}
