/* See lint.h: one document after the other. */
#include "spec/lint_p.h"

#include "spec/merge.h"

enum {
    WORKFLOW_NAME_BYTES = 63,
    CRON_NAME_BYTES = 52,
    TEMPLATES_OF_ARGO = 200,
    PARAMETERS_OF_ARGO = 500
};

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
        return;
    }
    if (doc->name.n > 0) lint_name(l, meta, doc->name, what, NAME_OBJECT);
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
        if (lint_name(ld->l, t->src, t->name, "template", NAME_FIELD))
            unique_add(ld->l, &seen, t->src, t->name, "templates");
        collect_outputs(ld, t);
    }
    for (size_t i = 0; i < list->n; i++) lint_template(ld, &list->items[i], NULL);
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
    if (spec->on_exit.n == 0 || has_tag(spec->on_exit)) return;
    struct call exit = {.src = lint_at(spec->src, "onExit"), .template = spec->on_exit};
    lint_call(ld, &exit, "exit handler");
    if (!ld->is_template) lint_supply(ld, &exit, spec->arguments);
}

static void check_volumes(struct lint_doc *ld)
{
    struct unique seen CLEANUP(unique_fini) = {0};
    const struct argo_workflow_spec *spec = ld->spec;
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

static void check_spec(struct lint_doc *ld)
{
    template_index_init(&ld->index, &ld->spec->templates);
    lint_arguments(ld->l, ld->spec->arguments, ld->l->opts->values_required && !ld->is_template);
    check_numbers(ld);
    check_volumes(ld);
    check_templates(ld);
    check_entry(ld);
    check_exit(ld);
    template_index_fini(&ld->index);
    map_fini(&ld->outputs);
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
    if (ld.spec) lint_later_workflow(l, ld.spec);
    if (ld.spec && resolve_spec(&ld)) check_spec(&ld);
}

/* Five fields, or a word that begins with @; the fields' values are cron's own business. */
static bool looks_like_schedule(struct str s)
{
    size_t fields = 0;
    struct str rest = str_trim(s), part;
    if (str_starts(rest, STR("CRON_TZ=")) || str_starts(rest, STR("TZ=")))
        str_cut(rest, ' ', &part, &rest);
    rest = str_trim(rest);
    if (rest.n > 0 && rest.p[0] == '@') return rest.n > 1;
    while (rest.n > 0) {
        str_cut(rest, ' ', &part, &rest);
        fields += part.n > 0;
    }
    return fields == 5;
}

static void lint_cron(struct lint *l, const struct document *doc)
{
    const struct argo_cron_workflow_spec *c = doc->cron_workflow->spec;
    if (!c) return;
    lint_later_kind(l, c->src, "the document is stored, but no run is started by its schedules");
    if (c->schedules.n == 0) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0701", c->src, "there are no schedules");
        diag_help(l->d, g, "add `schedules: [\"0 * * * *\"]`");
    }
    const struct val *list = val_get(c->src, STR("schedules"));
    for (size_t i = 0; i < c->schedules.n; i++) {
        if (looks_like_schedule(c->schedules.items[i])) continue;
        struct diag *g = LINT(l, DIAG_ERROR, "E0702",
                              list && i < list->n ? &list->items[i] : c->src,
                              "\"%.*s\" is not a schedule", STR_ARG(c->schedules.items[i]));
        diag_help(l->d, g,
                  "write minute, hour, day, month and weekday, or @hourly, @daily, @every 10m");
    }
    if (c->starting_deadline_seconds.set && c->starting_deadline_seconds.v < 0)
        LINT(l, DIAG_ERROR, "E0305", lint_at(c->src, "startingDeadlineSeconds"),
             "`startingDeadlineSeconds` must not be negative");
    if (c->stop_strategy && c->stop_strategy->expression.n == 0)
        LINT(l, DIAG_ERROR, "E0703", c->stop_strategy->src, "a stop strategy needs an expression");
    lint_workflow(l, doc);
}

static void lint_binding(struct lint *l, const struct document *doc)
{
    const struct argo_workflow_event_binding_spec *b = doc->event_binding->spec;
    if (!b) return;
    lint_later_kind(l, b->src, "the document is stored, but no run is started by events");
    if (b->event && b->event->selector.n == 0)
        LINT(l, DIAG_ERROR, "E0704", b->event->src, "the selector is empty");
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
        if (!docs->items[i].broken) lint_one(&l, &docs->items[i]);
    for (size_t i = 0; i < l.indexes.n; i++) {
        template_index_fini(&l.indexes.items[i]->index);
        free(l.indexes.items[i]);
    }
    VEC_FINI(&l.indexes);
    return d->errors == before;
}
