/* Watches: the change log as JSON lines, each once and in order, for the follow of this process and
 * for the engine's socket. A watch keeps its place; nothing is queued for it, and a line that is not taken
 * comes again when it is pumped the next time. Lines of what was just committed are made once for all (recent.c). */
#include "base/limits.h"
#include "doc/json.h"
#include "service/service_p.h"

enum {
    PAGE = 500,
    MANY = 16,     /* when more than so many were given lines at once, the next ones wait: */
    EACH_US = 20,  /* for each, about what it costs to send them */
};

static int run_order(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static int watched_order(const void *x, const void *y)
{
    return run_order(&((const struct watched *)x)->run, &((const struct watched *)y)->run);
}

static bool wanted(const struct service_watch *w, int64_t run)
{
    return run && (!w->n || bsearch(&run, w->runs, w->n, sizeof run, run_order));
}

/* True: it was taken, and the next one may follow. */
static bool line_give(struct service_watch *w, struct str line)
{
    w->full = !w->on_line(w->user, line) && !w->dead;
    return !w->full && !w->dead;
}

/* ---- deletions: for who looks at this one it is over, once ---- */

static struct watched *watched_uid(const struct service_watch *w, struct str uid)
{
    for (size_t i = 0; i < w->n; i++)
        if (str_eq(w->of[i].uid, uid)) return &w->of[i];
    return NULL;
}

static bool looks_at(const struct service_watch *w, struct str uid)
{
    const struct watched *x = watched_uid(w, uid);
    return x ? !x->gone : !w->n;
}

static bool deletion_give(struct service_watch *w, struct str uid, struct str line)
{
    struct watched *x = watched_uid(w, uid);
    bool more = line_give(w, line);
    if (x) x->gone = !w->full;
    return more;
}

/* ---- states: what is, before what will be ----
 *
 * They are given run by run and node by node for as long as they are taken, and from there on later. What happens
 * meanwhile comes after the last of them, but for the changes that a state has shown already. Only the last line
 * has a seq: who loses the connection before it begins anew. */

struct states {
    struct service_watch *w;
    const struct run_row *run;
    struct buf *b;
};

static struct str node_key(struct arena *a, int64_t run, struct str id)
{
    return str_fmt(a, "%lld/%.*s", (long long)run, STR_ARG(id));
}

/* Of a node, or with an absent id of the workflow: changes up to now are in its state. */
static void shown_note(struct service_watch *w, int64_t run, struct str id)
{
    map_put(&w->shown, node_key(&w->shown_arena, run, id), NULL)->num = (uint64_t)store_change_last(service_store(w->s));
}

/* `status`: of a node, else absent. */
static bool shown_already(struct service_watch *w, int64_t seq, int64_t run, struct str status, struct arena *a)
{
    struct val v;
    if (!w->shown.n) return false;
    struct str id = STR_NONE;
    if (status.n && json_parse(a, status, NULL, &v, NULL)) id = val_get_str(&v, "id");
    const struct map_slot *s = map_get(&w->shown, node_key(a, run, id));
    return s && (uint64_t)seq <= s->num;
}

static void shown_forget(struct service_watch *w)
{
    if (!w->shown.n) return;
    map_fini(&w->shown);
    w->shown = (struct map){0};
    arena_reset(&w->shown_arena);
}

static bool state_line(void *ctx, const struct node_row *row, struct err *e)
{
    struct states *x = ctx;
    (void)e;
    change_line(x->b, -1, x->run, STR("node"), row->status);
    if (!line_give(x->w, buf_view(x->b))) return false;
    x->w->state_node = row->idx + 1;
    if (row->rv >= x->w->states_rv) shown_note(x->w, row->run, row->id);
    return true;
}

/* The change that said so may be one of those that are no longer kept. */
static bool gone_state(struct service_watch *w, int64_t seq, struct buf *b)
{
    const struct watched *x = &w->of[w->state_run];
    struct run_row run = {.ns = x->ns, .name = x->name, .uid = x->uid};
    if (x->gone) return true;
    change_line(b, seq, &run, STR("deleted"), STR(CHANGE_DELETED));
    return deletion_give(w, x->uid, buf_view(b));
}

static bool run_states(struct service_watch *w, struct arena *a, struct buf *b)
{
    struct store *st = service_store(w->s);
    int64_t id = w->runs[w->state_run], seq = w->state_run + 1 == w->n ? w->after : -1;
    struct run_row run;
    struct states x = {w, &run, b};
    struct str status;
    struct err e;
    if (!store_run_get(a, st, id, &run, &e)) return e.code != ERR_NOT_FOUND || gone_state(w, seq, b);
    if (!store_nodes_load_from(st, id, w->state_node, state_line, &x, &e) && (w->full || w->dead)) return false;
    if (!store_value_get(a, st, id, STR("status"), &status, &e)) return true;
    change_line(b, seq, &run, STR("workflow"), status);
    if (!line_give(w, buf_view(b))) return false;
    if (run.rv >= w->states_rv) shown_note(w, id, STR_NONE);
    return true;
}

static void send_states(struct service_watch *w, struct arena *a, struct buf *b)
{
    while (w->state_run < w->n) {
        if (!run_states(w, a, b)) return;
        w->state_run++;
        w->state_node = 0;
        arena_reset(a);
    }
}

/* From now on, with what is now. */
static void states_begin(struct service_watch *w)
{
    shown_forget(w);
    w->after = store_change_last(service_store(w->s));
    w->states_rv = store_version(service_store(w->s));
    w->state_run = 0;
    w->state_node = 0;
}

/* ---- changes ---- */

static bool send_deletion(struct service_watch *w, const struct change_row *c, struct arena *a, struct buf *b)
{
    struct run_row run;
    if (!change_of_deletion(a, c, &run) || !looks_at(w, run.uid)) return true;
    change_line(b, c->seq, &run, STR("deleted"), STR(CHANGE_DELETED));
    return deletion_give(w, run.uid, buf_view(b));
}

/* `run`: the one that the change before was about. */
static bool send_change(struct service_watch *w, const struct change_row *c, struct run_row *run, struct arena *a,
                        struct buf *b)
{
    struct err e;
    bool node = str_is(c->kind, "node");
    if (!node && !str_is(c->kind, "workflow")) return send_deletion(w, c, a, b);
    if (!wanted(w, c->run) || shown_already(w, c->seq, c->run, node ? c->payload : STR_NONE, a)) return true;
    if (run->run != c->run && !store_run_get(a, service_store(w->s), c->run, run, &e)) return true;
    change_line(b, c->seq, run, c->kind, c->payload);
    return line_give(w, buf_view(b));
}

/* What it has not been given is no longer kept. Who looks at some gets their states again; nobody can list all for the others.
 * False: no more. */
static bool fell_behind(struct service_watch *w)
{
    int64_t last = store_change_last(service_store(w->s));
    struct err e;
    if (w->n) return states_begin(w), true;
    err_set(&e, ERR_GONE, "changes after %lld are no longer there; list again, then watch with after=%lld", (long long)w->after, (long long)last);
    w->full = true;
    w->on_end(w->user, last, &e);
    return false;
}

/* False: no more for now. */
static bool send_page(struct service_watch *w, struct arena *a, struct buf *b)
{
    struct store *st = service_store(w->s);
    struct change_query q = {.after = w->after, .limit = PAGE};
    struct change_page page;
    struct run_row run = {0};
    struct err e;
    if (!store_changes_read(a, st, &q, &page, &e)) return e.code == ERR_GONE && fell_behind(w);
    for (size_t i = 0; i < page.n; i++) {
        if (!send_change(w, &page.rows[i], &run, a, b)) return false;
        w->after = page.rows[i].seq;
    }
    if (page.n == PAGE) return true;
    if (!w->s->recent.on) shown_forget(w);
    return false;
}

static bool is_for(struct service_watch *w, const struct recent_change *c, struct arena *a)
{
    if (c->gone.n) return looks_at(w, c->gone);
    return c->line.n && wanted(w, c->run) && !shown_already(w, c->seq, c->run, c->status, a);
}

/* From what all share, as far as that goes; false: no more for now. */
static bool send_recent(struct service_watch *w, struct arena *a)
{
    const struct recent *r = &w->s->recent;
    const struct recent_change *at;
    while ((at = recent_find(w->s, w->after + 1))) {
        struct recent_change c = *at; /* who takes the line may cause more changes */
        if (is_for(w, &c, a) && !(c.gone.n ? deletion_give(w, c.gone, c.line) : line_give(w, c.line))) return false;
        w->after = c.seq;
    }
    if (!r->on || w->after < r->last) return true;
    w->ready = false;
    shown_forget(w);
    return false;
}

/* Is there anything for it? What comes before that it need not look at again. */
static bool recent_has(struct service_watch *w, struct arena *a)
{
    const struct recent_change *c;
    while ((c = recent_find(w->s, w->after + 1))) {
        if (is_for(w, c, a)) return true;
        w->after = c->seq;
    }
    return false;
}

static bool is_behind(const struct service_watch *w)
{
    const struct recent *r = &w->s->recent;
    return w->state_run < w->n || !r->on || (w->after < r->last && !recent_find(w->s, w->after + 1));
}

static struct str kept(struct str s) { return str_n(mem_strdup(s.p), s.n); }

static void watched_fini(struct watched *x)
{
    free((char *)x->ns.p);
    free((char *)x->name.p);
    free((char *)x->uid.p);
}

static void watch_release(struct service_watch *w)
{
    map_fini(&w->shown);
    arena_fini(&w->shown_arena);
    for (size_t i = 0; i < w->n; i++) watched_fini(&w->of[i]);
    free(w->of);
    free(w->runs);
    free(w);
}

static void watch_pumped(struct service_watch *w)
{
    w->pumping = false;
    recent_release(w->s);
    if (w->dead) watch_release(w);
}

void service_watch_pump(struct service_watch *w)
{
    struct buf b CLEANUP(buf_fini);
    struct arena a CLEANUP(arena_fini);
    buf_init(&b, LIMIT_CHANGE_LINE_BYTES);
    arena_init(&a);
    if (w->pumping || w->dead) return;
    w->pumping = true;
    w->full = false;
    recent_hold(w->s);
    for (bool more = true; more;) {
        send_states(w, &a, &b);
        more = !w->full && !w->dead && send_recent(w, &a) && send_page(w, &a, &b);
        arena_reset(&a);
    }
    watch_pumped(w);
}

bool service_watch_take(struct service_watch *w)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (w->pumping || w->dead) return true;
    if (is_behind(w)) return false;
    w->pumping = true;
    w->full = false;
    recent_hold(w->s);
    send_recent(w, &a);
    watch_pumped(w);
    return true;
}

/* True: it was given something, or told of it. */
static bool watch_turn(struct service_watch *w)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (!w->on_ready || is_behind(w)) {
        service_watch_pump(w); /* it may be gone then */
        return true;
    }
    if (w->ready || !recent_has(w, &a)) return false;
    w->ready = true;
    w->on_ready(w->user);
    return true;
}

/* After a commit. Many of them together leave time for the engine: what they are given costs most when it is sent. */
static void watches_pump(struct service *s)
{
    size_t given = 0;
    for (size_t i = s->watches.n; i-- > 0;) { /* one may leave meanwhile */
        struct service_watch *w = i < s->watches.n ? s->watches.items[i] : NULL;
        if (w && !w->full) given += watch_turn(w);
    }
    s->watches_rest_until_us = given > MANY ? loop_now_us() + (int64_t)given * EACH_US : 0;
}

void watches_turn(struct service *s)
{
    if (!s->watches.n) return;
    int64_t rest_us = s->watches_rest_until_us ? s->watches_rest_until_us - loop_now_us() : 0;
    if (rest_us <= 0) watches_pump(s);
    else if (!loop_timer_armed(s->watch_timer)) loop_timer_arm_us(s->watch_timer, rest_us);
}

static void on_rested(void *user)
{
    struct service *s = user;
    s->watches_rest_until_us = 0;
    watches_turn(s);
    follow_commit(s);
}

/* In order, each once. */
static void watched_sort(struct service_watch *w)
{
    size_t n = 0;
    if (w->n) qsort(w->of, w->n, sizeof *w->of, watched_order);
    for (size_t i = 0; i < w->n; i++)
        if (i && w->of[i].run == w->of[n - 1].run) watched_fini(&w->of[i]);
        else w->of[n++] = w->of[i];
    w->n = n;
    w->runs = mem_zalloc((n + 1) * sizeof *w->runs);
    for (size_t i = 0; i < n; i++) w->runs[i] = w->of[i].run;
}

static bool watched_find(struct service_watch *w, const struct watch_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    w->of = mem_zalloc((o->n + 1) * sizeof *w->of);
    for (size_t i = 0; i < o->n; i++) {
        struct run_row row;
        if (!store_run_find(&a, service_store(w->s), o->refs[i].ns, o->refs[i].name, &row, e)) return false;
        w->of[w->n++] = (struct watched){.run = row.run, .ns = kept(row.ns), .name = kept(row.name), .uid = kept(row.uid)};
    }
    watched_sort(w);
    return true;
}

/* Who wants all from a place on cannot begin anew with states, as who looks at some: he is told. */
static bool place_is_kept(struct service *s, const struct watch_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct change_query q = {.after = o->after, .limit = 1};
    struct change_page page;
    arena_init(&a);
    return o->n || o->after < 0 || store_changes_read(&a, service_store(s), &q, &page, e);
}

struct service_watch *service_watch_new(struct service *s, const struct watch_opts *o, struct err *e)
{
    if (!place_is_kept(s, o, e)) return NULL;
    struct service_watch *w = mem_zalloc(sizeof *w);
    *w = (struct service_watch){.s = s, .on_line = o->on_line, .on_ready = o->on_ready, .on_end = o->on_end, .user = o->user, .after = o->after};
    arena_init(&w->shown_arena);
    if (!watched_find(w, o, e)) {
        watch_release(w);
        return NULL;
    }
    VEC_PUSH(&s->watches, w);
    if (!s->watch_timer && s->loop) s->watch_timer = loop_timer_new(s->loop, on_rested, s);
    recent_open(s);
    if (o->from_start || o->after < 0) states_begin(w);
    if (!o->from_start) w->state_run = w->n;
    return w;
}

void service_watch_free(struct service_watch *w)
{
    if (!w || w->dead) return;
    for (size_t i = 0; i < w->s->watches.n; i++)
        if (w->s->watches.items[i] == w) {
            w->s->watches.items[i] = w->s->watches.items[--w->s->watches.n];
            break;
        }
    w->dead = true;
    if (!w->s->watches.n) {
        loop_timer_free(w->s->watch_timer);
        w->s->watch_timer = NULL;
    }
    recent_close(w->s);
    if (!w->pumping) watch_release(w);
}
