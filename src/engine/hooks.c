/* Exit handlers: of one step or task, and of the whole workflow (exit_handler.go, operate()). */
#include "base/rfc3339.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/expr.h"
#include "lang/gofmt.h"

/* The exit hook as {template | templateRef, arguments, expression}; onExit is the older form. Without
 * arguments of its own it gets the workflow's. */
static const struct val *exit_hook(struct run *r, const struct val *src)
{
    const struct val *hook = val_path(src, "hooks.exit"), *all = val_get(r->spec, STR("arguments"));
    struct str old = val_get_str(src, "onExit");
    if (!hook && !old.n) return NULL;
    struct val_builder b;
    struct val *v = ARENA_NEW(&r->scratch, struct val);
    map_begin(&b, &r->scratch);
    if (old.n) map_add_str(&b, "template", old);
    *v = old.n ? map_done(&b) : *hook;
    const struct val *own = val_get(v, STR("arguments"));
    if (all && (!own || !own->n)) *v = map_with(&r->scratch, v, STR("arguments"), *all);
    return v;
}

/* A hook of an item sees that item. */
bool hook_of_item(struct run *r, const struct node *n, struct val *hook, struct err *e)
{
    struct scope s CLEANUP(scope_fini) = {0};
    if (!n->item.p) return true;
    scope_init(&s, &r->globals);
    struct val item = parsed(&r->scratch, n->item);
    item_scope(&r->scratch, &s, &item);
    struct tags_opts opts = {.scope = &s, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    return tags_replace_val(&r->scratch, hook, &opts, hook, e);
}

/* For the hook of a step or task, an output parameter of its own node that has no value is an empty
 * text (exit_handler.go, resolveExitTmplArgument); elsewhere it is a name that does not exist. What a
 * suspend template declares is there from its start. */
static bool hook_of_outputs(struct run *r, const struct node *n, struct val *hook, struct err *e)
{
    struct scope s CLEANUP(scope_fini) = {0};
    struct arena *a = &r->scratch;
    const struct val *given = val_get(node_outputs_val(a, n), STR("parameters"));
    bool suspends = n->tmpl && n->tmpl->type == TMPL_SUSPEND;
    const struct val *params = suspends ? val_path(n->tmpl->src, "outputs.parameters") : given;
    if (!n->call || !params) return true;
    scope_init(&s, NULL);
    const char *kind = n->boundary->type == NTYPE_DAG ? "tasks" : "steps";
    for (uint32_t i = 0; params->kind == VAL_LIST && i < params->n; i++) {
        struct str name = val_get_str(&params->items[i], "name");
        if (val_get(named(given, name), STR("value"))) continue;
        scope_set(&s, str_fmt(a, "%s.%.*s.outputs.parameters.%.*s", kind, STR_ARG(n->call->name), STR_ARG(name)), STR(""));
    }
    struct tags_opts opts = {.scope = &s, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    return !s.entries.n || tags_replace_val(a, hook, &opts, hook, e);
}

static bool hook_wanted(struct run *r, const struct node *n, const struct val *hook, bool *out,
                        struct err *e)
{
    struct node *boundary = n->boundary;
    struct scope s CLEANUP(scope_fini) = {0};
    struct str expr = val_get_str(hook, "expression");
    *out = true;
    if (!expr.n) return true;
    scope_init(&s, boundary ? &boundary->body->inputs : &r->globals);
    if (boundary) refs_scope_for(r, &s, &(struct asker){.boundary = boundary, .call = n->call, .hook = true});
    struct expr_env env = {.scope = &s, .clock = run_clock(r)};
    return expr_eval_bool(&r->scratch, expr, &env, out, e);
}

static struct start hook_place(struct run *r, struct node *n, uint8_t hook)
{
    bool exit = hook == HOOK_EXIT;
    struct start s = {.parent = n, .boundary = n->boundary, .hooked = true, .hook = hook, .in_exit = exit};
    if (exit) s.name = str_fmt(&r->scratch, "%.*s.onExit", STR_ARG(n->name));
    else s.name = str_fmt(&r->scratch, "%.*s.hooks.%.*s", STR_ARG(n->name), STR_ARG(lifecycle_hook(r, n, hook)->key));
    if (!n->boundary) s.wf_status = r->starting_status;
    return s;
}

static void hook_start(struct run *r, struct node *n, struct val hook, uint8_t which)
{
    struct start s = hook_place(r, n, which);
    const struct val *given = val_get(&hook, STR("arguments"));
    struct tmpl_scope *scope = n->boundary ? n->boundary->tmpl->scope : r->local;
    struct asker who = {.boundary = n->boundary, .call = n->call, .hook = true};
    struct val args;
    struct err e;
    struct node *h;
    if ((given && !args_resolve(r, &who, given, TAGS_LEAVE, &args, &e)) ||
        !tmpl_resolve(r, scope, n->boundary ? n->boundary->tmpl : NULL, NULL, &hook, &s.tmpl, &e)) {
        h = start_skipped(r, &s, NODE_ERROR, str_of(e.text));
    } else {
        s.args = given ? &args : NULL;
        h = start_template(r, &s);
    }
    node_child(r, n, h);
}

/* Its turn has come: evaluated anew, because it may have waited. */
void hook_run(struct run *r, struct node *n, uint8_t which)
{
    struct val hook = which == HOOK_EXIT ? *exit_hook(r, n->call->src) : lifecycle_hook(r, n, which)->v;
    struct err e;
    if (hook_of_item(r, n, &hook, &e) && hook_of_outputs(r, n, &hook, &e)) {
        hook_start(r, n, hook, which);
        return;
    }
    struct start s = hook_place(r, n, which);
    node_child(r, n, start_skipped(r, &s, NODE_ERROR, str_of(e.text)));
}

bool hook_direct(const struct node *n)
{
    bool direct = n->call && n->boundary && n->boundary->body && n->boundary->body->calls &&
                  !phase_fulfilled(n->boundary->phase) && !n->retried && !n->hooked;
    return direct && !(n->parent && n->parent->type == NTYPE_TASKGROUP); /* the group has it */
}

bool hook_of_target(const struct node *n)
{
    const struct body *b = n->boundary ? n->boundary->body : NULL;
    return b && b->calls && n->call && b->calls[n->call->idx].target;
}

bool hook_begin(struct run *r, struct node *n)
{
    if (n->hook_done || !hook_direct(n) || !phase_completed(n->phase) || r->stop == STOP_TERMINATE) return false;
    if (n->parent && n->parent->type == NTYPE_STEPGROUP && n->parent->group && n->parent->group->error.p)
        return false; /* nothing more happens in a group that is an error */
    const struct val *hook = exit_hook(r, n->call->src);
    if (!hook) return false;
    struct val mine = *hook;
    struct err e;
    bool wanted = true;
    if (hook_of_item(r, n, &mine, &e) && !hook_wanted(r, n, &mine, &wanted, &e)) wanted = true;
    if (!wanted) return false;
    n->hook_done = true;
    node_touch(r, n);
    struct blocked held = {.hook_of = n, .hook = HOOK_EXIT};
    if (limit_pass(r, n->boundary, &held)) hook_run(r, n, HOOK_EXIT);
    return true;
}

/* ---- the workflow's own ---- */

static struct str failures_json(struct run *r)
{
    struct val_builder list;
    list_begin(&list, &r->scratch);
    for (size_t i = 0; i < r->nodes.n; i++) {
        const struct node *n = r->nodes.items[i];
        struct val_builder b;
        if (!phase_failed(n->phase)) continue;
        map_begin(&b, &r->scratch);
        map_add_str(&b, "displayName", node_display(n));
        map_add_str(&b, "message", n->message.p ? n->message : STR(""));
        map_add_str(&b, "templateName", node_template_name(n).p ? node_template_name(n) : STR(""));
        map_add_str(&b, "phase", str_of(phase_text(n->phase)));
        map_add_str(&b, "podName", node_pod_name(&r->scratch, r, n));
        map_add_str(&b, "finishedAt", rfc3339(&r->scratch, n->finished_us));
        list_add(&list, map_done(&b));
    }
    struct val all = list_done(&list);
    return gofmt_quote(&r->arena, all.n ? json_text(&r->scratch, &all) : STR("null"));
}

/* True: a handler is (or was) at work and run.exit_node is set. */
static bool exit_start(struct run *r)
{
    const struct val *hook = exit_hook(r, r->spec);
    if (!hook || r->stop == STOP_TERMINATE) return false;
    scope_set(&r->globals, STR("workflow.status"), str_of(phase_text(r->root->phase)));
    scope_set(&r->globals, STR("workflow.failures"), failures_json(r));
    struct start s = {.name = str_fmt(&r->scratch, "%.*s.onExit", STR_ARG(r->root->name)),
                      .hooked = true, .in_exit = true}; /* nobody waits for it: no .hook */
    const struct val *given = val_get(hook, STR("arguments"));
    struct val args;
    struct err e;
    if ((given && !args_resolve(r, &(struct asker){0}, given, TAGS_LEAVE, &args, &e)) ||
        !tmpl_resolve(r, r->local, NULL, NULL, hook, &s.tmpl, &e)) {
        r->exit_node = start_skipped(r, &s, NODE_ERROR, str_of(e.text));
        return true;
    }
    s.args = given ? &args : NULL;
    r->exit_node = start_template(r, &s);
    return true;
}

bool exit_exists(struct run *r) { return exit_hook(r, r->spec) != NULL; }

void exit_begin(struct run *r)
{
    if (r->exit_started) return;
    r->exit_started = r->dirty = true; /* a restart must not begin it again */
    exit_start(r);
}
