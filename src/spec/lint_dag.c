/* The graph of a DAG template: dependencies as arrays, order, cycles, ancestors.
 *
 * Edges lie in one array (task i's dependencies are edges[first[i]] … edges[first[i + 1]]); rank[i]
 * is the place in a topological order, so that a search for an ancestor never goes below it. */
#include "lang/depends.h"
#include "spec/lint_p.h"

struct dag {
    struct lint *l;
    const struct argo_dag_template *t;
    const struct map *by_name;
    size_t n;
    uint32_t *first, *rank, *stamp, *stack;
    VEC(uint32_t) edges;
    size_t searched; /* task whose ancestors are stamped, + 1 */
    uint32_t round;
    bool cyclic;
};

static bool is_loop(const struct argo_dag_task *t)
{
    return t->with_items.n > 0 || t->with_param.n > 0 || t->with_sequence;
}

static void unknown_dependency(struct dag *g, const struct val *at, struct str name)
{
    struct lint *l = g->l;
    size_t n = lint_full(l) ? 0 : MIN(g->n, 1000u);
    struct str *names = ARENA_ARRAY(l->a, struct str, MAX(n, 1u));
    for (size_t i = 0; i < n; i++) names[i] = g->t->tasks.items[i].name;
    struct diag *d = LINT(l, DIAG_ERROR, "E0502", at, "dependency `%.*s` is not a task of this DAG",
                          STR_ARG(name));
    bool whole = at->kind == VAL_STR && str_eq(at->s, name);
    lint_did_you_mean(l, d, whole ? at : NULL, name, names, n);
}

static void add_edge(struct dag *g, const struct val *at, struct str name)
{
    const struct map_slot *slot = name.p ? map_get(g->by_name, name) : NULL;
    if (slot) VEC_PUSH(&g->edges, (uint32_t)slot->num);
    else unknown_dependency(g, at, name);
}

static void add_condition(struct dag *g, const struct val *at, const struct depends_name *x)
{
    add_edge(g, at, x->name);
    if (!(x->asked & (DEPENDS_ANY_SUCCEEDED | DEPENDS_ALL_FAILED))) return;
    const struct map_slot *slot = map_get(g->by_name, x->name);
    if (!slot || is_loop(&g->t->tasks.items[slot->num])) return;
    struct diag *d = LINT(g->l, DIAG_ERROR, "E0507", at,
                          "`%.*s` has no items, so AnySucceeded and AllFailed do not apply",
                          STR_ARG(x->name));
    diag_help(g->l->d, d, "use %.*s.Succeeded or %.*s.Failed", STR_ARG(x->name), STR_ARG(x->name));
}

static const bool word_chars[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['_'] = true,
};

static struct str take_word(struct str *s)
{
    size_t n = 0;
    *s = str_trim(*s);
    while (n < s->n && word_chars[(unsigned char)s->p[n]]) n++;
    struct str word = str_n(s->p, n);
    *s = str_from(*s, n);
    return word;
}

/* The usual logic, names and results joined by && and ||, is read without the parser, which large
 * DAGs would feel. False when there is anything else in the text. */
static bool simple_depends(struct str text, struct depends_name *out, size_t max, size_t *n)
{
    for (*n = 0; *n < max; ++*n) {
        struct depends_name *x = &out[*n];
        *x = (struct depends_name){.name = take_word(&text), .asked = DEPENDS_BARE};
        if (x->name.n == 0) return false;
        if (text.n > 0 && text.p[0] == '.') {
            text = str_from(text, 1);
            x->asked = text.n > 0 && text.p[0] != ' ' ? depends_result_of(take_word(&text)) : 0;
            if (x->asked == 0) return false;
        }
        text = str_trim(text);
        if (text.n == 0) {
            ++*n;
            return true;
        }
        if (!str_starts(text, STR("&&")) && !str_starts(text, STR("||"))) return false;
        text = str_from(text, 2);
    }
    return false;
}

static void add_depends(struct dag *g, const struct argo_dag_task *t)
{
    const struct depends *parsed;
    const struct val *at = lint_at(t->src, "depends");
    struct depends_name names[16];
    struct err e = {0};
    size_t n;
    if (simple_depends(t->depends, names, ARRAY_LEN(names), &n)) {
        for (size_t i = 0; i < n; i++) add_condition(g, at, &names[i]);
    } else if (depends_parse(g->l->a, t->depends, &parsed, &e)) {
        for (size_t i = 0; i < parsed->n_names; i++) add_condition(g, at, &parsed->names[i]);
    } else {
        LINT(g->l, DIAG_ERROR, "E0506", at, "`depends`: %s", e.text);
    }
}

static void read_edges(struct dag *g)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct argo_dag_task *t = &g->t->tasks.items[i];
        g->first[i] = (uint32_t)g->edges.n;
        const struct val *list = t->dependencies.n ? val_get(t->src, STR("dependencies")) : NULL;
        for (size_t k = 0; k < t->dependencies.n; k++)
            add_edge(g, list && k < list->n ? &list->items[k] : t->src, t->dependencies.items[k]);
        if (t->depends.n > 0) add_depends(g, t);
    }
    g->first[g->n] = (uint32_t)g->edges.n;
}

/* Kahn's algorithm over reversed edges; false when some tasks remain. */
static bool put_in_order(struct dag *g)
{
    uint32_t *open = ARENA_ARRAY(g->l->a, uint32_t, g->n + 1); /* dependencies not yet placed */
    uint32_t *next = ARENA_ARRAY(g->l->a, uint32_t, g->edges.n + 1);
    uint32_t *head = ARENA_ARRAY(g->l->a, uint32_t, g->n + 1); /* dependents as linked edges, + 1 */
    size_t placed = 0, top = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        open[i] = g->first[i + 1] - g->first[i];
        for (uint32_t k = g->first[i]; k < g->first[i + 1]; k++) {
            next[k] = head[g->edges.items[k]];
            head[g->edges.items[k]] = k + 1;
        }
    }
    uint32_t *owner = ARENA_ARRAY(g->l->a, uint32_t, g->edges.n + 1);
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = g->first[i]; k < g->first[i + 1]; k++) owner[k] = i;
    for (uint32_t i = 0; i < g->n; i++)
        if (open[i] == 0) g->stack[top++] = i;
    while (top > 0) {
        uint32_t i = g->stack[--top];
        g->rank[i] = (uint32_t)++placed;
        for (uint32_t k = head[i]; k; k = next[k - 1])
            if (--open[owner[k - 1]] == 0) g->stack[top++] = owner[k - 1];
    }
    return placed == g->n;
}

/* Tasks without a rank lie on or behind a cycle: going from any of them along unranked dependencies
 * must meet a task again. */
static void report_cycle(struct dag *g)
{
    uint32_t at = 0;
    size_t n = 0;
    while (g->rank[at]) at++;
    memset(g->stamp, 0, g->n * sizeof *g->stamp);
    while (!g->stamp[at]) {
        g->stack[n++] = at;
        g->stamp[at] = (uint32_t)n;
        uint32_t k = g->first[at];
        while (g->rank[g->edges.items[k]]) k++;
        at = g->edges.items[k];
    }
    struct buf path CLEANUP(buf_fini);
    buf_init(&path, 400);
    size_t from = g->stamp[at] - 1;
    for (size_t i = from; i < n; i++)
        buf_printf(&path, "%.*s -> ", STR_ARG(g->t->tasks.items[g->stack[i]].name));
    const struct argo_dag_task *first = &g->t->tasks.items[at];
    struct diag *d = LINT(g->l, DIAG_ERROR, "E0503", lint_at(first->src, "name"),
                          "tasks wait for one another in a circle: %.*s%s%.*s",
                          STR_ARG(buf_view(&path)), path.overflow ? "... -> " : "",
                          STR_ARG(first->name));
    diag_help(g->l->d, d, "remove one of these dependencies");
    memset(g->stamp, 0, g->n * sizeof *g->stamp);
}

static void check_rules(struct dag *g)
{
    bool any_depends = false;
    for (size_t i = 0; i < g->n; i++) any_depends |= g->t->tasks.items[i].depends.n > 0;
    for (size_t i = 0; i < g->n; i++) {
        const struct argo_dag_task *t = &g->t->tasks.items[i];
        bool digit = t->name.n > 0 && t->name.p[0] >= '0' && t->name.p[0] <= '9';
        if (digit && (any_depends || t->dependencies.n > 0))
            LINT(g->l, DIAG_ERROR, "E0505", lint_at(t->src, "name"),
                 "`%.*s` begins with a digit, which a DAG with dependencies does not allow",
                 STR_ARG(t->name));
        if (!any_depends) continue;
        if (t->dependencies.n > 0)
            LINT(g->l, DIAG_ERROR, "E0501", lint_at(t->src, "dependencies"),
                 "a DAG uses either `depends` or `dependencies`, not both");
        if (!t->continue_on) continue;
        struct diag *d = LINT(g->l, DIAG_ERROR, "E0508", lint_at(t->src, "continueOn"),
                              "`continueOn` does not go together with `depends`");
        diag_help(g->l->d, d, "in the tasks that depend on it write %.*s.Failed or %.*s.Errored",
                  STR_ARG(t->name), STR_ARG(t->name));
    }
}

static void check_target(struct dag *g)
{
    struct str rest = g->t->target, name;
    while (rest.n > 0) {
        str_cut(rest, ' ', &name, &rest);
        if (name.n == 0 || has_tag(name) || str_ends(name, STR("}}"))) continue;
        if (map_get(g->by_name, name)) continue;
        struct diag *d = LINT(g->l, DIAG_ERROR, "E0504", lint_at(g->t->src, "target"),
                              "target `%.*s` is not a task of this DAG", STR_ARG(name));
        struct str names[256];
        size_t n = 0;
        for (; n < g->n && n < ARRAY_LEN(names); n++) names[n] = g->t->tasks.items[n].name;
        bool whole = str_eq(g->t->target, name);
        lint_did_you_mean(g->l, d, whole ? lint_at(g->t->src, "target") : NULL, name, names, n);
    }
}

struct dag *dag_new(struct lint *l, const struct argo_dag_template *t, const struct map *by_name)
{
    struct dag *g = ARENA_NEW(l->a, struct dag);
    *g = (struct dag){.l = l, .t = t, .by_name = by_name, .n = t->tasks.n};
    g->first = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->rank = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->stamp = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->stack = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    read_edges(g);
    check_rules(g);
    g->cyclic = !put_in_order(g);
    if (g->cyclic) report_cycle(g);
    if (!has_tag(t->target)) check_target(g);
    return g;
}

void dag_free(struct dag *g) { VEC_FINI(&g->edges); }

/* Stamps every ancestor of `task` once; further questions about the same task cost nothing. */
static void stamp_ancestors(struct dag *g, size_t task)
{
    size_t top = 0;
    g->searched = task + 1;
    g->round++;
    g->stack[top++] = (uint32_t)task;
    while (top > 0) {
        uint32_t i = g->stack[--top];
        for (uint32_t k = g->first[i]; k < g->first[i + 1]; k++) {
            uint32_t dep = g->edges.items[k];
            if (g->stamp[dep] == g->round) continue;
            g->stamp[dep] = g->round;
            g->stack[top++] = dep;
        }
    }
}

bool dag_is_ancestor(struct dag *g, size_t ancestor, size_t task)
{
    if (g->cyclic) return true; /* reported already */
    for (uint32_t k = g->first[task]; k < g->first[task + 1]; k++)
        if (g->edges.items[k] == ancestor) return true;
    if (g->rank[ancestor] >= g->rank[task]) return false;
    if (g->searched != task + 1) stamp_ancestors(g, task);
    return g->stamp[ancestor] == g->round;
}
