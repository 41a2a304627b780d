/* Logs of steps for a client, piece by piece. See streams.h.
 *
 * Files are read on the pool, one piece at a time and no more before the client has taken it. What the change log says
 * about steps is looked at between two pieces, because the readers belong to the pool meanwhile. */
#include "base/limits.h"
#include "doc/json.h"
#include "logs/logs.h"
#include "service/service_p.h"
#include "service/streams.h"

enum {
    READ_BYTES = 4 << 20, /* of files, in one piece: a pattern may match nowhere */
    PIECE_LINES = 4096
};

struct tail_source {
    struct str pod;
    size_t index; /* of the readers' source */
    bool finished;
};

struct tail_line {
    size_t source;
    struct str text;
};

struct tail {
    struct service *s;
    struct tail_opts o;
    struct arena arena; /* options, sources */
    struct selector selector;
    struct pod_labels *labels; /* NULL: all pods */
    struct service_watch *watch; /* NULL: follows nothing (any more) */
    struct logs_follow *files;
    struct loop_timer *turn;
    VEC(struct tail_source) sources;
    struct map by_path; /* log path -> index in sources */
    struct map noted;   /* "REF/NODE" of nodes that changed */
    struct arena noted_arena;
    bool look_all;      /* every node is to be looked at */
    bool check_end;     /* a workflow has changed */
    /* the piece */
    struct arena piece_arena;
    VEC(struct tail_line) lines;
    size_t given;     /* of its lines */
    size_t piece_bytes;
    bool more;        /* there is more to read than the piece had room for */
    bool grown;       /* and files that have grown since */
    bool reading;     /* the pool has it; then nobody else touches `more` */
    bool full;        /* the client takes nothing for now */
    bool freed, ended;
    bool failed;
    struct err e;
};

static void turn_soon(struct tail *t)
{
    if (!t->freed && !t->reading && !loop_timer_armed(t->turn)) loop_timer_arm_us(t->turn, 0);
}

static void release(struct tail *t)
{
    pod_labels_free(t->labels);
    logs_follow_close(t->files);
    VEC_FINI(&t->sources);
    VEC_FINI(&t->lines);
    map_fini(&t->by_path);
    map_fini(&t->noted);
    arena_fini(&t->noted_arena);
    arena_fini(&t->piece_arena);
    arena_fini(&t->arena);
    free(t);
}

/* ---- reading, on the pool ---- */

static bool line_keep(void *ctx, const struct logs_line *line, struct err *e)
{
    struct tail *t = ctx;
    struct buf b CLEANUP(buf_fini);
    (void)e;
    buf_init(&b, SIZE_MAX / 2);
    if (t->lines.n && (t->piece_bytes + line->text.n > LIMIT_STREAM_AHEAD_BYTES || t->lines.n >= PIECE_LINES)) {
        logs_follow_hold(t->files);
        return true;
    }
    logs_line_format(&b, line, t->o.timestamps);
    struct str text = buf_dup(&t->piece_arena, &b);
    text.n--; /* its newline */
    t->piece_bytes += text.n;
    VEC_PUSH(&t->lines, ((struct tail_line){line->source, text}));
    return true;
}

static void piece_read(void *user)
{
    struct tail *t = user;
    t->failed = !logs_follow_piece(t->files, READ_BYTES, line_keep, t, &t->more, &t->e);
}

static void piece_done(void *user)
{
    struct tail *t = user;
    t->reading = false;
    if (t->freed) release(t);
    else turn_soon(t);
}

static void piece_begin(struct tail *t)
{
    arena_reset(&t->piece_arena);
    t->lines.n = t->given = t->piece_bytes = 0;
    t->more = t->grown = false;
    t->reading = true;
    loop_job(t->s->loop, piece_read, piece_done, t);
}

/* ---- which logs ---- */

static bool step_see(struct tail *t, const struct step_log *s, struct err *e)
{
    struct map_slot *slot = map_get(&t->by_path, s->path);
    bool finished = s->finished || !t->o.follow, meant = true;
    if (!slot && !step_log_is_meant(s, t->o.pod, t->o.container)) return true;
    if (!slot && t->labels && !pod_labels_match(t->labels, service_store(t->s), t->o.refs, s, &t->selector, &meant, e)) return false;
    if (!meant) return true;
    if (slot) {
        struct tail_source *known = &t->sources.items[slot->num];
        if (finished && !known->finished) logs_follow_finish(t->files, known->index);
        t->more = t->more || finished > known->finished;
        known->finished = finished;
        return true;
    }
    struct tail_source fresh = {.pod = str_dup(&t->arena, s->pod_name), .finished = finished};
    struct str path = str_dup(&t->arena, s->path);
    if (!logs_follow_add(t->files, &(struct logs_source){path.p, finished}, &fresh.index, e)) return false;
    ASSERT(fresh.index == t->sources.n);
    map_put(&t->by_path, path, NULL)->num = t->sources.n;
    VEC_PUSH(&t->sources, fresh);
    return t->more = true;
}

static bool steps_see(struct tail *t, const struct step_log *steps, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!step_see(t, &steps[i], e)) return false;
    return true;
}

static bool all_see(struct tail *t, struct arena *a, struct err *e)
{
    t->look_all = false;
    for (size_t i = 0; i < t->o.n; i++) {
        const struct workflow_ref *r = &t->o.refs[i];
        struct step_log *steps;
        struct err gone = {0};
        size_t n;
        bool ok = t->o.previous ? service_logs_previous(a, t->s, r->ns, r->name, &steps, &n, &gone)
                                : service_logs(a, t->s, r->ns, r->name, &steps, &n, &gone);
        if (!ok && gone.code == ERR_NOT_FOUND) continue; /* deleted meanwhile */
        if (!ok) return *e = gone, false;
        if (!steps_see(t, steps, n, e)) return false;
    }
    return true;
}

static bool noted_see(struct tail *t, struct arena *a, struct err *e)
{
    bool ok = true;
    for (struct map_slot *slot = NULL; ok && (slot = map_next(&t->noted, slot));) {
        struct str ref, node;
        struct step_log *steps;
        struct err gone = {0};
        int64_t i = 0;
        size_t n;
        str_cut(slot->key, '/', &ref, &node);
        str_to_i64(ref, &i);
        if (service_logs_node(a, t->s, &t->o.refs[i], node, &steps, &n, &gone)) ok = steps_see(t, steps, n, e);
        else if (gone.code != ERR_NOT_FOUND) ok = (*e = gone, false);
    }
    map_fini(&t->noted);
    t->noted = (struct map){0};
    arena_reset(&t->noted_arena);
    return ok;
}

/* ---- following ---- */

static bool on_change(void *user, struct str json)
{
    struct tail *t = user;
    struct arena a CLEANUP(arena_fini);
    struct val v;
    arena_init(&a);
    if (!json_parse(&a, json, NULL, &v, NULL)) return true;
    struct str ns = val_text(val_path(&v, "workflow.namespace")), name = val_text(val_path(&v, "workflow.name"));
    struct str id = val_text(val_path(&v, "node.id"));
    for (size_t i = 0; i < t->o.n; i++) {
        if (!str_eq(t->o.refs[i].ns, ns) || !str_eq(t->o.refs[i].name, name)) continue;
        t->check_end = t->check_end || !id.n;
        struct str key = str_fmt(&a, "%zu/%.*s", i, STR_ARG(id));
        if (id.n && !map_get(&t->noted, key)) map_put(&t->noted, str_dup(&t->noted_arena, key), NULL);
    }
    turn_soon(t);
    return true;
}

static void on_files(void *user)
{
    struct tail *t = user;
    t->grown = true;
    turn_soon(t);
}

static bool all_over(struct tail *t, struct arena *a)
{
    for (size_t i = 0; i < t->o.n; i++) {
        struct str phase;
        struct err e = {0};
        bool ended;
        if (!service_phase(a, t->s, &t->o.refs[i], &phase, &ended, &e)) ended = e.code == ERR_NOT_FOUND;
        if (!ended) return false;
    }
    return true;
}

/* Whatever is still open then, a daemon's log for one, has no more to come either. */
static void follow_ends(struct tail *t)
{
    service_watch_free(t->watch);
    t->watch = NULL;
    t->o.follow = false;
    t->look_all = true;
}

/* ---- its turns ---- */

static bool changes_see(struct tail *t, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (t->check_end && t->watch && all_over(t, &a)) follow_ends(t);
    t->check_end = false;
    return t->look_all ? all_see(t, &a, e) : noted_see(t, &a, e);
}

static void lines_give(struct tail *t)
{
    while (!t->full && t->given < t->lines.n) {
        const struct tail_line *l = &t->lines.items[t->given];
        t->full = !t->o.on_line(t->o.user, t->sources.items[l->source].pod, l->text);
        t->given += !t->full;
    }
}

static void tail_end(struct tail *t, const struct err *e)
{
    t->ended = true;
    t->o.on_end(t->o.user, e);
}

static void on_turn(void *user)
{
    struct tail *t = user;
    if (t->reading || t->ended) return;
    if (t->failed || !changes_see(t, &t->e)) {
        tail_end(t, &t->e);
        return;
    }
    lines_give(t);
    if (t->given < t->lines.n) return; /* tail_pump goes on */
    if (!t->more && !t->grown) {
        if (!t->watch) tail_end(t, NULL);
        return;
    }
    if (logs_follow_look(t->files, &t->e)) piece_begin(t);
    else tail_end(t, &t->e);
}

static bool options_keep(struct tail *t, const struct tail_opts *o, struct err *e)
{
    struct workflow_ref *refs = ARENA_ARRAY(&t->arena, struct workflow_ref, o->n + 1);
    for (size_t i = 0; i < o->n; i++) {
        struct run_row row;
        if (!store_run_find(&t->arena, service_store(t->s), o->refs[i].ns, o->refs[i].name, &row, e)) return false;
        refs[i] = (struct workflow_ref){row.ns, row.name};
    }
    t->o = *o;
    t->o.refs = refs;
    t->o.pod = str_dup(&t->arena, o->pod);
    t->o.container = str_dup(&t->arena, o->container);
    t->o.grep = str_dup(&t->arena, o->grep.n ? o->grep : STR_NONE);
    if (o->selector.n) {
        ASSERT(o->n == 1);
        if (!selector_parse(&t->arena, str_dup(&t->arena, o->selector), &t->selector, e)) return false;
        t->labels = pod_labels_new();
    }
    t->o.follow = o->follow && !o->previous && o->n && !all_over(t, &t->arena);
    return true;
}

static bool files_open(struct tail *t, struct err *e)
{
    struct logs_query q = {.since_ns = t->o.since_ns, .tail = logs_tail_of(t->o.tail), .bytes = t->o.bytes, .grep = t->o.grep};
    if (!(t->files = logs_follow_open(t->o.follow ? t->s->loop : NULL, &q, on_files, t, e))) return false;
    if (!t->o.follow) return true;
    struct watch_opts w = {.refs = t->o.refs, .n = t->o.n, .after = -1, .on_line = on_change, .user = t};
    return (t->watch = service_watch_new(t->s, &w, e)) != NULL;
}

struct tail *tail_new(struct service *s, const struct tail_opts *o, struct err *e)
{
    struct tail *t = mem_zalloc(sizeof *t);
    t->s = s;
    t->look_all = true;
    arena_init(&t->arena);
    arena_init(&t->noted_arena);
    arena_init(&t->piece_arena);
    t->turn = loop_timer_new(s->loop, on_turn, t);
    if (options_keep(t, o, e) && files_open(t, e)) {
        turn_soon(t);
        return t;
    }
    tail_free(t);
    return NULL;
}

void tail_pump(struct tail *t)
{
    t->full = false;
    turn_soon(t);
}

void tail_free(struct tail *t)
{
    if (!t) return;
    service_watch_free(t->watch);
    if (t->files) logs_follow_quit(t->files);
    loop_timer_free(t->turn);
    t->freed = true;
    if (!t->reading) release(t);
}
