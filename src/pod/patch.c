/* podSpecPatch: in->tmpl, in->grace_ms and p->pod are what comes of it. */
#include "base/limits.h"
#include "pod/pod_p.h"
#include "spec/pod_patch.h"

bool pod_patch(struct pod *p, struct pod_input *in, struct err *e)
{
    struct val *tmpl = ARENA_NEW(p->a, struct val);
    int64_t grace_s;
    if (!pod_patch_apply(p->a, in->workflow, in->tmpl, tmpl, &p->pod, e)) return false;
    const struct val *grace = val_get(&p->pod, STR("terminationGracePeriodSeconds"));
    if (grace && val_i64(grace, &grace_s) && grace_s >= 0 && grace_s <= LIMIT_GRACE_S) in->grace_ms = (uint32_t)grace_s * 1000;
    in->tmpl = tmpl;
    return true;
}
