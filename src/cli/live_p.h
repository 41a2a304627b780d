/* The model that live.c keeps and live_draw.c shows. Private to these two. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "cli/live.h"

/* One node; links are indices into live.nodes, 0 is the root of all and stands for "none". */
struct lnode {
    struct str id, label, message;
    const struct icon *icon;
    int64_t started_us, ended_us; /* as seen; 0: not yet */
    uint32_t parent, prev, next, first, last;
    uint32_t kids_read; /* of a Retry: how many of its children are linked */
    bool known;         /* false: only mentioned by others so far */
    bool fixed;         /* its parent is a Retry, whatever its boundary */
    bool leaf, retry;
};

struct live {
    struct style style;
    struct arena a;
    struct map by_id; /* id → index */
    VEC(struct lnode) nodes;
    struct str workflow, message, notice;
    const struct icon *icon; /* of the workflow */
    int64_t started_us, ended_us;
    int64_t drawn_us; /* 0: never */
    bool changed, ended, has_status;
    VEC(size_t) widths; /* cells of each line of the frame on the screen */
};

static inline bool lnode_ok(const struct lnode *n)
{
    return n->icon->role == STYLE_OK || n->icon->role == STYLE_SKIPPED;
}
static inline bool lnode_failed(const struct lnode *n) { return n->icon->role == STYLE_FAILED; }
static inline bool lnode_running(const struct lnode *n) { return n->icon->role == STYLE_RUNNING; }
static inline bool lnode_ended(const struct lnode *n) { return lnode_ok(n) || lnode_failed(n); }
/* What the counter counts: steps, a retried step once. */
static inline bool lnode_unit(const struct lnode *n) { return n->known && (n->leaf || n->retry) && !n->fixed; }
