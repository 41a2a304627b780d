/* Watches: the change log as JSON lines, each once and in order, for the follow of this process and
 * for the engine's socket. A watch keeps its place; nothing is queued for it, and a line that is not taken
 * comes again when it is pumped the next time. */
#include "base/limits.h"
#include "doc/json.h"
#include "os/clock.h"
#include "service/service_p.h"

enum { PAGE = 500 };

static int run_order(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static bool wanted(const struct service_watch *w, int64_t run)
{
    return run && (!w->n || bsearch(&run, w->runs, w->n_runs, sizeof run, run_order));
}

/* seq < 0: no place to go on from. */
static void line_write(struct buf *b, int64_t seq, const struct run_row *run, struct str kind,
                       struct str payload)
{
    bool node = str_is(kind, "node");
    buf_reset(b);
    buf_char(b, '{');
    if (seq >= 0) buf_printf(b, "\"seq\":%lld,", (long long)seq);
    buf_str(b, STR("\"workflow\":{\"namespace\":"));
    buf_json(b, run->ns);
    buf_str(b, STR(",\"name\":"));
    buf_json(b, run->name);
    buf_str(b, STR(",\"uid\":"));
    buf_json(b, run->uid);
    buf_printf(b, "},\"timeUs\":%lld,\"type\":\"%s\",\"%s\":", (long long)clock_now_us(),
               node ? "node" : "workflow", node ? "node" : "status");
    buf_str(b, payload);
    buf_char(b, '}');
}

/* True: it was taken, and the next one may follow. */
static bool line_give(struct service_watch *w, const struct buf *b)
{
    w->full = !w->on_line(w->user, buf_view(b)) && !w->dead;
    return !w->full && !w->dead;
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

static bool shown_already(struct service_watch *w, const struct change_row *c, struct arena *a)
{
    struct val v;
    if (!w->shown.n) return false;
    struct str id = STR_NONE;
    if (str_is(c->kind, "node") && json_parse(a, c->payload, NULL, &v, NULL)) id = val_get_str(&v, "id");
    const struct map_slot *s = map_get(&w->shown, node_key(a, c->run, id));
    return s && (uint64_t)c->seq <= s->num;
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
    line_write(x->b, -1, x->run, STR("node"), row->status);
    if (!line_give(x->w, x->b)) return false;
    x->w->state_node = row->idx + 1;
    if (row->rv >= x->w->states_rv) shown_note(x->w, row->run, row->id);
    return true;
}

static bool run_states(struct service_watch *w, struct arena *a, struct buf *b)
{
    struct store *st = service_store(w->s);
    int64_t id = w->runs[w->state_run];
    struct run_row run;
    struct states x = {w, &run, b};
    struct str status;
    struct err e;
    bool last = w->state_run + 1 == w->n_runs;
    if (!store_run_get(a, st, id, &run, &e)) return true; /* deleted */
    if (!store_nodes_load_from(st, id, w->state_node, state_line, &x, &e) && (w->full || w->dead)) return false;
    if (!store_value_get(a, st, id, STR("status"), &status, &e)) return true;
    line_write(b, last ? w->after : -1, &run, STR("workflow"), status);
    if (!line_give(w, b)) return false;
    if (run.rv >= w->states_rv) shown_note(w, id, STR_NONE);
    return true;
}

static void send_states(struct service_watch *w, struct arena *a, struct buf *b)
{
    while (w->state_run < w->n_runs) {
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

/* One that is deleted while somebody looks at it: for him it is over. */
static bool send_deletion(struct service_watch *w, const struct change_row *c, struct arena *a, struct buf *b)
{
    struct val v;
    if (!w->n || !str_is(c->kind, "object") || !json_parse(a, c->payload, NULL, &v, NULL)) return true;
    if (!str_is(val_get_str(&v, "kind"), "Workflow") || !str_is(val_get_str(&v, "type"), "DELETED")) return true;
    struct run_row run = {.ns = val_get_str(&v, "namespace"), .name = val_get_str(&v, "name"), .uid = val_get_str(&v, "uid")};
    for (size_t i = 0; i < w->n; i++) {
        if (!str_eq(w->uids[i], run.uid)) continue;
        line_write(b, c->seq, &run, STR("workflow"), STR("{\"phase\":\"Failed\",\"message\":\"deleted\"}"));
        return line_give(w, b);
    }
    return true;
}

/* `run`: the one that the change before was about. */
static bool send_change(struct service_watch *w, const struct change_row *c, struct run_row *run, struct arena *a,
                        struct buf *b)
{
    struct err e;
    bool about_run = str_is(c->kind, "node") || str_is(c->kind, "workflow");
    if (!about_run) return send_deletion(w, c, a, b);
    if (!wanted(w, c->run) || shown_already(w, c, a)) return true;
    if (run->run != c->run && !store_run_get(a, service_store(w->s), c->run, run, &e)) return true;
    line_write(b, c->seq, run, c->kind, c->payload);
    return line_give(w, b);
}

/* False: no more for now. */
static bool send_page(struct service_watch *w, struct arena *a, struct buf *b)
{
    struct store *st = service_store(w->s);
    struct change_query q = {.after = w->after, .limit = PAGE};
    struct change_page page;
    struct run_row run = {0};
    struct err e;
    if (!store_changes_read(a, st, &q, &page, &e)) {
        if (e.code != ERR_GONE) return false;
        states_begin(w); /* it was away for longer than changes are kept */
        return w->n > 0;
    }
    for (size_t i = 0; i < page.n; i++) {
        if (!send_change(w, &page.rows[i], &run, a, b)) return false;
        w->after = page.rows[i].seq;
    }
    if (page.n == PAGE) return true;
    shown_forget(w);
    return false;
}

static void watch_release(struct service_watch *w)
{
    for (size_t i = 0; i < w->n; i++) free((char *)w->uids[i].p);
    map_fini(&w->shown);
    arena_fini(&w->shown_arena);
    free(w->uids);
    free(w->runs);
    free(w);
}

void service_watch_pump(struct service_watch *w)
{
    struct buf b CLEANUP(buf_fini);
    struct arena a CLEANUP(arena_fini);
    if (w->pumping || w->dead) return;
    buf_init(&b, LIMIT_CHANGE_LINE_BYTES);
    arena_init(&a);
    w->pumping = true;
    w->full = false;
    for (bool more = true; more;) {
        send_states(w, &a, &b);
        more = !w->full && !w->dead && send_page(w, &a, &b);
        arena_reset(&a);
    }
    w->pumping = false;
    if (w->dead) watch_release(w);
}

/* In order, each once. */
static void runs_sort(struct service_watch *w)
{
    size_t n = 0;
    if (w->n) qsort(w->runs, w->n, sizeof *w->runs, run_order);
    for (size_t i = 0; i < w->n; i++)
        if (!i || w->runs[i] != w->runs[i - 1]) w->runs[n++] = w->runs[i];
    w->n_runs = n;
}

struct service_watch *service_watch_new(struct service *s, const struct watch_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct service_watch *w = mem_zalloc(sizeof *w);
    arena_init(&a);
    *w = (struct service_watch){.s = s, .on_line = o->on_line, .user = o->user, .after = o->after};
    arena_init(&w->shown_arena);
    w->runs = mem_zalloc((o->n + 1) * sizeof *w->runs);
    w->uids = mem_zalloc((o->n + 1) * sizeof *w->uids);
    for (size_t i = 0; i < o->n; i++) {
        struct run_row row;
        if (!store_run_find(&a, service_store(s), o->refs[i].ns, o->refs[i].name, &row, e)) {
            watch_release(w);
            return NULL;
        }
        w->uids[w->n] = str_n(mem_strdup(row.uid.p), row.uid.n);
        w->runs[w->n++] = row.run;
    }
    runs_sort(w);
    VEC_PUSH(&s->watches, w);
    if (o->from_start || o->after < 0) states_begin(w);
    if (!o->from_start) w->state_run = w->n_runs;
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
    if (!w->pumping) watch_release(w);
}
