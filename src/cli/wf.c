/* Small accessors; every path may be missing. */
#include "cli/wf.h"

#include "base/rfc3339.h"

static struct str text_or(struct str s, struct str other) { return str_set(s) ? s : other; }

struct str wf_name(const struct val *wf) { return text_or(val_text(val_path(wf, "metadata.name")), STR("")); }

struct str wf_namespace(const struct val *wf)
{
    return text_or(val_text(val_path(wf, "metadata.namespace")), STR(""));
}

struct str wf_phase(const struct val *wf) { return text_or(val_text(val_path(wf, "status.phase")), STR("")); }

bool wf_ended(const struct val *wf)
{
    struct str p = wf_phase(wf);
    return str_is(p, "Succeeded") || str_is(p, "Failed") || str_is(p, "Error");
}

bool node_suspended(const struct val *node)
{
    return str_is(val_get_str(node, "type"), "Suspend") && str_is(val_get_str(node, "phase"), "Running");
}

static bool wf_suspended(const struct val *wf)
{
    const struct val *flag = val_path(wf, "spec.suspend"), *nodes = val_path(wf, "status.nodes");
    if (flag && flag->kind == VAL_BOOL && flag->b) return true;
    for (uint32_t i = 0; nodes && nodes->kind == VAL_MAP && i < nodes->n; i++)
        if (node_suspended(&nodes->map[i].v)) return true;
    return false;
}

struct str wf_status_text(const struct val *wf)
{
    struct str phase = wf_phase(wf);
    if (str_is(phase, "Running") && wf_suspended(wf)) return STR("Running (Suspended)");
    if (str_is(phase, "Failed") && val_text(val_path(wf, "spec.shutdown")).n) return STR("Failed (Terminated)");
    if (phase.n == 0) return val_path(wf, "metadata.creationTimestamp") ? STR("Pending") : STR("Unknown");
    return phase;
}

const struct val *wf_exec_spec(const struct val *wf)
{
    const struct val *stored = val_path(wf, "status.storedWorkflowTemplateSpec");
    return stored && stored->kind == VAL_MAP ? stored : val_path(wf, "spec");
}

int64_t wf_time(const struct val *v, const char *path)
{
    int64_t us;
    struct str text = val_text(val_path(v, path));
    return text.n && rfc3339_parse(text, &us) ? us : 0;
}

/* Go's Duration text of whole seconds: 1h2m3s. */
static void go_seconds(struct buf *b, int64_t s)
{
    if (s >= 3600) buf_printf(b, "%lldh", (long long)(s / 3600));
    if (s >= 60) buf_printf(b, "%lldm", (long long)(s / 60 % 60));
    buf_printf(b, "%llds", (long long)(s % 60));
}

void wf_resources(struct buf *b, const struct val *durations)
{
    static const struct { const char *name, *amount; } bases[] = {
        {"cpu", "1"}, {"ephemeral-storage", "10Gi"}, {"memory", "100Mi"}, {"storage", "10Gi"}};
    if (!durations || durations->kind != VAL_MAP) return;
    for (uint32_t i = 0; i < durations->n; i++) {
        const struct val_pair *p = &durations->map[i];
        const char *amount = "1";
        int64_t s = 0;
        for (size_t k = 0; k < ARRAY_LEN(bases); k++)
            if (str_is(p->key, bases[k].name)) amount = bases[k].amount;
        val_i64(&p->v, &s);
        if (i > 0) buf_char(b, ',');
        go_seconds(b, s);
        buf_printf(b, "*(%s %.*s)", amount, STR_ARG(p->key));
    }
}
