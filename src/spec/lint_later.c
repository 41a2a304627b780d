/* What is accepted and kept but not acted upon in this version, and is more than a field that the schema
 * marks as noted: a warning, never silence. See lint_p.h. Runs on: one thread per lint. */
#include "spec/lint_p.h"

static const char *const places[] = {"gcs", "oss", "azure", "hdfs", "plugin"};

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

static void warn_init_container(struct lint *l, const struct val *c)
{
    static const char *const probes[] = {"startupProbe", "livenessProbe", "readinessProbe"};
    const struct val *policy = val_get(c, STR("restartPolicy"));
    if (policy && !str_is(val_text(policy), "Always"))
        LINT(l, DIAG_WARNING, "W0105", policy,
             "an init container's `restartPolicy` other than Always ends the step in Error in this version");
    for (size_t i = 0; !policy && i < ARRAY_LEN(probes); i++)
        if (val_get(c, str_of(probes[i])))
            LINT(l, DIAG_WARNING, "W0105", val_get(c, str_of(probes[i])),
                 "`%s` may not be set for init containers: the step ends in Error, as in a cluster", probes[i]);
}

static void warn_containers(struct lint *l, const struct argo_template *t)
{
    static const char *const lists[] = {"initContainers", "sidecars"};
    bool is_daemon = t->daemon.set && t->daemon.v, alone = val_get(t->src, STR("container")) || val_get(t->src, STR("script")) || val_get(t->src, STR("containerSet"));
    bool has_pod = val_get(t->src, STR("resource")) || val_get(t->src, STR("data"));
    if (is_daemon && has_pod && !alone)
        LINT(l, DIAG_WARNING, "W0105", lint_at(t->src, "daemon"), "a daemon is a container, a script or a container set in this version: the step ends in Error");
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct val *list = val_path(t->src, lists[k]);
        for (uint32_t i = 0; k == 0 && list && list->kind == VAL_LIST && i < list->n; i++) warn_init_container(l, &list->items[i]);
        if (list && list->n && has_pod && !alone)
            LINT(l, DIAG_WARNING, "W0105", list, "`%s` belong to a container, a script or a container set in this version: the step ends in Error", lists[k]);
    }
}

/* Of a container. Names of which nothing is known here. */
static void warn_resources(struct lint *l, const struct val *c)
{
    static const char *const kinds[] = {"limits", "requests"}, *const known[] = {"cpu", "memory", "nvidia.com/gpu", "amd.com/gpu"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct val *map = val_get(val_get(c, STR("resources")), str_of(kinds[k]));
        for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) {
            size_t at = 0;
            while (at < ARRAY_LEN(known) && !str_is(map->map[i].key, known[at])) at++;
            if (at == ARRAY_LEN(known))
                LINT(l, DIAG_WARNING, "W0105", &map->map[i].v, "`%.*s` has no effect in this version: nothing of it is limited or reserved",
                     STR_ARG(map->map[i].key));
        }
    }
}

static void warn_all_resources(struct lint *l, const struct val *tmpl)
{
    static const char *const places_of[] = {"initContainers", "container", "script", "containerSet.containers", "sidecars"};
    for (size_t k = 0; k < ARRAY_LEN(places_of); k++) {
        const struct val *v = val_path(tmpl, places_of[k]);
        if (v && v->kind == VAL_MAP) warn_resources(l, v);
        for (uint32_t i = 0; v && v->kind == VAL_LIST && i < v->n; i++) warn_resources(l, &v->items[i]);
    }
}

void lint_later_template(struct lint *l, const struct argo_template *t)
{
    warn_containers(l, t);
    warn_all_resources(l, t->src);
    for (size_t i = 0; t->outputs && i < t->outputs->artifacts.n; i++) warn_place(l, &t->outputs->artifacts.items[i]);
}

void lint_later_volumes(struct lint *l, const struct argo_volume_list *volumes)
{
    for (size_t i = 0; i < volumes->n; i++) {
        const struct val *dir = val_get(volumes->items[i].src, STR("emptyDir")), *limit = val_get(dir, STR("sizeLimit"));
        if (limit && !str_is(val_get_str(dir, "medium"), "Memory"))
            LINT(l, DIAG_WARNING, "W0105", limit, "`sizeLimit` has no effect in this version without `medium: Memory`: nothing is limited on the disk");
    }
}
