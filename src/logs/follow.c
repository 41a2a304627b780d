/* Following files that grow: inotify says which, the readers know how far. See logs.h.
 *
 * A file that is not there yet is waited for through its directory, or the nearest one above that is there. A watch is
 * set before the file is read, so that nothing written in between is missed; events carry no meaning but "look again". */
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/vec.h"
#include "logs/logs_p.h"

struct followed {
    struct logs_reader reader;
    int file_wd; /* -1: the file is not there yet */
    int dir_wd;  /* -1: none needed */
    bool dirty;  /* there may be something to read */
    bool sought; /* the reader stands where it is to begin */
};

struct logs_follow {
    int fd; /* -1: nothing is watched */
    int64_t tail;
    struct logs_piece piece;
    struct logs_filter filter;
    VEC(struct followed *) sources;
};

struct logs_follow *logs_follow_open(const struct logs_query *q, struct err *e)
{
    struct logs_follow *f = mem_zalloc(sizeof *f);
    f->tail = q->tail;
    f->fd = q->still ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if ((f->fd >= 0 || q->still) && logs_filter_init(&f->filter, q, e)) return f;
    if (f->fd < 0 && !q->still) err_sys(e, "cannot watch log files%s", errno == EMFILE ? " (sysctl fs.inotify.max_user_instances says how many logs a user may follow)" : "");
    logs_follow_close(f);
    return NULL;
}

void logs_follow_close(struct logs_follow *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->sources.n; i++) {
        reader_fini(&f->sources.items[i]->reader);
        free(f->sources.items[i]);
    }
    VEC_FINI(&f->sources);
    logs_filter_fini(&f->filter);
    if (f->fd >= 0) close(f->fd);
    free(f);
}

/* Of the nearest directory that is there. */
static bool dir_watch(struct logs_follow *f, struct followed *s, struct err *e)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", s->reader.path);
    for (;;) {
        char *slash = strrchr(dir, '/');
        if (slash) *slash = 0;
        const char *name = !slash ? "." : slash == dir ? "/" : dir;
        s->dir_wd = inotify_add_watch(f->fd, name, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
        if (s->dir_wd >= 0) return true;
        if (errno != ENOENT || !slash || slash == dir) return err_sys(e, "cannot watch '%s'", name);
    }
}

static bool file_watch(struct logs_follow *f, struct followed *s, struct err *e)
{
    if (s->file_wd >= 0) return true;
    s->file_wd = inotify_add_watch(f->fd, s->reader.path, IN_MODIFY);
    return s->file_wd >= 0 || errno == ENOENT || err_sys(e, "cannot watch '%s'", s->reader.path);
}

static bool source_watch(struct logs_follow *f, struct followed *s, struct err *e)
{
    if (s->reader.finished || f->fd < 0) return true;
    if (!file_watch(f, s, e)) return false;
    /* Looked for once more: it, or a directory on the way to it, may have appeared before the one above was watched. */
    for (int before = -1; s->file_wd < 0; before = s->dir_wd) {
        if (!dir_watch(f, s, e) || !file_watch(f, s, e)) return false;
        if (s->dir_wd == before) break;
    }
    return true;
}

bool logs_follow_add(struct logs_follow *f, const struct logs_source *source, size_t *index, struct err *e)
{
    struct followed *s = mem_zalloc(sizeof *s);
    reader_init(&s->reader, source, f->sources.n);
    s->reader.filter = &f->filter;
    s->file_wd = s->dir_wd = -1;
    s->dirty = true;
    if (!source_watch(f, s, e)) {
        reader_fini(&s->reader);
        free(s);
        return false;
    }
    *index = f->sources.n;
    VEC_PUSH(&f->sources, s);
    return true;
}

void logs_follow_finish(struct logs_follow *f, size_t index)
{
    struct followed *s = f->sources.items[index];
    s->reader.finished = s->reader.flush = s->dirty = true;
}

int logs_follow_fd(const struct logs_follow *f)
{
    return f->fd;
}

static bool event_take(struct logs_follow *f, const struct inotify_event *event, struct err *e)
{
    bool all = event->mask & IN_Q_OVERFLOW;
    for (size_t i = 0; i < f->sources.n; i++) {
        struct followed *s = f->sources.items[i];
        bool in_dir = s->file_wd < 0 && !s->reader.finished && (all || event->wd == s->dir_wd);
        if (!in_dir && !all && event->wd != s->file_wd) continue;
        s->dirty = true;
        if (in_dir && !source_watch(f, s, e)) return false;
    }
    return true;
}

static bool events_drain(struct logs_follow *f, struct err *e)
{
    char room[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    if (f->fd < 0) return true;
    while ((n = read(f->fd, room, sizeof room)) > 0) {
        const struct inotify_event *event;
        for (char *p = room; p < room + n; p += sizeof *event + event->len) {
            event = (const struct inotify_event *)p;
            if (!event_take(f, event, e)) return false;
        }
    }
    return n >= 0 || errno == EAGAIN || errno == EINTR || err_sys(e, "watching log files");
}

/* Those that may have something to read, at the places where they are to begin. */
static bool readers_ready(struct logs_follow *f, struct logs_reader **ready, size_t *n, struct err *e)
{
    for (size_t i = 0; i < f->sources.n; i++) {
        struct followed *s = f->sources.items[i];
        if (!s->dirty) continue;
        if (!s->sought && !reader_seek_tail(&s->reader, f->tail, e)) return false;
        s->sought = true;
        ready[(*n)++] = &s->reader;
    }
    return true;
}

static bool follow_read(struct logs_follow *f, struct logs_piece *piece, logs_line_fn *each, void *ctx, bool *more, struct err *e)
{
    size_t n = 0;
    *more = false;
    if (!events_drain(f, e)) return false;
    struct logs_reader **ready = mem_alloc((f->sources.n + 1) * sizeof *ready);
    bool ok = readers_ready(f, ready, &n, e);
    for (size_t i = 0; i < n; i++) ready[i]->piece = piece;
    ok = ok && readers_merge(ready, n, each, ctx, e);
    free(ready);
    for (size_t i = 0; i < f->sources.n; i++) {
        struct followed *s = f->sources.items[i];
        s->dirty = s->dirty && (s->reader.have || s->reader.starved);
        *more = *more || s->dirty;
    }
    return ok;
}

bool logs_follow_read(struct logs_follow *f, logs_line_fn *each, void *ctx, struct err *e)
{
    bool more;
    return follow_read(f, NULL, each, ctx, &more, e);
}

bool logs_follow_piece(struct logs_follow *f, int64_t bytes, logs_line_fn *each, void *ctx, bool *more, struct err *e)
{
    f->piece = (struct logs_piece){.bytes = bytes};
    return follow_read(f, &f->piece, each, ctx, more, e);
}

void logs_follow_hold(struct logs_follow *f) { f->piece.held = true; }
