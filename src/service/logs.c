/* Where the logs of a run's steps lie. */
#include "base/id.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "service/service_p.h"

struct finding {
    struct arena *a;
    struct service *s;
    const struct run_row *run;
    VEC(struct step_log) logs;
    struct map steps; /* node index -> step id, as texts */
    struct map parts; /* node index -> the pod's other containers */
};

struct part_step {
    struct str container, id;
    struct part_step *next;
};

static bool find_step(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct finding *x = ctx;
    struct str *id = ARENA_NEW(x->a, struct str);
    (void)e;
    if (!str_starts(key, STR("step/"))) return true;
    *id = str_dup(x->a, bytes);
    key = str_from(key, 5);
    struct str node, container; /* "NODE" or "NODE/CONTAINER" */
    if (!str_cut(key, '/', &node, &container)) {
        map_set_ptr(&x->steps, str_dup(x->a, key), id);
        return true;
    }
    struct part_step *p = ARENA_NEW(x->a, struct part_step);
    *p = (struct part_step){str_dup(x->a, container), *id, map_ptr(&x->parts, node)};
    map_set_ptr(&x->parts, str_dup(x->a, node), p);
    return true;
}

static bool log_add(struct finding *x, struct step_log log, struct str id)
{
    if (!str_to_i64(id, &log.step)) return true;
    log.path = exec_step_log_path(x->a, x->s->o.state_dir, log.step);
    VEC_PUSH(&x->logs, log);
    return true;
}

/* `v`: the status of its node. */
static struct step_log log_of(struct finding *x, const struct val *v)
{
    struct str tmpl = val_get_str(v, "templateName"), name = val_get_str(v, "name");
    struct str shown = val_get_str(v, "displayName"), container = STR("main");
    bool of_set = str_is(val_get_str(v, "type"), "Container") && name.n > shown.n;
    if (of_set) { /* "POD.CONTAINER" */
        container = shown;
        name = str_sub(name, 0, name.n - shown.n - 1);
    }
    struct val *node = ARENA_NEW(x->a, struct val);
    *node = *v;
    struct step_log log = {
        .node = node, .node_id = val_get_str(v, "id"), .template_name = tmpl, .container = container, .of_set = of_set,
        .display_name = shown,
        .pod_name = pod_name(x->a, x->run->name, tmpl, name),
        .finished = val_get(v, STR("finishedAt")) && val_get(v, STR("finishedAt"))->kind == VAL_STR,
    };
    rfc3339_parse(val_get_str(v, "startedAt"), &log.started_us);
    return log;
}

static bool find_log(void *ctx, const struct node_row *row, struct err *e)
{
    struct finding *x = ctx;
    struct arena *a = x->a;
    struct str *id = map_ptr(&x->steps, str_fmt(a, "%u", row->idx));
    const struct part_step *part = map_ptr(&x->parts, str_fmt(a, "%u", row->idx));
    struct val v;
    if (!id && !part) return true;
    if (!json_parse(a, str_dup(a, row->status), NULL, &v, e)) return false;
    struct step_log log = log_of(x, &v);
    if (id && !log_add(x, log, *id)) return false;
    for (; part; part = part->next) {
        log.container = part->container;
        if (!log_add(x, log, part->id)) return false;
    }
    return true;
}

static bool find_past(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct finding *x = ctx;
    struct val v;
    if (!str_starts(key, STR(EXEC_PAST_KEY))) return true;
    if (!json_parse(x->a, str_dup(x->a, bytes), NULL, &v, e)) return false;
    struct step_log log = log_of(x, val_get(&v, STR("node")));
    struct str container = val_get_str(&v, "container");
    if (container.n) log.container = container;
    log.finished = true;
    return log_add(x, log, str_from(key, sizeof EXEC_PAST_KEY - 1));
}

static bool logs_done(struct finding *x, bool ok, struct step_log **out, size_t *n)
{
    *n = x->logs.n;
    *out = ARENA_ARRAY(x->a, struct step_log, x->logs.n + 1);
    if (x->logs.n) memcpy(*out, x->logs.items, x->logs.n * sizeof **out);
    VEC_FINI(&x->logs);
    map_fini(&x->steps);
    map_fini(&x->parts);
    return ok;
}

static int log_order(const void *x, const void *y)
{
    const struct step_log *a = x, *b = y;
    return (a->started_us > b->started_us) - (a->started_us < b->started_us);
}

bool service_logs_previous(struct arena *a, struct service *s, struct str ns, struct str name,
                           struct step_log **out, size_t *n, struct err *e)
{
    struct run_row row;
    struct finding x = {.a = a, .s = s, .run = &row};
    if (no_state(s, e)) return false;
    struct store *st = service_store(s);
    bool ok = store_run_find(a, st, ns, name, &row, e) && store_values_load_prefix(st, row.run, STR(EXEC_PAST_KEY), find_past, &x, e);
    if (x.logs.n) qsort(x.logs.items, x.logs.n, sizeof *x.logs.items, log_order);
    return logs_done(&x, ok, out, n);
}

bool service_logs(struct arena *a, struct service *s, struct str ns, struct str name,
                  struct step_log **out, size_t *n, struct err *e)
{
    struct run_row row;
    struct finding x = {.a = a, .s = s, .run = &row};
    if (no_state(s, e)) return false;
    struct store *st = service_store(s);
    bool ok = store_run_find(a, st, ns, name, &row, e) && store_values_load_prefix(st, row.run, STR("step/"), find_step, &x, e) &&
              store_nodes_load(st, row.run, find_log, &x, e);
    return logs_done(&x, ok, out, n);
}

/* ---- of one node ----
 *
 * Nodes are found by their index only. Which has it is remembered, so that asking about each node of a run as it
 * ends reads every node once and not every time. */

static void index_reset(struct node_index *x)
{
    map_fini(&x->ids);
    arena_fini(&x->arena);
    *x = (struct node_index){.run = x->run};
    arena_init(&x->arena);
}

void node_indexes_fini(struct service *s)
{
    for (size_t i = 0; i < s->indexes.n; i++) {
        map_fini(&s->indexes.items[i].ids);
        arena_fini(&s->indexes.items[i].arena);
    }
    VEC_FINI(&s->indexes);
}

static struct node_index *index_of(struct service *s, int64_t run)
{
    for (size_t i = 0; i < s->indexes.n; i++)
        if (s->indexes.items[i].run == run) return &s->indexes.items[i];
    VEC_PUSH(&s->indexes, ((struct node_index){.run = run}));
    struct node_index *x = &s->indexes.items[s->indexes.n - 1];
    arena_init(&x->arena);
    return x;
}

static bool index_add(void *ctx, const struct node_row *row, struct err *e)
{
    struct node_index *x = ctx;
    (void)e;
    map_put(&x->ids, str_dup(&x->arena, row->id), NULL)->num = row->idx;
    x->next = row->idx + 1;
    return true;
}

struct one_node {
    struct arena *a;
    struct str id;
    struct node_row row;
    bool found;
};

static bool first_row(void *ctx, const struct node_row *row, struct err *e)
{
    struct one_node *x = ctx;
    (void)e;
    x->found = str_eq(row->id, x->id);
    if (x->found) x->row = (struct node_row){.run = row->run, .idx = row->idx, .status = str_dup(x->a, row->status)};
    return false; /* no more of them */
}

/* A retry gives the tail of a run new indexes. */
static bool node_find(struct service *s, int64_t run, struct one_node *out, struct err *e)
{
    struct node_index *x = index_of(s, run);
    struct store *st = service_store(s);
    struct err stopped;
    for (int pass = 0; pass < 2; pass++) {
        if (!map_get(&x->ids, out->id) && !store_nodes_load_from(st, run, x->next, index_add, x, e)) return false;
        const struct map_slot *slot = map_get(&x->ids, out->id);
        if (slot) store_nodes_load_from(st, run, (uint32_t)slot->num, first_row, out, &stopped);
        if (out->found) return true;
        index_reset(x);
    }
    return true;
}

bool service_logs_node(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str node_id,
                       struct step_log **out, size_t *n, struct err *e)
{
    struct run_row row;
    struct finding x = {.a = a, .s = s, .run = &row};
    struct one_node node = {.a = a, .id = node_id};
    struct str id;
    struct err absent;
    if (no_state(s, e)) return false;
    struct store *st = service_store(s);
    bool ok = store_run_find(a, st, ref->ns, ref->name, &row, e) && node_find(s, row.run, &node, e);
    if (ok && node.found) {
        struct str key = str_fmt(a, "step/%u", node.row.idx);
        if (store_value_get(a, st, row.run, key, &id, &absent)) find_step(&x, key, id, e);
        /* those of its containers: "step/7/…"; '0' comes after '/' */
        ok = store_values_load_between(st, row.run, str_fmt(a, "%.*s/", STR_ARG(key)), str_fmt(a, "%.*s0", STR_ARG(key)),
                                       find_step, &x, e) &&
             find_log(&x, &node.row, e);
    }
    return logs_done(&x, ok, out, n);
}
