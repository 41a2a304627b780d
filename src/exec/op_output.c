/* Output parameters of resource templates: jsonPath here, jqFilter by the helper, one after the other.
 * Argo takes valueFrom.default only when there was no object at all (SaveResourceParameters).
 * Runs on: the loop thread. */
#include "doc/json_write.h"
#include "exec/op_p.h"
#include "helper/helper.h"
#include "lang/jsonpath.h"

struct outputs {
    struct op *o;
    struct str object; /* as JSON, for jq */
    struct step_outcome_param *params;
    size_t n;
    uint32_t at; /* the next declared one */
    struct helper_call *call;
};

static const struct val *declared(const struct val *tmpl)
{
    return val_path(tmpl, "outputs.parameters");
}

bool outputs_declared(const struct val *tmpl)
{
    const struct val *list = declared(tmpl);
    for (uint32_t i = 0; list && i < list->n; i++)
        if (val_get(&list->items[i], STR("valueFrom"))) return true;
    return false;
}

static void value_add(struct outputs *x, const struct val *p, struct str value)
{
    struct str kept = str_dup(&x->o->arena, value);
    x->params[x->n++] = (struct step_outcome_param){val_get_str(p, "name"), kept.p ? kept : STR("")};
}

static bool failed(struct outputs *x, const struct val *p, const struct err *why, struct err *e)
{
    struct step_outcome how = op_failure(x->o, str_fmt(&x->o->arena, "output parameter '%.*s': %s",
                                                       STR_ARG(val_get_str(p, "name")), why->text));
    if (why->code == ERR_UNSUPPORTED) how = op_refusal(x->o, why->text);
    return op_finish(x->o, &how, e);
}

static bool outputs_go(struct outputs *x, const struct val *object, struct err *e);

static void on_answer(void *user, struct str output, const struct err *why)
{
    struct outputs *x = user;
    struct op *o = x->o;
    struct exec *exec = o->x;
    const struct val *p = &declared(&o->tmpl)->items[x->at++];
    struct err e = {0};
    x->call = NULL;
    if (exec->failed) return;
    bool ok = exec_begin(exec, &e);
    if (ok && why) {
        ok = failed(x, p, why, &e);
    } else if (ok) {
        value_add(x, p, output);
        ok = outputs_go(x, NULL, &e);
    }
    if (!ok) exec_fail(exec, &e);
    loop_again(exec->o.loop);
}

static void ask(struct outputs *x, struct str filter)
{
    struct exec *exec = x->o->x;
    if (!exec->helper) exec->helper = helper_new(exec->o.loop, NULL);
    x->call = helper_jq(exec->helper, filter, x->object, on_answer, x);
}

/* Those from `at` on, up to the next that the helper is asked for. Paths come first in one walk over
 * the object, because it does not outlive this call; filters then work on its text. */
static bool outputs_go(struct outputs *x, const struct val *object, struct err *e)
{
    struct op *o = x->o;
    const struct val *list = declared(&o->tmpl);
    for (; list && x->at < list->n; x->at++) {
        const struct val *p = &list->items[x->at];
        struct str path = val_text(val_path(p, "valueFrom.jsonPath"));
        struct str filter = val_text(val_path(p, "valueFrom.jqFilter"));
        if (!path.n && filter.n && !object) {
            ask(x, filter);
            return op_park(o, e);
        }
        struct str value;
        struct err why;
        if (!path.n || !object) continue;
        if (!jsonpath_template(&o->arena, path, object, &value, &why)) return failed(x, p, &why, e);
        value_add(x, p, value);
    }
    if (object) {
        x->at = 0;
        return outputs_go(x, NULL, e);
    }
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .exit_code = 0, .params = x->params, .n_params = x->n};
    return op_finish(o, &how, e);
}

bool outputs_begin(struct op *o, const struct val *object, struct err *e)
{
    struct outputs *x = ARENA_NEW(&o->arena, struct outputs);
    const struct val *list = declared(&o->tmpl);
    x->o = o;
    x->params = ARENA_ARRAY(&o->arena, struct step_outcome_param, (list ? list->n : 0) + 1);
    if (outputs_declared(&o->tmpl)) x->object = json_text(&o->arena, object);
    o->outputs = x;
    o->state = OP_ASKING;
    return outputs_go(x, object, e);
}

void outputs_cancel(struct op *o)
{
    if (o->outputs && o->outputs->call) helper_cancel(o->outputs->call);
    o->outputs = NULL;
}
