/* Accessors of the change stream. */
#include "cli/change.h"

#include "cli/wf.h"

bool change_read(const struct val *v, struct change *out)
{
    *out = (struct change){.workflow = val_text(val_path(v, "workflow.name"))};
    struct str type = val_get_str(v, "type");
    const struct val *seq = val_get(v, STR("seq")), *time = val_get(v, STR("timeUs"));
    if (seq) val_i64(seq, &out->seq);
    if (time) val_i64(time, &out->time_us);
    if (str_is(type, "node")) out->node = val_get(v, STR("node"));
    if (str_is(type, "workflow") || str_is(type, "deleted")) out->status = val_get(v, STR("status"));
    return out->node || out->status;
}

struct str change_node_phase(const struct val *node)
{
    const struct val *hit = val_path(node, "memoizationStatus.hit");
    struct str phase = val_get_str(node, "phase");
    if (node_suspended(node)) return STR("Suspended");
    if (hit && hit->kind == VAL_BOOL && hit->b && str_is(phase, "Succeeded")) return STR("Cached");
    return str_set(phase) ? phase : STR("");
}

struct str change_node_label(struct str workflow, const struct val *node)
{
    struct str name = val_get_str(node, "name");
    if (!name.n) return val_get_str(node, "displayName");
    struct str template_name = val_get_str(node, "templateName");
    if (str_eq(name, workflow)) return template_name.n ? template_name : name; /* the whole run is one step */
    if (!str_starts(name, workflow)) return name;
    struct str rest = str_from(name, workflow.n);
    if (rest.p[0] == '[') {
        ptrdiff_t close = str_find(rest, STR("]."), 0);
        return close > 0 ? str_from(rest, (size_t)close + 2) : name;
    }
    return rest.p[0] == '.' ? str_from(rest, 1) : rest.p[0] == '(' ? name : rest;
}

bool change_node_is_leaf(const struct val *node)
{
    static const char *const types[] = {"Pod", "Container", "Suspend", "HTTP", "Plugin", "Skipped"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_is(val_get_str(node, "type"), types[i])) return true;
    return false;
}
