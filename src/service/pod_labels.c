/* The labels that the pod of a step would have, for selectors over them. See service_p.h. */
#include "doc/json.h"
#include "service/service_p.h"

struct pod_labels {
    struct arena arena;
    struct exec_templates templates;
    int64_t run;
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
    x->run = row.run;
    return x->loaded;
}

/* What was noted when the step was decided (exec/job.c); null: nothing, as for most. */
static bool noted(struct arena *a, const struct pod_labels *x, struct store *st, const struct step_log *s, struct val *out, struct err *e)
{
    struct str text;
    struct err own;
    *out = val_null;
    if (store_value_get(a, st, x->run, str_fmt(a, EXEC_LABELS_KEY "%lld", (long long)s->step), &text, &own)) return json_parse(a, text, NULL, out, e);
    return own.code == ERR_NOT_FOUND || (*e = own, false);
}

/* A template is known as it was written. Of a run of an older version, what a label with a tag became is not. */
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
    struct val known;
    bool unknown = !x->loaded;
    arena_init(&a);
    const struct val *tmpl = unknown ? NULL : exec_template_of(&a, &x->templates, s->node, &unknown);
    if (unknown && !load(x, st, ref, e)) return false;
    if (unknown) tmpl = exec_template_of(&a, &x->templates, s->node, &unknown);
    map_begin(&b, &a);
    if (!noted(&a, x, st, s, &known, e)) return false;
    for (uint32_t i = 0; known.kind == VAL_MAP && i < known.n; i++) map_add(&b, known.map[i].key, known.map[i].v);
    bool ok = known.kind == VAL_MAP || (level_add(&b, val_path(&x->templates.workflow, "spec.podMetadata.labels"), sel, e) &&
                                        level_add(&b, val_path(tmpl, "metadata.labels"), sel, e));
    map_set(&b, STR("workflows.argoproj.io/workflow"), val_of_str(ref->name));
    map_set(&b, STR("workflows.argoproj.io/completed"), val_of_str(s->finished ? STR("true") : STR("false")));
    struct val labels = map_done(&b);
    *out = ok && selector_matches(sel, &labels);
    return ok;
}

struct pod_filter {
    struct service *s;
    struct workflow_ref ref;
    struct selector selector;
    struct pod_labels *labels;
    struct arena a;
};

struct pod_filter *service_pod_filter(struct service *s, const struct workflow_ref *ref, struct str selector, struct err *e)
{
    struct pod_filter *f = mem_zalloc(sizeof *f);
    arena_init(&f->a);
    f->s = s;
    f->ref = (struct workflow_ref){str_dup(&f->a, ref->ns), str_dup(&f->a, ref->name)};
    f->labels = pod_labels_new();
    if (selector_parse(&f->a, str_dup(&f->a, selector), &f->selector, e)) return f;
    service_pod_filter_free(f);
    return NULL;
}

bool service_pod_passes(struct pod_filter *f, const struct step_log *log, bool *out, struct err *e)
{
    return pod_labels_match(f->labels, service_store(f->s), &f->ref, log, &f->selector, out, e);
}

void service_pod_filter_free(struct pod_filter *f)
{
    if (!f) return;
    pod_labels_free(f->labels);
    arena_fini(&f->a);
    free(f);
}
