/* A directory of this process's own beside `path`, for what is to be there. It goes with the process, whatever ends it (os/litter.h); what has
 * been given its name is no longer in it, so nothing that may be somebody else's is ever removed. Runs on: one thread. */
#pragma once
#include <limits.h>

#include "artifact/artifact.h"

enum { BESIDE_PATH = PATH_MAX, BESIDE_NAME = 16 }; /* with names of so many bytes in it */

struct litter;
struct beside {
    char dir[BESIDE_PATH - BESIDE_NAME];
    struct litter *litter;
};
bool beside_begin(struct beside *b, const char *path, struct err *e);
/* A copy at `to`, whole or not at all. CONFLICT: something is there. */
bool beside_load(const struct beside *b, struct artifact_repo *repo, const struct artifact_ref *ref, const char *to, struct err *e);
void beside_end(struct beside *b);
