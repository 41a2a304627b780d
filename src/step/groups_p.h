/* The control groups of a slot, by which its steps are limited: made when the first step with limits comes, used
 * again by the next ones, and removed at the slot's end. The supervisor itself stays outside, so that it does not
 * die with a step that takes too much memory. Runs on: supervisors. */
#pragma once
#include "base/err.h"
#include "step/step_spec.h"

struct group {
    char *path;     /* below STEP_GROUPS_TOP; NULL: not made yet */
    int dir, procs; /* open for as long as the slot lives; of a tree of v2 all kinds have the same */
    bool unified;
};

struct groups {
    int top;          /* STEP_GROUPS_TOP of the host; -1: there is none */
    const char *slot; /* its name */
    struct group of[STEP_GROUPS];
    struct step_limits now; /* as it is set */
    int joins[STEP_GROUPS]; /* of the step: `procs` of those that it goes into */
    size_t n_joins;
    uint64_t kills;         /* counted when a step ended last */
};

/* Before the sandbox is entered, where the host's files are still to be seen. */
void groups_init(struct groups *g, const char *slot);
/* For a step: `joins` says what it goes into. Nothing is done for a step without limits. */
bool groups_set(struct groups *g, const struct step_limits *l, struct err *e);
/* The step has ended: has the kernel killed in it because of its memory? */
bool groups_killed(struct groups *g);
void groups_leave(struct groups *g); /* removes them */
