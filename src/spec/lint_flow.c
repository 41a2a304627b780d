/* Who calls whom: which templates a run can reach, from where, and whether it could ever end.
 *
 * Templates are numbered as they stand in the document; calls are edges in one array, sorted by
 * caller. Everything is linear in templates and calls. See lint_p.h. */
#include "spec/lint_p.h"

struct flow_edge {
    uint32_t from, next;
};

struct flow {
    struct lint_doc *ld;
    size_t n;
    VEC(struct flow_call) calls;
    size_t callers;      /* of which first is set, while they are noted */
    uint32_t *first;     /* calls of template i: first[i] … first[i + 1] */
    uint32_t *by_callee; /* 1 + the last call of template i, linked by next_same */
    uint8_t *reached;    /* enum flow_root bits */
    bool open;           /* some callee is computed, or may be called from elsewhere */
};

static uint32_t number_of(const struct flow *f, struct str name)
{
    const struct argo_template *t = name.p ? template_find(&f->ld->index, name) : NULL;
    return t ? (uint32_t)(t - f->ld->spec->templates.items) : FLOW_NOBODY;
}

static void edge_add(struct flow *f, struct flow_call c)
{
    c.next_same = f->by_callee[c.to];
    VEC_PUSH(&f->calls, c);
    f->by_callee[c.to] = (uint32_t)f->calls.n;
}

static void call_add(struct flow *f, struct str name, struct flow_call c)
{
    c.to = number_of(f, name);
    if (c.to != FLOW_NOBODY) edge_add(f, c);
    else f->open |= has_tag(name);
}

static void hooks_add(struct flow *f, const struct argo_lifecycle_hook_map *hooks, struct str on_exit,
                      const struct argo_arguments *args)
{
    for (size_t i = 0; i < hooks->n; i++)
        call_add(f, hooks->items[i].v.template, (struct flow_call){.args = hooks->items[i].v.arguments});
    if (on_exit.n) call_add(f, on_exit, (struct flow_call){.args = args});
}

/* A bare name or success, joined by &&: the task runs unless something fails. */
static bool runs_on_success(struct str depends)
{
    for (size_t i = 0; i < depends.n; i++)
        if (depends.p[i] == '!' || depends.p[i] == '|' || depends.p[i] == '.') return false;
    return true;
}

/* The call is made whenever the caller runs and nothing fails. */
static bool is_sure(const struct flow_call *c)
{
    const struct argo_workflow_step *s = c->step;
    const struct argo_dag_task *t = c->task;
    if (s) return s->when.n == 0 && !s->with_param.p && !s->with_sequence;
    return t && t->when.n == 0 && !t->with_param.p && !t->with_sequence && !c->targets && runs_on_success(t->depends);
}

/* What runs inline counts as called by the template that holds it, but never as sure. */
static void template_add(struct flow *f, const struct argo_template *t, bool outer)
{
    for (size_t i = 0; i < t->steps.n; i++)
        for (size_t k = 0; k < t->steps.items[i].steps.n; k++) {
            const struct argo_workflow_step *x = &t->steps.items[i].steps.items[k];
            call_add(f, x->template, (struct flow_call){.args = x->arguments, .step = outer ? x : NULL});
            hooks_add(f, &x->hooks, x->on_exit, x->arguments);
            if (x->inline_) template_add(f, x->inline_, false);
        }
    for (size_t i = 0; t->dag && i < t->dag->tasks.n; i++) {
        const struct argo_dag_task *x = &t->dag->tasks.items[i];
        call_add(f, x->template, (struct flow_call){.args = x->arguments, .task = outer ? x : NULL, .targets = t->dag->target.n > 0});
        hooks_add(f, &x->hooks, x->on_exit, x->arguments);
        if (x->inline_) template_add(f, x->inline_, false);
    }
}

static void reach(struct flow *f, uint32_t from, uint8_t root, uint32_t *stack)
{
    size_t top = 0;
    if (from == FLOW_NOBODY || (f->reached[from] & root)) return;
    f->reached[from] |= root;
    stack[top++] = from;
    while (top > 0) {
        uint32_t i = stack[--top];
        for (uint32_t k = f->first[i]; k < f->first[i + 1]; k++) {
            uint32_t to = f->calls.items[k].to;
            if (f->reached[to] & root) continue;
            f->reached[to] |= root;
            stack[top++] = to;
        }
    }
}

static struct flow *flow_new(struct lint_doc *ld)
{
    struct arena *a = ld->l->a;
    struct flow *f = ARENA_NEW(a, struct flow);
    *f = (struct flow){.ld = ld, .n = ld->spec->templates.n};
    f->first = ARENA_ARRAY(a, uint32_t, f->n + 1);
    f->by_callee = ARENA_ARRAY(a, uint32_t, f->n + 1);
    f->reached = ARENA_ARRAY(a, uint8_t, f->n + 1);
    return f;
}

static void roots_reach(struct flow *f)
{
    const struct argo_workflow_spec *spec = f->ld->spec;
    uint32_t *stack = ARENA_ARRAY(f->ld->l->a, uint32_t, f->n + 1);
    reach(f, number_of(f, spec->entrypoint), FLOW_MAIN, stack);
    reach(f, number_of(f, spec->on_exit), FLOW_EXIT, stack);
    for (size_t i = 0; i < spec->hooks.n; i++) reach(f, number_of(f, spec->hooks.items[i].v.template), FLOW_EXIT, stack);
    f->open |= has_tag(spec->entrypoint) || has_tag(spec->on_exit);
}

/* Before everything has been checked: one walk over all templates. */
static struct flow *whole(struct lint_doc *ld)
{
    if (ld->whole) return ld->whole;
    struct flow *f = ld->whole = flow_new(ld);
    for (size_t i = 0; i < f->n; i++) {
        f->first[i] = (uint32_t)f->calls.n;
        template_add(f, &ld->spec->templates.items[i], true);
    }
    f->first[f->n] = (uint32_t)f->calls.n;
    roots_reach(f);
    return f;
}

void flow_begin(struct lint_doc *ld)
{
    ld->flow = flow_new(ld);
    ld->owner = FLOW_NOBODY;
}

/* That the template calls one that calls nobody need be noted once only. */
static bool known_already(const struct flow *f, uint32_t owner, uint32_t to, const struct argo_template *callee)
{
    return f->by_callee[to] && f->by_callee[to] > f->first[owner] && !callee->dag && !callee->steps.items;
}

void flow_note(struct lint_doc *ld, const struct call *c)
{
    struct flow *f = ld->flow;
    if (ld->owner == FLOW_NOBODY || c->template_ref || c->inline_) return;
    while (f->callers <= ld->owner) f->first[f->callers++] = (uint32_t)f->calls.n;
    uint32_t to = c->callee ? (uint32_t)(c->callee - ld->spec->templates.items) : FLOW_NOBODY;
    if (to == FLOW_NOBODY) f->open |= has_tag(c->template);
    else if (!known_already(f, ld->owner, to, c->callee)) edge_add(f, (struct flow_call){.to = to, .args = c->arguments, .step = c->step, .task = c->task, .targets = c->targets});
}

static uint32_t index_of(const struct flow *f, const struct argo_template *t)
{
    const struct argo_template *items = f->ld->spec->templates.items;
    return t >= items && t < items + f->n ? (uint32_t)(t - items) : FLOW_NOBODY; /* inline ones are elsewhere */
}

uint8_t flow_reached(struct lint_doc *ld, const struct argo_template *t)
{
    const struct flow *f = whole(ld);
    uint32_t i = index_of(f, t);
    return i == FLOW_NOBODY ? 0 : f->reached[i];
}

bool flow_all_pass(struct lint_doc *ld, const struct argo_template *t, struct str parameter)
{
    const struct flow *f = whole(ld);
    uint32_t i = index_of(f, t);
    const struct argo_arguments *own = ld->spec->arguments;
    if (i == FLOW_NOBODY || f->open) return false;
    bool entry = str_eq(t->name, ld->spec->entrypoint) || str_eq(t->name, ld->spec->on_exit);
    if (entry && !(own && lint_parameter(ld->l, &own->parameters, parameter))) return false;
    for (uint32_t k = f->by_callee[i]; k; k = f->calls.items[k - 1].next_same) {
        const struct argo_arguments *args = f->calls.items[k - 1].args;
        if (!args || !lint_parameter(ld->l, &args->parameters, parameter)) return false;
    }
    return entry || f->by_callee[i];
}

/* ------------------------------------------------------------------------------- findings */

static void check_unused(struct flow *f)
{
    const struct lint_doc *ld = f->ld;
    if (ld->is_template || ld->open || f->open || ld->spec->entrypoint.n == 0) return;
    if (number_of(f, ld->spec->entrypoint) == FLOW_NOBODY) return;
    for (size_t i = 0; i < f->n; i++) {
        const struct argo_template *t = &ld->spec->templates.items[i];
        if (f->reached[i] || t->name.n == 0 || template_find(&ld->index, t->name) != t) continue;
        LINT(ld->l, DIAG_WARNING, "W0210", lint_at(t->src, "name"), "template `%.*s` is never called",
             STR_ARG(t->name));
    }
}

/* Templates are taken away while all their certain calls are of templates that were taken away. What stays
 * calls itself, directly or through others, whenever all goes well. Templates that call nobody go first,
 * so that only calls among the others are looked at. */
static void prune(const struct flow *f, uint8_t *gone)
{
    struct arena *a = f->ld->l->a;
    uint32_t *open = ARENA_ARRAY(a, uint32_t, f->n + 1), *stack = ARENA_ARRAY(a, uint32_t, f->n + 1);
    size_t top = 0;
    VEC(struct flow_edge) edges = {0}; /* linked by callee */
    uint32_t *last = ARENA_ARRAY(a, uint32_t, f->n + 1);
    for (uint32_t i = 0; i < f->n; i++)
        for (uint32_t k = f->first[i]; k < f->first[i + 1]; k++) {
            const struct flow_call *c = &f->calls.items[k];
            if (f->first[c->to] == f->first[c->to + 1] || !is_sure(c)) continue;
            VEC_PUSH(&edges, ((struct flow_edge){.from = i, .next = last[c->to]}));
            last[c->to] = (uint32_t)edges.n;
            open[i]++;
        }
    for (uint32_t i = 0; i < f->n; i++)
        if (open[i] == 0) gone[i] = 1, stack[top++] = i;
    while (top > 0) {
        uint32_t i = stack[--top];
        for (uint32_t k = last[i]; k; k = edges.items[k - 1].next) {
            uint32_t from = edges.items[k - 1].from;
            if (--open[from] > 0) continue;
            gone[from] = 1;
            stack[top++] = from;
        }
    }
    VEC_FINI(&edges);
}

static void check_endless(struct flow *f)
{
    struct arena *a = f->ld->l->a;
    uint8_t *gone = ARENA_ARRAY(a, uint8_t, f->n + 1), *seen = ARENA_ARRAY(a, uint8_t, f->n + 1);
    uint32_t at = 0;
    prune(f, gone);
    while (at < f->n && (gone[at] || (!f->reached[at] && !f->ld->is_template))) at++;
    if (at == f->n) return;
    while (!seen[at]) {
        uint32_t k = f->first[at];
        seen[at] = 1;
        while (gone[f->calls.items[k].to] || !is_sure(&f->calls.items[k])) k++;
        at = f->calls.items[k].to;
    }
    const struct argo_template *t = &f->ld->spec->templates.items[at];
    struct diag *g = LINT(f->ld->l, DIAG_WARNING, "W0211", lint_at(t->src, "name"),
                          "template `%.*s` calls itself each time, so the run cannot end well", STR_ARG(t->name));
    diag_help(f->ld->l->d, g, "give one of the calls a `when:` that becomes false");
}

void flow_end(struct lint_doc *ld)
{
    struct flow *f = ld->flow;
    while (f->callers <= f->n) f->first[f->callers++] = (uint32_t)f->calls.n;
    roots_reach(f);
    check_unused(f);
    check_endless(f);
    VEC_FINI(&f->calls);
    if (ld->whole) VEC_FINI(&ld->whole->calls);
}
