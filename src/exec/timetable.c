/* Cron workflows at work: engine/cron.h decides, here what it says is done, in the transaction that the turn has open. Children
 * are what is noted with the document as their owner (resource.h), and how they are their rows say: the same look after
 * a restart, an end, a retry and a deletion. Runs on: the loop thread. */
#include "base/heap.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/cron.h"
#include "os/alarm.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/random.h"
#include "os/zonefile.h"
#include "exec/op_p.h"

enum { SOME = 64 /* documents of one turn: the others wait for the next one */, NO_RUN = 0 };

/* One CronWorkflow. */
struct cron_entry {
    struct cronwf *c;
    char *uid;
    uint64_t written; /* hash of the document as it is stored */
    int64_t next_us;
    size_t place; /* in the heap */
    bool stirred; /* stands in timetable.stirred */
};

struct timetable {
    struct exec *x;
    struct arena arena; /* of the zones */
    struct map zones;   /* name -> zone, from "" on; the machine's own is `local` */
    const struct zone *local;
    struct map entries; /* uid -> entry */
    struct heap heap;   /* of all entries */
    VEC(struct cron_entry *) stirred; /* their children are to be looked at */
    int64_t objects;    /* store_objects_written, and the change log, have been looked at up to here */
    int64_t seen;
    bool stale;         /* all is to be read anew */
    int alarm_fd;
    struct loop_fd *alarm;
    int64_t now_us;     /* of the last turn */
    int64_t armed_us;   /* 0: it has to be set */
};

/* ---- zones ---- */

const struct zone *exec_zone(struct arena *a, struct str name)
{
    struct str bytes = STR_NONE;
    const struct zone *z;
    struct err unknown; /* lint has said it */
    bool local = !str_set(name) || str_is(name, "Local");
    if (str_set(name) && !name.n) return zone_utc();
    if (!(local ? zonefile_local(a, &bytes, &unknown) : zonefile_read(a, name, &bytes, &unknown)) || !bytes.p) return zone_utc();
    return tzif_parse(a, bytes, &z, &unknown) ? z : zone_utc();
}

static const struct zone *zone_of(void *ctx, struct str name)
{
    struct timetable *t = ctx;
    if (!str_set(name)) return t->local;
    const struct zone *z = map_ptr(&t->zones, name);
    if (z) return z;
    z = exec_zone(&t->arena, name);
    map_set_ptr(&t->zones, str_dup(&t->arena, name), (void *)z);
    return z;
}

/* ---- entries ---- */

static bool entry_before(const void *a, const void *b)
{
    return ((const struct cron_entry *)a)->next_us < ((const struct cron_entry *)b)->next_us;
}

static uint64_t document_hash(struct arena *a, const struct val *doc)
{
    static const char *const parts[] = {"metadata.labels", "metadata.annotations", "spec", "status"};
    uint64_t h = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct val *v = val_path(doc, parts[i]);
        h = h * 31 + (v ? str_hash(json_text(a, v)) : 1);
    }
    return h;
}

static void entry_free(struct timetable *t, struct cron_entry *c)
{
    heap_remove(&t->heap, c);
    map_del(&t->entries, str_of(c->uid));
    for (size_t i = t->stirred.n; i-- > 0;)
        if (t->stirred.items[i] == c) t->stirred.items[i] = VEC_POP(&t->stirred);
    cronwf_free(c->c);
    free(c->uid);
    free(c);
}

static void entry_stir(struct timetable *t, struct cron_entry *c)
{
    if (c->stirred) return;
    c->stirred = true;
    VEC_PUSH(&t->stirred, c);
}

/* Stored by somebody, or read at the beginning. */
static void entry_take(struct timetable *t, struct arena *a, const struct val *doc)
{
    struct str uid = val_text(val_path(doc, "metadata.uid"));
    struct cron_entry *c = map_ptr(&t->entries, uid);
    uint64_t hash = document_hash(a, doc);
    if (c && c->written == hash) return; /* it was written here */
    if (c) {
        cronwf_changed(c->c, doc, clock_now_us());
    } else {
        c = mem_zalloc(sizeof *c);
        *c = (struct cron_entry){.c = cronwf_new(zone_of, t, doc, clock_now_us()), .uid = mem_strdup(str_z(a, uid))};
        map_set_ptr(&t->entries, str_of(c->uid), c);
        heap_push(&t->heap, c);
    }
    c->written = hash;
    entry_stir(t, c);
}

/* Of the store, and no matter of one document's. */
static bool is_fatal(const struct err *why) { return why->code == ERR_IO || why->code == ERR_INTERNAL; }

/* It may have gone meanwhile, with a workflow that owned it. */
static bool entry_write(struct timetable *t, struct arena *a, struct cron_entry *c, struct err *e)
{
    struct val doc = cronwf_document(a, c->c);
    struct resource_write w = {.store = t->x->store, .verb = RESOURCE_UPDATE, .doc = &doc, .now_us = clock_now_us()};
    struct resource_result r;
    struct err why = {0};
    if (!exec_begin(t->x, e)) return false;
    if (resource_put(a, &w, &r, &why)) c->written = document_hash(a, &r.doc);
    else if (is_fatal(&why)) return *e = why, false;
    return true;
}

/* ---- children ---- */

static bool child_tell(struct timetable *t, struct arena *a, struct cron_entry *c, const struct owned *what, struct err *e)
{
    struct run_row row;
    struct err why = {0};
    if (!store_run_find_uid(a, t->x->store, what->uid, &row, &why)) {
        if (why.code != ERR_NOT_FOUND) return *e = why, false;
        cronwf_child_gone(c->c, what->uid);
        return exec_begin(t->x, e) && owned_forget(t->x->store, NO_RUN, str_of(c->uid), what, e);
    }
    struct cron_child child = {row.name, row.uid, !row.completed, str_is(row.phase, "Succeeded"), row.finished_us};
    cronwf_child(c->c, &child, clock_now_us());
    return true;
}

/* Workflows of its own namespace: whoever may start some elsewhere may name it as their owner. */
static bool is_child(const struct cron_entry *c, const struct owned *what)
{
    return str_is(what->kind, "Workflow") && str_eq(what->ns, val_text(val_path(cronwf_given(c->c), "metadata.namespace")));
}

static bool children_tell(struct timetable *t, struct arena *a, struct cron_entry *c, struct err *e)
{
    struct owned *owned;
    size_t n;
    bool ok = owned_read(a, t->x->store, NO_RUN, str_of(c->uid), &owned, &n, e);
    for (size_t i = 0; ok && i < n; i++)
        if (is_child(c, &owned[i])) ok = child_tell(t, a, c, &owned[i], e);
    if (ok) cronwf_children_told(c->c);
    return ok;
}

void timetable_note(struct exec *x, const struct val *workflow)
{
    const struct val *refs = x->timetable ? val_path(workflow, "metadata.ownerReferences") : NULL;
    for (uint32_t i = 0; refs && refs->kind == VAL_LIST && i < refs->n; i++) {
        struct cron_entry *c = map_ptr(&x->timetable->entries, val_get_str(&refs->items[i], "uid"));
        if (c) entry_stir(x->timetable, c);
    }
}

/* ---- doing ---- */

static bool runs_end(struct exec *x, struct arena *a, const struct cron_out *out, struct err *e)
{
    struct run_row row;
    struct err gone;
    for (size_t i = 0; i < out->n_terminate; i++)
        if (store_run_find_uid(a, x->store, out->terminate[i], &row, &gone) && exec_has_run(x, row.run) &&
            !exec_stop(x, row.run, STOP_TERMINATE, e))
            return false;
    return true;
}

static bool runs_remove(struct exec *x, struct arena *a, const struct cron_out *out, struct err *e)
{
    struct run_row row;
    struct err gone;
    for (size_t i = 0; i < out->n_remove; i++)
        if (store_run_find_uid(a, x->store, out->remove[i], &row, &gone) && !exec_delete(x, &row, e)) return false;
    return true;
}

static struct val child_document(struct arena *a, const struct val *cron, const struct cron_out *out)
{
    const struct val *meta = val_get(cron, STR("metadata"));
    struct owner_ref owner = {STR("argoproj.io/v1alpha1"), STR("CronWorkflow"), val_get_str(meta, "name"), val_get_str(meta, "uid"), true};
    struct val doc = cron_workflow(a, cron, out->name, out->at_us);
    return owner_ref_add(a, &doc, &owner);
}

static void count(struct timetable *t, const struct cron_entry *c, enum stat_id what, const char *policy)
{
    const struct val *meta = val_get(cronwf_given(c->c), STR("metadata"));
    struct str labels[] = {val_get_str(meta, "name"), val_get_str(meta, "namespace"), str_of(policy)};
    stats_add(t->x->stats, what, labels, 1);
}

static bool refused(struct timetable *t, struct cron_entry *c, const struct cron_out *out, struct arena *a, const struct err *why, struct err *e)
{
    if (is_fatal(why)) return *e = *why, false;
    bool spec = why->code == ERR_SPEC;
    struct str cause = spec ? STR("CronWorkflowSpecError") : STR("CronWorkflowSubmissionError");
    stats_add(t->x->stats, STAT_ERRORS, &cause, 1);
    struct str text = spec ? str_dup(a, str_of(why->text)) : str_fmt(a, "Failed to submit Workflow: %s", why->text);
    cronwf_refused(c->c, spec ? CRON_SPEC_ERROR : CRON_SUBMISSION_ERROR, text, out->at_us);
    return true;
}

/* Who has the name already was started for this time, or is somebody's own. */
static bool child_start(struct timetable *t, struct arena *a, struct cron_entry *c, const struct cron_out *out, struct err *e)
{
    struct exec *x = t->x;
    const struct val *cron = cronwf_given(c->c);
    struct str ns = val_text(val_path(cron, "metadata.namespace"));
    struct val given = child_document(a, cron, out), ready;
    struct run_row row;
    struct err why = {0};
    int64_t run;
    if (store_run_find(a, x->store, ns, out->name, &row, &why)) return true;
    count(t, c, STAT_CRON_TRIGGERED, NULL);
    if (out->policy) count(t, c, STAT_CRON_POLICY, out->policy);
    if (!x->o.admit(x->o.user, a, &given, ns, &ready, &why)) return refused(t, c, out, a, &why, e);
    if (!runs_end(x, a, out, e)) return false;
    if (!exec_submit(x, &ready, NULL, &run, &why)) return refused(t, c, out, a, &why, e);
    struct owned what = {STR("Workflow"), ns, out->name, val_text(val_path(&ready, "metadata.uid"))};
    if (!resource_change_log(x->store, "ADDED", &what, e)) return false;
    struct cron_child child = {.name = out->name, .uid = what.uid, .active = true};
    cronwf_started(c->c, &child, out->at_us, clock_now_us());
    return true;
}

static bool entry_settle(struct timetable *t, struct cron_entry *c, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    int64_t now = clock_now_us();
    bool ok = true;
    arena_init(&a);
    if (c->stirred) ok = actives_flush(t->x, e) && children_tell(t, &a, c, e);
    c->stirred = false;
    while (ok && cronwf_next_us(c->c) <= now) {
        struct cron_out out;
        cronwf_tick(c->c, now, &out);
        if (out.policy && !out.start) count(t, c, STAT_CRON_POLICY, out.policy);
        if (out.start || out.n_remove) ok = exec_begin(t->x, e);
        if (ok && out.start) ok = child_start(t, &a, c, &out, e);
        ok = ok && runs_remove(t->x, &a, &out, e);
    }
    if (ok && cronwf_dirty(c->c)) ok = entry_write(t, &a, c, e);
    c->next_us = cronwf_next_us(c->c);
    heap_fix(&t->heap, c);
    return ok;
}

/* ---- what others have stored ---- */

static bool all_read(struct timetable *t, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct resource_query q = {.kind = RESOURCE_CRON_WORKFLOW};
    struct resource_page page = {0};
    bool ok = true;
    arena_init(&a);
    while (t->heap.n) entry_free(t, heap_top(&t->heap));
    do {
        ok = resource_list(&a, t->x->store, &q, &page, e);
        for (size_t i = 0; ok && i < page.n; i++) entry_take(t, &a, &page.docs[i]);
        q.continue_token = page.continue_token;
    } while (ok && q.continue_token.n);
    t->stale = false;
    return ok;
}

static bool change_take(struct timetable *t, struct arena *a, const struct change_row *row, struct err *e)
{
    struct val v, doc;
    struct err absent;
    if (!str_is(row->kind, "object") || str_find(row->payload, STR("\"CronWorkflow\""), 0) < 0) return true;
    if (!json_parse(a, row->payload, NULL, &v, e)) return false;
    struct resource_key key = {RESOURCE_CRON_WORKFLOW, val_get_str(&v, "namespace"), val_get_str(&v, "name")};
    struct str uid = val_get_str(&v, "uid");
    struct cron_entry *c = map_ptr(&t->entries, uid);
    if (!str_is(val_get_str(&v, "kind"), "CronWorkflow")) return true;
    bool there = resource_get(a, t->x->store, &key, &doc, &absent) && str_eq(val_text(val_path(&doc, "metadata.uid")), uid);
    if (there) entry_take(t, a, &doc);
    else if (c) entry_free(t, c);
    return true;
}

static bool changes_take(struct timetable *t, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct change_query q = {.after = t->seen};
    struct change_page page;
    struct err gone;
    arena_init(&a);
    do {
        if (!store_changes_read(&a, t->x->store, &q, &page, &gone)) return t->stale = true; /* it does not reach back so far */
        for (size_t i = 0; i < page.n; i++)
            if (!change_take(t, &a, &page.rows[i], e)) return false;
        q.after = page.next;
    } while (page.n);
    return true;
}

static bool look_around(struct timetable *t, struct err *e)
{
    int64_t objects = store_objects_written(t->x->store), last = store_change_last(t->x->store);
    bool ok = t->stale || objects == t->objects || changes_take(t, e);
    if (ok && t->stale) ok = all_read(t, e);
    t->objects = objects;
    t->seen = last;
    return ok;
}

/* ---- turns ---- */

static void clock_look(struct timetable *t, int64_t now_us)
{
    bool back = now_us < t->now_us;
    t->now_us = now_us;
    for (size_t i = 0; back && i < t->heap.n; i++) {
        struct cron_entry *c = t->heap.items[i];
        cronwf_clock_back(c->c, now_us);
        entry_stir(t, c);
    }
}

static struct cron_entry *entry_due(struct timetable *t, int64_t now_us)
{
    struct cron_entry *c = heap_top(&t->heap);
    if (t->stirred.n) return VEC_POP(&t->stirred);
    return c && c->next_us <= now_us ? c : NULL;
}

bool timetable_turn(struct exec *x, struct err *e)
{
    struct timetable *t = x->timetable;
    struct cron_entry *c;
    int64_t now = clock_now_us();
    if (!t || x->closing) return true;
    if (!look_around(t, e)) return false;
    clock_look(t, now);
    for (int i = 0; (c = entry_due(t, now)); i++) {
        if (i == SOME) {
            if (c->stirred) VEC_PUSH(&t->stirred, c);
            loop_again(x->o.loop);
            return true;
        }
        if (!entry_settle(t, c, e) || !look_around(t, e)) return false;
    }
    c = heap_top(&t->heap);
    int64_t next = c ? c->next_us : INT64_MAX;
    if (next != t->armed_us) alarm_set(t->alarm_fd, next);
    t->armed_us = next;
    return true;
}

static void on_alarm(void *user, unsigned events)
{
    struct timetable *t = user;
    (void)events;
    alarm_read(t->alarm_fd);
    t->armed_us = 0;
    loop_again(t->x->o.loop);
}

struct timetable *timetable_new(struct exec *x, struct err *e)
{
    struct timetable *t = mem_zalloc(sizeof *t);
    *t = (struct timetable){.x = x, .stale = true, .alarm_fd = alarm_open(e)};
    t->heap = (struct heap){.before = entry_before, .place = offsetof(struct cron_entry, place)};
    arena_init(&t->arena);
    t->local = exec_zone(&t->arena, STR_NONE);
    if (t->alarm_fd >= 0) t->alarm = loop_fd_new(x->o.loop, t->alarm_fd, on_alarm, t, e);
    if (!t->alarm) return timetable_free(t), NULL;
    loop_fd_watch(t->alarm, LOOP_READ);
    loop_again(x->o.loop);
    return t;
}

void timetable_free(struct timetable *t)
{
    if (!t) return;
    while (t->heap.n) entry_free(t, heap_top(&t->heap));
    loop_fd_free(t->alarm);
    close_fd(&t->alarm_fd);
    heap_fini(&t->heap);
    map_fini(&t->entries);
    map_fini(&t->zones);
    VEC_FINI(&t->stirred);
    arena_fini(&t->arena);
    free(t);
}
