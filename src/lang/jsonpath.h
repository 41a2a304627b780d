/* JSONPath in the two dialects that Argo uses. Runs on: any thread; pure. */
#pragma once
#include "base/err.h"
#include "doc/val.h"

/* kubectl's templates, as valueFrom.jsonPath of resource templates: "{.status.phase}",
 * "{range .items[*]}{.metadata.name}{'\n'}{end}", text outside of braces as it is. What does not exist
 * gives nothing, as `kubectl get` has it. Format reference: kubernetes.io/docs/reference/kubectl/jsonpath. */
bool jsonpath_template(struct arena *a, struct str text, const struct val *root, struct str *out,
                       struct err *e);
