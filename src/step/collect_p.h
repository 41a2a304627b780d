/* Outputs of an ended step: parameters are read, artifacts moved (or copied) into
 * <work>/outputs. Paths are resolved inside the step's root and never lead out of it. What the
 * step's user could not read is not read for him. Runs on: supervisors. */
#pragma once
#include "step/plan_p.h"
#include "step/step_result.h"

bool collect_outputs(struct plan *p, struct step_result *r, struct err *e);
