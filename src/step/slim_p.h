/* A child starts with a copy of its supervisor's mounts, and the kernel makes and drops that copy mount by mount, at
 * each start. Without root none of what the host has mounted below /proc, /sys and /dev can be dropped one by one, and
 * half of the copy is there only for steps that bind something. So such a slot keeps, beside its stage, a mount namespace
 * that has no more than the common beginning of tier ro needs (plan_common.c), and the supervisor enters it for the
 * moment of the clone. Detached mounts can be attached there as well. As root it would gain what it costs.
 * Runs on: supervisors, once. */
#pragma once
#include "step/sandbox_p.h"

bool slim_make(struct sandbox *sb, struct err *e); /* after stage_finish, before the filter */
