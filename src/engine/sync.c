/* Locks as a run sees them: what a `synchronization` asks for, nodes that wait, and the workflow's own
 * locks (operator.go operate and executeTemplate; workflow/sync/syncitems.go, lock_name.go).
 *
 * A node that asks for locks is made at once and stands in the queues. Within the same event the
 * walk gives locks to whoever comes first (limits.c); who is left is told what it waits for. */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"

enum { STATUS_LINES = 100, STATUS_US = 1000000 };

/* ---- what is asked for ---- */

static const char *const forms[][2] = {{"semaphore", "semaphores"}, {"mutex", "mutexes"}};

static bool semaphore_name(const struct val *v, struct lock_name *out, struct err *e)
{
    const struct val *cm = val_get(v, STR("configMapKeyRef")), *db = val_get(v, STR("database"));
    if (cm && db) return err_set(e, ERR_SPEC, "invalid semaphore with both ConfigMapKeyRef and Database");
    if (!cm && !db) return err_set(e, ERR_SPEC, "cannot get LockName for a Semaphore without a ConfigMapRef or Database");
    out->kind = cm ? LOCK_CONFIG_MAP : LOCK_DB;
    out->name = cm ? val_text(val_get(cm, STR("name"))) : val_text(val_get(db, STR("key")));
    out->key = cm ? val_text(val_get(cm, STR("key"))) : STR_NONE;
    return true;
}

static bool item_name(struct run *r, const struct val *v, bool mutex, struct lock_name *out, struct err *e)
{
    struct str ns = val_text(val_get(v, STR("namespace")));
    *out = (struct lock_name){.kind = val_is_true(v, "database") ? LOCK_DB_MUTEX : LOCK_MUTEX};
    if (mutex) out->name = val_text(val_get(v, STR("name")));
    else if (!semaphore_name(v, out, e)) return false;
    out->ns = str_dup(&r->arena, ns.n ? ns : r->ns);
    out->name = str_dup(&r->arena, out->name);
    out->key = out->key.p ? str_dup(&r->arena, out->key) : STR_NONE;
    struct str text;
    if (out->ns.n + out->name.n + out->key.n > LIMIT_LOCK_BYTES)
        return err_set(e, ERR_LIMIT, "the name of a lock is longer than %d bytes (LIMIT_LOCK_BYTES)", LIMIT_LOCK_BYTES);
    return lock_text(&r->scratch, out, &text, e);
}

/* The single forms of 3.x come first, as in allSyncItems. */
static uint32_t items_of(const struct val *sync, const struct val **items, bool *mutex, uint32_t max)
{
    uint32_t n = 0;
    for (int form = 0; form < 2; form++)
        for (int kind = 0; kind < 2; kind++) {
            const struct val *v = val_get(sync, str_of(forms[kind][form]));
            uint32_t count = !v ? 0 : form == 0 ? v->kind == VAL_MAP : v->kind == VAL_LIST ? v->n : 0;
            for (uint32_t i = 0; i < count && n < max; i++, n++) {
                items[n] = form == 0 ? v : &v->items[i];
                mutex[n] = kind == 1;
            }
        }
    return n;
}

bool sync_decide(struct run *r, const struct val *sync, struct gate *g, struct err *e)
{
    const struct val *items[LIMIT_LOCKS + 1];
    bool mutex[LIMIT_LOCKS + 1];
    uint32_t n = items_of(sync, items, mutex, LIMIT_LOCKS + 1);
    if (n > LIMIT_LOCKS) return err_set(e, ERR_LIMIT, "more than %d locks are asked for in one place", LIMIT_LOCKS);
    g->names = ARENA_ARRAY(&r->arena, struct lock_name, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < i; j++)
            if (mutex[i] == mutex[j] && val_eq(items[i], items[j]))
                return err_set(e, ERR_SPEC, "requested configuration is invalid: Duplicate synchronization item found");
        if (!item_name(r, items[i], mutex[i], &g->names[i], e))
            return err_ctx(e, "requested configuration is invalid");
    }
    g->n_names = n;
    return true;
}

/* ---- the run's place among the others ---- */

/* Locks that nobody shares still look their limits up. */
static int64_t own_limit(void *ctx, const struct lock_name *n)
{
    const struct run *r = ctx;
    int64_t limit = 0;
    const struct val *doc = n->kind == LOCK_CONFIG_MAP && r->opts.lookup
                                ? r->opts.lookup(r->opts.lookup_ctx, STR("ConfigMap"), n->ns, n->name) : NULL;
    str_to_i64(val_text(val_get(val_get(doc, STR("data")), n->key)), &limit);
    return limit;
}

static void join(struct run *r)
{
    const struct val *meta = val_get(r->opts.workflow, STR("metadata"));
    const struct val *priority = val_get(r->spec, STR("priority"));
    struct lock_party_opts o = {.number = r->opts.number, .owner = r->opts.lookup_ctx, .before = limit_node_before};
    if (r->party) return;
    if (!r->opts.locks && !r->own_locks) r->own_locks = locks_new(own_limit, r);
    if (priority) val_i64(priority, &o.priority);
    rfc3339_parse(val_get_str(meta, "creationTimestamp"), &o.created_us);
    r->party = locks_join(r->opts.locks ? r->opts.locks : r->own_locks, &o);
}

/* NS/WORKFLOW, and the id of a node. */
static struct str holder(struct run *r, const struct node *n)
{
    struct str wf = str_fmt(&r->scratch, "%.*s/%.*s", STR_ARG(r->ns), STR_ARG(r->name));
    if (!n) return wf;
    return str_fmt(&r->scratch, "%.*s/%.*s", STR_ARG(wf), STR_ARG(node_id_text(&r->scratch, r, n)));
}

/* The status lists all locks: a run with very many writes it now and then only. */
static void changed(struct run *r)
{
    if (lock_party_lines(r->party) > STATUS_LINES && r->now_us - r->progress_us < STATUS_US) return;
    r->progress_us = r->now_us;
    r->dirty = true;
}

void sync_fini(struct run *r)
{
    locks_leave(r->party);
    locks_free(r->own_locks);
    r->party = NULL;
    r->own_locks = NULL;
}

/* ---- nodes ---- */

/* Counts for its timeout while it waits (operator.go checkTemplateTimeout). */
static bool timeout_arm(struct run *r, struct node *n, struct err *e)
{
    const struct val *given = val_get(n->tmpl->src, STR("timeout"));
    struct val v;
    if (!given) return true;
    if (!pod_template_field(r, n, given, &v, e)) return false;
    struct str text = val_text(&v);
    int64_t us = text.n ? duration_us(text, e) : 0;
    if (us < 0) return err_ctx(e, "timeout");
    n->deadline_us = text.n ? n->started_us + us : 0;
    if (n->deadline_us) timer_add(r, n->deadline_us, n);
    return true;
}

bool sync_check(struct run *r, const struct gate *g, struct err *e)
{
    join(r);
    return lock_names_check(r->opts.locks ? r->opts.locks : r->own_locks, g->names, g->n_names, e);
}

bool sync_ask(struct run *r, struct node *n, struct err *e)
{
    struct gate *g = n->gate;
    join(r);
    g->told = false;
    g->claim = lock_claim_new(r->party, holder(r, n), n, g->names, g->n_names, e);
    if (!g->claim) return false;
    g->waiting = true;
    node_count_pod(r, n, false);
    VEC_PUSH(&r->waits, n);
    node_touch(r, n);
    changed(r);
    return true;
}

bool sync_wait(struct run *r, struct node *n, struct err *e)
{
    return timeout_arm(r, n, e) && sync_ask(r, n, e);
}

/* Argo does not look any more at what stands in an instance that is over, or that a failed child ends
 * (template.failFast): such a node stays Pending, and out of the queues. */
static bool is_passed_over(const struct node *n)
{
    for (const struct node *b = n->boundary; b; b = b->boundary) {
        if (phase_fulfilled(b->phase)) return true;
        if (!b->retried && b->body && b->body->fail_fast && b->body->bad_children) return true;
    }
    return false;
}

static void pass_over(struct run *r, struct node *n)
{
    lock_claim_free(n->gate->claim);
    n->gate->claim = NULL;
    n->gate->n_names = 0;
    n->gate->waiting_for = STR_NONE;
    n->deadline_us = 0;
    node_touch(r, n);
    changed(r);
}

struct node *sync_next(struct run *r)
{
    struct lock_claim *c;
    if (!r->party || r->suspended || !limit_has_room(r)) return NULL;
    while ((c = lock_next(r->party))) {
        struct node *n = lock_claim_what(c);
        if (!n || !is_passed_over(n)) return n; /* NULL: the workflow's own, see sync_begin_again */
        pass_over(r, n);
    }
    return NULL;
}

void sync_take(struct run *r, struct node *n)
{
    struct gate *g = n->gate;
    lock_take(g->claim);
    g->waiting = false;
    g->waiting_for = STR_NONE;
    n->deadline_us = 0;
    node_count_pod(r, n, true);
    node_message_set(r, n, STR_NONE);
    node_touch(r, n);
    changed(r);
    if (n->again) again_go_on(r);
    else gate_pass(r, n);
}

void sync_leave(struct run *r, struct node *n)
{
    struct gate *g = n->gate;
    if (g->waiting) node_count_pod(r, n, true); /* until it is counted out */
    g->waiting = false;
    g->waiting_for = STR_NONE;
    if (!g->claim) return;
    lock_claim_free(g->claim);
    g->claim = NULL;
    changed(r);
}

/* operator.go checkTemplateTimeout. The entry template's is an error of the workflow. */
void sync_time_out(struct run *r, struct node *n)
{
    n->gate->timed_out = true;
    if (n == r->root) run_entry_fails(r);
    node_finish(r, n, NODE_FAILED, STR("timeout"));
}

static struct str why(struct run *r, struct gate *g)
{
    struct str message, lock;
    if (!g->claim || !lock_claim_why(&r->arena, g->claim, &message, &lock)) return STR_NONE;
    g->waiting_for = lock;
    g->told = true;
    return message;
}

/* A limit has changed: what everybody said is out of date. */
static void tell_again(struct run *r)
{
    struct str before = r->message;
    if (run_is_waiting(r)) r->message = why(r, r->gate);
    r->dirty = r->dirty || !str_eq(before, r->message);
    for (size_t i = 0; i < r->nodes.n; i++) {
        struct node *n = r->nodes.items[i];
        if (!node_is_waiting(n) || !n->gate->claim || !n->gate->told) continue;
        n->gate->told = false;
        VEC_PUSH(&r->waits, n);
    }
}

void sync_tell(struct run *r)
{
    size_t kept = 0;
    if (lock_party_stale(r->party)) tell_again(r);
    for (size_t i = 0; i < r->waits.n; i++) {
        struct node *n = r->waits.items[i];
        struct gate *g = n->gate;
        if (!g->waiting || !g->claim || g->told) continue;
        struct str message = why(r, g);
        if (g->told) node_message_set(r, n, message);
        else r->waits.items[kept++] = n; /* held by something else: again after the next event */
    }
    r->waits.n = kept;
}

/* ---- the workflow itself ---- */

static bool own_names(struct run *r, const struct val *sync, struct val *v, struct gate *g, struct err *e)
{
    struct tags_opts opts = {.scope = &r->globals, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    *v = *sync;
    if (tags_present_val(sync) && !tags_replace_val(&r->scratch, sync, &opts, v, e)) return false;
    return sync_decide(r, v, g, e);
}

static bool own_claim(struct run *r, struct gate *g, struct err *e)
{
    struct val v;
    if (!own_names(r, val_get(r->spec, STR("synchronization")), &v, g, e)) return false;
    if (!g->n_names) return true;
    join(r);
    g->claim = lock_claim_new(r->party, holder(r, NULL), NULL, g->names, g->n_names, e);
    g->waiting = g->claim != NULL;
    return g->claim != NULL;
}

bool sync_begin(struct run *r)
{
    const struct val *sync = val_get(r->spec, STR("synchronization"));
    struct err e;
    if (!sync || sync->kind != VAL_MAP) return true;
    r->gate = ARENA_NEW(&r->arena, struct gate);
    if (!own_claim(r, r->gate, &e)) {
        r->started_us = r->now_us;
        run_close(r, NODE_FAILED, str_fmt(&r->arena, "Failed to acquire the synchronization lock. %s", e.text));
        return false;
    }
    if (!r->gate->waiting || sync_begin_again(r)) return true;
    r->message = why(r, r->gate);
    return false;
}

bool sync_begin_again(struct run *r)
{
    struct lock_claim *c = lock_next(r->party);
    if (!c) return false;
    lock_take(c);
    r->gate->waiting = false;
    r->dirty = true;
    return true;
}

void sync_end(struct run *r)
{
    for (size_t i = 0; lock_party_lines(r->party) && i < r->nodes.n; i++) {
        struct node *n = r->nodes.items[i];
        if (n->gate && n->gate->claim) pass_over(r, n);
    }
    locks_leave(r->party);
    r->party = NULL;
    if (!r->gate) return;
    r->gate->claim = NULL;
    r->gate->n_names = 0;
}

/* It asks for its locks again before it goes on. What was not in order then has ended the run before. */
void sync_reset(struct run *r)
{
    const struct val *sync = val_get(r->spec, STR("synchronization"));
    struct val v;
    struct err e;
    r->gate = NULL;
    if (!sync || sync->kind != VAL_MAP) return;
    struct gate *g = ARENA_NEW(&r->arena, struct gate);
    if (!own_names(r, sync, &v, g, &e) || !g->n_names) return;
    g->waiting = true;
    r->gate = g;
}

/* ---- restart ---- */

void sync_write_private(struct buf *b, const struct gate *g)
{
    bool names = g && (g->claim || (g->waiting && g->n_names)); /* after a reset it waits without a claim */
    if (!g || (!names && !g->key.p && !g->waiting && !g->timed_out)) return;
    buf_printf(b, ",\"g\":{\"w\":%d", g->waiting);
    if (names) buf_printf(b, ",\"l\":[");
    for (uint32_t i = 0; names && i < g->n_names; i++) {
        const struct lock_name *n = &g->names[i];
        buf_printf(b, "%s[%d,", i ? "," : "", (int)n->kind);
        buf_json(b, n->ns);
        buf_char(b, ',');
        buf_json(b, n->name);
        buf_char(b, ',');
        buf_json(b, n->key.p ? n->key : STR(""));
        buf_char(b, ']');
    }
    if (names) buf_char(b, ']');
    const struct { const char *key; struct str text; } texts[] = {
        {"for", g->waiting_for}, {"key", g->key}, {"cache", g->cache}, {"age", g->max_age},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!texts[i].text.p) continue;
        buf_printf(b, ",\"%s\":", texts[i].key);
        buf_json(b, texts[i].text);
    }
    if (g->timed_out) buf_str(b, STR(",\"late\":true"));
    buf_str(b, g->hit ? STR(",\"hit\":true}") : STR("}"));
}

static struct str kept(struct run *r, const struct val *v, const char *key)
{
    struct str s = val_get_str(v, key);
    return s.p ? str_dup(&r->arena, s) : STR_NONE;
}

static void names_read(struct run *r, const struct val *list, struct gate *g)
{
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    g->names = ARENA_ARRAY(&r->arena, struct lock_name, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct val *v = &list->items[i];
        int64_t kind;
        if (v->kind != VAL_LIST || v->n != 4 || !val_i64(&v->items[0], &kind) || kind < 0 || kind > LOCK_DB) continue;
        g->names[g->n_names++] = (struct lock_name){(enum lock_kind)kind, str_dup(&r->arena, val_text(&v->items[1])),
                                                    str_dup(&r->arena, val_text(&v->items[2])),
                                                    str_dup(&r->arena, val_text(&v->items[3]))};
    }
}

void sync_restore(struct run *r, struct node *n, const struct val *priv)
{
    const struct val *v = val_get(priv, STR("g")), *list = val_get(v, STR("l"));
    int64_t waiting = 0;
    if (!v) return;
    struct gate *g = ARENA_NEW(&r->arena, struct gate);
    val_i64(val_get(v, STR("w")), &waiting);
    g->waiting = waiting;
    g->waiting_for = kept(r, v, "for");
    g->told = g->waiting_for.p;
    g->key = kept(r, v, "key");
    g->cache = kept(r, v, "cache");
    g->max_age = kept(r, v, "age");
    g->hit = val_is_true(v, "hit");
    g->timed_out = val_is_true(v, "late");
    names_read(r, list, g);
    if (n) n->gate = g;
    else r->gate = g;
}

static void claim_again(struct run *r, struct node *n, struct gate *g)
{
    if (!g || !g->n_names) return;
    join(r);
    g->claim = lock_claim_again(r->party, holder(r, n), n, g->names, g->n_names, !g->waiting);
    if (n && g->waiting && !g->told) VEC_PUSH(&r->waits, n);
}

void sync_restore_claims(struct run *r)
{
    claim_again(r, NULL, r->gate);
    for (size_t i = 0; i < r->nodes.n; i++) claim_again(r, r->nodes.items[i], r->nodes.items[i]->gate);
}
