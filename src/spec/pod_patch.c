/* See pod_patch.h. */
#include "spec/pod_patch.h"

#include "base/limits.h"
#include "doc/yaml.h"
#include "spec/merge.h"

static void add_all(struct val_builder *to, const struct val *list)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) list_add(to, list->items[i]);
}

static const struct val *named(const struct val *list, struct str name)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

static struct val containers_of(struct arena *a, const struct val *tmpl)
{
    struct val_builder b;
    list_begin(&b, a);
    const struct val *set = val_path(tmpl, "containerSet.containers"), *main = val_get(tmpl, STR("script"));
    if (!main) main = val_get(tmpl, STR("container"));
    if (set) add_all(&b, set);
    else list_add(&b, map_with(a, main, STR("name"), val_of_str(STR("main"))));
    add_all(&b, val_get(tmpl, STR("sidecars")));
    return list_done(&b);
}

/* The template's own volume comes before one of the workflow with the same name. */
static struct val volumes_of(struct arena *a, const struct val *workflow, const struct val *tmpl)
{
    const struct val *own = val_get(tmpl, STR("volumes"));
    const struct val *all = val_path(workflow, "spec.volumes");
    struct val_builder b;
    list_begin(&b, a);
    add_all(&b, own);
    for (uint32_t i = 0; all && all->kind == VAL_LIST && i < all->n; i++)
        if (!named(own, val_get_str(&all->items[i], "name"))) list_add(&b, all->items[i]);
    return list_done(&b);
}

/* As in Argo (addSchedulingConstraints): aliases of both, the workflow's first; one securityContext. */
static void pod_members(struct arena *a, struct val_builder *b, const struct val *workflow, const struct val *tmpl)
{
    static const char *const of_workflow[] = {"hostNetwork", "dnsPolicy", "dnsConfig"};
    const struct val *spec = val_get(workflow, STR("spec")), *sec = val_get(tmpl, STR("securityContext")), *v;
    const struct val *aliases[] = {val_get(spec, STR("hostAliases")), val_get(tmpl, STR("hostAliases"))};
    struct val_builder all;
    for (size_t i = 0; i < ARRAY_LEN(of_workflow); i++)
        if ((v = val_get(spec, str_of(of_workflow[i])))) map_add(b, str_of(of_workflow[i]), *v);
    if (!sec) sec = val_get(spec, STR("securityContext"));
    if (sec) map_add(b, STR("securityContext"), *sec);
    if (!aliases[0] && !aliases[1]) return;
    list_begin(&all, a);
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++) add_all(&all, aliases[i]);
    map_add(b, STR("hostAliases"), list_done(&all));
}

static struct val pod_of(struct arena *a, const struct val *workflow, const struct val *tmpl, bool whole)
{
    struct val_builder b;
    const struct val *init = val_get(tmpl, STR("initContainers"));
    map_begin(&b, a);
    if (whole) map_add(&b, STR("containers"), containers_of(a, tmpl));
    if (whole && init) map_add(&b, STR("initContainers"), *init);
    if (whole) map_add(&b, STR("volumes"), volumes_of(a, workflow, tmpl));
    pod_members(a, &b, workflow, tmpl);
    return map_done(&b);
}

static bool merge(struct arena *a, struct str text, const char *whose, struct val *pod, struct err *e)
{
    struct val patch;
    if (!text.n) return true;
    if (!yaml_parse(a, text, NULL, &patch, e)) return err_ctx(e, "%s podSpecPatch", whose), false;
    if (patch.kind != VAL_MAP) return err_set(e, ERR_SPEC, "%s podSpecPatch is no map", whose);
    *pod = merge_strategic(a, &argo_pod_spec_type, pod, &patch);
    return true;
}

/* The containers of the set keep what only a set knows; what is new beside them is a sidecar. */
static struct val split(struct arena *a, const struct val *tmpl, const struct val *containers, bool own)
{
    const struct val *set = val_path(tmpl, "containerSet.containers");
    struct val_builder b;
    list_begin(&b, a);
    for (uint32_t i = 0; containers && i < containers->n; i++) {
        struct str name = val_get_str(&containers->items[i], "name");
        bool mine = set ? named(set, name) != NULL : str_is(name, "main");
        if (mine == own) list_add(&b, containers->items[i]);
    }
    return list_done(&b);
}

static struct val template_of(struct arena *a, const struct val *tmpl, const struct val *pod)
{
    const struct val *containers = val_get(pod, STR("containers")), *volumes = val_get(pod, STR("volumes"));
    const struct val *init = val_get(pod, STR("initContainers"));
    struct val own = split(a, tmpl, containers, true), beside = split(a, tmpl, containers, false), t = *tmpl;
    const struct val *set = val_get(&t, STR("containerSet")), *script = val_get(&t, STR("script")), *main = val_get(&t, STR("container"));
    if (set) t = map_with(a, &t, STR("containerSet"), map_with(a, set, STR("containers"), own));
    else if ((script || main) && own.n) t = map_with(a, &t, str_of(script ? "script" : "container"), own.items[0]);
    if (beside.n || val_get(&t, STR("sidecars"))) t = map_with(a, &t, STR("sidecars"), beside);
    if (init) t = map_with(a, &t, STR("initContainers"), *init);
    if (volumes) t = map_with(a, &t, STR("volumes"), *volumes);
    return t;
}

static struct str text_in(const struct val *v) { return v ? val_text(v) : STR_NONE; }

bool pod_patch_wanted(const struct val *workflow, const struct val *tmpl)
{
    return text_in(val_path(workflow, "spec.podSpecPatch")).n || val_get_str(tmpl, "podSpecPatch").n;
}

bool pod_patch_apply(struct arena *a, const struct val *workflow, const struct val *tmpl, struct val *out, struct val *pod,
                     struct err *e)
{
    bool wanted = pod_patch_wanted(workflow, tmpl);
    struct val whole;
    *out = *tmpl;
    if (!pod) pod = &whole;
    *pod = pod_of(a, workflow, tmpl, wanted);
    if (!wanted) return true;
    if (!merge(a, text_in(val_path(workflow, "spec.podSpecPatch")), "the workflow's", pod, e) ||
        !merge(a, val_get_str(tmpl, "podSpecPatch"), "the template's", pod, e))
        return false;
    *out = template_of(a, tmpl, pod);
    return true;
}
