/* What the runs of a machine share: locks with their limits, and the ConfigMaps that keep outputs.
 * The locks themselves are engine/locks.h; here limits are looked up, and whoever may go on is told. */
#include "base/fail.h"
#include "base/rfc3339.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "resource/sync_limit.h"
#include "exec/exec_p.h"

int64_t exec_lock_limit(void *ctx, const struct lock_name *n)
{
    struct exec *x = ctx;
    struct arena a CLEANUP(arena_fini);
    struct value_key key = {.ns = n->ns, .name = n->name, .key = n->key};
    struct str text;
    int64_t limit;
    struct err absent;
    arena_init(&a);
    if (n->kind == LOCK_DB) return sync_limit_get(x->store, n->ns, n->name, &limit, &absent) ? limit : 0;
    if (n->kind != LOCK_CONFIG_MAP || !configmap_value(&a, x->store, &key, &text, &absent)) return 0;
    return str_to_i64(text, &limit) ? limit : 0;
}

static bool cache_read(void *ctx, struct arena *a, struct str ns, struct str name, struct val *doc)
{
    struct active *l = ctx;
    struct resource_key key = {.kind = RESOURCE_CONFIG_MAP, .ns = ns, .name = name};
    struct err absent;
    return resource_get(a, l->x->store, &key, doc, &absent);
}

static bool cache_write(void *ctx, const struct val *doc, struct err *e)
{
    struct active *l = ctx;
    struct arena a CLEANUP(arena_fini);
    struct resource_write w = {.store = l->x->store, .verb = RESOURCE_APPLY, .doc = doc, .now_us = clock_now_us(),
                               .random = {random_u64(), random_u64()}};
    struct resource_result done;
    arena_init(&a);
    if (fail_point(FAIL_MEMO_WRITE)) return err_sys(e, "memoize");
    return exec_begin(l->x, e) && resource_put(&a, &w, &done, e);
}

/* What is kept outlives the run that made it: the cache has references of its own, under no run's number.
 * An artifact that is not in the repository any more is missed when somebody asks for it. */
static bool cache_hold(void *ctx, const struct val *outputs, bool for_run, struct err *e)
{
    enum { THE_CACHE = 0 };
    struct active *l = ctx;
    const struct val *list = val_get(outputs, STR("artifacts"));
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str key = val_text(val_path(&list->items[i], "s3.key"));
        struct err why;
        if (!key.n || val_path(&list->items[i], "s3.bucket")) continue;
        if (!exec_begin(l->x, e)) return false;
        if (!store_artifact_ref(l->x->store, for_run ? l->id : THE_CACHE, run_namespace(l->run), key, &why) &&
            why.code != ERR_NOT_FOUND)
            return *e = why, false;
    }
    return true;
}

struct run_opts active_opts(struct active *l)
{
    return (struct run_opts){.workflow = &l->workflow, .lookup = exec_lookup, .lookup_ctx = l, .estimate = estimate_of_node,
                             .cache = {cache_read, cache_write, cache_hold}, .locks = l->x->locks, .number = (uint64_t)l->id};
}

/* ---- who may be at work ---- */

void active_queue(struct active *l)
{
    const struct val *meta = val_get(&l->workflow, STR("metadata"));
    const struct val *priority = val_path(&l->workflow, "spec.priority");
    struct throttle_opts o = {.ns = run_namespace(l->run), .number = (uint64_t)l->id, .owner = l};
    if (priority) val_i64(priority, &o.priority);
    rfc3339_parse(val_get_str(meta, "creationTimestamp"), &o.created_us);
    l->ticket = throttle_add(l->x->throttle, &o, run_has_begun(l->run));
}

static bool start(struct active *l, struct err *e)
{
    struct outbox out;
    run_start(l->run, clock_now_us(), &out);
    return active_event(l, &out, e);
}

/* Whoever has been let in begins, this one among them or not. */
static bool let_in(struct exec *x, struct err *e)
{
    struct active *l;
    while ((l = throttle_next(x->throttle)))
        if (!exec_begin(x, e) || !start(l, e)) return false;
    return true;
}

bool active_begin(struct active *l, struct err *e)
{
    struct outbox out;
    active_queue(l);
    if (!let_in(l->x, e)) return false;
    if (!throttle_waits(l->ticket)) return true;
    run_postpone(l->run, clock_now_us(), &out);
    return active_event(l, &out, e);
}

/* A lock that one run gave back is another's chance, and so is its end: in the same transaction. */
bool locks_pump(struct exec *x, struct err *e)
{
    struct active *l;
    bool ok = true;
    if (x->pumping) return true;
    x->pumping = true;
    do {
        while (ok && (l = locks_next(x->locks))) {
            struct outbox out;
            if (l->over) continue;
            run_continue(l->run, clock_now_us(), &out);
            ok = exec_begin(x, e) && active_event(l, &out, e);
        }
    } while (ok && (l = throttle_next(x->throttle)) && (ok = exec_begin(x, e) && start(l, e)));
    x->pumping = false;
    return ok;
}

void exec_limits_changed(struct exec *x)
{
    struct err e;
    locks_refresh(x->locks);
    if (!locks_pump(x, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}
