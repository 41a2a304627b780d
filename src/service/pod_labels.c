/* The labels that the pod of a step would have, for selectors over them. See service_p.h. */
#include "service/service_p.h"

struct pod_labels {
    struct arena arena;
    struct exec_templates templates;
    bool loaded;
};

struct pod_labels *pod_labels_new(void)
{
    struct pod_labels *x = mem_zalloc(sizeof *x);
    arena_init(&x->arena);
    return x;
}

void pod_labels_free(struct pod_labels *x)
{
    if (!x) return;
    exec_templates_fini(&x->templates);
    arena_fini(&x->arena);
    free(x);
}

static bool load(struct pod_labels *x, struct store *st, const struct workflow_ref *ref, struct err *e)
{
    struct run_row row;
    exec_templates_fini(&x->templates);
    arena_reset(&x->arena);
    x->templates = (struct exec_templates){0};
    x->loaded = store_run_find(&x->arena, st, ref->ns, ref->name, &row, e) && exec_templates_load(&x->arena, st, row.run, &x->templates, e);
    return x->loaded;
}

/* A template is known as it was written; what a label with a tag became is not. */
static bool level_add(struct val_builder *b, const struct val *labels, const struct selector *sel, struct err *e)
{
    for (uint32_t i = 0; labels && labels->kind == VAL_MAP && i < labels->n; i++) {
        struct str key = labels->map[i].key, value = val_text(&labels->map[i].v);
        for (size_t k = 0; k < sel->n; k++)
            if (str_eq(sel->reqs[k].key, key) && str_find(value, STR("{{"), 0) >= 0)
                return err_set(e, ERR_UNSUPPORTED, "selector: the label '%.*s' of a template has a tag; what became of it is not kept", STR_ARG(key));
        map_set(b, key, val_of_str(value));
    }
    return true;
}

bool pod_labels_match(struct pod_labels *x, struct store *st, const struct workflow_ref *ref, const struct step_log *s, const struct selector *sel,
                      bool *out, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val_builder b;
    bool unknown = !x->loaded;
    arena_init(&a);
    const struct val *tmpl = unknown ? NULL : exec_template_of(&a, &x->templates, s->node, &unknown);
    if (unknown && !load(x, st, ref, e)) return false;
    if (unknown) tmpl = exec_template_of(&a, &x->templates, s->node, &unknown);
    map_begin(&b, &a);
    bool ok = level_add(&b, val_path(&x->templates.workflow, "spec.podMetadata.labels"), sel, e) && level_add(&b, val_path(tmpl, "metadata.labels"), sel, e);
    map_set(&b, STR("workflows.argoproj.io/workflow"), val_of_str(ref->name));
    map_set(&b, STR("workflows.argoproj.io/completed"), val_of_str(s->finished ? STR("true") : STR("false")));
    struct val labels = map_done(&b);
    *out = ok && selector_matches(sel, &labels);
    return ok;
}
