/* Keeping a state directory in order: what nobody needs goes, what is not as it should be is said and mended.
 *
 * Where no engine is at work its lock is taken meanwhile, so that none begins. Beside an engine only that is looked at, and
 * touched, which no engine can need again; the rest is left to it, and said to be. Runs on: the main thread. */
#pragma once
#include "config/config.h"
#include "doc/val.h"

struct upkeep;
/* `change`: rows and files are going to be changed. NOT_FOUND: there is no state directory. */
struct upkeep *upkeep_open(const struct config *c, struct str state_dir, bool change, struct err *e);
void upkeep_close(struct upkeep *u); /* NULL is fine */

/* Removes (unless opened without `change`: then it only says) logs and private files of steps whose run is gone, directories
 * of pods, contents that no key shows, journals of the dead, sockets and temporary files left behind, image layers
 * that nothing refers to, and free room in the database. *out: {"items": [{"kind", "name", "bytes"}], "bytes",
 * "left": [sentences about what was not looked at]}. */
bool upkeep_gc(struct arena *a, struct upkeep *u, struct val *out, struct err *e);

enum upkeep_health { UPKEEP_GOOD, UPKEEP_MENDED, UPKEEP_POOR, UPKEEP_BAD };
struct upkeep_finding {
    enum upkeep_health health;
    const char *check;
    struct str detail;
    const char *fix; /* what to do; NULL: nothing, or upkeep with `change` does it */
    bool mends;      /* upkeep with `change` would */
};
/* The checks of a state directory, each told once; with `change` what can be mended is. */
typedef void upkeep_told_fn(void *user, const struct upkeep_finding *f);
void upkeep_check(struct upkeep *u, upkeep_told_fn *told, void *user);
