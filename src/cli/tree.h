/* The `get` view of one Workflow object: rows of facts, then the tree of its nodes.
 *
 * Follows argo's rules: step groups are not shown but group their children (┬─), a Retry with one
 * attempt is replaced by it, omitted nodes are left out, siblings stand in the order of their start.
 * The exit handler and other hooks are trees of their own. Pure. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "engine/nodesel.h"
#include "cli/style.h"
#include "doc/val.h"

enum view_form { VIEW_DEFAULT, VIEW_WIDE, VIEW_SHORT };

struct view_opts {
    int64_t now_us;
    int tz_s; /* seconds east of UTC, for time stamps */
    struct style style;
    enum view_form form;
    struct nodesel nodes; /* which nodes to show; none: all */
};

void view_workflow(struct arena *a, const struct val *wf, const struct view_opts *o, struct buf *out);
/* The table alone; nothing when the run has no nodes. */
void view_tree(struct arena *a, const struct val *wf, const struct view_opts *o, struct buf *out);
