/* The graph of a DAG template: dependencies as arrays, order, cycles, ancestors.
 *
 * Edges lie in one array (task i's dependencies are edges[first[i]] … edges[first[i + 1]]); rank[i]
 * is the place in a topological order. Ancestors are bits, computed for 64 tasks at once when first asked. */
#include "doc/closest.h"
#include "lang/depends.h"
#include "spec/lint_p.h"

enum {
    BLOCK = 64,
    BLOCK_WORDS_MAX = 16 << 20, /* 128 MiB of masks at a time */
};

struct dag {
    struct lint *l;
    const struct tag_scope *scope; /* during dag_new */
    const struct argo_dag_template *t;
    const struct call_index *by_name;
    size_t n;
    uint32_t *first, *rank, *stamp, *stack;
    VEC(uint32_t) edges;
    uint32_t *order;   /* tasks by rank */
    uint64_t **blocks; /* ancestors, for 64 tasks of neighbouring rank each; NULL until asked for */
    size_t n_blocks;
    bool cyclic;
};

static bool is_loop(const struct argo_dag_task *t)
{
    return t->with_items.n > 0 || t->with_param.n > 0 || t->with_sequence;
}

static const bool word_chars[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['_'] = true,
};

/* Byte offset of a whole word in a text, or -1. */
static ptrdiff_t word_at(struct str s, struct str word)
{
    for (ptrdiff_t at = -1; (at = str_find(s, word, (size_t)(at + 1))) >= 0;) {
        size_t end = (size_t)at + word.n;
        bool before = at > 0 && (word_chars[(unsigned char)s.p[at - 1]] || s.p[at - 1] == '.');
        if (!before && (end == s.n || !word_chars[(unsigned char)s.p[end]])) return at;
    }
    return -1;
}

/* Operators that people write as words, and names that are nearly right. */
static void mend_word(struct lint *l, struct diag *d, const struct val *at, struct str word, const struct str *names,
                      size_t n)
{
    static const char *const words[][2] = {{"and", "&&"}, {"AND", "&&"}, {"or", "||"}, {"OR", "||"}};
    struct str to = str_closest_only(word, names, n);
    if (at->kind != VAL_STR) return;
    ptrdiff_t i = word_at(at->s, word);
    for (size_t k = 0; k < ARRAY_LEN(words); k++)
        if (str_is(word, words[k][0])) to = str_of(words[k][1]);
    if (i >= 0 && to.p) lint_fix_text(l, d, at, (size_t)i, word.n, to);
}

static void unknown_dependency(struct dag *g, const struct val *at, struct str name)
{
    struct lint *l = g->l;
    size_t n = lint_full(l) ? 0 : MIN(g->n, 1000u);
    struct str *names = ARENA_ARRAY(l->a, struct str, MAX(n, 1u));
    for (size_t i = 0; i < n; i++) names[i] = g->t->tasks.items[i].name;
    struct diag *d = LINT(l, DIAG_ERROR, "E0502", at, "dependency `%.*s` is not a task of this DAG",
                          STR_ARG(name));
    lint_did_you_mean(l, d, NULL, name, names, n);
    mend_word(l, d, at, name, names, n);
}

static void add_edge(struct dag *g, const struct val *at, struct str name)
{
    size_t i = call_find(g->by_name, name);
    if (i != CALL_NONE) VEC_PUSH(&g->edges, (uint32_t)i);
    else unknown_dependency(g, at, name);
}

static void mend_result(struct lint *l, struct diag *d, const struct val *at, struct str name, const char *from,
                        const char *to)
{
    struct str text = str_fmt(l->a, "%.*s.%s", STR_ARG(name), from);
    ptrdiff_t i = at->kind == VAL_STR ? word_at(at->s, text) : -1;
    if (i >= 0) lint_fix_text(l, d, at, (size_t)i + name.n + 1, strlen(from), str_of(to));
}

/* "a.Success": the word behind the dot is none of the results. */
static void unknown_result(struct lint *l, struct diag *d, const struct val *at)
{
    static const char *const texts[] = {"Succeeded", "Failed", "Errored", "Skipped",
                                        "Omitted", "Daemoned", "AnySucceeded", "AllFailed"};
    struct str names[ARRAY_LEN(texts)], s = at->kind == VAL_STR ? at->s : STR("");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) names[i] = str_of(texts[i]);
    for (ptrdiff_t dot = -1; (dot = str_find_char(s, '.', (size_t)(dot + 1))) >= 0;) {
        size_t n = 0, from = (size_t)dot + 1;
        while (from + n < s.n && word_chars[(unsigned char)s.p[from + n]]) n++;
        struct str word = str_sub(s, from, n);
        if (n == 0 || depends_result_of(word)) continue;
        lint_did_you_mean(l, d, NULL, word, names, ARRAY_LEN(texts));
        struct str near = str_closest_only(word, names, ARRAY_LEN(texts));
        if (near.p) lint_fix_text(l, d, at, from, n, near);
    }
}

/* "a and not b": words for operators, where no task has such a name. */
static void operator_words(const struct dag *g, struct diag *d, const struct val *at)
{
    static const char *const words[][2] = {{" and ", " && "}, {" or ", " || "}, {" AND ", " && "}, {" OR ", " || "},
                                           {"not ", "!"}};
    struct str s = at->kind == VAL_STR ? at->s : STR("");
    for (size_t k = 0; k < ARRAY_LEN(words); k++) {
        struct str word = str_of(words[k][0]);
        if (call_find(g->by_name, str_trim(word)) != CALL_NONE) continue;
        for (ptrdiff_t i = -1; (i = str_find(s, word, (size_t)(i + 1))) >= 0;)
            if (k < 4 || i == 0 || !word_chars[(unsigned char)s.p[i - 1]])
                lint_fix_text(g->l, d, at, (size_t)i, word.n, str_of(words[k][1]));
    }
}

static void add_condition(struct dag *g, const struct val *at, const struct depends_name *x)
{
    add_edge(g, at, x->name);
    if (!(x->asked & (DEPENDS_ANY_SUCCEEDED | DEPENDS_ALL_FAILED))) return;
    size_t i = call_find(g->by_name, x->name);
    if (i == CALL_NONE || is_loop(&g->t->tasks.items[i])) return;
    struct diag *d = LINT(g->l, DIAG_ERROR, "E0507", at,
                          "`%.*s` has no items, so AnySucceeded and AllFailed do not apply",
                          STR_ARG(x->name));
    diag_help(g->l->d, d, "use %.*s.Succeeded or %.*s.Failed", STR_ARG(x->name), STR_ARG(x->name));
    mend_result(g->l, d, at, x->name, "AnySucceeded", "Succeeded");
    mend_result(g->l, d, at, x->name, "AllFailed", "Failed");
}


static inline void skip_blanks(struct str *s)
{
    while (s->n && (s->p[0] == ' ' || (s->p[0] >= '\t' && s->p[0] <= '\r'))) s->p++, s->n--;
}

static struct str take_word(struct str *s)
{
    size_t n = 0;
    skip_blanks(s);
    while (n < s->n && word_chars[(unsigned char)s->p[n]]) n++;
    struct str word = str_n(s->p, n);
    *s = str_n(s->p + n, s->n - n);
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
        skip_blanks(&text);
        if (text.n == 0) {
            ++*n;
            return true;
        }
        if (!str_starts(text, STR("&&")) && !str_starts(text, STR("||"))) return false;
        text = str_from(text, 2);
    }
    return false;
}

/* Different names joined by && or || can hold, if each can; a name that comes twice may contradict itself. */
static bool is_doubtful(const struct depends_name *names, size_t n)
{
    const uint32_t rare = DEPENDS_SKIPPED | DEPENDS_OMITTED | DEPENDS_DAEMONED;
    for (size_t i = 0; i < n; i++)
        if (!(names[i].asked & ~rare)) return true;
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(names[i].name, names[k].name)) return true;
    return false;
}

/* ---- can it ever hold? */

struct outcomes { /* what each of the named tasks may come to, and a choice of one of them */
    uint32_t may[8][9], chosen[8];
    size_t n[8];
};

static uint32_t chosen_outcome(void *ctx, size_t index) { return ((struct outcomes *)ctx)->chosen[index]; }

static size_t list_outcomes(const struct dag *g, const struct depends_name *name, uint32_t *out)
{
    size_t at = call_find(g->by_name, name->name);
    if (at == CALL_NONE) return 0;
    const struct argo_dag_task *t = &g->t->tasks.items[at];
    const struct argo_template *callee = g->scope->calls[at].callee;
    size_t n = 0;
    if (is_loop(t)) {
        out[n++] = DEPENDS_SUCCEEDED | DEPENDS_ANY_SUCCEEDED;
        out[n++] = DEPENDS_FAILED | DEPENDS_ALL_FAILED;
        out[n++] = DEPENDS_FAILED | DEPENDS_ANY_SUCCEEDED;
    } else {
        out[n++] = DEPENDS_SUCCEEDED;
        out[n++] = DEPENDS_FAILED;
    }
    out[n++] = DEPENDS_ERRORED;
    if (t->depends.n || t->dependencies.n) out[n++] = DEPENDS_OMITTED;
    if (t->when.n || is_loop(t)) out[n++] = DEPENDS_SKIPPED;
    if (!callee || callee->daemon.v) out[n++] = DEPENDS_DAEMONED;
    return n;
}

/* Tries every outcome of up to four tasks: six to the fourth, and larger logic is let pass. */
static void check_possible(struct dag *g, const struct argo_dag_task *t, const struct val *at, const struct depends *p)
{
    enum { NAMES_MAX = 4 };
    struct outcomes x = {0};
    size_t total = 1;
    if (p->n_names == 0 || p->n_names > NAMES_MAX || lint_full(g->l)) return;
    for (size_t i = 0; i < p->n_names; i++) total *= x.n[i] = list_outcomes(g, &p->names[i], x.may[i]);
    if (total == 0) return; /* a name that is not known */
    for (size_t k = 0; k < total; k++) {
        size_t rest = k;
        for (size_t i = 0; i < p->n_names; rest /= x.n[i], i++) x.chosen[i] = x.may[i][rest % x.n[i]];
        if (depends_eval(p, chosen_outcome, &x)) return;
    }
    struct diag *d = LINT(g->l, DIAG_WARNING, "W0512", at, "this can never hold, so `%.*s` never runs",
                          STR_ARG(t->name));
    diag_help(g->l->d, d, "a task ends in one way only; it is skipped only if it has `when` or items, omitted only if it "
                             "depends on others, daemoned only if it is a daemon");
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
        if (is_doubtful(names, n) && depends_parse(g->l->a, t->depends, &parsed, &e)) check_possible(g, t, at, parsed);
    } else if (depends_parse(g->l->a, t->depends, &parsed, &e)) {
        for (size_t i = 0; i < parsed->n_names; i++) add_condition(g, at, &parsed->names[i]);
        check_possible(g, t, at, parsed);
    } else {
        struct diag *d = LINT(g->l, DIAG_ERROR, "E0506", at, "`depends`: %s", e.text);
        unknown_result(g->l, d, at);
        if (!d->fix) operator_words(g, d, at);
    }
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
        g->order[placed] = i;
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

static void begins_with_digit(struct dag *g, size_t i)
{
    const struct argo_dag_task *t = &g->t->tasks.items[i];
    struct diag *d = LINT(g->l, DIAG_ERROR, "E0505", lint_at(t->src, "name"),
                          "`%.*s` begins with a digit, which a DAG with dependencies does not allow", STR_ARG(t->name));
    lint_fix_call_name(g->l, d, g->scope, &g->scope->calls[i]);
}

/* `dependencies: [a, b]` says what `depends: "a && b"` says. */
static void mixed(struct lint *l, const struct argo_dag_task *t)
{
    const struct val *list = lint_at(t->src, "dependencies");
    struct diag *d = LINT(l, DIAG_ERROR, "E0501", list, "a DAG uses either `depends` or `dependencies`, not both");
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 16);
    buf_char(&b, '"');
    for (size_t i = 0; i < t->dependencies.n; i++)
        buf_printf(&b, "%s%.*s", i ? " && " : "", STR_ARG(t->dependencies.items[i]));
    buf_char(&b, '"');
    if (val_get(t->src, STR("depends")) || b.overflow) return;
    diag_fix_key(l->d, d, FIX_KEY, t->src, "dependencies", STR("depends"));
    diag_fix_val(l->d, d, FIX_YAML, list, buf_dup(l->a, &b));
}

static void check_rules(struct dag *g, size_t i)
{
    const struct argo_dag_task *t = &g->t->tasks.items[i];
    bool digit = t->name.n > 0 && t->name.p[0] >= '0' && t->name.p[0] <= '9';
    if (digit && (g->scope->any_depends || t->dependencies.n > 0)) begins_with_digit(g, i);
    if (!g->scope->any_depends) return;
    if (t->dependencies.n > 0) mixed(g->l, t);
    if (!t->continue_on) return;
    struct diag *d = LINT(g->l, DIAG_ERROR, "E0508", lint_at(t->src, "continueOn"),
                          "`continueOn` does not go together with `depends`");
    diag_help(g->l->d, d, "in the tasks that depend on it write %.*s.Failed or %.*s.Errored", STR_ARG(t->name),
              STR_ARG(t->name));
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
        check_rules(g, i);
    }
    g->first[g->n] = (uint32_t)g->edges.n;
}

static void check_target(struct dag *g)
{
    struct str rest = g->t->target, name;
    while (rest.n > 0) {
        str_cut(rest, ' ', &name, &rest);
        if (name.n == 0 || has_tag(name) || str_ends(name, STR("}}"))) continue;
        if (call_find(g->by_name, name) != CALL_NONE) continue;
        struct diag *d = LINT(g->l, DIAG_ERROR, "E0504", lint_at(g->t->src, "target"),
                              "target `%.*s` is not a task of this DAG", STR_ARG(name));
        struct str names[256];
        size_t n = 0;
        for (; n < g->n && n < ARRAY_LEN(names); n++) names[n] = g->t->tasks.items[n].name;
        bool whole = str_eq(g->t->target, name);
        lint_did_you_mean(g->l, d, whole ? lint_at(g->t->src, "target") : NULL, name, names, n);
    }
}

struct dag *dag_new(const struct tag_scope *s)
{
    struct lint *l = s->ld->l;
    const struct argo_dag_template *t = s->tmpl->dag;
    struct dag *g = ARENA_NEW(l->a, struct dag);
    *g = (struct dag){.l = l, .scope = s, .t = t, .by_name = s->by_name, .n = t->tasks.n};
    g->first = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->rank = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->stamp = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->stack = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->order = ARENA_ARRAY(l->a, uint32_t, g->n + 1);
    g->blocks = ARENA_ARRAY(l->a, uint64_t *, g->n / BLOCK + 1);
    read_edges(g);
    g->cyclic = !put_in_order(g);
    if (g->cyclic) report_cycle(g);
    if (!has_tag(t->target)) check_target(g);
    return g;
}

void dag_free(struct dag *g)
{
    for (size_t b = 0; b < g->n / BLOCK + 1; b++) free(g->blocks[b]);
    VEC_FINI(&g->edges);
}

/* For each task, which of the 64 tasks of one block (by rank) are ancestors: one pass in order. */
static const uint64_t *block_of(struct dag *g, size_t b)
{
    if (g->blocks[b]) return g->blocks[b];
    if ((g->n_blocks + 1) * g->n > BLOCK_WORDS_MAX) {
        for (size_t i = 0; i < g->n / BLOCK + 1; i++) {
            free(g->blocks[i]);
            g->blocks[i] = NULL;
        }
        g->n_blocks = 0;
    }
    uint64_t *mask = g->blocks[b] = mem_zalloc(g->n * sizeof *mask);
    g->n_blocks++;
    for (size_t r = b * BLOCK; r < g->n; r++) {
        uint32_t i = g->order[r];
        for (uint32_t k = g->first[i]; k < g->first[i + 1]; k++) {
            uint32_t dep = g->edges.items[k];
            size_t rank = g->rank[dep] - 1;
            mask[i] |= mask[dep];
            if (rank / BLOCK == b) mask[i] |= 1ull << rank % BLOCK;
        }
    }
    return mask;
}

bool dag_is_ancestor(struct dag *g, size_t ancestor, size_t task)
{
    if (g->cyclic) return true; /* reported already */
    for (uint32_t k = g->first[task]; k < g->first[task + 1]; k++)
        if (g->edges.items[k] == ancestor) return true;
    if (g->rank[ancestor] >= g->rank[task]) return false;
    size_t rank = g->rank[ancestor] - 1;
    return block_of(g, rank / BLOCK)[task] >> rank % BLOCK & 1;
}
