/* Calls of templates: steps, tasks and hooks. See lint_p.h. */
#include "spec/lint_p.h"

enum { TASKS_OF_ARGO = 200 };

static void template_names(struct lint *l, const struct template_index *x, struct str name,
                           struct diag *g)
{
    size_t n = MIN(x->n, 500u);
    struct str *names = ARENA_ARRAY(l->a, struct str, MAX(n, 1u));
    for (size_t i = 0; i < n; i++) names[i] = x->items[i].name;
    lint_did_you_mean(l, g, name, names, n);
}

static void find_local(struct lint_doc *ld, struct call *c)
{
    if (has_tag(c->template)) return;
    c->callee = template_find(&ld->index, c->template);
    c->callee_known = c->callee != NULL;
    if (c->callee || ld->open) return;
    struct diag *g = LINT(ld->l, DIAG_ERROR, "E0202", lint_at(c->src, "template"),
                          "there is no template `%.*s`", STR_ARG(c->template));
    template_names(ld->l, &ld->index, c->template, g);
}

static void find_other(struct lint_doc *ld, struct call *c)
{
    const struct argo_template_ref *ref = c->template_ref;
    struct lint *l = ld->l;
    if (ref->name.n == 0 || ref->template.n == 0) {
        LINT(l, DIAG_ERROR, "E0406", ref->src, "a templateRef needs name and template");
        return;
    }
    if (has_tag(ref->name) || has_tag(ref->template)) return;
    enum doc_kind kind = ref->cluster_scope.v ? DOC_CLUSTER_WORKFLOW_TEMPLATE
                                              : DOC_WORKFLOW_TEMPLATE;
    const struct document *doc = lint_document(l, ld->doc, kind, ref->name,
                                               lint_at(ref->src, "name"));
    if (!doc) return;
    c->callee = lint_other_template(l, doc, ref->template);
    c->callee_known = c->callee != NULL;
    if (c->callee || doc->broken || !doc->spec) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0202", lint_at(ref->src, "template"),
                          "%s `%.*s` has no template `%.*s`", doc_kind_text(kind),
                          STR_ARG(ref->name), STR_ARG(ref->template));
    struct str names[64];
    size_t n = 0;
    for (; n < doc->spec->templates.n && n < ARRAY_LEN(names); n++)
        names[n] = doc->spec->templates.items[n].name;
    lint_did_you_mean(l, g, ref->template, names, n);
}

/* Exactly one of template, templateRef and inline; then the callee is looked up. */
void lint_call(struct lint_doc *ld, struct call *c, const char *what)
{
    int given = (c->template.n > 0) + (c->template_ref != NULL) + (c->inline_ != NULL);
    if (given != 1) {
        struct diag *g =
            LINT(ld->l, DIAG_ERROR, "E0401", c->src,
                 given ? "this %s calls several templates" : "this %s calls no template", what);
        diag_help(ld->l->d, g, "give exactly one of template, templateRef and inline");
        return;
    }
    if (c->inline_) c->callee = c->inline_;
    else if (c->template_ref) find_other(ld, c);
    else find_local(ld, c);
    c->callee_known = c->callee != NULL;
}

static bool supplies_parameter(const struct argo_arguments *args, struct str name)
{
    return args && parameter_find(&args->parameters, name);
}

static bool supplies_artifact(const struct argo_arguments *args, struct str name)
{
    return args && artifact_find(&args->artifacts, name);
}

static void missing_argument(struct lint *l, const struct call *c, const char *what,
                             struct str name)
{
    struct str callee = c->template.n     ? c->template
                        : c->template_ref ? c->template_ref->template
                                          : STR("inline");
    struct diag *g = LINT(l, DIAG_ERROR, "E0403", c->src,
                          "template `%.*s` needs the %s `%.*s`, which is not supplied",
                          STR_ARG(callee), what, STR_ARG(name));
    diag_help(l->d, g, "add it to arguments.%ss, or give the input a default", what);
}

static void enum_of_argument(struct lint *l, const struct argo_parameter *input,
                             const struct argo_arguments *args)
{
    const struct argo_parameter *arg = args ? parameter_find(&args->parameters, input->name) : NULL;
    if (!arg || !arg->value.p || has_tag(arg->value) || input->enum_.n == 0) return;
    for (size_t i = 0; i < input->enum_.n; i++)
        if (str_eq(input->enum_.items[i], arg->value)) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0405", lint_at(arg->src, "value"),
                          "`%.*s`: \"%.*s\" is not allowed by the template", STR_ARG(arg->name),
                          STR_ARG(arg->value));
    lint_did_you_mean(l, g, arg->value, input->enum_.items, input->enum_.n);
}

/* A call's own arguments that no input takes: harmless to Argo, mostly a slip of the pen. */
static void superfluous_arguments(struct lint *l, const struct call *c)
{
    static const struct argo_inputs none = {0};
    const struct argo_inputs *in = c->callee->inputs ? c->callee->inputs : &none;
    for (size_t i = 0; c->arguments && i < c->arguments->parameters.n; i++) {
        const struct argo_parameter *p = &c->arguments->parameters.items[i];
        if (!p->name.p || parameter_find(&in->parameters, p->name)) continue;
        struct diag *g = LINT(l, DIAG_WARNING, "W0403", lint_at(p->src, "name"),
                              "the template has no input parameter `%.*s`", STR_ARG(p->name));
        struct str names[64];
        size_t n = 0;
        for (; n < in->parameters.n && n < ARRAY_LEN(names); n++)
            names[n] = in->parameters.items[n].name;
        lint_did_you_mean(l, g, p->name, names, n);
    }
}

void lint_supply(struct lint_doc *ld, const struct call *c, const struct argo_arguments *fallback)
{
    struct lint *l = ld->l;
    if (!c->callee || c->inline_) return;
    superfluous_arguments(l, c);
    const struct argo_inputs *in = c->callee->inputs;
    if (!in) return;
    for (size_t i = 0; i < in->parameters.n; i++) {
        const struct argo_parameter *p = &in->parameters.items[i];
        bool own = p->value.p || p->default_.p || p->value_from;
        if (!own && !supplies_parameter(c->arguments, p->name) &&
            !supplies_parameter(fallback, p->name))
            missing_argument(l, c, "parameter", p->name);
        enum_of_argument(l, p, c->arguments);
    }
    for (size_t i = 0; i < in->artifacts.n; i++) {
        const struct argo_artifact *x = &in->artifacts.items[i];
        bool own = x->optional.v || artifact_has_location(&x->location);
        if (!own && !supplies_artifact(c->arguments, x->name) &&
            !supplies_artifact(fallback, x->name))
            missing_argument(l, c, "artifact", x->name);
    }
}

void lint_hooks(struct lint_doc *ld, const struct argo_lifecycle_hook_map *hooks,
                const struct argo_arguments *fallback)
{
    for (size_t i = 0; i < hooks->n; i++) {
        const struct argo_lifecycle_hook *h = &hooks->items[i].v;
        bool exit = str_is(hooks->items[i].key, "exit");
        struct call c = {.src = h->src,
                         .template = h->template,
                         .template_ref = h->template_ref,
                         .arguments = h->arguments};
        if (!exit && h->expression.n == 0) {
            struct diag *g = LINT(ld->l, DIAG_ERROR, "E0407", h->src,
                                  "hook `%.*s` has no expression", STR_ARG(hooks->items[i].key));
            diag_help(ld->l->d, g, "only the hook named exit runs without one");
        }
        if (!exit) lint_later_hook(ld->l, h, hooks->items[i].key);
        lint_call(ld, &c, "hook");
        lint_arguments(ld->l, h->arguments, true);
        lint_supply(ld, &c, fallback);
    }
}

static void loop_rules(struct lint *l, const struct call *c)
{
    int loops = (c->with_items.n > 0) + (c->with_param.n > 0) + (c->with_sequence != NULL);
    if (loops > 1) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0402", c->src, "there can be only one loop here");
        diag_help(l->d, g, "keep one of withItems, withParam and withSequence");
    }
    const struct argo_sequence *s = c->with_sequence;
    if (s && s->count.p && s->end.p)
        LINT(l, DIAG_ERROR, "E0408", s->src, "a sequence has either count or end");
    else if (s && !s->count.p && !s->end.p)
        LINT(l, DIAG_ERROR, "E0408", s->src, "a sequence needs count or end");
    if (c->with_param.n > 0 && !has_tag(c->with_param) && c->with_param.p[0] != '[') {
        struct diag *g = LINT(l, DIAG_WARNING, "W0402", lint_at(c->src, "withParam"),
                              "`withParam` is not a JSON list");
        diag_help(l->d, g, "write a list such as [1, 2], or a tag that gives one");
    }
}

static void exit_call(struct lint_doc *ld, const struct call *c)
{
    if (c->on_exit.n == 0 || has_tag(c->on_exit)) return;
    struct call exit = {.src = lint_at(c->src, "onExit"), .template = c->on_exit};
    lint_call(ld, &exit, "exit handler");
    lint_supply(ld, &exit, c->arguments);
}

static void check_call(struct lint_doc *ld, struct call *c, const struct tag_scope *s)
{
    loop_rules(ld->l, c);
    lint_arguments(ld->l, c->arguments, true);
    lint_supply(ld, c, NULL);
    lint_hooks(ld, &c->hooks, c->arguments);
    exit_call(ld, c);
    struct tag_scope mine = *s;
    mine.self = c;
    lint_tags(&mine, c->src, "inline");
    if (!c->inline_) return;
    if (c->inline_->name.n > 0)
        LINT(ld->l, DIAG_ERROR, "E0409", lint_at(c->inline_->src, "name"),
             "an inline template has no name");
    lint_template(ld, c->inline_, &mine);
}

static void check_calls(struct lint_doc *ld, const struct argo_template *t, struct call *calls,
                        struct tag_scope *s)
{
    for (size_t i = 0; i < s->n_calls; i++) {
        check_call(ld, &calls[i], s);
        lint_call_locks(ld->l, t, &calls[i]);
    }
    lint_tags(s, t->outputs ? t->outputs->src : NULL, NULL);
}

/* Names are checked and looked up; the first of equal names wins. */
static void name_calls(struct lint_doc *ld, struct call *calls, size_t n, struct map *by_name,
                       const char *what)
{
    const char *plural = strcmp(what, "step") == 0 ? "steps" : "tasks";
    map_reserve(by_name, n);
    for (size_t i = 0; i < n; i++) {
        bool fresh = false;
        lint_name(ld->l, calls[i].src, calls[i].name, what, NAME_FIELD);
        struct map_slot *slot = calls[i].name.p ? map_put(by_name, calls[i].name, &fresh) : NULL;
        if (slot && fresh) slot->num = i;
        else if (slot)
            lint_not_unique(ld->l, calls[i].src, calls[i].name, plural, calls[slot->num].src);
        lint_call(ld, &calls[i], what);
    }
}

void lint_steps(struct lint_doc *ld, const struct argo_template *t, const struct tag_scope *outer)
{
    size_t n = 0;
    for (size_t i = 0; i < t->steps.n; i++) n += t->steps.items[i].steps.n;
    struct call *calls = ARENA_ARRAY(ld->l->a, struct call, MAX(n, 1u));
    struct map by_name CLEANUP(map_fini) = {0};
    size_t at = 0;
    for (size_t i = 0; i < t->steps.n; i++) {
        const struct argo_workflow_step_list *group = &t->steps.items[i].steps;
        for (size_t k = 0; k < group->n; k++) {
            const struct argo_workflow_step *x = &group->items[k];
            calls[at++] = (struct call){
                .src = x->src,
                .name = x->name,
                .template = x->template,
                .template_ref = x->template_ref,
                .inline_ = x->inline_,
                .arguments = x->arguments,
                .with_items = x->with_items,
                .with_param = x->with_param,
                .with_sequence = x->with_sequence,
                .on_exit = x->on_exit,
                .hooks = x->hooks,
                .group = (uint32_t)i,
            };
        }
    }
    name_calls(ld, calls, n, &by_name, "step");
    struct tag_scope s = {.ld = ld,
                          .tmpl = t,
                          .calls_prefix = "steps",
                          .calls = calls,
                          .n_calls = n,
                          .by_name = &by_name,
                          .outer = outer};
    check_calls(ld, t, calls, &s);
}

void lint_dag_template(struct lint_doc *ld, const struct argo_template *t,
                       const struct tag_scope *outer)
{
    size_t n = t->dag->tasks.n;
    struct call *calls = arena_alloc_raw(ld->l->a, n * sizeof *calls);
    struct map by_name CLEANUP(map_fini) = {0};
    if (n == 0) LINT(ld->l, DIAG_ERROR, "E0509", t->dag->src, "a DAG needs at least one task");
    if (n > TASKS_OF_ARGO)
        LINT(ld->l, DIAG_WARNING, "W0502", lint_at(t->dag->src, "tasks"),
             "a cluster accepts at most %d tasks in a DAG; this one has %zu", TASKS_OF_ARGO, n);
    for (size_t i = 0; i < n; i++) {
        const struct argo_dag_task *x = &t->dag->tasks.items[i];
        calls[i] = (struct call){
            .src = x->src,
            .name = x->name,
            .template = x->template,
            .template_ref = x->template_ref,
            .inline_ = x->inline_,
            .arguments = x->arguments,
            .with_items = x->with_items,
            .with_param = x->with_param,
            .with_sequence = x->with_sequence,
            .on_exit = x->on_exit,
            .hooks = x->hooks,
        };
    }
    name_calls(ld, calls, n, &by_name, "task");
    struct dag *g = dag_new(ld->l, t->dag, &by_name);
    struct tag_scope s = {.ld = ld,
                          .tmpl = t,
                          .calls_prefix = "tasks",
                          .calls = calls,
                          .n_calls = n,
                          .by_name = &by_name,
                          .dag = g,
                          .outer = outer};
    check_calls(ld, t, calls, &s);
    lint_tags(&s, val_get(t->dag->src, STR("target")), NULL);
    dag_free(g);
}
