/* Building the stage (sandbox_p.h). Runs on: supervisors, once. */
#pragma once
#include "step/sandbox_p.h"

/* Where it is while the host's root is still the root: sysfs is always there, and what is mounted
 * over it in this namespace is not seen by anybody else. */
#define STAGE_NOW "/proc"

bool stage_make(struct sandbox *sb, const struct sandbox_config *c, struct err *e);
bool stage_finish(struct sandbox *sb, struct err *e); /* after pivot: the state directory's own mount etc. */
