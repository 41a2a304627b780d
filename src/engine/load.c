/* A run from its rows: nothing that was decided is decided again.
 *
 * Rows were committed at the end of an event, so between nodes everything that follows from a
 * finished one has happened, but for exit hooks still at work and children that a limit holds. Node
 * frames are rebuilt from that; loops keep the items that they were expanded to. */
#include "base/id.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

static struct node *node_ref(struct run *r, const struct val *priv, const char *name)
{
    if (!val_get(priv, str_of(name))) return NULL;
    int64_t i = num(priv, name);
    return i >= 0 && (size_t)i < r->nodes.n ? r->nodes.items[i] : NULL;
}

static uint32_t *indexes(const struct val *list, uint32_t *n)
{
    *n = list ? list->n : 0;
    if (!*n) return NULL;
    uint32_t *out = mem_alloc(*n * sizeof *out);
    for (uint32_t i = 0; i < *n; i++) {
        int64_t v = 0;
        val_i64(&list->items[i], &v);
        out[i] = (uint32_t)v;
    }
    return out;
}

static struct str kept_json(struct run *r, const struct val *status, const char *name)
{
    const struct val *v = val_get(status, str_of(name));
    return v ? json_text(&r->arena, v) : STR_NONE;
}

static void extra_read(struct run *r, struct node *n, const struct val *status, const struct val *priv)
{
    struct progress p;
    int64_t estimated = num(status, "estimatedDuration");
    struct str address = val_get_str(status, "podIP");
    if (estimated) extra_of(r, n)->estimated_s = estimated;
    if (address.n && !str_is(address, "127.0.0.1")) run_pod_address(r, n, address);
    usage_read(r, n, val_get(priv, STR("rd")));
    usage_read(r, n, val_get(status, STR("resourcesDuration")));
    if (phase_fulfilled(n->phase)) usage_total(r, n);
    if (!progress_counts(n) || !progress_parse(val_get_str(status, "progress"), &p)) return;
    struct progress plain = progress_of(n);
    if (p.done == plain.done && p.of == plain.of) return;
    extra_of(r, n)->done = p.done;
    n->extra->of = p.of;
}

static bool node_read(struct run *r, const struct val *status, const struct val *priv,
                      struct err *e)
{
    struct node *n = ARENA_NEW(&r->arena, struct node);
    enum node_phase phase;
    enum node_type type;
    struct str name = val_get_str(status, "name");
    if (!name.n || !phase_parse(val_get_str(status, "phase"), &phase) ||
        !ntype_parse(val_get_str(status, "type"), &type))
        return err_set(e, ERR_INTERNAL, "a stored node is damaged");
    n->idx = (uint32_t)r->nodes.n;
    n->name = str_dup(&r->arena, name);
    n->hash = fnv1a32(name);
    n->type = (uint8_t)type;
    n->phase = (uint8_t)phase;
    n->message = str_dup(&r->arena, val_get_str(status, "message"));
    n->inputs = kept_json(r, status, "inputs");
    n->outputs = kept_json(r, status, "outputs");
    n->item = kept_json(r, priv, "i");
    show_as(r, n, val_get_str(priv, "dn"));
    n->started_us = num(priv, "s");
    n->finished_us = num(priv, "f");
    n->deadline_us = num(priv, "d");
    n->attempt = (uint32_t)num(priv, "a");
    int64_t flags = num(priv, "fl");
    n->hooked = flags & FLAG_HOOKED;
    n->retried = flags & FLAG_RETRIED;
    n->in_exit = flags & FLAG_IN_EXIT;
    n->killed = flags & FLAG_KILLED;
    n->hook_done = flags & FLAG_HOOK_DONE;
    n->again = flags & FLAG_AGAIN;
    n->daemoned = flags & FLAG_DAEMONED;
    if (n->daemoned) VEC_PUSH(&r->daemons, n);
    n->condemned = flags & FLAG_CONDEMNED;
    n->bad_outputs = flags & FLAG_BAD_OUTPUTS;
    n->broken = flags & FLAG_BROKEN;
    n->container = (uint16_t)num(priv, "ct");
    n->hook = (uint8_t)num(priv, "h");
    n->hooks_fired = (uint32_t)num(priv, "hf");
    n->wf_status = (uint8_t)num(priv, "ws");
    extra_read(r, n, status, priv);
    VEC_PUSH(&r->nodes, n);
    return true;
}

/* Edges stand with the lower node; the upper one gets its list back in the order of creation. */
static bool edges_join(struct run *r, struct node *n, const struct val *priv)
{
    uint32_t count, *up = indexes(val_get(priv, STR("u")), &count);
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++) {
        ok = up[i] < r->nodes.n && up[i] != n->idx;
        if (ok) node_child(r, r->nodes.items[up[i]], n);
    }
    free(up);
    return ok;
}

/* What the type of a node asks of the others; anything else did not come from this program. */
static bool joined_well(const struct run *r, const struct node *n)
{
    bool steps = n->type == NTYPE_STEPS, dag = n->type == NTYPE_DAG;
    bool group = n->type == NTYPE_STEPGROUP || n->type == NTYPE_TASKGROUP;
    const struct node *b = n->boundary;
    if (n->type == NTYPE_CONTAINER)
        return b && b->idx < n->idx && n->parent == b && b->type == NTYPE_POD && b->tmpl && b->tmpl->type == TMPL_CONTAINERSET;
    if (b && (b->idx >= n->idx || !b->tmpl || (b->type != NTYPE_STEPS && b->type != NTYPE_DAG))) return false;
    if (steps && (!n->tmpl || n->tmpl->type != TMPL_STEPS)) return false;
    if (dag && (!n->tmpl || n->tmpl->type != TMPL_DAG)) return false;
    if (group && (!b || n->name.n <= b->name.n)) return false;
    if (n->type == NTYPE_RETRY && (!n->tmpl || !n->tmpl->retry)) return false;
    if (n->retried && (!n->parent || n->parent->type != NTYPE_RETRY)) return false;
    if (n->hook && (!n->parent || n->parent->idx >= n->idx)) return false;
    return n->wf_status <= NODE_PHASE_MAX;
}

static bool hooks_known(const struct run *r, const struct node *n)
{
    const struct val *hooks = n->call ? n->call->hooks : n->idx ? NULL : val_get(r->spec, STR("hooks"));
    uint32_t count = hooks ? MIN(hooks->n, 32u) : 0;
    return count == 32 || !(n->hooks_fired >> count);
}

/* Parents, templates and calls, once all nodes exist. A boundary comes before its children. */
static bool node_join(struct run *r, struct node *n, const struct val *priv, struct err *e)
{
    struct str key = val_get_str(priv, "t");
    n->parent = node_ref(r, priv, "p");
    n->boundary = node_ref(r, priv, "b");
    if (key.n && !(n->tmpl = tmpl_by_key(r, key)))
        return err_set(e, ERR_SPEC, "template '%.*s' of a running node is gone", STR_ARG(key));
    if (val_get(priv, STR("c")) && n->boundary && n->boundary->tmpl) {
        int64_t c = num(priv, "c");
        if (c < 0 || c >= n->boundary->tmpl->n_calls)
            return err_set(e, ERR_INTERNAL, "a stored node is damaged");
        n->call = &n->boundary->tmpl->calls[c];
    }
    if (n->hooked && !n->retried && n->parent && !n->hook) n->hook = HOOK_EXIT; /* written before there were others */
    bool ok = edges_join(r, n, priv) && joined_well(r, n) && hooks_known(r, n);
    return ok || err_set(e, ERR_INTERNAL, "a stored node is damaged");
}

/* ---- frames ---- */

static bool alive(const struct node *n)
{
    return n && !phase_fulfilled(n->phase);
}

static void frame_make(struct run *r, struct node *n, const struct val *priv)
{
    bool instance = n->type == NTYPE_STEPS || n->type == NTYPE_DAG;
    bool waits = node_is_waiting(n) && !n->again; /* it has not begun */
    if (instance && alive(n) && !waits) body_begin(r, n);
    if (instance && !alive(n)) {
        n->body = mem_zalloc(sizeof *n->body);
        n->body->tmpl = n->tmpl;
        n->body->outbound = indexes(val_get(priv, STR("o")), &n->body->n_outbound);
    }
    if (n->type == NTYPE_STEPGROUP && alive(n)) {
        struct str error = val_get_str(priv, "er");
        n->group = mem_zalloc(sizeof *n->group);
        if (error.p) n->group->error = str_dup(&r->arena, error);
    }
    if (n->type == NTYPE_RETRY) n->retry = mem_zalloc(sizeof *n->retry);
}

static void loops_make(struct run *r, struct node *group, const struct val *priv)
{
    const struct val *loops = val_get(priv, STR("loops"));
    struct node *b = group->boundary;
    for (uint32_t i = 0; alive(b) && loops && i < loops->n; i++) {
        int64_t c;
        if (!str_to_i64(loops->map[i].key, &c) || c < 0 || c >= b->tmpl->n_calls) continue;
        struct group_frame *g = loop_begin(r, b, &b->tmpl->calls[c], &loops->map[i].v);
        if (group->type == NTYPE_TASKGROUP) group->group = g;
    }
}

static bool counted_type(const struct node *n)
{
    return n->type == NTYPE_POD || n->type == NTYPE_STEPS || n->type == NTYPE_DAG;
}

static void count(struct run *r, struct node *n)
{
    struct body *b = alive(n->boundary) ? n->boundary->body : NULL;
    ASSERT(n->type != NTYPE_CONTAINER);
    if (n->type == NTYPE_POD && alive(n) && !node_is_waiting(n)) r->active_pods++;
    if (!counted_type(n)) return;
    n->counted = alive(n);
    if (b && alive(n)) b->active_children++;
    if (b && alive(n) && n->type == NTYPE_POD && !node_is_waiting(n)) b->active_pods++;
    if (b && phase_failed(n->phase)) b->bad_children++;
}

static void place(struct run *r, struct node *n)
{
    struct node *b = n->boundary;
    if (n->retried && n->parent && n->parent->type == NTYPE_RETRY) {
        struct retry_frame *f = n->parent->retry;
        if (!f->attempts++) f->first_started_us = n->started_us;
        f->last = n;
        return;
    }
    if (!alive(b)) return;
    if (n->type == NTYPE_STEPGROUP) {
        b->body->group = step_group_index(n);
        b->body->group_node = n;
    }
    if (!n->call || n->hooked) return;
    struct call_state *c = &b->body->calls[n->call->idx];
    if (n->item.p && b->again) again_place(r, &c->loop, n, node_item_index(n));
    else if (n->item.p && c->loop && node_item_index(n) < c->loop->n_items) c->loop->items[node_item_index(n)] = n;
    else c->node = n;
}

static const struct node *hook_node(const struct run *r, const struct node *n, uint8_t hook)
{
    for (uint32_t i = 0; i < n->n_children; i++) {
        const struct node *c = r->nodes.items[n->children[i]];
        if (c->parent == n && c->hook == hook) return c;
    }
    return NULL;
}

/* Its parent has been told: fulfilled, and no hook at work. */
bool node_told(const struct run *r, const struct node *n)
{
    if (n->daemoned) return !n->retried;
    if (alive(n) || n->hooks_open) return false;
    if (!n->hook_done) return true;
    const struct node *exit = hook_node(r, n, HOOK_EXIT);
    return exit && phase_fulfilled(exit->phase); /* NULL: the hook itself is held back */
}

static void hold(struct run *r, struct node *b, struct node *parent, const struct call *c)
{
    struct blocked held = {.parent = parent, .call = c};
    const struct group_frame *g = b->body->calls[c->idx].loop;
    if (!g) {
        limit_hold(r, b, &held);
        return;
    }
    struct val items = parsed(&r->scratch, g->items_json);
    for (uint32_t i = 0; i < g->n_items; i++) {
        if (g->items[i]) continue;
        held.item = json_text(&r->scratch, &items.items[i]);
        held.item_idx = i;
        limit_hold(r, b, &held);
    }
}

static uint32_t open_items(const struct run *r, const struct group_frame *g)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < g->n_items; i++)
        if (!g->items[i] || !node_told(r, g->items[i])) open++;
    return open;
}

static void group_restore(struct run *r, struct node *steps)
{
    struct body *b = steps->body;
    struct node *group = b->group_node;
    if (!alive(group)) return;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) {
        struct call_state *c = &b->calls[i];
        if (b->tmpl->calls[i].group != b->group) continue;
        if (c->loop) group->group->open += open_items(r, c->loop);
        else if (!c->node || !node_told(r, c->node)) group->group->open++;
        if (!group->group->error.p && (c->loop || !c->node)) hold(r, steps, group, &b->tmpl->calls[i]);
    }
}

static void dag_restore(struct run *r, struct node *dag)
{
    struct body *b = dag->body;
    b->open += dag->hooks_open;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) b->calls[i].waiting = b->tmpl->calls[i].n_in;
    for (uint32_t i = 0; i < b->tmpl->n_calls; i++) {
        const struct call *c = &b->tmpl->calls[i];
        struct call_state *s = &b->calls[i];
        if (!s->node) continue;
        if (!node_told(r, s->node)) b->open++;
        else for (uint32_t k = 0; k < c->n_out; k++) b->calls[c->out[k]].waiting--;
        if (s->loop && alive(s->node) && !dag->again) {
            s->loop->open = open_items(r, s->loop);
            hold(r, dag, s->node, c);
        }
    }
    for (uint32_t i = 0; i < b->tmpl->n_calls && !dag->again; i++) {
        if (b->calls[i].node || b->calls[i].waiting || !b->calls[i].needed) continue;
        b->open++;
        hold(r, dag, dag, &b->tmpl->calls[i]);
    }
}

/* Of the hooks that were decided, those at work or held back. */
static void hooks_count(const struct run *r, struct node *n)
{
    for (uint8_t i = 0; i < LIMIT_HOOKS && n->hooks_fired >> i; i++) {
        if (!(n->hooks_fired >> i & 1)) continue;
        const struct node *h = hook_node(r, n, (uint8_t)(HOOK_FIRST + i));
        if (!h || alive(h)) n->hooks_open++;
    }
    const struct node *exit = n->hook_done ? hook_node(r, n, HOOK_EXIT) : NULL;
    n->exit_open = n->hook_done && (!exit || alive(exit));
    n->told = node_told(r, n);
    n->ended = !alive(n);
}

/* A hook that was decided but whose node a limit held back. */
static void hook_restore(struct run *r, struct node *n)
{
    const struct node *p = n->parent;
    if (!alive(n->boundary) || (p && p->type == NTYPE_STEPGROUP && p->group && p->group->error.p)) return;
    if (n->hook_done && !hook_node(r, n, HOOK_EXIT))
        limit_hold(r, n->boundary, &(struct blocked){.hook_of = n, .hook = HOOK_EXIT});
    for (uint8_t i = 0; i < LIMIT_HOOKS && n->hooks_fired >> i; i++) {
        uint8_t hook = (uint8_t)(HOOK_FIRST + i);
        if ((n->hooks_fired >> i & 1) && !hook_node(r, n, hook))
            limit_hold(r, n->boundary, &(struct blocked){.hook_of = n, .hook = hook});
    }
}

static bool sets_restore(struct run *r, struct err *e)
{
    for (size_t i = 0; i < r->nodes.n; i++) {
        struct node *n = r->nodes.items[i];
        if (has_set(n) && !cset_restored(r, n))
            return err_set(e, ERR_INTERNAL, "a container of a stored pod is missing");
    }
    return true;
}

static void restore(struct run *r)
{
    struct err e;
    for (size_t i = 0; i < r->nodes.n; i++) hooks_count(r, r->nodes.items[i]);
    for (size_t i = 0; i < r->nodes.n; i++) {
        struct node *n = r->nodes.items[i];
        if (!alive(n)) continue;
        if (n->type == NTYPE_CONTAINER) continue;
        if (n->deadline_us) timer_add(r, n->deadline_us, n);
        if (node_is_waiting(n) && !n->again) continue;
        if (n->again) again_note(r, n);
        if (n->type == NTYPE_STEPS && !n->again) group_restore(r, n);
        if (n->type == NTYPE_DAG && dag_targets(r, n, &e)) dag_restore(r, n);
        if (n->type == NTYPE_RETRY && n->deadline_us) n->retry->waiting = true;
        else if (n->type == NTYPE_RETRY && !n->again && n->boundary && (!n->retry->last || node_told(r, n->retry->last)))
            limit_hold(r, n->boundary, &(struct blocked){.retry = n});
    }
    for (size_t i = 0; i < r->nodes.n; i++) hook_restore(r, r->nodes.items[i]);
    if (r->deadline_us && !r->deadline_passed && !r->done) timer_add(r, r->deadline_us, NULL);
    sync_restore_claims(r);
}

/* ---- the run itself ---- */

static void globals_restore(struct run *r, const struct val *outputs)
{
    static const char *const kinds[] = {"parameters", "artifacts"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct val *list = val_get(outputs, str_of(kinds[k]));
        for (uint32_t i = 0; list && i < list->n; i++)
            global_put(r, k == 1, val_get_str(&list->items[i], "name"), &list->items[i]);
    }
}

static bool run_read(struct run *r, const struct val *status, const struct val *priv)
{
    struct str failures = val_get_str(priv, "failures"), bad = val_get_str(priv, "metricsError");
    if (bad.p) r->metrics_error = str_dup(&r->arena, bad);
    r->started_us = num(priv, "s");
    r->finished_us = num(priv, "f");
    r->deadline_us = num(priv, "d");
    r->stop = (enum stop_strategy)num(priv, "stop");
    r->suspended = num(priv, "suspended");
    r->deadline_passed = num(priv, "late");
    r->exit_started = num(priv, "exit");
    r->done = num(priv, "done");
    r->entry_error = num(priv, "entryError");
    r->opts.seed = (uint64_t)num(priv, "seed") << 1;
    r->opts.estimated_s = num(priv, "est");
    r->message = str_dup(&r->arena, val_get_str(status, "message"));
    globals_restore(r, val_get(priv, STR("outputs")));
    if (failures.p) scope_set(&r->globals, STR("workflow.failures"), str_dup(&r->arena, failures));
    r->begun = r->started_us || num(priv, "begun"); /* rows of 0.1.0 have no `begun` */
    bool has_phase = phase_parse(val_get_str(status, "phase"), &r->phase);
    r->postponed = has_phase && !r->begun;
    sync_restore(r, NULL, priv);
    return has_phase || !r->begun;
}

static bool nodes_read(struct run *r, const struct saved_node *rows, size_t n, struct err *e)
{
    struct val *priv = ARENA_ARRAY(&r->scratch, struct val, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct val status;
        if (!json_parse(&r->scratch, rows[i].status, NULL, &status, e) ||
            !json_parse(&r->scratch, rows[i].priv, NULL, &priv[i], e) ||
            !node_read(r, &status, &priv[i], e))
            return err_ctx(e, "node row %zu", i);
    }
    for (size_t i = 0; i < n; i++) {
        struct node *node = r->nodes.items[i];
        progress_give(r, node);
        if (!node_join(r, node, &priv[i], e)) return false;
        sync_restore(r, node, &priv[i]);
        frame_make(r, node, &priv[i]);
        if (node->type == NTYPE_CONTAINER) {
            if (!alive(node->parent) || cset_restore_container(node)) continue;
            return err_set(e, ERR_INTERNAL, "a stored node is damaged");
        }
        bool set = node->type == NTYPE_POD && node->tmpl && node->tmpl->type == TMPL_CONTAINERSET;
        if (set && alive(node) && !node_is_waiting(node) && !cset_restore(r, node, e)) return false;
        if (node->type == NTYPE_POD && alive(node) && !node_is_waiting(node) && !parts_restore(r, node, &priv[i], e)) return false;
        loops_make(r, node, &priv[i]);
        count(r, node);
        place(r, node);
    }
    return true;
}

struct run *run_load(const struct run_opts *opts, struct str status, struct str priv,
                     const struct saved_node *rows, size_t n_rows, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val s, p;
    arena_init(&a);
    if (!json_parse(&a, status, NULL, &s, e) || !json_parse(&a, priv, NULL, &p, e)) return NULL;
    struct run *r = run_make(opts, val_get(&p, STR("params")), e);
    if (!r) return NULL;
    bool ok = run_read(r, &s, &p) || err_set(e, ERR_INTERNAL, "the stored status is damaged");
    if (ok) ok = nodes_read(r, rows, n_rows, e) && sets_restore(r, e);
    if (!ok) {
        run_free(r);
        return NULL;
    }
    r->root = n_rows ? r->nodes.items[0] : NULL;
    r->exit_node = node_ref(r, &p, "exitNode");
    if (r->exit_started && r->root)
        scope_set(&r->globals, STR("workflow.status"), str_of(phase_text(r->root->phase)));
    restore(r);
    return r;
}

