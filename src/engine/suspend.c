/* Suspend templates: wait for a person or for a while; outputs that were to be supplied take their
 * defaults at the end (operator.go executeSuspend). */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

static void outputs_put(struct run *r, struct node *n, struct val params);

void suspend_begin(struct run *r, struct node *n)
{
    struct err e;
    const struct val *tmpl;
    struct str text = STR_NONE;
    int64_t us = 0;
    bool ok = pod_template(r, n, &tmpl, &e);
    if (ok) text = val_text(val_path(tmpl, "suspend.duration"));
    if (ok && text.n) ok = (us = duration_us(text, &e)) >= 0;
    if (!ok) {
        node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    node_phase_set(r, n, NODE_RUNNING);
    const struct val *outputs = val_path(tmpl, "outputs.parameters"); /* shown while it waits, to be supplied */
    if (outputs) outputs_put(r, n, *outputs);
    if (!text.n) return;
    n->deadline_us = r->now_us + us;
    timer_add(r, n->deadline_us, n);
}

/* ---- outputs that somebody is to supply ---- */

static const struct val *awaited(struct run *r, const struct node *n)
{
    return val_get(node_outputs_val(&r->scratch, n), STR("parameters"));
}

static void outputs_put(struct run *r, struct node *n, struct val params)
{
    struct val_builder b;
    if (!params.n) return;
    map_begin(&b, &r->scratch);
    map_add(&b, STR("parameters"), params);
    struct val outputs = map_done(&b);
    n->outputs = json_text(&r->arena, &outputs);
    node_touch(r, n);
}

static struct val with_value(struct run *r, const struct val *p, struct str value)
{
    struct val_builder b;
    map_begin(&b, &r->scratch);
    for (uint32_t i = 0; i < p->n; i++)
        if (!str_is(p->map[i].key, "valueFrom")) map_add(&b, p->map[i].key, p->map[i].v);
    map_set(&b, STR("value"), val_of_str(value));
    return map_done(&b);
}

static struct str set_value(const struct node_change *c, struct str name)
{
    for (size_t i = c ? c->n_params : 0; i-- > 0;)
        if (str_eq(c->params[i].name, name)) return c->params[i].value;
    return STR_NONE;
}

/* The outputs with what `c` sets; with defaults for the rest when the node is to succeed. */
static bool settled(struct run *r, const struct node *n, const struct node_change *c, bool whole, struct val *out,
                    struct err *e)
{
    const struct val *list = awaited(r, n);
    struct val_builder b;
    bool ok = true;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct val *p = &list->items[i];
        struct str name = val_get_str(p, "name"), value = set_value(c, name);
        if (!value.p) value = text_of(&r->scratch, val_get(p, STR("value")));
        if (!value.p && whole) value = text_of(&r->scratch, val_path(p, "valueFrom.default"));
        if (ok && !value.p && whole)
            ok = err_set(e, ERR_SPEC, "raw output parameter '%.*s' has not been set and does not have a default "
                         "value", STR_ARG(name));
        list_add(&b, value.p ? with_value(r, p, value) : *p);
    }
    *out = list_done(&b);
    return ok;
}

/* ---- going on ---- */

void suspend_resume(struct run *r, struct node *n)
{
    struct err e;
    struct val params;
    if (!settled(r, n, NULL, true, &params, &e)) {
        node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    outputs_put(r, n, params);
    node_finish(r, n, NODE_SUCCEEDED, n->message); /* what `node set` said stays */
}

/* One that is Pending waits for a lock and is not suspended yet. */
static bool waits(const struct node *n)
{
    return n->type == NTYPE_SUSPEND && n->phase == NODE_RUNNING;
}

/* It is no event: whoever asked gets nothing to commit, so nothing may happen. */
static bool refused(struct outbox *out)
{
    *out = (struct outbox){0};
    return false;
}

bool run_suspend(struct run *r, int64_t now_us, struct outbox *out, struct err *e)
{
    if (r->done || r->stop) {
        err_set(e, ERR_NOT_NOW, r->done ? "cannot suspend completed workflows" : "cannot suspend a workflow that is being stopped");
        return refused(out);
    }
    event_begin(r, now_us);
    if (!r->suspended) r->suspended = r->dirty = true;
    event_end(r, out);
    return true;
}

static bool all_ready(struct run *r, struct err *e)
{
    struct val params;
    for (size_t i = 0; i < r->nodes.n; i++)
        if (waits(r->nodes.items[i]) && !settled(r, r->nodes.items[i], NULL, true, &params, e)) return false;
    return true;
}

/* A retry that stands in no instance is held back by nothing but the workflow's own suspension. */
static void retries_go_on(struct run *r)
{
    struct node *tops[] = {r->root, r->exit_node};
    for (size_t i = 0; i < ARRAY_LEN(tops); i++)
        if (tops[i] && tops[i]->type == NTYPE_RETRY && !phase_fulfilled(tops[i]->phase)) retry_again(r, tops[i]);
}

bool run_resume(struct run *r, int64_t now_us, struct outbox *out, struct err *e)
{
    bool was = r->suspended;
    arena_reset(&r->scratch);
    if (!all_ready(r, e)) return refused(out);
    event_begin(r, now_us);
    if (!r->done) {
        r->dirty = r->dirty || was;
        r->suspended = false;
        for (size_t i = 0; i < r->nodes.n; i++)
            if (waits(r->nodes.items[i])) suspend_resume(r, r->nodes.items[i]);
        if (was && r->started_us && !r->root) root_begin(r);
        else if (was) retries_go_on(r);
    }
    event_end(r, out);
    return true;
}

/* ---- argo node set ---- */

static bool settable(struct run *r, const struct node *n, const struct node_change *c, struct err *e)
{
    const struct val *list = awaited(r, n);
    struct val params;
    if (c->n_params && !list)
        return err_set(e, ERR_SPEC, "cannot set output parameters because node '%.*s' is not expecting any raw "
                       "parameters", STR_ARG(n->name));
    for (size_t i = 0; i < c->n_params; i++) {
        struct str name = c->params[i].name;
        const struct val *p = named(list, name);
        if (!p) return err_set(e, ERR_SPEC, "node '%.*s' is not expecting output parameter '%.*s'", STR_ARG(n->name),
                               STR_ARG(name));
        if (!val_path(p, "valueFrom.supplied"))
            return err_set(e, ERR_SPEC, "cannot set output parameter '%.*s' because it does not use "
                           "valueFrom.supplied or it was already set", STR_ARG(name));
    }
    return settled(r, n, c, c->phase == NODE_SUCCEEDED, &params, e);
}

static void change(struct run *r, struct node *n, const struct node_change *c)
{
    struct val params;
    struct err e;
    if (settled(r, n, c, c->phase == NODE_SUCCEEDED, &params, &e)) outputs_put(r, n, params);
    if (c->message.n) node_message_set(r, n, c->message);
    if (c->phase != NODE_RUNNING) node_phase_set(r, n, c->phase);
}

static bool chosen(const struct run *r, const struct node *n, const struct node_change *c)
{
    return waits(n) && (!c->pick || c->pick(c->ctx, r, n));
}

static bool all_settable(struct run *r, const struct node_change *c, struct err *e)
{
    bool any = false;
    if (c->phase == NODE_PENDING || c->phase == NODE_OMITTED)
        return err_set(e, ERR_SPEC, "a node that waits cannot become %s", phase_text(c->phase));
    for (size_t i = 0; i < r->nodes.n; i++) {
        if (!chosen(r, r->nodes.items[i], c)) continue;
        any = true;
        if (!settable(r, r->nodes.items[i], c, e)) return false;
    }
    return any || err_set(e, ERR_NOT_FOUND, "no suspend node that waits matches the node field selector");
}

bool run_set(struct run *r, const struct node_change *c, int64_t now_us, struct outbox *out, struct err *e)
{
    arena_reset(&r->scratch);
    if (!all_settable(r, c, e)) return refused(out);
    event_begin(r, now_us);
    size_t n = r->nodes.n; /* what begins now is not meant */
    for (size_t i = 0; i < n; i++)
        if (chosen(r, r->nodes.items[i], c)) change(r, r->nodes.items[i], c);
    event_end(r, out);
    return true;
}
