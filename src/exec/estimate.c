/* estimatedDuration: how long the same took in the newest run that succeeded and was made from the same template or by
 * the same cron workflow (workflow/controller/estimation): the baseline. Its nodes are read when the first one of the
 * new run is made. What was decided is stored with each node. Runs on: the loop thread. */
#include "doc/json.h"
#include "exec/exec_p.h"

enum { LOOK_AT = 200 };

/* As metav1.Time has them. */
static int64_t whole_seconds(int64_t from_us, int64_t to_us)
{
    return from_us && to_us > from_us ? to_us / 1000000 - from_us / 1000000 : 0;
}

static bool find(struct exec *x, const struct val *workflow, struct run_row *out)
{
    static const char *const keys[] = {"workflows.argoproj.io/cron-workflow", "workflows.argoproj.io/workflow-template",
                                       "workflows.argoproj.io/cluster-workflow-template"};
    const struct val *labels = val_path(workflow, "metadata.labels");
    const struct str good = STR("Succeeded");
    struct run_filter f = {.ns = val_text(val_path(workflow, "metadata.namespace")), .phases = &good, .n_phases = 1,
                           .completed = 1, .limit = LOOK_AT};
    struct run_page page;
    struct err e;
    const char *by = NULL;
    for (size_t i = 0; !by && i < ARRAY_LEN(keys); i++)
        if (val_get(labels, str_of(keys[i]))) by = keys[i];
    if (!by || !store_run_list(&x->scratch, x->store, &f, &page, &e)) return false;
    struct str name = val_get_str(labels, by);
    for (size_t i = 0; i < page.n; i++) {
        struct val theirs;
        if (!json_parse(&x->scratch, page.rows[i].labels, NULL, &theirs, &e)) continue;
        if (str_eq(val_get_str(&theirs, by), name)) return *out = page.rows[i], true;
    }
    return false;
}

int64_t estimate_of_run(struct active *l)
{
    struct run_row row;
    if (!find(l->x, &l->workflow, &row)) return 0;
    l->baseline = row.run;
    return whole_seconds(row.started_us, row.finished_us);
}

bool estimate_note(struct active *l, struct err *e)
{
    struct str text = str_fmt(&l->x->scratch, "%lld", (long long)l->baseline);
    return !l->baseline || store_value_put(l->x->store, l->id, STR(ESTIMATE_KEY), text, e);
}

struct reading {
    struct active *l;
    struct str root; /* name of the first node: the workflow's */
};

static int64_t number(const struct val *map, const char *key)
{
    const struct val *v = val_get(map, str_of(key));
    int64_t n = 0;
    return v && val_i64(v, &n) ? n : 0;
}

static bool read_node(void *ctx, const struct node_row *row, struct err *e)
{
    struct reading *x = ctx;
    struct arena a CLEANUP(arena_fini);
    struct val status, priv;
    arena_init(&a);
    if (!json_parse(&a, row->status, NULL, &status, e) || !json_parse(&a, row->private, NULL, &priv, e)) return false;
    struct str name = val_get_str(&status, "name");
    if (!row->idx) x->root = str_dup(&x->l->arena, name);
    int64_t took = whole_seconds(number(&priv, "s"), number(&priv, "f"));
    if (!took || !str_starts(name, x->root)) return true;
    map_set_ptr(&x->l->estimates, str_dup(&x->l->arena, str_from(name, x->root.n)), (void *)(intptr_t)took);
    return true;
}

int64_t estimate_of_node(void *ctx, struct str within)
{
    struct active *l = ctx;
    struct reading x = {.l = l};
    struct err ignored; /* it may be gone meanwhile: nobody knows then */
    if (!l->baseline) return 0;
    if (!l->estimates_read) store_nodes_load(l->x->store, l->baseline, read_node, &x, &ignored);
    l->estimates_read = true;
    return (intptr_t)map_ptr(&l->estimates, within);
}
