/* Following files that grow: inotify says which, the readers know how far. See logs.h.
 *
 * A file that is not there yet is waited for through its directory. A watch is set before the file
 * is read, so that nothing written in between is missed; events carry no meaning but "look again". */
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
};

struct logs_follow {
    int fd;
    int64_t tail;
    struct logs_filter filter;
    VEC(struct followed *) sources;
};

struct logs_follow *logs_follow_open(const struct logs_query *q, struct err *e)
{
    struct logs_follow *f = mem_zalloc(sizeof *f);
    f->tail = q->tail;
    f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->fd >= 0 && logs_filter_init(&f->filter, q, e)) return f;
    if (f->fd < 0) err_sys(e, "cannot watch log files");
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

static bool dir_watch(struct logs_follow *f, struct followed *s, struct err *e)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(s->reader.path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - s->reader.path) + 1 : 1, slash ? s->reader.path : ".");
    s->dir_wd = inotify_add_watch(f->fd, dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    return s->dir_wd >= 0 || err_sys(e, "cannot watch '%s'", dir);
}

static bool file_watch(struct logs_follow *f, struct followed *s, struct err *e)
{
    if (s->file_wd >= 0) return true;
    s->file_wd = inotify_add_watch(f->fd, s->reader.path, IN_MODIFY);
    return s->file_wd >= 0 || errno == ENOENT || err_sys(e, "cannot watch '%s'", s->reader.path);
}

static bool source_watch(struct logs_follow *f, struct followed *s, struct err *e)
{
    if (s->reader.finished) return true;
    if (!file_watch(f, s, e)) return false;
    /* Looked for once more: it may have appeared before its directory was watched. */
    return s->file_wd >= 0 || (dir_watch(f, s, e) && file_watch(f, s, e));
}

bool logs_follow_add(struct logs_follow *f, const struct logs_source *source, size_t *index, struct err *e)
{
    struct followed *s = mem_zalloc(sizeof *s);
    reader_init(&s->reader, source, f->sources.n);
    s->reader.filter = &f->filter;
    s->file_wd = s->dir_wd = -1;
    s->dirty = true;
    if (!source_watch(f, s, e) || !reader_seek_tail(&s->reader, f->tail, e)) {
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
        bool in_dir = s->file_wd < 0 && (all || event->wd == s->dir_wd);
        if (!in_dir && !all && event->wd != s->file_wd) continue;
        s->dirty = true;
        if (in_dir && !file_watch(f, s, e)) return false;
    }
    return true;
}

static bool events_drain(struct logs_follow *f, struct err *e)
{
    char room[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    while ((n = read(f->fd, room, sizeof room)) > 0) {
        const struct inotify_event *event;
        for (char *p = room; p < room + n; p += sizeof *event + event->len) {
            event = (const struct inotify_event *)p;
            if (!event_take(f, event, e)) return false;
        }
    }
    return n >= 0 || errno == EAGAIN || errno == EINTR || err_sys(e, "watching log files");
}

bool logs_follow_read(struct logs_follow *f, logs_line_fn *each, void *ctx, struct err *e)
{
    if (!events_drain(f, e)) return false;
    struct logs_reader **ready = mem_alloc((f->sources.n + 1) * sizeof *ready);
    size_t n = 0;
    for (size_t i = 0; i < f->sources.n; i++) {
        struct followed *s = f->sources.items[i];
        if (s->dirty) ready[n++] = &s->reader;
        s->dirty = false;
    }
    bool ok = readers_merge(ready, n, each, ctx, e);
    free(ready);
    return ok;
}
