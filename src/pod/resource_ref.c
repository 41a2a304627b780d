/* resourceFieldRef: what a container may use, as a number (pkg/api/v1/resource ExtractResourceValueByContainerName). What
 * has no limit has that of the machine; what is not requested has the request that the limit amounts to. */
#include "lang/quantity.h"
#include "pod/pod_p.h"

static const struct val *container_named(const struct pod *p, struct str name)
{
    const struct val *tmpl = p->in->tmpl, *set = val_path(tmpl, "containerSet.containers"), *script = val_get(tmpl, STR("script"));
    const struct val *part = pod_part(tmpl, name);
    if (!name.n) return p->main;
    if (part) return part;
    if (set) return pod_volume_named(set, name);
    if (!str_is(name, "main")) return NULL;
    return script ? script : val_get(tmpl, STR("container"));
}

static bool quantity_at(const struct val *resources, const char *kind, struct str name, int64_t *milli)
{
    struct str text = val_text(val_get(val_get(resources, str_of(kind)), name));
    return text.n && quantity_milli(text, milli);
}

/* In thousandths. False: the machine has no number for it. */
static bool amount(const struct pod *p, const struct val *resources, bool limit, struct str name, int64_t *milli)
{
    bool cpu = str_is(name, "cpu"), memory = str_is(name, "memory");
    *milli = 0;
    if (!limit && quantity_at(resources, "requests", name, milli)) return true;
    if (quantity_at(resources, "limits", name, milli)) return true;
    if (limit && cpu) *milli = (int64_t)p->in->cpus * 1000;
    if (limit && memory) *milli = (int64_t)MIN(p->in->ram_bytes, (uint64_t)INT64_MAX / 1000) * 1000;
    return cpu || memory || !limit;
}

bool pod_resource_ref(struct pod *p, const struct val *ref, struct str *out, struct err *e)
{
    struct str what = val_get_str(ref, "resource"), kind, name, unit = val_text(val_get(ref, STR("divisor")));
    struct str who = val_get_str(ref, "containerName");
    const struct val *container = container_named(p, who);
    int64_t milli, divisor = 1000;
    bool known = str_cut(what, '.', &kind, &name) && (str_is(kind, "limits") || str_is(kind, "requests"));
    if (!container) return err_set(e, ERR_SPEC, "resourceFieldRef: the pod has no container '%.*s'", STR_ARG(who));
    if (unit.n && !str_is(unit, "0") && (!quantity_milli(unit, &divisor) || divisor <= 0))
        return err_set(e, ERR_SPEC, "resourceFieldRef: divisor '%.*s' is no quantity", STR_ARG(unit));
    if (!known || !amount(p, val_get(container, STR("resources")), str_is(kind, "limits"), name, &milli))
        return err_set(e, ERR_UNSUPPORTED, "resourceFieldRef '%.*s' is not supported", STR_ARG(what));
    *out = str_fmt(p->a, "%lld", (long long)(milli / divisor + (milli % divisor > 0)));
    return true;
}
