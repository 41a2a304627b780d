/* See lint.h: one document after the other. */
#include "spec/lint_p.h"

#include "spec/merge.h"

enum {
    WORKFLOW_NAME_BYTES = 63,
    CRON_NAME_BYTES = 52,
    TEMPLATES_OF_ARGO = 200,
    PARAMETERS_OF_ARGO = 500
};

/* Runs are called after the template that they start with. */
static void add_name(struct lint *l, struct diag *g, const struct document *doc)
{
    struct str name = doc->spec ? doc->spec->entrypoint : STR_NONE;
    if (name.n == 0 || has_tag(name) || !lint_well_formed(name, NAME_OBJECT)) name = STR("run");
    if (doc->metadata)
        diag_fix_val(l->d, g, FIX_ADD_PAIR, doc->metadata->src, str_fmt(l->a, "generateName: %.*s-", STR_ARG(name)));
    else
        lint_fix_add_pair(l, g, doc->val, "spec", str_fmt(l->a, "metadata: {generateName: %.*s-}", STR_ARG(name)));
}

static void check_meta(struct lint *l, const struct document *doc)
{
    static const size_t longest[DOC_KIND_MAX] = {
        [DOC_WORKFLOW] = WORKFLOW_NAME_BYTES,
        [DOC_WORKFLOW_TEMPLATE] = WORKFLOW_NAME_BYTES,
        [DOC_CLUSTER_WORKFLOW_TEMPLATE] = WORKFLOW_NAME_BYTES,
        [DOC_CRON_WORKFLOW] = CRON_NAME_BYTES,
    };
    const struct val *meta = doc->metadata ? doc->metadata->src : doc->val;
    const char *what = doc_kind_text(doc->kind);
    if (doc->name.n == 0 && doc->generate_name.n == 0) {
        bool run = doc->kind == DOC_WORKFLOW; /* gets a name when it starts; nothing refers to it */
        struct diag *g = LINT(l, run ? DIAG_WARNING : DIAG_ERROR, run ? "W0206" : "E0206", meta,
                              "this %s has neither name nor generateName", what);
        diag_help(l->d, g, "add `%s:` to metadata", run ? "generateName" : "name");
        if (run) add_name(l, g, doc);
        return;
    }
    struct diag *bad = doc->name.n > 0 ? lint_name_check(l, meta, doc->name, what, NAME_OBJECT) : NULL;
    if (bad && (doc->kind == DOC_WORKFLOW || doc->kind == DOC_CRON_WORKFLOW)) /* others are referred to */
        lint_fix_object_name(l, bad, meta, doc->name);
    size_t max = longest[doc->kind];
    if (max > 0 && doc->name.n > max)
        LINT(l, DIAG_ERROR, "E0205", lint_at(meta, "name"),
             "the name of a %s has at most %zu bytes; this one has %zu", what, max, doc->name.n);
}

/* Names that any template publishes; computed ones leave the set open. */
static void collect_outputs(struct lint_doc *ld, const struct argo_template *t)
{
    static const struct argo_outputs none = {0};
    const struct argo_outputs *out = t->outputs ? t->outputs : &none;
    for (size_t i = 0; i < out->parameters.n; i++) {
        struct str name = out->parameters.items[i].global_name;
        if (name.n == 0) continue;
        if (has_tag(name)) ld->outputs_open = true;
        map_put(&ld->outputs, str_fmt(ld->l->a, "parameters.%.*s", STR_ARG(name)), NULL);
    }
    for (size_t i = 0; i < out->artifacts.n; i++) {
        struct str name = out->artifacts.items[i].global_name;
        if (name.n == 0) continue;
        if (has_tag(name)) ld->outputs_open = true;
        map_put(&ld->outputs, str_fmt(ld->l->a, "artifacts.%.*s", STR_ARG(name)), NULL);
    }
    for (size_t i = 0; t->dag && i < t->dag->tasks.n; i++) {
        const struct argo_dag_task *x = &t->dag->tasks.items[i];
        if (x->template_ref) ld->outputs_open = true;
        if (x->inline_) collect_outputs(ld, x->inline_);
    }
    for (size_t i = 0; i < t->steps.n; i++)
        for (size_t k = 0; k < t->steps.items[i].steps.n; k++) {
            const struct argo_workflow_step *x = &t->steps.items[i].steps.items[k];
            if (x->template_ref) ld->outputs_open = true;
            if (x->inline_) collect_outputs(ld, x->inline_);
        }
}

static void check_templates(struct lint_doc *ld)
{
    const struct argo_template_list *list = &ld->spec->templates;
    struct unique seen CLEANUP(unique_fini) = {0};
    if (list->n > TEMPLATES_OF_ARGO)
        LINT(ld->l, DIAG_WARNING, "W0501", lint_at(ld->spec->src, "templates"),
             "a cluster accepts at most %d templates; there are %zu", TEMPLATES_OF_ARGO, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct argo_template *t = &list->items[i];
        struct diag *bad = lint_name_check(ld->l, t->src, t->name, "template", NAME_FIELD);
        if (bad && t->name.n) lint_fix_template_name(ld, bad, t);
        if (!bad)
            unique_add(ld->l, &seen, t->src, t->name, "templates");
        collect_outputs(ld, t);
    }
    for (size_t i = 0; i < list->n; i++) {
        ld->owner = (uint32_t)i;
        lint_template(ld, &list->items[i], NULL);
    }
    ld->owner = FLOW_NOBODY;
}

/* The template that the run starts with gets the workflow's arguments. */
static void check_entry(struct lint_doc *ld)
{
    const struct argo_workflow_spec *spec = ld->spec;
    struct lint *l = ld->l;
    if (spec->entrypoint.n == 0) {
        if (ld->is_template || ld->open) return;
        struct diag *g = LINT(l, DIAG_ERROR, "E0201", spec->src, "the workflow has no entrypoint");
        diag_help(l->d, g,
                  spec->templates.n == 1 && spec->templates.items[0].name.p
                      ? "add `entrypoint: %.*s`"
                      : "add `entrypoint:` with the name of the template to start with",
                  STR_ARG(spec->templates.n ? spec->templates.items[0].name : STR_NONE));
        if (spec->templates.n == 1 && lint_well_formed(spec->templates.items[0].name, NAME_FIELD))
            diag_fix_val(l->d, g, FIX_ADD_PAIR, spec->src,
                         str_fmt(l->a, "entrypoint: %.*s", STR_ARG(spec->templates.items[0].name)));
        return;
    }
    struct call entry = {.src = lint_at(spec->src, "entrypoint"), .template = spec->entrypoint};
    lint_call(ld, &entry, "workflow");
    if (!ld->is_template) lint_supply(ld, &entry, spec->arguments);
}

static void check_exit(struct lint_doc *ld)
{
    const struct argo_workflow_spec *spec = ld->spec;
    lint_hooks(ld, &spec->hooks, spec->arguments);
    lint_said_twice(ld->l, spec->src, spec->on_exit, &spec->hooks);
    if (spec->on_exit.n == 0 || has_tag(spec->on_exit)) return;
    struct call exit = {.src = lint_at(spec->src, "onExit"), .template = spec->on_exit};
    lint_call(ld, &exit, "exit handler");
    if (!ld->is_template) lint_supply(ld, &exit, spec->arguments);
}

static void check_volumes(struct lint_doc *ld)
{
    struct unique seen CLEANUP(unique_fini) = {0};
    const struct argo_workflow_spec *spec = ld->spec;
    lint_later_volumes(ld->l, &spec->volumes);
    for (size_t i = 0; i < spec->volumes.n; i++)
        unique_add(ld->l, &seen, spec->volumes.items[i].src, spec->volumes.items[i].name,
                   "volumes");
    for (size_t i = 0; i < spec->volume_claim_templates.n; i++) {
        const struct argo_persistent_volume_claim *c = &spec->volume_claim_templates.items[i];
        if (!c->metadata || c->metadata->name.n == 0)
            LINT(ld->l, DIAG_ERROR, "E0206", c->src, "this volume claim template has no name");
        else unique_add(ld->l, &seen, c->metadata->src, c->metadata->name, "volumes");
    }
}

static void check_numbers(struct lint_doc *ld)
{
    const struct argo_workflow_spec *spec = ld->spec;
    if (spec->parallelism.set && spec->parallelism.v < 1)
        LINT(ld->l, DIAG_ERROR, "E0305", lint_at(spec->src, "parallelism"),
             "`parallelism` must be at least 1");
    if (spec->active_deadline_seconds.set && spec->active_deadline_seconds.v < 0)
        LINT(ld->l, DIAG_ERROR, "E0305", lint_at(spec->src, "activeDeadlineSeconds"),
             "`activeDeadlineSeconds` must not be negative");
    if (spec->pod_gc)
        lint_duration(ld->l, spec->pod_gc->src, "deleteDelayDuration",
                      spec->pod_gc->delete_delay_duration, false);
    if (spec->arguments && spec->arguments->parameters.n > PARAMETERS_OF_ARGO)
        LINT(ld->l, DIAG_WARNING, "W0503", spec->arguments->src,
             "a cluster accepts at most %d parameters", PARAMETERS_OF_ARGO);
}

static void check_spec_texts(struct lint_doc *ld)
{
    const struct argo_workflow_spec *spec = ld->spec;
    const struct argo_workflow_metadata *m = spec->workflow_metadata;
    for (size_t i = 0; m && i < m->labels_from.n; i++)
        lint_expression(ld->l, val_get(m->labels_from.items[i].v.src, STR("expression")), "labelsFrom");
    for (size_t i = 0; spec->arguments && i < spec->arguments->parameters.n; i++) {
        const struct argo_parameter *p = &spec->arguments->parameters.items[i];
        const struct val *v = val_get(p->src, STR("value"));
        lint_secret_named(ld->l, p->src, "value", p->name, p->value, false);
        if (v && v->kind == VAL_STR) lint_secret_text(ld->l, v);
    }
    for (size_t i = 0; i < spec->hooks.n; i++)
        lint_expression(ld->l, val_get(spec->hooks.items[i].v.src, STR("expression")), "expression");
}

static void check_spec(struct lint_doc *ld)
{
    template_index_init(&ld->index, &ld->spec->templates);
    flow_begin(ld);
    check_spec_texts(ld);
    lint_arguments(ld->l, ld->spec->arguments, ld->l->opts->values_required && !ld->is_template);
    check_numbers(ld);
    check_volumes(ld);
    check_templates(ld);
    check_entry(ld);
    check_exit(ld);
    flow_end(ld);
    template_index_fini(&ld->index);
    map_fini(&ld->outputs);
    map_fini(&ld->refs);
    map_fini(&ld->images);
    map_fini(&ld->foreign);
    map_fini(&ld->foreign_names);
}

/* The spec that really runs: over the stored template that it refers to. */
static bool resolve_spec(struct lint_doc *ld)
{
    const struct argo_workflow_template_ref *ref = ld->spec->workflow_template_ref;
    struct lint *l = ld->l;
    if (!ref) {
        if (ld->spec->templates.n > 0) return true;
        LINT(l, DIAG_ERROR, "E0207", ld->spec->src, "there are no templates");
        return false;
    }
    if (ref->name.n == 0) {
        LINT(l, DIAG_ERROR, "E0406", ref->src, "a workflowTemplateRef needs a name");
        return false;
    }
    if (ld->spec->templates.n > 0)
        LINT(l, DIAG_ERROR, "E0208", lint_at(ld->spec->src, "templates"),
             "a workflow has either templates or a workflowTemplateRef");
    enum doc_kind kind = ref->cluster_scope.v ? DOC_CLUSTER_WORKFLOW_TEMPLATE
                                              : DOC_WORKFLOW_TEMPLATE;
    const struct document *other = lint_document(l, ld->doc, kind, ref->name,
                                                 lint_at(ref->src, "name"));
    if (!other || !other->spec || other->broken) {
        ld->open = true;
        return true;
    }
    struct val *merged = ARENA_NEW(l->a, struct val);
    struct diags quiet;
    *merged = merge_workflow_spec(l->a, ld->spec->src, other->spec->src, NULL);
    diags_init(&quiet, l->a);
    const struct argo_workflow_spec *spec = field_new(l->a, &argo_workflow_spec_type, merged,
                                                      &quiet);
    diags_fini(&quiet);
    if (spec) ld->spec = spec;
    else ld->open = true;
    return true;
}

static void lint_workflow(struct lint *l, const struct document *doc)
{
    struct lint_doc ld = {.l = l, .doc = doc, .spec = doc->spec};
    ld.is_template = doc->kind == DOC_WORKFLOW_TEMPLATE ||
                     doc->kind == DOC_CLUSTER_WORKFLOW_TEMPLATE;
    if (ld.spec) lint_workflow_locks(l, ld.spec);
    if (ld.spec) lint_pod_patch(l, ld.spec->src);
    if (ld.spec && resolve_spec(&ld)) check_spec(&ld);
}

static void lint_cron(struct lint *l, const struct document *doc)
{
    const struct argo_cron_workflow_spec *c = doc->cron_workflow->spec;
    if (!c) return;
    lint_schedules(l, c);
    if (c->stop_strategy && c->stop_strategy->expression.n == 0)
        LINT(l, DIAG_ERROR, "E0703", c->stop_strategy->src, "a stop strategy needs an expression");
    if (c->stop_strategy)
        lint_expression(l, val_get(c->stop_strategy->src, STR("expression")), "stopStrategy.expression");
    lint_workflow(l, doc);
}

static void lint_binding(struct lint *l, const struct document *doc)
{
    const struct argo_workflow_event_binding_spec *b = doc->event_binding->spec;
    if (!b) return;
    if (b->event && b->event->selector.n == 0)
        LINT(l, DIAG_ERROR, "E0704", b->event->src, "the selector is empty");
    if (b->event) lint_expression(l, val_get(b->event->src, STR("selector")), "selector");
    const struct argo_workflow_template_ref *ref = b->submit ? b->submit->workflow_template_ref
                                                             : NULL;
    if (!ref) return;
    enum doc_kind kind = ref->cluster_scope.v ? DOC_CLUSTER_WORKFLOW_TEMPLATE
                                              : DOC_WORKFLOW_TEMPLATE;
    if (ref->name.n == 0)
        LINT(l, DIAG_ERROR, "E0406", ref->src, "a workflowTemplateRef needs a name");
    else lint_document(l, doc, kind, ref->name, lint_at(ref->src, "name"));
}

static void lint_one(struct lint *l, const struct document *doc)
{
    check_meta(l, doc);
    switch (doc->kind) {
    case DOC_WORKFLOW:
    case DOC_WORKFLOW_TEMPLATE:
    case DOC_CLUSTER_WORKFLOW_TEMPLATE: lint_workflow(l, doc); return;
    case DOC_CRON_WORKFLOW: lint_cron(l, doc); return;
    case DOC_WORKFLOW_EVENT_BINDING: lint_binding(l, doc); return;
    default: return;
    }
}

bool spec_lint(struct arena *a, const struct documents *docs, const struct lint_opts *opts,
               struct diags *d)
{
    static const struct lint_opts defaults = {0};
    struct lint l = {.a = a, .d = d, .docs = docs, .opts = opts ? opts : &defaults};
    size_t before = d->errors;
    for (size_t i = 0; i < docs->n; i++)
        if (!docs->items[i].broken && documents_wanted(docs, docs->items[i].kind)) lint_one(&l, &docs->items[i]);
    for (size_t i = 0; i < l.indexes.n; i++) {
        template_index_fini(&l.indexes.items[i]->index);
        free(l.indexes.items[i]);
    }
    VEC_FINI(&l.indexes);
    map_fini(&l.by_pointer);
    map_fini(&l.references);
    return d->errors == before;
}
