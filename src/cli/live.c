/* Feeding the live view: nodes by id, linked into a tree as their parents become known. */
#include "base/limits.h"
#include "cli/change.h"
#include "cli/live_p.h"
#include "cli/text.h"
#include "cli/wf.h"

struct live *live_new(struct style style)
{
    struct live *l = mem_zalloc(sizeof *l);
    l->style = style;
    arena_init(&l->a);
    l->icon = icon_of(STR("Pending"));
    VEC_PUSH(&l->nodes, ((struct lnode){.icon = icon_of(STR(""))}));
    return l;
}

void live_free(struct live *l)
{
    if (!l) return;
    VEC_FINI(&l->nodes);
    VEC_FINI(&l->widths);
    map_fini(&l->by_id);
    arena_fini(&l->a);
    free(l);
}

/* --- links --- */

static void node_detach(struct live *l, uint32_t i)
{
    struct lnode *n = &l->nodes.items[i], *all = l->nodes.items;
    struct lnode *p = &all[n->parent];
    if (n->prev) all[n->prev].next = n->next;
    else p->first = n->next;
    if (n->next) all[n->next].prev = n->prev;
    else p->last = n->prev;
    n->prev = n->next = n->parent = 0;
}

static void node_attach(struct live *l, uint32_t i, uint32_t parent)
{
    struct lnode *all = l->nodes.items, *n = &all[i], *p = &all[parent];
    n->parent = parent;
    n->prev = p->last;
    if (p->last) all[p->last].next = i;
    else p->first = i;
    p->last = i;
}

/* The node of an id; one that is only mentioned stands below the root until it is known. */
static uint32_t node_index(struct live *l, struct str id)
{
    struct map_slot *slot = map_get(&l->by_id, id);
    if (slot) return (uint32_t)slot->num;
    uint32_t i = (uint32_t)l->nodes.n;
    struct lnode n = {.id = str_dup(&l->a, id), .icon = icon_of(STR(""))};
    map_put(&l->by_id, n.id, NULL)->num = i;
    VEC_PUSH(&l->nodes, n);
    node_attach(l, i, 0);
    return i;
}

/* Would hanging `i` below `parent` close a circle? Chains are short: nested template calls. */
static bool is_above(const struct live *l, uint32_t i, uint32_t parent)
{
    for (int hops = 0; parent && hops < LIMIT_DOC_DEPTH; hops++) {
        if (parent == i) return true;
        parent = l->nodes.items[parent].parent;
    }
    return parent != 0;
}

static void node_move(struct live *l, uint32_t i, uint32_t parent)
{
    if (l->nodes.items[i].parent == parent || is_above(l, i, parent)) return;
    node_detach(l, i);
    node_attach(l, i, parent);
}

/* A Retry's attempts stand below it. Children are only ever appended. */
static void attempts_link(struct live *l, uint32_t i, const struct val *node)
{
    const struct val *kids = val_get(node, STR("children"));
    if (!kids || kids->kind != VAL_LIST) return;
    while (l->nodes.items[i].kids_read < kids->n) {
        struct str id = val_text(&kids->items[l->nodes.items[i].kids_read++]);
        if (!id.n) continue;
        uint32_t kid = node_index(l, id);
        node_move(l, kid, i);
        l->nodes.items[kid].fixed = l->nodes.items[kid].parent == i;
    }
}

/* --- changes --- */

static struct str clean_dup(struct live *l, struct str s)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    text_clean(&b, s);
    return buf_dup(&l->a, &b);
}

static void text_update(struct live *l, struct str *old, struct str s)
{
    if (!str_eq(*old, s)) *old = clean_dup(l, s);
}

/* Times in objects are whole seconds: what was seen is finer, unless the first sight is of an old story. */
static int64_t begun(int64_t started_us, int64_t seen_us)
{
    return started_us && seen_us - started_us > 2000000 ? started_us : seen_us;
}

static void state_update(struct live *l, struct lnode *n, const struct val *node, int64_t at_us, bool first)
{
    n->icon = icon_of(change_node_phase(node));
    int64_t started = wf_time(node, "startedAt"), finished = wf_time(node, "finishedAt");
    if (!n->started_us && lnode_running(n)) n->started_us = begun(first ? started : 0, at_us);
    if (lnode_ended(n) && !n->ended_us) {
        bool seen = n->started_us != 0;
        n->ended_us = seen || !finished ? at_us : finished;
        if (!seen) n->started_us = started && started <= n->ended_us ? started : n->ended_us;
    }
    text_update(l, &n->message, val_get_str(node, "message"));
}

/* Groups only order their steps; containers are inside their pod. */
static bool node_is_shown(const struct val *node)
{
    struct str type = val_get_str(node, "type");
    return !str_is(type, "StepGroup") && !str_is(type, "TaskGroup") && !str_is(type, "Container");
}

static void node_feed(struct live *l, const struct val *node, int64_t at_us)
{
    struct str id = val_get_str(node, "id"), boundary = val_get_str(node, "boundaryID");
    if (!id.n || !node_is_shown(node) || l->nodes.n >= LIMIT_RUN_NODES) return;
    uint32_t i = node_index(l, id);
    uint32_t parent = boundary.n ? node_index(l, boundary) : 0;
    struct lnode *n = &l->nodes.items[i];
    bool first = !n->known;
    if (first) {
        n->known = true;
        n->leaf = change_node_is_leaf(node);
        n->retry = str_is(val_get_str(node, "type"), "Retry");
        n->label = clean_dup(l, val_get_str(node, "displayName"));
        if (!n->fixed) node_move(l, i, parent);
    }
    state_update(l, n, node, at_us, first);
    if (n->retry) attempts_link(l, i, node);
}

static void status_feed(struct live *l, const struct val *status, int64_t at_us)
{
    l->icon = icon_of(val_get_str(status, "phase"));
    if (!l->has_status) l->started_us = begun(wf_time(status, "startedAt"), at_us);
    l->has_status = true;
    l->ended = l->icon->role == STYLE_OK || l->icon->role == STYLE_FAILED;
    int64_t finished = wf_time(status, "finishedAt");
    if (l->ended && !l->ended_us) l->ended_us = finished && at_us - finished > 2000000 ? finished : at_us;
    text_update(l, &l->message, val_get_str(status, "message"));
}

void live_feed(struct live *l, const struct val *v, int64_t now_us)
{
    struct change c;
    if (!change_read(v, &c)) return;
    int64_t at = c.time_us ? c.time_us : now_us;
    if (!l->workflow.n) l->workflow = clean_dup(l, c.workflow);
    if (!l->started_us) l->started_us = at;
    if (c.node) node_feed(l, c.node, at);
    else status_feed(l, c.status, at);
    l->changed = true;
}

void live_notice(struct live *l, struct str text)
{
    l->notice = clean_dup(l, text);
    l->changed = true;
}


int64_t live_next_us(const struct live *l)
{
    if (!l->drawn_us) return 0;
    return l->drawn_us + (l->changed ? LIVE_FRAME_US : 1000000);
}
