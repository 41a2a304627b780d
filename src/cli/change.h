/* One change of a run as it comes from the engine's stream, one JSON value each:
 *   {"seq":7,"workflow":{"namespace":"default","name":"wf","uid":"…"},"type":"node","node":{NodeStatus}}
 *   {"seq":8,"workflow":{…},"type":"workflow","status":{"phase":…,"startedAt":…,"message":…,"progress":…}}
 *   {"seq":9,"workflow":{…},"type":"deleted","status":{"phase":"Failed","message":"deleted"}}
 * "timeUs" (optional): the wall time at which it was told. Pure. Runs on: any thread. */
#pragma once
#include "doc/val.h"

struct change {
    int64_t seq, time_us;       /* time_us 0: not given */
    struct str workflow;        /* its name */
    const struct val *node;     /* exactly one of node and status is set */
    const struct val *status;
};
/* false: not a change (an unknown type is skipped by the caller). */
bool change_read(const struct val *v, struct change *out);

/* "Succeeded", …; "Cached" for a memoized hit, "Suspended" for a suspend step that waits. */
struct str change_node_phase(const struct val *node);
/* A node's name as a person writes it: without the workflow's name and leading "[0]." or "."; the
 * template's name for a run of one step. */
struct str change_node_label(struct str workflow, const struct val *node);
/* Does this node run something (or wait), rather than group others? */
bool change_node_is_leaf(const struct val *node);
