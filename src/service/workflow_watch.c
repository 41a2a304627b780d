/* Argo's watch of workflows. See streams.h.
 *
 * A watch holds which workflows have changed, in the order of their last change, and no state of theirs: that is read
 * when the client takes it. A change moves its workflow to the end, so events leave in the order of their versions. */
#include <sys/queue.h>

#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "resource/selector.h"
#include "service/service_p.h"
#include "service/streams.h"

enum { PAGE = 500, KEY_BYTES = 24 };

struct dirty {
    TAILQ_ENTRY(dirty) link;
    char key[KEY_BYTES]; /* the run's id as text; empty for one that was deleted */
    int64_t run, rv;
    bool fresh;             /* the client has not heard of it */
    struct str ns, name, uid; /* of one that was deleted */
};

/* What the client knows of a workflow, as far as selectors make a difference. */
enum told { TOLD_NOTHING, TOLD_BEFORE /* maybe, by the watch or list that this one goes on from */, TOLD_SHOWN, TOLD_GONE };

struct workflow_watch {
    struct feed feed; /* first */
    struct service *s;
    struct workflow_watch_opts o;
    struct arena arena; /* of the options */
    struct selector labels, fields;
    struct str name; /* the one that the fields ask for; absent: more than one */
    TAILQ_HEAD(dirty_list, dirty) dirty;
    struct map by_run;
    size_t n;
    int64_t after;      /* seq up to which changes were noted */
    bool listing;       /* what is there is being noted */
    int64_t before_run; /* where that goes on */
    bool resumed;
    bool full;          /* the client takes nothing for now */
    bool ended;
    bool tracks;        /* there are selectors: */
    struct map told;    /* uid -> enum told */
};

/* ---- what has changed ---- */

static void dirty_drop(struct workflow_watch *w, struct dirty *d)
{
    TAILQ_REMOVE(&w->dirty, d, link);
    if (d->key[0]) map_del(&w->by_run, str_of(d->key));
    free((char *)d->ns.p);
    free((char *)d->name.p);
    free((char *)d->uid.p);
    free(d);
    w->n--;
}

static void dirty_note(struct workflow_watch *w, int64_t run, int64_t rv, bool fresh)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "%lld", (long long)run);
    struct dirty *d = map_ptr(&w->by_run, str_of(key));
    if (d) {
        TAILQ_REMOVE(&w->dirty, d, link);
    } else {
        d = mem_zalloc(sizeof *d);
        memcpy(d->key, key, sizeof key);
        d->run = run;
        map_set_ptr(&w->by_run, str_of(d->key), d);
        w->n++;
    }
    d->rv = rv;
    d->fresh = d->fresh || fresh;
    TAILQ_INSERT_TAIL(&w->dirty, d, link);
}

static struct str kept(struct str s) { return str_n(mem_strdup(s.p), s.n); }

/* One that was deleted, or whose labels a step has changed. */
static void object_note(struct workflow_watch *w, struct arena *a, int64_t rv, struct str payload)
{
    struct val v;
    struct run_row row;
    struct err gone;
    if (!json_parse(a, payload, NULL, &v, NULL) || !str_is(val_get_str(&v, "kind"), "Workflow")) return;
    if (!str_is(val_get_str(&v, "type"), "DELETED")) {
        if (store_run_find_uid(a, service_store(w->s), val_get_str(&v, "uid"), &row, &gone)) dirty_note(w, row.run, rv, false);
        return;
    }
    struct dirty *d = mem_zalloc(sizeof *d);
    *d = (struct dirty){.rv = rv, .ns = kept(str_dup(a, val_get_str(&v, "namespace"))),
                        .name = kept(str_dup(a, val_get_str(&v, "name"))), .uid = kept(str_dup(a, val_get_str(&v, "uid")))};
    TAILQ_INSERT_TAIL(&w->dirty, d, link);
    w->n++;
}

static void watch_end(struct workflow_watch *w, const struct err *e)
{
    w->ended = true;
    w->o.on_end(w->o.user, e);
}

static void change_note(struct workflow_watch *w, struct arena *a, const struct change_row *c)
{
    if (str_is(c->kind, "object")) object_note(w, a, c->rv, c->payload);
    else if (c->run) dirty_note(w, c->run, c->rv, str_is(c->kind, "added"));
}

static void changes_note(struct workflow_watch *w, struct arena *a)
{
    struct change_query q = {.after = w->after, .limit = PAGE};
    struct change_page page;
    struct err e;
    if (!store_changes_read(a, service_store(w->s), &q, &page, &e)) {
        watch_end(w, &e);
        return;
    }
    for (size_t i = 0; i < page.n; i++) change_note(w, a, &page.rows[i]);
    w->after = page.next;
}

static bool in_ns(const struct workflow_watch *w, struct str ns) { return !w->o.ns.n || str_eq(w->o.ns, ns); }

/* The same from what all watches share: most are about workflows that this client has not asked for. False: it is not there. */
static bool recent_note(struct workflow_watch *w, struct arena *a)
{
    const struct recent_change *c;
    bool found = false;
    for (int i = 0; i < PAGE && (c = recent_find(w->s, w->after + 1)); i++) {
        bool named = c->name.p && in_ns(w, c->ns) && (!w->name.n || str_eq(w->name, c->name));
        if (c->object.n) object_note(w, a, c->rv, c->object);
        else if (named) dirty_note(w, c->run, c->rv, c->added);
        w->after = c->seq;
        found = true;
    }
    return found;
}

/* Also what is not committed yet, and so not shared yet: rows are read as they are now, and one must not be given before others
 * that changed earlier. */
static bool has_changes(const struct workflow_watch *w) { return w->after < store_change_last(service_store(w->s)); }

/* ---- what is there ---- */

static int rv_order(const void *x, const void *y)
{
    const struct dirty *a = *(struct dirty *const *)x, *b = *(struct dirty *const *)y;
    return (a->rv > b->rv) - (a->rv < b->rv);
}

static void dirty_sort(struct workflow_watch *w)
{
    struct dirty **all = mem_alloc((w->n + 1) * sizeof *all), *d;
    size_t n = 0;
    while ((d = TAILQ_FIRST(&w->dirty))) {
        TAILQ_REMOVE(&w->dirty, d, link);
        all[n++] = d;
    }
    if (n) qsort(all, n, sizeof *all, rv_order);
    for (size_t i = 0; i < n; i++) TAILQ_INSERT_TAIL(&w->dirty, all[i], link);
    free(all);
}

static struct str wanted_name(const struct workflow_watch *w)
{
    for (size_t i = 0; i < w->fields.n; i++) {
        const struct selector_req *r = &w->fields.reqs[i];
        if (str_is(r->key, "metadata.name") && r->op == SELECTOR_IN && r->n == 1) return r->values[0];
    }
    return STR_NONE;
}

/* Changes are noted when all is listed: a run that changes meanwhile moves to its place then. */
static void list_note(struct workflow_watch *w, struct arena *a)
{
    struct run_filter f = {.ns = w->o.ns.n ? w->o.ns : STR_NONE, .name = w->name, .match = RUN_NAME_EXACT, .before_run = w->before_run, .limit = PAGE};
    struct run_page page;
    struct err e;
    if (!store_run_list(a, service_store(w->s), &f, &page, &e)) {
        watch_end(w, &e);
        return;
    }
    for (size_t i = 0; i < page.n; i++) dirty_note(w, page.rows[i].run, page.rows[i].rv, true);
    w->before_run = page.next;
    w->listing = page.next != 0;
    if (!w->listing) dirty_sort(w);
}

/* ---- what is sent ---- */

static bool give(struct workflow_watch *w, const char *type, const struct val *object, struct str text)
{
    w->full = !w->o.on_event(w->o.user, type, object, text);
    return !w->full;
}

static struct val names_of(struct arena *a, const struct dirty *d)
{
    struct val_builder b, m;
    map_begin(&m, a);
    map_add_str(&m, "name", d->name);
    map_add_str(&m, "namespace", d->ns);
    map_add_str(&m, "uid", d->uid);
    map_add_str(&m, "resourceVersion", str_fmt(a, "%lld", (long long)d->rv));
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), map_done(&m));
    return map_done(&b);
}

/* Fields beyond the names are no longer known. */
static bool names_match(const struct workflow_watch *w, const struct val *object)
{
    for (size_t i = 0; i < w->fields.n; i++) {
        const struct selector one = {&w->fields.reqs[i], 1};
        if (str_starts(one.reqs->key, STR("metadata.")) && !field_selector_matches(&one, object)) return false;
    }
    return true;
}

static enum told told(const struct workflow_watch *w, struct str uid)
{
    const struct map_slot *slot = map_get(&w->told, uid);
    return slot ? (enum told)slot->num : w->resumed ? TOLD_BEFORE : TOLD_NOTHING;
}

static void tell(struct workflow_watch *w, struct str uid, enum told what)
{
    if (!w->tracks) return;
    struct map_slot *slot = map_get(&w->told, uid);
    if (!slot) slot = map_put(&w->told, kept(uid), NULL);
    slot->num = what;
}

static void told_forget(struct workflow_watch *w, struct str uid)
{
    struct map_slot *slot = map_get(&w->told, uid);
    char *key = slot ? (char *)slot->key.p : NULL;
    if (slot) map_del(&w->told, uid);
    free(key);
}

static bool deletion_give(struct workflow_watch *w, struct arena *a, const struct dirty *d)
{
    struct val object = names_of(a, d);
    enum told was = told(w, d->uid);
    bool heard = !w->tracks || was == TOLD_SHOWN || was == TOLD_BEFORE;
    if (heard && in_ns(w, d->ns) && names_match(w, &object) && !give(w, "DELETED", &object, json_text(a, &object))) return false;
    told_forget(w, d->uid);
    return true;
}

/* It does not match (any more): for this client it is deleted. Only labels change in ways that selectors ask about. */
static bool departure_give(struct workflow_watch *w, struct arena *a, const struct dirty *d, const struct shown *x)
{
    struct str uid = x->row.uid;
    const struct val *shorter = &x->shorter;
    enum told was = told(w, uid);
    bool heard = was == TOLD_SHOWN || (was == TOLD_BEFORE && !d->fresh && w->labels.n && names_match(w, shorter));
    if (!heard) return true;
    if (!give(w, "DELETED", shorter, json_text(a, shorter))) return false;
    tell(w, uid, TOLD_GONE);
    return true;
}

static bool state_give(struct workflow_watch *w, struct arena *a, const struct dirty *d, const struct shown *x)
{
    enum told was = told(w, x->row.uid);
    bool added = d->fresh || (w->tracks && (was == TOLD_NOTHING || was == TOLD_GONE));
    if (!selector_matches(&w->labels, val_path(&x->shorter, "metadata.labels")) || !field_selector_matches(&w->fields, &x->shorter))
        return departure_give(w, a, d, x);
    if (!x->text.n) return true; /* its rows are damaged: get says so */
    if (!give(w, added ? "ADDED" : "MODIFIED", &x->whole, x->text)) return false;
    tell(w, x->row.uid, TOLD_SHOWN);
    return true;
}

/* The first of the dirty ones; it stays when it is not taken. */
static void first_give(struct workflow_watch *w, struct arena *a)
{
    struct dirty *d = TAILQ_FIRST(&w->dirty);
    const struct shown *x;
    bool taken = true;
    if (!d->key[0]) {
        taken = deletion_give(w, a, d);
    } else {
        x = shown_get(w->s, d->run, d->rv, !w->o.no_nodes);
        if (x->row.uid.n && in_ns(w, x->row.ns)) taken = state_give(w, a, d, x);
    }
    if (taken) dirty_drop(w, d);
}

static bool piece(struct feed *f)
{
    struct workflow_watch *w = (struct workflow_watch *)f;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (w->ended) return false;
    if (w->listing) list_note(w, &a);
    else if (has_changes(w)) {
        if (!recent_note(w, &a)) changes_note(w, &a);
    }
    else if (!w->full && w->n) first_give(w, &a);
    else return false;
    return !w->ended;
}

/* ---- its life ---- */

/* Changes of the version itself come again: others of the same commit may not have been seen. */
static bool begin_at(struct workflow_watch *w, struct err *e)
{
    struct store *st = service_store(w->s);
    w->resumed = w->o.after_rv > 0;
    w->listing = !w->resumed;
    w->after = store_change_last(st);
    if (!w->resumed) return true;
    if (w->o.after_rv > store_version(st))
        return err_set(e, ERR_GONE, "resourceVersion %lld is from the future; list again", (long long)w->o.after_rv);
    return store_change_seq_at(st, w->o.after_rv - 1, &w->after, e);
}

struct workflow_watch *workflow_watch_new(struct service *s, const struct workflow_watch_opts *o, struct err *e)
{
    struct workflow_watch *w = mem_zalloc(sizeof *w);
    *w = (struct workflow_watch){.s = s, .o = *o, .feed.piece = piece};
    arena_init(&w->arena);
    TAILQ_INIT(&w->dirty);
    w->o.ns = str_dup(&w->arena, o->ns.n ? o->ns : STR(""));
    bool ok = selector_parse(&w->arena, str_dup(&w->arena, o->labels), &w->labels, e) && field_selector_parse(&w->arena, o->fields, &w->fields, e) &&
              run_fields_check(&w->fields, e) && begin_at(w, e);
    w->tracks = w->labels.n || w->fields.n;
    w->name = wanted_name(w);
    recent_open(s);
    feed_add(s, &w->feed);
    if (ok) return w;
    workflow_watch_free(w);
    return NULL;
}

void workflow_watch_pump(struct workflow_watch *w)
{
    w->full = false;
    feeds_wake(w->s);
}

void workflow_watch_free(struct workflow_watch *w)
{
    if (!w) return;
    feed_remove(w->s, &w->feed);
    recent_close(w->s);
    while (TAILQ_FIRST(&w->dirty)) dirty_drop(w, TAILQ_FIRST(&w->dirty));
    for (struct map_slot *s = NULL; (s = map_next(&w->told, s));) free((char *)s->key.p);
    map_fini(&w->told);
    map_fini(&w->by_run);
    arena_fini(&w->arena);
    free(w);
}
