/* successCondition and failureCondition of resource templates: label selectors over the fields of an
 * object, as Argo's executor judges them (workflow/executor/resource.go).
 *
 * A key is a dotted path ("status.phase", "spec.templates.0.name"); a member that is not there is a
 * label that is not there. All requirements of the success condition must hold; one that holds of the
 * failure condition is the end. Pure; runs on: any thread. */
#pragma once
#include "resource/selector.h"

struct condition {
    struct selector success, failure; /* requirements sorted by key */
    bool given;                       /* there is something to wait for */
};

/* Absent or empty texts: no condition. SPEC errors in Argo's words. The texts are copied. */
bool condition_parse(struct arena *a, struct str success, struct str failure, struct condition *out, struct err *e);

enum condition_state { CONDITION_OPEN, CONDITION_HOLDS, CONDITION_FAILED };
/* *why is set when it failed: "failure condition 'status.phase in (Error,Failed)' evaluated true". */
enum condition_state condition_judge(struct arena *a, const struct condition *c, const struct val *object,
                                     struct str *why);
/* Does it look at anything below `path` ("status.nodes")? */
bool condition_reads(const struct condition *c, struct str path);
