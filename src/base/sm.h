/* State-machine helper: a state moves only along declared edges; any other move is a bug.
 *
 *   static const struct sm_edges node_edges[NODE_MAX] = { [NODE_PENDING] = {SM(RUNNING)|SM(ERROR)} };
 *   SM_MOVE(node_edges, &n->phase, NODE_RUNNING); */
#pragma once
#include "base/base.h"

struct sm_edges {
    uint32_t to; /* bit i: state i may follow */
};

#define SM_BIT(state) (1u << (state))
#define SM_MOVE(edges, state_ptr, next)                                                            \
    do {                                                                                           \
        ASSERT((edges)[*(state_ptr)].to & SM_BIT(next));                                           \
        *(state_ptr) = (next);                                                                     \
    } while (0)
