/* resourcesDuration: for how long a pod had what its containers ask for (util/resource/duration.go, summary.go).
 *
 * Each container counts by itself: what it requests, else its limits, else 100m and 100Mi, times the whole seconds
 * that it ran, in units of one core, 100Mi and 10Gi of storage. A pod shows the sum when it has ended; the
 * workflow's is that of its pods. podResources belong to the first container that asks for nothing of its own. */
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/quantity.h"
#include "spec/pod_patch.h"

enum { RATES_MAX = 32 };

struct rates {
    uint32_t n;
    struct rate {
        struct str name;
        int64_t milli;
    } items[RATES_MAX];
};

static const char *const lists[] = {"initContainers", "containerSet.containers", "sidecars"};
static const char *const bodies[] = {"container", "script"};

/* ---- what a container asks for ---- */

/* In thousandths: what counts as one. */
static int64_t unit_of(struct str name)
{
    if (str_is(name, "memory")) return (int64_t)1000 * 100 << 20;
    if (str_is(name, "storage") || str_is(name, "ephemeral-storage")) return (int64_t)1000 * 10 << 30;
    return 1000;
}

static void rate_set(struct rates *to, struct str name, int64_t milli)
{
    uint32_t i = 0;
    while (i < to->n && !str_eq(to->items[i].name, name)) i++;
    if (i == RATES_MAX) return;
    to->items[i] = (struct rate){name, milli};
    to->n = MAX(to->n, i + 1);
}

static void rates_add(struct rates *to, const struct val *resources)
{
    static const char *const kinds[] = {"limits", "requests"}; /* what is requested says last */
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct val *map = val_get(resources, str_of(kinds[k]));
        for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) {
            int64_t milli;
            if (quantity_milli(val_text(&map->map[i].v), &milli)) rate_set(to, map->map[i].key, milli);
        }
    }
}

static bool asks(const struct val *container)
{
    const struct val *resources = val_get(container, STR("resources"));
    const struct val *limits = val_get(resources, STR("limits")), *requests = val_get(resources, STR("requests"));
    return (limits && limits->n) || (requests && requests->n);
}

static bool list_asks(const struct val *list)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (val_get(&list->items[i], STR("resources"))) return true;
    return false;
}

/* Most templates ask for nothing, and need not be filled in to know it. */
static bool is_plain(const struct run *r, const struct val *tmpl)
{
    if (pod_patch_wanted(r->opts.workflow, tmpl) || val_get(tmpl, STR("podResources")) || val_get(r->spec, STR("podResources"))) return false;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (val_get(val_get(tmpl, str_of(bodies[i])), STR("resources"))) return false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (list_asks(val_path(tmpl, lists[i]))) return false;
    return true;
}

bool node_may_ask(const struct run *r, struct node *n)
{
    struct node *pod = node_pod(n);
    return pod->tmpl && !is_plain(r, pod->tmpl->src);
}

const struct val *run_pod_resources(const struct run *r, const struct val *tmpl)
{
    const struct val *own = val_get(tmpl, STR("podResources"));
    return own ? own : val_get(r->spec, STR("podResources"));
}

/* The containers of the pod in their order: init containers, main or those of a set, sidecars. */
struct walk {
    const struct val *tmpl;
    size_t list;
    uint32_t i;
    bool main_told;
};

static const struct val *next(struct walk *w, struct str *name)
{
    for (; w->list < ARRAY_LEN(lists); w->list++, w->i = 0) {
        const struct val *l = val_path(w->tmpl, lists[w->list]), *main = NULL;
        for (size_t k = 0; w->list == 1 && !w->main_told && !main && k < ARRAY_LEN(bodies); k++) main = val_get(w->tmpl, str_of(bodies[k]));
        if (main) {
            w->main_told = true;
            *name = STR("main");
            return main;
        }
        if (!l || l->kind != VAL_LIST || w->i >= l->n) continue;
        *name = val_get_str(&l->items[w->i], "name");
        return &l->items[w->i++];
    }
    return NULL;
}

static void rates_from(struct rates *to, const struct val *tmpl, const struct val *shared, struct str container)
{
    struct walk w = {.tmpl = tmpl};
    struct str name;
    bool taken = !shared;
    for (const struct val *c; (c = next(&w, &name));) {
        bool takes = !taken && !asks(c);
        taken |= takes;
        if (!str_eq(name, container)) continue;
        if (takes) rates_add(to, shared);
        rates_add(to, val_get(c, STR("resources")));
        return;
    }
}

static void rates_of(struct run *r, struct node *pod, struct str container, struct rates *to)
{
    const struct val *tmpl;
    struct err ignored;
    to->n = 0;
    rate_set(to, STR("cpu"), 100);
    rate_set(to, STR("memory"), unit_of(STR("memory")));
    if (is_plain(r, pod->tmpl->src)) return;
    if (!(tmpl = node_pod_template(r, pod, &ignored))) return;
    rates_from(to, tmpl, run_pod_resources(r, tmpl), container);
}

/* ---- sums ---- */

/* In the order of their names, as Go writes maps. */
static struct used *used_named(struct run *r, struct used_list *l, struct str name)
{
    size_t i = 0;
    while (i < l->n && str_cmp(l->items[i].name, name) < 0) i++;
    if (i < l->n && str_eq(l->items[i].name, name)) return &l->items[i];
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 2;
        struct used *more = ARENA_ARRAY(&r->arena, struct used, l->cap);
        if (l->n) memcpy(more, l->items, l->n * sizeof *more);
        l->items = more;
    }
    if (i < l->n) memmove(&l->items[i + 1], &l->items[i], (l->n - i) * sizeof *l->items);
    l->n++;
    if (str_is(name, "cpu")) name = STR("cpu"); /* nearly always: no copy is needed */
    else if (str_is(name, "memory")) name = STR("memory");
    else name = str_dup(&r->arena, name);
    l->items[i] = (struct used){name, 0};
    return &l->items[i];
}

static int64_t age_s(const struct run *r, const struct node *n, const struct step_outcome *how)
{
    int64_t from = how->started_us, to = how->finished_us;
    bool without_pod = n->tmpl->type == TMPL_RESOURCE || n->tmpl->type == TMPL_DATA; /* here; in a cluster they have one */
    if (!from && without_pod) from = n->started_us, to = r->now_us;
    if (!from) return -1;
    return to > from ? to / 1000000 - from / 1000000 : 0;
}

void usage_add(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how)
{
    struct node *pod = node_pod(n);
    int64_t age = age_s(r, pod, how);
    struct rates rates;
    if (pod->type != NTYPE_POD || phase_fulfilled(pod->phase) || age < 0) return;
    struct str container = n->type == NTYPE_CONTAINER ? node_container(n) : part ? node_part_name(n, part) : STR("main");
    rates_of(r, pod, container, &rates);
    struct used_list *l = &extra_of(r, pod)->used;
    for (uint32_t i = 0; i < rates.n; i++) {
        __int128 s = (__int128)rates.items[i].milli * age / unit_of(rates.items[i].name);
        used_named(r, l, rates.items[i].name)->seconds += s > INT32_MAX ? INT32_MAX : (int64_t)s;
    }
}

void usage_total(struct run *r, const struct node *n)
{
    const struct used_list *l = n->extra ? &n->extra->used : NULL;
    for (size_t i = 0; l && i < l->n; i++) used_named(r, &r->used, l->items[i].name)->seconds += l->items[i].seconds;
}

/* ---- as JSON ---- */

void usage_write(struct buf *b, const struct used_list *l)
{
    buf_char(b, '{');
    for (size_t i = 0; i < l->n; i++) {
        if (i) buf_char(b, ',');
        buf_json(b, l->items[i].name);
        buf_char(b, ':');
        buf_i64(b, l->items[i].seconds);
    }
    buf_char(b, '}');
}

void usage_read(struct run *r, struct node *n, const struct val *map)
{
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++)
        val_i64(&map->map[i].v, &used_named(r, &extra_of(r, n)->used, map->map[i].key)->seconds);
}
