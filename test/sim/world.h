/* The simulated world of one case: a virtual clock, pods whose fate is a pure function of a seed, and
 * a state directory in memory that survives crashes of the engine. The contract is README.md. */
#pragma once
#include "base/vec.h"
#include "engine/engine.h"

/* A container of a pod, or what asks whether a daemon is ready. */
enum { PART_PROBE = UINT32_MAX };
struct pod {
    uint32_t node; /* index */
    uint32_t part; /* engine.h, node_parts; PART_PROBE */
    int64_t from_us, end_us; /* NEVER: not by itself */
    struct str name;
};
#define NEVER INT64_MAX

struct kept_map {
    struct str name, text; /* JSON */
};

/* What was committed, as text: the only thing that outlives a crash. */
struct stored {
    VEC(struct saved_node) rows;
    struct str status, priv;
};

/* splitmix64 */
struct stream {
    uint64_t state;
};
uint64_t draw(struct stream *s);

struct fate {
    int64_t duration_us;
    struct step_outcome how;
};

struct world {
    struct arena arena; /* of the case */
    struct run_opts opts;
    struct run *run;
    struct stored stored;
    VEC(struct pod) pods;
    const struct val *templates; /* list of documents to look templates up in */
    const struct val *fate;
    bool shell;                 /* steps do what their commands say; else they are drawn */
    const struct val *given;    /* map node name -> what is known of its pod, or NULL */
    const struct val *commands; /* list of what is done to the run from outside, in order; NULL: none */
    uint32_t next_command;
    int64_t now_us, start_us, end_us;
    uint64_t crash_state; /* random stream of the crashes */
    uint32_t crash_pct;   /* of the events before, and as many after their commit */
    uint32_t crashes;
    bool in_command; /* a reset is not committed with what follows from it, so a crash may come between */
    VEC(struct kept_map) maps; /* ConfigMaps that were written; the last of a name counts */
    size_t n_maps;             /* of those, committed */
};

/* Runs the case to its end; false when it cannot be run. */
bool world_run(struct world *w, const struct val *the_case, struct err *e);
void world_fini(struct world *w);

struct fate fate_of(struct world *w, const struct node *n, const struct val *tmpl);
struct fate fate_of_part(struct world *w, const struct node *n, uint32_t part, const struct val *tmpl);
int64_t fate_ready_us(const struct val *tmpl); /* of a daemon, after its start; NEVER */
/* Of a member that is a number; else 0. */
int64_t val_number(const struct val *map, const char *key);

/* commands.c: when the next command is due; INT64_MAX: none is left, or it waits for the end. */
int64_t command_due(const struct world *w);
/* Gives the engine the command. False: the engine refused, which is as good as not having asked. */
void command_deliver(struct world *w, const struct val *command, struct outbox *out);
/* The workflow from now on has this name. */
void world_rename(struct world *w, struct str name);
/* The committed form of everything. */
void world_store(struct world *w);

/* The result line of README.md 1.2. */
/* `whole`: with the Workflow object as its users see it. */
void normal_write(struct buf *b, struct run *r, bool whole);
