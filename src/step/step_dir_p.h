/* The directory of a step, <state>/steps/<id>: made when there is something to put into it. Most steps
 * that print nothing and save nothing never need one. Runs on: supervisors. */
#pragma once
#include "base/err.h"

struct step_dir {
    const char *path; /* as the supervisor sees it */
    int fd;           /* -1: not made yet */
};

/* Makes and opens it; again is fine. */
bool step_dir_open(struct step_dir *d, struct err *e);
void step_dir_close(struct step_dir *d);
