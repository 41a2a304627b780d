/* See locks.h.
 *
 *   lock --< line >-- party --< group --< claim
 *
 * A line is what a party has to do with one lock: what it holds of it and which of its groups wait.
 * A group holds the waiting claims of a party that ask for the same locks: only its first can be
 * the next, so a change looks at groups, not at claims. All queues are heaps. */
#include "engine/locks.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/locks_p.h"

enum { KEY_MAX = 64 << 10 };

/* ---- names ---- */

static bool text_check(const struct lock_name *n, struct err *e)
{
    if (!n->ns.n) return err_set(e, ERR_SPEC, "Invalid lock key: Namespace is missing");
    if (!n->name.n) return err_set(e, ERR_SPEC, "Invalid lock key: ResourceName is missing");
    if (n->kind != LOCK_CONFIG_MAP) return true;
    if (!n->key.n) return err_set(e, ERR_SPEC, "Invalid lock key: Key is missing for ConfigMap lock");
    if (str_find_char(n->name, '/', 0) < 0 && str_find_char(n->key, '/', 0) < 0) return true;
    return err_set(e, ERR_SPEC, "Invalid ConfigMap lock key: unknown format");
}

bool lock_text(struct arena *a, const struct lock_name *n, struct str *out, struct err *e)
{
    static const char *const kinds[] = {"Mutex", "ConfigMap", "Database", "Database"};
    if (!text_check(n, e)) return false;
    *out = str_fmt(a, "%.*s/%s/%.*s%s%.*s", STR_ARG(n->ns), kinds[n->kind], STR_ARG(n->name),
                   n->kind == LOCK_CONFIG_MAP ? "/" : "", STR_ARG(n->key));
    return true;
}

static bool is_db(const struct lock *k) { return k->name.kind == LOCK_DB || k->name.kind == LOCK_DB_MUTEX; }
static bool is_mutex(const struct lock *k) { return k->name.kind == LOCK_MUTEX || k->name.kind == LOCK_DB_MUTEX; }

/* ---- orders ---- */

static bool party_before(const struct lock_party *a, const struct lock_party *b)
{
    if (a->o.priority != b->o.priority) return a->o.priority > b->o.priority;
    if (a->o.created_us != b->o.created_us) return a->o.created_us < b->o.created_us;
    return a->o.number < b->o.number;
}

static bool line_before(const void *a, const void *b)
{
    return party_before(((const struct lock_line *)a)->party, ((const struct lock_line *)b)->party);
}

static bool claim_before(const void *x, const void *y)
{
    const struct lock_claim *a = x, *b = y;
    if (a->party->o.before && a->party->o.before(a->what, b->what)) return true;
    if (a->party->o.before && a->party->o.before(b->what, a->what)) return false;
    return a->number < b->number;
}

static bool group_before(const void *a, const void *b)
{
    return claim_before(heap_top(&((const struct lock_group *)a)->claims), heap_top(&((const struct lock_group *)b)->claims));
}

/* ---- what can be had ---- */

static bool is_first(const struct lock *k, const struct lock_party *p)
{
    return k->lines.n && ((const struct lock_line *)heap_top(&k->lines))->party == p;
}

static bool has_room(const struct lock *k)
{
    return (int64_t)k->holders.n < k->limit;
}

static bool group_can_go(const struct lock_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (!has_room(g->lines[i]->lock) || !is_first(g->lines[i]->lock, g->party)) return false;
    return true;
}

static void wake(struct lock_party *p)
{
    if (p->awake) return;
    p->awake = true;
    VEC_PUSH(&p->locks->awake, p);
}

static void mark_ready(struct lock_group *g)
{
    if (!heap_has(&g->party->ready, g)) heap_push(&g->party->ready, g);
    wake(g->party);
}

/* Something about the lock has changed: whoever stands first is to look again. */
static void touch(struct lock *k)
{
    if (!has_room(k) || !k->lines.n) return;
    struct lock_line *line = heap_top(&k->lines);
    for (size_t i = 0; i < line->groups.n; i++) mark_ready(line->groups.items[i].group);
}

/* ---- locks and lines ---- */

static struct str own(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return str_n(p, s.n);
}

static void disown(struct str s) { free((char *)(uintptr_t)s.p); }

/* Kinds whose texts are alike are told apart. */
static struct str map_key(struct arena *a, const struct lock_name *n)
{
    return str_fmt(a, "%d/%.*s/%.*s/%.*s", (int)n->kind, STR_ARG(n->ns), STR_ARG(n->name), STR_ARG(n->key));
}

static int64_t limit_of(const struct locks *all, const struct lock_name *n)
{
    bool mutex = n->kind == LOCK_MUTEX || n->kind == LOCK_DB_MUTEX;
    if (mutex) return 1;
    return all->limit ? all->limit(all->ctx, n) : 0;
}

static struct lock *lock_get(struct locks *all, const struct lock_name *n)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str key = map_key(&a, n), text;
    struct lock *k = map_ptr(&all->by_name, key);
    if (k) return k;
    k = mem_zalloc(sizeof *k);
    if (!lock_text(&a, n, &text, NULL)) text = key;
    k->locks = all;
    k->key = own(key);
    k->text = own(text);
    k->name = (struct lock_name){n->kind, own(n->ns), own(n->name), own(n->key)};
    k->lines = (struct heap){.before = line_before, .place = offsetof(struct lock_line, place)};
    k->limit = limit_of(all, n);
    map_set_ptr(&all->by_name, k->key, k);
    return k;
}

static void lock_drop(struct lock *k)
{
    const struct locks_watch *w = &k->locks->watch;
    if (w->gone) w->gone(w->ctx, &k->name);
    map_del(&k->locks->by_name, k->key);
    disown(k->key);
    disown(k->text);
    disown(k->name.ns);
    disown(k->name.name);
    disown(k->name.key);
    heap_fini(&k->lines);
    VEC_FINI(&k->holders);
    free(k);
}

static struct lock_line *line_get(struct lock_party *p, struct lock *k)
{
    struct lock_line *line = map_ptr(&p->by_lock, k->key);
    if (line) return line;
    line = mem_zalloc(sizeof *line);
    line->lock = k;
    line->party = p;
    k->n_lines++;
    map_set_ptr(&p->by_lock, k->key, line);
    VEC_PUSH(&p->lines, line);
    return line;
}

/* Gone once nothing is held and nobody waits. */
static void line_settle(struct lock_line *line)
{
    struct lock *k = line->lock;
    struct lock_party *p = line->party;
    if (line->groups.n || line->held.n || line->pins) {
        touch(k);
        return;
    }
    size_t i = 0;
    while (p->lines.items[i] != line) i++;
    memmove(&p->lines.items[i], &p->lines.items[i + 1], (p->lines.n - i - 1) * sizeof p->lines.items[0]);
    p->lines.n--;
    map_del(&p->by_lock, k->key);
    VEC_FINI(&line->groups);
    VEC_FINI(&line->held);
    free(line);
    if (--k->n_lines) touch(k);
    else lock_drop(k);
}

/* ---- groups ---- */

static struct lock_group *group_get(struct lock_claim *c)
{
    struct lock_party *p = c->party;
    struct buf key CLEANUP(buf_fini);
    buf_init(&key, KEY_MAX);
    for (size_t i = 0; i < c->n; i++) {
        buf_str(&key, c->seats[i].line->lock->key);
        buf_char(&key, '\n');
    }
    ASSERT(!key.overflow); /* LIMIT_LOCKS names of LIMIT_LOCK_BYTES */
    struct lock_group *g = map_ptr(&p->groups, buf_view(&key));
    if (g) return g;
    g = mem_zalloc(sizeof *g);
    g->party = p;
    g->key = own(buf_view(&key));
    g->n = c->n;
    g->lines = mem_zalloc(c->n * sizeof(struct lock_line *));
    g->at = mem_zalloc(c->n * sizeof *g->at);
    g->claims = (struct heap){.before = claim_before, .place = offsetof(struct lock_claim, place)};
    map_set_ptr(&p->groups, g->key, g);
    for (size_t i = 0; i < c->n; i++) {
        struct lock_line *line = g->lines[i] = c->seats[i].line;
        g->at[i] = line->groups.n;
        struct lock_entry entry = {g, i};
        VEC_PUSH(&line->groups, entry);
        if (line->groups.n == 1) heap_push(&line->lock->lines, line);
    }
    return g;
}

static void line_forget(struct lock_line *line, size_t at)
{
    struct lock_entry last = VEC_POP(&line->groups);
    if (at < line->groups.n) {
        line->groups.items[at] = last;
        last.group->at[last.which] = at;
    }
    if (!line->groups.n) heap_remove(&line->lock->lines, line);
}

static void group_drop(struct lock_group *g)
{
    if (heap_has(&g->party->ready, g)) heap_remove(&g->party->ready, g);
    for (size_t i = 0; i < g->n; i++) line_forget(g->lines[i], g->at[i]);
    map_del(&g->party->groups, g->key);
    disown(g->key);
    heap_fini(&g->claims);
    free(g->lines);
    free(g->at);
    free(g);
}

/* ---- claims ---- */

static void queue_join(struct lock_claim *c)
{
    struct lock_group *g = c->group = group_get(c);
    heap_push(&g->claims, c);
    for (size_t i = 0; i < c->n; i++) c->seats[i].line->lock->waits++;
    if (heap_has(&g->party->ready, g)) heap_fix(&g->party->ready, g);
    mark_ready(g);
}

static void queue_leave(struct lock_claim *c)
{
    struct lock_group *g = c->group;
    if (!g) return;
    c->group = NULL;
    for (size_t i = 0; i < c->n; i++) c->seats[i].line->lock->waits--;
    if (g->claims.n == 1) {
        heap_remove(&g->claims, c);
        if (heap_has(&g->party->ready, g)) heap_remove(&g->party->ready, g);
        group_drop(g);
        return;
    }
    heap_remove(&g->claims, c);
    if (heap_has(&g->party->ready, g)) heap_fix(&g->party->ready, g);
}

static void hold(struct lock_claim *c)
{
    c->held = true;
    for (size_t i = 0; i < c->n; i++) {
        struct lock_seat *s = &c->seats[i];
        struct lock_entry_held entry = {c, i};
        s->in_lock = s->line->lock->holders.n;
        s->in_line = s->line->held.n;
        VEC_PUSH(&s->line->lock->holders, entry);
        VEC_PUSH(&s->line->held, entry);
    }
}

static void unhold(struct lock_claim *c)
{
    for (size_t i = 0; c->held && i < c->n; i++) {
        struct lock_seat *s = &c->seats[i];
        struct lock *k = s->line->lock;
        struct lock_entry_held last = VEC_POP(&k->holders);
        if (s->in_lock < k->holders.n) {
            k->holders.items[s->in_lock] = last;
            last.claim->seats[last.which].in_lock = s->in_lock;
        }
        last = VEC_POP(&s->line->held);
        if (s->in_line < s->line->held.n) {
            s->line->held.items[s->in_line] = last;
            last.claim->seats[last.which].in_line = s->in_line;
        }
    }
    c->held = false;
}

static struct lock_claim *claim_make(struct lock_party *p, struct str holder, void *what,
                                     const struct lock_name *names, size_t n)
{
    struct lock_claim *c = mem_zalloc(sizeof *c);
    c->party = p;
    c->holder = own(holder);
    c->what = what;
    c->number = p->next_claim++;
    c->seats = mem_zalloc(n * sizeof *c->seats);
    for (size_t i = 0; i < n; i++) {
        struct lock_line *line = line_get(p, lock_get(p->locks, &names[i]));
        bool twice = false;
        for (size_t j = 0; j < c->n; j++) twice |= c->seats[j].line == line;
        if (twice) continue;
        line->pins++;
        c->seats[c->n++].line = line;
    }
    c->at = p->claims.n;
    VEC_PUSH(&p->claims, c);
    return c;
}

/* A semaphore that nobody uses must have a limit (semaphore.go newInternalSemaphore). */
bool lock_names_check(struct locks *k, const struct lock_name *names, size_t n, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct str text;
    arena_init(&a);
    for (size_t i = 0; i < n; i++) {
        if (!lock_text(&a, &names[i], &text, e)) return false;
        if (map_get(&k->by_name, map_key(&a, &names[i])) || limit_of(k, &names[i])) continue;
        return err_set(e, ERR_SPEC, "failed to initialize semaphore %.*s with limit", STR_ARG(text));
    }
    return true;
}

struct lock_claim *lock_claim_new(struct lock_party *p, struct str holder, void *what,
                                  const struct lock_name *names, size_t n, struct err *e)
{
    ASSERT(n);
    if (!lock_names_check(p->locks, names, n, e)) return NULL;
    struct lock_claim *c = claim_make(p, holder, what, names, n);
    queue_join(c);
    return c;
}

struct lock_claim *lock_claim_again(struct lock_party *p, struct str holder, void *what,
                                    const struct lock_name *names, size_t n, bool held)
{
    ASSERT(n);
    struct lock_claim *c = claim_make(p, holder, what, names, n);
    if (held) hold(c);
    else queue_join(c);
    return c;
}

void lock_claim_free(struct lock_claim *c)
{
    if (!c) return;
    struct lock_party *p = c->party;
    queue_leave(c);
    unhold(c);
    struct lock_claim *last = VEC_POP(&p->claims);
    if (last != c) {
        p->claims.items[c->at] = last;
        last->at = c->at;
    }
    for (size_t i = 0; i < c->n; i++) {
        c->seats[i].line->pins--;
        line_settle(c->seats[i].line);
    }
    disown(c->holder);
    free(c->seats);
    free(c);
}

void *lock_claim_what(const struct lock_claim *c) { return c->what; }
bool lock_claim_held(const struct lock_claim *c) { return c->held; }

struct lock_claim *lock_next(struct lock_party *p)
{
    struct lock_group *g;
    while ((g = heap_top(&p->ready))) {
        if (group_can_go(g)) return heap_top(&g->claims);
        heap_remove(&p->ready, g); /* a change of one of its locks brings it back */
    }
    return NULL;
}

void lock_take(struct lock_claim *c)
{
    ASSERT(c->group && group_can_go(c->group));
    const struct locks_watch *w = &c->party->locks->watch;
    queue_leave(c);
    hold(c);
    for (size_t i = 0; i < c->n; i++) {
        touch(c->seats[i].line->lock);
        if (w->taken) w->taken(w->ctx, &c->seats[i].line->lock->name);
    }
}

bool lock_claim_why(struct arena *a, const struct lock_claim *c, struct str *message, struct str *lock)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct lock *k = c->seats[i].line->lock;
        long long limit = (long long)k->limit, used = (long long)k->holders.n;
        if (has_room(k) && is_first(k, c->party)) continue;
        *lock = str_dup(a, k->text);
        if (is_db(k))
            *message = str_fmt(a, "Waiting for %.*s lock (%s/%.*s/%.*s). Lock status: %lld/%lld", STR_ARG(k->text),
                               is_mutex(k) ? "mtx" : "sem", STR_ARG(k->name.ns), STR_ARG(k->name.name), used, limit);
        else if (limit == 0)
            *message = str_fmt(a, "Failed to get semaphore limit for %.*s", STR_ARG(k->text));
        else
            *message = str_fmt(a, "Waiting for %.*s lock. Lock status: %lld/%lld", STR_ARG(k->text), limit - used, limit);
        return true;
    }
    return false;
}

/* ---- parties and the whole ---- */

struct locks *locks_new(lock_limit_fn *limit, void *ctx)
{
    struct locks *k = mem_zalloc(sizeof *k);
    k->limit = limit;
    k->ctx = ctx;
    return k;
}

void locks_free(struct locks *k)
{
    if (!k) return;
    ASSERT(!k->by_name.n);
    map_fini(&k->by_name);
    VEC_FINI(&k->awake);
    free(k);
}

void locks_watch(struct locks *k, const struct locks_watch *w) { k->watch = *w; }

void locks_visit(const struct locks *k, void (*seen)(void *ctx, const struct lock_name *name, size_t held, size_t waits), void *ctx)
{
    for (struct map_slot *s = NULL; (s = map_next(&k->by_name, s));) {
        const struct lock *l = s->ptr;
        seen(ctx, &l->name, l->holders.n, l->waits);
    }
}

void locks_refresh(struct locks *all)
{
    for (struct map_slot *s = NULL; (s = map_next(&all->by_name, s));) {
        struct lock *k = s->ptr;
        int64_t limit = limit_of(all, &k->name);
        if (limit == k->limit) continue;
        k->limit = limit;
        touch(k);
        for (size_t i = 0; i < k->lines.n; i++) {
            struct lock_party *p = ((struct lock_line *)k->lines.items[i])->party;
            p->stale = true;
            wake(p);
        }
    }
}

bool lock_party_stale(struct lock_party *p)
{
    bool stale = p && p->stale;
    if (p) p->stale = false;
    return stale;
}

struct lock_party *locks_join(struct locks *k, const struct lock_party_opts *o)
{
    struct lock_party *p = mem_zalloc(sizeof *p);
    p->locks = k;
    p->o = *o;
    p->ready = (struct heap){.before = group_before, .place = offsetof(struct lock_group, place)};
    return p;
}

void locks_leave(struct lock_party *p)
{
    if (!p) return;
    while (p->claims.n) lock_claim_free(p->claims.items[p->claims.n - 1]);
    for (size_t i = 0; p->awake && i < p->locks->awake.n; i++)
        if (p->locks->awake.items[i] == p) p->locks->awake.items[i] = NULL;
    heap_fini(&p->ready);
    map_fini(&p->by_lock);
    map_fini(&p->groups);
    VEC_FINI(&p->lines);
    VEC_FINI(&p->claims);
    free(p);
}

void *locks_next(struct locks *k)
{
    while (k->awake.n) {
        struct lock_party *p = VEC_POP(&k->awake);
        if (!p) continue;
        p->awake = false;
        if (p->ready.n || p->stale) return p->o.owner;
    }
    return NULL;
}

size_t lock_party_lines(const struct lock_party *p) { return p ? p->lines.n : 0; }

size_t lock_party_waits(const struct lock_party *p)
{
    size_t n = 0;
    for (size_t i = 0; p && i < p->claims.n; i++) n += !p->claims.items[i]->held;
    return n;
}
