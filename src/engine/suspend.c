/* Suspend templates: wait for a person or for a while; outputs that were to be supplied take their
 * defaults at the end (operator.go executeSuspend). */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

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
    if (!text.n) return;
    n->deadline_us = r->now_us + us;
    timer_add(r, n->deadline_us, n);
}

static bool supplied(struct run *r, const struct val *declared, struct val *out, struct err *e)
{
    struct val_builder b;
    bool ok = true;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; declared && i < declared->n; i++) {
        const struct val *p = &declared->items[i];
        struct str value = text_of(&r->scratch, val_get(p, STR("value")));
        struct str name = val_get_str(p, "name");
        if (!value.p) value = text_of(&r->scratch, val_path(p, "valueFrom.default"));
        if (value.p) list_add(&b, with_pair(&r->scratch, p, STR("value"), val_of_str(value)));
        else if (ok)
            ok = err_set(e, ERR_SPEC, "raw output parameter '%.*s' has not been set and does not have a default "
                         "value", STR_ARG(name));
    }
    *out = list_done(&b);
    return ok;
}

void suspend_resume(struct run *r, struct node *n)
{
    struct err e;
    const struct val *tmpl;
    struct val params, outputs;
    struct val_builder b;
    if (!pod_template(r, n, &tmpl, &e) || !supplied(r, val_path(tmpl, "outputs.parameters"), &params, &e)) {
        node_finish(r, n, NODE_ERROR, str_of(e.text));
        return;
    }
    if (params.n) {
        map_begin(&b, &r->scratch);
        map_add(&b, STR("parameters"), params);
        outputs = map_done(&b);
        n->outputs = json_text(&r->arena, &outputs);
    }
    node_finish(r, n, NODE_SUCCEEDED, STR_NONE);
}
