/* Arguments become inputs, and inputs become the scope that a template's text is filled from.
 *
 * Precedence (common/util.go ProcessArgs): the caller's value, the input's own value, its
 * valueFrom, its default. What was decided is kept as JSON on the node. */
#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/gofmt.h"

/* A whole number that Go's float64, through which AnyString decodes, may not hold. */
static bool is_beyond_float(const struct val *v)
{
    enum { DIGITS = 15 };
    return v->kind == VAL_INT && val_text(v).n > DIGITS;
}

struct str text_of(struct arena *a, const struct val *v)
{
    double d;
    if (!v) return STR_NONE;
    if ((v->kind == VAL_FLOAT || is_beyond_float(v)) && val_double(v, &d)) return gofmt_double(a, d);
    if (v->kind == VAL_NULL) return STR_NONE;
    if (v->kind == VAL_LIST || v->kind == VAL_MAP) return STR(""); /* as Go's AnyString decoder */
    return val_text(v);
}

const struct val *named(const struct val *list, struct str name)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

bool val_is_true(const struct val *map, const char *key)
{
    const struct val *v = val_get(map, str_of(key));
    return v && v->kind == VAL_BOOL && v->b;
}

struct val parsed(struct arena *a, struct str json)
{
    struct val v = val_null;
    if (json.n) ASSERT(json_parse(a, json, NULL, &v, NULL)); /* our own text */
    return v;
}

bool json_kept(struct arena *a, const struct val *v, const char *what, struct str *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_NODE_BYTES);
    json_write(&b, v, 0);
    if (b.overflow) return err_set(e, ERR_LIMIT, "%s are larger than %d MiB (LIMIT_NODE_BYTES)", what, LIMIT_NODE_BYTES >> 20);
    *out = buf_dup(a, &b);
    return true;
}

/* ---- deciding ---- */

/* Name and key may each be one tag of a workflow-wide value (common/util.go). */
static bool ref_part(struct run *r, const struct val *ref, const char *part, struct str *out, struct err *e)
{
    struct scope_value v;
    *out = val_get_str(ref, part);
    struct str name = tags_sole_name(*out);
    if (!name.p) return true;
    if (!scope_get(&r->globals, name, &v) || v.kind != SCOPE_STR)
        return err_set(e, ERR_SPEC, "parameter %.*s not found", STR_ARG(name));
    *out = v.str;
    return true;
}

/* A ConfigMap's value, when the map is labelled as holding parameters. */
static bool from_config_map(struct run *r, const struct val *ref, struct str *out, struct err *e)
{
    struct str name, key;
    if (!ref_part(r, ref, "name", &name, e) || !ref_part(r, ref, "key", &key, e)) return false;
    const struct val *cm = r->opts.lookup ? r->opts.lookup(r->opts.lookup_ctx, STR("ConfigMap"),
                                                           r->ns, name) : NULL;
    if (!cm) return err_set(e, ERR_SPEC, "ConfigMap '%.*s' does not exist", STR_ARG(name));
    const struct val *labels = val_path(cm, "metadata.labels");
    struct str type = val_text(val_get(labels, STR("workflows.argoproj.io/configmap-type")));
    if (!str_is(type, "Parameter"))
        return err_set(e, ERR_SPEC, "ConfigMap '%.*s' needs to have the label "
                       "workflows.argoproj.io/configmap-type: Parameter to load parameters",
                       STR_ARG(name));
    const struct val *v = val_get(val_get(cm, STR("data")), key);
    if (!v)
        return err_set(e, ERR_SPEC, "ConfigMap '%.*s' does not have the key '%.*s'", STR_ARG(name),
                       STR_ARG(key));
    *out = val_text(v);
    return true;
}

bool param_value_from(struct run *r, const struct val *p, struct str *out, struct err *e)
{
    const struct val *from = val_get(p, STR("valueFrom"));
    const struct val *ref = val_get(from, STR("configMapKeyRef"));
    const struct val *fallback = val_get(from, STR("default"));
    if (ref) {
        if (from_config_map(r, ref, out, e)) return true;
        if (fallback) return *out = text_of(&r->scratch, fallback), true;
        return val_is_true(ref, "optional") ? (*out = STR(""), true) : false;
    }
    if (fallback) *out = text_of(&r->scratch, fallback);
    return true;
}

static bool enum_allows(const struct val *p, struct str value, struct err *e)
{
    const struct val *allowed = val_get(p, STR("enum"));
    for (uint32_t i = 0; allowed && i < allowed->n; i++)
        if (str_eq(val_text(&allowed->items[i]), value)) return true;
    if (!allowed || !allowed->n) return true;
    return err_set(e, ERR_SPEC, "inputs.parameters.%.*s: value '%.*s' is not one of its enum",
                   STR_ARG(val_get_str(p, "name")), STR_ARG(value));
}

static bool param_decide(struct run *r, const struct val *p, const struct val *args,
                         struct str *out, struct err *e)
{
    struct str name = val_get_str(p, "name");
    const struct val *arg = named(val_get(args, STR("parameters")), name);
    const struct val *fallback = val_get(p, STR("default"));
    *out = STR_NONE;
    if (arg) *out = text_of(&r->scratch, val_get(arg, STR("value")));
    if (arg && !out->p && !param_value_from(r, arg, out, e)) return false;
    bool absent = arg && val_is_true(arg, ABSENT_MARK);
    if (!out->p && !absent) *out = text_of(&r->scratch, val_get(p, STR("value")));
    if (!out->p && !absent && !param_value_from(r, p, out, e)) return false;
    if (!out->p) *out = text_of(&r->scratch, fallback ? fallback : absent ? val_get(p, STR("value")) : NULL);
    if (!out->p && absent)
        return err_set(e, ERR_SPEC, "inputs.parameters.%.*s refers to an absent optional output and "
                       "has no default", STR_ARG(name));
    if (!out->p && val_path(p, "valueFrom.supplied")) return true;
    if (!out->p)
        return err_set(e, ERR_SPEC, "inputs.parameters.%.*s was not supplied", STR_ARG(name));
    return true;
}

static bool params_decide(struct run *r, const struct start *s, const struct scope *scope,
                          struct val *out, struct err *e)
{
    const struct val *declared = val_path(s->tmpl->src, "inputs.parameters");
    struct tags_opts opts = {.scope = scope, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    struct val_builder b;
    size_t bytes = 0;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; declared && i < declared->n; i++) {
        const struct val *p = &declared->items[i];
        struct str value;
        if (bytes > LIMIT_NODE_BYTES) break; /* as large as it may be in any case: json_kept says no */
        if (!param_decide(r, p, s->args, &value, e)) return list_done(&b), false;
        if (value.p && tags_present(value) && !tags_replace(&r->scratch, value, &opts, &value, e))
            return list_done(&b), false;
        if (value.p && !enum_allows(p, value, e)) return list_done(&b), false;
        bytes += value.n;
        list_add(&b, value.p ? map_with(&r->scratch, p, STR("value"), val_of_str(value)) : *p);
    }
    *out = list_done(&b);
    return true;
}

/* Location from the argument; where and how it is put stays the input's matter. */
static struct val artifact_place(struct arena *a, const struct val *in, const struct val *arg)
{
    static const char *const kept[] = {"name", "path", "mode", "recurseMode", "optional"};
    struct val v = *arg;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct val *own = val_get(in, str_of(kept[i]));
        if (own) v = map_with(a, &v, str_of(kept[i]), *own);
    }
    return v;
}

static bool has_location(const struct val *art)
{
    static const char *const places[] = {"s3", "raw", "http", "git", "gcs", "oss", "azure", "hdfs",
                                         "artifactory", "plugin", "from", "fromExpression"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (val_get(art, str_of(places[i]))) return true;
    return false;
}

/* Places and paths may be made of globals, locals and the input parameters. */
static bool artifact_filled(struct run *r, const struct scope *scope, struct val *art, struct err *e)
{
    struct tags_opts opts = {.scope = scope, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    struct val v = *art;
    return !tags_present_val(&v) || tags_replace_val(&r->scratch, &v, &opts, art, e);
}

static bool artifacts_decide(struct run *r, const struct start *s, const struct scope *scope, struct val *out,
                             struct err *e)
{
    const struct val *declared = val_path(s->tmpl->src, "inputs.artifacts");
    const struct val *args = val_get(s->args, STR("artifacts"));
    struct val_builder b;
    list_begin(&b, &r->scratch);
    for (uint32_t i = 0; declared && i < declared->n; i++) {
        const struct val *in = &declared->items[i];
        struct str name = val_get_str(in, "name");
        const struct val *arg = named(args, name);
        struct val art = arg ? artifact_place(&r->scratch, in, arg) : *in;
        if (!artifact_filled(r, scope, &art, e)) return list_done(&b), false;
        if (has_location(&art)) list_add(&b, art);
        else if (!val_is_true(&art, "optional"))
            return list_done(&b), err_set(e, ERR_SPEC, "inputs.artifacts.%.*s was not supplied",
                                          STR_ARG(name));
    }
    *out = list_done(&b);
    return true;
}

/* The name of the step or task that calls the template; the entry template and hooks are called by a
 * step without a name (operator.go executeTemplate). */
static void caller_scope(struct scope *s, struct str name, const struct node *boundary, bool hooked)
{
    bool called = boundary && !hooked, task = called && boundary->type == NTYPE_DAG;
    struct str caller = called ? node_name_within(name, boundary) : STR("");
    scope_set(s, task ? STR("tasks.name") : STR("steps.name"), caller);
}

bool inputs_decide(struct run *r, const struct start *s, struct str *out, struct err *e)
{
    *out = STR_NONE;
    if (!val_get(s->tmpl->src, STR("inputs"))) return true;
    struct scope locals CLEANUP(scope_fini) = {0};
    scope_init(&locals, globals_for(r, s->wf_status));
    scope_set(&locals, STR("node.name"), s->name);
    caller_scope(&locals, s->name, s->boundary, s->hooked);
    /* the name of an attempt's pod is not known yet */
    if (tmpl_is_pod(s->tmpl) && !s->tmpl->retry) scope_set(&locals, STR("pod.name"), start_pod_name(r, s));
    struct val params, artifacts;
    if (!params_decide(r, s, &locals, &params, e)) return false;
    for (uint32_t i = 0; i < params.n; i++) {
        struct str name = val_get_str(&params.items[i], "name");
        const struct val *v = val_get(&params.items[i], STR("value"));
        if (v) scope_set(&locals, str_fmt(&r->scratch, "inputs.parameters.%.*s", STR_ARG(name)), text_of(&r->scratch, v));
    }
    if (!artifacts_decide(r, s, &locals, &artifacts, e)) return false;
    struct val_builder b;
    map_begin(&b, &r->scratch);
    if (params.n) map_add(&b, STR("parameters"), params);
    if (artifacts.n) map_add(&b, STR("artifacts"), artifacts);
    struct val inputs = map_done(&b);
    return !inputs.n || json_kept(&r->arena, &inputs, "the inputs", out, e);
}

/* ---- scopes ---- */

static void output_paths(struct arena *a, struct scope *s, const struct tmpl *t)
{
    const struct val *params = val_path(t->src, "outputs.parameters");
    const struct val *arts = val_path(t->src, "outputs.artifacts");
    for (uint32_t i = 0; params && i < params->n; i++) {
        struct str path = val_text(val_path(&params->items[i], "valueFrom.path"));
        struct str name = val_get_str(&params->items[i], "name");
        if (path.p) scope_set(s, str_fmt(a, "outputs.parameters.%.*s.path", STR_ARG(name)), path);
    }
    for (uint32_t i = 0; arts && i < arts->n; i++) {
        struct str path = val_get_str(&arts->items[i], "path");
        struct str name = val_get_str(&arts->items[i], "name");
        if (path.p) scope_set(s, str_fmt(a, "outputs.artifacts.%.*s.path", STR_ARG(name)), path);
    }
}

void inputs_scope(struct run *r, struct arena *a, struct scope *s, const struct node *n)
{
    struct val *in = ARENA_NEW(a, struct val);
    *in = parsed(a, n->inputs);
    const struct val *params = val_get(in, STR("parameters")), *arts = val_get(in, STR("artifacts"));
    for (uint32_t i = 0; params && i < params->n; i++) {
        const struct val *v = val_get(&params->items[i], STR("value"));
        struct str name = val_get_str(&params->items[i], "name");
        if (v) scope_set(s, str_fmt(a, "inputs.parameters.%.*s", STR_ARG(name)), text_of(a, v));
    }
    if (params && params->n) scope_set(s, STR("inputs.parameters"), json_text(a, params));
    for (uint32_t i = 0; arts && i < arts->n; i++) {
        struct str name = val_get_str(&arts->items[i], "name");
        struct str path = val_get_str(&arts->items[i], "path");
        scope_set_val(s, str_fmt(a, "inputs.artifacts.%.*s", STR_ARG(name)), &arts->items[i]);
        if (path.p) scope_set(s, str_fmt(a, "inputs.artifacts.%.*s.path", STR_ARG(name)), path);
    }
    output_paths(a, s, n->tmpl);
}

/* retries and lastRetry.* of an attempt (operator.go buildRetryStrategyLocalScope). */
void retry_scope(struct arena *a, struct scope *s, const struct node *last, uint32_t retries,
                 struct str no_code)
{
    struct val *outputs = ARENA_NEW(a, struct val);
    *outputs = parsed(a, last ? last->outputs : STR_NONE);
    struct str code = val_get_str(outputs, "exitCode");
    int64_t took = last ? (last->finished_us - last->started_us) / 1000000 : 0;
    scope_set(s, STR("retries"), str_fmt(a, "%u", retries));
    scope_set(s, STR("lastRetry.exitCode"), code.p ? code : no_code);
    scope_set(s, STR("lastRetry.status"), last ? str_of(phase_text(last->phase)) : STR(""));
    scope_set(s, STR("lastRetry.duration"), str_fmt(a, "%lld", (long long)took));
    scope_set(s, STR("lastRetry.message"), last && last->message.p ? last->message : STR(""));
}

void locals_scope(struct run *r, struct arena *a, struct scope *s, const struct node *n)
{
    struct str name = n->retried ? n->parent->name : n->name; /* filled in before the attempts are made */
    scope_set(s, STR("node.name"), name);
    caller_scope(s, name, n->boundary, n->hooked);
    if (n->type == NTYPE_POD) scope_set(s, STR("pod.name"), node_pod_name(a, r, n));
    if (!n->retried || !n->parent) return;
    const struct node *last = NULL;
    for (uint32_t i = 0; i < n->parent->n_children; i++) {
        const struct node *c = r->nodes.items[n->parent->children[i]];
        if (c->retried && c->idx < n->idx) last = c;
    }
    retry_scope(a, s, last, n->attempt, STR("0"));
}

/* ---- the text a runtime gets ---- */

static bool replaced(struct run *r, const struct val *in, const struct scope *scope,
                     struct val *out, struct err *e)
{
    struct tags_opts opts = {.scope = scope, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    return tags_replace_val(&r->scratch, in, &opts, out, e);
}

/* Three passes, as Argo's: globals and locals, then inputs, then the whole once more for the pod. A
 * value may itself hold tags, and of nested tags each pass replaces the inner ones only. */
bool pod_template_field(struct run *r, struct node *n, const struct val *field, struct val *out, struct err *e)
{
    *out = *field;
    if (!n->tmpl->has_tags) return true;
    struct scope locals CLEANUP(scope_fini) = {0}, inputs CLEANUP(scope_fini) = {0};
    bool is_inline = !n->tmpl->name.n && n->boundary && n->boundary->body;
    scope_init(&locals, is_inline ? &n->boundary->body->inputs : globals_for(r, n->wf_status));
    scope_init(&inputs, &locals);
    locals_scope(r, &r->scratch, &locals, n);
    inputs_scope(r, &r->scratch, &inputs, n);
    if (!replaced(r, out, is_inline ? &inputs : &locals, out, e)) return false;
    if (!replaced(r, out, &inputs, out, e)) return false;
    return !tags_present_val(out) || replaced(r, out, &inputs, out, e);
}

bool pod_template(struct run *r, struct node *n, const struct val **out, struct err *e)
{
    struct val *v = ARENA_NEW(&r->scratch, struct val);
    if (!pod_template_field(r, n, n->tmpl->src, v, e)) return false;
    if (n->inputs.n) *v = map_with(&r->scratch, v, STR("inputs"), parsed(&r->scratch, n->inputs));
    *out = v;
    return true;
}
