/* The words of a kubectl command as `flags` of a resource template give them: what they select.
 *
 * Pure; runs on: any thread. Format reference: kubectl's own messages for what cannot be read. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct kubectl_target {
    struct str kind, name; /* kind as written: "workflow", "cm", "workflows.argoproj.io" */
};

struct kubectl {
    const struct kubectl_target *targets; /* "KIND NAME…" or "KIND/NAME…" */
    size_t n_targets;
    struct str kind;      /* "KIND" alone, for --selector and --all; else absent */
    struct str ns;        /* absent: that of the workflow */
    struct str labels, fields; /* selectors; absent: none */
    bool all, ignore_not_found;
};

bool kubectl_parse(struct arena *a, const struct str *words, size_t n, struct kubectl *out, struct err *e);
/* Anything that selects objects: then there is no need of a manifest. */
bool kubectl_selects(const struct kubectl *k);
