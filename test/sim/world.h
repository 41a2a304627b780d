/* The simulated world of one case: a virtual clock, pods whose fate is a pure function of a seed, and
 * a state directory in memory that survives crashes of the engine. The contract is README.md. */
#pragma once
#include "base/vec.h"
#include "engine/engine.h"

struct pod {
    uint32_t node; /* index */
    int64_t end_us;
    struct str name;
};

struct kept_map {
    struct str name, text; /* JSON */
};

/* What was committed, as text: the only thing that outlives a crash. */
struct stored {
    VEC(struct saved_node) rows;
    struct str status, priv;
};

struct world {
    struct arena arena; /* of the case */
    struct run_opts opts;
    struct run *run;
    struct stored stored;
    VEC(struct pod) pods;
    const struct val *templates; /* list of documents to look templates up in */
    const struct val *fate;
    int64_t now_us, end_us;
    uint64_t crash_state; /* random stream of the crashes */
    uint32_t crash_pct;   /* of the events before, and as many after their commit */
    uint32_t crashes;
    VEC(struct kept_map) maps; /* ConfigMaps that were written; the last of a name counts */
    size_t n_maps;             /* of those, committed */
};

/* Runs the case to its end; false when it cannot be run. */
bool world_run(struct world *w, const struct val *the_case, struct err *e);
void world_fini(struct world *w);

/* The result line of README.md 1.2. */
void normal_write(struct buf *b, struct run *r);
