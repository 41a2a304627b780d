/* One template: its body, the fields that every template has, then what belongs to its type. */
#include "spec/lint_p.h"

static enum template_type check_body(struct lint *l, const struct argo_template *t)
{
    enum template_type type = template_type(t);
    size_t n = template_bodies(t);
    if (n == 1) return type;
    struct buf fields CLEANUP(buf_fini);
    buf_init(&fields, 1000);
    for (enum template_type k = TEMPLATE_NONE + 1; k < TEMPLATE_TYPE_MAX; k++)
        buf_printf(&fields, "%s%s", k > TEMPLATE_NONE + 1 ? ", " : "", template_type_field(k));
    struct diag *g = n == 0 ? LINT(l, DIAG_ERROR, "E0301", lint_at(t->src, "name"),
                                   "template `%.*s` does nothing: it has no body", STR_ARG(t->name))
                            : LINT(l, DIAG_ERROR, "E0302", lint_at(t->src, "name"),
                                   "template `%.*s` has %zu bodies", STR_ARG(t->name), n);
    diag_help(l->d, g, "give exactly one of %.*s", STR_ARG(buf_view(&fields)));
    const struct val *pause = n == 0 ? val_get(t->src, STR("suspend")) : NULL;
    if (pause && pause->kind == VAL_NULL) diag_fix_val(l->d, g, FIX_YAML, pause, STR("{}"));
    return n == 0 ? TEMPLATE_NONE : type;
}

static bool is_int_or_tag(struct str s, int64_t min)
{
    int64_t i;
    return has_tag(s) || (str_to_i64(s, &i) && i >= min);
}

static void check_retry(struct lint *l, const struct argo_retry_strategy *r)
{
    if (!r) return;
    lint_expression(l, val_get(r->src, STR("expression")), "retryStrategy.expression");
    if (r->limit.p && !is_int_or_tag(r->limit, 0))
        LINT(l, DIAG_ERROR, "E0306", lint_at(r->src, "limit"),
             "`limit` is a number of retries, not \"%.*s\"", STR_ARG(r->limit));
    const struct argo_backoff *b = r->backoff;
    if (!b) return;
    if (b->duration.n == 0) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0306", b->src,
                              "this backoff has no duration to begin with");
        diag_help(l->d, g, "add `duration:`, such as 10s");
    }
    if (b->factor.p && !is_int_or_tag(b->factor, 0))
        LINT(l, DIAG_ERROR, "E0306", lint_at(b->src, "factor"),
             "`factor` is a whole number, not \"%.*s\"", STR_ARG(b->factor));
    lint_duration(l, b->src, "duration", b->duration, false);
    lint_duration(l, b->src, "cap", b->cap, false);
    lint_duration(l, b->src, "maxDuration", b->max_duration, false);
}

static void check_times(struct lint *l, const struct argo_template *t, enum template_type type)
{
    static const char *const leaf_only[] = {"activeDeadlineSeconds", "timeout", "pendingTimeout"};
    for (size_t i = 0; i < ARRAY_LEN(leaf_only) && type && !template_type_leaf(type); i++) {
        const struct val *v = val_get(t->src, str_of(leaf_only[i]));
        if (!v || v->kind == VAL_NULL) continue;
        struct diag *g = LINT(l, DIAG_ERROR, "E0304", v, "`%s` has no meaning for a %s template",
                              leaf_only[i], template_type_field(type));
        diag_help(l->d, g, "set it on the templates that it calls");
        diag_fix_key(l->d, g, FIX_REMOVE, t->src, leaf_only[i], STR_NONE);
    }
    if (type && template_type_leaf(type) && t->parallelism.set) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0304", lint_at(t->src, "parallelism"),
                              "`parallelism` is only for steps and dag templates");
        diag_fix_key(l->d, g, FIX_REMOVE, t->src, "parallelism", STR_NONE);
    }
    if (t->parallelism.set && t->parallelism.v < 1)
        LINT(l, DIAG_ERROR, "E0305", lint_at(t->src, "parallelism"),
             "`parallelism` must be at least 1");
    if (t->active_deadline_seconds.p && !is_int_or_tag(t->active_deadline_seconds, 1))
        LINT(l, DIAG_ERROR, "E0305", lint_at(t->src, "activeDeadlineSeconds"),
             "`activeDeadlineSeconds` is a number of seconds above 0");
    lint_duration(l, t->src, "timeout", t->timeout, true);
    lint_duration(l, t->src, "pendingTimeout", t->pending_timeout, true);
}

static bool metric_name_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool digit = c >= '0' && c <= '9';
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (digit && i > 0)))
            return false;
    }
    return s.n > 0;
}

static void check_metrics(struct lint *l, const struct argo_metrics *m)
{
    for (size_t i = 0; m && i < m->prometheus.n; i++) {
        const struct argo_prometheus *p = &m->prometheus.items[i];
        int kinds = (p->gauge != NULL) + (p->histogram != NULL) + (p->counter != NULL);
        if (!metric_name_ok(p->name))
            LINT(l, DIAG_ERROR, "E0310", lint_at(p->src, "name"),
                 "`%.*s` cannot be the name of a metric", STR_ARG(p->name));
        if (p->help.n == 0)
            LINT(l, DIAG_ERROR, "E0310", p->src, "metric `%.*s` has an empty help text",
                 STR_ARG(p->name));
        if (kinds != 1) {
            struct diag *g = LINT(l, DIAG_ERROR, "E0310", p->src, "metric `%.*s` has %s",
                                  STR_ARG(p->name), kinds ? "several kinds" : "no kind");
            diag_help(l->d, g, "give exactly one of gauge, histogram and counter");
        }
        for (size_t k = 0; k < p->labels.n; k++)
            if (!metric_name_ok(p->labels.items[k].key))
                LINT(l, DIAG_ERROR, "E0310", lint_at(p->labels.items[k].src, "key"),
                     "`%.*s` cannot be the name of a label", STR_ARG(p->labels.items[k].key));
    }
}

void lint_template(struct lint_doc *ld, const struct argo_template *t,
                   const struct tag_scope *outer)
{
    struct lint *l = ld->l;
    enum template_type type = check_body(l, t);
    bool leaf = template_type_leaf(type);
    lint_inputs(ld, t, leaf);
    check_retry(l, t->retry_strategy);
    check_times(l, t, type);
    check_metrics(l, t->metrics);
    lint_gates(ld, t);
    lint_unused_inputs(ld, t, type);
    lint_later_template(l, t);
    lint_later_volumes(l, &t->volumes);
    lint_pod_patch(l, t->src);
    if (type != TEMPLATE_NONE) lint_outputs(ld, t, type);
    switch (type) {
    case TEMPLATE_NONE: return;
    case TEMPLATE_STEPS: lint_steps(ld, t, outer); return;
    case TEMPLATE_DAG: lint_dag_template(ld, t, outer); return;
    default: break;
    }
    struct tag_scope s = {.ld = ld, .tmpl = t, .outer = outer};
    lint_tags(&s, t->src, NULL);
    lint_leaf(ld, t, type);
}
