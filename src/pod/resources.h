/* What the containers of a pod ask for, as Kubernetes counts it (component-helpers/resource): a container asks for
 * its requests, else for its limits; a pod for the sum over its containers and sidecars, or for what its largest
 * init container wants, if that is more. Init containers that go on (restartPolicy Always) are sidecars, and count beside the
 * init containers after them. Pure. Runs on: any thread. */
#pragma once
#include "doc/val.h"
#include "step/step_spec.h"

enum pod_resource {
#define RESOURCE(id, name, unit, doc) POD_##id,
#include "pod/resources.def"
#undef RESOURCE
    POD_RESOURCES,
    POD_DEVICES = POD_NVIDIA /* from here on: what is counted one by one, and is given to one pod alone */
};

struct pod_needs {
    int64_t of[POD_RESOURCES]; /* memory in bytes, processors in thousandths, devices by number */
};

const char *pod_resource_name(enum pod_resource r); /* "cpu", "nvidia.com/gpu" */
/* One quantity in the unit of the resource, rounded up. */
bool pod_quantity(enum pod_resource r, struct str text, int64_t *out);
/* Of the whole pod. `tmpl`: everything substituted, patches applied; `shared`: podResources, or NULL. */
bool pod_needs(const struct val *tmpl, const struct val *shared, struct pod_needs *out, struct err *e);
/* Which of the pod's devices, in their order, are those of the container: n of them, from *first. Containers and
 * sidecars have their own; init containers that end before those begin may have the same ones. */
uint32_t pod_devices(const struct val *tmpl, struct str container, enum pod_resource r, uint32_t *first);
/* What one container is limited to; the control groups are left absent. `shared`: as above. */
bool pod_limits(const struct val *container, const struct val *shared, struct step_limits *out, struct err *e);
