/* Fields that are accepted and kept but not acted upon in this version: a warning, never silence.
 * A row leaves the tables when its field begins to work. See lint_p.h. Runs on: one thread per lint. */
#include "spec/lint_p.h"

struct later {
    const char *field, *instead; /* what happens instead */
};

static const struct later of_workflow[] = {
    {"podSpecPatch", "steps run unpatched"},
    {"ttlStrategy", "finished runs stay until `skiff delete`"},
    {"workflowMetadata", "no labels or annotations are added"},
    {"artifactGC", "artifacts stay until `skiff delete`"},
};

static const struct later of_template[] = {
    {"podSpecPatch", "the step runs unpatched"},
};

static const char *const places[] = {"gcs", "oss", "azure", "hdfs", "artifactory", "http", "git", "plugin"};

static void warn(struct lint *l, const struct val *src, const struct later *row)
{
    const struct val *v = val_get(src, str_of(row->field));
    if (v && v->kind != VAL_NULL)
        LINT(l, DIAG_WARNING, "W0105", v, "`%s` has no effect in this version: %s", row->field, row->instead);
}

/* Where an output artifact is to be put, other than a key of the default repository. */
static void warn_place(struct lint *l, const struct argo_artifact *x)
{
    const struct val *s3 = val_get(x->src, STR("s3"));
    const struct val *v = val_get(s3, STR("bucket"));
    if (!v) v = val_get(s3, STR("endpoint"));
    for (size_t i = 0; !v && i < ARRAY_LEN(places); i++) v = val_get(x->src, str_of(places[i]));
    if (v)
        LINT(l, DIAG_WARNING, "W0105", v,
             "the location of `%.*s` has no effect in this version: it is kept in the state directory", STR_ARG(x->name));
}

void lint_later_template(struct lint *l, const struct argo_template *t)
{
    for (size_t i = 0; i < ARRAY_LEN(of_template); i++) warn(l, t->src, &of_template[i]);
    for (size_t i = 0; t->outputs && i < t->outputs->artifacts.n; i++) warn_place(l, &t->outputs->artifacts.items[i]);
}

void lint_later_hook(struct lint *l, const struct argo_lifecycle_hook *h, struct str name)
{
    LINT(l, DIAG_WARNING, "W0105", h->src, "hook `%.*s` has no effect in this version: only `exit` hooks run",
         STR_ARG(name));
}

void lint_later_kind(struct lint *l, const struct val *spec, const char *instead)
{
    LINT(l, DIAG_WARNING, "W0105", spec, "the spec has no effect in this version: %s", instead);
}

void lint_later_workflow(struct lint *l, const struct argo_workflow_spec *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(of_workflow); i++) warn(l, spec->src, &of_workflow[i]);
}
