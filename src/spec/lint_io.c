/* Inputs, outputs and arguments. See lint_p.h. */
#include <inttypes.h>

#include "spec/lint_p.h"

bool artifact_has_location(const struct argo_artifact_location *x)
{
    return x->s3 || x->git || x->http || x->artifactory || x->hdfs || x->raw || x->oss || x->gcs ||
           x->azure || x->plugin;
}

static void enum_holds(struct lint *l, const struct argo_parameter *p, struct str value,
                       const char *field)
{
    if (!p->enum_.items || !value.p || has_tag(value)) return;
    for (size_t i = 0; i < p->enum_.n; i++)
        if (str_eq(p->enum_.items[i], value)) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0405", lint_at(p->src, field),
                          "`%.*s`: \"%.*s\" is not one of its enum values", STR_ARG(p->name),
                          STR_ARG(value));
    lint_did_you_mean(l, g, lint_at(p->src, field), value, p->enum_.items, p->enum_.n);
}

static void parameter_list(struct lint *l, const struct argo_parameter_list *list)
{
    struct unique seen CLEANUP(unique_fini) = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct argo_parameter *p = &list->items[i];
        struct diag *bad = lint_name_check(l, p->src, p->name, "parameter", NAME_PARAMETER);
        if (bad) lint_fix_io_name(l, bad, p->name, NAME_PARAMETER);
        else unique_add(l, &seen, p->src, p->name, "parameters");
        if (p->enum_.items && p->enum_.n == 0)
            LINT(l, DIAG_ERROR, "E0405", lint_at(p->src, "enum"),
                 "the enum of `%.*s` has no values", STR_ARG(p->name));
        enum_holds(l, p, p->value, "value");
        enum_holds(l, p, p->default_, "default");
        if (p->value_from) lint_expression(l, val_get(p->value_from->src, STR("expression")), "expression");
    }
}

/* 644 means 0644: a number that looks octal but was read as decimal. */
static void wrong_mode(struct lint *l, const struct argo_artifact *x)
{
    const struct val *v = lint_at(x->src, "mode");
    struct diag *g = LINT(l, DIAG_ERROR, "E0603", v, "`mode` is a number from 0 to 0777");
    bool octal = x->mode.v <= 777;
    for (int64_t rest = x->mode.v; rest > 0 && octal; rest /= 10) octal = rest % 10 < 8;
    if (x->mode.v < 0 || !octal) return;
    diag_help(l->d, g, "write 0%" PRId64, x->mode.v);
    diag_fix_val(l->d, g, FIX_YAML, v, str_fmt(l->a, "0%" PRId64, x->mode.v));
}

static void artifact_list(struct lint *l, const struct argo_artifact_list *list)
{
    struct unique seen CLEANUP(unique_fini) = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct argo_artifact *x = &list->items[i];
        struct diag *bad = lint_name_check(l, x->src, x->name, "artifact", NAME_ARTIFACT);
        if (bad) lint_fix_io_name(l, bad, x->name, NAME_ARTIFACT);
        else unique_add(l, &seen, x->src, x->name, "artifacts");
        if (x->mode.set && (x->mode.v < 0 || x->mode.v > 0777)) wrong_mode(l, x);
        lint_expression(l, val_get(x->src, STR("fromExpression")), "fromExpression");
        if (x->from.n > 0 && x->from_expression.n > 0)
            LINT(l, DIAG_ERROR, "E0603", x->src, "artifact `%.*s` has both from and fromExpression",
                 STR_ARG(x->name));
    }
}

/* No artifact may be put outside its place by "..". */
static void clean_path(struct lint *l, const struct argo_artifact *x)
{
    if (x->path.n == 0) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0603", x->src, "artifact `%.*s` has no path", STR_ARG(x->name));
        diag_help(l->d, g, "add `path:`, where it lies in the container");
    }
    if (x->path.n == 0 || has_tag(x->path)) return;
    struct str rest = x->path, part;
    while (rest.p) {
        str_cut(rest, '/', &part, &rest);
        if (!str_is(part, "..")) continue;
        LINT(l, DIAG_ERROR, "E0603", lint_at(x->src, "path"),
             "the path of artifact `%.*s` must not contain ..", STR_ARG(x->name));
        return;
    }
}

static void path_only_in_leaf(struct lint *l, const struct argo_artifact *x)
{
    if (x->path.n == 0) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0603", lint_at(x->src, "path"),
                          "artifact `%.*s` has a path, but steps and dag templates have no files",
                          STR_ARG(x->name));
    diag_help(l->d, g, "remove `path:`");
    diag_fix_key(l->d, g, FIX_REMOVE, x->src, "path", STR_NONE);
}

void lint_inputs(struct lint_doc *ld, const struct argo_template *t, bool leaf)
{
    struct lint *l = ld->l;
    if (!t->inputs) return;
    parameter_list(l, &t->inputs->parameters);
    artifact_list(l, &t->inputs->artifacts);
    for (size_t i = 0; i < t->inputs->parameters.n; i++) {
        const struct argo_parameter *p = &t->inputs->parameters.items[i];
        lint_secret_named(l, p->src, p->value.p ? "value" : "default", p->name, p->value.p ? p->value : p->default_, false);
    }
    for (size_t i = 0; i < t->inputs->artifacts.n; i++) {
        const struct argo_artifact *x = &t->inputs->artifacts.items[i];
        if (leaf) clean_path(l, x);
        else path_only_in_leaf(l, x);
        if (x->from.n > 0 || x->from_expression.n > 0)
            LINT(l, DIAG_ERROR, "E0603", lint_at(x->src, x->from.n ? "from" : "fromExpression"),
                 "`%s` belongs to the caller's arguments, not to inputs", x->from.n ? "from" : "fromExpression");
    }
}

static size_t value_sources(const struct argo_value_from *v)
{
    return (v->path.n > 0) + (v->jq_filter.n > 0) + (v->json_path.n > 0) + (v->parameter.n > 0) +
           (v->expression.n > 0) + (v->supplied != NULL);
}

/* Which sources a body of this type can offer. */
static const char *wanted_source(const struct argo_value_from *v, enum template_type type)
{
    switch (type) {
    case TEMPLATE_CONTAINER:
    case TEMPLATE_CONTAINER_SET:
    case TEMPLATE_SCRIPT: return v->path.n > 0 ? NULL : "path";
    case TEMPLATE_RESOURCE:
        return v->jq_filter.n > 0 || v->json_path.n > 0 ? NULL : "jsonPath or jqFilter";
    case TEMPLATE_DAG:
    case TEMPLATE_STEPS:
        return v->parameter.n > 0 || v->expression.n > 0 ? NULL : "parameter or expression";
    default: return NULL;
    }
}

static void output_parameter(struct lint *l, const struct argo_parameter *p,
                             enum template_type type)
{
    const struct argo_value_from *v = p->value_from;
    if (v && p->value.p) {
        LINT(l, DIAG_ERROR, "E0604", p->src, "output `%.*s` has both value and valueFrom",
             STR_ARG(p->name));
        return;
    }
    if (p->value.p) return;
    if (!v || value_sources(v) == 0) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0604", p->src,
                              "output `%.*s` says nowhere where its value comes from",
                              STR_ARG(p->name));
        diag_help(
            l->d, g,
            "add `valueFrom:` with path, jsonPath, jqFilter, parameter, expression or supplied");
        return;
    }
    if (value_sources(v) > 1) {
        LINT(l, DIAG_ERROR, "E0604", v->src, "output `%.*s` has several sources; choose one",
             STR_ARG(p->name));
        return;
    }
    const char *wanted = wanted_source(v, type);
    if (!wanted) return;
    LINT(l, DIAG_ERROR, "E0604", v->src, "output `%.*s` of a %s template needs %s",
         STR_ARG(p->name), template_type_field(type), wanted);
}

static void global_name(struct lint *l, const struct val *src, struct str name, enum name_form form)
{
    if (name.n == 0 || has_tag(name)) return;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || (form == NAME_ARTIFACT && c == '.');
        if (fine) continue;
        struct diag *g = LINT(l, DIAG_ERROR, "E0204", lint_at(src, "globalName"), "`%.*s` cannot be a global name", STR_ARG(name));
        lint_fix_io_name(l, g, name, form);
        return;
    }
}

void lint_outputs(struct lint_doc *ld, const struct argo_template *t, enum template_type type)
{
    struct lint *l = ld->l;
    if (!t->outputs) return;
    parameter_list(l, &t->outputs->parameters);
    artifact_list(l, &t->outputs->artifacts);
    for (size_t i = 0; i < t->outputs->parameters.n; i++) {
        const struct argo_parameter *p = &t->outputs->parameters.items[i];
        output_parameter(l, p, type);
        global_name(l, p->src, p->global_name, NAME_PARAMETER);
    }
    for (size_t i = 0; i < t->outputs->artifacts.n; i++) {
        const struct argo_artifact *x = &t->outputs->artifacts.items[i];
        if (template_type_leaf(type)) clean_path(l, x);
        else path_only_in_leaf(l, x);
        global_name(l, x->src, x->global_name, NAME_ARTIFACT);
    }
}

static void argument_value(struct lint *l, const struct argo_parameter *p, bool required)
{
    const struct argo_value_from *v = p->value_from;
    if (!v && !p->value.p && !p->default_.p && required) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0404", p->src, "argument `%.*s` has no value",
                              STR_ARG(p->name));
        diag_help(l->d, g, "add `value:` or `valueFrom:`");
    }
    if (!v) return;
    bool allowed = v->config_map_key_ref || v->event.n > 0 || v->supplied || v->expression.n > 0;
    if (allowed && v->path.n == 0 && v->json_path.n == 0 && v->parameter.n == 0) return;
    LINT(l, DIAG_ERROR, "E0404", v->src,
         "argument `%.*s` can take its value from configMapKeyRef, supplied, event or expression "
         "only",
         STR_ARG(p->name));
}

void lint_arguments(struct lint *l, const struct argo_arguments *args, bool values_required)
{
    if (!args) return;
    parameter_list(l, &args->parameters);
    artifact_list(l, &args->artifacts);
    for (size_t i = 0; i < args->parameters.n; i++)
        argument_value(l, &args->parameters.items[i], values_required);
    for (size_t i = 0; values_required && i < args->artifacts.n; i++) {
        const struct argo_artifact *x = &args->artifacts.items[i];
        if (x->from.n > 0 || x->from_expression.n > 0 || artifact_has_location(&x->location))
            continue;
        struct diag *g = LINT(l, DIAG_ERROR, "E0404", x->src,
                              "argument artifact `%.*s` says nowhere where it comes from",
                              STR_ARG(x->name));
        diag_help(l->d, g, "add `from:` or a location such as `s3:` or `raw:`");
    }
}
