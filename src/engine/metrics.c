/* Custom metrics: what templates and the workflow tell when they begin (realtime gauges) and when they end
 * (operator.go computeMetrics, prepareMetricScope). The samples leave with the event that caused them,
 * so that they are counted exactly once. What goes wrong is a condition of the workflow, never an error. */
#include <math.h>

#include "base/metrics.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/when.h"

static void failed(struct run *r, const struct val *src, const struct err *e)
{
    struct str name = val_get_str(src, "name");
    r->metrics_error = str_fmt(&r->arena, "metric '%.*s': %s", STR_ARG(name), e->text);
    r->dirty = true;
}

void run_metrics_failed(struct run *r, struct str name, struct str why)
{
    r->metrics_error = str_fmt(&r->arena, "could not construct metric '%.*s': %.*s", STR_ARG(name), STR_ARG(why));
    r->dirty = true;
}

static bool number_of(struct str text, double *out, struct err *e)
{
    char buf[64], *end;
    text = str_trim(text);
    bool fits = text.n > 0 && text.n < sizeof buf;
    if (fits) memcpy(buf, text.p, text.n), buf[text.n] = 0;
    if (fits) *out = strtod(buf, &end);
    return (fits && !*end && !isnan(*out)) || err_set(e, ERR_SPEC, "'%.*s' is not a number", STR_ARG(text));
}

static bool labels_of(struct run *r, const struct val *src, struct metric_sample *s)
{
    const struct val *list = val_get(src, STR("labels"));
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    struct metric_label *labels = ARENA_ARRAY(&r->scratch, struct metric_label, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct str value = text_of(&r->scratch, val_get(&list->items[i], STR("value")));
        labels[i] = (struct metric_label){val_get_str(&list->items[i], "key"), value.p ? value : STR("")};
    }
    s->labels = labels;
    s->n_labels = n;
    return true;
}

static bool buckets_of(struct run *r, const struct val *h, struct metric_sample *s, struct err *e)
{
    const struct val *list = val_get(h, STR("buckets"));
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    double *buckets = ARENA_ARRAY(&r->scratch, double, n + 1);
    for (uint32_t i = 0; i < n; i++)
        if (!number_of(val_text(&list->items[i]), &buckets[i], e)) return false;
    s->buckets = buckets;
    s->n_buckets = n;
    return true;
}

static bool kind_of(struct run *r, const struct val *src, struct metric_sample *s, struct str *value, struct err *e)
{
    const struct val *c = val_get(src, STR("counter")), *g = val_get(src, STR("gauge")), *h = val_get(src, STR("histogram"));
    struct str op = val_get_str(g, "operation");
    if ((c != NULL) + (g != NULL) + (h != NULL) != 1)
        return err_set(e, ERR_SPEC, "it has not exactly one of counter, gauge and histogram");
    s->kind = c ? METRIC_COUNTER : g ? METRIC_GAUGE : METRIC_HISTOGRAM;
    s->op = str_is(op, "Add") ? METRIC_ADD : str_is(op, "Sub") ? METRIC_SUB : METRIC_SET;
    *value = text_of(&r->scratch, val_get(c ? c : g ? g : h, STR("value")));
    return !h || buckets_of(r, h, s, e);
}

/* "{{duration}}" of a node, "{{workflow.duration}}" of the workflow: nothing else changes by itself. */
static bool realtime(struct metric_sample *s, struct str value, const struct node *n, const struct run *r, struct err *e)
{
    struct str name = tags_sole_name(value);
    if (!name.p) return err_set(e, ERR_SPEC, "real time metrics can only be used with metric variables");
    if (!str_is(name, n ? "duration" : "workflow.duration"))
        return err_set(e, ERR_SPEC, "'%.*s' is not available as a real time metric", STR_ARG(name));
    int64_t from = n ? n->started_us : r->started_us, to = n ? n->finished_us : r->finished_us;
    if (to) s->value = (double)(to - from) / 1e6;
    else s->since_us = from;
    return true;
}

static bool is_realtime(const struct val *src)
{
    return val_is_true(val_get(src, STR("gauge")), "realtime");
}

/* The texts but the value first, then `when`, then the value: it need not make sense before. */
static bool sample(struct run *r, const struct val *src, const struct scope *scope, const struct node *n, bool *go,
                   struct metric_sample *out, struct err *e)
{
    struct tags_opts opts = {.scope = scope, .policy = TAGS_FAIL, .clock = run_clock(r)};
    struct val filled;
    struct str value;
    *out = (struct metric_sample){0};
    *go = false;
    if (!val_get_str(src, "help").n) return err_set(e, ERR_SPEC, "it must contain a help string under 'help: ' field");
    if (!tags_replace_val(&r->scratch, src, &opts, &filled, e)) return err_ctx(e, "unable to substitute parameters");
    if (!when_decide(r, val_get_str(&filled, "when"), go, e)) return err_ctx(e, "unable to compute 'when' clause");
    if (!*go) return true;
    out->name = val_get_str(&filled, "name");
    out->help = val_get_str(&filled, "help");
    labels_of(r, &filled, out);
    if (!kind_of(r, &filled, out, &value, e)) return false;
    if (is_realtime(src)) return realtime(out, val_get_str(val_get(src, STR("gauge")), "value"), n, r, e);
    return number_of(value, &out->value, e);
}

static void emit(struct run *r, const struct val *list, const struct scope *scope, const struct node *n, bool begins)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *src = &list->items[i];
        struct metric_sample s;
        struct err e;
        bool go;
        if (begins && !is_realtime(src)) continue;
        if (!sample(r, src, scope, n, &go, &s, &e)) failed(r, src, &e);
        else if (go) VEC_PUSH(&r->metrics, s);
    }
}

/* ---- of a node ---- */

static void outputs_scope(struct run *r, struct scope *s, const struct node *n)
{
    struct arena *a = &r->scratch;
    const struct val *o = node_outputs_val(a, n), *params = val_get(o, STR("parameters"));
    const struct val *result = val_get(o, STR("result")), *code = val_get(o, STR("exitCode"));
    if (result) scope_set(s, STR("outputs.result"), val_text(result));
    if (code) scope_set(s, STR("exitCode"), val_text(code));
    for (uint32_t i = 0; params && i < params->n; i++) {
        struct str name = val_get_str(&params->items[i], "name");
        const struct val *v = val_get(&params->items[i], STR("value"));
        if (v) scope_set(s, str_fmt(a, "outputs.parameters.%.*s", STR_ARG(name)), text_of(a, v));
    }
}

/* What is known of the pod; else what one without requests would have. */
static void resources_scope(struct run *r, struct scope *s, const struct node *n, int64_t took_us)
{
    int64_t seconds = took_us / 1000000;
    const struct used_list *used = n->extra ? &n->extra->used : NULL;
    scope_set(s, STR("resourcesDuration.cpu"), str_fmt(&r->scratch, "%lld", (long long)(seconds / 10)));
    scope_set(s, STR("resourcesDuration.memory"), str_fmt(&r->scratch, "%lld", (long long)seconds));
    for (size_t i = 0; used && i < used->n; i++)
        scope_set(s, str_fmt(&r->scratch, "resourcesDuration.%.*s", STR_ARG(used->items[i].name)),
                  str_fmt(&r->scratch, "%lld", (long long)used->items[i].seconds));
}

static void of_node(struct run *r, struct node *n, bool begins)
{
    const struct val *list = n->tmpl && n->type != NTYPE_SKIP ? val_path(n->tmpl->src, "metrics.prometheus") : NULL;
    struct scope locals CLEANUP(scope_fini) = {0}, s CLEANUP(scope_fini) = {0};
    if (!list) return;
    scope_init(&locals, globals_for(r, n->wf_status));
    locals_scope(r, &r->scratch, &locals, n);
    scope_init(&s, &locals);
    inputs_scope(r, &r->scratch, &s, n);
    int64_t took = (n->finished_us ? n->finished_us : r->now_us) - n->started_us;
    scope_set(&s, STR("duration"), str_fmt(&r->scratch, "%.6f", (double)took / 1e6));
    scope_set(&s, STR("status"), str_of(phase_text(n->phase)));
    outputs_scope(r, &s, n);
    if (n->finished_us) resources_scope(r, &s, n, took);
    emit(r, list, &s, n, begins);
}

/* What is tried again tells when it begins and when it is over for good; a failed attempt, when another follows it. */
void metrics_of_node(struct run *r, struct node *n, bool begins)
{
    if (!n->retried) of_node(r, n, begins);
}

void metrics_of_attempt(struct run *r, struct node *attempt) { of_node(r, attempt, false); }

/* ---- of the workflow ---- */

void metrics_of_run(struct run *r, bool begins)
{
    const struct val *list = val_path(r->spec, "metrics.prometheus");
    struct scope s CLEANUP(scope_fini) = {0};
    if (!list) return;
    scope_init(&s, &r->globals);
    scope_set(&s, STR("workflow.status"), str_of(phase_text(r->phase)));
    emit(r, list, &s, NULL, begins);
}
