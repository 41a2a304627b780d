/* Bodies that do the work: containers, scripts, resources, requests, pauses, data. See lint_p.h. */
#include "doc/yaml.h"
#include "lang/expr.h"
#include "spec/lint_p.h"

static const struct argo_template *defaults_of(const struct lint_doc *ld)
{
    return ld->spec->template_defaults;
}

static void image_needed(struct lint_doc *ld, const struct val *src, struct str image,
                         struct str from_defaults)
{
    if (image.n > 0 || from_defaults.n > 0 || ld->open) return;
    struct diag *g = LINT(ld->l, DIAG_ERROR, "E0303", src, "this container has no image");
    diag_help(ld->l->d, g, "add `image:`, or set it once in templateDefaults");
}

static bool volume_known(const struct argo_volume_list *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i].name, name)) return true;
    return false;
}

/* A pod patch may add volumes, and a stored template is completed by the workflow that uses it. */
static bool volumes_open(const struct lint_doc *ld, const struct argo_template *t)
{
    return ld->open || ld->is_template || t->pod_spec_patch.n > 0 || ld->spec->pod_spec_patch.n > 0;
}

static void check_mount(struct lint_doc *ld, const struct argo_template *t,
                        const struct argo_volume_mount *m)
{
    const struct argo_workflow_spec *spec = ld->spec;
    if (!m->name.p || has_tag(m->name) || volumes_open(ld, t)) return;
    if (volume_known(&spec->volumes, m->name) || volume_known(&t->volumes, m->name)) return;
    if (defaults_of(ld) && volume_known(&defaults_of(ld)->volumes, m->name)) return;
    struct str names[64];
    size_t n = 0;
    for (size_t i = 0; i < spec->volume_claim_templates.n; i++) {
        const struct argo_object_meta *meta = spec->volume_claim_templates.items[i].metadata;
        if (!meta || !meta->name.p) continue;
        if (str_eq(meta->name, m->name)) return;
        if (n < ARRAY_LEN(names)) names[n++] = meta->name;
    }
    for (size_t i = 0; i < spec->volumes.n && n < ARRAY_LEN(names); i++)
        names[n++] = spec->volumes.items[i].name;
    for (size_t i = 0; i < t->volumes.n && n < ARRAY_LEN(names); i++)
        names[n++] = t->volumes.items[i].name;
    struct diag *g = LINT(ld->l, DIAG_ERROR, "E0307", lint_at(m->src, "name"),
                          "there is no volume `%.*s`", STR_ARG(m->name));
    lint_did_you_mean(ld->l, g, lint_at(m->src, "name"), m->name, names, n);
}

static void check_mounts(struct lint_doc *ld, const struct argo_template *t,
                         const struct argo_volume_mount_list *mounts,
                         const struct argo_artifact_list *artifacts)
{
    struct map paths CLEANUP(map_fini) = {0};
    bool fresh;
    for (size_t i = 0; i < mounts->n; i++) {
        const struct argo_volume_mount *m = &mounts->items[i];
        check_mount(ld, t, m);
        if (!m->mount_path.p) continue;
        map_put(&paths, m->mount_path, &fresh);
        if (!fresh)
            LINT(ld->l, DIAG_ERROR, "E0308", lint_at(m->src, "mountPath"),
                 "something is mounted at \"%.*s\" already", STR_ARG(m->mount_path));
    }
    for (size_t i = 0; artifacts && i < artifacts->n; i++) {
        const struct argo_artifact *x = &artifacts->items[i];
        if (x->path.n == 0) continue;
        map_put(&paths, x->path, &fresh);
        if (!fresh)
            LINT(ld->l, DIAG_ERROR, "E0308", lint_at(x->src, "path"),
                 "something is at \"%.*s\" already", STR_ARG(x->path));
    }
}

static void check_env(struct lint *l, const struct argo_container *c)
{
    for (size_t i = 0; i < c->env.n; i++) {
        const struct argo_env_var *v = &c->env.items[i];
        if (v->name.n == 0)
            LINT(l, DIAG_ERROR, "E0206", v->src, "this environment variable has no name");
        lint_secret_named(l, v->src, "value", v->name, v->value, true);
        if (v->value.n > 0 && v->value_from)
            LINT(l, DIAG_ERROR, "E0313", v->src, "variable `%.*s` has both value and valueFrom",
                 STR_ARG(v->name));
    }
}

static void check_helpers(struct lint_doc *ld, const struct argo_template *t,
                          const struct argo_user_container_list *list, const char *what)
{
    struct unique seen CLEANUP(unique_fini) = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct argo_user_container *c = &list->items[i];
        if (lint_name(ld->l, c->src, c->name, what, NAME_FIELD))
            unique_add(ld->l, &seen, c->src, c->name, "containers");
        image_needed(ld, c->src, c->image, STR_NONE);
        lint_image(ld, c->src, c->image);
        check_mounts(ld, t, &c->volume_mounts, NULL);
        check_env(ld->l, &c->container);
    }
}

/* Takes away containers that wait for none that is left; index of one that stays, or n. */
static size_t set_circle(struct arena *a, const struct argo_container_node_list *list, const struct map *by_name)
{
    size_t n = list->n, edges = 0, top = 0;
    uint32_t *open = ARENA_ARRAY(a, uint32_t, n + 1), *last = ARENA_ARRAY(a, uint32_t, n + 1);
    uint32_t *stack = ARENA_ARRAY(a, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++) edges += list->items[i].dependencies.n;
    uint32_t *next = ARENA_ARRAY(a, uint32_t, edges + 1), *owner = ARENA_ARRAY(a, uint32_t, edges + 1), at = 0;
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < list->items[i].dependencies.n; k++) {
            const struct map_slot *slot = map_get(by_name, list->items[i].dependencies.items[k]);
            if (!slot) continue;
            owner[at] = i;
            next[at] = last[slot->num];
            last[slot->num] = ++at;
            open[i]++;
        }
    for (uint32_t i = 0; i < n; i++)
        if (open[i] == 0) stack[top++] = i;
    while (top > 0)
        for (uint32_t k = last[stack[--top]]; k; k = next[k - 1])
            if (--open[owner[k - 1]] == 0) stack[top++] = owner[k - 1];
    for (size_t i = 0; i < n; i++)
        if (open[i] > 0) return i;
    return n;
}

static void check_set_order(struct lint_doc *ld, const struct argo_container_node_list *list)
{
    struct map by_name CLEANUP(map_fini) = {0};
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].name.p) map_put(&by_name, list->items[i].name, NULL)->num = i;
    for (size_t i = 0; i < list->n; i++) {
        const struct argo_container_node *c = &list->items[i];
        for (size_t k = 0; k < c->dependencies.n; k++)
            if (!map_get(&by_name, c->dependencies.items[k]))
                LINT(ld->l, DIAG_ERROR, "E0309", lint_at(c->src, "dependencies"),
                     "dependency `%.*s` is not a container of this set",
                     STR_ARG(c->dependencies.items[k]));
    }
    size_t circle = set_circle(ld->l->a, list, &by_name);
    if (circle < list->n)
        LINT(ld->l, DIAG_ERROR, "E0309", lint_at(list->items[circle].src, "name"),
             "the containers of this set wait for one another in a circle");
}

static void check_set(struct lint_doc *ld, const struct argo_template *t)
{
    const struct argo_container_set_template *set = t->container_set;
    struct unique seen CLEANUP(unique_fini) = {0};
    bool files = (t->inputs && t->inputs->artifacts.n > 0) ||
                 (t->outputs && (t->outputs->parameters.n > 0 || t->outputs->artifacts.n > 0));
    if (set->containers.n == 0)
        LINT(ld->l, DIAG_ERROR, "E0309", set->src, "a container set needs at least one container");
    check_mounts(ld, t, &set->volume_mounts, NULL);
    for (size_t i = 0; i < set->containers.n; i++) {
        const struct argo_container_node *c = &set->containers.items[i];
        if (lint_name(ld->l, c->src, c->name, "container", NAME_FIELD))
            unique_add(ld->l, &seen, c->src, c->name, "containers");
        image_needed(ld, c->src, c->image, STR_NONE);
        lint_image(ld, c->src, c->image);
        check_mounts(ld, t, &c->volume_mounts, NULL);
        check_env(ld->l, &c->container);
    }
    check_set_order(ld, &set->containers);
    if (!files || template_container(t)) return;
    struct diag *g = LINT(ld->l, DIAG_ERROR, "E0309", set->src,
                          "no container of this set is named main");
    diag_help(ld->l->d, g, "input artifacts and outputs belong to the container named main");
}

static void check_manifest_text(struct lint *l, const struct argo_resource_template *r)
{
    struct val v;
    struct err e = {0};
    if (has_tag(r->manifest)) return;
    if (yaml_parse(l->a, r->manifest, NULL, &v, &e)) return;
    LINT(l, DIAG_ERROR, "E0314", lint_at(r->src, "manifest"), "the manifest is not valid YAML: %s",
         e.text);
}

static void check_resource(struct lint *l, const struct argo_template *t)
{
    const struct argo_resource_template *r = t->resource;
    lint_resource_kind(l, r);
    bool needs = !str_is(r->action, "get") && !str_is(r->action, "delete");
    if (!needs) return;
    if (r->manifest.n > 0 && r->manifest_from)
        LINT(l, DIAG_ERROR, "E0314", r->src, "a resource has either manifest or manifestFrom");
    else if (r->manifest.n == 0 && !r->manifest_from)
        LINT(l, DIAG_ERROR, "E0314", r->src,
             "to %.*s a resource, manifest or manifestFrom is needed", STR_ARG(r->action));
    if (r->manifest.n > 0) check_manifest_text(l, r);
    const struct argo_artifact *x = r->manifest_from ? r->manifest_from->artifact : NULL;
    if (x && x->name.p && !(t->inputs && artifact_find(&t->inputs->artifacts, x->name)))
        LINT(l, DIAG_ERROR, "E0314", lint_at(x->src, "name"),
             "`%.*s` is not an input artifact of this template", STR_ARG(x->name));
}

static void check_container(struct lint_doc *ld, const struct argo_template *t)
{
    const struct argo_template *d = defaults_of(ld);
    struct str fallback = d && d->container ? d->container->image : STR_NONE;
    image_needed(ld, t->container->src, t->container->image, fallback);
    lint_image(ld, t->container->src, t->container->image);
    check_mounts(ld, t, &t->container->volume_mounts, t->inputs ? &t->inputs->artifacts : NULL);
    check_env(ld->l, t->container);
}

static void check_script(struct lint_doc *ld, const struct argo_template *t)
{
    const struct argo_template *d = defaults_of(ld);
    struct str fallback = d && d->script ? d->script->image : STR_NONE;
    bool command = t->script->command.n > 0 || (d && d->script && d->script->command.n > 0);
    image_needed(ld, t->script->src, t->script->image, fallback);
    lint_image(ld, t->script->src, t->script->image);
    check_mounts(ld, t, &t->script->volume_mounts, t->inputs ? &t->inputs->artifacts : NULL);
    check_env(ld->l, &t->script->container);
    if (t->script->source.n == 0)
        LINT(ld->l, DIAG_ERROR, "E0315", lint_at(t->script->src, "source"),
             "the source of this script is empty");
    if (command || ld->open) return;
    struct diag *g = LINT(ld->l, DIAG_WARNING, "W0315", t->script->src,
                          "this script has no command, so its image's entrypoint gets the file");
    diag_help(ld->l->d, g, "add `command:`, such as [python]");
}

/* Argo ignores these silently. */
static void check_request_only(struct lint *l, const struct argo_template *t)
{
    static const char *const of_pods[] = {"activeDeadlineSeconds", "podSpecPatch", "volumes", "initContainers", "sidecars"};
    for (size_t i = 0; i < ARRAY_LEN(of_pods); i++)
        if (val_get(t->src, str_of(of_pods[i])))
            LINT(l, DIAG_WARNING, "W0316", lint_at(t->src, of_pods[i]), "`%s` has no effect on a request", of_pods[i]);
    if (t->outputs && t->outputs->parameters.n + t->outputs->artifacts.n > 0)
        LINT(l, DIAG_WARNING, "W0316", t->outputs->src, "a request has no outputs but `outputs.result`");
    if (t->inputs && t->inputs->artifacts.n > 0)
        LINT(l, DIAG_WARNING, "W0316", t->inputs->src, "input artifacts have no effect on a request");
}

static void check_condition(struct lint *l, const struct argo_http *h)
{
    struct err e = {0};
    if (!h->success_condition.n || has_tag(h->success_condition) || expr_check(l->a, h->success_condition, &e)) return;
    LINT(l, DIAG_ERROR, "E0316", lint_at(h->src, "successCondition"), "the condition is not an expression: %s", e.text);
}

static void check_http(struct lint *l, const struct argo_template *t)
{
    const struct argo_http *h = t->http;
    check_request_only(l, t);
    check_condition(l, h);
    if (h->body_from && h->body_from->bytes.n == 0)
        LINT(l, DIAG_ERROR, "E0316", h->body_from->src, "`bodyFrom` has no bytes");
    if (h->url.n == 0)
        LINT(l, DIAG_ERROR, "E0316", lint_at(h->src, "url"), "the request has no address");
    if (h->body.n > 0 && h->body_from)
        LINT(l, DIAG_ERROR, "E0316", h->src, "a request has either body or bodyFrom");
    if (h->timeout_seconds.set && h->timeout_seconds.v < 1)
        LINT(l, DIAG_ERROR, "E0316", lint_at(h->src, "timeoutSeconds"),
             "`timeoutSeconds` must be at least 1");
    for (size_t i = 0; i < h->headers.n; i++)
        lint_secret_named(l, h->headers.items[i].src, "value", h->headers.items[i].name, h->headers.items[i].value, true);
}

static void check_data(struct lint *l, const struct argo_data *d)
{
    if (d->source && !d->source->artifact_paths)
        LINT(l, DIAG_ERROR, "E0317", d->source->src,
             "the source of the data is missing: artifactPaths");
    if (d->transformation.n == 0)
        LINT(l, DIAG_ERROR, "E0317", d->src, "a data template needs at least one transformation");
    for (size_t i = 0; i < d->transformation.n; i++)
        lint_expression(l, val_get(d->transformation.items[i].src, STR("expression")), "expression");
}

void lint_leaf(struct lint_doc *ld, const struct argo_template *t, enum template_type type)
{
    check_helpers(ld, t, &t->init_containers, "init container");
    check_helpers(ld, t, &t->sidecars, "sidecar");
    switch (type) {
    case TEMPLATE_CONTAINER: check_container(ld, t); return;
    case TEMPLATE_SCRIPT: check_script(ld, t); return;
    case TEMPLATE_CONTAINER_SET: check_set(ld, t); return;
    case TEMPLATE_RESOURCE: check_resource(ld->l, t); return;
    case TEMPLATE_HTTP: check_http(ld->l, t); return;
    case TEMPLATE_DATA: check_data(ld->l, t->data); return;
    case TEMPLATE_SUSPEND:
        lint_duration(ld->l, t->suspend->src, "duration", t->suspend->duration, false);
        return;
    default: return;
    }
}
