/* podSpecPatch: the workflow's, then the template's, as strategic merge patches of the pod that the
 * template amounts to (workflow/util ApplyPodSpecPatch). What comes out is a template again, so that the
 * rest of the planning knows nothing of patches. Fields that mean nothing on one machine are left out;
 * lint names them. */
#include "base/limits.h"
#include "doc/yaml.h"
#include "pod/pod_p.h"
#include "spec/merge.h"

static struct val with(struct arena *a, const struct val *map, const char *key, struct val v)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) map_add(&b, map->map[i].key, map->map[i].v);
    map_set(&b, str_of(key), v);
    return map_done(&b);
}

static void add_all(struct val_builder *to, const struct val *list)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) list_add(to, list->items[i]);
}

static struct val containers_of(struct pod *p)
{
    struct val_builder b;
    list_begin(&b, p->a);
    const struct val *set = val_path(p->in->tmpl, "containerSet.containers");
    if (set) add_all(&b, set);
    else list_add(&b, with(p->a, p->main, "name", val_of_str(STR("main"))));
    add_all(&b, val_get(p->in->tmpl, STR("sidecars")));
    return list_done(&b);
}

/* The template's own volume comes before one of the workflow with the same name. */
static struct val volumes_of(struct pod *p)
{
    const struct val *own = val_get(p->in->tmpl, STR("volumes"));
    const struct val *all = val_path(p->in->workflow, "spec.volumes");
    struct val_builder b;
    list_begin(&b, p->a);
    add_all(&b, own);
    for (uint32_t i = 0; all && all->kind == VAL_LIST && i < all->n; i++)
        if (!pod_volume_named(own, val_get_str(&all->items[i], "name"))) list_add(&b, all->items[i]);
    return list_done(&b);
}

static struct val pod_of(struct pod *p)
{
    struct val_builder b;
    const struct val *sec = val_get(p->in->tmpl, STR("securityContext")), *init = val_get(p->in->tmpl, STR("initContainers"));
    if (!sec) sec = val_path(p->in->workflow, "spec.securityContext");
    map_begin(&b, p->a);
    map_add(&b, STR("containers"), containers_of(p));
    if (init) map_add(&b, STR("initContainers"), *init);
    map_add(&b, STR("volumes"), volumes_of(p));
    if (sec) map_add(&b, STR("securityContext"), *sec);
    return map_done(&b);
}

static bool apply(struct pod *p, struct str text, const char *whose, struct val *pod, struct err *e)
{
    struct val patch;
    if (!text.n) return true;
    if (!yaml_parse(p->a, text, NULL, &patch, e)) return err_ctx(e, "%s podSpecPatch", whose), false;
    if (patch.kind != VAL_MAP) return err_set(e, ERR_SPEC, "%s podSpecPatch is no map", whose);
    *pod = merge_strategic(p->a, &argo_pod_spec_type, pod, &patch);
    return true;
}

/* The containers of the set keep what only a set knows; what is new beside them is a sidecar. */
static struct val split(struct pod *p, const struct val *containers, bool own)
{
    const struct val *set = val_path(p->in->tmpl, "containerSet.containers");
    struct val_builder b;
    list_begin(&b, p->a);
    for (uint32_t i = 0; containers && i < containers->n; i++) {
        struct str name = val_get_str(&containers->items[i], "name");
        bool mine = set ? pod_volume_named(set, name) != NULL : str_is(name, "main");
        if (mine == own) list_add(&b, containers->items[i]);
    }
    return list_done(&b);
}

static struct val template_of(struct pod *p, const struct val *pod)
{
    const struct val *containers = val_get(pod, STR("containers")), *volumes = val_get(pod, STR("volumes"));
    const struct val *init = val_get(pod, STR("initContainers")), *sec = val_get(pod, STR("securityContext"));
    struct val own = split(p, containers, true), beside = split(p, containers, false), t = *p->in->tmpl;
    const struct val *set = val_get(&t, STR("containerSet"));
    if (set) t = with(p->a, &t, "containerSet", with(p->a, set, "containers", own));
    else if (own.n) t = with(p->a, &t, p->is_script ? "script" : "container", own.items[0]);
    if (beside.n) t = with(p->a, &t, "sidecars", beside);
    if (init) t = with(p->a, &t, "initContainers", *init);
    if (volumes) t = with(p->a, &t, "volumes", *volumes);
    if (sec) t = with(p->a, &t, "securityContext", *sec);
    return t;
}

bool pod_patch(struct pod *p, struct pod_input *in, struct err *e)
{
    struct str all = val_text(val_path(in->workflow, "spec.podSpecPatch")), own = val_get_str(in->tmpl, "podSpecPatch");
    int64_t grace;
    if (!all.n && !own.n) return true;
    struct val pod = pod_of(p);
    if (!apply(p, all, "the workflow's", &pod, e) || !apply(p, own, "the template's", &pod, e)) return false;
    struct val *tmpl = ARENA_NEW(p->a, struct val);
    *tmpl = template_of(p, &pod);
    const struct val *term = val_get(&pod, STR("terminationGracePeriodSeconds"));
    if (term && val_i64(term, &grace) && grace >= 0 && grace <= LIMIT_GRACE_S) in->grace_ms = (uint32_t)grace * 1000;
    in->tmpl = tmpl;
    return true;
}
