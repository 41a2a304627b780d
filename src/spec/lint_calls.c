/* Calls of templates: steps, tasks and hooks. See lint_p.h. */
#include <inttypes.h>

#include "base/limits.h"
#include "spec/lint_p.h"

enum { TASKS_OF_ARGO = 200 };

void call_index_init(struct arena *a, struct call_index *x, size_t n)
{
    size_t cap = 8;
    while (cap < n * 2) cap *= 2;
    x->mask = (uint32_t)cap - 1;
    x->slots = ARENA_ARRAY(a, uint64_t, cap);
    x->names = arena_alloc_raw(a, MAX(n, 1u) * sizeof *x->names);
}

/* The slot of a name, or the free one where it belongs. */
static uint64_t *slot_of(const struct call_index *x, struct str name, uint64_t hash)
{
    const uint64_t half = 0xffffffff00000000u;
    for (uint32_t i = (uint32_t)hash & x->mask;; i = (i + 1) & x->mask) {
        uint64_t *slot = &x->slots[i];
        if (!*slot || ((*slot & half) == (hash & half) && str_eq(x->names[(uint32_t)*slot - 1], name))) return slot;
    }
}

size_t call_index_add(struct call_index *x, struct str name, size_t i)
{
    uint64_t hash = str_hash(name), *slot = slot_of(x, name, hash);
    if (*slot) return (uint32_t)*slot - 1;
    x->names[i] = name;
    *slot = (hash & 0xffffffff00000000u) | (uint32_t)(i + 1);
    return i;
}

size_t call_find(const struct call_index *x, struct str name)
{
    const uint64_t *slot = name.n ? slot_of(x, name, str_hash(name)) : NULL;
    return slot && *slot ? (uint32_t)*slot - 1 : CALL_NONE;
}

static void template_names(struct lint *l, const struct template_index *x, const struct val *at,
                           struct str name, struct diag *g)
{
    if (lint_full(l)) return;
    size_t n = MIN(x->n, 500u);
    struct str *names = ARENA_ARRAY(l->a, struct str, MAX(n, 1u));
    for (size_t i = 0; i < n; i++) names[i] = x->items[i].name;
    lint_did_you_mean(l, g, at, name, names, n);
}

static void find_local(struct lint_doc *ld, struct call *c)
{
    c->callee = template_find(&ld->index, c->template);
    c->callee_known = c->callee != NULL;
    if (c->callee || ld->open || has_tag(c->template)) return;
    const struct val *at = lint_at(c->src, "template");
    struct diag *g = LINT(ld->l, DIAG_ERROR, "E0202", at,
                          "there is no template `%.*s`", STR_ARG(c->template));
    template_names(ld->l, &ld->index, at, c->template, g);
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
    if (c->callee) lint_foreign(ld, doc, ref);
    if (c->callee || doc->broken || !doc->spec) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0202", lint_at(ref->src, "template"),
                          "%s `%.*s` has no template `%.*s`", doc_kind_text(kind),
                          STR_ARG(ref->name), STR_ARG(ref->template));
    struct str names[64];
    size_t n = 0;
    for (; n < doc->spec->templates.n && n < ARRAY_LEN(names); n++)
        names[n] = doc->spec->templates.items[n].name;
    lint_did_you_mean(l, g, lint_at(ref->src, "template"), ref->template, names, n);
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
    flow_note(ld, c);
}

static bool supplies_parameter(struct lint *l, const struct argo_arguments *args, struct str name)
{
    return args && lint_parameter(l, &args->parameters, name);
}

static bool supplies_artifact(struct lint *l, const struct argo_arguments *args, struct str name)
{
    return args && lint_artifact(l, &args->artifacts, name);
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
    const struct argo_parameter *arg = args ? lint_parameter(l, &args->parameters, input->name) : NULL;
    if (!arg || !arg->value.p || has_tag(arg->value) || input->enum_.n == 0) return;
    for (size_t i = 0; i < input->enum_.n; i++)
        if (str_eq(input->enum_.items[i], arg->value)) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0405", lint_at(arg->src, "value"),
                          "`%.*s`: \"%.*s\" is not allowed by the template", STR_ARG(arg->name),
                          STR_ARG(arg->value));
    lint_did_you_mean(l, g, lint_at(arg->src, "value"), arg->value, input->enum_.items, input->enum_.n);
}

/* A call's own arguments that no input takes: harmless to Argo, mostly a slip of the pen. */
static void superfluous_arguments(struct lint *l, const struct call *c)
{
    static const struct argo_inputs none = {0};
    const struct argo_inputs *in = c->callee->inputs ? c->callee->inputs : &none;
    for (size_t i = 0; c->arguments && i < c->arguments->parameters.n; i++) {
        const struct argo_parameter *p = &c->arguments->parameters.items[i];
        if (!p->name.p || lint_parameter(l, &in->parameters, p->name)) continue;
        struct diag *g = LINT(l, DIAG_WARNING, "W0403", lint_at(p->src, "name"),
                              "the template has no input parameter `%.*s`", STR_ARG(p->name));
        struct str names[64];
        size_t n = 0;
        for (; n < in->parameters.n && n < ARRAY_LEN(names); n++)
            names[n] = in->parameters.items[n].name;
        lint_did_you_mean(l, g, lint_at(p->src, "name"), p->name, names, n);
        if (!g->fix && !lint_full(l) && !lint_mentions_input(c->callee->src, p->name))
            diag_fix_val(l->d, g, FIX_REMOVE_ITEM, p->src, STR_NONE);
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
        if (!own && !supplies_parameter(l, c->arguments, p->name) &&
            !supplies_parameter(l, fallback, p->name))
            missing_argument(l, c, "parameter", p->name);
        enum_of_argument(l, p, c->arguments);
    }
    for (size_t i = 0; i < in->artifacts.n; i++) {
        const struct argo_artifact *x = &in->artifacts.items[i];
        bool own = x->optional.v || artifact_has_location(&x->location);
        if (!own && !supplies_artifact(l, c->arguments, x->name) &&
            !supplies_artifact(l, fallback, x->name))
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
        lint_expression(ld->l, val_get(h->src, STR("expression")), "expression");
        lint_call(ld, &c, "hook");
        lint_arguments(ld->l, h->arguments, true);
        lint_supply(ld, &c, fallback);
    }
}

/* "%s" is a whole number, as far as it is known. */
static bool is_number(struct lint *l, const struct argo_sequence *s, const char *field, struct str text, int64_t *out)
{
    if (!text.p || has_tag(text)) return false;
    if (str_to_i64(text, out)) return true;
    LINT(l, DIAG_WARNING, "W0408", lint_at(s->src, field), "`%s` is a whole number, not \"%.*s\"", field,
         STR_ARG(text));
    return false;
}

static void check_sequence(struct lint *l, const struct argo_sequence *s)
{
    int64_t start = 0, end = 0, count = 0;
    bool counted = is_number(l, s, "count", s->count, &count);
    bool started = is_number(l, s, "start", s->start, &start) || !s->start.p;
    bool ended = is_number(l, s, "end", s->end, &end);
    if (counted && count < 0)
        LINT(l, DIAG_WARNING, "W0408", lint_at(s->src, "count"), "a sequence cannot have %" PRId64 " items", count);
    if (started && ended) counted = !__builtin_sub_overflow(MAX(start, end), MIN(start, end), &count);
    if ((started && ended && !counted) || (counted && count >= LIMIT_LOOP_ITEMS))
        LINT(l, DIAG_WARNING, "W0408", s->src, "the sequence has more than %d items (LIMIT_LOOP_ITEMS)",
             LIMIT_LOOP_ITEMS);
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
    if (c->with_param.n > 0) lint_with_param(l, c->src);
    if (s) check_sequence(l, s);
}

/* onExit wins over hooks.exit (GetExitHook); when both name one template, one of them is too many. */
void lint_said_twice(struct lint *l, const struct val *src, struct str on_exit, const struct argo_lifecycle_hook_map *hooks)
{
    for (size_t i = 0; i < hooks->n && on_exit.n > 0; i++) {
        const struct argo_lifecycle_hook *h = &hooks->items[i].v;
        if (!str_is(hooks->items[i].key, "exit")) continue;
        bool same = str_eq(h->template, on_exit) && !h->arguments && h->expression.n == 0;
        struct diag *g = LINT(l, DIAG_WARNING, "W0410", h->src, "`onExit` is used, and `hooks.exit` %s",
                              same ? "says the same" : "has no effect beside it");
        if (same) diag_fix_key(l->d, g, FIX_REMOVE, src, "onExit", STR_NONE);
    }
}

static void exit_call(struct lint_doc *ld, const struct call *c)
{
    lint_said_twice(ld->l, c->src, c->on_exit, &c->hooks);
    if (c->on_exit.n == 0 || has_tag(c->on_exit)) return;
    struct call exit = {.src = lint_at(c->src, "onExit"), .template = c->on_exit};
    lint_call(ld, &exit, "exit handler");
    lint_supply(ld, &exit, c->arguments);
}

static void inline_named(struct lint *l, const struct argo_template *t)
{
    struct diag *g = LINT(l, DIAG_ERROR, "E0409", lint_at(t->src, "name"), "an inline template has no name");
    diag_fix_key(l->d, g, FIX_REMOVE, t->src, "name", STR_NONE);
}

static void check_call(struct lint_doc *ld, struct call *c, const struct tag_scope *s)
{
    loop_rules(ld->l, c);
    lint_when(ld->l, c->src);
    lint_arguments(ld->l, c->arguments, true);
    lint_supply(ld, c, NULL);
    lint_hooks(ld, &c->hooks, c->arguments);
    exit_call(ld, c);
    struct tag_scope mine = *s;
    mine.self = c;
    lint_tags(&mine, c->src, "inline");
    if (!c->inline_) return;
    if (c->inline_->name.n > 0)
        inline_named(ld->l, c->inline_);
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

/* Malformed names, to be mended once all are known. */
struct bad_names {
    size_t diag[32], call[32], n;
};

static void mend_names(struct lint *l, const struct tag_scope *s, const struct bad_names *bad)
{
    for (size_t i = 0; i < bad->n; i++)
        lint_fix_call_name(l, &l->d->items[bad->diag[i]], s, &s->calls[bad->call[i]]);
}

/* Names are checked and looked up; the first of equal names wins. */
static void name_calls(struct lint_doc *ld, struct call *calls, size_t n, struct call_index *by_name,
                       const char *what, struct bad_names *bad)
{
    const char *plural = strcmp(what, "step") == 0 ? "steps" : "tasks";
    call_index_init(ld->l->a, by_name, n);
    for (size_t i = 0; i < n; i++) {
        struct diag *g = lint_name_check(ld->l, calls[i].src, calls[i].name, what, NAME_FIELD);
        if (g && calls[i].name.n && bad->n < ARRAY_LEN(bad->call) && !lint_full(ld->l)) {
            bad->diag[bad->n] = (size_t)(g - ld->l->d->items);
            bad->call[bad->n++] = i;
        }
        size_t first = calls[i].name.n ? call_index_add(by_name, calls[i].name, i) : i;
        if (first != i) lint_not_unique(ld->l, calls[i].src, calls[i].name, plural, calls[first].src);
        lint_call(ld, &calls[i], what);
    }
}

/* What steps and tasks have in common; their types are two. */
#define CALL_FIELDS(x)                                                                                                  \
    .src = (x)->src, .name = (x)->name, .template = (x)->template, .template_ref = (x)->template_ref,                 \
    .inline_ = (x)->inline_, .arguments = (x)->arguments, .with_items = (x)->with_items,                              \
    .with_param = (x)->with_param, .with_sequence = (x)->with_sequence, .on_exit = (x)->on_exit, .hooks = (x)->hooks

void lint_steps(struct lint_doc *ld, const struct argo_template *t, const struct tag_scope *outer)
{
    size_t n = 0;
    for (size_t i = 0; i < t->steps.n; i++) n += t->steps.items[i].steps.n;
    struct call *calls = ARENA_ARRAY(ld->l->a, struct call, MAX(n, 1u));
    struct call_index by_name;
    size_t at = 0;
    for (size_t i = 0; i < t->steps.n; i++) {
        const struct argo_workflow_step_list *group = &t->steps.items[i].steps;
        for (size_t k = 0; k < group->n; k++) {
            const struct argo_workflow_step *x = &group->items[k];
            calls[at++] = (struct call){CALL_FIELDS(x), .group = (uint32_t)i, .step = outer ? NULL : x};
        }
    }
    struct bad_names bad = {.n = 0};
    name_calls(ld, calls, n, &by_name, "step", &bad);
    struct tag_scope s = {.ld = ld, .tmpl = t, .calls_prefix = "steps", .calls = calls, .n_calls = n, .by_name = &by_name, .outer = outer};
    mend_names(ld->l, &s, &bad);
    check_calls(ld, t, calls, &s);
}

void lint_dag_template(struct lint_doc *ld, const struct argo_template *t,
                       const struct tag_scope *outer)
{
    size_t n = t->dag->tasks.n;
    bool any_depends = false, waits = false;
    struct call *calls = arena_alloc_raw(ld->l->a, n * sizeof *calls);
    struct call_index by_name;
    if (n == 0) LINT(ld->l, DIAG_ERROR, "E0509", t->dag->src, "a DAG needs at least one task");
    if (n > TASKS_OF_ARGO)
        LINT(ld->l, DIAG_WARNING, "W0502", lint_at(t->dag->src, "tasks"),
             "a cluster accepts at most %d tasks in a DAG; this one has %zu", TASKS_OF_ARGO, n);
    for (size_t i = 0; i < n; i++) {
        const struct argo_dag_task *x = &t->dag->tasks.items[i];
        calls[i] = (struct call){CALL_FIELDS(x), .task = outer ? NULL : x, .targets = t->dag->target.n > 0};
        any_depends |= x->depends.n > 0;
        waits |= x->dependencies.n > 0;
    }
    struct bad_names bad = {.n = 0};
    name_calls(ld, calls, n, &by_name, "task", &bad);
    struct tag_scope s = {.ld = ld, .tmpl = t, .calls_prefix = "tasks", .calls = calls, .n_calls = n, .by_name = &by_name, .outer = outer};
    s.any_depends = any_depends;
    s.dag_names = any_depends || waits;
    mend_names(ld->l, &s, &bad);
    s.dag = dag_new(&s);
    check_calls(ld, t, calls, &s);
    lint_tags(&s, val_get(t->dag->src, STR("target")), NULL);
    dag_free(s.dag);
}
