/* What slots of engines before this one have begun, and slots of this one whose supervisor died:
 * their journals, read once and then only where they grow. Runs on: one thread. */
#pragma once
#include "step/launcher.h"

struct past;

/* Reads <state_dir>/slots. NULL with e when that cannot be read. */
struct past *past_open(struct str state_dir, struct err *e);
void past_close(struct past *p); /* NULL is fine */
/* One more: of a slot of this engine whose supervisor is gone. `talked`: it was adopted, and its connection broke: should
 * it live, it is of another version, and the end of its step is read in its journal. */
void past_add(struct past *p, const char *name, bool talked);
/* Looks again at the journals whose supervisors lived. Before a round of past_find. */
void past_refresh(struct past *p);

enum adopt_outcome {
    ADOPT_RUNNING,  /* *slot delivers its events */
    ADOPT_FINISHED, /* *result, which lives in the arena */
    ADOPT_LOST,     /* it began, and is dead: it will never report an end */
    ADOPT_NEVER,    /* it never began, and cannot begin any more */
    ADOPT_BUSY,     /* a supervisor that may have it lives but does not answer yet: ask again (some ms later) */
    ADOPT_FAILED,   /* `e` */
};
/* What became of step `id`? O(1). */
enum adopt_outcome past_find(struct past *p, struct arena *a, uint64_t id, struct slot **slot,
                             struct step_result *result, struct err *e);

/* Removes the journals of the dead: everything that was found in them is stored elsewhere now. */
void past_forget_dead(struct past *p);
/* Removes one journal: its slot is closed, and what it reported is stored. */
void past_remove(struct str state_dir, const char *name);
