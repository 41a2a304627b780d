/* Merging documents as Kubernetes' strategic merge does, driven by the field tables: maps field by
 * field, lists with a merge key item by item, everything else is replaced. What the overlay says
 * wins; null removes; `$patch: delete` and `$patch: replace` are honoured. Format reference:
 * k8s.io/apimachinery strategicpatch. Results share unchanged parts with their sources.
 * Runs on: any thread; pure. */
#pragma once
#include "spec/argo_gen.h"
#include "spec/template.h"

/* `t` describes both values; NULL = no types known: a JSON merge patch. Either value may be NULL. */
struct val merge_strategic(struct arena *a, const struct field_type *t, const struct val *base,
                           const struct val *overlay);

/* RFC 7386, and RFC 6902 (a list of operations; false when one cannot be applied). */
struct val merge_json(struct arena *a, const struct val *base, const struct val *overlay);
bool patch_json(struct arena *a, const struct val *base, const struct val *operations, struct val *out,
                struct err *e);

/* The spec that a Workflow with workflowTemplateRef runs: Workflow over template over configured
 * defaults (either may be NULL). suspend and priority never come from the template. */
struct val merge_workflow_spec(struct arena *a, const struct val *workflow_spec,
                               const struct val *template_spec, const struct val *defaults_spec);

/* `tmpl` over templateDefaults; a body in the defaults counts only for templates of that type. */
struct val merge_template_defaults(struct arena *a, const struct val *defaults, const struct val *tmpl);

/* merge_template_defaults for every template of a spec; `spec` itself when it has no defaults. */
struct val merge_spec_defaults(struct arena *a, const struct val *spec);
