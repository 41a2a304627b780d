/* The common beginning of all steps of a tier; see plan_p.h. */
#include "step/plan_p.h"

struct plan_common {
    struct sandbox *sb;
    struct arena arena; /* as long as the slot */
    struct step_spec specs[STEP_TIER_MAX];
    struct plan plans[STEP_TIER_MAX];
    enum { COMMON_UNKNOWN, COMMON_MADE, COMMON_NONE } state[STEP_TIER_MAX];
};

struct plan_common *plan_common_new(struct sandbox *sb)
{
    struct plan_common *c = mem_zalloc(sizeof *c);
    c->sb = sb;
    arena_init(&c->arena);
    return c;
}

static bool make(struct plan_common *c, enum step_tier tier)
{
    struct plan *p = &c->plans[tier];
    struct err ignored; /* the step's own plan will say it */
    step_spec_init(&c->specs[tier]);
    c->specs[tier].tier = tier;
    *p = (struct plan){.arena = &c->arena, .sb = c->sb, .spec = &c->specs[tier], .net_fd = -1, .root_fd = -1, .ns_fd = -1, .progress_fd = -1};
    if (tier == STEP_TIER_RO) return plan_open_paths(p, &ignored) && plan_ready_root(p, &ignored);
    return tier == STEP_TIER_OVERLAY && c->sb->overlay_root && plan_host_root(p, &ignored);
}

const struct child_ops *plan_common_ops(struct plan_common *c, enum step_tier tier)
{
    if (c->state[tier] == COMMON_UNKNOWN) c->state[tier] = make(c, tier) ? COMMON_MADE : COMMON_NONE;
    return c->state[tier] == COMMON_MADE ? &c->plans[tier].child.ops : NULL;
}
