/* Workflows that exist: what may be changed of one, and how one goes with all that it owns. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "exec/op_p.h"
#include "os/clock.h"

/* ---- changing ---- */

static struct val without(struct arena *a, const struct val *map, const char *const *keys, size_t n)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; map && map->kind == VAL_MAP && i < map->n; i++) {
        bool drop = false;
        for (size_t k = 0; k < n; k++) drop = drop || str_is(map->map[i].key, keys[k]);
        if (!drop) map_add(&b, map->map[i].key, map->map[i].v);
    }
    return map_done(&b);
}

/* Without what is only shown: the mirrored labels and the version. */
static struct val plain_meta(struct arena *a, const struct val *live, const struct val *meta)
{
    static const char *const shown[] = {"workflows.argoproj.io/completed", "workflows.argoproj.io/phase"};
    static const char *const ours[] = {"resourceVersion", "generation", "managedFields", "labels", "name", "namespace",
                                       "uid", "creationTimestamp"};
    struct val own = without(a, meta, ours, ARRAY_LEN(ours));
    struct val labels = without(a, val_get(meta, STR("labels")), shown, ARRAY_LEN(shown));
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 4; i < ARRAY_LEN(ours); i++)
        map_add_str(&b, ours[i], val_get_str(val_get(live, STR("metadata")), ours[i]));
    if (labels.n) map_add(&b, STR("labels"), labels);
    for (uint32_t i = 0; i < own.n; i++) map_add(&b, own.map[i].key, own.map[i].v);
    return map_done(&b);
}

static bool is_true(const struct val *v)
{
    return v && v->kind == VAL_BOOL && v->b;
}

/* The two fields of a spec that mean something while it runs. */
enum change { CHANGE_NONE, CHANGE_RESUME, CHANGE_STOP, CHANGE_TERMINATE };

static bool field_change(struct str key, const struct val *was, const struct val *is, enum change *out, struct err *e)
{
    bool shutdown = str_is(key, "shutdown") && is;
    if (shutdown && str_is(val_text(is), "Stop")) return *out = CHANGE_STOP, true;
    if (shutdown && str_is(val_text(is), "Terminate")) return *out = CHANGE_TERMINATE, true;
    if (str_is(key, "suspend") && is_true(was) && !is_true(is)) return *out = CHANGE_RESUME, true;
    return err_set(e, ERR_UNSUPPORTED, "changing spec.%.*s of a workflow that exists is not supported", STR_ARG(key));
}

/* What differs; of several the last one counts, but nothing is done yet. */
static bool spec_compare(const struct val *was, const struct val *is, enum change *out, struct err *e)
{
    *out = CHANGE_NONE;
    for (uint32_t i = 0; was && i < was->n; i++) {
        const struct val *now = val_get(is, was->map[i].key);
        if (now && val_eq(now, &was->map[i].v)) continue;
        if (!field_change(was->map[i].key, &was->map[i].v, now, out, e)) return false;
    }
    for (uint32_t i = 0; is && i < is->n; i++)
        if (!val_get(was, is->map[i].key) && !field_change(is->map[i].key, NULL, &is->map[i].v, out, e)) return false;
    return true;
}

static bool change_do(struct exec *x, int64_t run, enum change what, struct err *e)
{
    struct active *l = active_of(x, run);
    struct outbox out;
    struct err none; /* nothing was suspended: fine */
    if (what == CHANGE_NONE || !l || l->over) return true;
    if (what != CHANGE_RESUME) return exec_stop(x, run, what == CHANGE_STOP ? STOP_STOP : STOP_TERMINATE, e);
    run_resume(l->run, clock_now_us(), &out, &none);
    return active_event(l, &out, e);
}

static bool meta_change(struct arena *a, struct exec *x, const struct run_row *row, const struct val *live,
                        const struct val *doc, struct err *e)
{
    struct str text;
    struct val stored, meta = plain_meta(a, live, val_get(doc, STR("metadata")));
    struct val_builder b;
    if (!store_run_doc(a, x->store, row->run, &text, e) || !json_parse(a, text, NULL, &stored, e)) return false;
    const struct val *labels = val_get(&meta, STR("labels"));
    struct run_row changed = {.run = row->run, .labels = labels ? json_text(a, labels) : STR("{}")};
    struct owned what = {STR("Workflow"), row->ns, row->name, row->uid};
    map_begin(&b, a);
    for (uint32_t i = 0; i < stored.n; i++)
        map_add(&b, stored.map[i].key, str_is(stored.map[i].key, "metadata") ? meta : stored.map[i].v);
    stored = map_done(&b);
    struct active *l = active_of(x, row->run);
    if (l) l->workflow = val_copy(&l->arena, &stored); /* what was there stays in the arena */
    return store_run_set_doc(x->store, row->run, json_text(a, &stored), e) &&
           store_run_update(x->store, &changed, RUN_LABELS, e) && owners_note(x->store, &stored, &what, e) &&
           resource_change_log(x->store, "MODIFIED", &what, e);
}

bool run_change(struct arena *a, struct exec *x, const struct object_key *k, const struct val *live,
                const struct val *doc, struct err *e)
{
    struct run_row row;
    const struct val *was = val_get(live, STR("spec")), *is = val_get(doc, STR("spec"));
    const struct val *status = val_get(doc, STR("status"));
    struct val whole;
    enum change what;
    if (!store_run_find(a, x->store, k->ns, k->name, &row, e)) return false;
    if (status && !val_eq(status, val_get(live, STR("status"))))
        return err_set(e, ERR_UNSUPPORTED, "changing the status of a workflow is not supported");
    if (!is || !was || !val_eq(was, is)) { /* a manifest is not what was made of it */
        if (!x->o.admit || !x->o.admit(x->o.user, a, doc, k->ns, &whole, e)) return false;
        is = exec_given_spec(&whole);
    }
    return spec_compare(was, is, &what, e) && meta_change(a, x, &row, live, doc, e) && change_do(x, row.run, what, e);
}

/* ---- deleting ---- */

/* It is not written any more, and leaves memory, with its steps, once this is committed. */
static void active_end(struct active *l)
{
    struct exec *x = l->x;
    for (size_t i = 0; l->stale && i < x->stale.n; i++)
        if (x->stale.items[i] == l) {
            x->stale.items[i] = VEC_POP(&x->stale);
            l->stale = false;
        }
    if (l->over) return;
    l->over = true;
    VEC_PUSH(&x->over, l);
}

/* What it owns is noted in its rows, and goes after them: a circle of owners ends there. */
bool exec_delete(struct exec *x, const struct run_row *row, struct err *e)
{
    struct active *l = active_of(x, row->run);
    struct owned what = {STR("Workflow"), row->ns, row->name, row->uid}, *owned;
    struct arena a CLEANUP(arena_fini);
    size_t n;
    arena_init(&a);
    if (!exec_begin(x, e) || !owned_take(&a, x->store, row->run, row->uid, &owned, &n, e) || !run_rows_delete(x, row, e) ||
        !resource_change_log(x->store, "DELETED", &what, e))
        return false;
    if (l) timetable_note(x, &l->workflow);
    if (l) active_end(l);
    return owned_end(x, row->uid, owned, n, e);
}

/* Those that are still what was noted, and have no other owner. */
bool owned_end(struct exec *x, struct str owner, const struct owned *list, size_t n, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    bool ok = true;
    arena_init(&a);
    for (size_t i = 0; ok && i < n; i++) {
        struct object_key k = {.is_run = str_is(list[i].kind, "Workflow"), .ns = list[i].ns, .name = list[i].name};
        struct val doc;
        struct err absent;
        if (!k.is_run && !resource_kind_find(list[i].kind, &k.kind)) continue;
        if (!object_get(&a, x, &k, false, &doc, &absent)) continue;
        if (!str_eq(val_text(val_path(&doc, "metadata.uid")), list[i].uid)) continue;
        if (owner_ref_has(&doc, owner) && owner_is_last(x->store, &doc, owner)) ok = object_delete(&a, x, &k, e);
    }
    return ok;
}

bool exec_owner_gone(struct exec *x, struct str uid, struct err *e) { return exec_begin(x, e) && owned_delete(x, 0, uid, e); }

bool owned_delete(struct exec *x, int64_t run, struct str owner, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct owned *list;
    size_t n;
    arena_init(&a);
    return owned_take(&a, x->store, run, owner, &list, &n, e) && owned_end(x, owner, list, n, e);
}
