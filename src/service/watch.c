/* Watches: the change log as JSON lines, each once and in order, for the follow of this process and
 * for the engine's socket. A watch keeps its place; nothing is queued for it. */
#include "doc/json.h"
#include "os/clock.h"
#include "service/service_p.h"

enum { PAGE = 500, LINE_MAX_BYTES = 256 << 20 };

static bool wanted(const struct service_watch *w, int64_t run)
{
    if (!run) return false;
    for (size_t i = 0; i < w->n; i++)
        if (w->runs[i] == run) return true;
    return !w->n;
}

static void line_write(struct buf *b, int64_t seq, const struct run_row *run, struct str kind,
                       struct str payload)
{
    bool node = str_is(kind, "node");
    buf_printf(b, "{\"seq\":%lld,\"workflow\":{\"namespace\":", (long long)seq);
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

struct states {
    struct service_watch *w;
    const struct run_row *run;
    struct buf *b;
};

static bool state_line(void *ctx, const struct node_row *row, struct err *e)
{
    struct states *x = ctx;
    (void)e;
    buf_reset(x->b);
    line_write(x->b, x->w->after, x->run, STR("node"), row->status);
    x->w->on_line(x->w->user, buf_view(x->b));
    return !x->w->dead;
}

static bool status_line(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct states *x = ctx;
    (void)e;
    if (!str_is(key, "status")) return true;
    buf_reset(x->b);
    line_write(x->b, x->w->after, x->run, STR("workflow"), bytes);
    x->w->on_line(x->w->user, buf_view(x->b));
    return !x->w->dead;
}

/* What is, before what will be. */
static void send_states(struct service_watch *w)
{
    struct store *st = service_store(w->s);
    struct buf b CLEANUP(buf_fini);
    struct arena a CLEANUP(arena_fini);
    buf_init(&b, LINE_MAX_BYTES);
    arena_init(&a);
    for (size_t i = 0; i < w->n && !w->dead; i++) {
        struct run_row run;
        struct err e;
        struct states x = {w, &run, &b};
        if (!store_run_get(&a, st, w->runs[i], &run, &e)) continue;
        if (store_nodes_load(st, w->runs[i], state_line, &x, &e))
            store_values_load(st, w->runs[i], status_line, &x, &e);
    }
}

/* It was away for longer than changes are kept: what is now stands for what it missed. */
static void catch_up(struct service_watch *w)
{
    w->after = store_change_last(service_store(w->s));
    send_states(w);
}

/* One that is deleted while somebody looks at it: for him it is over. */
static void send_deletion(struct service_watch *w, const struct change_row *c, struct arena *a, struct buf *b)
{
    struct val v;
    if (!w->n || !str_is(c->kind, "object") || !json_parse(a, c->payload, NULL, &v, NULL)) return;
    if (!str_is(val_get_str(&v, "kind"), "Workflow") || !str_is(val_get_str(&v, "type"), "DELETED")) return;
    struct run_row run = {.ns = val_get_str(&v, "namespace"), .name = val_get_str(&v, "name"), .uid = val_get_str(&v, "uid")};
    for (size_t i = 0; i < w->n; i++) {
        if (!str_eq(w->uids[i], run.uid)) continue;
        buf_reset(b);
        line_write(b, c->seq, &run, STR("workflow"), STR("{\"phase\":\"Failed\",\"message\":\"deleted\"}"));
        w->on_line(w->user, buf_view(b));
        return;
    }
}

static bool send_page(struct service_watch *w, struct arena *a, struct buf *b, bool *more)
{
    struct store *st = service_store(w->s);
    struct change_query q = {.after = w->after, .limit = PAGE};
    struct change_page page;
    struct run_row run = {0};
    struct err e;
    if (!store_changes_read(a, st, &q, &page, &e)) {
        if (e.code == ERR_GONE) catch_up(w);
        return false;
    }
    for (size_t i = 0; i < page.n && !w->dead; i++) {
        const struct change_row *c = &page.rows[i];
        bool about_run = str_is(c->kind, "node") || str_is(c->kind, "workflow");
        w->after = c->seq;
        if (!about_run) send_deletion(w, c, a, b);
        if (!about_run || !wanted(w, c->run)) continue;
        if (run.run != c->run && !store_run_get(a, st, c->run, &run, &e)) continue;
        buf_reset(b);
        line_write(b, c->seq, &run, c->kind, c->payload);
        w->on_line(w->user, buf_view(b));
    }
    *more = page.n == PAGE;
    return true;
}

static void watch_release(struct service_watch *w)
{
    for (size_t i = 0; i < w->n; i++) free((char *)w->uids[i].p);
    free(w->uids);
    free(w->runs);
    free(w);
}

void service_watch_pump(struct service_watch *w)
{
    struct buf b CLEANUP(buf_fini);
    struct arena a CLEANUP(arena_fini);
    bool more = true;
    if (w->pumping || w->dead) return;
    buf_init(&b, LINE_MAX_BYTES);
    arena_init(&a);
    w->pumping = true;
    while (more && !w->dead && send_page(w, &a, &b, &more)) arena_reset(&a);
    w->pumping = false;
    if (w->dead) watch_release(w);
}

struct service_watch *service_watch_new(struct service *s, const struct watch_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct service_watch *w = mem_zalloc(sizeof *w);
    arena_init(&a);
    *w = (struct service_watch){.s = s, .on_line = o->on_line, .user = o->user, .after = o->after};
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
    VEC_PUSH(&s->watches, w);
    if (o->from_start || o->after < 0) w->after = store_change_last(service_store(s));
    w->pumping = true;
    if (o->from_start) send_states(w);
    w->pumping = false;
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
