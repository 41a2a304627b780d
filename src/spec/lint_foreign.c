/* What a template of another document asks of the workflow that calls it: {{workflow.parameters.x}} is the
 * running workflow's, wherever the tag stands. See lint_p.h. */
#include "spec/lint_p.h"

struct foreign {
    struct lint_doc *ld;
    const struct document *doc;       /* where the template stands */
    const struct argo_template_ref *ref; /* that led there */
};

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void report(const struct foreign *f, struct str name)
{
    struct lint *l = f->ld->l;
    bool fresh;
    map_put(&f->ld->foreign_names, str_fmt(l->a, "%.*s/%.*s", STR_ARG(f->doc->name), STR_ARG(name)), &fresh);
    if (!fresh) return;
    struct diag *g = LINT(l, DIAG_WARNING, "W0609", f->ref->src, "`%.*s` uses {{workflow.parameters.%.*s}}, which this workflow does not have",
                          STR_ARG(f->doc->name), STR_ARG(name));
    diag_help(l->d, g, "add it to spec.arguments: a template sees the parameters of the workflow that runs it");
}

static void check_text(const struct foreign *f, struct str s)
{
    static const char prefix[] = "workflow.parameters.";
    const struct argo_arguments *args = f->ld->spec->arguments;
    for (ptrdiff_t at = -1; (at = str_find(s, STR("workflow.parameters."), (size_t)(at + 1))) >= 0;) {
        struct str rest = str_from(s, (size_t)at + sizeof prefix - 1);
        size_t n = 0;
        while (n < rest.n && name_char(rest.p[n])) n++;
        struct str name = str_sub(rest, 0, n);
        bool plain = at >= 2 && (s.p[at - 1] == '{' || (s.p[at - 1] == ' ' && s.p[at - 2] == '{'));
        if (!plain || n == 0 || str_is(name, "json") || (args && lint_parameter(f->ld->l, &args->parameters, name))) continue;
        report(f, name);
    }
}

static void check_texts(const struct foreign *f, const struct val *v)
{
    if (v->kind == VAL_STR && v->s.n > 20) check_text(f, v->s);
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) check_texts(f, &v->items[i]);
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) check_texts(f, &v->map[i].v);
}

static void push(const struct foreign *f, struct str name, const struct argo_template **stack, size_t *top)
{
    const struct argo_template *t = name.p ? lint_other_template(f->ld->l, f->doc, name) : NULL;
    bool fresh;
    if (!t) return;
    map_put(&f->ld->foreign, str_fmt(f->ld->l->a, "%p", (const void *)t), &fresh);
    if (fresh) stack[(*top)++] = t;
}

/* Templates of that document which it calls are looked at as well, each once. */
void lint_foreign(struct lint_doc *ld, const struct document *doc, const struct argo_template_ref *ref)
{
    struct foreign f = {.ld = ld, .doc = doc, .ref = ref};
    if (ld->is_template || ld->open || !doc->spec || doc->broken || lint_full(ld->l)) return;
    const struct argo_template **stack = ARENA_ARRAY(ld->l->a, const struct argo_template *, doc->spec->templates.n + 1);
    size_t top = 0;
    push(&f, ref->template, stack, &top);
    while (top > 0) {
        const struct argo_template *t = stack[--top];
        check_texts(&f, t->src);
        for (size_t i = 0; i < t->steps.n; i++)
            for (size_t k = 0; k < t->steps.items[i].steps.n; k++) push(&f, t->steps.items[i].steps.items[k].template, stack, &top);
        for (size_t i = 0; t->dag && i < t->dag->tasks.n; i++) push(&f, t->dag->tasks.items[i].template, stack, &top);
    }
}
