/* podSpecPatch: the workflow's, then the template's, as strategic merge patches of the pod that the
 * template amounts to (workflow/util ApplyPodSpecPatch). What comes out is a template again, so that
 * nobody else knows of patches: containers that a patch adds are its sidecars and init containers. Fields
 * that mean nothing on one machine are left out; lint names them. Runs on: any thread; pure. */
#pragma once
#include "base/err.h"
#include "doc/val.h"

bool pod_patch_wanted(const struct val *workflow, const struct val *tmpl);
/* Both with everything substituted. `pod` (may be NULL): what the pod has beside containers and volumes, as members of a
 * pod's spec (hostNetwork, securityContext, …). The template itself when there is no patch. */
bool pod_patch_apply(struct arena *a, const struct val *workflow, const struct val *tmpl, struct val *out, struct val *pod,
                     struct err *e);
