/* The newest changes as lines: made once, when they are committed, for all who watch. A watch that is behind them reads the
 * change log itself (watch.c). Kept as long as anybody watches, and no more of them than RECENT_BYTES, twice: lines lie in two
 * arenas, and the older one goes when the newer one is full. */
#include "base/limits.h"
#include "doc/json.h"
#include "os/clock.h"
#include "service/service_p.h"

enum { RECENT_BYTES = 1 << 20, PAGE = 500 };

void change_line(struct buf *b, int64_t seq, const struct run_row *run, struct str kind, struct str payload)
{
    const char *what = str_is(kind, "node") ? "node" : "status";
    buf_reset(b);
    buf_char(b, '{');
    if (seq >= 0) buf_printf(b, "\"seq\":%lld,", (long long)seq);
    buf_str(b, STR("\"workflow\":{\"namespace\":"));
    buf_json(b, run->ns);
    buf_str(b, STR(",\"name\":"));
    buf_json(b, run->name);
    buf_str(b, STR(",\"uid\":"));
    buf_json(b, run->uid);
    buf_printf(b, "},\"timeUs\":%lld,\"type\":\"%.*s\",\"%s\":", (long long)clock_now_us(), STR_ARG(kind), what);
    buf_str(b, payload);
    buf_char(b, '}');
}

bool change_of_deletion(struct arena *a, const struct change_row *c, struct run_row *out)
{
    struct val v;
    if (!str_is(c->kind, "object") || !json_parse(a, c->payload, NULL, &v, NULL)) return false;
    if (!str_is(val_get_str(&v, "kind"), "Workflow") || !str_is(val_get_str(&v, "type"), "DELETED")) return false;
    *out = (struct run_row){.ns = val_get_str(&v, "namespace"), .name = val_get_str(&v, "name"), .uid = val_get_str(&v, "uid")};
    return true;
}

static void recent_begin(struct recent *r, int64_t last)
{
    for (size_t i = 0; i < ARRAY_LEN(r->arenas); i++) arena_reset(&r->arenas[i]);
    r->changes.n = r->older = 0;
    r->last = last;
}

void recent_open(struct service *s)
{
    struct recent *r = &s->recent;
    r->users++;
    if (r->on || !s->exec) return;
    for (size_t i = 0; i < ARRAY_LEN(r->arenas); i++) arena_init(&r->arenas[i]);
    recent_begin(r, store_change_last(service_store(s)));
    r->on = true;
}

static void drop_unused(struct recent *r)
{
    if (r->users || r->readers) return;
    for (size_t i = 0; i < ARRAY_LEN(r->arenas); i++) arena_fini(&r->arenas[i]);
    VEC_FINI(&r->changes);
    *r = (struct recent){0};
}

void recent_close(struct service *s)
{
    s->recent.users--;
    drop_unused(&s->recent);
}

void recent_hold(struct service *s) { s->recent.readers++; }

void recent_release(struct service *s)
{
    s->recent.readers--;
    drop_unused(&s->recent);
}

/* Those in the older arena go. Not while somebody is given one of them. */
static void rotate(struct recent *r)
{
    size_t rows = (r->changes.n - r->older) * sizeof *r->changes.items; /* some have no text */
    if (r->arenas[r->newer].used + rows < RECENT_BYTES || r->readers) return;
    memmove(r->changes.items, r->changes.items + r->older, (r->changes.n - r->older) * sizeof *r->changes.items);
    r->changes.n -= r->older;
    r->older = r->changes.n;
    r->newer = !r->newer;
    arena_reset(&r->arenas[r->newer]);
}

/* What of the run stands in all its changes. */
static void run_note(struct service *s, const struct change_row *c, struct recent_change *now, struct run_row *run, struct arena *a)
{
    struct arena *to = &s->recent.arenas[s->recent.newer];
    struct err gone;
    if (!c->run) return;
    if (run->run != c->run && !store_run_get(a, service_store(s), c->run, run, &gone)) *run = (struct run_row){0};
    if (!run->run) return;
    now->ns = str_dup(to, run->ns);
    now->name = str_dup(to, run->name);
}

/* `run`: the one that the change before was about. */
static void change_add(struct service *s, const struct change_row *c, struct run_row *run, struct arena *a, struct buf *b)
{
    struct recent *r = &s->recent;
    struct arena *to = &r->arenas[r->newer];
    struct recent_change now = {.seq = c->seq, .rv = c->rv, .run = c->run, .added = str_is(c->kind, "added")};
    struct run_row deleted;
    bool node = str_is(c->kind, "node");
    buf_reset(b);
    run_note(s, c, &now, run, a);
    if (str_is(c->kind, "object")) now.object = str_dup(to, c->payload);
    if (now.name.p && (node || str_is(c->kind, "workflow"))) {
        change_line(b, c->seq, run, c->kind, c->payload);
    } else if (change_of_deletion(a, c, &deleted)) {
        now.gone = str_dup(to, deleted.uid);
        change_line(b, c->seq, &deleted, STR("deleted"), STR(CHANGE_DELETED));
    }
    if (b->n) now.line = str_dup(to, buf_view(b));
    if (b->n && node) now.status = str_sub(now.line, now.line.n - c->payload.n - 1, c->payload.n);
    r->last = c->seq;
    VEC_PUSH(&r->changes, now);
    rotate(r);
}

void recent_collect(struct service *s)
{
    struct recent *r = &s->recent;
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    struct change_query q = {.limit = PAGE};
    struct change_page page;
    struct err e;
    arena_init(&a);
    buf_init(&b, LIMIT_CHANGE_LINE_BYTES);
    if (!r->on) return;
    do {
        struct run_row run = {0};
        q.after = r->last;
        if (!store_changes_read(&a, service_store(s), &q, &page, &e)) {
            if (!r->readers) recent_begin(r, store_change_last(service_store(s))); /* more came at once than is kept */
            return;
        }
        for (size_t i = 0; i < page.n; i++) change_add(s, &page.rows[i], &run, &a, &b);
        arena_reset(&a);
    } while (page.n == PAGE);
}

const struct recent_change *recent_find(const struct service *s, int64_t seq)
{
    const struct recent *r = &s->recent;
    if (!r->on || !r->changes.n || seq < r->changes.items[0].seq || seq > r->last) return NULL;
    return &r->changes.items[seq - r->changes.items[0].seq];
}
