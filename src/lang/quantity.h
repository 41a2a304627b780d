/* Kubernetes' quantities ("500m", "1.5Gi", "1e3") in thousandths, rounded away from zero as MilliValue does.
 * Format reference: k8s.io/apimachinery pkg/api/resource. Runs on: any thread; pure. */
#pragma once
#include "base/str.h"

/* False: that is none, or it does not fit. */
bool quantity_milli(struct str text, int64_t *out);
