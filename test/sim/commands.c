/* What is done to a simulated run from outside: suspend, resume, stop, terminate, set, retry, resubmit.
 *
 * A command is {"do": NAME, "at_ms": since the start} or {"do": NAME} for as soon as the run is over;
 * "set" and "resume" may name a node by "node", "set" has "phase", "message" and "parameters"; "retry"
 * and "resubmit" may have a "fate" or "pods" of their own, which hold from then on. */
#include "world.h"

#include "doc/json.h"

static int64_t integer(const struct val *map, const char *key, int64_t absent)
{
    int64_t n;
    const struct val *v = val_get(map, str_of(key));
    return v && val_i64(v, &n) ? n : absent;
}

int64_t command_due(const struct world *w)
{
    if (!w->commands || w->next_command >= w->commands->n) return INT64_MAX;
    int64_t at_ms = integer(&w->commands->items[w->next_command], "at_ms", -1);
    if (at_ms >= 0) return w->start_us + at_ms * 1000;
    return run_is_done(w->run) ? w->now_us : INT64_MAX;
}

static bool is_named(void *ctx, const struct run *r, const struct node *n)
{
    (void)r;
    return str_eq(node_name(n), val_get_str(ctx, "node"));
}

static void set(struct world *w, const struct val *c, enum node_phase phase, struct outbox *out)
{
    struct node_change change = {.pick = is_named, .ctx = (void *)c, .phase = phase, .message = val_get_str(c, "message")};
    const struct val *map = val_get(c, STR("parameters"));
    struct step_outcome_param *params = ARENA_ARRAY(&w->arena, struct step_outcome_param, map ? map->n + 1 : 1);
    struct err e;
    for (uint32_t i = 0; map && i < map->n; i++)
        params[change.n_params++] = (struct step_outcome_param){map->map[i].key, val_text(&map->map[i].v)};
    change.params = params;
    if (val_get(c, STR("phase"))) phase_parse(val_get_str(c, "phase"), &change.phase);
    run_set(w->run, &change, w->now_us, out, &e);
}

static struct run *load(struct world *w)
{
    struct err e;
    return run_load(&w->opts, w->stored.status, w->stored.priv, w->stored.rows.items, w->stored.rows.n, &e);
}

static void new_fate(struct world *w, const struct val *c)
{
    if (val_get(c, STR("fate"))) w->fate = val_get(c, STR("fate"));
    if (val_get(c, STR("pods"))) w->given = val_get(c, STR("pods"));
}

/* As exec does it: from the rows, to rows, and on as after a crash. */
static void retry(struct world *w, const struct val *c, struct outbox *out)
{
    struct reset_opts o = {.ctx = (void *)c};
    uint32_t *moved;
    struct err e;
    if (val_get_str(c, "node").p) o.pick = is_named;
    run_free(w->run);
    w->run = load(w);
    bool ok = run_reset(w->run, &o, w->now_us, &moved, &e);
    if (ok) world_store(w);
    run_free(w->run);
    w->run = load(w);
    if (ok) w->pods.n = 0;
    new_fate(w, c);
    run_continue(w->run, w->now_us, out);
}

/* From here on the case is about the new run. */
static void resubmit(struct world *w, const struct val *c, struct outbox *out)
{
    struct val *memo = ARENA_NEW(&w->arena, struct val);
    struct buf b;
    struct err e;
    buf_init(&b, (size_t)1 << 30);
    bool ok = w->opts.memo || (run_memo(&b, w->run, &e) && json_parse(&w->arena, buf_view(&b), NULL, memo, &e));
    if (ok && !w->opts.memo) {
        w->opts.memo = memo;
        w->stored.rows.n = w->pods.n = 0;
        world_rename(w, STR("wf2"));
    }
    new_fate(w, c);
    if (ok) {
        run_free(w->run);
        w->run = run_new(&w->opts, &e);
        ASSERT(w->run);
        run_start(w->run, w->now_us, out);
    } else {
        run_continue(w->run, w->now_us, out);
    }
    buf_fini(&b);
}

void command_deliver(struct world *w, const struct val *c, struct outbox *out)
{
    struct str what = val_get_str(c, "do");
    struct err e;
    if (str_is(what, "suspend")) run_suspend(w->run, w->now_us, out, &e);
    else if (str_is(what, "resume") && val_get(c, STR("node"))) set(w, c, NODE_SUCCEEDED, out);
    else if (str_is(what, "resume")) run_resume(w->run, w->now_us, out, &e);
    else if (str_is(what, "stop")) run_stop(w->run, STOP_STOP, w->now_us, out);
    else if (str_is(what, "terminate")) run_stop(w->run, STOP_TERMINATE, w->now_us, out);
    else if (str_is(what, "set")) set(w, c, NODE_RUNNING, out);
    else if (str_is(what, "retry")) retry(w, c, out);
    else resubmit(w, c, out);
}
