/* Node field selectors: phase=Failed,templateName!=x (argo's --node-field-selector). Fields:
 * displayName, templateName, phase, name, id, templateRef.name, templateRef.template,
 * inputs.parameters.NAME.value. Pure. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "doc/val.h"

struct nodesel {
    struct nodesel_term *terms;
    size_t n; /* 0: everything matches */
};
/* `text` NULL or "": everything. */
bool nodesel_parse(struct arena *a, const char *text, struct nodesel *out, struct err *e);
bool nodesel_matches(const struct nodesel *s, const struct val *node);
