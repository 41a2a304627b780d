/* Following files that grow: the loop says which, the readers know how far. See logs.h.
 *
 * A path is armed before its file is read, so that nothing written in between is missed. While a piece is read on another
 * thread the loop touches nothing but `told`, `path`, `noted` and the list of that name. */
#include "base/vec.h"
#include "logs/logs_p.h"

struct followed {
    struct logs_follow *follow;
    struct loop_path *path; /* NULL: nothing is awaited (any more) */
    bool noted;             /* in the list of that name */
    struct logs_reader reader;
    bool dirty;  /* in the list of that name */
    bool sought; /* the reader stands where it is to begin */
};

struct logs_follow {
    struct loop *loop; /* NULL: nothing is awaited */
    loop_fn *ready;
    void *user;
    bool told; /* it was called since the last look */
    int64_t tail;
    struct logs_piece piece;
    struct logs_filter filter;
    VEC(struct followed *) sources;
    VEC(struct followed *) noted; /* since the last look there may be more in them */
    VEC(struct followed *) dirty; /* there may be something to read */
};

struct logs_follow *logs_follow_open(struct loop *l, const struct logs_query *q, loop_fn *ready, void *user, struct err *e)
{
    struct logs_follow *f = mem_zalloc(sizeof *f);
    f->loop = l;
    f->ready = ready;
    f->user = user;
    f->tail = q->tail;
    if (logs_filter_init(&f->filter, q, e)) return f;
    logs_follow_close(f);
    return NULL;
}

static void unwatch(struct followed *s)
{
    loop_path_free(s->path);
    s->path = NULL;
}

static void source_free(struct followed *s)
{
    unwatch(s);
    reader_fini(&s->reader);
    free(s);
}

void logs_follow_close(struct logs_follow *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->sources.n; i++) source_free(f->sources.items[i]);
    VEC_FINI(&f->sources);
    VEC_FINI(&f->noted);
    VEC_FINI(&f->dirty);
    logs_filter_fini(&f->filter);
    free(f);
}

void logs_follow_quit(struct logs_follow *f)
{
    for (size_t i = 0; i < f->sources.n; i++) unwatch(f->sources.items[i]);
}

static void source_note(struct followed *s)
{
    if (s->noted) return;
    s->noted = true;
    VEC_PUSH(&s->follow->noted, s);
}

static void on_path(void *user)
{
    struct followed *s = user;
    struct logs_follow *f = s->follow;
    source_note(s);
    if (f->told) return;
    f->told = true;
    f->ready(f->user);
}

bool logs_follow_add(struct logs_follow *f, const struct logs_source *source, size_t *index, struct err *e)
{
    struct followed *s = mem_zalloc(sizeof *s);
    s->follow = f;
    reader_init(&s->reader, source, f->sources.n);
    s->reader.filter = &f->filter;
    if (f->loop && !source->finished) s->path = loop_path_new(f->loop, source->path, on_path, s);
    if (s->path && !loop_path_arm(s->path, e)) {
        source_free(s);
        return false;
    }
    *index = f->sources.n;
    VEC_PUSH(&f->sources, s);
    source_note(s);
    return true;
}

void logs_follow_finish(struct logs_follow *f, size_t index)
{
    struct followed *s = f->sources.items[index];
    s->reader.finished = s->reader.flush = true;
    unwatch(s);
    source_note(s);
}

bool logs_follow_look(struct logs_follow *f, struct err *e)
{
    f->told = false;
    for (; f->noted.n; f->noted.n--) {
        struct followed *s = f->noted.items[f->noted.n - 1];
        if (s->path && !loop_path_arm(s->path, e)) return false;
        s->noted = false;
        if (!s->dirty) VEC_PUSH(&f->dirty, s);
        s->dirty = true;
    }
    return true;
}

/* Those that may have something to read, at the places where they are to begin. */
static bool readers_ready(struct logs_follow *f, struct logs_reader **ready, struct logs_piece *piece, struct err *e)
{
    for (size_t i = 0; i < f->dirty.n; i++) {
        struct followed *s = f->dirty.items[i];
        if (!s->sought && !reader_seek_tail(&s->reader, f->tail, e)) return false;
        s->sought = true;
        s->reader.piece = piece;
        ready[i] = &s->reader;
    }
    return true;
}

static bool follow_read(struct logs_follow *f, struct logs_piece *piece, logs_line_fn *each, void *ctx, bool *more, struct err *e)
{
    size_t left = 0;
    struct logs_reader **ready = mem_alloc((f->dirty.n + 1) * sizeof *ready);
    bool ok = readers_ready(f, ready, piece, e) && readers_merge(ready, f->dirty.n, each, ctx, e);
    free(ready);
    for (size_t i = 0; ok && i < f->dirty.n; i++) {
        struct followed *s = f->dirty.items[i];
        s->dirty = s->reader.have || s->reader.starved;
        if (s->dirty) f->dirty.items[left++] = s;
    }
    if (ok) f->dirty.n = left;
    *more = f->dirty.n > 0;
    return ok;
}

bool logs_follow_read(struct logs_follow *f, logs_line_fn *each, void *ctx, struct err *e)
{
    bool more;
    return logs_follow_look(f, e) && follow_read(f, NULL, each, ctx, &more, e);
}

bool logs_follow_piece(struct logs_follow *f, int64_t bytes, logs_line_fn *each, void *ctx, bool *more, struct err *e)
{
    f->piece = (struct logs_piece){.bytes = bytes};
    return follow_read(f, &f->piece, each, ctx, more, e);
}

void logs_follow_hold(struct logs_follow *f) { f->piece.held = true; }
