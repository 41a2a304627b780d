/* podSpecPatch: in->tmpl and in->grace_ms are what comes of it. */
#include "pod/pod_p.h"
#include "spec/pod_patch.h"

bool pod_patch(struct pod *p, struct pod_input *in, struct err *e)
{
    struct val *tmpl = ARENA_NEW(p->a, struct val);
    int64_t grace_s;
    if (!pod_patch_wanted(in->workflow, in->tmpl)) return true;
    if (!pod_patch_apply(p->a, in->workflow, in->tmpl, tmpl, &grace_s, e)) return false;
    if (grace_s >= 0) in->grace_ms = (uint32_t)grace_s * 1000;
    in->tmpl = tmpl;
    return true;
}
