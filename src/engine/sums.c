/* What nodes show of those below them, as Argo sums it up whenever it stores a workflow (workflow/progress/updater.go,
 * util/resource/updater.go): progress of what is executed, resourcesDuration of pods. "Below" is whatever can be
 * reached over children, so a step group counts the groups after it, too.
 *
 * It is summed when a workflow is read, never stored: one end would change every node above it. Pure. */
#include "base/limits.h"
#include "base/map.h"
#include "engine/engine_p.h"

enum { NAMES_MAX = 32 }; /* of resources; what a cluster calls extended ones are few */

struct sums {
    struct arena *a;
    const struct val *nodes;
    uint32_t **children, *n_children; /* by node: indexes */
    struct progress *own;             /* of == 0: none */
    int64_t *used;                    /* by node, n_names of each */
    struct str names[NAMES_MAX];
    uint32_t n_names;
    uint32_t *seen, *stack;
    size_t visits;
};

static const struct val *node_at(const struct sums *s, uint32_t i) { return &s->nodes->map[i].v; }

static bool is_pod(const struct val *node) { return str_is(val_get_str(node, "type"), ntype_text(NTYPE_POD)); }

static bool is_counted(const struct val *node)
{
    enum node_type t;
    struct node n = {0};
    if (!ntype_parse(val_get_str(node, "type"), &t)) return false;
    n.type = (uint8_t)t;
    return progress_counts(&n);
}

static void read_children(struct sums *s)
{
    struct map index = {0};
    for (uint32_t i = 0; i < s->nodes->n; i++) map_set_ptr(&index, s->nodes->map[i].key, (void *)(uintptr_t)(i + 1));
    for (uint32_t i = 0; i < s->nodes->n; i++) {
        const struct val *list = val_get(node_at(s, i), STR("children"));
        uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
        s->children[i] = ARENA_ARRAY(s->a, uint32_t, n);
        for (uint32_t k = 0; k < n; k++) {
            uintptr_t at = (uintptr_t)map_ptr(&index, val_text(&list->items[k]));
            if (at) s->children[i][s->n_children[i]++] = (uint32_t)at - 1;
        }
    }
    map_fini(&index);
}

static int64_t *used_of(const struct sums *s, uint32_t i) { return &s->used[(size_t)i * s->n_names]; }

static void read_names(struct sums *s)
{
    for (uint32_t i = 0; i < s->nodes->n; i++) {
        const struct val *used = val_get(node_at(s, i), STR("resourcesDuration"));
        for (uint32_t k = 0; used && used->kind == VAL_MAP && k < used->n; k++) {
            uint32_t at = 0;
            while (at < s->n_names && !str_eq(s->names[at], used->map[k].key)) at++;
            if (at == s->n_names && at < NAMES_MAX) s->names[s->n_names++] = used->map[k].key;
        }
    }
}

static void read_own(struct sums *s)
{
    read_names(s);
    s->used = ARENA_ARRAY(s->a, int64_t, (size_t)s->nodes->n * s->n_names);
    for (uint32_t i = 0; i < s->nodes->n; i++) {
        const struct val *node = node_at(s, i), *used = val_get(node, STR("resourcesDuration"));
        if (is_counted(node)) progress_parse(val_get_str(node, "progress"), &s->own[i]);
        for (uint32_t k = 0; is_pod(node) && used && k < s->n_names; k++) {
            const struct val *v = val_get(used, s->names[k]);
            if (v) val_i64(v, &used_of(s, i)[k]);
        }
    }
}

static void add(struct sums *s, uint32_t i, struct progress *p, int64_t *used, bool *pods)
{
    p->done = (int64_t)((uint64_t)p->done + (uint64_t)s->own[i].done);
    p->of = (int64_t)((uint64_t)p->of + (uint64_t)s->own[i].of);
    if (!is_pod(node_at(s, i)) || !val_get(node_at(s, i), STR("resourcesDuration"))) return;
    *pods = true;
    for (uint32_t k = 0; k < s->n_names; k++) used[k] += used_of(s, i)[k];
}

/* Everything below node `top`, once. */
static void below(struct sums *s, uint32_t top, struct progress *p, int64_t *used, bool *pods)
{
    uint32_t n = 0;
    s->stack[n++] = top;
    while (n) {
        uint32_t i = s->stack[--n];
        for (uint32_t k = 0; k < s->n_children[i]; k++) {
            uint32_t c = s->children[i][k];
            s->visits++;
            if (s->seen[c] == top + 1) continue;
            s->seen[c] = top + 1;
            add(s, c, p, used, pods);
            s->stack[n++] = c;
        }
    }
}

static struct val with_sums(struct sums *s, uint32_t i)
{
    const struct val *node = node_at(s, i);
    struct progress p = {0};
    int64_t used[NAMES_MAX] = {0};
    bool pods = false;
    enum node_phase phase;
    struct val_builder b, r;
    below(s, i, &p, used, &pods);
    map_begin(&b, s->a);
    for (uint32_t k = 0; k < node->n; k++) map_add(&b, node->map[k].key, node->map[k].v);
    bool shows = !is_counted(node) && p.of > 0 && p.done >= 0 && p.done <= p.of;
    if (shows) map_set(&b, STR("progress"), val_of_str(str_fmt(s->a, "%lld/%lld", (long long)p.done, (long long)p.of)));
    if (pods && phase_parse(val_get_str(node, "phase"), &phase) && phase_fulfilled(phase)) {
        map_begin(&r, s->a);
        for (uint32_t k = 0; k < s->n_names; k++) map_add(&r, s->names[k], val_of_i64(s->a, used[k]));
        map_set(&b, STR("resourcesDuration"), map_done(&r));
    }
    return map_done(&b);
}

struct val nodes_sum(struct arena *a, const struct val *nodes)
{
    uint32_t n = nodes->n;
    struct sums s = {.a = a, .nodes = nodes, .children = ARENA_ARRAY(a, uint32_t *, n), .n_children = ARENA_ARRAY(a, uint32_t, n),
                     .own = ARENA_ARRAY(a, struct progress, n), .seen = ARENA_ARRAY(a, uint32_t, n),
                     .stack = ARENA_ARRAY(a, uint32_t, n + 1)};
    struct val_builder b;
    if (nodes->kind != VAL_MAP) return *nodes;
    read_children(&s);
    read_own(&s);
    map_begin(&b, a);
    for (uint32_t i = 0; i < n; i++) {
        bool known = is_pod(node_at(&s, i)) || !s.n_children[i] || s.visits > LIMIT_SUM_VISITS;
        map_add(&b, nodes->map[i].key, known ? *node_at(&s, i) : with_sums(&s, i));
    }
    return map_done(&b);
}
