/* Steps that the engine does itself: from the command to the end of the node. See op_p.h.
 * Runs on: the loop thread; what is ready is done at the end of a turn. */
#include "base/fail.h"
#include "base/map.h"
#include "doc/json.h"
#include "exec/op_p.h"
#include "os/clock.h"

enum { PAGE = 500 };

bool op_is(const struct val *tmpl)
{
    return val_get(tmpl, STR("resource")) || val_get(tmpl, STR("data"));
}

/* ---- lists ---- */

static struct op **op_slot(struct active *l, const struct node *n)
{
    size_t i = node_index(n), cap = l->cap_ops ? l->cap_ops : 16;
    while (cap <= i) cap *= 2;
    if (cap > l->cap_ops) {
        l->ops = mem_grow(l->ops, cap * sizeof(struct op *));
        memset(l->ops + l->cap_ops, 0, (cap - l->cap_ops) * sizeof(struct op *));
        l->cap_ops = cap;
    }
    return &l->ops[i];
}

static struct op *op_known(struct exec *x, struct active *l, struct node *n, int64_t id)
{
    struct op *o = mem_zalloc(sizeof *o);
    *o = (struct op){.x = x, .live = l, .node = n, .id = id, .at = x->ops.n};
    arena_init(&o->arena);
    VEC_PUSH(&x->ops, o);
    x->ops_decided++;
    if (l) *op_slot(l, n) = o;
    return o;
}

/* ---- who waits for which object ---- */

static struct str object_text(struct arena *a, struct str kind, struct str ns, struct str name)
{
    return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(kind), STR_ARG(ns), STR_ARG(name));
}

/* The key of an entry is that of the first in its list. */
static void wait_enter(struct op *o)
{
    bool fresh;
    o->wait_key = object_text(&o->arena, object_kind_text(&o->target), o->target.ns, o->target.name);
    struct map_slot *slot = map_put(&o->x->waits, o->wait_key, &fresh);
    o->wait_next = fresh ? NULL : slot->ptr;
    if (o->wait_next) o->wait_next->wait_prev = o;
    slot->key = o->wait_key;
    slot->ptr = o;
}

static void wait_leave(struct op *o)
{
    if (!o->wait_key.p) return;
    if (o->wait_next) o->wait_next->wait_prev = o->wait_prev;
    if (o->wait_prev) {
        o->wait_prev->wait_next = o->wait_next;
    } else if (o->wait_next) {
        struct map_slot *slot = map_get(&o->x->waits, o->wait_key);
        slot->key = o->wait_next->wait_key;
        slot->ptr = o->wait_next;
    } else {
        map_del(&o->x->waits, o->wait_key);
    }
    o->wait_key = STR_NONE;
}

static void op_forget(struct op *o)
{
    struct exec *x = o->x;
    wait_leave(o);
    x->ops_decided -= o->state == OP_DECIDED;
    struct op *last = VEC_POP(&x->ops);
    if (last != o) {
        x->ops.items[o->at] = last;
        last->at = o->at;
    }
    outputs_cancel(o);
    if (o->live) *op_slot(o->live, o->node) = NULL;
    arena_fini(&o->arena);
    free(o);
}

static void stir(struct op *o)
{
    o->stirred = o->x->ops_due = true;
}

/* ---- deciding, killing ---- */

bool op_new(struct active *l, struct node *n, struct err *e)
{
    struct exec *x = l->x;
    struct command_row row = {.run = l->id, .node = node_index(n), .kind = COMMAND_OP, .payload = STR("")};
    int64_t id;
    if (!store_command_put(x->store, &row, &id, e)) return false;
    op_known(x, l, n, id);
    return true;
}

void op_kill(struct active *l, const struct node *n)
{
    size_t i = node_index(n);
    struct op *o = i < l->cap_ops ? l->ops[i] : NULL;
    if (!o) return;
    o->killed = true;
    stir(o);
}

void ops_committed(struct exec *x)
{
    for (size_t i = 0; x->ops_decided && i < x->ops.n; i++) {
        struct op *o = x->ops.items[i];
        if (o->state != OP_DECIDED) continue;
        o->state = OP_READY;
        x->ops_decided--;
        stir(o);
    }
}

/* Rolled back: what was decided never was. */
void ops_dropped(struct exec *x)
{
    for (size_t i = x->ops.n; i-- > 0;)
        if (x->ops.items[i]->state == OP_DECIDED) op_forget(x->ops.items[i]);
}

void ops_close(struct exec *x)
{
    while (x->ops.n) op_forget(x->ops.items[x->ops.n - 1]);
    VEC_FINI(&x->ops);
    map_fini(&x->waits);
}

/* A workflow that is over waits for nothing any more. */
void ops_orphan(struct active *l)
{
    for (size_t i = 0; i < l->cap_ops; i++) {
        struct op *o = l->ops[i];
        if (!o) continue;
        outputs_cancel(o);
        l->ops[i] = NULL;
        o->live = NULL;
        stir(o);
    }
}

/* ---- ends ---- */

struct step_outcome op_failure(struct op *o, struct str text)
{
    return (struct step_outcome){.phase = NODE_FAILED, .exit_code = 64,
                                 .message = str_fmt(&o->arena, "main: Error (exit code 64): %.*s", STR_ARG(text))};
}

struct step_outcome op_refusal(struct op *o, const char *text)
{
    return (struct step_outcome){.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE,
                                 .message = str_dup(&o->arena, str_of(text))};
}

static struct str note_key(const struct op *o)
{
    return str_fmt(&o->x->scratch, "op/%u", node_index(o->node));
}

bool op_finish(struct op *o, const struct step_outcome *how, struct err *e)
{
    struct exec *x = o->x;
    struct active *l = o->live;
    struct outbox out;
    if (!exec_begin(x, e) || !store_command_ack(x->store, o->id, e) ||
        !store_value_del(x->store, l->id, note_key(o), e))
        return false;
    fail_point(FAIL_OBJECT_DONE);
    o->state = OP_ENDED;
    run_step_done(l->run, o->node, how, clock_now_us(), &out);
    bool ok = active_event(l, &out, e);
    op_forget(o);
    return ok;
}

/* ---- doing ---- */

static bool template_read(struct op *o, struct err *e)
{
    const struct val *given = node_template(o->live->run, o->node, e);
    if (given) o->tmpl = val_copy(&o->arena, given); /* the engine's own lives only until its next event */
    return given != NULL;
}

/* What it did and waits for now, so that nothing is done twice. */
static bool target_note(struct op *o, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    const struct { const char *key; struct str value; } rows[] = {
        {"kind", object_kind_text(&o->target)}, {"ns", o->target.ns}, {"name", o->target.name}};
    buf_init(&b, 1 << 12);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_printf(&b, "%c\"%s\":", i ? ',' : '{', rows[i].key);
        buf_json(&b, rows[i].value);
    }
    buf_char(&b, '}');
    return store_value_put(o->x->store, o->live->id, note_key(o), buf_view(&b), e);
}

bool op_park(struct op *o, struct err *e)
{
    struct outbox out;
    if (o->parked) return true;
    o->parked = true;
    if (!target_note(o, e)) return false;
    run_step_started(o->live->run, o->node, clock_now_us(), &out);
    return active_event(o->live, &out, e);
}

static bool op_judge(struct op *o, struct err *e)
{
    struct step_outcome how;
    struct val object;
    if (!exec_begin(o->x, e)) return false;
    switch (resource_judge(o, &how, &object)) {
    case CONDITION_OPEN: return op_park(o, e);
    case CONDITION_FAILED: return op_finish(o, &how, e);
    case CONDITION_HOLDS: return outputs_begin(o, &object, e);
    }
    return false;
}

static bool op_begin(struct op *o, struct err *e)
{
    struct step_outcome how = {0};
    struct err why = {0}, fatal = {0};
    if (!exec_begin(o->x, e)) return false;
    if (!template_read(o, &why)) {
        how = op_refusal(o, why.text);
        return op_finish(o, &how, e);
    }
    if (val_get(&o->tmpl, STR("data"))) {
        data_act(o, &how);
        return op_finish(o, &how, e);
    }
    if (!resource_act(o, &how, &fatal)) {
        if (fatal.code) return *e = fatal, false;
        return op_finish(o, &how, e);
    }
    o->state = OP_WAITING;
    wait_enter(o);
    if (o->killed) return stir(o), true; /* by what it did itself */
    return op_judge(o, e);
}

static bool op_orphan_done(struct op *o, struct err *e)
{
    if (!exec_begin(o->x, e) || !store_command_ack(o->x->store, o->id, e)) return false;
    op_forget(o);
    return true;
}

static bool op_step(struct op *o, struct err *e)
{
    struct step_outcome killed = {.phase = NODE_FAILED, .exit_code = STEP_NO_EXIT_CODE};
    o->stirred = false;
    if (!o->live) return op_orphan_done(o, e);
    if (o->killed) return op_finish(o, &killed, e);
    if (o->state == OP_READY) return op_begin(o, e);
    return o->state != OP_WAITING || op_judge(o, e);
}

/* ---- the change log wakes those that wait ---- */

/* What a row is about, as object_text; absent: nothing that anybody waits for. */
static struct str row_object(struct arena *a, struct exec *x, const struct change_row *c)
{
    struct run_row run;
    struct val v;
    struct err absent;
    if (str_is(c->kind, "node") || str_is(c->kind, "workflow")) {
        if (!store_run_get(a, x->store, c->run, &run, &absent)) return STR_NONE;
        return object_text(a, STR("Workflow"), run.ns, run.name);
    }
    if (!str_is(c->kind, "object") || !json_parse(a, c->payload, NULL, &v, NULL)) return STR_NONE;
    return object_text(a, val_get_str(&v, "kind"), val_get_str(&v, "namespace"), val_get_str(&v, "name"));
}

/* Changes of nodes count only where a condition looks at nodes. */
static void stir_waiting(struct exec *x, const struct map *objects, bool nodes)
{
    for (struct map_slot *s = NULL; (s = map_next(objects, s));)
        for (struct op *o = map_ptr(&x->waits, s->key); o; o = o->wait_next)
            if (o->state == OP_WAITING && (!nodes || condition_reads(&o->condition, STR("status.nodes")))) stir(o);
}

static bool changes_read(struct exec *x, struct arena *a, struct map *changed, struct map *nodes)
{
    int64_t last_run = 0;
    struct change_page page;
    struct err e;
    do {
        struct change_query q = {.after = x->ops_seen, .limit = PAGE};
        if (!store_changes_read(a, x->store, &q, &page, &e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            bool node = str_is(page.rows[i].kind, "node");
            if (node && page.rows[i].run == last_run) continue;
            last_run = node ? page.rows[i].run : 0;
            struct str key = row_object(a, x, &page.rows[i]);
            if (key.p) map_put(node ? nodes : changed, key, NULL);
        }
        x->ops_seen = page.next;
    } while (page.n == PAGE);
    return true;
}

static void look_for_changes(struct exec *x)
{
    struct arena a CLEANUP(arena_fini);
    struct map changed = {0}, nodes = {0};
    int64_t last = store_change_last(x->store);
    arena_init(&a);
    if (last == x->ops_seen) return;
    if (!x->waits.n) {
        x->ops_seen = last;
        return;
    }
    if (changes_read(x, &a, &changed, &nodes)) {
        stir_waiting(x, &changed, false);
        stir_waiting(x, &nodes, true);
    } else {
        x->ops_seen = last; /* the log no longer reaches back so far: look at all */
        for (size_t i = 0; i < x->ops.n; i++) stir(x->ops.items[i]);
    }
    map_fini(&changed);
    map_fini(&nodes);
}

/* ---- a turn ---- */

/* One that was just forgotten has given its place to another, which is looked at next. */
static void ops_step(struct exec *x)
{
    struct err e = {0};
    x->ops_due = false;
    for (size_t i = 0; i < x->ops.n && !x->failed;) {
        struct op *o = x->ops.items[i];
        bool skip = !o->stirred || o->state == OP_DECIDED || (o->live && o->live->over);
        if (!skip && !op_step(o, &e)) exec_fail(x, &e);
        if (skip || (i < x->ops.n && x->ops.items[i] == o)) i++;
        arena_reset(&x->scratch);
    }
}

void ops_run(struct exec *x)
{
    if (x->failed || x->closing || !x->ops.n) return;
    look_for_changes(x);
    if (x->ops_due) ops_step(x);
}

/* ---- after a restart ---- */

static bool note_parse(struct op *o, struct str bytes, struct err *e)
{
    struct val v;
    if (!json_parse(&o->arena, bytes, NULL, &v, e)) return false;
    struct str kind = val_get_str(&v, "kind");
    o->target = (struct object_key){.is_run = str_is(kind, "Workflow"), .ns = val_get_str(&v, "ns"),
                                    .name = val_get_str(&v, "name")};
    return o->target.is_run || resource_kind_find(kind, &o->target.kind) ||
           err_set(e, ERR_INTERNAL, "a stored step waits for an unknown kind");
}

/* False with e: it cannot be read; without a note `found` is false. */
static bool note_read(struct op *o, bool *found, struct err *e)
{
    struct str bytes;
    struct err none = {0};
    *found = store_value_get(&o->arena, o->x->store, o->live->id, note_key(o), &bytes, &none);
    if (*found) return note_parse(o, bytes, e);
    if (none.code == ERR_NOT_FOUND) return true;
    *e = none;
    return false;
}

bool op_restore(struct exec *x, struct active *l, struct node *n, int64_t id, struct err *e)
{
    bool alive = l && n && !phase_fulfilled(node_phase(n));
    struct op *o = op_known(x, alive ? l : NULL, alive ? n : NULL, id);
    stir(o);
    if (!alive) return true;
    bool noted;
    o->killed = node_is_killed(n);
    if (!note_read(o, &noted, e)) return false;
    x->ops_decided--;
    o->state = noted ? OP_WAITING : OP_READY;
    o->parked = noted;
    if (noted) wait_enter(o);
    struct err why = {0};
    if (noted && !o->killed && !template_read(o, &why)) {
        struct step_outcome how = op_refusal(o, why.text);
        return op_finish(o, &how, e);
    }
    return true;
}
